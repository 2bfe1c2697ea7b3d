// health judges recorded watch events of our kinds as the tools do that wait for them: kstatus, which Flux uses, and
// the health check for Argo CD that deploy/argocd ships. Each state that an object was ever in must look to both as its
// conditions say. What is wrong it tells on standard error, and on standard output, as JSON, which states it judged how
// often. It talks to no server. Called by the end-to-end tests at the end of each scene.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// shown is how many wrong states are printed in full; what is wrong once is often wrong in each state after it.
const shown = 3

func main() {
	script := flag.String("lua", "", "the health check for Argo CD (required)")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: health -lua SCRIPT EVENTS...\nEVENTS are files with one watch event a line.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if *script == "" || flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	wrong, seen, err := run(*script, flag.Args(), os.Stderr)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(seen)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "health: %v\n", err)
		os.Exit(2)
	}
	if wrong > 0 {
		fmt.Fprintf(os.Stderr, "%d wrong states\n", wrong)
		os.Exit(1)
	}
}

// run judges every event in these files, and tells out what is wrong. seen is how often each state was judged: kind and
// reason, and what kstatus and Argo CD call it.
func run(script string, files []string, out io.Writer) (wrong int, seen map[string]int, err error) {
	check, err := loadHealthCheck(script)
	if err != nil {
		return 0, nil, err
	}
	seen = map[string]int{}
	for _, file := range files {
		events, err := readEvents(file)
		if err != nil {
			return 0, nil, err
		}
		for _, event := range events {
			verdict := judge(event.object, check)
			state := event.object.GetKind() + " " + factsOf(event.object).ready.reason
			seen[state+": "+verdict.kstatus+", "+verdict.argo]++
			if len(verdict.wrong) == 0 {
				continue
			}
			if wrong++; wrong <= shown {
				fmt.Fprintf(out, "%s:\n- %s\n%s\n", event.where, strings.Join(verdict.wrong, "\n- "), event.text())
			}
		}
	}
	return wrong, seen, nil
}
