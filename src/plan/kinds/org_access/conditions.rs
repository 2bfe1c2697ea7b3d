//! Conditions of a connection or an authorization, by the phase of its remote object.
//!
//! Pure. The plan asks for them once there is nothing left to do.

use super::snapshot::Snapshot;
use crate::conditions::ConditionReport;
use crate::crd::{OrgAccessStatus, Reason};
use crate::facts::{Observed, OrgAccessKind, Phase, RemoteOrgAccess};
use crate::plan::Step;
use crate::plan::decision::Decision;
use crate::plan::inputs::{Match, compare};
use crate::plan::remote::RemoteContext;

/// What to report for the phase of the object.
pub(super) fn conditions_for(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemoteOrgAccess>,
    observed: &Observed<RemoteOrgAccess>,
    status: &OrgAccessStatus,
) -> Decision {
    let name = ctx.name;
    match observed.object.phase {
        Phase::Ready => ready(snapshot, ctx, observed, status),
        Phase::Failed => Decision::report(failed(snapshot, &observed.object)),
        Phase::Pending => {
            let remedy = "Set applink.dev/replace to a new value to delete and recreate it, or ask Heroku support";
            ctx.in_progress(Reason::Connecting, &observed.object.status, remedy)
        }
        Phase::Deleting | Phase::Deleted => {
            let text = format!("{} {name} is being disconnected", ctx.noun);
            Decision::await_remote(ConditionReport::in_progress(Reason::Deleting, text))
        }
    }
}

fn ready(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemoteOrgAccess>,
    observed: &Observed<RemoteOrgAccess>,
    status: &OrgAccessStatus,
) -> Decision {
    let (noun, name) = (ctx.noun, ctx.name);
    let (reason, state) = match snapshot.kind {
        OrgAccessKind::Connection => (Reason::Connected, "connected"),
        OrgAccessKind::Authorization => (Reason::Authorized, "authorized"),
    };
    match compare(&status.remote.org.clone().unwrap_or_default(), snapshot.spec.expect.as_ref()) {
        Match::Matches => Decision::report(ConditionReport::ready(reason, format!("{noun} {name} is {state}"))),
        Match::Differs(what) => {
            let text = format!(
                "{noun} {name} is {state} to {what}. The operator deletes nothing. Correct spec.expect, or set \
                 applink.dev/replace to a new value to delete and recreate the {noun}"
            );
            Decision::report(ConditionReport::stalled(Reason::OrgMismatch, text))
        }
        Match::Unknown if !observed.detailed => Decision::step(Step::Get { id: observed.object.id.clone() }),
        Match::Unknown => {
            let text = format!(
                "{noun} {name} is {state}, but AppLink does not report its org and user yet, so the operator cannot compare \
                 them with spec.expect"
            );
            Decision::await_remote(ConditionReport::in_progress(Reason::Connecting, text))
        }
    }
}

fn failed(snapshot: &Snapshot, remote: &RemoteOrgAccess) -> ConditionReport {
    let noun = snapshot.kind.noun();
    let cause = remote.error.as_deref().unwrap_or("no cause given").trim_end_matches('.');
    let inputs = match snapshot.spec.jwt {
        Some(_) => "Check clientID, username, loginURL and the private key against the connected app in Salesforce. ",
        None => "",
    };
    let text = format!(
        "AppLink reports that {noun} {} failed: {cause}. {inputs}Set applink.dev/replace to a new value to delete and \
         recreate it",
        snapshot.name
    );
    ConditionReport::stalled(Reason::RemoteFailed, text)
}
