//! The plan of one Connection: that of granted access, but for what lives on it.
//!
//! Pure. A connection goes last: not before its publications and targets, and not with targets that nobody let go of. Those
//! who live on it learn from here whether it can serve.

use jiff::{SignedDuration, Timestamp};

use super::addon::shortened;
use super::grant;
use crate::crd::{ConditionType, ConnectionSpec, ConnectionStatus, GrantStatus, Provider, Reason, condition};
use crate::plan::desired::{Expected, compare};
use crate::plan::live::{Live, Phase, RemoteGrant};
use crate::plan::remote::{Parent, elapsed};
use crate::plan::verdict::{Report, Verdict};
use crate::plan::{Plan, Step};

/// The way on where targets would go along.
const CASCADE: &str =
    "If data action targets may be deleted with the connection, set applink.dev/confirm-cascade: \"true\"";
/// What was seen to live on a connection is believed for so long.
const FRESH: SignedDuration = SignedDuration::from_secs(30);
/// How often what keeps a connection is looked at again, where nothing tells.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// A resource that lives on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependant {
    /// As people name it.
    pub object: String,
    /// The id of its data action target, where it stands for one.
    pub target: Option<Option<String>>,
    /// Whether it stands between the connection and its end.
    pub holds: bool,
    /// Whether it is being deleted.
    pub leaving: bool,
}

/// The data action targets on a connection, whoever made them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// When they were listed; a service may have no such list, and then none were seen.
    pub at: Option<Timestamp>,
    /// Ids, and what people call them.
    pub seen: Vec<(String, String)>,
}

/// All that a Connection's plan depends on.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// What authorizations have, too.
    pub grant: grant::Input<'a>,
    /// What lives on it in this cluster.
    pub dependants: &'a [Dependant],
    /// What lives on it in AppLink and would go with it.
    pub targets: &'a Targets,
    /// Whether its namespace is being deleted, as far as that matters and could be read.
    pub namespace_ends: bool,
    /// The status as it is.
    pub status: &'a ConnectionStatus,
}

/// What to do next for a Connection, and what to say of it.
#[must_use]
pub fn plan(input: &Input<'_>) -> Plan<ConnectionStatus> {
    let plan = spare(input, grant::plan(&input.grant));
    let same = plan.status.remote.id == input.status.grant.remote.id;
    let released = released(input, same);
    let news = released != input.status.released_targets;
    if news && plan.report == Report::Hold && plan.steps.iter().all(Step::waits) {
        let status = ConnectionStatus { released_targets: released, ..input.status.clone() };
        return Plan { steps: plan.steps, report: Report::Note, again: plan.again, status };
    }
    let status = ConnectionStatus { grant: plan.status, released_targets: released };
    Plan { steps: plan.steps, report: plan.report, again: plan.again, status }
}

/// The targets that nobody stands for any more, so that the connection may take them with it. Written down before their
/// resources go.
fn released(input: &Input<'_>, same: bool) -> Vec<String> {
    let ids = |leaving: bool| {
        let these = input.dependants.iter().filter(move |d| d.leaving == leaving);
        these.filter_map(|d| d.target.clone().flatten())
    };
    let mut all: Vec<String> =
        input.status.released_targets.iter().filter(|_| same).cloned().chain(ids(true)).collect();
    all.retain(|id| !ids(false).any(|kept| kept == *id));
    all.sort();
    all.dedup();
    all
}

/// Holds up what would take from others what they live on.
fn spare(input: &Input<'_>, plan: Plan<GrantStatus>) -> Plan<GrantStatus> {
    let memory = input.grant.memory;
    let deletes = plan.steps.iter().find_map(|step| match step {
        Step::Delete { id } => Some(id.clone()),
        _ => None,
    });
    let ends = deletes.is_some() || plan.steps.iter().any(|step| matches!(step, Step::Release { .. }));
    let blocked = |text: String| {
        let report = Verdict::waits(Reason::DeletionBlocked, text).into();
        Plan { steps: vec![], report, again: std::time::Duration::try_from(AGAIN).ok(), status: plan.status.clone() }
    };
    if memory.deleting && ends && !memory.force_orphan && !input.grant.policies.observes() {
        let users = users(input);
        if !users.is_empty() {
            let text = format!("these live on the connection and must be deleted first: {}", shortened(&users));
            let cascades = input.dependants.iter().any(|d| d.target.is_some() && d.holds && !d.leaving);
            return blocked(if cascades && deletes.is_some() { format!("{text}. {CASCADE}") } else { text });
        }
    }
    let Some(id) = deletes.filter(|id| !memory.cascade && may_have_targets(input, id)) else { return plan };
    let fresh = |at: &Timestamp| *at >= memory.since && elapsed(*at, input.grant.now) < FRESH;
    if !input.targets.at.as_ref().is_some_and(fresh) {
        return Plan { steps: vec![Step::Survey { id }], report: Report::Hold, again: None, status: plan.status };
    }
    let stake = at_stake(input);
    if stake.is_empty() {
        return plan;
    }
    blocked(format!(
        "connection {} cannot go without its data action targets, and these would be deleted with it: {}. {CASCADE}",
        input.grant.name,
        shortened(&stake)
    ))
}

/// What must be deleted before the connection. Targets cannot be: they may be let go of, or go with it by the user's word,
/// as they do where their own namespace ends.
fn users(input: &Input<'_>) -> Vec<String> {
    let along = input.grant.memory.cascade || input.namespace_ends;
    let holds = |d: &&Dependant| d.holds && !(d.target.is_some() && along);
    let mut users: Vec<_> = input.dependants.iter().filter(holds).map(|d| d.object.clone()).collect();
    users.sort();
    users
}

/// Whether there can be targets on the connection of this id: only where it is one to Data Cloud that was connected.
fn may_have_targets(input: &Input<'_>, id: &str) -> bool {
    let seen = input.grant.live.of_id(id).map(|seen| seen.object.phase);
    let was_up = input.status.grant.remote.established_at.is_some() || seen == Some(Phase::Up);
    input.grant.access.provider == Provider::DataCloud && was_up && seen != Some(Phase::Gone)
}

/// The targets that would go although nobody let go of them.
fn at_stake(input: &Input<'_>) -> Vec<String> {
    let mut free = released(input, true);
    if input.namespace_ends {
        free.extend(input.dependants.iter().filter_map(|d| d.target.clone().flatten()));
    }
    let seen = input.targets.seen.iter().filter(|(id, _)| !free.contains(id));
    // A service that has no list does not show them.
    let unseen = |d: &&Dependant| {
        let id = d.target.clone().flatten();
        d.holds && id.is_some_and(|id| !free.contains(&id) && !input.targets.seen.iter().any(|(seen, _)| *seen == id))
    };
    let declared = input.dependants.iter().filter(unseen);
    let mut stake: Vec<_> = seen.map(|(_, name)| name.clone()).chain(declared.map(|d| d.object.clone())).collect();
    stake.sort();
    stake
}

/// What a Connection is to a resource, a `noun`, that lives on connections to `wanted`.
#[must_use]
pub fn parent(
    name: &str,
    spec: &ConnectionSpec,
    status: &ConnectionStatus,
    leaving: bool,
    live: &Live<RemoteGrant>,
    (noun, wanted): (&str, Provider),
) -> Parent {
    if spec.access.provider != wanted {
        let provider = spec.access.provider;
        let text = format!(
            "Connection {name} leads to {provider:?}, and a {noun} needs one that leads to {wanted:?}: delete this resource \
             and create it anew with another connectionRef"
        );
        return Parent::Unfit(text);
    }
    let wait = |what: String| Parent::NotReady(format!("Connection {name} {what}; waiting for it"));
    let Some(id) = &status.grant.remote.id else { return wait("is not connected yet".to_owned()) };
    let Some(seen) = live.of_id(id) else {
        let ready = condition(&status.grant.remote.conditions, ConditionType::Ready);
        let connected = ready.is_some_and(|c| c.status == "True" && c.reason == Reason::Connected.as_str());
        let proved = live.gone.iter().any(|gone| gone == id);
        return if connected && !proved { Parent::Unsure } else { wait("is gone from AppLink".to_owned()) };
    };
    match seen.object.phase {
        Phase::Going => return wait("is being connected".to_owned()),
        Phase::Failed => return wait("has failed".to_owned()),
        Phase::Leaving | Phase::Gone => return wait("is disconnected".to_owned()),
        Phase::Up => {}
    }
    let org = status.grant.remote.org.clone().unwrap_or_else(|| seen.object.org.clone());
    match compare(&org, spec.access.expect.as_ref()) {
        Expected::Missed(what) => wait(format!("leads to {what}")),
        Expected::Untold => wait("does not tell yet to which org it leads".to_owned()),
        Expected::Met => Parent::Ready { id: id.clone(), name: name.to_owned(), leaving },
    }
}
