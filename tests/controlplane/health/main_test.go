package main

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const right = `{"type":"ADDED","object":{"kind":"Connection","metadata":{"name":"a","generation":1},` +
	`"status":{"observedGeneration":1,"conditions":[{"type":"Ready","status":"True","reason":"Connected","message":"m","observedGeneration":1}]}}}`

const wrong = `{"type":"MODIFIED","object":{"kind":"Connection","metadata":{"name":"misleading","generation":1,"managedFields":[{}]}}}`

func write(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRunTellsWhatIsWrongWithItsEventAndCountsWhatItSaw(t *testing.T) {
	var out strings.Builder
	path := write(t, right, wrong, right)
	count, seen, err := run(script, []string{path, write(t, right)}, &out)
	if err != nil || count != 1 {
		t.Fatalf("%d wrong states, error %v", count, err)
	}
	want := map[string]int{"Connection Connected: Current, Healthy": 3, "Connection : Current, Progressing": 1}
	if !maps.Equal(seen, want) {
		t.Errorf("seen %v, wanted %v", seen, want)
	}
	for _, piece := range []string{path + ":2:\n", "misleading", "there is no condition Ready"} {
		if !strings.Contains(out.String(), piece) {
			t.Errorf("no %q in:\n%s", piece, out.String())
		}
	}
	if strings.Contains(out.String(), "managedFields") {
		t.Errorf("too much is shown:\n%s", out.String())
	}
}

func TestRunIsSilentOnWhatIsRight(t *testing.T) {
	var out strings.Builder
	if count, _, err := run(script, []string{write(t, right, right)}, &out); count != 0 || err != nil || out.Len() > 0 {
		t.Errorf("%d wrong states, error %v:\n%s", count, err, &out)
	}
}

func TestRecordsWithHolesAreErrors(t *testing.T) {
	for name, line := range map[string]string{
		"an error of the watch": `{"type":"ERROR","object":{"kind":"Status","code":410}}`,
		"no object":             `{"type":"ADDED"}`,
		"half a line":           right[:100],
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := run(script, []string{write(t, right, line)}, &strings.Builder{}); err == nil {
				t.Error("it is taken")
			}
		})
	}
	if _, _, err := run(script, []string{"/nowhere"}, &strings.Builder{}); err == nil {
		t.Error("a record that is not there is taken")
	}
}
