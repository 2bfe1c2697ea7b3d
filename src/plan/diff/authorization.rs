//! The plan of one Authorization: that of granted access, and the Secret that keeps its credential where the user asks
//! for one.
//!
//! Pure. The credential itself never comes here: the plan sees whose the Secret is, and when it was last written.

use std::time::Duration;

use jiff::SignedDuration;

use super::grant;
use crate::crd::{AuthorizationStatus, GrantStatus, Reason};
use crate::plan::desired::{Expected, compare};
use crate::plan::live::Phase;
use crate::plan::memory::Answer;
use crate::plan::remote::{HandOff, REFUSAL_REST, elapsed};
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
    let over = input.kept.filter(|kept| is_over(input, kept, &plan));
    if let Some(Kept { secret, there: HandOff::Ours { .. } }) = over {
        let steps = vec![Step::Retract { secret: secret.clone() }];
        return Plan { steps, report: Report::Hold, again: None, status: input.status.clone() };
    }
    let kept = input.kept.filter(|_| over.is_none());
    let good = match &plan.report {
        Report::Say(said) => said.ready == Readiness::True || said.reason == Reason::ReplacementRequired,
        _ => false,
    };
    match input.wanted.filter(|_| good && plan.steps.is_empty() && authorized(input) == Some(true)) {
        Some(wanted) => keep(input, wanted, plan),
        None => done(plan, kept),
    }
}

fn done(plan: Plan<GrantStatus>, kept: Option<&Kept>) -> Plan<AuthorizationStatus> {
    let secret = kept.map(|kept| kept.secret.clone());
    let status = AuthorizationStatus { grant: plan.status, credentials_secret_name: secret };
    Plan { steps: plan.steps, report: plan.report, again: plan.again, status }
}

/// Whether the credential is to be kept in that Secret no longer.
fn is_over(input: &Input<'_>, kept: &Kept, plan: &Plan<GrantStatus>) -> bool {
    let elsewhere = input.wanted.is_none_or(|wanted| wanted.secret != kept.secret);
    let ends = input.grant.memory.deleting
        && plan.steps.iter().any(|step| matches!(step, Step::Delete { .. } | Step::Release { .. }));
    !input.grant.policies.suspend && (elsewhere || authorized(input) == Some(false)) || ends
}

/// Whether it is authorized, and for whom it is to be; nothing where that is not known.
fn authorized(input: &Input<'_>) -> Option<bool> {
    let status = &input.status.grant.remote;
    let Some(seen) = status.id.as_deref().and_then(|id| input.grant.live.of_id(id)) else {
        return input.grant.live.complete.then_some(false);
    };
    let org = status.org.clone().unwrap_or_else(|| seen.object.org.clone());
    let expected = !matches!(compare(&org, input.grant.access.expect.as_ref()), Expected::Missed(_));
    Some(seen.object.phase == Phase::Up && expected)
}

/// How to keep the credential of what is authorized.
fn keep(input: &Input<'_>, wanted: &Kept, plan: Plan<GrantStatus>) -> Plan<AuthorizationStatus> {
    let (memory, now) = (input.grant.memory, input.grant.now);
    let secret = &wanted.secret;
    let say = |verdict: Verdict, plan: Plan<GrantStatus>| done(Plan { report: verdict.into(), ..plan }, input.kept);
    match wanted.there {
        HandOff::Foreign => {
            let text = format!(
                "the credential belongs into Secret {secret}, but a Secret of that name exists that is not this resource's: \
                 delete or rename it, or choose another credentialsSecretName"
            );
            return say(Verdict::needs_user(Reason::InvalidSpec, text), plan);
        }
        HandOff::Stale => {
            let text = format!(
                "Secret {secret} belongs to an earlier resource of this name; waiting until Kubernetes removes it"
            );
            return say(Verdict::waits(Reason::Creating, text), plan);
        }
        HandOff::Absent | HandOff::Ours { .. } => {}
    }
    if let Some(Answer::Refused { verdict, at, .. }) = &memory.answer
        && elapsed(*at, now) < REFUSAL_REST
    {
        let again = Duration::try_from(REFUSAL_REST - elapsed(*at, now)).ok();
        return say(verdict.clone(), Plan { again, ..plan });
    }
    let age = memory.exported.filter(|at| !(memory.requested && *at < memory.since)).map(|at| elapsed(at, now));
    match age.filter(|age| *age < REFRESH && wanted.there != HandOff::Absent) {
        Some(age) => {
            let left = Duration::try_from(REFRESH - age).unwrap_or_default();
            done(Plan { again: Some(plan.again.map_or(left, |again| again.min(left))), ..plan }, Some(wanted))
        }
        None => {
            let steps = vec![Step::Export { secret: secret.clone() }];
            Plan { steps, report: Report::Hold, again: None, status: input.status.clone() }
        }
    }
}
