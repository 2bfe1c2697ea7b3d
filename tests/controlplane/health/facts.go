// What an object says of itself, read as resources.md's readers would, without kstatus and without Lua: the measure for
// both.

package main

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// condition is one of status.conditions; the zero value stands for none.
type condition struct {
	status, reason, message string
	observed                int64 // generation that it speaks of
}

func (c condition) isTrue() bool { return c.status == "True" }

// facts are what decides how an object is to look.
type facts struct {
	deleted                     bool
	current                     bool // the status speaks of this generation
	generation                  int64
	ready, reconciling, stalled condition
}

func factsOf(object *unstructured.Unstructured) facts {
	f := facts{deleted: object.GetDeletionTimestamp() != nil, generation: object.GetGeneration()}
	observed, found, err := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	f.current = err == nil && found && observed == f.generation
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, each := range conditions {
		fields, _ := each.(map[string]any)
		c := condition{status: textOf(fields["status"]), reason: textOf(fields["reason"]), message: textOf(fields["message"])}
		c.observed, _ = fields["observedGeneration"].(int64)
		switch fields["type"] {
		case "Ready":
			f.ready = c
		case "Reconciling":
			f.reconciling = c
		case "Stalled":
			f.stalled = c
		}
	}
	return f
}

func textOf(value any) string {
	text, _ := value.(string)
	return text
}
