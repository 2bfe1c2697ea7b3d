// The life of a launcher: options, the directory, a start, one line on stdout, and the end. Called by both main
// functions, which say how the servers are started.

package cluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Start brings the servers up, calls ready once with the path of the kubeconfig, and returns when a server ends
// (always an error) or when ctx does, after which the process may exit.
type Start func(ctx context.Context, c *Cluster, options Options, ready func(kubeconfig string)) error

// Launch is the whole of a launcher's main function; it returns the exit status.
func Launch(program string, start Start) int {
	stderr := os.Stderr // a Start may send os.Stderr elsewhere; what is for people stays here
	options, err := ParseOptions(program, os.Args[1:], stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		err = run(program, options, start, stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", program, err)
		return 1
	}
	return 0
}

func run(program string, options Options, start Start, stderr io.Writer) error {
	c, err := Open(options.Dir)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if options.StopWithStdin {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}
	// A component may end the process by itself; then this line is all that tells where to look.
	fmt.Fprintf(stderr, "%s: the log is %s\n", program, c.LogFile())
	err = start(ctx, c, options, func(kubeconfig string) { fmt.Println(kubeconfig) })
	if ctx.Err() != nil {
		return nil // asked to stop: what the servers say while they fall is no error
	}
	if err != nil {
		return fmt.Errorf("%w\n(more in %s)", err, c.LogFile())
	}
	return nil
}

// Ended is the error for a server that ended, which none may do before it is told to.
func Ended(name string, err error) error {
	if err == nil {
		err = errors.New("it gave no reason")
	}
	return fmt.Errorf("%s ended: %w", name, err)
}
