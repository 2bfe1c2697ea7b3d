//! What a Connection's status records of the remote connection: what is read from it, and what is written back.
//!
//! Pure. `diff::connection` decides with it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::crd::{ConnectionStatus, Org};
use crate::plan::desired::changed;
use crate::plan::live::{Live, Phase, RemoteConnection};
use crate::plan::memory::{Answer, Intent, Memory};
use crate::plan::remote::{Case, Record};
use crate::plan::verdict::whole_seconds;

/// The status, and in it what the last creation was answered with: that is ours, whatever became of the object's own word.
pub(super) fn learnt(status: &ConnectionStatus, memory: &Memory) -> ConnectionStatus {
    match &memory.answer {
        Some(Answer::Created { id, word })
            if status.answered_attempt.is_none_or(|answered| word.attempt > answered) =>
        {
            let mut status = taken(status, Some(word));
            status.id = Some(id.clone());
            status.addon_id = Some(word.addon_id.clone());
            status.applied_hash = Some(word.hash.clone());
            status
        }
        _ => status.clone(),
    }
}

/// What the status records. A refusal that it does not have yet counts as put down: what was there before the creation
/// had been proved gone, but for a tombstone that may be what the name is taken by.
pub(super) fn record(status: &ConnectionStatus, memory: &Memory, live: &Live<RemoteConnection>) -> Record {
    let recorded = Record {
        id: status.id.clone(),
        addon_id: status.addon_id.clone(),
        hash: status.applied_hash.clone(),
        answered: status.answered_attempt,
        was_up: status.connected_at.is_some(),
    };
    match &memory.answer {
        Some(Answer::Refused { attempt: Some(attempt), .. }) if *attempt > recorded.answered.unwrap_or_default() => {
            let purged = memory.intent.as_ref().and_then(|intent| intent.tombstone.as_ref());
            let in_the_way = |id: &String| live.of_id(id).is_some() && purged != Some(id);
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
pub(super) fn carried(status: &ConnectionStatus) -> ConnectionStatus {
    ConnectionStatus {
        observed_generation: status.observed_generation,
        conditions: status.conditions.clone(),
        last_handled_reconcile_at: status.last_handled_reconcile_at.clone(),
        last_handled_replace: status.last_handled_replace.clone(),
        released_targets: status.released_targets.clone(),
        ..ConnectionStatus::default()
    }
}

/// The status of a resource that has just come by its remote object, by the word that it gave.
pub(super) fn taken(status: &ConnectionStatus, word: Option<&Intent>) -> ConnectionStatus {
    let mut status = carried(status);
    status.answered_attempt = word.map(|intent| intent.attempt);
    if let Some(token) = word.and_then(|intent| intent.replace.clone()) {
        status.last_handled_replace = Some(token);
    }
    status
}

/// Writes the remote facts into the status of a resource that owns them.
pub(super) fn own(
    status: &mut ConnectionStatus,
    remote: &RemoteConnection,
    case: &Case<'_, RemoteConnection>,
    applied: Option<&str>,
    wanted: &str,
) {
    facts(status, remote, case);
    // Never recorded, or by a version we cannot read: recorded anew, and no change.
    let readable = applied.filter(|hash| *hash == wanted || changed(Some(hash), wanted));
    status.applied_hash = Some(readable.unwrap_or(wanted).to_owned());
}

/// Writes the remote facts into the status.
pub(super) fn facts(status: &mut ConnectionStatus, remote: &RemoteConnection, case: &Case<'_, RemoteConnection>) {
    if status.id.as_deref() != Some(&remote.id) {
        *status = ConnectionStatus { answered_attempt: status.answered_attempt, ..carried(status) };
    }
    status.id = Some(remote.id.clone());
    status.addon_id = case.addon_id().map(str::to_owned).or_else(|| status.addon_id.take());
    status.remote_status = Some(remote.status.clone());
    // A listing may tell less than the answer before it did.
    let fuller = |new: &Option<String>, old: &mut Option<String>| new.clone().or_else(|| old.take());
    status.created_at = fuller(&remote.created_at, &mut status.created_at);
    status.created_by = fuller(&remote.created_by, &mut status.created_by);
    status.created_via_app = fuller(&remote.created_via_app, &mut status.created_via_app);
    let mut old = status.org.take().unwrap_or_default();
    let org = Org {
        id: fuller(&remote.org.id, &mut old.id),
        instance_url: fuller(&remote.org.instance_url, &mut old.instance_url),
        kind: fuller(&remote.org.kind, &mut old.kind),
        api_version: fuller(&remote.org.api_version, &mut old.api_version),
        username: fuller(&remote.org.username, &mut old.username),
        user_id: fuller(&remote.org.user_id, &mut old.user_id),
    };
    status.org = (org != Org::default()).then_some(org);
    if remote.phase == Phase::Up && status.connected_at.is_none() {
        status.connected_at = Some(Time(whole_seconds(case.now)));
    }
}
