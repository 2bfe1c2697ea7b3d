//! The plan of one Connection.
//!
//! Pure. The create-intent protocol is `plan::remote`'s; here is what only a connection knows: who wins a name, what a
//! match is, what a changed input means, and what to say of each phase.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::crd::{ConnectionStatus, Org, Reason};
use crate::plan::desired::{DesiredConnection, changed};
use crate::plan::live::{Live, Method, Phase, RemoteConnection, Sighting};
use crate::plan::memory::{Answer, Intent, Memory};
use crate::plan::policy::Policies;
use crate::plan::remote::{Addon, Case, Course, Holder, PROGRESS_LIMIT, Record, elapsed};
use crate::plan::verdict::{Report, Verdict, whole_seconds};
use crate::plan::{Plan, Step};

/// Another Connection that wants the same name on the same add-on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival {
    /// `namespace/name`
    pub object: String,
    /// Whether it holds the name, by id or by its own intent.
    pub holds: bool,
    /// When it was made.
    pub created: Timestamp,
    /// Its uid.
    pub uid: String,
}

/// All that a Connection's plan depends on.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// `spec.connectionName`
    pub name: &'a str,
    /// `spec.addonRef.name`
    pub addon_name: &'a str,
    /// The policies of the spec, under the add-on's ceiling.
    pub policies: Policies,
    /// The add-on.
    pub addon: &'a Addon,
    /// What is declared, or why that cannot be used.
    pub desired: &'a Result<DesiredConnection, Verdict>,
    /// What is live under the recorded id and the name.
    pub live: &'a Live<RemoteConnection>,
    /// Others that want the name.
    pub rivals: &'a [Rival],
    /// What is remembered.
    pub memory: &'a Memory,
    /// The status as it is.
    pub status: &'a ConnectionStatus,
    /// Now.
    pub now: Timestamp,
}

/// What to do next for a Connection, and what to say of it.
#[must_use]
pub fn plan(input: &Input<'_>) -> Plan<ConnectionStatus> {
    let record = record(input.status, input.memory);
    let case = Case {
        noun: "connection",
        name: input.name,
        addon_name: input.addon_name,
        policies: input.policies,
        addon: input.addon,
        live: input.live,
        record: &record,
        memory: input.memory,
        now: input.now,
    };
    let mut status = input.status.clone();
    let unrecorded = record.answered != status.answered_attempt;
    if unrecorded {
        // A creation was refused: what there was before it had been proved gone.
        status = carried(&status);
        status.answered_attempt = record.answered;
    }
    let mut course = decide(input, &case, &mut status);
    if unrecorded && course.steps.first().is_some_and(|step| !step.waits()) {
        // The refusal is put down before anything else is done; that it was makes for the next plan.
        course = Course { report: Report::Note, ..Course::hold() };
    }
    Plan { steps: course.steps, report: course.report, again: course.again, status }
}

fn record(status: &ConnectionStatus, memory: &Memory) -> Record {
    let answered = status.answered_attempt.unwrap_or_default();
    match &memory.answer {
        Some(Answer::Refused { attempt: Some(attempt), .. }) if *attempt > answered => {
            Record { answered: Some(*attempt), ..Record::default() }
        }
        _ => Record {
            id: status.id.clone(),
            addon_id: status.addon_id.clone(),
            hash: status.applied_hash.clone(),
            answered: status.answered_attempt,
            was_up: status.connected_at.is_some(),
        },
    }
}

fn decide(input: &Input<'_>, case: &Case<'_, RemoteConnection>, status: &mut ConnectionStatus) -> Course {
    let fits = |remote: &RemoteConnection| fits(input.desired.as_ref().ok(), remote);
    if case.memory.deleting {
        return case.leave(fits);
    }
    if case.policies.suspend {
        return Course::say(Verdict::suspended("suspended: nothing is done until spec.suspend is false"));
    }
    if case.policies.observes() {
        return observe(case, status);
    }
    let desired = match input.desired {
        Ok(desired) => desired,
        Err(verdict) if verdict.reason == Reason::SecretNotFound => {
            return case.missing(verdict.reason, verdict.message.clone());
        }
        Err(verdict) => return Course::say(verdict.clone()),
    };
    if let Some(course) = case.obstacle().or_else(|| conflict(input, case)).or_else(|| case.after_answer()) {
        return course;
    }
    match case.holder(fits) {
        Holder::Recorded(seen) => {
            let applied = status.applied_hash.take();
            adopt(status, &seen.object, case, applied.as_deref(), desired);
            keep(case, seen, desired, status)
        }
        Holder::Intended(seen) => {
            let announced = case.open_intent();
            *status = carried(status);
            status.answered_attempt = announced.map(|i| i.attempt);
            adopt(status, &seen.object, case, announced.map(|i| i.hash.as_str()), desired);
            keep(case, seen, desired, status)
        }
        Holder::Foreign(seen) => refuse_foreign(case, seen),
        Holder::Nobody => case.create(&desired.hash),
    }
}

/// What of a status belongs to the resource rather than to the remote object it had before.
fn carried(status: &ConnectionStatus) -> ConnectionStatus {
    ConnectionStatus {
        observed_generation: status.observed_generation,
        conditions: status.conditions.clone(),
        last_handled_reconcile_at: status.last_handled_reconcile_at.clone(),
        last_handled_replace: status.last_handled_replace.clone(),
        released_targets: status.released_targets.clone(),
        ..ConnectionStatus::default()
    }
}

/// Whether what bears the name can be what our intent announced.
fn fits(desired: Option<&DesiredConnection>, remote: &RemoteConnection) -> bool {
    let Some(desired) = desired else { return remote.method != Some(Method::Oauth) };
    let same_user = remote.org.username.as_deref().is_none_or(|name| name.eq_ignore_ascii_case(&desired.username));
    remote.provider.is_none_or(|p| p == desired.provider) && remote.method != Some(Method::Oauth) && same_user
}

/// Whether a Connection holds its name: its remote object is its own, or it gave the word to create one.
#[must_use]
pub fn holds(status: &ConnectionStatus, memory: &Memory) -> bool {
    let record = record(status, memory);
    let given = memory.intent.as_ref().is_some_and(|i| record.answered.is_none_or(|answered| i.attempt > answered));
    (record.id.is_some() && record.hash.is_some()) || given
}

/// Who holds a name keeps it; among those who don't, the older wins, then the smaller uid.
fn conflict(input: &Input<'_>, case: &Case<'_, RemoteConnection>) -> Option<Course> {
    let rank = (!holds(input.status, input.memory), case.memory.created, case.memory.uid.as_str());
    let winner = input.rivals.iter().min_by_key(|r| (!r.holds, r.created, r.uid.as_str()))?;
    if rank < (!winner.holds, winner.created, winner.uid.as_str()) {
        return None;
    }
    let text = format!(
        "Connection {} holds the name {} on this add-on (names that differ only in case count as one): choose another \
         connectionName, or delete one of the two",
        winner.object, input.name
    );
    Some(Course::say(Verdict::needs_user(Reason::NameConflict, text)))
}

fn refuse_foreign(case: &Case<'_, RemoteConnection>, seen: &Sighting<RemoteConnection>) -> Course {
    if case.outdated(seen) {
        return Course::act(vec![Step::Look]);
    }
    let text = format!(
        "a connection {} (id {}) was there first. Taking it over is not supported yet: delete it in AppLink, choose \
         another connectionName, or set managementPolicy: Observe to watch it",
        case.name, seen.object.id
    );
    Course::say(Verdict::needs_user(Reason::AdoptionRefused, text))
}

/// Writes the remote facts into the status of a resource that owns them.
fn adopt(
    status: &mut ConnectionStatus,
    remote: &RemoteConnection,
    case: &Case<'_, RemoteConnection>,
    applied: Option<&str>,
    desired: &DesiredConnection,
) {
    facts(status, remote, case);
    // Never recorded, or by a version we cannot read: recorded anew, and no change.
    let readable = applied.filter(|hash| *hash == desired.hash || changed(Some(hash), &desired.hash));
    status.applied_hash = Some(readable.unwrap_or(&desired.hash).to_owned());
}

fn facts(status: &mut ConnectionStatus, remote: &RemoteConnection, case: &Case<'_, RemoteConnection>) {
    if status.id.as_deref() != Some(&remote.id) {
        status.connected_at = None;
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

/// What to do with a connection that is ours.
fn keep(
    case: &Case<'_, RemoteConnection>,
    seen: &Sighting<RemoteConnection>,
    desired: &DesiredConnection,
    status: &ConnectionStatus,
) -> Course {
    let remote = &seen.object;
    if !case.memory.finalizer || case.memory.intent.is_none() {
        return Course::act(vec![Step::Remember { intent: restored(case, status, desired) }]);
    }
    let text = format!("connection {} is being replaced: waiting until the old one is gone", case.name);
    if let Some(course) = case.own_deletion(seen, &Verdict::waits(Reason::Creating, text)) {
        return course;
    }
    if remote.phase == Phase::Leaving {
        let text = format!("connection {} is being disconnected by somebody else; it will be created anew", case.name);
        return Course::attend(Verdict::waits(Reason::Creating, text));
    }
    if changed(status.applied_hash.as_deref(), &desired.hash) {
        return replace(case, remote, desired, status);
    }
    if case.outdated(seen) {
        return Course::act(vec![Step::Look]);
    }
    judge(case, remote)
}

/// The half of the memory that a `kubectl replace` wiped, from the half that it left.
fn restored(case: &Case<'_, RemoteConnection>, status: &ConnectionStatus, desired: &DesiredConnection) -> Intent {
    case.memory.intent.clone().unwrap_or_else(|| Intent {
        uid: case.memory.uid.clone(),
        addon_id: status.addon_id.clone().unwrap_or_default(),
        hash: status.applied_hash.clone().unwrap_or_else(|| desired.hash.clone()),
        attempt: case.record.answered.unwrap_or(1),
        at: case.now,
        recreated: Vec::new(),
    })
}

/// AppLink has no update. What once connected is not taken away for a changed input; what never did is made anew.
fn replace(
    case: &Case<'_, RemoteConnection>,
    remote: &RemoteConnection,
    desired: &DesiredConnection,
    status: &ConnectionStatus,
) -> Course {
    if status.connected_at.is_some() {
        let text = format!(
            "key, user, client, alias or login URL changed since connection {} was made, and AppLink cannot update a \
             connection; it works on with the old ones. Change them back, or delete this resource and create it anew",
            case.name
        );
        return Course::say(Verdict::needs_user(Reason::ReplacementRequired, text));
    }
    if let Some(course) = case.refused() {
        return course;
    }
    let delete = Step::Delete { id: remote.id.clone() };
    let intent = case.next_intent(&desired.hash, Vec::new());
    Course::act(vec![delete, Step::Remember { intent }, Step::Create { name: case.name.to_owned(), anew: false }])
}

/// What is watched and never touched.
fn observe(case: &Case<'_, RemoteConnection>, status: &mut ConnectionStatus) -> Course {
    if case.memory.finalizer {
        return Course::act(vec![Step::Release { orphaned: None }]);
    }
    if let Some(course) = case.obstacle() {
        return course;
    }
    let by_id = status.id.as_deref().and_then(|id| case.live.of_id(id)).filter(|s| s.object.phase != Phase::Gone);
    match by_id.or_else(|| case.live.of_name(case.name)) {
        Some(seen) => {
            facts(status, &seen.object, case);
            if case.outdated(seen) {
                return Course::act(vec![Step::Look]);
            }
            judge(case, &seen.object)
        }
        None if !case.live.complete => Course::act(vec![Step::Look]),
        None => {
            *status = carried(status);
            let text = format!("no connection {} exists, and managementPolicy Observe creates none", case.name);
            Course::say(Verdict::needs_user(Reason::RemoteMissing, text))
        }
    }
}

/// What to say of a connection, by its phase.
fn judge(case: &Case<'_, RemoteConnection>, remote: &RemoteConnection) -> Course {
    let name = case.name;
    match remote.phase {
        Phase::Up => Course::say(Verdict::settled(Reason::Connected, format!("connection {name} is connected"))),
        Phase::Failed => Course::say(failed(name, remote)),
        Phase::Going => connecting(case, remote),
        Phase::Leaving | Phase::Gone => {
            let text = format!("connection {name} is being disconnected");
            Course::attend(Verdict::waits(Reason::Deleting, text))
        }
    }
}

fn connecting(case: &Case<'_, RemoteConnection>, remote: &RemoteConnection) -> Course {
    let name = case.name;
    let text = format!("AppLink is connecting {name} (status \"{}\")", remote.status);
    let waiting = Course::attend(Verdict::waits(Reason::Connecting, text));
    // One that was connected before has no beginning to count from.
    let Some(intent) = case.memory.intent.as_ref().filter(|_| !case.record.was_up) else { return waiting };
    let left = PROGRESS_LIMIT - elapsed(intent.at, case.now);
    if left.is_positive() {
        return waiting.again(left);
    }
    let text = format!(
        "connection {name} is still \"{}\" after {} minutes: delete this resource and create it anew, or ask Heroku \
         support",
        remote.status,
        PROGRESS_LIMIT.as_mins()
    );
    Course::say(Verdict::needs_user(Reason::RemoteFailed, text))
}

fn failed(name: &str, remote: &RemoteConnection) -> Verdict {
    let cause = remote.error.as_deref().unwrap_or("AppLink gives no cause");
    let text = format!(
        "AppLink says that connection {name} failed: {cause}. Check clientID, username, loginURL and the private key \
         against the connected app in Salesforce"
    );
    Verdict::needs_user(Reason::RemoteFailed, text)
}
