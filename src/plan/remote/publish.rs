//! How what is there is written over, where the service takes the same call for that as for a creation.
//!
//! Pure. The word is given first, as for a creation, with what was seen there: whether a call took effect whose answer was
//! lost shows in that having moved. The kinds' plans call [`Case::publish`].

use serde::Serialize;

use super::{Case, Course, REFUSAL_REST, elapsed};
use crate::crd::Reason;
use crate::plan::Step;
use crate::plan::live::{RemoteObject, Sighting};
use crate::plan::memory::{Answer, Intent};
use crate::plan::verdict::Verdict;

/// Why something is written over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Again {
    /// What it is made from changed.
    Changed,
    /// Somebody else wrote over it.
    Drifted,
    /// It was there first, and what it holds cannot be read.
    Adopted,
}

impl<R: RemoteObject> Case<'_, R> {
    /// Whether the call under this word took effect, as what is seen there now tells; the answer to it is not known.
    #[must_use]
    pub fn took_effect(&self, seen: &Sighting<R>, word: &Intent) -> bool {
        let not_sent =
            matches!(&self.memory.answer, Some(Answer::Later { attempt, .. }) if *attempt == Some(word.attempt));
        !not_sent && !self.word_given(&word.hash) && seen.at >= word.at && word.seen.as_deref() != seen.object.mark()
    }

    /// How to write over what is there. `hash` is the digest of what would be sent.
    #[must_use]
    pub fn publish(&self, hash: &str, again: Again) -> Course {
        if let Some(course) = self.rest_after_refusal(hash) {
            return course;
        }
        if let Some(wait) = self.settling() {
            let text =
                format!("the answer to the publication of {} was lost; looking whether it took effect", self.title);
            let verdict = match &self.memory.answer {
                Some(Answer::Lost { verdict, .. }) => verdict.clone(),
                _ => Verdict::waits(Reason::Publishing, text),
            };
            return Course::attend(verdict).again(wait);
        }
        let step = Step::Publish { name: self.title.to_owned(), again };
        if self.word_given(hash) {
            return Course::act(vec![step]);
        }
        // Only a fight with somebody else counts.
        let recreated = if again == Again::Drifted { self.recreations() } else { self.recent() };
        if again == Again::Drifted && (recreated.len() > super::CONTEST_LIMIT || self.contested()) {
            return Course::say(self.contest());
        }
        Course::act(vec![Step::Remember { intent: self.next_intent(hash, recreated) }, step])
    }

    /// The wait after these very inputs were refused.
    fn rest_after_refusal(&self, hash: &str) -> Option<Course> {
        let intent =
            self.memory.intent.as_ref().filter(|intent| intent.hash == hash && self.open_intent().is_none())?;
        let told =
            matches!(&self.memory.answer, Some(Answer::Refused { attempt, .. }) if *attempt == Some(intent.attempt));
        let asked_again = self.asked() && intent.at < self.memory.since;
        let left = REFUSAL_REST - elapsed(intent.at, self.now);
        // One that took effect is recorded with its digest.
        let refused = told || self.record.hash.as_deref() != Some(hash);
        (refused && left.is_positive() && !asked_again)
            .then(|| Course { steps: vec![], report: self.refusal(), again: None }.again(left))
    }
}
