//! The plan of one Connection: that of granted access, but for what lives on it.
//!
//! Pure. A connection goes last: not before its publications and targets, and not with targets that nobody let go of. Those
//! who live on it learn from here whether it can serve.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::addon::shortened;
use super::org_access;
use crate::conditions::{ConditionReport, StatusUpdate};
use crate::crd::{ConditionType, ConnectionSpec, ConnectionStatus, OrgAccessStatus, Provider, Reason, condition};
use crate::facts::{Lookup, Phase, RemoteOrgAccess, TargetListing};
use crate::plan::inputs::{Match, compare};
use crate::plan::remote::{ConnectionState, elapsed};
use crate::plan::{Plan, Step};

/// The way on where targets would go along.
const CASCADE: &str =
    "If data action targets may be deleted with the connection, set applink.dev/confirm-cascade: \"true\"";
/// What was seen to live on a connection is believed for so long.
const FRESH: SignedDuration = SignedDuration::from_secs(30);
/// How often what keeps a connection is looked at again, where nothing tells.
const AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// A resource that lives on a connection.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dependent {
    /// As people name it.
    pub object: String,
    /// The id of its data action target, where it stands for one.
    pub target: Option<Option<String>>,
    /// Whether it stands between the connection and its end.
    pub has_finalizer: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// All that a Connection's plan depends on.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// What authorizations have, too.
    pub access: org_access::Snapshot,
    /// Resources of this cluster that depend on it.
    pub dependents: Vec<Dependent>,
    /// Data action targets in AppLink that would be deleted with it.
    pub targets: TargetListing,
    /// Whether its namespace is being deleted, as far as that matters and could be read.
    pub namespace_ends: bool,
    /// The status as it is.
    pub status: ConnectionStatus,
}

/// What to do next for a Connection, and what to say of it.
#[must_use]
pub fn plan(snapshot: &Snapshot) -> Plan<ConnectionStatus> {
    let plan = spare(snapshot, org_access::plan(&snapshot.access));
    let same = plan.status.remote.id == snapshot.status.grant.remote.id;
    let released = released(snapshot, same);
    let news = released != snapshot.status.released_targets;
    if news && plan.update == StatusUpdate::Unchanged && plan.steps.iter().all(Step::waits) {
        let status = ConnectionStatus { released_targets: released, ..snapshot.status.clone() };
        return Plan { steps: plan.steps, update: StatusUpdate::FactsOnly, requeue_after: plan.requeue_after, status };
    }
    let status = ConnectionStatus { grant: plan.status, released_targets: released };
    Plan { steps: plan.steps, update: plan.update, requeue_after: plan.requeue_after, status }
}

/// The targets that nobody stands for any more, so that the connection may take them with it. Written down before their
/// resources go.
fn released(snapshot: &Snapshot, same: bool) -> Vec<String> {
    let ids = |deleting: bool| {
        let these = snapshot.dependents.iter().filter(move |d| d.deleting == deleting);
        these.filter_map(|d| d.target.clone().flatten())
    };
    let mut all: Vec<String> =
        snapshot.status.released_targets.iter().filter(|_| same).cloned().chain(ids(true)).collect();
    all.retain(|id| !ids(false).any(|kept| kept == *id));
    all.sort();
    all.dedup();
    all
}

/// Holds up what would take from others what they live on.
fn spare(snapshot: &Snapshot, plan: Plan<OrgAccessStatus>) -> Plan<OrgAccessStatus> {
    let state = &snapshot.access.state;
    let deletes = plan.steps.iter().find_map(|step| match step {
        Step::Delete { id } => Some(id.clone()),
        _ => None,
    });
    let ends = deletes.is_some() || plan.steps.iter().any(|step| matches!(step, Step::RemoveFinalizer { .. }));
    let blocked = |text: String| {
        let report = ConditionReport::in_progress(Reason::DeletionBlocked, text).into();
        Plan {
            steps: vec![],
            update: report,
            requeue_after: std::time::Duration::try_from(AGAIN).ok(),
            status: plan.status.clone(),
        }
    };
    if state.deleting && ends && !state.force_orphan && !snapshot.access.policies.observes() {
        let users = users(snapshot);
        if !users.is_empty() {
            let text = format!("these live on the connection and must be deleted first: {}", shortened(&users));
            let cascades = snapshot.dependents.iter().any(|d| d.target.is_some() && d.has_finalizer && !d.deleting);
            return blocked(if cascades && deletes.is_some() { format!("{text}. {CASCADE}") } else { text });
        }
    }
    let Some(id) = deletes.filter(|id| !state.confirm_cascade && may_have_targets(snapshot, id)) else { return plan };
    let fresh = |at: &Timestamp| *at >= state.changed_at && elapsed(*at, snapshot.access.now) < FRESH;
    if !snapshot.targets.at.as_ref().is_some_and(fresh) {
        return Plan {
            steps: vec![Step::ListTargets { id }],
            update: StatusUpdate::Unchanged,
            requeue_after: None,
            status: plan.status,
        };
    }
    let stake = at_stake(snapshot);
    if stake.is_empty() {
        return plan;
    }
    blocked(format!(
        "connection {} cannot go without its data action targets, and these would be deleted with it: {}. {CASCADE}",
        snapshot.access.name,
        shortened(&stake)
    ))
}

/// What must be deleted before the connection. Targets cannot be: they may be let go of, or go with it by the user's word,
/// as they do where their own namespace ends.
fn users(snapshot: &Snapshot) -> Vec<String> {
    let along = snapshot.access.state.confirm_cascade || snapshot.namespace_ends;
    let holds = |d: &&Dependent| d.has_finalizer && !(d.target.is_some() && along);
    let mut users: Vec<_> = snapshot.dependents.iter().filter(holds).map(|d| d.object.clone()).collect();
    users.sort();
    users
}

/// Whether there can be targets on the connection of this id: only where it is one to Data Cloud that was connected.
fn may_have_targets(snapshot: &Snapshot, id: &str) -> bool {
    let seen = snapshot.access.lookup.of_id(id).map(|seen| seen.object.phase);
    let was_ready = snapshot.status.grant.remote.established_at.is_some() || seen == Some(Phase::Ready);
    snapshot.access.spec.provider == Provider::DataCloud && was_ready && seen != Some(Phase::Deleted)
}

/// The targets that would go although nobody let go of them.
fn at_stake(snapshot: &Snapshot) -> Vec<String> {
    let mut free = released(snapshot, true);
    if snapshot.namespace_ends {
        free.extend(snapshot.dependents.iter().filter_map(|d| d.target.clone().flatten()));
    }
    let seen = snapshot.targets.seen.iter().filter(|(id, _)| !free.contains(id));
    // A service that has no list does not show them.
    let unseen = |d: &&Dependent| {
        let id = d.target.clone().flatten();
        d.has_finalizer
            && id.is_some_and(|id| !free.contains(&id) && !snapshot.targets.seen.iter().any(|(seen, _)| *seen == id))
    };
    let declared = snapshot.dependents.iter().filter(unseen);
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
    deleting: bool,
    live: &Lookup<RemoteOrgAccess>,
    (noun, wanted): (&str, Provider),
) -> ConnectionState {
    if spec.access.provider != wanted {
        let provider = spec.access.provider;
        let text = format!(
            "Connection {name} leads to {provider:?}, and a {noun} needs one that leads to {wanted:?}: delete this resource \
             and create it anew with another connectionRef"
        );
        return ConnectionState::Invalid(text);
    }
    let wait = |what: String| ConnectionState::NotReady(format!("Connection {name} {what}; waiting for it"));
    let Some(id) = &status.grant.remote.id else { return wait("is not connected yet".to_owned()) };
    let Some(seen) = live.of_id(id) else {
        let ready = condition(&status.grant.remote.conditions, ConditionType::Ready);
        let connected = ready.is_some_and(|c| c.status == "True" && c.reason == Reason::Connected.as_str());
        let proved = live.deleted_ids.iter().any(|gone| gone == id);
        return if connected && !proved {
            ConnectionState::Unconfirmed
        } else {
            wait("is gone from AppLink".to_owned())
        };
    };
    match seen.object.phase {
        Phase::Pending => return wait("is being connected".to_owned()),
        Phase::Failed => return wait("has failed".to_owned()),
        Phase::Deleting | Phase::Deleted => return wait("is disconnected".to_owned()),
        Phase::Ready => {}
    }
    let org = status.grant.remote.org.clone().unwrap_or_else(|| seen.object.org.clone());
    match compare(&org, spec.access.expect.as_ref()) {
        Match::Differs(what) => wait(format!("leads to {what}")),
        Match::Unknown => wait("does not tell yet to which org it leads".to_owned()),
        Match::Matches => ConnectionState::Ready { id: id.clone(), name: name.to_owned(), deleting },
    }
}
