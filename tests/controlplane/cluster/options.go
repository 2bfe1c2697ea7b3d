// The command line that both launchers share. Decides nothing; called first thing by their main functions.

package cluster

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// Options are what the command line of a control plane says.
type Options struct {
	Dir           string
	Port          int
	Controllers   bool
	StopWithStdin bool
}

// ParseOptions reads the arguments (without the program's name); what is wrong with them, and the usage, go to out.
func ParseOptions(program string, arguments []string, out io.Writer) (Options, error) {
	var o Options
	flags := flag.NewFlagSet(program, flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&o.Dir, "dir", "", "directory for the data, the certificates, the logs and admin.kubeconfig; one may be started again (required)")
	flags.IntVar(&o.Port, "port", 0, "port of the API server on 127.0.0.1; 0 takes a free one")
	flags.BoolVar(&o.Controllers, "controllers", true, "run the namespace, garbage-collector, serviceaccount and root-ca-certificate-publisher controllers (ready-made binaries have none)")
	flags.BoolVar(&o.StopWithStdin, "stop-with-stdin", false, "stop when stdin ends, so that no server outlives whoever started it")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.Dir == "":
		return o, errors.New("-dir is required")
	case o.Port < 0 || o.Port > 65535:
		return o, fmt.Errorf("-port %d is not between 0 and 65535", o.Port)
	}
	return o, nil
}
