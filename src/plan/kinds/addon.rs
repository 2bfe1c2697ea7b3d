//! The plan of one AppLinkAddon: nothing is ever created for it; it is found, watched and let go.
//!
//! Pure. `control::kind` calls it; it starts and stops the poller.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::conditions::{ConditionReport, say};
use crate::crd::{AppLinkAddonStatus, ConditionType, ManagementPolicy, Reason, condition};
use crate::facts::{AddonFacts, AddonObservation};
use crate::plan::remote::{Decision, grace};
use crate::plan::state::ReconcileState;
use crate::plan::{Plan, Step};

/// All that an AppLinkAddon's plan depends on.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// `spec.managementPolicy`
    pub management: ManagementPolicy,
    /// Whether the spec and its Secret can be used, or why not.
    pub inputs: Result<(), ConditionReport>,
    /// What the poller found.
    pub observation: AddonObservation,
    /// Resources that must be deleted first.
    pub dependents: Vec<String>,
    /// What the object and this process remember.
    pub state: ReconcileState,
    /// The status as it is.
    pub status: AppLinkAddonStatus,
    /// The time.
    pub now: Timestamp,
}

/// What to do next for an AppLinkAddon, and what to say of it.
#[must_use]
pub fn plan(snapshot: &Snapshot) -> Plan<AppLinkAddonStatus> {
    let mut status = snapshot.status.clone();
    if let Some(token) = &snapshot.state.replace {
        status.last_handled_replace = Some(token.clone());
    }
    let decision =
        if snapshot.state.deleting { plan_deletion(snapshot, &mut status) } else { decide(snapshot, &mut status) };
    Plan { steps: decision.steps, update: decision.update, requeue_after: decision.requeue_after, status }
}

fn plan_deletion(snapshot: &Snapshot, status: &mut AppLinkAddonStatus) -> Decision {
    let state = &snapshot.state;
    if !state.finalizer {
        return Decision::unchanged();
    }
    let free = state.force_orphan || snapshot.management == ManagementPolicy::Observe || snapshot.dependents.is_empty();
    if free {
        return Decision::steps(vec![Step::RemoveFinalizer { orphaned: None }]);
    }
    unknown_reachability(snapshot, status);
    let names = shortened(&snapshot.dependents);
    let text = format!("these need the add-on and must be deleted first: {names}");
    let text = match cause(snapshot) {
        Some(cause) => format!("{text}. They cannot be deleted from AppLink now ({}): {}", cause.reason, cause.message),
        None => text,
    };
    Decision::report(ConditionReport::in_progress(Reason::DeletionBlocked, text))
}

/// Why the add-on cannot be used now. One that is followed works on with the token it has, whatever became of its Secret.
fn cause(snapshot: &Snapshot) -> Option<&ConditionReport> {
    let live = &snapshot.observation;
    let unfollowed = || snapshot.inputs.as_ref().err().filter(|_| live.facts.is_none());
    live.problem.as_ref().or_else(unfollowed)
}

/// The first of these names, and how many more there are.
pub(super) fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn decide(snapshot: &Snapshot, status: &mut AppLinkAddonStatus) -> Decision {
    let observes = snapshot.management == ManagementPolicy::Observe;
    if observes && snapshot.state.finalizer {
        return Decision::steps(vec![Step::RemoveFinalizer { orphaned: None }]);
    }
    if !observes && !snapshot.state.finalizer {
        return Decision::steps(vec![Step::AddFinalizer]);
    }
    if let Err(report) = &snapshot.inputs {
        unknown_reachability(snapshot, status);
        let may_come = report.reason == Reason::SecretNotFound;
        let wait = may_come.then(|| grace(&snapshot.state, snapshot.now)).flatten();
        return wait.unwrap_or_else(|| Decision::report(report.clone()));
    }
    let live = &snapshot.observation;
    let asked = snapshot.state.requested && live.at.is_none_or(|at| at < snapshot.state.changed_at);
    if asked || (live.facts.is_none() && live.problem.is_none()) {
        return Decision::steps(vec![Step::Poll]);
    }
    if let Some(facts) = live
        .facts
        .as_ref()
        .filter(|facts| facts.identity_change(status.app_id.as_deref(), status.addon_id.as_deref()).is_none())
    {
        record(status, facts);
    }
    status.connections = live.connections.or(status.connections);
    status.authorizations = live.authorizations.or(status.authorizations);
    reachable(snapshot, status);
    match &live.problem {
        Some(report) => unusable_addon(snapshot, report),
        None => {
            let name = status.addon_name.as_deref().unwrap_or_default();
            let text = match live.facts.as_ref().and_then(|facts| facts.renamed_to.as_ref()) {
                Some(now) => format!(
                    "add-on {name} answers. Its app is called {now} now; it is known by its UUID, so spec.app may stay as it is"
                ),
                None => format!("add-on {name} answers"),
            };
            Decision::report(ConditionReport::ready(Reason::AddonReady, text))
        }
    }
}

fn record(status: &mut AppLinkAddonStatus, facts: &AddonFacts) {
    status.app_id = Some(facts.app_id.clone());
    status.addon_id = Some(facts.addon_id.clone());
    status.addon_name = Some(facts.addon_name.clone());
    status.api_url = Some(facts.api_url.clone());
}

/// An outage leaves an add-on Ready, and what lives on it too, until it has lasted too long.
fn unusable_addon(snapshot: &Snapshot, report: &ConditionReport) -> Decision {
    let outage = report.reason.is_outage();
    if outage && snapshot.observation.stale {
        return Decision::report(ConditionReport::unknown(report.reason, report.message.clone()));
    }
    if outage && snapshot.state.ready {
        let text = "the add-on was found; condition Reachable tells why it does not answer now";
        return Decision::report(ConditionReport::ready(Reason::AddonReady, text));
    }
    Decision::report(report.clone())
}

/// Drops what was said of AppLink where something else is wrong, so that nobody knows whether it would answer. Tells whether
/// that is so.
fn unknown_reachability(snapshot: &Snapshot, status: &mut AppLinkAddonStatus) -> bool {
    let unknown = cause(snapshot).is_some_and(|cause| !cause.reason.is_outage());
    if unknown {
        status.conditions.retain(|c| c.type_ != ConditionType::Reachable.as_str());
    }
    unknown
}

fn reachable(snapshot: &Snapshot, status: &mut AppLinkAddonStatus) {
    let (now, generation) = (snapshot.now, snapshot.state.generation);
    let live = &snapshot.observation;
    if unknown_reachability(snapshot, status) {
        return;
    }
    let (value, reason, message) = match (&live.problem, &live.constrained, &live.list_problem) {
        (_, Some(text), _) => ("False", Reason::QuotaConstrained, text.as_str()),
        (Some(report), None, _) | (None, None, Some(report)) => ("False", report.reason, report.message.as_str()),
        (None, None, None) => ("True", Reason::Reachable, "AppLink answers"),
    };
    let next = say(&status.conditions, ConditionType::Reachable, value, reason.as_str(), message, generation, now);
    match condition(&status.conditions, ConditionType::Reachable) {
        Some(known) if *known == next => {}
        _ => {
            status.conditions.retain(|c| c.type_ != ConditionType::Reachable.as_str());
            status.conditions.push(next);
        }
    }
}
