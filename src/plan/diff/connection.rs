//! The plan of one Connection.
//!
//! Pure. The create-intent protocol is `plan::remote`'s; here is what only a connection knows: who wins a name, what
//! can be its own, what a changed input means, and what to say of each phase.

mod name;
mod record;

use jiff::{SignedDuration, Timestamp};

pub use self::name::{Rival, holds};

use self::name::conflict;
use self::record::{carried, facts, learnt, own, record, taken};
use crate::crd::{ConnectionSpec, ConnectionStatus, Reason, ReplacePolicy};
use crate::plan::desired::{DesiredConnection, Expected, Likeness, changed, compare};
use crate::plan::live::{Live, Method, Phase, RemoteConnection, Sighting};
use crate::plan::memory::{Intent, Memory};
use crate::plan::policy::Policies;
use crate::plan::remote::{Addon, Case, Course, HandOff, Holder, PROGRESS_LIMIT, elapsed};
use crate::plan::verdict::{Report, Verdict};
use crate::plan::{Plan, Step};

/// Something that is connecting is looked at once more before it is deleted, unless it was just now.
const GLANCE: SignedDuration = SignedDuration::from_secs(2);

/// All that a Connection's plan depends on.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// What the user wrote.
    pub spec: &'a ConnectionSpec,
    /// The policies of the spec, under the add-on's ceiling.
    pub policies: Policies,
    /// The add-on.
    pub addon: &'a Addon,
    /// What is declared, or why that cannot be used.
    pub desired: &'a Result<DesiredConnection, Verdict>,
    /// Name of the Secret by which a link is handed over.
    pub secret: &'a str,
    /// What stands under that name.
    pub hand_off: &'a HandOff,
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
    let known = learnt(input.status, input.memory);
    let record = record(&known, input.memory, input.live);
    let case = Case {
        noun: "connection",
        name: &input.spec.connection_name,
        addon_name: &input.spec.addon_ref.name,
        policies: input.policies,
        addon: input.addon,
        live: input.live,
        record: &record,
        memory: input.memory,
        now: input.now,
    };
    let mut status = known.clone();
    let refused = record.answered != status.answered_attempt;
    if refused {
        if record.id.is_none() {
            status = carried(&status);
        }
        status.answered_attempt = record.answered;
    }
    let mut course = decide(input, &case, &mut status);
    let won = status.answered_attempt != input.status.answered_attempt
        && course.steps.iter().any(|step| matches!(step, Step::Delete { .. }));
    if (refused || won) && course.steps.first().is_some_and(|step| !step.waits()) {
        // It is put down before anything is done on the strength of it; that it was makes for the next plan.
        course = Course { report: Report::Note, ..Course::hold() };
    }
    if course.report == Report::Hold && known != *input.status && course.steps.iter().all(Step::waits) {
        (course.report, status) = (Report::Note, known);
    }
    Plan { steps: course.steps, report: course.report, again: course.again, status }
}

fn decide(input: &Input<'_>, case: &Case<'_, RemoteConnection>, status: &mut ConnectionStatus) -> Course {
    let like = Likeness::of(input.spec);
    let fits = |remote: &RemoteConnection| fits(&like, remote);
    if case.memory.deleting {
        return case.leave(fits);
    }
    if let Some(hash) = case.record.hash.as_deref().filter(|_| !case.policies.observes() && forgetful(case)) {
        return Course::act(vec![Step::Remember { intent: restored(case, status, hash) }]);
    }
    if case.policies.suspend {
        return Course::say(Verdict::suspended("suspended: nothing is done until spec.suspend is false"));
    }
    if case.policies.observes() {
        return observe(input, case, status);
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
    let (seen, applied) = match case.holder(fits) {
        Holder::Recorded(seen) => (seen, status.applied_hash.take()),
        Holder::Intended(seen) => {
            let word = case.open_intent();
            *status = taken(status, word);
            (seen, word.map(|intent| intent.hash.clone()))
        }
        Holder::Foreign(seen) => {
            if let Some(course) = case.claim(seen, &like, &desired.hash) {
                return course;
            }
            *status = taken(status, case.open_intent());
            (seen, None)
        }
        Holder::Nobody => return vacant(input, case, desired, status),
    };
    own(status, &seen.object, case, applied.as_deref(), &desired.hash);
    keep(input, case, seen, desired, status)
}

/// Whether what bears the name can be what our intent announced.
fn fits(like: &Likeness<'_>, remote: &RemoteConnection) -> bool {
    let user = remote.org.username.as_deref();
    let same_user = like.username.is_none_or(|wanted| user.is_none_or(|told| told.eq_ignore_ascii_case(wanted)));
    let same_method = remote.method.is_none_or(|method| method == like.method);
    remote.provider.is_none_or(|provider| provider == like.provider) && same_method && same_user
}

/// What to do where nothing bears the name.
fn vacant(
    input: &Input<'_>,
    case: &Case<'_, RemoteConnection>,
    desired: &DesiredConnection,
    status: &mut ConnectionStatus,
) -> Course {
    if desired.method() == Method::Oauth {
        if let Some(course) = case.no_hand_off(input.secret, input.hand_off) {
            return course;
        }
        // A link is asked for once; what was begun with it and went away unused is for the user to begin anew.
        let unused = case.record.id.is_some() && !case.record.was_up && case.open_intent().is_none();
        let same = !changed(case.record.hash.as_deref(), &desired.hash);
        if unused && same && !case.asked() && case.live.complete && case.unconfirmed().is_none() {
            if withdrawable(input) {
                return Course::act(vec![Step::Withdraw]);
            }
            status.oauth_secret_name = None;
            return case.expired();
        }
    }
    case.create(&desired.hash)
}

fn withdrawable(input: &Input<'_>) -> bool {
    matches!(input.hand_off, HandOff::Ours { .. })
}

/// What to do with a connection that is ours.
fn keep(
    input: &Input<'_>,
    case: &Case<'_, RemoteConnection>,
    seen: &Sighting<RemoteConnection>,
    desired: &DesiredConnection,
    status: &mut ConnectionStatus,
) -> Course {
    let remote = &seen.object;
    if forgetful(case) {
        return Course::act(vec![Step::Remember { intent: restored(case, status, &desired.hash) }]);
    }
    if case.posted_intent().is_some_and(|intent| case.record.id.is_some() && !case.proved(seen, intent)) {
        return Course::act(vec![Step::Confirm { id: remote.id.clone() }]);
    }
    let text = format!("connection {} is being replaced: waiting until the old one is gone", case.name);
    let replaced = Verdict::waits(Reason::Creating, text);
    if let Some(course) = case.own_deletion(seen, &replaced) {
        return course;
    }
    if remote.phase == Phase::Leaving && case.making_room(&remote.id).is_some() {
        return Course::attend(replaced);
    }
    if remote.phase == Phase::Leaving {
        let text = format!("connection {} is being disconnected by somebody else; it will be created anew", case.name);
        return Course::attend(Verdict::waits(Reason::Creating, text));
    }
    if withdrawable(input) && !consents(remote, desired, status) {
        return Course::act(vec![Step::Withdraw]);
    }
    if let Some(course) = replace(input, case, seen, desired, status) {
        return course;
    }
    if consents(remote, desired, status) {
        let handed = *input.hand_off == HandOff::Ours { id: Some(remote.id.clone()) };
        status.oauth_secret_name = handed.then(|| input.secret.to_owned());
        return case.await_user(seen, input.secret, input.hand_off, &desired.hash);
    }
    status.oauth_secret_name = None;
    if case.outdated(seen) {
        return Course::act(vec![Step::Look]);
    }
    judge(input, case, seen, status)
}

/// Whether a person's consent is waited for.
fn consents(remote: &RemoteConnection, desired: &DesiredConnection, status: &ConnectionStatus) -> bool {
    remote.phase == Phase::Going && desired.method() == Method::Oauth && status.connected_at.is_none()
}

/// Whether the half of the memory that the object itself carries was wiped, as by `kubectl replace`.
fn forgetful(case: &Case<'_, RemoteConnection>) -> bool {
    !case.memory.finalizer || case.memory.intent.is_none()
}

/// That half, from the one that the status has.
fn restored(case: &Case<'_, RemoteConnection>, status: &ConnectionStatus, hash: &str) -> Intent {
    case.memory.intent.clone().unwrap_or_else(|| Intent {
        addon_id: status.addon_id.clone().unwrap_or_default(),
        attempt: case.record.answered.unwrap_or(1),
        ..case.next_intent(status.applied_hash.as_deref().unwrap_or(hash), Vec::new())
    })
}

/// AppLink has no update. What once connected is taken away for a changed input only where the user says so; what never
/// did is made anew.
fn replace(
    input: &Input<'_>,
    case: &Case<'_, RemoteConnection>,
    seen: &Sighting<RemoteConnection>,
    desired: &DesiredConnection,
    status: &ConnectionStatus,
) -> Option<Course> {
    let remote = &seen.object;
    let changed = changed(status.applied_hash.as_deref(), &desired.hash);
    let begun = case.making_room(&remote.id).is_some_and(|intent| intent.hash == desired.hash);
    let wanted = if status.connected_at.is_some() {
        changed && case.policies.replacement == ReplacePolicy::DeleteAndRecreate
    } else {
        let over = consents(remote, desired, status) && case.consent_expired();
        changed || begun || (over && case.memory.requested)
    };
    if wanted || case.replacement_asked() {
        // It may have connected a moment ago.
        if remote.phase == Phase::Going && elapsed(seen.at, case.now) > GLANCE {
            return Some(Course::act(vec![Step::Confirm { id: remote.id.clone() }]));
        }
        let blocked = (desired.method() == Method::Oauth).then(|| case.no_hand_off(input.secret, input.hand_off));
        return Some(blocked.flatten().unwrap_or_else(|| case.replace(&remote.id, &desired.hash)));
    }
    let text = format!(
        "key, user, client, alias, method or login URL changed since connection {} was made, and AppLink cannot update a \
         connection; it works on with the old ones. Change them back, set a new value of applink.dev/replace to delete it \
         and create it anew once, or set replacePolicy: DeleteAndRecreate",
        case.name
    );
    changed.then(|| Course::say(Verdict::needs_user(Reason::ReplacementRequired, text)))
}

/// What is watched and never touched.
fn observe(input: &Input<'_>, case: &Case<'_, RemoteConnection>, status: &mut ConnectionStatus) -> Course {
    if case.memory.finalizer {
        return Course::act(vec![Step::Release { orphaned: None }]);
    }
    if let Some(course) = case.obstacle() {
        return course;
    }
    let by_id = status.id.as_deref().and_then(|id| case.live.of_id(id)).filter(|s| s.object.phase != Phase::Gone);
    match by_id.or_else(|| case.live.of_name(case.name).first().copied()) {
        Some(seen) => {
            facts(status, &seen.object, case);
            if case.outdated(seen) {
                return Course::act(vec![Step::Look]);
            }
            judge(input, case, seen, status)
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
fn judge(
    input: &Input<'_>,
    case: &Case<'_, RemoteConnection>,
    seen: &Sighting<RemoteConnection>,
    status: &ConnectionStatus,
) -> Course {
    let name = case.name;
    match seen.object.phase {
        Phase::Up => connected(input, case, seen, status),
        Phase::Failed => Course::say(failed(input, &seen.object)),
        Phase::Going => connecting(case, &seen.object),
        Phase::Leaving | Phase::Gone => {
            let text = format!("connection {name} is being disconnected");
            Course::attend(Verdict::waits(Reason::Deleting, text))
        }
    }
}

fn connected(
    input: &Input<'_>,
    case: &Case<'_, RemoteConnection>,
    seen: &Sighting<RemoteConnection>,
    status: &ConnectionStatus,
) -> Course {
    let name = case.name;
    match compare(&status.org.clone().unwrap_or_default(), input.spec.expect.as_ref()) {
        Expected::Met => Course::say(Verdict::settled(Reason::Connected, format!("connection {name} is connected"))),
        Expected::Missed(what) => {
            let text = format!(
                "connection {name} is connected to {what}. Nothing is deleted: correct spec.expect, or set a new value of \
                 applink.dev/replace to delete the connection and connect anew"
            );
            Course::say(Verdict::needs_user(Reason::OrgMismatch, text))
        }
        Expected::Untold if !seen.detailed => Course::act(vec![Step::Confirm { id: seen.object.id.clone() }]),
        Expected::Untold => {
            let text = format!(
                "connection {name} is connected, but AppLink does not tell yet to which org and user, so spec.expect \
                 cannot be checked"
            );
            Course::attend(Verdict::waits(Reason::Connecting, text))
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
        "connection {name} is still \"{}\" after {} minutes: set a new value of applink.dev/replace to delete it and \
         connect anew, or ask Heroku support",
        remote.status,
        PROGRESS_LIMIT.as_mins()
    );
    Course::say(Verdict::needs_user(Reason::RemoteFailed, text))
}

fn failed(input: &Input<'_>, remote: &RemoteConnection) -> Verdict {
    let cause = remote.error.as_deref().unwrap_or("AppLink gives no cause");
    let inputs = match input.spec.jwt {
        Some(_) => "Check clientID, username, loginURL and the private key against the connected app in Salesforce. ",
        None => "",
    };
    let text = format!(
        "AppLink says that connection {} failed: {cause}. {inputs}A new value of applink.dev/replace has it deleted and \
         connected anew",
        input.spec.connection_name
    );
    Verdict::needs_user(Reason::RemoteFailed, text)
}
