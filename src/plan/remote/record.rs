//! What a status records of a remote object, and how that and the last answer go into a plan, whatever the kind.
//!
//! Pure. The kinds' plans call [`settle`] and write what they see with the rest.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Course, Record};
use crate::crd::{Org, RecordsRemote, RemoteStatus};
use crate::plan::desired::changed;
use crate::plan::memory::{Answer, Intent, Memory};
use crate::plan::verdict::{Class, Report, whole_seconds};
use crate::plan::{Plan, Step};

/// Plans with what the status records and what the last call was answered with, and has that put down before anything is
/// done on the strength of it. `lives` tells whether the object of an id was seen.
pub fn settle<S: RecordsRemote>(
    before: &S,
    memory: &Memory,
    lives: impl Fn(&str) -> bool,
    decide: impl FnOnce(&Record, &mut S) -> Course,
) -> Plan<S> {
    let known = learnt(before, memory);
    let record = record(known.remote(), memory, lives);
    let mut status = known.clone();
    let refused = record.answered != status.remote().answered_attempt;
    if refused {
        if record.id.is_none() {
            status = carried(&status);
        }
        status.remote_mut().answered_attempt = record.answered;
    }
    let mut course = decide(&record, &mut status);
    let won = status.remote().answered_attempt != before.remote().answered_attempt
        && course.steps.iter().any(|step| matches!(step, Step::Delete { .. }));
    // A word that is given anew makes this process forget how the last call ended.
    let forgets = known != *before && matches!(course.steps.first(), Some(Step::Remember { .. }));
    if ((refused || won) && course.steps.first().is_some_and(|step| !step.waits())) || forgets {
        // It is put down before anything is done on the strength of it; that it was makes for the next plan.
        course = Course { report: Report::Note, ..Course::hold() };
    }
    if course.report == Report::Hold && known != *before && course.steps.iter().all(Step::waits) {
        (course.report, status) = (Report::Note, known);
    }
    if goes_on_waiting(&course.report, memory) {
        keep_told(before.remote(), status.remote_mut());
    }
    Plan { steps: course.steps, report: course.report, again: course.again, status }
}

/// Whether the object waits for what it waited for before.
fn goes_on_waiting(report: &Report, memory: &Memory) -> bool {
    let Report::Say(said) = report else { return false };
    said.class == Class::Waits && memory.judged() && memory.reason == Some(said.reason)
}

/// What a list tells beside, and the answer to our own call did not, is no reason to write while something is still waited
/// for: it comes with the next word that is.
fn keep_told(before: &RemoteStatus, after: &mut RemoteStatus) {
    if before.id == after.id {
        after.created_at.clone_from(&before.created_at);
        after.created_by.clone_from(&before.created_by);
        after.created_via_app.clone_from(&before.created_via_app);
        after.org.clone_from(&before.org);
    }
}

/// The status, and in it what the last creation was answered with: that is ours, whatever became of the object's own word.
fn learnt<S: RecordsRemote>(status: &S, memory: &Memory) -> S {
    match &memory.answer {
        Some(Answer::Created { id, word })
            if status.remote().answered_attempt.is_none_or(|answered| word.attempt > answered) =>
        {
            let mut status = taken(status, Some(word));
            let remote = status.remote_mut();
            remote.id = Some(id.clone());
            remote.addon_id = Some(word.addon_id.clone());
            remote.applied_hash = Some(word.hash.clone());
            status
        }
        _ => status.clone(),
    }
}

/// What the status records. A refusal that it does not have yet counts as put down: what was there before the creation
/// had been proved gone, but for a tombstone that may be what the name is taken by.
fn record(status: &RemoteStatus, memory: &Memory, lives: impl Fn(&str) -> bool) -> Record {
    let recorded = Record {
        id: status.id.clone(),
        addon_id: status.addon_id.clone(),
        hash: status.applied_hash.clone(),
        answered: status.answered_attempt,
        was_up: status.established_at.is_some(),
    };
    match &memory.answer {
        Some(Answer::Refused { attempt: Some(attempt), .. }) if *attempt > recorded.answered.unwrap_or_default() => {
            let purged = memory.intent.as_ref().and_then(|intent| intent.tombstone.as_ref());
            let in_the_way = |id: &String| lives(id) && purged != Some(id);
            if recorded.id.as_ref().is_some_and(in_the_way) {
                Record { answered: Some(*attempt), ..recorded }
            } else {
                Record { answered: Some(*attempt), ..Record::default() }
            }
        }
        _ => recorded,
    }
}

/// What of a status belongs to the resource rather than to the remote object it had before.
#[must_use]
pub fn carried<S: RecordsRemote>(status: &S) -> S {
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
pub fn emptied<S: RecordsRemote>(status: &S) -> S {
    let mut next = carried(status);
    next.remote_mut().answered_attempt = status.remote().answered_attempt;
    next
}

/// The status of a resource that stands for the remote object of this id: what it records of another one goes.
pub fn stand_for<S: RecordsRemote>(status: &mut S, id: &str) {
    if status.remote().id.as_deref() != Some(id) {
        *status = emptied(status);
        status.remote_mut().id = Some(id.to_owned());
    }
}

/// The status of what lives on a connection, of which only what belongs to the resource counts where it was `recorded` on
/// another connection than there is `now`. On the way out, the old one is what it is about.
#[must_use]
pub fn placed<S: RecordsRemote>(status: &S, recorded: Option<&str>, now: Option<&str>, memory: &Memory) -> S {
    let moved = recorded.zip(now).is_some_and(|(recorded, now)| recorded != now);
    if moved && !memory.deleting { emptied(status) } else { status.clone() }
}

/// The status of a resource that has just come by its remote object, by the word that it gave.
#[must_use]
pub fn taken<S: RecordsRemote>(status: &S, word: Option<&Intent>) -> S {
    let mut status = carried(status);
    let remote = status.remote_mut();
    remote.answered_attempt = word.map(|intent| intent.attempt);
    if let Some(token) = word.and_then(|intent| intent.replace.clone()) {
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
pub fn fuller(told: Option<&String>, known: &mut Option<String>) {
    if let Some(told) = told {
        *known = Some(told.clone());
    }
}

/// The same for an org.
pub fn fuller_org(told: &Org, known: &mut Option<Org>) {
    let mut org = known.take().unwrap_or_default();
    fuller(told.id.as_ref(), &mut org.id);
    fuller(told.instance_url.as_ref(), &mut org.instance_url);
    fuller(told.kind.as_ref(), &mut org.kind);
    fuller(told.api_version.as_ref(), &mut org.api_version);
    fuller(told.username.as_ref(), &mut org.username);
    fuller(told.user_id.as_ref(), &mut org.user_id);
    *known = (org != Org::default()).then_some(org);
}

/// Notes when the remote object was first seen in working order.
pub fn establish(status: &mut RemoteStatus, now: jiff::Timestamp) {
    status.established_at.get_or_insert_with(|| Time(whole_seconds(now)));
}
