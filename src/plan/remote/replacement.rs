//! How a remote object makes room for another: AppLink has no update.
//!
//! Pure. The word is given before anything is deleted, so that whatever happens between, the next plan knows that the
//! gap is of our own making and fills it. The kinds' plans call [`RemoteContext::replace`].

use super::{Decision, RemoteContext};
use crate::conditions::ConditionReport;
use crate::facts::{Phase, RemoteObject};
use crate::plan::Step;
use crate::plan::state::{CallOutcome, Intent};

impl<R: RemoteObject> RemoteContext<'_, R> {
    /// How to have the object of this id, which is ours, deleted and made anew. `hash` is the digest of what would be
    /// sent, `replaced` what is said meanwhile: Ready must not stay True while there is nothing.
    #[must_use]
    pub fn replace(&self, id: &str, hash: &str, replaced: &ConditionReport) -> Decision {
        if let Some(decision) = self.after_refusal() {
            return decision;
        }
        let token = self.state.replace.as_ref();
        let given =
            self.replacement_intent(id).filter(|i| i.hash == hash && (token.is_none() || i.replace.as_ref() == token));
        let decision = self.replacement_steps(
            id,
            given,
            Intent { id: Some(id.to_owned()), ..self.next_intent(hash, self.recent_recreations()) },
        );
        match self.state.ready {
            true => Decision { update: replaced.clone().into(), ..decision },
            false => decision,
        }
    }

    /// How to get rid of something of ours that was disconnected long ago, where the service refuses a creation: it may
    /// keep the name taken. Asked for once, since there may be another reason.
    pub(super) fn delete_tombstone(&self, hash: &str) -> Option<Decision> {
        let id = self.recorded.id.as_deref()?;
        self.lookup.of_id(id).filter(|seen| seen.object.phase() == Phase::Deleted)?;
        let intent = self.state.intent.as_ref()?;
        if intent.tombstone.as_deref() == Some(id) {
            let done = matches!(&self.state.last_outcome, Some(CallOutcome::Deleting { id: gone, .. }) if gone == id);
            let given = self.replacement_intent(id).filter(|_| !done)?;
            return Some(self.replacement_steps(id, Some(given), given.clone()));
        }
        let refused = matches!(&self.state.last_outcome, Some(CallOutcome::Refused { attempt, .. })
            if attempt.is_some() && *attempt == self.recorded.answered_attempt);
        let id = refused.then(|| id.to_owned())?;
        let intent = Intent {
            id: Some(id.clone()),
            tombstone: Some(id.clone()),
            ..self.next_intent(hash, self.recent_recreations())
        };
        Some(self.replacement_steps(&id, None, intent))
    }

    fn replacement_steps(&self, id: &str, given: Option<&Intent>, intent: Intent) -> Decision {
        let attempt = given.unwrap_or(&intent).attempt.saturating_add(1);
        let next = Intent { id: None, attempt, ..intent.clone() };
        let mut steps = Vec::new();
        if given.is_none() {
            steps.push(Step::WriteIntent { intent });
        }
        steps.push(Step::Delete { id: id.to_owned() });
        steps.push(Step::WriteIntent { intent: next });
        steps.push(Step::Create { name: self.display_name.to_owned(), anew: self.recorded.was_ready });
        Decision::steps(steps)
    }
}
