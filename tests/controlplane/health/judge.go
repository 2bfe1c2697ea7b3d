// The judgement: how one state of an object looks to kstatus and to Argo CD, against what its conditions say. Called
// for each event; reads nothing but the object.

package main

import (
	"fmt"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// verdict is how a state looks, and what is wrong with that.
type verdict struct {
	kstatus, argo string
	wrong         []string
}

func (v *verdict) expect(so bool, format string, arguments ...any) {
	if !so {
		v.wrong = append(v.wrong, fmt.Sprintf(format, arguments...))
	}
}

func judge(object *unstructured.Unstructured, check *healthCheck) verdict {
	var v verdict
	f := factsOf(object)
	v.judgeConditions(f)
	v.judgeKstatus(f, object)
	v.judgeArgo(f, object, check)
	return v
}

// judgeConditions holds the conditions to the contract: Ready always, the other two only while true, never both, and
// neither beside a Ready that is True.
func (v *verdict) judgeConditions(f facts) {
	v.expect(f.ready.status != "", "there is no condition Ready")
	v.expect(f.reconciling.status == "" || f.reconciling.isTrue(), "Reconciling is there, but %s", f.reconciling.status)
	v.expect(f.stalled.status == "" || f.stalled.isTrue(), "Stalled is there, but %s", f.stalled.status)
	v.expect(!f.reconciling.isTrue() || !f.stalled.isTrue(), "Reconciling and Stalled at once")
	v.expect(!f.ready.isTrue() || !f.reconciling.isTrue() && !f.stalled.isTrue(), "Ready, and Reconciling or Stalled")
}

func (v *verdict) judgeKstatus(f facts, object *unstructured.Unstructured) {
	result, err := status.Compute(object)
	if err != nil {
		v.kstatus = "error"
		v.expect(false, "kstatus cannot read it: %v", err)
		return
	}
	v.kstatus = result.Status.String()
	v.expect((result.Status == status.TerminatingStatus) == f.deleted, "kstatus says %s, and deleted is %t", v.kstatus, f.deleted)
	if result.Status == status.CurrentStatus {
		readyForThis := f.current && f.ready.isTrue() && f.ready.observed == f.generation
		v.expect(readyForThis, "kstatus says Current before Ready is True for generation %d", f.generation)
		v.expect(!f.reconciling.isTrue(), "kstatus says Current while Reconciling")
		v.expect(!f.stalled.isTrue(), "kstatus says Current while Stalled")
	}
	wantFailed := !f.deleted && f.current && f.stalled.isTrue()
	v.expect((result.Status == status.FailedStatus) == wantFailed, "kstatus says %s, and Failed would be %t", v.kstatus, wantFailed)
}

func (v *verdict) judgeArgo(f facts, object *unstructured.Unstructured, check *healthCheck) {
	health, err := check.run(object)
	if err != nil {
		v.argo = "error"
		v.expect(false, "the health check for Argo CD fails: %v", err)
		return
	}
	v.argo = health.status
	v.expect(health.status == wantedHealth(f), "Argo CD says %s instead of %s", health.status, wantedHealth(f))
	v.expect(health.message == f.ready.message, "Argo CD says %q instead of Ready's message %q", health.message, f.ready.message)
	// Whoever uses both tools must not be told two things.
	v.expect((v.argo == "Healthy") == (v.kstatus == "Current"), "Argo CD says %s, kstatus %s", v.argo, v.kstatus)
	if f.ready.reason != "AwaitingUser" {
		v.expect((v.argo == "Degraded") == (v.kstatus == "Failed"), "Argo CD says %s, kstatus %s", v.argo, v.kstatus)
	}
}

// wantedHealth is what Argo CD is to say.
func wantedHealth(f facts) string {
	switch {
	case f.deleted || !f.current:
		return "Progressing"
	case f.ready.reason == "AwaitingUser":
		return "Suspended"
	case f.stalled.isTrue():
		return "Degraded"
	case f.ready.isTrue():
		return "Healthy"
	default:
		return "Progressing"
	}
}
