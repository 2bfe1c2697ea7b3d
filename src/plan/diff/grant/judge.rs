//! What to say of a connection or an authorization that is there.
//!
//! Pure. `diff::grant` asks it once nothing is left to be done.

use super::Input;
use crate::crd::{GrantStatus, Reason};
use crate::plan::Step;
use crate::plan::desired::{Expected, compare};
use crate::plan::live::{GrantKind, Phase, RemoteGrant, Sighting};
use crate::plan::remote::{Case, Course};
use crate::plan::verdict::Verdict;

/// What to say, by its phase.
pub(super) fn judge(
    input: &Input<'_>,
    case: &Case<'_, RemoteGrant>,
    seen: &Sighting<RemoteGrant>,
    status: &GrantStatus,
) -> Course {
    let name = case.name;
    match seen.object.phase {
        Phase::Up => connected(input, case, seen, status),
        Phase::Failed => Course::say(failed(input, &seen.object)),
        Phase::Going => {
            let remedy = "set a new value of applink.dev/replace to delete it and begin anew, or ask Heroku support";
            case.going(Reason::Connecting, &seen.object.status, remedy)
        }
        Phase::Leaving | Phase::Gone => {
            let text = format!("{} {name} is being disconnected", case.noun);
            Course::attend(Verdict::waits(Reason::Deleting, text))
        }
    }
}

fn connected(
    input: &Input<'_>,
    case: &Case<'_, RemoteGrant>,
    seen: &Sighting<RemoteGrant>,
    status: &GrantStatus,
) -> Course {
    let (noun, name) = (case.noun, case.name);
    let (reason, up) = match input.kind {
        GrantKind::Connection => (Reason::Connected, "connected"),
        GrantKind::Authorization => (Reason::Authorized, "authorized"),
    };
    match compare(&status.remote.org.clone().unwrap_or_default(), input.access.expect.as_ref()) {
        Expected::Met => Course::say(Verdict::settled(reason, format!("{noun} {name} is {up}"))),
        Expected::Missed(what) => {
            let text = format!(
                "{noun} {name} is {up}, but leads to {what}. Nothing is deleted: correct spec.expect, or set a new value of \
                 applink.dev/replace to delete the {noun} and begin anew"
            );
            Course::say(Verdict::needs_user(Reason::OrgMismatch, text))
        }
        Expected::Untold if !seen.detailed => Course::act(vec![Step::Confirm { id: seen.object.id.clone() }]),
        Expected::Untold => {
            let text = format!(
                "{noun} {name} is {up}, but AppLink does not tell yet to which org and user it leads, so spec.expect cannot \
                 be checked"
            );
            Course::attend(Verdict::waits(Reason::Connecting, text))
        }
    }
}

fn failed(input: &Input<'_>, remote: &RemoteGrant) -> Verdict {
    let cause = remote.error.as_deref().unwrap_or("AppLink gives no cause");
    let inputs = match input.access.jwt {
        Some(_) => "Check clientID, username, loginURL and the private key against the connected app in Salesforce. ",
        None => "",
    };
    let text = format!(
        "AppLink says that {noun} {} failed: {cause}. {inputs}A new value of applink.dev/replace has it deleted and made \
         anew",
        input.name,
        noun = input.kind.noun()
    );
    Verdict::needs_user(Reason::RemoteFailed, text)
}
