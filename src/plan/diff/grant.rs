//! The plan of granted access: what connections and authorizations have in common, which is nearly all.
//!
//! Pure. The create-intent protocol is `plan::remote`'s; here is what only granted access knows: what can be its own, what a
//! changed input means, and what to say of each phase. `connection` and `authorization` add what is theirs.

mod judge;

use jiff::{SignedDuration, Timestamp};

use self::judge::judge;
use crate::crd::{Access, GrantStatus, Reason, ReplacePolicy};
use crate::plan::desired::{DesiredGrant, Likeness, changed};
use crate::plan::live::{GrantKind, Live, Method, Phase, RemoteGrant, Sighting};
use crate::plan::memory::Memory;
use crate::plan::policy::Policies;
use crate::plan::remote::name::Rival;
use crate::plan::remote::record::{carried, establish, fuller, fuller_org, readable, settle, stand_for, taken};
use crate::plan::remote::{Addon, Case, Course, HandOff, Holder, Record, elapsed};
use crate::plan::verdict::{Readiness, Report, Verdict};
use crate::plan::{Plan, Step};

/// Something that is connecting is looked at once more before it is deleted, unless it was just now.
const GLANCE: SignedDuration = SignedDuration::from_secs(2);

/// All that the plan of granted access depends on.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// Connection or authorization.
    pub kind: GrantKind,
    /// Remote name.
    pub name: &'a str,
    /// Name of the AppLinkAddon.
    pub addon_name: &'a str,
    /// What the user wrote.
    pub access: &'a Access,
    /// The policies of the spec, under the add-on's ceiling.
    pub policies: Policies,
    /// The add-on.
    pub addon: &'a Addon,
    /// What is declared, or why that cannot be used.
    pub desired: &'a Result<DesiredGrant, Verdict>,
    /// Name of the Secret by which a link is handed over.
    pub secret: &'a str,
    /// What stands under that name.
    pub hand_off: &'a HandOff,
    /// What is live under the recorded id and the name.
    pub live: &'a Live<RemoteGrant>,
    /// Others that want the name.
    pub rivals: &'a [Rival],
    /// What is remembered.
    pub memory: &'a Memory,
    /// The status as it is.
    pub status: &'a GrantStatus,
    /// Now.
    pub now: Timestamp,
}

/// What to do next for a connection or an authorization, and what to say of it.
#[must_use]
pub fn plan(input: &Input<'_>) -> Plan<GrantStatus> {
    let lives = |id: &str| input.live.of_id(id).is_some();
    settle(&up_to_date(input), input.memory, lives, |record, status| {
        let case = case(input, record);
        case.unlisted(decide(input, &case, status))
    })
}

/// The status, with a digest of the former kind brought up to date where it speaks of the inputs that there are.
fn up_to_date(input: &Input<'_>) -> GrantStatus {
    let mut status = input.status.clone();
    if let Ok(desired) = input.desired
        && status.remote.applied_hash.as_ref() == Some(&desired.former_hash)
    {
        status.remote.applied_hash = Some(desired.hash.clone());
    }
    status
}

fn case<'a>(input: &'a Input<'a>, record: &'a Record) -> Case<'a, RemoteGrant> {
    Case {
        noun: input.kind.noun(),
        name: input.name,
        title: input.name,
        parent: None,
        addon_name: input.addon_name,
        policies: input.policies,
        addon: input.addon,
        live: input.live,
        record,
        memory: input.memory,
        now: input.now,
    }
}

fn decide(input: &Input<'_>, case: &Case<'_, RemoteGrant>, status: &mut GrantStatus) -> Course {
    let like = Likeness::of(input.access);
    let fits = |remote: &RemoteGrant| fits(&like, remote);
    if case.memory.deleting {
        return case.leave(fits);
    }
    if let Some(hash) = case.record.hash.as_deref().filter(|_| !case.policies.observes() && case.forgetful()) {
        return Course::act(vec![Step::Remember { intent: case.restored(hash) }]);
    }
    if case.policies.suspend {
        return Course::suspended();
    }
    if case.policies.observes() {
        return observe(input, case, status);
    }
    let desired = match input.desired {
        Ok(desired) => desired,
        Err(verdict) => return unusable(input, case, verdict, status),
    };
    if let Some(course) = case.obstacle().or_else(|| conflict(input, case)).or_else(|| case.after_answer()) {
        return course;
    }
    let (seen, applied) = match case.holder(fits) {
        Holder::Recorded(seen) => (seen, status.remote.applied_hash.take()),
        Holder::Intended(seen) => {
            let word = case.open_intent();
            *status = taken(status, word);
            (seen, word.map(|intent| intent.hash.clone()))
        }
        Holder::Foreign(seen) => {
            if let Some(course) = case.claim(seen, &desired.hash, |seen| case.bar(seen, &like)) {
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

/// What to say where an input cannot be used: that, and that what was made from an earlier one has failed, if so.
fn unusable(input: &Input<'_>, case: &Case<'_, RemoteGrant>, verdict: &Verdict, status: &mut GrantStatus) -> Course {
    let course = match verdict.reason {
        Reason::SecretNotFound => case.missing(verdict.reason, verdict.message.clone()),
        _ => Course::say(verdict.clone()),
    };
    let Holder::Recorded(seen) = case.holder(|_| false) else { return course };
    if seen.object.phase != Phase::Failed || course.steps.is_empty() && matches!(course.report, Report::Hold) {
        return course;
    }
    facts(status, &seen.object, case);
    let Report::Say(failed) = judge(input, case, seen, status).report else { return course };
    // What never connected needs a usable input, and no more; what worked once has a cause of its own.
    let (first, second) = if case.record.was_up { (failed, verdict) } else { (verdict.clone(), &failed) };
    let text = format!("{}. Also, {}", first.message.trim_end_matches('.'), second.message);
    Course::say(Verdict { message: text, ..first })
}

/// Whether what bears the name can be what our intent announced.
fn fits(like: &Likeness<'_>, remote: &RemoteGrant) -> bool {
    let user = remote.org.username.as_deref();
    let same_user = like.username.is_none_or(|wanted| user.is_none_or(|told| told.eq_ignore_ascii_case(wanted)));
    let same_method = remote.method.is_none_or(|method| method == like.method);
    remote.provider.is_none_or(|provider| provider == like.provider) && same_method && same_user
}

/// What to do where nothing bears the name.
fn vacant(input: &Input<'_>, case: &Case<'_, RemoteGrant>, desired: &DesiredGrant, status: &mut GrantStatus) -> Course {
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
            return case.lapsed();
        }
    }
    case.create(&desired.hash)
}

fn withdrawable(input: &Input<'_>) -> bool {
    matches!(input.hand_off, HandOff::Ours { .. } | HandOff::Ownerless)
}

/// What to do with one that is ours.
fn keep(
    input: &Input<'_>,
    case: &Case<'_, RemoteGrant>,
    seen: &Sighting<RemoteGrant>,
    desired: &DesiredGrant,
    status: &mut GrantStatus,
) -> Course {
    let remote = &seen.object;
    if case.forgetful() {
        return Course::act(vec![Step::Remember { intent: case.restored(&desired.hash) }]);
    }
    if case.posted_intent().is_some_and(|intent| case.record.id.is_some() && !case.proved(seen, intent)) {
        return Course::act(vec![Step::Confirm { id: remote.id.clone() }]);
    }
    let text = format!("{} {} is being replaced: waiting until the old one is gone", case.noun, case.name);
    let replaced = Verdict::waits(Reason::Creating, text);
    if let Some(course) = case.own_deletion(seen, &replaced) {
        return course;
    }
    if remote.phase == Phase::Leaving && case.making_room(&remote.id).is_some() {
        return Course::attend(replaced);
    }
    if remote.phase == Phase::Leaving {
        let text =
            format!("{} {} is being disconnected by somebody else; it will be created anew", case.noun, case.name);
        return Course::attend(Verdict::waits(Reason::Creating, text));
    }
    if withdrawable(input) && !consents(remote, desired, status) {
        return Course::act(vec![Step::Withdraw]);
    }
    if let Some(course) = replace(input, case, seen, desired, status, &replaced) {
        return course;
    }
    if consents(remote, desired, status) {
        // Who asks wants to know whether it still waits.
        if case.outdated(seen) && case.memory.requested {
            return Course::act(vec![Step::Look]);
        }
        let handed = *input.hand_off == HandOff::Ours { id: Some(remote.id.clone()) };
        status.oauth_secret_name = handed.then(|| input.secret.to_owned());
        return case.await_user(seen, input.secret, input.hand_off, &desired.hash);
    }
    status.oauth_secret_name = None;
    let replaceable = changed(status.remote.applied_hash.as_deref(), &desired.hash);
    if case.outdated(seen) && !replaceable {
        return Course::act(vec![Step::Look]);
    }
    let course = judge(input, case, seen, status);
    if replaceable { replacement_required(case, seen.object.phase, course) } else { course }
}

/// What to say of one that was made with other inputs than there are now: that, and whether it works on meanwhile. One that
/// is not in working order says what is wrong, for which the new inputs may be the remedy.
fn replacement_required(case: &Case<'_, RemoteGrant>, phase: Phase, course: Course) -> Course {
    let Report::Say(said) = &course.report else { return course };
    let (noun, name) = (case.noun, case.name);
    let ways = "Change them back, set a new value of applink.dev/replace to delete it and create it anew once, or set \
                replacePolicy: DeleteAndRecreate";
    let changed = "key, user, client, alias, method or login URL changed since";
    let text = match said.ready {
        Readiness::True => format!(
            "{changed} {noun} {name} was made, and AppLink cannot update it; it works on with the old ones. {ways}"
        ),
        _ => format!("{}. Also, {changed} it was made. {ways}", said.message.trim_end_matches('.')),
    };
    if phase == Phase::Up {
        return Course::say(Verdict::needs_user(Reason::ReplacementRequired, text));
    }
    Course { report: Verdict { message: text, ..said.clone() }.into(), ..course }
}

/// Whether a person's consent is waited for.
fn consents(remote: &RemoteGrant, desired: &DesiredGrant, status: &GrantStatus) -> bool {
    remote.phase == Phase::Going && desired.method() == Method::Oauth && status.remote.established_at.is_none()
}

/// AppLink has no update. What once connected is taken away for a changed input only where the user says so; what never
/// did is made anew.
fn replace(
    input: &Input<'_>,
    case: &Case<'_, RemoteGrant>,
    seen: &Sighting<RemoteGrant>,
    desired: &DesiredGrant,
    status: &GrantStatus,
    replaced: &Verdict,
) -> Option<Course> {
    let remote = &seen.object;
    let changed = changed(status.remote.applied_hash.as_deref(), &desired.hash);
    let begun = case.making_room(&remote.id).is_some_and(|intent| intent.hash == desired.hash);
    let wanted = if status.remote.established_at.is_some() {
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
        return Some(blocked.flatten().unwrap_or_else(|| case.replace(&remote.id, &desired.hash, replaced)));
    }
    None
}

/// What is watched and never touched.
fn observe(input: &Input<'_>, case: &Case<'_, RemoteGrant>, status: &mut GrantStatus) -> Course {
    if case.memory.finalizer {
        return Course::act(vec![Step::Release { orphaned: None }]);
    }
    if let Some(course) = case.obstacle() {
        return course;
    }
    let by_id =
        status.remote.id.as_deref().and_then(|id| case.live.of_id(id)).filter(|s| s.object.phase != Phase::Gone);
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
            let text = format!("no {} {} exists, and managementPolicy Observe creates none", case.noun, case.name);
            Course::say(Verdict::needs_user(Reason::RemoteMissing, text))
        }
    }
}

/// Another resource holds the name.
fn conflict(input: &Input<'_>, case: &Case<'_, RemoteGrant>) -> Option<Course> {
    let (kind, field) = match input.kind {
        GrantKind::Connection => ("Connection", "connectionName"),
        GrantKind::Authorization => ("Authorization", "developerName"),
    };
    case.conflict(&input.status.remote, input.rivals, |winner| {
        format!(
            "{kind} {winner} holds the name {} on this add-on (names that differ only in case count as one): choose another \
             {field}, or delete one of the two",
            case.name
        )
    })
}

/// Writes the remote facts into the status of a resource that owns them.
fn own(
    status: &mut GrantStatus,
    remote: &RemoteGrant,
    case: &Case<'_, RemoteGrant>,
    applied: Option<&str>,
    wanted: &str,
) {
    facts(status, remote, case);
    status.remote.applied_hash = Some(readable(applied, wanted));
}

/// Writes the remote facts into the status.
fn facts(status: &mut GrantStatus, seen: &RemoteGrant, case: &Case<'_, RemoteGrant>) {
    stand_for(status, &seen.id);
    let remote = &mut status.remote;
    remote.addon_id = case.addon_id().map(str::to_owned).or_else(|| remote.addon_id.take());
    remote.remote_status = Some(seen.status.clone());
    fuller(seen.created_at.as_ref(), &mut remote.created_at);
    fuller(seen.created_by.as_ref(), &mut remote.created_by);
    fuller(seen.created_via_app.as_ref(), &mut remote.created_via_app);
    fuller_org(&seen.org, &mut remote.org);
    if seen.phase == Phase::Up {
        establish(remote, case.now);
    }
}
