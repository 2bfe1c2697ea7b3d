// Package cluster is what the two launchers of a local control plane share: the directory with its keys and
// kubeconfigs, the arguments of the components, and waiting for them. It uses the standard library alone, so that
// the launcher for ready-made binaries builds in seconds; it starts no server.
//
// This file: the directory of one control plane. Called by both launchers.
package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// serviceAddress is the first address of serviceRange, which the `kubernetes` Service gets.
var serviceAddress = net.IPv4(10, 0, 0, 1)

const (
	serviceRange   = "10.0.0.0/24"
	groupOfAdmins  = "system:masters"
	userOfManagers = "system:kube-controller-manager"
)

// auditPolicy records each write once, when it is done, without bodies, and of service accounts each read, too: tests
// count the lines. The controllers' own reads tell nobody anything.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, verbs: [create, update, patch, delete, deletecollection]}
- {level: None, userGroups: ["system:serviceaccounts:kube-system"]}
- {level: Metadata, userGroups: ["system:serviceaccounts"]}
- {level: None}
`

// Cluster is the directory of one control plane, held by this process until it ends.
type Cluster struct {
	dir       string
	authority *authority
	admin     Pair
	lock      *os.File
}

// Open takes the directory and fills it: certificates are new each time, the authority and the key of the
// service accounts stay, so that tokens and kubeconfigs outlive a restart.
func Open(dir string) (*Cluster, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the directory %s: %w", dir, err)
	}
	if err := os.MkdirAll(absolute, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory: %w", err)
	}
	c := &Cluster{dir: absolute}
	if c.lock, err = lock(c.path("lock")); err != nil {
		return nil, err
	}
	if c.authority, err = loadAuthority(absolute); err != nil {
		return nil, err
	}
	if c.admin, err = c.authority.client("admin", groupOfAdmins); err != nil {
		return nil, err
	}
	serving, err := c.authority.serving()
	if err != nil {
		return nil, err
	}
	files := []file{
		{c.path("serving.crt"), serving.Certificate},
		{c.path("serving.key"), serving.Key},
		{c.path("audit-policy.yaml"), []byte(auditPolicy)},
	}
	if _, err := os.Stat(c.serviceAccountKey()); errors.Is(err, os.ErrNotExist) {
		tokens, err := c.authority.client("service-accounts") // only the key of it is wanted
		if err != nil {
			return nil, err
		}
		files = append(files, file{c.serviceAccountKey(), tokens.Key})
	}
	return c, writeFiles(files...)
}

// lock lets one process at a time have the directory; the system frees it when that process ends, however it does.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, fmt.Errorf("a control plane is running in %s already: stop it, or use another -dir", filepath.Dir(path))
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// Dir is the absolute path of the directory.
func (c *Cluster) Dir() string { return c.dir }

// LogFile is where everything goes that the components say.
func (c *Cluster) LogFile() string { return c.path("controlplane.log") }

// EtcdDir is where etcd keeps its data.
func (c *Cluster) EtcdDir() string { return c.path("etcd") }

// OpenLog opens LogFile for appending.
func (c *Cluster) OpenLog() (*os.File, error) {
	f, err := os.OpenFile(c.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return f, nil
}

// WriteAdminKubeconfig writes the kubeconfig of a cluster administrator and returns its path.
func (c *Cluster) WriteAdminKubeconfig(port int) (string, error) {
	return c.writeKubeconfig("admin", port, c.admin)
}

// WriteManagerKubeconfig writes the kubeconfig of the controller manager and returns its path.
func (c *Cluster) WriteManagerKubeconfig(port int) (string, error) {
	pair, err := c.authority.client(userOfManagers)
	if err != nil {
		return "", err
	}
	return c.writeKubeconfig("controller-manager", port, pair)
}

func (c *Cluster) writeKubeconfig(name string, port int, client Pair) (string, error) {
	path := c.path(name + ".kubeconfig")
	content := Kubeconfig(serverURL(port), c.authority.pair.Certificate, client)
	return path, writeFiles(file{path, content})
}

func (c *Cluster) serviceAccountKey() string { return c.path("service-accounts.key") }

func (c *Cluster) path(name string) string { return filepath.Join(c.dir, name) }

func serverURL(port int) string { return fmt.Sprintf("https://127.0.0.1:%d", port) }

type file struct {
	path    string
	content []byte
}

// writeFiles puts each file in place in one step, so that nobody reads half of one.
func writeFiles(files ...file) error {
	for _, f := range files {
		temporary := f.path + ".new"
		if err := os.WriteFile(temporary, f.content, 0o600); err != nil {
			return fmt.Errorf("write %s: %w", f.path, err)
		}
		if err := os.Rename(temporary, f.path); err != nil {
			return fmt.Errorf("write %s: %w", f.path, err)
		}
	}
	return nil
}
