// Tests of what is pure: options, certificates, kubeconfigs, arguments, and that a directory survives a restart.

package cluster

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	for wanted, arguments := range map[string][]string{
		"-dir is required":                   {},
		`unexpected argument "x"`:            {"-dir", "d", "x"},
		"-port 70000 is not between":         {"-dir", "d", "-port", "70000"},
		"flag provided but not defined: -no": {"-no"},
	} {
		if _, err := ParseOptions("test", arguments, io.Discard); err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%q: got %v, want %q", arguments, err, wanted)
		}
	}
}

func TestOptionsHaveTheirDefaults(t *testing.T) {
	got, err := ParseOptions("test", []string{"-dir", "d"}, io.Discard)
	if want := (Options{Dir: "d", Controllers: true}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestCertificatesServeTheirPurposeAlone(t *testing.T) {
	a, err := loadAuthority(t.TempDir())
	must(t, err)
	serving, err := a.serving()
	must(t, err)
	admin, err := a.client("admin", groupOfAdmins)
	must(t, err)

	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	server := parse(t, serving)
	for _, host := range []string{"127.0.0.1", "localhost", "10.0.0.1", "kubernetes.default.svc"} {
		if _, err := server.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
			t.Errorf("serving %s: %v", host, err)
		}
	}
	clientOnly := x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	user := parse(t, admin)
	if _, err := user.Verify(clientOnly); err != nil {
		t.Errorf("client: %v", err)
	}
	if _, err := server.Verify(clientOnly); err == nil {
		t.Error("the certificate of the server must not pass for a user")
	}
	if user.Subject.CommonName != "admin" || !slices.Equal(user.Subject.Organization, []string{groupOfAdmins}) {
		t.Errorf("subject: %v", user.Subject)
	}
}

func TestADirectoryKeepsItsIdentity(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(dir)
	must(t, err)
	_, err = Open(dir)
	if err == nil || !strings.Contains(err.Error(), "running in "+dir+" already") {
		t.Fatalf("a second one at once: %v", err)
	}
	tokens, err := os.ReadFile(first.serviceAccountKey())
	must(t, err)
	must(t, first.lock.Close())

	second, err := Open(dir)
	must(t, err)
	if !bytes.Equal(first.authority.pair.Certificate, second.authority.pair.Certificate) {
		t.Error("the authority changed: kubeconfigs of before are worthless")
	}
	again, err := os.ReadFile(second.serviceAccountKey())
	must(t, err)
	if !bytes.Equal(tokens, again) {
		t.Error("the key of the service accounts changed: tokens of before are worthless")
	}
}

func TestKubeconfigStandsAlone(t *testing.T) {
	text := string(Kubeconfig("https://127.0.0.1:1", []byte("ca"), Pair{Certificate: []byte("cert"), Key: []byte("key")}))
	for _, wanted := range []string{
		"server: https://127.0.0.1:1\n",
		"certificate-authority-data: Y2E=\n",
		"client-certificate-data: Y2VydA==\n",
		"client-key-data: a2V5\n",
	} {
		if !strings.Contains(text, wanted) {
			t.Errorf("no %q in\n%s", wanted, text)
		}
	}
}

func TestKubeconfigFileIsForItsOwnerAlone(t *testing.T) {
	c, err := Open(t.TempDir())
	must(t, err)
	path, err := c.WriteAdminKubeconfig(1)
	must(t, err)
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestArguments(t *testing.T) {
	c := &Cluster{dir: "/d"}
	const noServiceAccounts = "--disable-admission-plugins=ServiceAccount"
	with, without := c.APIServerArguments("http://e", 7, true), c.APIServerArguments("http://e", 7, false)
	for _, wanted := range []string{"--etcd-servers=http://e", "--secure-port=7", "--authorization-mode=RBAC", "--audit-log-path=/d/audit.log"} {
		if !slices.Contains(with, wanted) || !slices.Contains(without, wanted) {
			t.Errorf("no %s", wanted)
		}
	}
	if slices.Contains(with, noServiceAccounts) || !slices.Contains(without, noServiceAccounts) {
		t.Error("the admission of service accounts follows the controllers")
	}
	if !slices.Contains(c.EtcdArguments(1, 2), "--initial-cluster=default=http://127.0.0.1:2") {
		t.Error("etcd does not know itself by its peer port")
	}
	if !slices.Contains(c.ManagerArguments("k"), "--use-service-account-credentials=true") {
		t.Error("without it RBAC forbids each controller its work")
	}
}

func parse(t *testing.T, pair Pair) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(pair.Certificate)
	certificate, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	return certificate
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
