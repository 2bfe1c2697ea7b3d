// controlplane runs etcd, kube-apiserver and the four controllers that tests need in one process, as a real API
// server for tests and the demo. It must not be used for anything of value: etcd does not sync to disk and listens
// without a password on loopback. Called by tests, deploy/demo.sh and `make controlplane`.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/url"
	"os"

	"controlplane/cluster"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/client-go/rest"
	cliflag "k8s.io/component-base/cli/flag"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	apiserveroptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	manageroptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
)

func main() {
	os.Exit(cluster.Launch("controlplane", start))
}

// start ends as soon as ctx does and leaves the servers to fall with the process: an orderly stop takes up to ten
// seconds and saves nothing, for what etcd has answered is with the operating system already.
func start(ctx context.Context, c *cluster.Cluster, options cluster.Options, ready func(string)) error {
	if err := logTo(c); err != nil {
		return err
	}
	ended := make(chan error, 3)
	go func() {
		if err := startServers(ctx, c, options, ended, ready); err != nil {
			ended <- err
		}
	}()
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

// logTo sends what the components log, by whatever way, to the log of the cluster.
func logTo(c *cluster.Cluster) error {
	file, err := c.OpenLog()
	if err != nil {
		return err
	}
	os.Stderr = file
	log.SetOutput(file)
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	return nil
}

func startServers(ctx context.Context, c *cluster.Cluster, options cluster.Options, ended chan<- error, ready func(string)) error {
	etcdURL, err := startEtcd(c)
	if err != nil {
		return fmt.Errorf("start etcd: %w", err)
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", options.Port))
	if err != nil {
		return fmt.Errorf("listen for the API server: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	go func() {
		arguments := c.APIServerArguments(etcdURL, port, options.Controllers)
		ended <- cluster.Ended("kube-apiserver", runAPIServer(ctx, listener, arguments))
	}()
	if err := c.WaitReady(ctx, port); err != nil {
		return err
	}
	if options.Controllers {
		kubeconfig, err := c.WriteManagerKubeconfig(port)
		if err != nil {
			return err
		}
		go func() {
			ended <- cluster.Ended("kube-controller-manager", runManager(ctx, c.ManagerArguments(kubeconfig)))
		}()
	}
	kubeconfig, err := c.WriteAdminKubeconfig(port)
	if err != nil {
		return err
	}
	ready(kubeconfig)
	return nil
}

// startEtcd returns the URL of its clients. Port 0 for each listener: nobody can snatch it in between.
func startEtcd(c *cluster.Cluster) (string, error) {
	config := embed.NewConfig()
	config.Dir = c.EtcdDir()
	config.LogLevel = "error"
	config.LogOutputs = []string{c.LogFile()}
	config.UnsafeNoFsync = true
	config.EnableGRPCGateway = false // it would dial the advertised port, which is 0
	anyPort := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config.ListenClientUrls, config.AdvertiseClientUrls = anyPort, anyPort
	config.ListenPeerUrls, config.AdvertisePeerUrls = anyPort, anyPort
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return "", err
	}
	select {
	case <-server.Server.ReadyNotify():
		return "http://" + server.Clients[0].Addr().String(), nil
	case err := <-server.Err():
		return "", err
	}
}

func runAPIServer(ctx context.Context, listener net.Listener, arguments []string) error {
	options := apiserveroptions.NewServerRunOptions()
	if err := parse(options.Flags(), arguments); err != nil {
		return err
	}
	options.SecureServing.Listener = listener
	if err := options.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	completed, err := options.Complete(ctx)
	if err != nil {
		return err
	}
	if problems := completed.Validate(); len(problems) > 0 {
		return errors.Join(problems...)
	}
	return apiserver.Run(ctx, completed)
}

func runManager(ctx context.Context, arguments []string) error {
	options, err := manageroptions.NewKubeControllerManagerOptions()
	if err != nil {
		return err
	}
	known, off, aliases := manager.KnownControllers(), manager.ControllersDisabledByDefault(), manager.ControllerAliases()
	if err := parse(options.Flags(known, off, aliases), arguments); err != nil {
		return err
	}
	config, err := options.Config(ctx, known, off, aliases)
	if err != nil {
		return err
	}
	return manager.Run(ctx, config.Complete())
}

func parse(sets cliflag.NamedFlagSets, arguments []string) error {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	for _, set := range sets.FlagSets {
		all.AddFlagSet(set)
	}
	return all.Parse(arguments)
}
