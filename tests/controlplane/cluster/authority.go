// Certificates: one authority for each control plane, and what it signs. Writes no file but its own ca.crt and
// ca.key, and prints no key. Called by Open.

package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Pair is a certificate with its private key, both PEM.
type Pair struct {
	Certificate []byte
	Key         []byte
}

// authority signs the certificates of one control plane.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pair        Pair
}

// loadAuthority reads ca.crt and ca.key from dir, or makes them there. They are kept so that a kubeconfig copied
// elsewhere outlives a restart.
func loadAuthority(dir string) (*authority, error) {
	certificateFile, keyFile := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")
	if _, err := os.Stat(certificateFile); errors.Is(err, os.ErrNotExist) {
		pair, err := newAuthorityPair()
		if err != nil {
			return nil, fmt.Errorf("make the certificate authority: %w", err)
		}
		// The certificate goes last: where it is, the key is too.
		if err := writeFiles(file{keyFile, pair.Key}, file{certificateFile, pair.Certificate}); err != nil {
			return nil, err
		}
	}
	var pair Pair
	var err error
	if pair.Certificate, err = os.ReadFile(certificateFile); err != nil {
		return nil, fmt.Errorf("read the certificate authority: %w", err)
	}
	if pair.Key, err = os.ReadFile(keyFile); err != nil {
		return nil, fmt.Errorf("read the certificate authority: %w", err)
	}
	return parseAuthority(pair)
}

func newAuthorityPair() (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, err
	}
	template, err := newTemplate("local-control-plane-ca", nil)
	if err != nil {
		return Pair{}, err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	return sign(template, template, key, key)
}

func parseAuthority(pair Pair) (*authority, error) {
	certificate, _ := pem.Decode(pair.Certificate)
	key, _ := pem.Decode(pair.Key)
	if certificate == nil || key == nil {
		return nil, errors.New("ca.crt or ca.key is not PEM; delete the directory to start anew")
	}
	parsed, err := x509.ParseCertificate(certificate.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse ca.crt: %w", err)
	}
	signer, err := x509.ParseECPrivateKey(key.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse ca.key: %w", err)
	}
	return &authority{certificate: parsed, key: signer, pair: pair}, nil
}

// client issues a certificate that RBAC knows as this user in these groups.
func (a *authority) client(user string, groups ...string) (Pair, error) {
	return a.issue(user, groups, func(t *x509.Certificate) {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
}

// serving issues the certificate of the API server.
func (a *authority) serving() (Pair, error) {
	return a.issue("kube-apiserver", nil, func(t *x509.Certificate) {
		t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), serviceAddress}
		t.DNSNames = []string{"localhost", "kubernetes.default.svc"}
	})
}

func (a *authority) issue(name string, groups []string, usage func(*x509.Certificate)) (Pair, error) {
	template, err := newTemplate(name, groups)
	if err != nil {
		return Pair{}, fmt.Errorf("issue the certificate of %s: %w", name, err)
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	usage(template)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("issue the certificate of %s: %w", name, err)
	}
	pair, err := sign(template, a.certificate, key, a.key)
	if err != nil {
		return Pair{}, fmt.Errorf("issue the certificate of %s: %w", name, err)
	}
	return pair, nil
}

func newTemplate(name string, groups []string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: groups},
		NotBefore:    time.Now().Add(-time.Hour), // clocks of containers lag now and then
		NotAfter:     time.Now().AddDate(10, 0, 0),
	}, nil
}

func sign(template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) (Pair, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return Pair{}, err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}),
	}, nil
}
