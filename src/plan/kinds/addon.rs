//! The plan of an AppLinkAddon. The operator creates nothing for it: it finds the add-on, watches it and reports.
//!
//! Pure. `control::kinds::addon` starts and stops the poller.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::conditions::{ConditionReport, build_condition};
use crate::crd::{AppLinkAddonStatus, ConditionType, ManagementPolicy, Reason, condition};
use crate::facts::{AddonFacts, AddonObservation};
use crate::plan::checks::{Check, first};
use crate::plan::decision::{Decision, grace};
use crate::plan::state::ReconcileState;
use crate::plan::{Plan, Step};

/// Everything that the plan of an AppLinkAddon depends on.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// `spec.managementPolicy`
    pub management: ManagementPolicy,
    /// Whether the spec and its Secret are usable, or why not.
    pub inputs: Result<(), ConditionReport>,
    /// Result of the poller.
    pub observation: AddonObservation,
    /// Resources that need the add-on, for example "Connection production".
    pub dependents: Vec<String>,
    /// What the object and this process remember.
    pub state: ReconcileState,
    /// Current status.
    pub status: AppLinkAddonStatus,
    /// Time of the plan.
    pub now: Timestamp,
}

type Run = fn(&Snapshot, &mut AppLinkAddonStatus) -> Option<Decision>;

/// Checks in order; the first one that decides ends the list.
pub const CHECKS: &[Check<Run>] = &[
    Check::new("DELETING", deletion),
    Check::new("OBSERVED_ONLY", |snapshot, _| {
        (snapshot.management == ManagementPolicy::Observe && snapshot.state.finalizer).then(Decision::remove_finalizer)
    }),
    Check::new("FINALIZER", |snapshot, _| {
        let missing = snapshot.management != ManagementPolicy::Observe && !snapshot.state.finalizer;
        missing.then(|| Decision::step(Step::AddFinalizer))
    }),
    Check::new("INPUTS", unusable_inputs),
    Check::new("OBSERVATION", missing_observation),
    Check::new("OWN", report),
];

/// What to do next for an AppLinkAddon, and what to report.
#[must_use]
pub fn plan(snapshot: &Snapshot) -> Plan<AppLinkAddonStatus> {
    let mut status = snapshot.status.clone();
    if let Some(token) = &snapshot.state.replace {
        status.last_handled_replace = Some(token.clone());
    }
    let decision = first(CHECKS, |check| check(snapshot, &mut status)).unwrap_or_else(Decision::unchanged);
    let plan = Plan { steps: decision.steps, update: decision.update, requeue_after: decision.requeue_after, status };
    plan.complete(&snapshot.status, &snapshot.state, snapshot.now)
}

/// Removes the finalizer once no resource needs the add-on.
fn deletion(snapshot: &Snapshot, status: &mut AppLinkAddonStatus) -> Option<Decision> {
    let state = &snapshot.state;
    if !state.deleting {
        return None;
    }
    if !state.finalizer {
        return Some(Decision::unchanged());
    }
    if state.force_orphan || snapshot.management == ManagementPolicy::Observe || snapshot.dependents.is_empty() {
        return Some(Decision::remove_finalizer());
    }
    remove_unknown_reachability(snapshot, status);
    let names = abbreviated(&snapshot.dependents);
    let text = format!("these resources need the add-on and must be deleted first: {names}");
    let text = match cause(snapshot) {
        Some(cause) => format!("{text}. AppLink cannot delete them now ({}): {}", cause.reason, cause.message),
        None => text,
    };
    Some(Decision::report(ConditionReport::in_progress(Reason::DeletionBlocked, text)))
}

/// Why the add-on is unusable. While the poller has a token, a problem with the Secret does no harm.
fn cause(snapshot: &Snapshot) -> Option<&ConditionReport> {
    let observation = &snapshot.observation;
    let without_poller = || snapshot.inputs.as_ref().err().filter(|_| observation.facts.is_none());
    observation.problem.as_ref().or_else(without_poller)
}

/// The first names, and the number of further ones.
pub(super) fn abbreviated(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn unusable_inputs(snapshot: &Snapshot, status: &mut AppLinkAddonStatus) -> Option<Decision> {
    let report = snapshot.inputs.as_ref().err()?;
    remove_unknown_reachability(snapshot, status);
    let may_follow = report.reason == Reason::SecretNotFound;
    let wait = may_follow.then(|| grace(&snapshot.state, snapshot.now)).flatten();
    Some(wait.unwrap_or_else(|| Decision::report(report.clone())))
}

/// Polls if there is no result yet, or none since the user asked for one.
fn missing_observation(snapshot: &Snapshot, _: &mut AppLinkAddonStatus) -> Option<Decision> {
    let (state, observation) = (&snapshot.state, &snapshot.observation);
    let requested = state.requested.is_some() && observation.at.is_none_or(|at| at < state.changed_at);
    let none = observation.facts.is_none() && observation.problem.is_none();
    (requested || none).then(|| Decision::step(Step::Poll))
}

/// Records the facts, and reports Ready and Reachable.
fn report(snapshot: &Snapshot, status: &mut AppLinkAddonStatus) -> Option<Decision> {
    let observation = &snapshot.observation;
    let same_identity =
        |facts: &&AddonFacts| facts.identity_change(status.app_id.as_deref(), status.addon_id.as_deref()).is_none();
    if let Some(facts) = observation.facts.as_ref().filter(same_identity) {
        record_facts(status, facts);
    }
    status.connections = observation.connections.or(status.connections);
    status.authorizations = observation.authorizations.or(status.authorizations);
    set_reachable(snapshot, status);
    if let Some(problem) = &observation.problem {
        return Some(unusable_addon(snapshot, problem));
    }
    let name = status.addon_name.as_deref().unwrap_or_default();
    let text = match observation.facts.as_ref().and_then(|facts| facts.renamed_to.as_ref()) {
        Some(app) => format!(
            "add-on {name} answers. Its app is now named {app}; the operator identifies it by UUID, so you need not change \
             spec.app"
        ),
        None => format!("add-on {name} answers"),
    };
    Some(Decision::report(ConditionReport::ready(Reason::AddonReady, text)))
}

fn record_facts(status: &mut AppLinkAddonStatus, facts: &AddonFacts) {
    status.app_id = Some(facts.app_id.clone());
    status.addon_id = Some(facts.addon_id.clone());
    status.addon_name = Some(facts.addon_name.clone());
    status.api_url = Some(facts.api_url.clone());
}

/// Reports a problem. During an outage, an add-on stays Ready, and so do its resources, until the outage is stale.
fn unusable_addon(snapshot: &Snapshot, problem: &ConditionReport) -> Decision {
    let outage = problem.reason.is_outage();
    if outage && snapshot.observation.stale {
        return Decision::report(ConditionReport::unknown(problem.reason, problem.message.clone()));
    }
    if outage && snapshot.state.ready {
        let text = "the operator found the add-on, but it does not answer now. See condition Reachable";
        return Decision::report(ConditionReport::ready(Reason::AddonReady, text));
    }
    Decision::report(problem.clone())
}

/// Removes condition Reachable while another problem hides whether AppLink answers. Returns whether that is so.
fn remove_unknown_reachability(snapshot: &Snapshot, status: &mut AppLinkAddonStatus) -> bool {
    let unknown = cause(snapshot).is_some_and(|cause| !cause.reason.is_outage());
    if unknown {
        status.conditions.retain(|c| c.type_ != ConditionType::Reachable.as_str());
    }
    unknown
}

fn set_reachable(snapshot: &Snapshot, status: &mut AppLinkAddonStatus) {
    let (now, generation) = (snapshot.now, snapshot.state.generation);
    let observation = &snapshot.observation;
    if remove_unknown_reachability(snapshot, status) {
        return;
    }
    let (value, reason, message) = match (&observation.problem, &observation.constrained, &observation.list_problem) {
        (_, Some(text), _) => ("False", Reason::QuotaConstrained, text.as_str()),
        (Some(report), None, _) | (None, None, Some(report)) => ("False", report.reason, report.message.as_str()),
        (None, None, None) => ("True", Reason::Reachable, "AppLink answers"),
    };
    let before = &status.conditions;
    let next = build_condition(before, ConditionType::Reachable, value, reason.as_str(), message, generation, now);
    if condition(before, ConditionType::Reachable) != Some(&next) {
        status.conditions.retain(|c| c.type_ != ConditionType::Reachable.as_str());
        status.conditions.push(next);
    }
}
