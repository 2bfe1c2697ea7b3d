//! What a status records of a remote object, and how that and the last answer go into a plan, whatever the kind.
//!
//! Pure. The kinds' plans call [`settle`] and write what they see with the rest.

use super::{Decision, RecordedStatus};
use crate::conditions::{Progress, StatusUpdate, whole_seconds};
use crate::crd::{Org, RecordsRemote, RemoteStatus};
use crate::plan::inputs::changed;
use crate::plan::state::{CallOutcome, Intent, ReconcileState};
use crate::plan::{Plan, Step};

/// Plans with what the status records and what the last call was answered with, and has that put down before anything is
/// done on the strength of it. `lives` tells whether the object of an id was seen.
pub fn with_recorded_outcome<S: RecordsRemote>(
    before: &S,
    state: &ReconcileState,
    lives: impl Fn(&str) -> bool,
    decide: impl FnOnce(&RecordedStatus, &mut S) -> Decision,
) -> Plan<S> {
    let known = learn_outcome(before, state);
    let recorded = record(known.remote(), state, lives);
    let mut status = known.clone();
    let refused = recorded.answered_attempt != status.remote().answered_attempt;
    if refused {
        if recorded.id.is_none() {
            status = retain_resource_fields(&status);
        }
        status.remote_mut().answered_attempt = recorded.answered_attempt;
    }
    let mut decision = decide(&recorded, &mut status);
    let won = status.remote().answered_attempt != before.remote().answered_attempt
        && decision.steps.iter().any(|step| matches!(step, Step::Delete { .. }));
    // A word that is given anew makes this process forget how the last call ended.
    let forgets = known != *before && matches!(decision.steps.first(), Some(Step::WriteIntent { .. }));
    if ((refused || won) && decision.steps.first().is_some_and(|step| !step.waits())) || forgets {
        // It is put down before anything is done on the strength of it; that it was makes for the next plan.
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

/// Whether the object waits for what it waited for before.
fn still_waiting(update: &StatusUpdate, state: &ReconcileState) -> bool {
    let StatusUpdate::SetConditions(said) = update else { return false };
    said.progress == Progress::InProgress && state.is_observed() && state.reason == Some(said.reason)
}

/// What a list tells beside, and the answer to our own call did not, is no reason to write while something is still waited
/// for: it comes with the next word that is.
fn keep_reported_fields(before: &RemoteStatus, after: &mut RemoteStatus) {
    if before.id == after.id {
        after.created_at.clone_from(&before.created_at);
        after.created_by.clone_from(&before.created_by);
        after.created_via_app.clone_from(&before.created_via_app);
        after.org.clone_from(&before.org);
    }
}

/// The status, and in it what the last creation was answered with: that is ours, whatever became of the object's own word.
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

/// What the status records. A refusal that it does not have yet counts as put down: what was there before the creation
/// had been proved gone, but for a tombstone that may be what the name is taken by.
fn record(status: &RemoteStatus, state: &ReconcileState, lives: impl Fn(&str) -> bool) -> RecordedStatus {
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
            let purged = state.intent.as_ref().and_then(|intent| intent.tombstone.as_ref());
            let in_the_way = |id: &String| lives(id) && purged != Some(id);
            if recorded.id.as_ref().is_some_and(in_the_way) {
                RecordedStatus { answered_attempt: Some(*attempt), ..recorded }
            } else {
                RecordedStatus { answered_attempt: Some(*attempt), ..RecordedStatus::default() }
            }
        }
        _ => recorded,
    }
}

/// What of a status belongs to the resource rather than to the remote object it had before.
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

/// The same, and the last attempt whose outcome is recorded: that stays true of the resource.
#[must_use]
pub fn retain_attempt<S: RecordsRemote>(status: &S) -> S {
    let mut next = retain_resource_fields(status);
    next.remote_mut().answered_attempt = status.remote().answered_attempt;
    next
}

/// The status of a resource that stands for the remote object of this id: what it records of another one goes.
pub fn reset_for_id<S: RecordsRemote>(status: &mut S, id: &str) {
    if status.remote().id.as_deref() != Some(id) {
        *status = retain_attempt(status);
        status.remote_mut().id = Some(id.to_owned());
    }
}

/// The status of what lives on a connection, of which only what belongs to the resource counts where it was `recorded` on
/// another connection than there is `now`. On the way out, the old one is what it is about.
#[must_use]
pub fn reset_if_moved<S: RecordsRemote>(
    status: &S,
    recorded: Option<&str>,
    now: Option<&str>,
    state: &ReconcileState,
) -> S {
    let moved = recorded.zip(now).is_some_and(|(recorded, now)| recorded != now);
    if moved && !state.deleting { retain_attempt(status) } else { status.clone() }
}

/// The status of a resource that has just come by its remote object, by the word that it gave.
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

/// The digest to record of an object that is ours. One that was never recorded, or by a version that we cannot read, is
/// recorded anew, and no change.
#[must_use]
pub fn readable(applied: Option<&str>, wanted: &str) -> String {
    applied.filter(|hash| *hash == wanted || changed(Some(hash), wanted)).unwrap_or(wanted).to_owned()
}

/// Takes what was told, or keeps what is known: a listing may tell less than the answer before it did.
pub fn merge_known(told: Option<&String>, known: &mut Option<String>) {
    if let Some(told) = told {
        *known = Some(told.clone());
    }
}

/// The same for an org.
pub fn merge_org(told: &Org, known: &mut Option<Org>) {
    let mut org = known.take().unwrap_or_default();
    merge_known(told.id.as_ref(), &mut org.id);
    merge_known(told.instance_url.as_ref(), &mut org.instance_url);
    merge_known(told.kind.as_ref(), &mut org.kind);
    merge_known(told.api_version.as_ref(), &mut org.api_version);
    merge_known(told.username.as_ref(), &mut org.username);
    merge_known(told.user_id.as_ref(), &mut org.user_id);
    *known = (org != Org::default()).then_some(org);
}

/// Notes when the remote object was first seen in working order.
pub fn establish(status: &mut RemoteStatus, now: jiff::Timestamp) {
    status.established_at.get_or_insert_with(|| whole_seconds(now));
}
