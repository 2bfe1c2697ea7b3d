//! What to say of a connection or an authorization that is there.
//!
//! Pure. `kinds::org_access` asks it once nothing is left to be done.

use super::Snapshot;
use crate::conditions::ConditionReport;
use crate::crd::{OrgAccessStatus, Reason};
use crate::facts::{Observed, OrgAccessKind, Phase, RemoteOrgAccess};
use crate::plan::Step;
use crate::plan::inputs::{Match, compare};
use crate::plan::remote::{Decision, RemoteContext};

/// What to say, by its phase.
pub(super) fn judge(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemoteOrgAccess>,
    seen: &Observed<RemoteOrgAccess>,
    status: &OrgAccessStatus,
) -> Decision {
    let name = ctx.name;
    match seen.object.phase {
        Phase::Ready => connected(snapshot, ctx, seen, status),
        Phase::Failed => Decision::report(failed(snapshot, &seen.object)),
        Phase::Pending => {
            let remedy = "set a new value of applink.dev/replace to delete it and begin anew, or ask Heroku support";
            ctx.in_progress(Reason::Connecting, &seen.object.status, remedy)
        }
        Phase::Deleting | Phase::Deleted => {
            let text = format!("{} {name} is being disconnected", ctx.noun);
            Decision::await_remote(ConditionReport::in_progress(Reason::Deleting, text))
        }
    }
}

fn connected(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemoteOrgAccess>,
    seen: &Observed<RemoteOrgAccess>,
    status: &OrgAccessStatus,
) -> Decision {
    let (noun, name) = (ctx.noun, ctx.name);
    let (reason, up) = match snapshot.kind {
        OrgAccessKind::Connection => (Reason::Connected, "connected"),
        OrgAccessKind::Authorization => (Reason::Authorized, "authorized"),
    };
    match compare(&status.remote.org.clone().unwrap_or_default(), snapshot.spec.expect.as_ref()) {
        Match::Matches => Decision::report(ConditionReport::ready(reason, format!("{noun} {name} is {up}"))),
        Match::Differs(what) => {
            let text = format!(
                "{noun} {name} is {up}, but leads to {what}. Nothing is deleted: correct spec.expect, or set a new value of \
                 applink.dev/replace to delete the {noun} and begin anew"
            );
            Decision::report(ConditionReport::stalled(Reason::OrgMismatch, text))
        }
        Match::Unknown if !seen.detailed => Decision::steps(vec![Step::Get { id: seen.object.id.clone() }]),
        Match::Unknown => {
            let text = format!(
                "{noun} {name} is {up}, but AppLink does not tell yet to which org and user it leads, so spec.expect cannot \
                 be checked"
            );
            Decision::await_remote(ConditionReport::in_progress(Reason::Connecting, text))
        }
    }
}

fn failed(snapshot: &Snapshot, remote: &RemoteOrgAccess) -> ConditionReport {
    let cause = remote.error.as_deref().unwrap_or("AppLink gives no cause");
    let inputs = match snapshot.spec.jwt {
        Some(_) => "Check clientID, username, loginURL and the private key against the connected app in Salesforce. ",
        None => "",
    };
    let text = format!(
        "AppLink says that {noun} {} failed: {cause}. {inputs}A new value of applink.dev/replace has it deleted and made \
         anew",
        snapshot.name,
        noun = snapshot.kind.noun()
    );
    ConditionReport::stalled(Reason::RemoteFailed, text)
}
