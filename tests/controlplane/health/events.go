// Reading recorded watch events: one JSON document a line, as the API server sends them. Judges nothing.

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// longestLine is more than an API server stores of one object.
const longestLine = 4 << 20

// event is one state of one object.
type event struct {
	where  string // file and line
	object *unstructured.Unstructured
}

// text is the object for people.
func (e event) text() string {
	object := e.object.DeepCopy()
	object.SetManagedFields(nil)
	text, err := json.MarshalIndent(object, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// readEvents reads every event of a file. One that is not about a state of an object is an error: then something is
// missing in the record.
func readEvents(path string) ([]event, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var events []event
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, longestLine)
	for number := 1; lines.Scan(); number++ {
		where := fmt.Sprintf("%s:%d", path, number)
		// This one keeps whole numbers whole, as kstatus wants them.
		var line map[string]any
		if err := utiljson.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		object, isObject := line["object"].(map[string]any)
		switch line["type"] {
		case "ADDED", "MODIFIED", "DELETED":
		default:
			return nil, fmt.Errorf("%s: unexpected event %v: %s", where, line["type"], lines.Bytes())
		}
		if !isObject {
			return nil, fmt.Errorf("%s: no object", where)
		}
		events = append(events, event{where, &unstructured.Unstructured{Object: object}})
	}
	return events, lines.Err()
}
