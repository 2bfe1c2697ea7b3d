//! The plan of a Connection: the plan of org access, and safeguards for its publications and data action targets.
//!
//! Pure. A connection is deleted after its children. Its children learn from [`connection_state`] whether they can use it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::addon::abbreviated;
use super::org_access;
use crate::conditions::{ConditionReport, StatusUpdate};
use crate::crd::{ConditionType, ConnectionSpec, ConnectionStatus, OrgAccessStatus, Provider, Reason, condition};
use crate::facts::{Lookup, Phase, RemoteOrgAccess, TargetListing};
use crate::plan::checks::{Check, apply};
use crate::plan::inputs::{Match, compare};
use crate::plan::remote::ConnectionState;
use crate::plan::{Plan, Step};
use crate::timing::{BLOCKED_DELETION_RECHECK, MAX_AGE_OF_TARGETS, elapsed};

/// How the user allows the deletion of targets.
const CASCADE: &str =
    "To delete data action targets together with the connection, set applink.dev/confirm-cascade: \"true\"";

/// A resource that uses a connection.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dependent {
    /// Kind and name, for example "Publication orders-api".
    pub object: String,
    /// For a DataActionTarget: the ID of its data action target, if it has one.
    pub target: Option<Option<String>>,
    /// Whether it has our finalizer, and so blocks the deletion of the connection.
    pub has_finalizer: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// Everything that the plan of a Connection depends on.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// The part that connections and authorizations share.
    pub access: org_access::Snapshot,
    /// Resources in this cluster that use the connection.
    pub dependents: Vec<Dependent>,
    /// Data action targets that AppLink would delete together with the connection.
    pub targets: TargetListing,
    /// Whether the namespace is being deleted, if that matters and could be read.
    pub namespace_ends: bool,
    /// Current status.
    pub status: ConnectionStatus,
}

type AccessPlan = Plan<OrgAccessStatus>;
type Guard = fn(&Snapshot, AccessPlan) -> AccessPlan;

/// Changes to the plan of org access, in order.
pub const SAFEGUARDS: &[Check<Guard>] =
    &[Check::new("KEEP_FOR_DEPENDENTS", keep_for_dependents), Check::new("KEEP_FOR_TARGETS", keep_for_targets)];

/// What to do next for a Connection, and what to report.
#[must_use]
pub fn plan(snapshot: &Snapshot) -> Plan<ConnectionStatus> {
    let plan = apply(SAFEGUARDS, org_access::plan(&snapshot.access), |guard, plan| guard(snapshot, plan));
    with_released_targets(snapshot, plan).complete(&snapshot.status, &snapshot.access.state, snapshot.access.now)
}

/// The plan, with the released targets in its status.
fn with_released_targets(snapshot: &Snapshot, plan: AccessPlan) -> Plan<ConnectionStatus> {
    let same_object = plan.status.remote.id == snapshot.status.grant.remote.id;
    let released = released_targets(snapshot, same_object);
    let new = released != snapshot.status.released_targets;
    if new && plan.update == StatusUpdate::Unchanged && plan.steps.iter().all(Step::waits) {
        let status = ConnectionStatus { released_targets: released, ..snapshot.status.clone() };
        return Plan { steps: plan.steps, update: StatusUpdate::FactsOnly, requeue_after: plan.requeue_after, status };
    }
    let status = ConnectionStatus { grant: plan.status, released_targets: released };
    Plan { steps: plan.steps, update: plan.update, requeue_after: plan.requeue_after, status }
}

/// IDs of targets that no resource declares any more, so that AppLink may delete them together with the connection. The
/// status records them before their resources disappear.
fn released_targets(snapshot: &Snapshot, same_object: bool) -> Vec<String> {
    let ids = |deleting: bool| {
        let dependents = snapshot.dependents.iter().filter(move |d| d.deleting == deleting);
        dependents.filter_map(|d| d.target.clone().flatten())
    };
    let recorded = snapshot.status.released_targets.iter().filter(|_| same_object).cloned();
    let mut all: Vec<String> = recorded.chain(ids(true)).collect();
    all.retain(|id| !ids(false).any(|declared| declared == *id));
    all.sort();
    all.dedup();
    all
}

/// ID of the connection that the plan deletes.
fn deleted_id(plan: &AccessPlan) -> Option<&str> {
    plan.steps.iter().find_map(|step| match step {
        Step::Delete { id } => Some(id.as_str()),
        _ => None,
    })
}

fn blocked(text: String, plan: AccessPlan) -> AccessPlan {
    let report = ConditionReport::in_progress(Reason::DeletionBlocked, text).into();
    let requeue_after = Duration::try_from(BLOCKED_DELETION_RECHECK).ok();
    Plan { steps: vec![], update: report, requeue_after, status: plan.status }
}

/// Safeguard KEEP_FOR_DEPENDENTS: a Connection that is being deleted waits for the resources that use it.
fn keep_for_dependents(snapshot: &Snapshot, plan: AccessPlan) -> AccessPlan {
    let state = &snapshot.access.state;
    let deletes = deleted_id(&plan).is_some();
    let ends = deletes || plan.steps.iter().any(|step| matches!(step, Step::RemoveFinalizer { .. }));
    if !state.deleting || !ends || state.force_orphan || snapshot.access.policies.observes() {
        return plan;
    }
    let dependents = blocking_dependents(snapshot);
    if dependents.is_empty() {
        return plan;
    }
    let text = format!("these resources use the connection and must be deleted first: {}", abbreviated(&dependents));
    let cascades = snapshot.dependents.iter().any(|d| d.target.is_some() && d.has_finalizer && !d.deleting);
    blocked(if cascades && deletes { format!("{text}. {CASCADE}") } else { text }, plan)
}

/// Safeguard KEEP_FOR_TARGETS: the operator does not delete a connection whose targets nobody released.
fn keep_for_targets(snapshot: &Snapshot, plan: AccessPlan) -> AccessPlan {
    let state = &snapshot.access.state;
    let at_risk = |id: &&str| !state.confirm_cascade && may_have_targets(snapshot, id);
    let Some(id) = deleted_id(&plan).filter(at_risk) else { return plan };
    let fresh = |at: &Timestamp| *at >= state.changed_at && elapsed(*at, snapshot.access.now) < MAX_AGE_OF_TARGETS;
    if !snapshot.targets.at.as_ref().is_some_and(fresh) {
        let steps = vec![Step::ListTargets { id: id.to_owned() }];
        return Plan { steps, update: StatusUpdate::Unchanged, requeue_after: None, status: plan.status };
    }
    let targets = unreleased_targets(snapshot);
    if targets.is_empty() {
        return plan;
    }
    let text = format!(
        "deleting connection {} would also delete these data action targets: {}. {CASCADE}",
        snapshot.access.name,
        abbreviated(&targets)
    );
    blocked(text, plan)
}

/// Resources that must be deleted before the connection. DataActionTargets do not block it if the user confirms the cascade
/// or if their namespace is being deleted.
fn blocking_dependents(snapshot: &Snapshot) -> Vec<String> {
    let cascade = snapshot.access.state.confirm_cascade || snapshot.namespace_ends;
    let blocks = |d: &&Dependent| d.has_finalizer && !(d.target.is_some() && cascade);
    let mut names: Vec<_> = snapshot.dependents.iter().filter(blocks).map(|d| d.object.clone()).collect();
    names.sort();
    names
}

/// Whether the connection can have targets: only if it was ever connected to Data Cloud.
fn may_have_targets(snapshot: &Snapshot, id: &str) -> bool {
    let phase = snapshot.access.lookup.of_id(id).map(|observed| observed.object.phase);
    let was_ready = snapshot.status.grant.remote.established_at.is_some() || phase == Some(Phase::Ready);
    snapshot.access.spec.provider == Provider::DataCloud && was_ready && phase != Some(Phase::Deleted)
}

/// Names of targets that AppLink would delete although no resource released them.
fn unreleased_targets(snapshot: &Snapshot) -> Vec<String> {
    let mut released = released_targets(snapshot, true);
    if snapshot.namespace_ends {
        released.extend(snapshot.dependents.iter().filter_map(|d| d.target.clone().flatten()));
    }
    let listed = snapshot.targets.seen.iter().filter(|(id, _)| !released.contains(id));
    // Some versions of AppLink cannot list targets, so declared ones count, too.
    let unlisted = |d: &&Dependent| {
        let id = d.target.clone().flatten();
        d.has_finalizer
            && id
                .is_some_and(|id| !released.contains(&id) && !snapshot.targets.seen.iter().any(|(seen, _)| *seen == id))
    };
    let declared = snapshot.dependents.iter().filter(unlisted);
    let mut names: Vec<_> = listed.map(|(_, name)| name.clone()).chain(declared.map(|d| d.object.clone())).collect();
    names.sort();
    names
}

/// State of a Connection for a resource that uses it. `noun` names the kind of that resource, which needs a connection to
/// `provider`.
#[must_use]
pub fn connection_state(
    name: &str,
    spec: &ConnectionSpec,
    status: &ConnectionStatus,
    deleting: bool,
    lookup: &Lookup<RemoteOrgAccess>,
    (noun, provider): (&str, Provider),
) -> ConnectionState {
    if spec.access.provider != provider {
        let text = format!(
            "Connection {name} connects to {:?}, but a {noun} needs a connection to {provider:?}. Delete this resource and \
             create it with another connectionRef",
            spec.access.provider
        );
        return ConnectionState::Invalid(text);
    }
    let wait = |what: String| ConnectionState::NotReady(format!("waiting for Connection {name}: {what}"));
    let Some(id) = &status.grant.remote.id else { return wait("it is not connected yet".to_owned()) };
    let Some(observed) = lookup.of_id(id) else {
        let ready = condition(&status.grant.remote.conditions, ConditionType::Ready);
        let connected = ready.is_some_and(|c| c.status == "True" && c.reason == Reason::Connected.as_str());
        let proved_gone = lookup.deleted_ids.contains(id);
        return if connected && !proved_gone {
            ConnectionState::Unconfirmed
        } else {
            wait("it does not exist in AppLink any more".to_owned())
        };
    };
    match observed.object.phase {
        Phase::Pending => return wait("AppLink is connecting it".to_owned()),
        Phase::Failed => return wait("it has failed".to_owned()),
        Phase::Deleting | Phase::Deleted => return wait("it is disconnected".to_owned()),
        Phase::Ready => {}
    }
    let org = status.grant.remote.org.clone().unwrap_or_else(|| observed.object.org.clone());
    match compare(&org, spec.access.expect.as_ref()) {
        Match::Differs(what) => wait(format!("it is connected to {what}")),
        Match::Unknown => wait("AppLink does not report its org yet".to_owned()),
        Match::Matches => ConnectionState::Ready { id: id.clone(), name: name.to_owned(), deleting },
    }
}
