//! The create-intent protocol: how one remote object is made once, kept, and taken away, whatever its kind.
//!
//! Pure. `diff/<kind>` calls it and adds what only that kind knows: what a match is, and what to say of each phase.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Step;
use super::live::{Live, Phase, RemoteObject, Sighting};
use super::memory::{Answer, Intent, Memory};
use super::policy::Policies;
use super::verdict::{Report, Verdict};
use crate::crd::{DeletionPolicy, Reason};

/// How long after its intent a POST whose answer was lost may still bear fruit: the deadline of a call, and some more.
pub const SETTLE: SignedDuration = SignedDuration::from_secs(35);
/// How long the same inputs rest after the service refused them for good.
pub const REFUSAL_REST: SignedDuration = SignedDuration::from_mins(10);
/// How long a service may take before "in progress" counts as failed.
pub const PROGRESS_LIMIT: SignedDuration = SignedDuration::from_mins(15);
/// How long a dependency that was applied along with the object may take to show up before anything is said of it.
pub const GRACE: SignedDuration = SignedDuration::from_secs(2);
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

    /// Whose the object is. `fits` tells whether one found by name alone can be what the intent announced.
    pub fn holder(&self, fits: impl Fn(&R) -> bool) -> Holder<'a, R> {
        let owned = self.record.hash.is_some() || self.memory.finalizer || self.memory.intent.is_some();
        let recorded = self.record.id.as_deref().filter(|_| owned).and_then(|id| self.live.of_id(id));
        if let Some(seen) = recorded.filter(|seen| seen.object.phase() != Phase::Gone) {
            return Holder::Recorded(seen);
        }
        let Some(seen) = self.live.of_name(self.name) else { return Holder::Nobody };
        // Our intent was written when nothing bore the name: what bears it now came after.
        let ours = self.open_intent().is_some_and(|intent| {
            let first = seen.object.created().is_some_and(|created| created + SKEW < intent.at);
            !first && fits(&seen.object)
        });
        if ours { Holder::Intended(seen) } else { Holder::Foreign(seen) }
    }

    /// What keeps us from planning anything: the add-on is missing, silent or another one.
    #[must_use]
    pub fn obstacle(&self) -> Option<Course> {
        let addon = self.addon_name;
        match self.addon {
            Addon::Missing => Some(self.missing(
                Reason::DependencyNotFound,
                format!("AppLinkAddon {addon} does not exist in this namespace; waiting for it"),
            )),
            Addon::Unseen if self.memory.ready => Some(Course::hold()),
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
        let left = self.memory.since + GRACE - self.now;
        let left = SignedDuration::try_from(left).unwrap_or_default();
        if left.is_positive() && !self.memory.judged() {
            return Course::hold().again(left);
        }
        Course::say(Verdict::waits(reason, text))
    }

    fn moved(&self, id: &str) -> bool {
        let given = self.memory.intent.as_ref().map(|intent| intent.addon_id.as_str());
        self.record.addon_id.as_deref().or(given).is_some_and(|known| known != id)
    }

    fn trouble(&self, verdict: &Verdict, silent: bool) -> Course {
        let outage = matches!(verdict.reason, Reason::RateLimited | Reason::RemoteUnavailable);
        if silent {
            let text =
                format!("AppLinkAddon {} has been silent for too long to know: {}", self.addon_name, verdict.message);
            let reason = if outage { verdict.reason } else { Reason::AddonNotReady };
            return Course::say(Verdict::unknown(reason, text));
        }
        if self.memory.ready {
            return Course::hold();
        }
        if outage {
            return Course::say(Verdict::waits(verdict.reason, verdict.message.clone()));
        }
        let text = format!("AppLinkAddon {} is not ready ({}): {}", self.addon_name, verdict.reason, verdict.message);
        Course::say(Verdict::waits(Reason::AddonNotReady, text))
    }

    /// What the last call's outcome bids us do first, if anything.
    #[must_use]
    pub fn after_answer(&self) -> Option<Course> {
        match self.memory.answer.as_ref()? {
            Answer::Later { verdict, until } if self.now < *until => {
                let report = if self.memory.ready { Report::Hold } else { verdict.clone().into() };
                Some(Course { steps: vec![], report, again: None }.again(elapsed(self.now, *until)))
            }
            _ => None,
        }
    }

    /// How to bring the object into being where none is seen. `hash` is the digest of what would be sent.
    #[must_use]
    pub fn create(&self, hash: &str) -> Course {
        if !self.live.complete {
            // That an attempt was refused is put down at once: what is found under the name now is not its fruit.
            let refused = matches!(self.memory.answer, Some(Answer::Refused { .. }));
            let report = if refused { Report::Note } else { Report::Hold };
            return Course { report, ..Course::act(vec![Step::Look]) };
        }
        if let Some(id) = self.unconfirmed() {
            return Course::act(vec![Step::Confirm { id: id.to_owned() }]);
        }
        if let Some(rest) = self.rest(hash) {
            return rest;
        }
        let create = Step::Create { name: self.name.to_owned() };
        if self.word_given(hash) {
            return Course::act(vec![create]);
        }
        let recreated = self.recreations();
        if recreated.len() > CONTEST_LIMIT || self.contested() {
            return Course::say(self.contest());
        }
        let Some(addon_id) = self.addon_id() else { return Course::act(vec![Step::Look]) };
        let intent = Intent {
            uid: self.memory.uid.clone(),
            addon_id: addon_id.to_owned(),
            hash: hash.to_owned(),
            attempt: self.last_attempt() + 1,
            at: self.now,
            recreated,
        };
        Course::act(vec![Step::Remember { intent }, create])
    }

    /// Whether this process wrote the intent and has not acted on it yet.
    fn word_given(&self, hash: &str) -> bool {
        self.memory.finalizer
            && self.memory.answer.is_none()
            && self.open_intent().is_some_and(|i| i.hash == hash && i.at >= self.memory.since)
    }

    fn contested(&self) -> bool {
        self.memory.reason == Some(Reason::Contested) && !self.memory.requested
    }

    fn contest(&self) -> Verdict {
        let text = format!(
            "{} {} was created anew {CONTEST_LIMIT} times within an hour and went away again: somebody else manages it \
             too. Find out who, then set a new value of applink.dev/requestedAt to resume",
            self.noun, self.name
        );
        Verdict::needs_user(Reason::Contested, text)
    }

    /// The recorded id, while only a listing says that it is gone.
    fn unconfirmed(&self) -> Option<&str> {
        let id = self.record.id.as_deref()?;
        let known = self.live.gone.iter().any(|gone| gone == id) || self.live.of_id(id).is_some();
        (!known).then_some(id)
    }

    /// The number of the last creation, tried or recorded.
    #[must_use]
    pub fn last_attempt(&self) -> i64 {
        let given = self.memory.intent.as_ref().map_or(0, |i| i.attempt);
        given.max(self.record.answered.unwrap_or(0))
    }

    /// The wait that an earlier attempt with the same inputs imposes.
    fn rest(&self, hash: &str) -> Option<Course> {
        let intent = self.memory.intent.as_ref().filter(|i| i.hash == hash)?;
        let asked_again = self.memory.requested && intent.at < self.memory.since;
        let past = elapsed(intent.at, self.now);
        if let Some(wait) = self.unsettled() {
            let verdict = match &self.memory.answer {
                Some(Answer::Lost { verdict, .. }) => verdict.clone(),
                _ => Verdict::waits(
                    Reason::Creating,
                    format!("the answer to the creation of {} was lost; looking whether it took effect", self.name),
                ),
            };
            let report = if self.memory.ready { Report::Hold } else { verdict.into() };
            return Some(Course::attend(report).again(wait));
        }
        let refused = self.open_intent().is_none() && self.record.id.is_none();
        if refused && past < REFUSAL_REST && !asked_again {
            return Some(Course { steps: vec![], report: self.refusal(), again: None }.again(REFUSAL_REST - past));
        }
        None
    }

    /// How long the open intent's POST may still bear fruit, where it may have been sent without our knowing how it
    /// ended.
    fn unsettled(&self) -> Option<SignedDuration> {
        let intent = self.open_intent()?;
        let pause = match &self.memory.answer {
            Some(Answer::Lost { pause, .. }) => *pause,
            Some(_) => return None,
            // Written by this process a moment ago; it has not acted on it yet.
            None if intent.at >= self.memory.since => return None,
            // By one that died since.
            None => SETTLE,
        };
        let left = pause - elapsed(intent.at, self.now);
        left.is_positive().then_some(left)
    }

    fn refusal(&self) -> Report {
        match &self.memory.answer {
            Some(Answer::Refused { verdict, .. }) => verdict.clone().into(),
            _ => Report::Keep,
        }
    }

    /// The re-creations of the last hour, with the one at hand.
    fn recreations(&self) -> Vec<Timestamp> {
        let known = self.memory.intent.iter().flat_map(|i| i.recreated.iter().copied());
        let recent = known.filter(|at| elapsed(*at, self.now) < CONTEST_WINDOW);
        let mut all: Vec<_> = recent.filter(|at| !(self.memory.requested && *at < self.memory.since)).collect();
        if self.record.was_up {
            all.push(self.now);
        }
        all
    }

    /// How to let go of an object that is being deleted. `fits` as for [`Case::holder`].
    pub fn leave(&self, fits: impl Fn(&R) -> bool) -> Course {
        let deleting = || Verdict::waits(Reason::Deleting, format!("deleting {} {}", self.noun, self.name));
        let release =
            |orphaned: Option<&str>| Course::act(vec![Step::Release { orphaned: orphaned.map(str::to_owned) }]);
        if !self.memory.finalizer {
            return Course::hold();
        }
        let id = self.record.id.as_deref();
        if self.memory.force_orphan {
            return release(id.or(Some(self.name)));
        }
        if self.policies.suspend {
            return Course::say(Verdict::suspended("suspended: the deletion waits for spec.suspend: false"));
        }
        if self.policies.observes() {
            return release(None);
        }
        if id.is_none() && self.open_intent().is_none() {
            return release(None);
        }
        if self.policies.deletion == DeletionPolicy::Orphan {
            return release(id.or(Some(self.name)));
        }
        if let Some(course) = self.obstacle() {
            return self.stuck(course);
        }
        self.after_answer().unwrap_or_else(|| self.remove(fits, release(None), deleting()))
    }

    /// A deletion that cannot go on says so even where the object was Ready, and names the way out.
    fn stuck(&self, course: Course) -> Course {
        let report = match course.report {
            Report::Say(mut verdict) => {
                verdict.message.push_str("; to delete without it, set applink.dev/force-orphan: \"true\"");
                verdict.into()
            }
            Report::Hold | Report::Note | Report::Keep => match self.addon {
                Addon::Troubled { verdict, .. } => Verdict::waits(
                    Reason::Deleting,
                    format!("deleting {} {} waits: {}", self.noun, self.name, verdict.message),
                )
                .into(),
                _ => Report::Hold,
            },
        };
        Course { report, ..course }
    }

    fn remove(&self, fits: impl Fn(&R) -> bool, release: Course, deleting: Verdict) -> Course {
        let target = match self.holder(fits) {
            Holder::Recorded(seen) | Holder::Intended(seen) => Some(seen),
            Holder::Foreign(_) | Holder::Nobody => None,
        };
        let Some(seen) = target else {
            let known_gone = self.record.id.as_deref().is_some_and(|id| self.live.gone.iter().any(|g| g == id));
            if let Some(wait) = self.unsettled() {
                return Course::attend(deleting).again(wait);
            }
            return if known_gone || self.live.complete { release } else { Course::act(vec![Step::Look]) };
        };
        let id = seen.object.id();
        if let Some(Answer::Refused { verdict, at }) = &self.memory.answer
            && elapsed(*at, self.now) < REFUSAL_REST
        {
            return Course::say(verdict.clone()).again(REFUSAL_REST - elapsed(*at, self.now));
        }
        let asked = matches!(&self.memory.answer, Some(Answer::Deleting { id: asked, at })
            if asked == id && elapsed(*at, self.now) < DELETION_REST);
        if asked || seen.object.phase() == Phase::Leaving {
            return Course::attend(deleting).again(DELETION_REST);
        }
        let mut steps = vec![Step::Delete { id: id.to_owned() }];
        steps.extend(release.steps);
        Course::act(steps)
    }
}

/// From `from` to `to`; never negative.
#[must_use]
pub fn elapsed(from: Timestamp, to: Timestamp) -> SignedDuration {
    to.duration_since(from).max(SignedDuration::ZERO)
}
