//! Replacement: how the operator deletes and recreates a remote object, because AppLink has no update.
//!
//! Pure. The intent is written before the deletion, so that a later plan knows that the object is missing on purpose and
//! creates it.

use super::context::RemoteContext;
use crate::conditions::ConditionReport;
use crate::facts::{Phase, RemoteObject};
use crate::plan::decision::Decision;
use crate::plan::state::{CallOutcome, Intent};
use crate::plan::step::Step;

impl<R: RemoteObject> RemoteContext<'_, R> {
    /// Deletes and recreates our object with this ID. `hash` is the digest of the new inputs. `replacing` is reported
    /// meanwhile, so that Ready does not stay True while there is no object.
    #[must_use]
    pub fn replace(&self, id: &str, hash: &str, replacing: &ConditionReport) -> Decision {
        if let Some(decision) = self.after_refusal() {
            return decision;
        }
        let token = self.state.replace.as_ref();
        let open =
            self.replacement_intent(id).filter(|i| i.hash == hash && (token.is_none() || i.replace.as_ref() == token));
        let decision = self.replacement_steps(
            id,
            open,
            Intent { id: Some(id.to_owned()), ..self.next_intent(hash, self.recent_recreations()) },
        );
        match self.state.ready {
            true => Decision { update: replacing.clone().into(), ..decision },
            false => decision,
        }
    }

    /// Deletes our own disconnected object after AppLink refused a creation: the object may still block the name. The
    /// operator tries this once, because the refusal may have another cause.
    pub(super) fn delete_tombstone(&self, hash: &str) -> Option<Decision> {
        let id = self.recorded.id.as_deref()?;
        self.lookup.of_id(id).filter(|observed| observed.object.phase() == Phase::Deleted)?;
        let intent = self.state.intent.as_ref()?;
        if intent.tombstone.as_deref() == Some(id) {
            let done = matches!(&self.state.last_outcome, Some(CallOutcome::Deleting { id: gone, .. }) if gone == id);
            let open = self.replacement_intent(id).filter(|_| !done)?;
            return Some(self.replacement_steps(id, Some(open), open.clone()));
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

    /// All steps of a replacement; `open` is its intent if the object has it already.
    fn replacement_steps(&self, id: &str, open: Option<&Intent>, intent: Intent) -> Decision {
        let attempt = open.unwrap_or(&intent).attempt.saturating_add(1);
        let next = Intent { id: None, attempt, ..intent.clone() };
        let mut steps = Vec::new();
        if open.is_none() {
            steps.push(Step::WriteIntent { intent });
        }
        steps.push(Step::Delete { id: id.to_owned() });
        steps.push(Step::WriteIntent { intent: next });
        steps.push(Step::Create { name: self.display_name.to_owned(), recreate: self.recorded.was_ready });
        Decision::steps(steps)
    }
}
