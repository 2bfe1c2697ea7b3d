//! The plan of one Authorization: that of granted access, and the Secret that keeps its credential where the user asks
//! for one.
//!
//! Pure. The credential itself never comes here: the plan sees whose the Secret is, and when it was last written.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::grant;
use crate::crd::{AuthorizationStatus, GrantStatus, Reason};
use crate::plan::desired::{Expected, compare};
use crate::plan::live::Phase;
use crate::plan::memory::{Memory, Unread};
use crate::plan::remote::{HandOff, elapsed};
use crate::plan::verdict::{Readiness, Report, Verdict};
use crate::plan::{Plan, Step};

/// Salesforce ends a session after 15 minutes without use at the earliest; by then it has been read three times.
const REFRESH: SignedDuration = SignedDuration::from_mins(5);

/// The Secret of a credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub secret: String,
    /// What stands under that name.
    pub there: HandOff,
    /// Whether that name is for what the operator reads, or hands over.
    pub reserved: bool,
}

/// All that an Authorization's plan depends on.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// What connections have, too.
    pub grant: grant::Input<'a>,
    /// Where the user wants the credential kept.
    pub wanted: Option<&'a Kept>,
    /// Where it is kept, as the status records it.
    pub kept: Option<&'a Kept>,
    /// The status as it is.
    pub status: &'a AuthorizationStatus,
}

/// What to do next for an Authorization, and what to say of it.
#[must_use]
pub fn plan(input: &Input<'_>) -> Plan<AuthorizationStatus> {
    let plan = grant::plan(&input.grant);
    // What is said is said of what the new status records; until then the old one counts.
    let standing = match &plan.report {
        Report::Say(said) if matches!(said.reason, Reason::AdoptionRefused | Reason::NameConflict) => Some(false),
        Report::Say(_) => standing(input, &plan.status),
        _ => standing(input, &input.status.grant),
    };
    if let Some(secret) = superfluous(input, &plan, standing) {
        let steps = vec![Step::Retract { secret: secret.to_owned() }];
        return Plan { steps, report: Report::Hold, again: None, status: input.status.clone() };
    }
    let good = match &plan.report {
        Report::Say(said) => said.ready == Readiness::True || said.reason == Reason::ReplacementRequired,
        _ => false,
    };
    let id = plan.status.remote.id.clone();
    match (input.wanted, id) {
        (Some(wanted), Some(id)) if good && plan.steps.is_empty() && standing == Some(true) => {
            keep(input, wanted, &id, plan)
        }
        _ => done(plan, input.kept),
    }
}

/// The plan, with what its status says of the Secret: that it keeps the credential, where it does.
fn done(plan: Plan<GrantStatus>, kept: Option<&Kept>) -> Plan<AuthorizationStatus> {
    // What cannot be read stays recorded.
    let stays = |kept: &&Kept| is_ours(kept) || matches!(kept.there, HandOff::Ownerless | HandOff::Unreadable);
    let secret = kept.filter(stays).map(|kept| kept.secret.clone());
    let status = AuthorizationStatus { grant: plan.status, credentials_secret_name: secret };
    Plan { steps: plan.steps, report: plan.report, again: plan.again, status }
}

fn is_ours(kept: &Kept) -> bool {
    matches!(kept.there, HandOff::Ours { .. })
}

/// A Secret of ours with a credential that is to be kept in it no longer.
fn superfluous<'a>(input: &Input<'a>, plan: &Plan<GrantStatus>, standing: Option<bool>) -> Option<&'a str> {
    let ends = input.grant.memory.deleting
        && plan.steps.iter().any(|step| matches!(step, Step::Delete { .. } | Step::Release { .. }));
    let is_over = |kept: &Kept| {
        let elsewhere = input.wanted.is_none_or(|wanted| wanted.secret != kept.secret);
        ends || !input.grant.policies.suspend && (elsewhere || standing == Some(false))
    };
    // One that was written may not be recorded yet.
    let both = [input.kept, input.wanted].into_iter().flatten();
    let removable =
        |kept: &&Kept| (is_ours(kept) || kept.there == HandOff::Ownerless) && !left_behind(input, &kept.secret);
    let mut over = both.filter(|kept| removable(kept) && kept.secret != input.grant.secret && is_over(kept));
    over.next().map(|kept| kept.secret.as_str()).or_else(|| renamed(input))
}

/// The Secret that was written under a name that is wanted no longer, and that no status came to record.
fn renamed<'a>(input: &Input<'a>) -> Option<&'a str> {
    let memory = input.grant.memory;
    let written = &memory.reading.kept.as_ref()?.secret;
    let known = |kept: &Kept| kept.secret == *written;
    let is_known = input.kept.is_some_and(known) || input.wanted.is_some_and(known);
    (!is_known && !input.grant.policies.suspend && !left_behind(input, written)).then_some(written.as_str())
}

/// Whether the Secret could not be deleted, and the deletion of its owner must not wait for that.
fn left_behind(input: &Input<'_>, secret: &str) -> bool {
    let memory = input.grant.memory;
    memory.deleting && memory.reading.left_behind.iter().any(|left| left == secret)
}

/// Whether what this status records is authorized, and for whom it is to be; nothing where that is not known.
fn standing(input: &Input<'_>, status: &GrantStatus) -> Option<bool> {
    let (status, live) = (&status.remote, input.grant.live);
    let Some(id) = status.id.as_ref() else { return live.complete.then_some(false) };
    // The silence of a list is not the end of it.
    let Some(seen) = live.of_id(id) else { return live.gone.contains(id).then_some(false) };
    let org = status.org.clone().unwrap_or_else(|| seen.object.org.clone());
    let expected = !matches!(compare(&org, input.grant.access.expect.as_ref()), Expected::Missed(_));
    Some(seen.object.phase == Phase::Up && expected)
}

/// How to keep the credential of what is authorized.
fn keep(input: &Input<'_>, wanted: &Kept, id: &str, plan: Plan<GrantStatus>) -> Plan<AuthorizationStatus> {
    let (memory, now) = (input.grant.memory, input.grant.now);
    if wanted.there == HandOff::Ownerless && !wanted.reserved {
        let steps = vec![Step::TakeSecret { secret: wanted.secret.clone() }];
        return Plan { steps, report: Report::Hold, again: None, status: input.status.clone() };
    }
    let say = |verdict: Verdict| Plan { report: verdict.into(), ..plan.clone() };
    if let Some(verdict) = no_place(wanted) {
        return done(say(verdict), None);
    }
    let kept = memory.reading.kept.as_ref().filter(|kept| kept.id == id).map(|kept| kept.at);
    let fresh = kept.filter(|at| !memory.requested || *at >= memory.since).map(|at| REFRESH - elapsed(at, now));
    if let Some(left) = fresh.filter(|left| left.is_positive() && is_ours(wanted)) {
        return done(sooner(plan, left), Some(wanted));
    }
    let Some(unread) = memory.reading.trouble.as_ref().filter(|unread| rests(unread, memory, now)) else {
        let steps = vec![Step::Export { id: id.to_owned(), secret: wanted.secret.clone() }];
        return Plan { steps, report: Report::Hold, again: None, status: input.status.clone() };
    };
    let report = untouched(input, wanted, &plan.report, unread);
    done(sooner(Plan { report, ..plan }, elapsed(now, unread.until)), Some(wanted))
}

/// Why no credential can be kept in that Secret, if so.
fn no_place(wanted: &Kept) -> Option<Verdict> {
    let secret = &wanted.secret;
    if wanted.reserved {
        let text = format!(
            "credentialsSecretName is {secret}, the Secret from which a token or key is read, or in which a link is handed over: \
             choose another one"
        );
        return Some(Verdict::needs_user(Reason::InvalidSpec, text));
    }
    match wanted.there {
        HandOff::Foreign => {
            let text = format!(
                "the credential belongs into Secret {secret}, but a Secret of that name exists that is not this resource's: \
                 delete or rename it, or choose another credentialsSecretName"
            );
            Some(Verdict::needs_user(Reason::InvalidSpec, text))
        }
        HandOff::OfAnother(ref owner) => {
            let text = format!(
                "credentialsSecretName is {secret}, but that is a Secret of {owner}: choose another credentialsSecretName"
            );
            Some(Verdict::needs_user(Reason::InvalidSpec, text))
        }
        HandOff::Stale => {
            let text = format!(
                "Secret {secret} belongs to an earlier resource of this name; waiting until Kubernetes removes it"
            );
            Some(Verdict::waits(Reason::Creating, text))
        }
        HandOff::Absent | HandOff::Ours { .. } | HandOff::Ownerless | HandOff::Unreadable => None,
    }
}

/// Whether the credential is not asked for again yet, since it could not be read. An edit or a request ends that, but for
/// a limit of calls.
fn rests(unread: &Unread, memory: &Memory, now: Timestamp) -> bool {
    now < unread.until && (unread.at >= memory.since || unread.verdict.reason == Reason::RateLimited)
}

/// What to say while the credential cannot be read: what was Ready stays so, and tells what is wrong where nobody else
/// does.
fn untouched(input: &Input<'_>, wanted: &Kept, said: &Report, unread: &Unread) -> Report {
    let (memory, trouble) = (input.grant.memory, &unread.verdict);
    let Report::Say(said) = said else { return said.clone() };
    if said.ready != Readiness::True {
        return said.clone().into();
    }
    if !memory.ready {
        return trouble.clone().into();
    }
    // An outage is the add-on's to tell.
    if trouble.reason.is_outage() && elapsed(unread.since, input.grant.now) < REFRESH {
        return if memory.judged() { said.clone().into() } else { Report::Hold };
    }
    let what = if is_ours(wanted) { "may be out of date" } else { "is missing" };
    let text = format!("{}; but Secret {} {what}: {}", said.message, wanted.secret, trouble.message);
    Verdict { message: text, ..said.clone() }.into()
}

/// The same plan, made again after `left` at the latest.
fn sooner(plan: Plan<GrantStatus>, left: SignedDuration) -> Plan<GrantStatus> {
    let left = Duration::try_from(left).unwrap_or_default();
    Plan { again: Some(plan.again.map_or(left, |again| again.min(left))), ..plan }
}
