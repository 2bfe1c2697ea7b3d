//! How a remote object is made, once.
//!
//! Pure. Nothing is created before it is proved absent and announced, nor again before it is known how the last try
//! ended. The kinds' plans call [`RemoteContext::create`].

use jiff::{SignedDuration, Timestamp};

use super::{CONTEST_LIMIT, CONTEST_WINDOW, Decision, PROGRESS_LIMIT, REFUSAL_REST, RemoteContext, SETTLE, elapsed};
use crate::conditions::{ConditionReport, StatusUpdate};
use crate::crd::Reason;
use crate::facts::{Observed, Phase, RemoteObject};
use crate::plan::Step;
use crate::plan::inputs::changed;
use crate::plan::state::{CallOutcome, Intent};

/// A list that proves something is waited for so long before that is told.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

impl<R: RemoteObject> RemoteContext<'_, R> {
    /// How to bring the object into being where none is seen. `hash` is the digest of what would be sent.
    #[must_use]
    pub fn create(&self, hash: &str) -> Decision {
        if !self.lookup.complete {
            // That an attempt was refused is put down at once: what is found under the name now is not its fruit.
            let report = match &self.state.last_outcome {
                Some(CallOutcome::Refused { .. }) => StatusUpdate::FactsOnly,
                _ if self.state.is_observed() || elapsed(self.state.changed_at, self.now) < PATIENCE => {
                    StatusUpdate::Unchanged
                }
                _ => {
                    let text = format!(
                        "waiting for a list of what the add-on has that is whole: until then, nobody knows whether {} is \
                         free",
                        self.display_name
                    );
                    ConditionReport::in_progress(Reason::Creating, text).into()
                }
            };
            return Decision { update: report, ..Decision::steps(vec![Step::Poll]) };
        }
        if let Some(id) = self.unconfirmed() {
            return Decision::steps(vec![Step::Get { id: id.to_owned() }]);
        }
        if let Some(decision) =
            self.just_created(hash).or_else(|| self.delete_tombstone(hash)).or_else(|| self.back_off(hash))
        {
            return decision;
        }
        let create = Step::Create { name: self.display_name.to_owned(), anew: self.recorded.was_ready };
        if self.intent_written(hash) {
            return Decision::steps(vec![create]);
        }
        let recreated = self.recreations();
        if recreated.len() > CONTEST_LIMIT || self.contested() {
            return Decision::report(self.contest_report());
        }
        Decision::steps(vec![Step::WriteIntent { intent: self.next_intent(hash, recreated) }, create])
    }

    /// What was made a moment ago may not show yet, even to those who ask for it by its id.
    fn just_created(&self, hash: &str) -> Option<Decision> {
        let Some(CallOutcome::Created { id, intent }) = &self.state.last_outcome else { return None };
        let same = self.recorded.id.as_ref() == Some(id) && !changed(self.recorded.applied_hash.as_deref(), hash);
        let left = SETTLE.saturating_sub(elapsed(intent.at, self.now));
        let waits = same && !self.recorded.was_ready && !self.requested_since(intent.at) && left.is_positive();
        let text = format!("{} {} was created; waiting until AppLink shows it", self.noun, self.display_name);
        waits.then(|| Decision::await_remote(ConditionReport::in_progress(Reason::Creating, text)).requeue_after(left))
    }

    /// What to say while the service is at work on it, as `status` says in its own word, and `remedy` once that takes too long.
    #[must_use]
    pub fn in_progress(&self, reason: Reason, status: &str, remedy: &str) -> Decision {
        let (noun, display_name) = (self.noun, self.display_name);
        let text = format!("AppLink is at work on {noun} {display_name} (status \"{status}\")");
        let waiting = Decision::await_remote(ConditionReport::in_progress(reason, text));
        // One that was in working order before has no beginning to count from.
        let Some(intent) = self.state.intent.as_ref().filter(|_| !self.recorded.was_ready) else { return waiting };
        let left = PROGRESS_LIMIT.saturating_sub(elapsed(intent.at, self.now));
        if left.is_positive() {
            return waiting.requeue_after(left);
        }
        let minutes = PROGRESS_LIMIT.as_mins();
        let text = format!("{noun} {display_name} is still \"{status}\" after {minutes} minutes: {remedy}");
        Decision::report(ConditionReport::stalled(Reason::RemoteFailed, text))
    }

    /// The word to give before the next creation.
    #[must_use]
    pub fn next_intent(&self, hash: &str, recreated: Vec<Timestamp>) -> Intent {
        Intent {
            uid: self.state.uid.clone(),
            owner_id: self.owner_id().unwrap_or_default().to_owned(),
            hash: hash.to_owned(),
            attempt: self.last_attempt().saturating_add(1),
            at: self.now,
            recreated,
            id: None,
            replace: self.state.replace.clone().or_else(|| self.state.intent.as_ref()?.replace.clone()),
            tombstone: self.state.intent.as_ref().and_then(|intent| intent.tombstone.clone()),
            parent: self.parent.map(str::to_owned),
            seen: self
                .lookup
                .of_name(self.name)
                .first()
                .and_then(|seen| seen.object.modified_marker())
                .map(str::to_owned),
        }
    }

    /// Whether the half of the memory that the object itself carries was wiped, as by `kubectl replace`.
    #[must_use]
    pub fn metadata_wiped(&self) -> bool {
        !self.state.finalizer || self.state.intent.is_none()
    }

    /// That half, from the one that the status has. `hash` is the digest of what is declared.
    #[must_use]
    pub fn restored_intent(&self, hash: &str) -> Intent {
        self.state.intent.clone().unwrap_or_else(|| Intent {
            owner_id: self.recorded.owner_id.clone().or_else(|| self.owner_id().map(str::to_owned)).unwrap_or_default(),
            attempt: self.recorded.answered_attempt.unwrap_or(1),
            ..self.next_intent(self.recorded.applied_hash.as_deref().unwrap_or(hash), Vec::new())
        })
    }

    /// Whether this process wrote the intent and has not acted on it yet.
    pub(super) fn intent_written(&self, hash: &str) -> bool {
        self.state.finalizer
            && self.state.last_outcome.is_none()
            && self.create_intent().is_some_and(|i| i.hash == hash && i.at >= self.state.first_seen)
    }

    pub(super) fn contested(&self) -> bool {
        self.state.reason == Some(Reason::Contested) && !self.requested()
    }

    pub(super) fn contest_report(&self) -> ConditionReport {
        let text = format!(
            "{} {} was created anew {CONTEST_LIMIT} times within an hour and went away again: somebody else manages it \
             too. Find out who, then set a new value of applink.dev/requestedAt to resume",
            self.noun, self.display_name
        );
        ConditionReport::stalled(Reason::Contested, text)
    }

    /// The recorded id, while only a listing says that it is gone.
    #[must_use]
    pub fn unconfirmed(&self) -> Option<&str> {
        let id = self.recorded.id.as_deref()?;
        let known = self.lookup.deleted_ids.iter().any(|gone| gone == id) || self.lookup.of_id(id).is_some();
        (!known).then_some(id)
    }

    /// The number of the last creation, tried or recorded.
    fn last_attempt(&self) -> i64 {
        let given = self.state.intent.as_ref().map_or(0, |i| i.attempt);
        given.max(self.recorded.answered_attempt.unwrap_or(0))
    }

    /// The wait that an earlier attempt imposes.
    fn back_off(&self, hash: &str) -> Option<Decision> {
        if let Some(decision) = self.prove_not_created() {
            return Some(decision);
        }
        if let Some(wait) = self.lost_call_wait() {
            let report = match &self.state.last_outcome {
                Some(CallOutcome::Lost { report, .. }) => report.clone(),
                _ => ConditionReport::in_progress(
                    Reason::Creating,
                    format!(
                        "the answer to the creation of {} was lost; looking whether it took effect",
                        self.display_name
                    ),
                ),
            };
            return Some(Decision::await_remote(report).requeue_after(wait));
        }
        // On another connection the same may be welcome.
        let same = |intent: &&Intent| intent.hash == hash && intent.parent.as_deref() == self.parent;
        let intent = self.state.intent.as_ref().filter(same)?;
        let past = elapsed(intent.at, self.now);
        let refused = self.open_intent().is_none() && self.recorded.id.is_none();
        if refused && past < REFUSAL_REST && !self.requested_since(intent.at) {
            return Some(
                Decision { steps: vec![], update: self.refusal(), requeue_after: None }
                    .requeue_after(REFUSAL_REST.saturating_sub(past)),
            );
        }
        None
    }

    /// How long the open intent's POST may still bear fruit, where it may have been sent without our knowing how it
    /// ended.
    #[must_use]
    pub fn lost_call_wait(&self) -> Option<SignedDuration> {
        let intent = self.create_intent()?;
        if self.created_and_deleted() {
            return None;
        }
        let left = match &self.state.last_outcome {
            Some(CallOutcome::Lost { until, attempt, .. }) if *attempt == intent.attempt => elapsed(self.now, *until),
            Some(CallOutcome::Deferred { attempt, .. }) if *attempt == Some(intent.attempt) => return None,
            // Written by this process a moment ago; it has not acted on it yet.
            None if intent.at >= self.state.first_seen => return None,
            // By one that died since; an answer to another call says nothing of it. That one's clock is not to be trusted:
            // it sent nothing after this process first saw the object.
            _ => SETTLE.saturating_sub(elapsed(intent.at.max(self.state.first_seen), self.now)),
        };
        left.is_positive().then_some(left)
    }

    /// How to prove that the creation made nothing that the service answered with an error of its own: by a listing, and by
    /// a GET by name, since a listing may lag.
    pub(super) fn prove_not_created(&self) -> Option<Decision> {
        let intent = self.create_intent()?;
        let finished = matches!(&self.state.last_outcome, Some(CallOutcome::Lost { finished: true, attempt, .. }) if *attempt == intent.attempt);
        // What was disconnected answers to its name, too.
        let tombstone = |seen: &Observed<R>| seen.object.phase() == Phase::Deleted && self.observed_since(seen, intent);
        let asked = self.lookup.absent_by_get || self.lookup.observed.iter().any(tombstone);
        if !finished || (self.lookup.listed && asked) {
            return None;
        }
        Some(match self.lookup.listed {
            true => Decision::steps(vec![Step::Get { id: self.name.to_owned() }]),
            false => Decision::steps(vec![Step::Poll]),
        })
    }

    /// Whether what the open intent's POST made is known, and deleted since: one POST makes one object.
    pub(super) fn created_and_deleted(&self) -> bool {
        let Some(CallOutcome::Deleting { id, .. }) = &self.state.last_outcome else { return false };
        self.recorded.id.as_ref() != Some(id) && self.lookup.deleted_ids.contains(id)
    }

    pub(super) fn refusal(&self) -> StatusUpdate {
        match &self.state.last_outcome {
            Some(CallOutcome::Refused { report, .. }) => report.clone().into(),
            _ => StatusUpdate::KeepConditions,
        }
    }

    /// The re-creations of the last hour; what was before the user asked to resume does not count.
    pub(super) fn recent_recreations(&self) -> Vec<Timestamp> {
        let known = self.state.intent.iter().flat_map(|i| i.recreated.iter().copied());
        let recent = known.filter(|at| elapsed(*at, self.now) < CONTEST_WINDOW);
        recent.filter(|at| !self.requested_since(*at)).collect()
    }

    /// The same, with the one at hand.
    pub(super) fn recreations(&self) -> Vec<Timestamp> {
        let mut all = self.recent_recreations();
        // An open intent counts the one at hand already, however often it is tried; one that had the old object deleted
        // is no contest.
        if self.recorded.was_ready && self.open_intent().is_none() {
            all.push(self.now);
        }
        all
    }
}
