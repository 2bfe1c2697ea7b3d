//! How what is there is written over, where the service takes the same call for that as for a creation.
//!
//! Pure. The word is given first, as for a creation, with what was seen there: whether a call took effect whose answer was
//! lost shows in that having moved. The kinds' plans call [`Case::publish`].

use jiff::SignedDuration;
use serde::Serialize;

use super::{CONTEST_LIMIT, Case, Course, REFUSAL_REST, elapsed};
use crate::crd::Reason;
use crate::plan::Step;
use crate::plan::desired::changed;
use crate::plan::live::{RemoteObject, Sighting};
use crate::plan::memory::{Answer, Intent};
use crate::plan::verdict::{Report, Verdict};

/// What is written over was looked at no longer ago than this.
const GLANCE: SignedDuration = SignedDuration::from_secs(2);

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
    /// It outlived the connection that it was published through.
    Moved,
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
    pub fn publish(&self, seen: &Sighting<R>, hash: &str, again: Again) -> Course {
        if let Some(course) = self.rest_after_refusal(hash, again) {
            return course;
        }
        if let Some(wait) = self.settling() {
            return Course { report: self.unanswered(), ..Course::attend(Report::Hold) }.again(wait);
        }
        let step = Step::Publish { name: self.title.to_owned(), again };
        if self.word_given(hash) {
            return Course::act(vec![step]);
        }
        // Only a fight with somebody else counts.
        let recreated = if again == Again::Drifted { self.recreations() } else { self.recent() };
        if again == Again::Drifted && (recreated.len() > CONTEST_LIMIT || self.contested()) {
            return Course::say(self.fight());
        }
        // The word tells how it was just before the call: what moves after that moved by it.
        if elapsed(seen.at, self.now) > GLANCE {
            return Course::act(vec![Step::Confirm { id: seen.object.id().to_owned() }]);
        }
        Course::act(vec![Step::Remember { intent: self.next_intent(hash, recreated) }, step])
    }

    /// What to say while the answer to a call is lost. What is Ready is there, be it as it was before.
    fn unanswered(&self) -> Report {
        let text = format!("the answer to the publication of {} was lost; looking whether it took effect", self.title);
        match &self.memory.answer {
            Some(Answer::Lost { verdict, .. }) => self.meanwhile(verdict),
            _ if self.memory.ready => Report::Hold,
            _ => Verdict::waits(Reason::Publishing, text).into(),
        }
    }

    fn fight(&self) -> Verdict {
        let text = format!(
            "{} {} was published again {CONTEST_LIMIT} times within an hour, and each time somebody else published over \
             it. Find out who, then set a new value of applink.dev/requestedAt to resume",
            self.noun, self.title
        );
        Verdict::needs_user(Reason::Contested, text)
    }

    /// The wait after these very inputs were refused.
    fn rest_after_refusal(&self, hash: &str, again: Again) -> Option<Course> {
        let given = self.memory.intent.as_ref().filter(|_| self.open_intent().is_none())?;
        let intent = Some(given).filter(|given| given.hash == hash && given.parent.as_deref() == self.parent)?;
        let told =
            matches!(&self.memory.answer, Some(Answer::Refused { attempt, .. }) if *attempt == Some(intent.attempt));
        let left = REFUSAL_REST - elapsed(intent.at, self.now);
        // One that took effect is recorded with its digest; one that cannot be read tells nothing.
        let refused = told || self.record.id.is_none() || changed(self.record.hash.as_deref(), hash);
        let rests = refused && left.is_positive() && !self.asked_since(intent.at);
        rests.then(|| Course { steps: vec![], report: with_way_out(self.refusal(), again), again: None }.again(left))
    }
}

/// The refusal, and what the user can do where the service takes no second publication beside the first.
fn with_way_out(refusal: Report, again: Again) -> Report {
    let Report::Say(mut verdict) = refusal else { return refusal };
    verdict.message.push_str(match again {
        Again::Adopted => ". Where what is published now is in the way, delete that in AppLink",
        Again::Changed | Again::Drifted | Again::Moved => {
            ". Where what is published now is in the way, a new value of applink.dev/replace has it deleted and published \
             anew, which whoever calls it notices; replacePolicy: DeleteAndRecreate does so after every 409"
        }
    });
    verdict.into()
}
