//! The create-intent protocol: how one remote object is made once, kept, and taken away, whatever its kind.
//!
//! Pure. `diff/<kind>` calls it and adds what only that kind knows: what a match is, and what to say of each phase.

mod adoption;
mod connection;
mod consent;
mod creation;
mod deletion;
pub mod name_claim;
mod outage;
mod publication;
pub mod recorded;
mod replacement;

pub use connection::ConnectionState;
pub use consent::OwnedSecret;
pub use publication::PublishReason;

use serde::{Deserialize, Serialize};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Step;
use super::policies::Policies;
use super::state::{CallOutcome, Intent, ReconcileState};
use crate::conditions::{ConditionReport, Progress, StatusUpdate};
use crate::crd::Reason;
use crate::facts::{Lookup, Observed, Phase, RemoteObject};

/// How long after its intent the POST of a process that died may still bear fruit: the deadline of a call, and some more for
/// what lay between the two.
pub const SETTLE: SignedDuration = SignedDuration::from_secs(35);
/// How long the same inputs rest after the service refused them for good.
pub const REFUSAL_REST: SignedDuration = SignedDuration::from_mins(10);
/// Calls that may be refused for good within that time, whatever the user edits or asks for; the last may be two, since a
/// refused token is renewed once.
const REFUSALS: usize = 5;
/// How long a service may take before "in progress" counts as failed.
const PROGRESS_LIMIT: SignedDuration = SignedDuration::from_mins(15);
/// How long a dependency that was applied along with the object may take to show up before anything is said of it.
const GRACE: SignedDuration = SignedDuration::from_secs(2);
/// How long a deletion that the service took may stay invisible before it is asked for again.
const DELETION_REST: SignedDuration = SignedDuration::from_mins(1);
/// Re-creations within `CONTEST_WINDOW` before somebody else is thought to manage the object too.
const CONTEST_LIMIT: usize = 3;
const CONTEST_WINDOW: SignedDuration = SignedDuration::from_hours(1);
/// The service's clock and ours may differ by this much.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// What is known of the add-on that the object lives on.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub enum OwnerState {
    /// There is no such AppLinkAddon.
    Missing,
    /// It has not been reached since this process began.
    Unobserved,
    /// It cannot be used, or not now. Its UUID may be known from before.
    Unusable {
        /// UUID, where known.
        id: Option<String>,
        /// What is wrong.
        report: ConditionReport,
        /// Whether it has been silent for so long that nothing is known any more.
        stale: bool,
    },
    /// It answers.
    Ready {
        /// UUID.
        id: String,
    },
}

/// What a status records of the remote object, the same in every kind that has an id.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RecordedStatus {
    /// `status.id`
    pub id: Option<String>,
    /// `status.addonID`
    pub owner_id: Option<String>,
    /// `status.appliedHash`: set once the object is ours.
    pub applied_hash: Option<String>,
    /// `status.answeredAttempt`: the last attempt whose outcome is recorded.
    pub answered_attempt: Option<i64>,
    /// Whether it was ever in working order.
    pub was_ready: bool,
}

/// One case to decide.
#[derive(Clone, Debug)]
pub struct RemoteContext<'a, R> {
    /// Kind as written for people, lower case.
    pub noun: &'static str,
    /// Remote name.
    pub name: &'a str,
    /// What people call it: the remote name, where that is not an id.
    pub display_name: &'a str,
    /// Id of the connection that it lives on, where it lives on one.
    pub parent: Option<&'a str>,
    /// Name of the AppLinkAddon.
    pub owner_name: &'a str,
    /// What may be done.
    pub policies: Policies,
    /// The add-on.
    pub owner: &'a OwnerState,
    /// What is live.
    pub lookup: &'a Lookup<R>,
    /// What is recorded in the status.
    pub recorded: &'a RecordedStatus,
    /// What is remembered.
    pub state: &'a ReconcileState,
    /// Now.
    pub now: Timestamp,
}

/// Whose the object under the name is.
#[derive(Clone, Debug, PartialEq)]
pub enum Ownership<'a, R> {
    /// Ours, by its recorded id.
    Recorded(&'a Observed<R>),
    /// Ours, by an intent whose answer never came.
    Intended(&'a Observed<R>),
    /// It was there first.
    Foreign(&'a Observed<R>),
    /// Nobody's that was seen.
    Unclaimed,
}

/// Steps, what to report after them, and when to plan again.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What to do.
    pub steps: Vec<Step>,
    /// What to say.
    pub update: StatusUpdate,
    /// When to plan again.
    pub requeue_after: Option<Duration>,
}

impl Decision {
    /// Nothing to do but to say this.
    #[must_use]
    pub fn report(report: ConditionReport) -> Self {
        Self { steps: Vec::new(), update: report.into(), requeue_after: None }
    }

    /// Nothing to do, since the user stopped all work.
    #[must_use]
    pub fn suspended() -> Self {
        Self::report(ConditionReport::suspended("suspended: nothing is done until spec.suspend is false"))
    }

    /// Things to do at once; what is to be said is known after them.
    #[must_use]
    pub fn steps(steps: Vec<Step>) -> Self {
        Self { steps, update: StatusUpdate::Unchanged, requeue_after: None }
    }

    /// Nothing to do, and nothing new to say.
    #[must_use]
    pub fn unchanged() -> Self {
        Self::steps(Vec::new())
    }

    /// The service is at work: to be looked at often, and this is to be said meanwhile.
    #[must_use]
    pub fn await_remote(update: impl Into<StatusUpdate>) -> Self {
        Self { steps: vec![Step::AwaitRemote], update: update.into(), requeue_after: None }
    }

    /// The same, planned again after `wait`.
    #[must_use]
    pub fn requeue_after(self, wait: SignedDuration) -> Self {
        // A little late rather than a little early, or the same plan would come out again.
        let wait = Duration::try_from(wait).unwrap_or_default().saturating_add(Duration::from_millis(50));
        Self { requeue_after: Some(wait), ..self }
    }
}

impl<'a, R: RemoteObject> RemoteContext<'a, R> {
    /// The add-on's UUID, where it is known.
    #[must_use]
    pub fn owner_id(&self) -> Option<&'a str> {
        match self.owner {
            OwnerState::Ready { id } => Some(id),
            OwnerState::Unusable { id, .. } => id.as_deref(),
            OwnerState::Missing | OwnerState::Unobserved => None,
        }
    }

    /// The intent whose outcome is not recorded yet.
    #[must_use]
    pub fn open_intent(&self) -> Option<&'a Intent> {
        let intent = self.state.intent.as_ref()?;
        self.recorded.answered_attempt.is_none_or(|answered| intent.attempt > answered).then_some(intent)
    }

    /// The open intent, where it is one that a creation may have been sent under.
    #[must_use]
    pub fn create_intent(&self) -> Option<&'a Intent> {
        self.open_intent().filter(|intent| intent.id.is_none() && intent.parent.as_deref() == self.parent)
    }

    /// The open intent, where it is the word that this object is adopted, or that it makes room for another.
    #[must_use]
    pub fn intent_for(&self, id: &str) -> Option<&'a Intent> {
        self.open_intent().filter(|intent| intent.id.as_deref() == Some(id))
    }

    /// The word that this object, which is recorded as ours, makes room for another.
    #[must_use]
    pub fn replacement_intent(&self, id: &str) -> Option<&'a Intent> {
        let recorded = self.recorded.applied_hash.is_some() && self.recorded.id.as_deref() == Some(id);
        self.intent_for(id).filter(|_| recorded)
    }

    /// Whether `applink.dev/replace` asks for what has not been done yet. A word that was given for it and not carried
    /// out still counts.
    #[must_use]
    pub fn replacement_requested(&self) -> bool {
        let Some(token) = &self.state.replace else { return false };
        let given = self.state.intent.as_ref().filter(|intent| intent.replace.as_ref() == Some(token));
        given.is_none() || self.recorded.id.as_deref().is_some_and(|id| self.replacement_intent(id).is_some())
    }

    /// Whether the user asks for another try, by either annotation.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.state.requested || self.replacement_requested()
    }

    /// Whether the user asked for another try after this.
    #[must_use]
    pub fn requested_since(&self, at: Timestamp) -> bool {
        self.requested() && at < self.state.changed_at
    }

    /// Whose the object is. `fits` tells whether one found by name alone can be what the intent announced.
    pub fn ownership(&self, fits: impl Fn(&R) -> bool) -> Ownership<'a, R> {
        let given = self.state.finalizer || self.state.intent.is_some();
        let owned = self.recorded.applied_hash.is_some() || (given && self.open_intent().is_none());
        let there = |seen: &&Observed<R>| seen.object.phase() != Phase::Deleted;
        let of_id = |id: &str| self.lookup.of_id(id).filter(there);
        let posted = self.create_intent();
        if let Some(seen) = self.recorded.id.as_deref().filter(|_| owned).and_then(of_id) {
            // It was gone when the word was given: a service may well make the new one under the id of the old.
            let anew = posted.is_some_and(|intent| self.observed_since(seen, intent) && fits(&seen.object));
            return if anew { Ownership::Intended(seen) } else { Ownership::Recorded(seen) };
        }
        let named = self.lookup.of_name(self.name);
        let Some(intent) = posted else {
            return named.first().map_or(Ownership::Unclaimed, |seen| Ownership::Foreign(seen));
        };
        // Our intent was written when nothing bore the name: what bears it now came after.
        // A date beyond all calendars is before nothing.
        let before = |created: Timestamp| created.checked_add(SKEW).is_ok_and(|at| at < intent.at);
        let first = |seen: &Observed<R>| seen.object.created().is_some_and(before);
        let ours = named.iter().rev().find(|seen| !first(seen) && fits(&seen.object));
        match (ours, named.first()) {
            (Some(seen), _) => Ownership::Intended(seen),
            (None, Some(seen)) => Ownership::Foreign(seen),
            (None, None) => Ownership::Unclaimed,
        }
    }

    /// Whether this was seen to be there, by more than a list, since the word was given.
    #[must_use]
    pub fn observed_since(&self, seen: &Observed<R>, intent: &Intent) -> bool {
        seen.detailed && seen.at >= intent.at
    }

    /// Whether this was seen before an edit or a request that nothing has been said of yet.
    #[must_use]
    pub fn outdated(&self, seen: &Observed<R>) -> bool {
        seen.at < self.state.changed_at && (!self.state.is_observed() || self.state.requested)
    }

    /// What keeps us from planning anything: the add-on is missing, silent or another one.
    #[must_use]
    pub fn owner_error(&self) -> Option<Decision> {
        let addon = self.owner_name;
        match self.owner {
            OwnerState::Missing if addon.is_empty() => Some(
                self.missing_dependency(
                    Reason::DependencyNotFound,
                    "its AppLinkAddon is not known, since its Connection is gone or cannot be read; waiting for it"
                        .to_owned(),
                ),
            ),
            OwnerState::Missing => Some(self.missing_dependency(
                Reason::DependencyNotFound,
                format!("AppLinkAddon {addon} does not exist in this namespace; waiting for it"),
            )),
            // Its first pass is under way. What was said before stands until that ends.
            OwnerState::Unobserved if self.state.is_observed() => Some(Decision::unchanged()),
            OwnerState::Unobserved => Some(self.missing_dependency(
                Reason::AddonNotReady,
                format!("AppLinkAddon {addon} has not been read yet; waiting for it"),
            )),
            OwnerState::Unusable { id: Some(id), .. } | OwnerState::Ready { id } if self.owner_changed(id) => {
                let text = format!(
                    "AppLinkAddon {addon} now stands for another add-on ({id}) than the one this {} was made on; \
                     nothing is touched",
                    self.noun
                );
                Some(Decision::report(ConditionReport::stalled(Reason::AddonChanged, text)))
            }
            OwnerState::Unusable { report, stale, .. } => Some(self.unusable_owner(report, *stale)),
            OwnerState::Ready { .. } => None,
        }
    }

    /// Says `reason`, but not while a dependency may be on its way in the same `kubectl apply`.
    #[must_use]
    pub fn missing_dependency(&self, reason: Reason, text: String) -> Decision {
        grace(self.state, self.now).unwrap_or_else(|| Decision::report(ConditionReport::in_progress(reason, text)))
    }

    /// What a refusal of late bids us do: say so, and rest. That something was not to be made says nothing of this. An edit
    /// or a request since ends the rest.
    #[must_use]
    pub fn after_refusal(&self) -> Option<Decision> {
        let Some(CallOutcome::Refused { report, at, attempt: None, .. }) = &self.state.last_outcome else {
            return None;
        };
        let left = REFUSAL_REST.saturating_sub(elapsed(*at, self.now));
        let rests = left.is_positive() && *at >= self.state.changed_at;
        rests.then(|| Decision::report(report.clone()).requeue_after(left))
    }

    /// How long nothing more may be asked of the service for the object, since it refused so often of late.
    fn refusal_limit(&self) -> Option<SignedDuration> {
        let left = self.state.refusals.iter().rev().map(|at| REFUSAL_REST.saturating_sub(elapsed(*at, self.now)));
        left.filter(SignedDuration::is_positive).nth(REFUSALS.saturating_sub(1))
    }

    fn owner_changed(&self, id: &str) -> bool {
        let given = self.state.intent.as_ref().map(|intent| intent.owner_id.as_str());
        self.recorded.owner_id.as_deref().or(given).is_some_and(|known| known != id)
    }

    /// What the last call's outcome bids us do first, if anything. An edit or a request since ends the wait, but for a
    /// limit of calls.
    #[must_use]
    pub fn after_outcome(&self) -> Option<Decision> {
        let spent = self.refusal_limit();
        let (report, left) = match &self.state.last_outcome {
            Some(CallOutcome::Deferred { report, at, until, .. }) => {
                let stands = *at >= self.state.changed_at || report.reason == Reason::RateLimited;
                let left = elapsed(self.now, *until);
                (report, Some(left).filter(|left| stands && left.is_positive()).max(spent)?)
            }
            Some(CallOutcome::Refused { report, .. }) => (report, spent?),
            _ => return None,
        };
        let decision =
            Decision { update: self.report_while_deferred(report), ..Decision::unchanged() }.requeue_after(left);
        Some(match report.progress {
            _ if !self.state.deleting => decision,
            Progress::Failed => self.deletion_blocked(decision),
            _ => self.deletion_blocked_by(report, decision),
        })
    }

    /// What to say while a call waits that could not be carried out. What was Ready is so until it is proved gone, and
    /// tells what keeps it from being otherwise, but of an edit nothing is said yet; where the user must act, that is said.
    fn report_while_deferred(&self, trouble: &ConditionReport) -> StatusUpdate {
        let gone = self.recorded.id.as_ref().is_some_and(|id| self.lookup.deleted_ids.contains(id));
        if !self.state.ready || gone || trouble.progress == Progress::Failed {
            return trouble.clone().into();
        }
        match self.state.reason {
            Some(reason) if self.state.is_observed() && reason != Reason::Suspended => {
                let (noun, display_name) = (self.noun, self.display_name);
                let text = format!(
                    "{noun} {display_name} is as it was last seen; what is to be done next waits: {}",
                    trouble.message
                );
                ConditionReport::ready(reason, text).into()
            }
            _ => StatusUpdate::Unchanged,
        }
    }
}

/// Says nothing yet of an object so new that what it needs may be on its way in the same `kubectl apply`.
#[must_use]
pub fn grace(state: &ReconcileState, now: Timestamp) -> Option<Decision> {
    let left = GRACE.saturating_sub(elapsed(state.changed_at, now));
    (left.is_positive() && !state.is_observed()).then(|| Decision::unchanged().requeue_after(left))
}

/// From `from` to `to`; never negative.
#[must_use]
pub fn elapsed(from: Timestamp, to: Timestamp) -> SignedDuration {
    to.duration_since(from).max(SignedDuration::ZERO)
}
