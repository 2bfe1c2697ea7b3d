//! The status: what it records of a remote object, and how the outcome of the last call gets into it.
//!
//! Pure. Every kind plans inside [`with_recorded_outcome`], and writes its observations with the other functions.

use super::context::{Ownership, RecordedStatus, RemoteContext};
use crate::conditions::{Progress, StatusUpdate, whole_seconds};
use crate::crd::{Org, RecordsRemote, RemoteStatus};
use crate::facts::{Observed, RemoteObject};
use crate::plan::Plan;
use crate::plan::decision::Decision;
use crate::plan::inputs::changed;
use crate::plan::state::{CallOutcome, Intent, ReconcileState};
use crate::plan::step::Step;

/// Plans with the status and the outcome of the last call. If the plan acts on an outcome that the status does not record,
/// the outcome is persisted first. `exists` tells whether the observations contain an ID.
pub fn with_recorded_outcome<S: RecordsRemote>(
    before: &S,
    state: &ReconcileState,
    exists: impl Fn(&str) -> bool,
    decide: impl FnOnce(&RecordedStatus, &mut S) -> Decision,
) -> Plan<S> {
    let known = learn_outcome(before, state);
    let recorded = record(known.remote(), state, exists);
    let mut status = known.clone();
    let refused = recorded.answered_attempt != status.remote().answered_attempt;
    if refused {
        if recorded.id.is_none() {
            status = retain_resource_fields(&status);
        }
        status.remote_mut().answered_attempt = recorded.answered_attempt;
    }
    let mut decision = decide(&recorded, &mut status);
    let gained = status.remote().answered_attempt != before.remote().answered_attempt
        && decision.steps.iter().any(|step| matches!(step, Step::Delete { .. }));
    // A new intent makes this process forget how the last call ended.
    let forgets = known != *before && matches!(decision.steps.first(), Some(Step::WriteIntent { .. }));
    if ((refused || gained) && decision.steps.first().is_some_and(|step| !step.waits())) || forgets {
        // Persist the outcome before acting on it; the status write triggers the next reconcile.
        decision = Decision { update: StatusUpdate::FactsOnly, ..Decision::unchanged() };
    }
    if decision.update == StatusUpdate::Unchanged && known != *before && decision.steps.iter().all(Step::waits) {
        (decision.update, status) = (StatusUpdate::FactsOnly, known);
    }
    if still_waiting(&decision.update, state) {
        keep_reported_fields(before.remote(), status.remote_mut());
    }
    Plan { steps: decision.steps, update: decision.update, requeue_after: decision.requeue_after, status }
}

/// Whether the object still waits for the same thing.
fn still_waiting(update: &StatusUpdate, state: &ReconcileState) -> bool {
    let StatusUpdate::SetConditions(report) = update else { return false };
    report.progress == Progress::InProgress && state.is_observed() && state.reason == Some(report.reason)
}

/// Fields that only a listing returns do not trigger a status write while the object waits. They go out with the next write
/// that is needed anyway.
fn keep_reported_fields(before: &RemoteStatus, after: &mut RemoteStatus) {
    if before.id == after.id {
        after.created_at.clone_from(&before.created_at);
        after.created_by.clone_from(&before.created_by);
        after.created_via_app.clone_from(&before.created_via_app);
        after.org.clone_from(&before.org);
    }
}

/// The status with the object that the last creation returned. That object is ours, even if the intent is lost.
fn learn_outcome<S: RecordsRemote>(status: &S, state: &ReconcileState) -> S {
    match &state.last_outcome {
        Some(CallOutcome::Created { id, intent })
            if status.remote().answered_attempt.is_none_or(|answered| intent.attempt > answered) =>
        {
            let mut status = take_ownership(status, Some(intent));
            let remote = status.remote_mut();
            remote.id = Some(id.clone());
            remote.addon_id = Some(intent.owner_id.clone());
            remote.applied_hash = Some(intent.hash.clone());
            status
        }
        _ => status.clone(),
    }
}

/// What the status records, including a refusal that it does not contain yet. Before the refused creation, the recorded
/// object was proved gone, unless it still exists as a tombstone.
fn record(status: &RemoteStatus, state: &ReconcileState, exists: impl Fn(&str) -> bool) -> RecordedStatus {
    let recorded = RecordedStatus {
        id: status.id.clone(),
        owner_id: status.addon_id.clone(),
        applied_hash: status.applied_hash.clone(),
        answered_attempt: status.answered_attempt,
        was_ready: status.established_at.is_some(),
    };
    match &state.last_outcome {
        Some(CallOutcome::Refused { attempt: Some(attempt), .. })
            if *attempt > recorded.answered_attempt.unwrap_or_default() =>
        {
            let tombstone = state.intent.as_ref().and_then(|intent| intent.tombstone.as_ref());
            let still_exists = |id: &String| exists(id) && tombstone != Some(id);
            if recorded.id.as_ref().is_some_and(still_exists) {
                RecordedStatus { answered_attempt: Some(*attempt), ..recorded }
            } else {
                RecordedStatus { answered_attempt: Some(*attempt), ..RecordedStatus::default() }
            }
        }
        _ => recorded,
    }
}

/// The part of a status that belongs to the resource, not to its remote object.
#[must_use]
pub fn retain_resource_fields<S: RecordsRemote>(status: &S) -> S {
    let remote = status.remote();
    let mut next = S::default();
    *next.remote_mut() = RemoteStatus {
        observed_generation: remote.observed_generation,
        conditions: remote.conditions.clone(),
        last_handled_reconcile_at: remote.last_handled_reconcile_at.clone(),
        last_handled_replace: remote.last_handled_replace.clone(),
        ..RemoteStatus::default()
    };
    next
}

/// The part of a status that belongs to the resource, with the last attempt whose outcome is recorded.
#[must_use]
pub fn retain_attempt<S: RecordsRemote>(status: &S) -> S {
    let mut next = retain_resource_fields(status);
    next.remote_mut().answered_attempt = status.remote().answered_attempt;
    next
}

/// Points the status to the remote object with this ID, and removes what it records of another one.
pub fn reset_for_id<S: RecordsRemote>(status: &mut S, id: &str) {
    if status.remote().id.as_deref() != Some(id) {
        *status = retain_attempt(status);
        status.remote_mut().id = Some(id.to_owned());
    }
}

/// The status of a connection child. If the child moves from the `recorded` connection to another one, only the part that
/// belongs to the resource counts. A deletion is about the recorded connection.
#[must_use]
pub fn reset_if_moved<S: RecordsRemote>(
    status: &S,
    recorded: Option<&str>,
    current: Option<&str>,
    state: &ReconcileState,
) -> S {
    let moved = recorded.zip(current).is_some_and(|(recorded, current)| recorded != current);
    if moved && !state.deleting { retain_attempt(status) } else { status.clone() }
}

/// The status of a resource that has just acquired its remote object by this intent.
#[must_use]
pub fn take_ownership<S: RecordsRemote>(status: &S, intent: Option<&Intent>) -> S {
    let mut status = retain_resource_fields(status);
    let remote = status.remote_mut();
    remote.answered_attempt = intent.map(|intent| intent.attempt);
    if let Some(token) = intent.and_then(|intent| intent.replace.clone()) {
        remote.last_handled_replace = Some(token);
    }
    status
}

/// Our object, and the digest that the status records for it. If an intent created or adopts the object, `status` becomes its
/// record; an adopted object has no digest yet.
#[must_use]
pub fn own_object<'a, R: RemoteObject, S: RecordsRemote>(
    ctx: &RemoteContext<'a, R>,
    ownership: Ownership<'a, R>,
    status: &mut S,
) -> Option<(&'a Observed<R>, Option<String>)> {
    Some(match ownership {
        Ownership::Recorded(observed) => (observed, status.remote_mut().applied_hash.take()),
        Ownership::Intended(observed) => {
            let intent = ctx.open_intent();
            *status = take_ownership(status, intent);
            (observed, intent.map(|intent| intent.hash.clone()))
        }
        // The intent to adopt it is written.
        Ownership::Foreign(observed) => {
            *status = take_ownership(status, ctx.open_intent());
            (observed, None)
        }
        Ownership::Unclaimed => return None,
    })
}

/// The digest to record for our object. A missing digest, or one of an unknown version, becomes `wanted` and is no change.
#[must_use]
pub fn readable(applied: Option<&str>, wanted: &str) -> String {
    applied.filter(|hash| *hash == wanted || changed(Some(hash), wanted)).unwrap_or(wanted).to_owned()
}

/// Overwrites a known field if the observation has it. A listing may lack fields.
pub fn merge_known(observed: Option<&String>, known: &mut Option<String>) {
    if let Some(observed) = observed {
        *known = Some(observed.clone());
    }
}

/// Overwrites the known fields of an org that the observation has.
pub fn merge_org(observed: &Org, known: &mut Option<Org>) {
    let mut org = known.take().unwrap_or_default();
    merge_known(observed.id.as_ref(), &mut org.id);
    merge_known(observed.instance_url.as_ref(), &mut org.instance_url);
    merge_known(observed.kind.as_ref(), &mut org.kind);
    merge_known(observed.api_version.as_ref(), &mut org.api_version);
    merge_known(observed.username.as_ref(), &mut org.username);
    merge_known(observed.user_id.as_ref(), &mut org.user_id);
    *known = (org != Org::default()).then_some(org);
}

/// Records when the remote object first worked.
pub fn establish(status: &mut RemoteStatus, now: jiff::Timestamp) {
    status.established_at.get_or_insert_with(|| whole_seconds(now));
}
