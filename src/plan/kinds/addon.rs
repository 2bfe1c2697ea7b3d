//! The plan of one AppLinkAddon: nothing is ever created for it; it is found, watched and let go.
//!
//! Pure. `control::kind` calls it; it starts and stops the poller.

use jiff::Timestamp;

use crate::conditions::{ConditionReport, say};
use crate::crd::{AppLinkAddonStatus, ConditionType, ManagementPolicy, Reason, condition};
use crate::facts::{AddonFacts, AddonObservation};
use crate::plan::remote::{Decision, grace};
use crate::plan::state::ReconcileState;
use crate::plan::{Plan, Step};

/// All that an AppLinkAddon's plan depends on.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// `spec.managementPolicy`
    pub management: ManagementPolicy,
    /// Whether the spec and its Secret can be used, or why not.
    pub desired: Result<(), ConditionReport>,
    /// What was found.
    pub live: &'a AddonObservation,
    /// Objects that must go first, as people name them.
    pub dependents: &'a [String],
    /// What is remembered.
    pub state: &'a ReconcileState,
    /// The status as it is.
    pub status: &'a AppLinkAddonStatus,
    /// Now.
    pub now: Timestamp,
}

/// What to do next for an AppLinkAddon, and what to say of it.
#[must_use]
pub fn plan(input: &Input<'_>) -> Plan<AppLinkAddonStatus> {
    let mut status = input.status.clone();
    if let Some(token) = &input.state.replace {
        status.last_handled_replace = Some(token.clone());
    }
    let decision = if input.state.deleting { plan_deletion(input, &mut status) } else { decide(input, &mut status) };
    Plan { steps: decision.steps, update: decision.update, requeue_after: decision.requeue_after, status }
}

fn plan_deletion(input: &Input<'_>, status: &mut AppLinkAddonStatus) -> Decision {
    let state = input.state;
    if !state.finalizer {
        return Decision::unchanged();
    }
    let free = state.force_orphan || input.management == ManagementPolicy::Observe || input.dependents.is_empty();
    if free {
        return Decision::steps(vec![Step::RemoveFinalizer { orphaned: None }]);
    }
    unknown_reachability(input, status);
    let names = shortened(input.dependents);
    let text = format!("these need the add-on and must be deleted first: {names}");
    let text = match cause(input) {
        Some(cause) => format!("{text}. They cannot be deleted from AppLink now ({}): {}", cause.reason, cause.message),
        None => text,
    };
    Decision::report(ConditionReport::in_progress(Reason::DeletionBlocked, text))
}

/// Why the add-on cannot be used now. One that is followed works on with the token it has, whatever became of its Secret.
fn cause<'a>(input: &'a Input<'_>) -> Option<&'a ConditionReport> {
    let live = input.live;
    let unfollowed = || input.desired.as_ref().err().filter(|_| live.facts.is_none());
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

fn decide(input: &Input<'_>, status: &mut AppLinkAddonStatus) -> Decision {
    let observes = input.management == ManagementPolicy::Observe;
    if observes && input.state.finalizer {
        return Decision::steps(vec![Step::RemoveFinalizer { orphaned: None }]);
    }
    if !observes && !input.state.finalizer {
        return Decision::steps(vec![Step::AddFinalizer]);
    }
    if let Err(report) = &input.desired {
        unknown_reachability(input, status);
        let may_come = report.reason == Reason::SecretNotFound;
        let wait = may_come.then(|| grace(input.state, input.now)).flatten();
        return wait.unwrap_or_else(|| Decision::report(report.clone()));
    }
    let live = input.live;
    let asked = input.state.requested && live.at.is_none_or(|at| at < input.state.changed_at);
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
    reachable(input, status);
    match &live.problem {
        Some(report) => unusable_addon(input, report),
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
fn unusable_addon(input: &Input<'_>, report: &ConditionReport) -> Decision {
    let outage = report.reason.is_outage();
    if outage && input.live.stale {
        return Decision::report(ConditionReport::unknown(report.reason, report.message.clone()));
    }
    if outage && input.state.ready {
        let text = "the add-on was found; condition Reachable tells why it does not answer now";
        return Decision::report(ConditionReport::ready(Reason::AddonReady, text));
    }
    Decision::report(report.clone())
}

/// Drops what was said of AppLink where something else is wrong, so that nobody knows whether it would answer. Tells whether
/// that is so.
fn unknown_reachability(input: &Input<'_>, status: &mut AppLinkAddonStatus) -> bool {
    let unknown = cause(input).is_some_and(|cause| !cause.reason.is_outage());
    if unknown {
        status.conditions.retain(|c| c.type_ != ConditionType::Reachable.as_str());
    }
    unknown
}

fn reachable(input: &Input<'_>, status: &mut AppLinkAddonStatus) {
    let (now, generation) = (input.now, input.state.generation);
    let live = input.live;
    if unknown_reachability(input, status) {
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
