// Kubeconfigs. Certificates are inlined, so that the file can be copied anywhere. Called by Cluster.

package cluster

import (
	"encoding/base64"
	"fmt"
)

// Kubeconfig is the text of a kubeconfig for one user of one cluster.
func Kubeconfig(server string, ca []byte, client Pair) []byte {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: local
contexts:
- name: local
  context: {cluster: local, user: local}
clusters:
- name: local
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: local
  user:
    client-certificate-data: %s
    client-key-data: %s
`, server, encode(ca), encode(client.Certificate), encode(client.Key))
}
