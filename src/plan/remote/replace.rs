//! How a remote object makes room for another: AppLink has no update.
//!
//! Pure. The word is given before anything is deleted, so that whatever happens between, the next plan knows that the
//! gap is of our own making and fills it. The kinds' plans call [`Case::replace`].

use super::{Case, Course};
use crate::plan::Step;
use crate::plan::live::{Phase, RemoteObject};
use crate::plan::memory::{Answer, Intent};
use crate::plan::verdict::Verdict;

impl<R: RemoteObject> Case<'_, R> {
    /// How to have the object of this id, which is ours, deleted and made anew. `hash` is the digest of what would be
    /// sent, `replaced` what is said meanwhile: Ready must not stay True while there is nothing.
    #[must_use]
    pub fn replace(&self, id: &str, hash: &str, replaced: &Verdict) -> Course {
        if let Some(course) = self.refused() {
            return course;
        }
        let token = self.memory.replace.as_ref();
        let given = self.making_room(id).filter(|i| i.hash == hash && (token.is_none() || i.replace.as_ref() == token));
        let course =
            self.make_room(id, given, Intent { id: Some(id.to_owned()), ..self.next_intent(hash, self.recent()) });
        match self.memory.ready {
            true => Course { report: replaced.clone().into(), ..course },
            false => course,
        }
    }

    /// How to get rid of something of ours that was disconnected long ago, where the service refuses a creation: it may
    /// keep the name taken. Asked for once, since there may be another reason.
    pub(super) fn purge(&self, hash: &str) -> Option<Course> {
        let id = self.record.id.as_deref()?;
        self.live.of_id(id).filter(|seen| seen.object.phase() == Phase::Gone)?;
        let intent = self.memory.intent.as_ref()?;
        if intent.tombstone.as_deref() == Some(id) {
            let done = matches!(&self.memory.answer, Some(Answer::Deleting { id: gone, .. }) if gone == id);
            let given = self.making_room(id).filter(|_| !done)?;
            return Some(self.make_room(id, Some(given), given.clone()));
        }
        let refused = matches!(&self.memory.answer, Some(Answer::Refused { attempt, .. })
            if attempt.is_some() && *attempt == self.record.answered);
        let id = refused.then(|| id.to_owned())?;
        let word =
            Intent { id: Some(id.clone()), tombstone: Some(id.clone()), ..self.next_intent(hash, self.recent()) };
        Some(self.make_room(&id, None, word))
    }

    fn make_room(&self, id: &str, given: Option<&Intent>, word: Intent) -> Course {
        let next = Intent { id: None, attempt: given.unwrap_or(&word).attempt + 1, ..word.clone() };
        let mut steps = Vec::new();
        if given.is_none() {
            steps.push(Step::Remember { intent: word });
        }
        steps.push(Step::Delete { id: id.to_owned() });
        steps.push(Step::Remember { intent: next });
        steps.push(Step::Create { name: self.title.to_owned(), anew: self.record.was_up });
        Course::act(steps)
    }
}
