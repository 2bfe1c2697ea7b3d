//! How a remote object is made, once.
//!
//! Pure. Nothing is created before it is proved absent and announced, nor again before it is known how the last try
//! ended. The kinds' plans call [`Case::create`].

use jiff::{SignedDuration, Timestamp};

use super::{CONTEST_LIMIT, CONTEST_WINDOW, Case, Course, PROGRESS_LIMIT, REFUSAL_REST, SETTLE, elapsed};
use crate::crd::Reason;
use crate::plan::Step;
use crate::plan::desired::changed;
use crate::plan::live::{Phase, RemoteObject, Sighting};
use crate::plan::memory::{Answer, Intent};
use crate::plan::verdict::{Report, Verdict};

/// A list that proves something is waited for so long before that is told.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

impl<R: RemoteObject> Case<'_, R> {
    /// How to bring the object into being where none is seen. `hash` is the digest of what would be sent.
    #[must_use]
    pub fn create(&self, hash: &str) -> Course {
        if !self.live.complete {
            // That an attempt was refused is put down at once: what is found under the name now is not its fruit.
            let report = match &self.memory.answer {
                Some(Answer::Refused { .. }) => Report::Note,
                _ if self.memory.judged() || elapsed(self.memory.since, self.now) < PATIENCE => Report::Hold,
                _ => {
                    let text = format!(
                        "waiting for a list of what the add-on has that is whole: until then, nobody knows whether {} is \
                         free",
                        self.title
                    );
                    Verdict::waits(Reason::Creating, text).into()
                }
            };
            return Course { report, ..Course::act(vec![Step::Look]) };
        }
        if let Some(id) = self.unconfirmed() {
            return Course::act(vec![Step::Confirm { id: id.to_owned() }]);
        }
        if let Some(course) = self.newborn(hash).or_else(|| self.purge(hash)).or_else(|| self.rest(hash)) {
            return course;
        }
        let create = Step::Create { name: self.title.to_owned(), anew: self.record.was_up };
        if self.word_given(hash) {
            return Course::act(vec![create]);
        }
        let recreated = self.recreations();
        if recreated.len() > CONTEST_LIMIT || self.contested() {
            return Course::say(self.contest());
        }
        Course::act(vec![Step::Remember { intent: self.next_intent(hash, recreated) }, create])
    }

    /// What was made a moment ago may not show yet, even to those who ask for it by its id.
    fn newborn(&self, hash: &str) -> Option<Course> {
        let Some(Answer::Created { id, word }) = &self.memory.answer else { return None };
        let same = self.record.id.as_ref() == Some(id) && !changed(self.record.hash.as_deref(), hash);
        let left = SETTLE - elapsed(word.at, self.now);
        let waits = same && !self.record.was_up && !self.asked_since(word.at) && left.is_positive();
        let text = format!("{} {} was created; waiting until AppLink shows it", self.noun, self.title);
        waits.then(|| Course::attend(Verdict::waits(Reason::Creating, text)).again(left))
    }

    /// What to say while the service is at work on it, as `status` says in its own word, and `remedy` once that takes too long.
    #[must_use]
    pub fn going(&self, reason: Reason, status: &str, remedy: &str) -> Course {
        let (noun, title) = (self.noun, self.title);
        let text = format!("AppLink is at work on {noun} {title} (status \"{status}\")");
        let waiting = Course::attend(Verdict::waits(reason, text));
        // One that was in working order before has no beginning to count from.
        let Some(intent) = self.memory.intent.as_ref().filter(|_| !self.record.was_up) else { return waiting };
        let left = PROGRESS_LIMIT - elapsed(intent.at, self.now);
        if left.is_positive() {
            return waiting.again(left);
        }
        let minutes = PROGRESS_LIMIT.as_mins();
        let text = format!("{noun} {title} is still \"{status}\" after {minutes} minutes: {remedy}");
        Course::say(Verdict::needs_user(Reason::RemoteFailed, text))
    }

    /// The word to give before the next creation.
    #[must_use]
    pub fn next_intent(&self, hash: &str, recreated: Vec<Timestamp>) -> Intent {
        Intent {
            uid: self.memory.uid.clone(),
            addon_id: self.addon_id().unwrap_or_default().to_owned(),
            hash: hash.to_owned(),
            attempt: self.last_attempt() + 1,
            at: self.now,
            recreated,
            id: None,
            replace: self.memory.replace.clone().or_else(|| self.memory.intent.as_ref()?.replace.clone()),
            tombstone: self.memory.intent.as_ref().and_then(|intent| intent.tombstone.clone()),
            parent: self.parent.map(str::to_owned),
            seen: self.live.of_name(self.name).first().and_then(|seen| seen.object.mark()).map(str::to_owned),
        }
    }

    /// Whether the half of the memory that the object itself carries was wiped, as by `kubectl replace`.
    #[must_use]
    pub fn forgetful(&self) -> bool {
        !self.memory.finalizer || self.memory.intent.is_none()
    }

    /// That half, from the one that the status has. `hash` is the digest of what is declared.
    #[must_use]
    pub fn restored(&self, hash: &str) -> Intent {
        self.memory.intent.clone().unwrap_or_else(|| Intent {
            addon_id: self.record.addon_id.clone().or_else(|| self.addon_id().map(str::to_owned)).unwrap_or_default(),
            attempt: self.record.answered.unwrap_or(1),
            ..self.next_intent(self.record.hash.as_deref().unwrap_or(hash), Vec::new())
        })
    }

    /// Whether this process wrote the intent and has not acted on it yet.
    pub(super) fn word_given(&self, hash: &str) -> bool {
        self.memory.finalizer
            && self.memory.answer.is_none()
            && self.posted_intent().is_some_and(|i| i.hash == hash && i.at >= self.memory.met)
    }

    pub(super) fn contested(&self) -> bool {
        self.memory.reason == Some(Reason::Contested) && !self.asked()
    }

    pub(super) fn contest(&self) -> Verdict {
        let text = format!(
            "{} {} was created anew {CONTEST_LIMIT} times within an hour and went away again: somebody else manages it \
             too. Find out who, then set a new value of applink.dev/requestedAt to resume",
            self.noun, self.title
        );
        Verdict::needs_user(Reason::Contested, text)
    }

    /// The recorded id, while only a listing says that it is gone.
    #[must_use]
    pub fn unconfirmed(&self) -> Option<&str> {
        let id = self.record.id.as_deref()?;
        let known = self.live.gone.iter().any(|gone| gone == id) || self.live.of_id(id).is_some();
        (!known).then_some(id)
    }

    /// The number of the last creation, tried or recorded.
    fn last_attempt(&self) -> i64 {
        let given = self.memory.intent.as_ref().map_or(0, |i| i.attempt);
        given.max(self.record.answered.unwrap_or(0))
    }

    /// The wait that an earlier attempt imposes.
    fn rest(&self, hash: &str) -> Option<Course> {
        if let Some(course) = self.unproven() {
            return Some(course);
        }
        if let Some(wait) = self.settling() {
            let verdict = match &self.memory.answer {
                Some(Answer::Lost { verdict, .. }) => verdict.clone(),
                _ => Verdict::waits(
                    Reason::Creating,
                    format!("the answer to the creation of {} was lost; looking whether it took effect", self.title),
                ),
            };
            return Some(Course::attend(verdict).again(wait));
        }
        // On another connection the same may be welcome.
        let same = |intent: &&Intent| intent.hash == hash && intent.parent.as_deref() == self.parent;
        let intent = self.memory.intent.as_ref().filter(same)?;
        let past = elapsed(intent.at, self.now);
        let refused = self.open_intent().is_none() && self.record.id.is_none();
        if refused && past < REFUSAL_REST && !self.asked_since(intent.at) {
            return Some(Course { steps: vec![], report: self.refusal(), again: None }.again(REFUSAL_REST - past));
        }
        None
    }

    /// How long the open intent's POST may still bear fruit, where it may have been sent without our knowing how it
    /// ended.
    #[must_use]
    pub fn settling(&self) -> Option<SignedDuration> {
        let intent = self.posted_intent()?;
        if self.accounted() {
            return None;
        }
        let left = match &self.memory.answer {
            Some(Answer::Lost { until, attempt, .. }) if *attempt == intent.attempt => elapsed(self.now, *until),
            Some(Answer::Later { attempt, .. }) if *attempt == Some(intent.attempt) => return None,
            // Written by this process a moment ago; it has not acted on it yet.
            None if intent.at >= self.memory.met => return None,
            // By one that died since; an answer to another call says nothing of it.
            _ => SETTLE - elapsed(intent.at, self.now),
        };
        left.is_positive().then_some(left)
    }

    /// How to prove that the creation made nothing that the service answered with an error of its own: by a listing, and by
    /// a GET by name, since a listing may lag.
    pub(super) fn unproven(&self) -> Option<Course> {
        let intent = self.posted_intent()?;
        let over =
            matches!(&self.memory.answer, Some(Answer::Lost { over: true, attempt, .. }) if *attempt == intent.attempt);
        // What was disconnected answers to its name, too.
        let tombstone = |seen: &Sighting<R>| seen.object.phase() == Phase::Gone && self.proved(seen, intent);
        let asked = self.live.asked || self.live.sightings.iter().any(tombstone);
        if !over || (self.live.listed && asked) {
            return None;
        }
        Some(match self.live.listed {
            true => Course::act(vec![Step::Confirm { id: self.name.to_owned() }]),
            false => Course::act(vec![Step::Look]),
        })
    }

    /// Whether what the open intent's POST made is known, and deleted since: one POST makes one object.
    pub(super) fn accounted(&self) -> bool {
        let Some(Answer::Deleting { id, .. }) = &self.memory.answer else { return false };
        self.record.id.as_ref() != Some(id) && self.live.gone.contains(id)
    }

    pub(super) fn refusal(&self) -> Report {
        match &self.memory.answer {
            Some(Answer::Refused { verdict, .. }) => verdict.clone().into(),
            _ => Report::Keep,
        }
    }

    /// The re-creations of the last hour; what was before the user asked to resume does not count.
    pub(super) fn recent(&self) -> Vec<Timestamp> {
        let known = self.memory.intent.iter().flat_map(|i| i.recreated.iter().copied());
        let recent = known.filter(|at| elapsed(*at, self.now) < CONTEST_WINDOW);
        recent.filter(|at| !self.asked_since(*at)).collect()
    }

    /// The same, with the one at hand.
    pub(super) fn recreations(&self) -> Vec<Timestamp> {
        let mut all = self.recent();
        // An open intent counts the one at hand already, however often it is tried; one that had the old object deleted
        // is no contest.
        if self.record.was_up && self.open_intent().is_none() {
            all.push(self.now);
        }
        all
    }
}
