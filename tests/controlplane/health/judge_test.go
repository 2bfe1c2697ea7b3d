package main

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const script = "../../../deploy/argocd/health/health.lua"

// state makes an object of generation 2 whose status speaks of `observed`; 0 stands for a status without that field.
func state(observed int64, conditions ...map[string]any) *unstructured.Unstructured {
	list := make([]any, 0, len(conditions))
	for _, each := range conditions {
		list = append(list, each)
	}
	object := map[string]any{
		"apiVersion": "applink.dev/v1alpha1",
		"kind":       "Connection",
		"metadata":   map[string]any{"name": "production", "generation": int64(2)},
		"status":     map[string]any{"conditions": list},
	}
	if observed != 0 {
		object["status"].(map[string]any)["observedGeneration"] = observed
	}
	return &unstructured.Unstructured{Object: object}
}

// is makes a condition that speaks of generation 2.
func is(kind, status, reason string) map[string]any {
	return map[string]any{
		"type": kind, "status": status, "reason": reason, "message": "about " + reason, "observedGeneration": int64(2),
	}
}

func of(generation int64, condition map[string]any) map[string]any {
	condition["observedGeneration"] = generation
	return condition
}

func deleted(object *unstructured.Unstructured) *unstructured.Unstructured {
	object.Object["metadata"].(map[string]any)["deletionTimestamp"] = "2026-01-01T00:00:00Z"
	return object
}

func loaded(t *testing.T) *healthCheck {
	t.Helper()
	check, err := loadHealthCheck(script)
	if err != nil {
		t.Fatal(err)
	}
	return check
}

// Each branch of the health check, and what kstatus makes of the same.
func TestRightStates(t *testing.T) {
	check := loaded(t)
	initial := map[string]any{"type": "Ready", "status": "Unknown", "reason": "Pending", "message": "waiting for the operator"}
	for name, c := range map[string]struct {
		object        *unstructured.Unstructured
		kstatus, argo string
	}{
		"as the CRD's default makes it": {state(-1, initial), "InProgress", "Progressing"},
		"ready":                         {state(2, is("Ready", "True", "Connected")), "Current", "Healthy"},
		"ready, and suspended":          {state(2, is("Ready", "True", "Suspended")), "Current", "Healthy"},
		"ready, for an older spec":      {state(1, of(1, is("Ready", "True", "Connected"))), "InProgress", "Progressing"},
		"unknown for too long":          {state(2, is("Ready", "Unknown", "RemoteUnavailable")), "InProgress", "Progressing"},
		"reconciling": {
			state(2, is("Ready", "False", "Creating"), is("Reconciling", "True", "Creating")), "InProgress", "Progressing",
		},
		"waiting for a user": {
			state(2, is("Ready", "False", "AwaitingUser"), is("Reconciling", "True", "AwaitingUser")), "InProgress", "Suspended",
		},
		"waiting for a user, for an older spec": {
			state(1, of(1, is("Ready", "False", "AwaitingUser")), of(1, is("Reconciling", "True", "AwaitingUser"))),
			"InProgress", "Progressing",
		},
		"stalled": {
			state(2, is("Ready", "False", "RemoteFailed"), is("Stalled", "True", "RemoteFailed")), "Failed", "Degraded",
		},
		"stalled, for an older spec": {
			state(1, of(1, is("Ready", "False", "InvalidSpec")), of(1, is("Stalled", "True", "InvalidSpec"))),
			"InProgress", "Progressing",
		},
		"deleted while ready": {deleted(state(2, is("Ready", "True", "Connected"))), "Terminating", "Progressing"},
		"deleted while stalled": {
			deleted(state(2, is("Ready", "False", "RemoteFailed"), is("Stalled", "True", "RemoteFailed"))),
			"Terminating", "Progressing",
		},
		"deleted while waiting for a user": {
			deleted(state(2, is("Ready", "False", "AwaitingUser"), is("Reconciling", "True", "AwaitingUser"))),
			"Terminating", "Progressing",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := judge(c.object, check)
			if len(got.wrong) > 0 || got.kstatus != c.kstatus || got.argo != c.argo {
				t.Errorf("%s and %s, wanted %s and %s; wrong: %q", got.kstatus, got.argo, c.kstatus, c.argo, got.wrong)
			}
		})
	}
}

// A state that misleads kstatus, or breaks the contract, is told.
func TestWrongStates(t *testing.T) {
	check := loaded(t)
	bare := state(2)
	delete(bare.Object, "status")
	for name, c := range map[string]struct {
		object *unstructured.Unstructured
		wrong  string
	}{
		"a new object without a default":       {bare, "Current before Ready is True"},
		"no conditions":                        {state(2), "there is no condition Ready"},
		"ready without an observed generation": {state(0, of(1, is("Ready", "True", "Connected"))), "Current before Ready is True for generation 2"},
		"a ready that speaks of another spec":  {state(2, of(1, is("Ready", "True", "Connected"))), "Current before Ready is True for generation 2"},
		"reconciling and stalled": {
			state(2, is("Ready", "False", "Creating"), is("Reconciling", "True", "Creating"), is("Stalled", "True", "Creating")),
			"Reconciling and Stalled at once",
		},
		"stalled, hidden behind reconciling": {
			state(2, is("Ready", "False", "Creating"), is("Reconciling", "True", "Creating"), is("Stalled", "True", "Creating")),
			"kstatus says InProgress, and Failed would be true",
		},
		"stalled without an observed generation": {
			state(0, is("Ready", "False", "InvalidSpec"), is("Stalled", "True", "InvalidSpec")),
			"kstatus says Failed, and Failed would be false",
		},
		"ready and stalled": {
			state(2, is("Ready", "True", "Connected"), is("Stalled", "True", "Contested")), "Ready, and Reconciling or Stalled",
		},
		"a stalled that is false": {
			state(2, is("Ready", "True", "Connected"), is("Stalled", "False", "Connected")), "Stalled is there, but False",
		},
		"a reconciling that is false": {
			state(2, is("Ready", "True", "Connected"), is("Reconciling", "False", "Connected")), "Reconciling is there, but False",
		},
		"conditions that are no list": {
			&unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"conditions": "none"}}}, "kstatus cannot read it",
		},
	} {
		t.Run(name, func(t *testing.T) { expectWrong(t, judge(c.object, check), c.wrong) })
	}
}

// A health check that says something else is told, and so is one that Argo CD could not run.
func TestWrongHealthChecks(t *testing.T) {
	ready := state(2, is("Ready", "True", "Connected"))
	stalled := state(2, is("Ready", "False", "RemoteFailed"), is("Stalled", "True", "RemoteFailed"))
	for name, c := range map[string]struct {
		script string
		object *unstructured.Unstructured
		wrong  string
	}{
		"always healthy":    {`return {status = "Healthy", message = "about RemoteFailed"}`, stalled, "Argo CD says Healthy instead of Degraded"},
		"never healthy":     {`return {status = "Progressing", message = "about Connected"}`, ready, "Argo CD says Progressing, kstatus Current"},
		"another message":   {`return {status = "Healthy", message = "fine"}`, ready, `"fine" instead of Ready's message "about Connected"`},
		"no message":        {`return {status = "Healthy"}`, ready, `"" instead of Ready's message`},
		"an unknown status": {`return {status = "Ready"}`, ready, "no status that Argo CD knows"},
		"no table":          {`return "Healthy"`, ready, "it returns a string"},
		"nothing":           {``, ready, "it returns a nil"},
		"an error":          {`return obj.nothing.there`, ready, "attempt to index"},
		"a forbidden call":  {`return os.getenv("HOME")`, ready, "attempt to index"},
		"no end":            {`while true do end`, ready, "deadline"},
	} {
		t.Run(name, func(t *testing.T) {
			check, err := parseHealthCheck(name, c.script)
			if err != nil {
				t.Fatal(err)
			}
			expectWrong(t, judge(c.object, check), c.wrong)
		})
	}
}

func TestScriptThatIsNoLua(t *testing.T) {
	if _, err := parseHealthCheck("script", "if then"); err == nil {
		t.Error("it is taken")
	}
}

func expectWrong(t *testing.T, got verdict, wrong string) {
	t.Helper()
	if !strings.Contains(strings.Join(got.wrong, "\n"), wrong) {
		t.Errorf("%s and %s; wrong: %q, wanted %q among it", got.kstatus, got.argo, got.wrong, wrong)
	}
}
