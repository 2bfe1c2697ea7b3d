//! The create-intent protocol: how one remote object is made once, kept, and taken away, whatever its kind.
//!
//! Pure. `diff/<kind>` calls it and adds what only that kind knows: what a match is, and what to say of each phase.

mod adopt;
mod consent;
mod create;
mod leave;
pub mod name;
mod outage;
mod parent;
mod publish;
pub mod record;
mod replace;

pub use consent::HandOff;
pub use parent::Parent;
pub use publish::Again;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Step;
use super::live::{Live, Phase, RemoteObject, Sighting};
use super::memory::{Answer, Intent, Memory};
use super::policy::Policies;
use super::verdict::{Class, Report, Verdict};
use crate::crd::Reason;

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
#[derive(Clone, Debug, PartialEq)]
pub enum Addon {
    /// There is no such AppLinkAddon.
    Missing,
    /// It has not been reached since this process began.
    Unseen,
    /// It cannot be used, or not now. Its UUID may be known from before.
    Troubled {
        /// UUID, where known.
        id: Option<String>,
        /// What is wrong.
        verdict: Verdict,
        /// Whether it has been silent for so long that nothing is known any more.
        silent: bool,
    },
    /// It answers.
    Ready {
        /// UUID.
        id: String,
    },
}

/// What a status records of the remote object, the same in every kind that has an id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// `status.id`
    pub id: Option<String>,
    /// `status.addonID`
    pub addon_id: Option<String>,
    /// `status.appliedHash`: set once the object is ours.
    pub hash: Option<String>,
    /// `status.answeredAttempt`: the last attempt whose outcome is recorded.
    pub answered: Option<i64>,
    /// Whether it was ever in working order.
    pub was_up: bool,
}

/// One case to decide.
#[derive(Clone, Debug)]
pub struct Case<'a, R> {
    /// Kind as written for people, lower case.
    pub noun: &'static str,
    /// Remote name.
    pub name: &'a str,
    /// What people call it: the remote name, where that is not an id.
    pub title: &'a str,
    /// Id of the connection that it lives on, where it lives on one.
    pub parent: Option<&'a str>,
    /// Name of the AppLinkAddon.
    pub addon_name: &'a str,
    /// What may be done.
    pub policies: Policies,
    /// The add-on.
    pub addon: &'a Addon,
    /// What is live.
    pub live: &'a Live<R>,
    /// What is recorded in the status.
    pub record: &'a Record,
    /// What is remembered.
    pub memory: &'a Memory,
    /// Now.
    pub now: Timestamp,
}

/// Whose the object under the name is.
#[derive(Clone, Debug, PartialEq)]
pub enum Holder<'a, R> {
    /// Ours, by its recorded id.
    Recorded(&'a Sighting<R>),
    /// Ours, by an intent whose answer never came.
    Intended(&'a Sighting<R>),
    /// It was there first.
    Foreign(&'a Sighting<R>),
    /// Nobody's that was seen.
    Nobody,
}

/// Steps, what to report after them, and when to plan again.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// What to do.
    pub steps: Vec<Step>,
    /// What to say.
    pub report: Report,
    /// When to plan again.
    pub again: Option<Duration>,
}

impl Course {
    /// Nothing to do but to say this.
    #[must_use]
    pub fn say(verdict: Verdict) -> Self {
        Self { steps: Vec::new(), report: verdict.into(), again: None }
    }

    /// Nothing to do, since the user stopped all work.
    #[must_use]
    pub fn suspended() -> Self {
        Self::say(Verdict::suspended("suspended: nothing is done until spec.suspend is false"))
    }

    /// Things to do at once; what is to be said is known after them.
    #[must_use]
    pub fn act(steps: Vec<Step>) -> Self {
        Self { steps, report: Report::Hold, again: None }
    }

    /// Nothing to do, and nothing new to say.
    #[must_use]
    pub fn hold() -> Self {
        Self::act(Vec::new())
    }

    /// The service is at work: to be looked at often, and this is to be said meanwhile.
    #[must_use]
    pub fn attend(report: impl Into<Report>) -> Self {
        Self { steps: vec![Step::AwaitRemote], report: report.into(), again: None }
    }

    /// The same, planned again after `wait`.
    #[must_use]
    pub fn again(self, wait: SignedDuration) -> Self {
        // A little late rather than a little early, or the same plan would come out again.
        let wait = Duration::try_from(wait).unwrap_or_default() + Duration::from_millis(50);
        Self { again: Some(wait), ..self }
    }
}

impl<'a, R: RemoteObject> Case<'a, R> {
    /// The add-on's UUID, where it is known.
    #[must_use]
    pub fn addon_id(&self) -> Option<&'a str> {
        match self.addon {
            Addon::Ready { id } => Some(id),
            Addon::Troubled { id, .. } => id.as_deref(),
            Addon::Missing | Addon::Unseen => None,
        }
    }

    /// The intent whose outcome is not recorded yet.
    #[must_use]
    pub fn open_intent(&self) -> Option<&'a Intent> {
        let intent = self.memory.intent.as_ref()?;
        self.record.answered.is_none_or(|answered| intent.attempt > answered).then_some(intent)
    }

    /// The open intent, where it is one that a creation may have been sent under.
    #[must_use]
    pub fn posted_intent(&self) -> Option<&'a Intent> {
        self.open_intent().filter(|intent| intent.id.is_none() && intent.parent.as_deref() == self.parent)
    }

    /// The open intent, where it is the word that this object is adopted, or that it makes room for another.
    #[must_use]
    pub fn claimed(&self, id: &str) -> Option<&'a Intent> {
        self.open_intent().filter(|intent| intent.id.as_deref() == Some(id))
    }

    /// The word that this object, which is recorded as ours, makes room for another.
    #[must_use]
    pub fn making_room(&self, id: &str) -> Option<&'a Intent> {
        let recorded = self.record.hash.is_some() && self.record.id.as_deref() == Some(id);
        self.claimed(id).filter(|_| recorded)
    }

    /// Whether `applink.dev/replace` asks for what has not been done yet. A word that was given for it and not carried
    /// out still counts.
    #[must_use]
    pub fn replacement_asked(&self) -> bool {
        let Some(token) = &self.memory.replace else { return false };
        let given = self.memory.intent.as_ref().filter(|intent| intent.replace.as_ref() == Some(token));
        given.is_none() || self.record.id.as_deref().is_some_and(|id| self.making_room(id).is_some())
    }

    /// Whether the user asks for another try, by either annotation.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.memory.requested || self.replacement_asked()
    }

    /// Whether the user asked for another try after this.
    #[must_use]
    pub fn asked_since(&self, at: Timestamp) -> bool {
        self.asked() && at < self.memory.since
    }

    /// Whose the object is. `fits` tells whether one found by name alone can be what the intent announced.
    pub fn holder(&self, fits: impl Fn(&R) -> bool) -> Holder<'a, R> {
        let given = self.memory.finalizer || self.memory.intent.is_some();
        let owned = self.record.hash.is_some() || (given && self.open_intent().is_none());
        let there = |seen: &&Sighting<R>| seen.object.phase() != Phase::Gone;
        let of_id = |id: &str| self.live.of_id(id).filter(there);
        let posted = self.posted_intent();
        if let Some(seen) = self.record.id.as_deref().filter(|_| owned).and_then(of_id) {
            // It was gone when the word was given: a service may well make the new one under the id of the old.
            let anew = posted.is_some_and(|intent| self.proved(seen, intent) && fits(&seen.object));
            return if anew { Holder::Intended(seen) } else { Holder::Recorded(seen) };
        }
        let named = self.live.of_name(self.name);
        let Some(intent) = posted else {
            return named.first().map_or(Holder::Nobody, |seen| Holder::Foreign(seen));
        };
        // Our intent was written when nothing bore the name: what bears it now came after.
        let first = |seen: &Sighting<R>| seen.object.created().is_some_and(|created| created + SKEW < intent.at);
        let ours = named.iter().rev().find(|seen| !first(seen) && fits(&seen.object));
        match (ours, named.first()) {
            (Some(seen), _) => Holder::Intended(seen),
            (None, Some(seen)) => Holder::Foreign(seen),
            (None, None) => Holder::Nobody,
        }
    }

    /// Whether this was seen to be there, by more than a list, since the word was given.
    #[must_use]
    pub fn proved(&self, seen: &Sighting<R>, intent: &Intent) -> bool {
        seen.detailed && seen.at >= intent.at
    }

    /// Whether this was seen before an edit or a request that nothing has been said of yet.
    #[must_use]
    pub fn outdated(&self, seen: &Sighting<R>) -> bool {
        seen.at < self.memory.since && (!self.memory.judged() || self.memory.requested)
    }

    /// What keeps us from planning anything: the add-on is missing, silent or another one.
    #[must_use]
    pub fn obstacle(&self) -> Option<Course> {
        let addon = self.addon_name;
        match self.addon {
            Addon::Missing if addon.is_empty() => Some(
                self.missing(
                    Reason::DependencyNotFound,
                    "its AppLinkAddon is not known, since its Connection is gone or cannot be read; waiting for it"
                        .to_owned(),
                ),
            ),
            Addon::Missing => Some(self.missing(
                Reason::DependencyNotFound,
                format!("AppLinkAddon {addon} does not exist in this namespace; waiting for it"),
            )),
            // Its first pass is under way. What was said before stands until that ends.
            Addon::Unseen if self.memory.judged() => Some(Course::hold()),
            Addon::Unseen => {
                Some(self.missing(
                    Reason::AddonNotReady,
                    format!("AppLinkAddon {addon} has not been read yet; waiting for it"),
                ))
            }
            Addon::Troubled { id: Some(id), .. } | Addon::Ready { id } if self.moved(id) => {
                let text = format!(
                    "AppLinkAddon {addon} now stands for another add-on ({id}) than the one this {} was made on; \
                     nothing is touched",
                    self.noun
                );
                Some(Course::say(Verdict::needs_user(Reason::AddonChanged, text)))
            }
            Addon::Troubled { verdict, silent, .. } => Some(self.trouble(verdict, *silent)),
            Addon::Ready { .. } => None,
        }
    }

    /// Says `reason`, but not while a dependency may be on its way in the same `kubectl apply`.
    #[must_use]
    pub fn missing(&self, reason: Reason, text: String) -> Course {
        grace(self.memory, self.now).unwrap_or_else(|| Course::say(Verdict::waits(reason, text)))
    }

    /// What a refusal of late bids us do: say so, and rest. That something was not to be made says nothing of this. An edit
    /// or a request since ends the rest.
    #[must_use]
    pub fn refused(&self) -> Option<Course> {
        let Some(Answer::Refused { verdict, at, attempt: None, .. }) = &self.memory.answer else { return None };
        let left = REFUSAL_REST - elapsed(*at, self.now);
        let rests = left.is_positive() && *at >= self.memory.since;
        rests.then(|| Course::say(verdict.clone()).again(left))
    }

    /// How long nothing more may be asked of the service for the object, since it refused so often of late.
    fn spent(&self) -> Option<SignedDuration> {
        let left = self.memory.refusals.iter().rev().map(|at| REFUSAL_REST - elapsed(*at, self.now));
        left.filter(SignedDuration::is_positive).nth(REFUSALS - 1)
    }

    fn moved(&self, id: &str) -> bool {
        let given = self.memory.intent.as_ref().map(|intent| intent.addon_id.as_str());
        self.record.addon_id.as_deref().or(given).is_some_and(|known| known != id)
    }

    /// What the last call's outcome bids us do first, if anything. An edit or a request since ends the wait, but for a
    /// limit of calls.
    #[must_use]
    pub fn after_answer(&self) -> Option<Course> {
        let spent = self.spent();
        let (verdict, left) = match &self.memory.answer {
            Some(Answer::Later { verdict, at, until, .. }) => {
                let stands = *at >= self.memory.since || verdict.reason == Reason::RateLimited;
                let left = elapsed(self.now, *until);
                (verdict, Some(left).filter(|left| stands && left.is_positive()).max(spent)?)
            }
            Some(Answer::Refused { verdict, .. }) => (verdict, spent?),
            _ => return None,
        };
        let course = Course { report: self.meanwhile(verdict), ..Course::hold() }.again(left);
        Some(match verdict.class {
            _ if !self.memory.deleting => course,
            Class::NeedsUser => self.stuck(course),
            _ => self.stuck_at(verdict, course),
        })
    }

    /// What to say while a call waits that could not be carried out. What was Ready is so until it is proved gone, and
    /// tells what keeps it from being otherwise, but of an edit nothing is said yet; where the user must act, that is said.
    fn meanwhile(&self, trouble: &Verdict) -> Report {
        let gone = self.record.id.as_ref().is_some_and(|id| self.live.gone.contains(id));
        if !self.memory.ready || gone || trouble.class == Class::NeedsUser {
            return trouble.clone().into();
        }
        match self.memory.reason {
            Some(reason) if self.memory.judged() && reason != Reason::Suspended => {
                let (noun, title) = (self.noun, self.title);
                let text = format!(
                    "{noun} {title} is as it was last seen; what is to be done next waits: {}",
                    trouble.message
                );
                Verdict::settled(reason, text).into()
            }
            _ => Report::Hold,
        }
    }
}

/// Says nothing yet of an object so new that what it needs may be on its way in the same `kubectl apply`.
#[must_use]
pub fn grace(memory: &Memory, now: Timestamp) -> Option<Course> {
    let left = GRACE - elapsed(memory.since, now);
    (left.is_positive() && !memory.judged()).then(|| Course::hold().again(left))
}

/// From `from` to `to`; never negative.
#[must_use]
pub fn elapsed(from: Timestamp, to: Timestamp) -> SignedDuration {
    to.duration_since(from).max(SignedDuration::ZERO)
}
