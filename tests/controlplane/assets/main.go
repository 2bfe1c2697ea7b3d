// The launcher for ready-made binaries: runs `etcd` and `kube-apiserver` from $KUBEBUILDER_ASSETS with the flags and
// the output of controlplane. There is no controller in it: a deleted namespace stays Terminating. It uses the
// standard library alone, so it builds in seconds. Called by tests in place of controlplane where that variable is set.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"controlplane/cluster"
)

func main() {
	os.Exit(cluster.Launch("controlplane", start))
}

func start(ctx context.Context, c *cluster.Cluster, options cluster.Options, ready func(string)) error {
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		return errors.New("KUBEBUILDER_ASSETS is not set: it names the directory with etcd and kube-apiserver")
	}
	log, err := c.OpenLog()
	if err != nil {
		return err
	}
	defer log.Close()
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	etcdPort, peerPort, port := ports[0], ports[1], ports[2]
	if options.Port != 0 {
		port = options.Port
	}

	// Both must have fallen before this process ends, or they would outlive it.
	var running sync.WaitGroup
	defer running.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 3)
	run := func(name string, arguments []string) {
		command := exec.CommandContext(ctx, filepath.Join(assets, name), arguments...)
		command.Stdout, command.Stderr = log, log
		running.Go(func() { ended <- cluster.Ended(name, command.Run()) })
	}
	run("etcd", c.EtcdArguments(etcdPort, peerPort))
	run("kube-apiserver", c.APIServerArguments(cluster.EtcdURL(etcdPort), port, false))
	running.Go(func() {
		kubeconfig, err := waitReady(ctx, c, port)
		if err != nil {
			ended <- err
			return
		}
		ready(kubeconfig)
	})
	return <-ended
}

func waitReady(ctx context.Context, c *cluster.Cluster, port int) (string, error) {
	if err := c.WaitReady(ctx, port); err != nil {
		return "", err
	}
	return c.WriteAdminKubeconfig(port)
}

// freePorts asks the system for ports. Another process may take one before our child does; then that child says so.
func freePorts(count int) ([]int, error) {
	var ports []int
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer listener.Close() // at the end, so that no port comes twice
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
