// Arguments of the components: pure text, the same for the in-process launcher and for ready-made binaries, save
// what they say. Called by both launchers.

package cluster

import (
	"fmt"
	"strings"
)

var controllers = []string{
	"namespace-controller", // without it a deleted namespace stays Terminating for ever
	"garbage-collector-controller",
	"serviceaccount-controller",
	"root-ca-certificate-publisher-controller",
}

// APIServerArguments are those of kube-apiserver. Without controllers nobody makes the service accounts that the
// admission plugin asks for, so it is off then.
func (c *Cluster) APIServerArguments(etcdURL string, port int, controllers bool) []string {
	arguments := []string{
		"--etcd-servers=" + etcdURL,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", port),
		"--tls-cert-file=" + c.path("serving.crt"),
		"--tls-private-key-file=" + c.path("serving.key"),
		"--client-ca-file=" + c.path("ca.crt"),
		"--authorization-mode=RBAC",
		"--service-cluster-ip-range=" + serviceRange,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.serviceAccountKey(),
		"--service-account-signing-key-file=" + c.serviceAccountKey(),
		"--endpoint-reconciler-type=none", // no pod is ever to reach this server
		"--audit-policy-file=" + c.path("audit-policy.yaml"),
		"--audit-log-path=" + c.path("audit.log"),
	}
	if !controllers {
		arguments = append(arguments, "--disable-admission-plugins=ServiceAccount")
	}
	return arguments
}

// ManagerArguments are those of kube-controller-manager. Each controller goes by a service account of its own:
// RBAC gives the manager itself next to nothing.
func (c *Cluster) ManagerArguments(kubeconfig string) []string {
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--leader-elect=false",
		"--secure-port=0",
		"--use-service-account-credentials=true",
		"--controllers=" + strings.Join(controllers, ","),
		"--service-account-private-key-file=" + c.serviceAccountKey(),
		"--root-ca-file=" + c.path("ca.crt"),
	}
}

// EtcdArguments are those of etcd. It need not survive a power cut, and starts twice as fast for it.
func (c *Cluster) EtcdArguments(clientPort, peerPort int) []string {
	client, peer := EtcdURL(clientPort), EtcdURL(peerPort)
	return []string{
		"--data-dir=" + c.EtcdDir(),
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=default=" + peer,
		"--log-level=error",
		"--unsafe-no-fsync",
	}
}

// EtcdURL is where etcd listens.
func EtcdURL(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }
