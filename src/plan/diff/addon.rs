//! The plan of one AppLinkAddon: nothing is ever created for it; it is found, watched and let go.
//!
//! Pure. `control::kind` calls it; `heroku` asks [`identify`] each time that it looks one up.

use jiff::Timestamp;

use crate::crd::{AppLinkAddonStatus, ConditionType, ManagementPolicy, Reason, condition};
use crate::plan::live::{AddonFacts, AddonLive};
use crate::plan::memory::Memory;
use crate::plan::remote::{Course, grace};
use crate::plan::verdict::{Verdict, say};
use crate::plan::{Plan, Step};

/// All that an AppLinkAddon's plan depends on.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// `spec.managementPolicy`
    pub management: ManagementPolicy,
    /// Whether the spec and its Secret can be used, or why not.
    pub desired: Result<(), Verdict>,
    /// What was found.
    pub live: &'a AddonLive,
    /// Objects that must go first, as people name them.
    pub dependants: &'a [String],
    /// What is remembered.
    pub memory: &'a Memory,
    /// The status as it is.
    pub status: &'a AppLinkAddonStatus,
    /// Now.
    pub now: Timestamp,
}

/// What to do next for an AppLinkAddon, and what to say of it.
#[must_use]
pub fn plan(input: &Input<'_>) -> Plan<AppLinkAddonStatus> {
    let mut status = input.status.clone();
    if let Some(token) = &input.memory.replace {
        status.last_handled_replace = Some(token.clone());
    }
    let course = if input.memory.deleting { leave(input, &mut status) } else { decide(input, &mut status) };
    Plan { steps: course.steps, report: course.report, again: course.again, status }
}

/// Whether what bears the name is still what it was: a UUID once resolved is kept.
///
/// # Errors
/// The verdict to show where it is another one.
pub fn identify(found: &AddonFacts, status: &AppLinkAddonStatus) -> Result<(), Verdict> {
    let moved = |what: &str, recorded: Option<&str>, now: &str| match recorded {
        Some(recorded) if recorded != now => Err(Verdict::needs_user(
            Reason::AddonChanged,
            format!(
                "the {what} of that name was {recorded} and is {now} now; nothing is touched. Create another \
                 AppLinkAddon for the new one, or restore the old one on Heroku"
            ),
        )),
        _ => Ok(()),
    };
    moved("app", status.app_id.as_deref(), &found.app_id)?;
    moved("add-on", status.addon_id.as_deref(), &found.addon_id)
}

fn leave(input: &Input<'_>, status: &mut AppLinkAddonStatus) -> Course {
    let memory = input.memory;
    if !memory.finalizer {
        return Course::hold();
    }
    let free = memory.force_orphan || input.management == ManagementPolicy::Observe || input.dependants.is_empty();
    if free {
        return Course::act(vec![Step::Release { orphaned: None }]);
    }
    unknown_reachability(input, status);
    let names = shortened(input.dependants);
    let text = format!("these need the add-on and must be deleted first: {names}");
    let text = match cause(input) {
        Some(cause) => format!("{text}. They cannot be deleted from AppLink now ({}): {}", cause.reason, cause.message),
        None => text,
    };
    Course::say(Verdict::waits(Reason::DeletionBlocked, text))
}

/// Why the add-on cannot be used now. One that is followed works on with the token it has, whatever became of its Secret.
fn cause<'a>(input: &'a Input<'_>) -> Option<&'a Verdict> {
    let live = input.live;
    let unfollowed = || input.desired.as_ref().err().filter(|_| live.facts.is_none());
    live.trouble.as_ref().or_else(unfollowed)
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

fn decide(input: &Input<'_>, status: &mut AppLinkAddonStatus) -> Course {
    let observes = input.management == ManagementPolicy::Observe;
    if observes && input.memory.finalizer {
        return Course::act(vec![Step::Release { orphaned: None }]);
    }
    if !observes && !input.memory.finalizer {
        return Course::act(vec![Step::Guard]);
    }
    if let Err(verdict) = &input.desired {
        unknown_reachability(input, status);
        let may_come = verdict.reason == Reason::SecretNotFound;
        let wait = may_come.then(|| grace(input.memory, input.now)).flatten();
        return wait.unwrap_or_else(|| Course::say(verdict.clone()));
    }
    let live = input.live;
    let asked = input.memory.requested && live.at.is_none_or(|at| at < input.memory.since);
    if asked || (live.facts.is_none() && live.trouble.is_none()) {
        return Course::act(vec![Step::Look]);
    }
    if let Some(facts) = live.facts.as_ref().filter(|facts| identify(facts, status).is_ok()) {
        record(status, facts);
    }
    status.connections = live.connections.or(status.connections);
    status.authorizations = live.authorizations.or(status.authorizations);
    reachable(input, status);
    match &live.trouble {
        Some(verdict) => trouble(input, verdict),
        None => {
            let name = status.addon_name.as_deref().unwrap_or_default();
            let text = match live.facts.as_ref().and_then(|facts| facts.renamed_to.as_ref()) {
                Some(now) => format!(
                    "add-on {name} answers. Its app is called {now} now; it is known by its UUID, so spec.app may stay as it is"
                ),
                None => format!("add-on {name} answers"),
            };
            Course::say(Verdict::settled(Reason::AddonReady, text))
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
fn trouble(input: &Input<'_>, verdict: &Verdict) -> Course {
    let outage = verdict.reason.is_outage();
    if outage && input.live.silent {
        return Course::say(Verdict::unknown(verdict.reason, verdict.message.clone()));
    }
    if outage && input.memory.ready {
        let text = "the add-on was found; condition Reachable tells why it does not answer now";
        return Course::say(Verdict::settled(Reason::AddonReady, text));
    }
    Course::say(verdict.clone())
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
    let (now, generation) = (input.now, input.memory.generation);
    let live = input.live;
    if unknown_reachability(input, status) {
        return;
    }
    let (value, reason, message) = match (&live.trouble, &live.constrained, &live.partly) {
        (_, Some(text), _) => ("False", Reason::QuotaConstrained, text.as_str()),
        (Some(verdict), None, _) | (None, None, Some(verdict)) => ("False", verdict.reason, verdict.message.as_str()),
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
