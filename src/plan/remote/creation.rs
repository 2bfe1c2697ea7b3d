//! Creation: how the operator creates a remote object exactly once.
//!
//! Pure. It creates nothing before a listing proves that the name is free and an intent is written. It repeats nothing
//! before it knows how the previous attempt ended.

use jiff::{SignedDuration, Timestamp};

use super::context::RemoteContext;
use crate::conditions::{ConditionReport, StatusUpdate};
use crate::crd::Reason;
use crate::facts::{Observed, Phase, RemoteObject};
use crate::plan::decision::Decision;
use crate::plan::inputs::changed;
use crate::plan::state::{CallOutcome, Intent};
use crate::plan::step::Step;
use crate::timing::{
    CONTEST_LIMIT, CONTEST_WINDOW, LISTING_PATIENCE, LOST_CALL_WAIT, PROGRESS_LIMIT, REFUSAL_BACK_OFF, elapsed,
    remaining,
};

impl<R: RemoteObject> RemoteContext<'_, R> {
    /// Creates the object if the observations show none. `hash` is the digest of the inputs.
    #[must_use]
    pub fn create(&self, hash: &str) -> Decision {
        if !self.lookup.complete {
            return Decision { update: self.report_incomplete_listing(), ..Decision::step(Step::Poll) };
        }
        if let Some(id) = self.unconfirmed() {
            return Decision::step(Step::Get { id: id.to_owned() });
        }
        if let Some(decision) =
            self.just_created(hash).or_else(|| self.delete_tombstone(hash)).or_else(|| self.back_off(hash))
        {
            return decision;
        }
        let create = Step::Create { name: self.display_name.to_owned(), recreate: self.recorded.was_ready };
        if self.intent_written(hash) {
            return Decision::step(create);
        }
        let recreated = self.recreations();
        if recreated.len() > CONTEST_LIMIT || self.contested() {
            return Decision::report(self.contest_report());
        }
        Decision::steps(vec![Step::WriteIntent { intent: self.next_intent(hash, recreated) }, create])
    }

    /// What to report while no complete listing proves that the name is free.
    fn report_incomplete_listing(&self) -> StatusUpdate {
        match &self.state.last_outcome {
            // Record a refusal immediately: the refused attempt did not create an object that appears under this name now.
            Some(CallOutcome::Refused { .. }) => StatusUpdate::FactsOnly,
            _ if self.state.is_observed() || elapsed(self.state.changed_at, self.now) < LISTING_PATIENCE => {
                StatusUpdate::Unchanged
            }
            _ => {
                let text = format!(
                    "waiting for a complete listing from AppLink; until then, it is unknown whether the name {} is free",
                    self.display_name
                );
                ConditionReport::in_progress(Reason::Creating, text).into()
            }
        }
    }

    /// Waits for an object that AppLink created but does not show yet.
    fn just_created(&self, hash: &str) -> Option<Decision> {
        let Some(CallOutcome::Created { id, intent }) = &self.state.last_outcome else { return None };
        let same = self.recorded.id.as_ref() == Some(id) && !changed(self.recorded.applied_hash.as_deref(), hash);
        let waits = same && !self.recorded.was_ready && !self.requested_since(intent.at);
        let left = remaining(LOST_CALL_WAIT, intent.at, self.now).filter(|_| waits)?;
        let text = format!("{} {} is created; waiting until AppLink shows it", self.noun, self.display_name);
        Some(Decision::await_remote(ConditionReport::in_progress(Reason::Creating, text)).requeue_after(left))
    }

    /// Waits while AppLink sets the object up. `status` is the status as AppLink writes it; `remedy` says what to do once
    /// this takes too long.
    #[must_use]
    pub fn in_progress(&self, reason: Reason, status: &str, remedy: &str) -> Decision {
        let (noun, display_name) = (self.noun, self.display_name);
        let text = format!("AppLink is setting up {noun} {display_name} (status \"{status}\")");
        let waiting = Decision::await_remote(ConditionReport::in_progress(reason, text));
        // If the object worked before, the start of this phase is unknown.
        let Some(intent) = self.state.intent.as_ref().filter(|_| !self.recorded.was_ready) else { return waiting };
        if let Some(left) = remaining(PROGRESS_LIMIT, intent.at, self.now) {
            return waiting.requeue_after(left);
        }
        let minutes = PROGRESS_LIMIT.as_mins();
        let text = format!("{noun} {display_name} still has status \"{status}\" after {minutes} minutes. {remedy}");
        Decision::report(ConditionReport::stalled(Reason::RemoteFailed, text))
    }

    /// The intent of the next attempt.
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
            connection_id: self.connection_id.map(str::to_owned),
            modified_marker: self
                .lookup
                .of_name(self.name)
                .first()
                .and_then(|observed| observed.object.modified_marker())
                .map(str::to_owned),
        }
    }

    /// Writes the finalizer and an intent that follows from the status. `hash` is the digest of the declared inputs, for a
    /// status that records none.
    #[must_use]
    pub fn write_restored_intent(&self, hash: &str) -> Decision {
        let intent = self.state.intent.clone().unwrap_or_else(|| Intent {
            owner_id: self.recorded.owner_id.clone().or_else(|| self.owner_id().map(str::to_owned)).unwrap_or_default(),
            attempt: self.recorded.answered_attempt.unwrap_or(1),
            ..self.next_intent(self.recorded.applied_hash.as_deref().unwrap_or(hash), Vec::new())
        });
        Decision::step(Step::WriteIntent { intent })
    }

    /// Whether this process wrote the intent and did not act on it yet.
    pub(super) fn intent_written(&self, hash: &str) -> bool {
        self.state.finalizer
            && self.state.last_outcome.is_none()
            && self.create_intent().is_some_and(|i| i.hash == hash && i.at >= self.state.first_seen)
    }

    /// Whether the object reports a contest that the user did not resolve.
    pub(super) fn contested(&self) -> bool {
        self.state.reason == Some(Reason::Contested) && !self.requested()
    }

    fn contest_report(&self) -> ConditionReport {
        let text = format!(
            "the operator recreated {} {} {CONTEST_LIMIT} times within an hour, and somebody else deleted it each time. Find \
             out who manages it, too. Then set applink.dev/requestedAt to a new value to resume",
            self.noun, self.display_name
        );
        ConditionReport::stalled(Reason::Contested, text)
    }

    /// Number of the last attempt, from the intent or the status.
    fn last_attempt(&self) -> i64 {
        let intended = self.state.intent.as_ref().map_or(0, |i| i.attempt);
        intended.max(self.recorded.answered_attempt.unwrap_or(0))
    }

    /// Waits as an earlier attempt demands.
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
                        "the answer to the creation of {} {} is lost; checking whether it took effect",
                        self.noun, self.display_name
                    ),
                ),
            };
            return Some(Decision::await_remote(report).requeue_after(wait));
        }
        // Another connection may accept what this one refused.
        let same = |intent: &&Intent| intent.hash == hash && intent.connection_id.as_deref() == self.connection_id;
        let intent = self.state.intent.as_ref().filter(same)?;
        let refused = self.open_intent().is_none() && self.recorded.id.is_none() && !self.requested_since(intent.at);
        let left = remaining(REFUSAL_BACK_OFF, intent.at, self.now).filter(|_| refused)?;
        Some(Decision { update: self.refusal(), ..Decision::unchanged() }.requeue_after(left))
    }

    /// How long the POST of the open intent may still take effect, if its outcome is unknown.
    #[must_use]
    pub fn lost_call_wait(&self) -> Option<SignedDuration> {
        let intent = self.create_intent()?;
        if self.created_and_deleted() {
            return None;
        }
        match &self.state.last_outcome {
            Some(CallOutcome::Lost { until, attempt, .. }) if *attempt == intent.attempt => {
                Some(elapsed(self.now, *until)).filter(SignedDuration::is_positive)
            }
            Some(CallOutcome::Deferred { attempt, .. }) if *attempt == Some(intent.attempt) => None,
            // This process wrote the intent a moment ago and did not act on it yet.
            None if intent.at >= self.state.first_seen => None,
            // An earlier process wrote the intent. The outcome of another call says nothing about it, and its clock may
            // differ from ours: it sent nothing after this process first saw the object.
            _ => remaining(LOST_CALL_WAIT, intent.at.max(self.state.first_seen), self.now),
        }
    }

    /// Proves that a creation that AppLink answered with an error of its own created nothing: by a listing and, because a
    /// listing may lag, by a GET by name.
    pub(super) fn prove_not_created(&self) -> Option<Decision> {
        let intent = self.create_intent()?;
        let finished = matches!(&self.state.last_outcome, Some(CallOutcome::Lost { finished: true, attempt, .. }) if *attempt == intent.attempt);
        // A GET by name may also return a disconnected object.
        let tombstone =
            |observed: &Observed<R>| observed.object.phase() == Phase::Deleted && self.observed_since(observed, intent);
        let read = self.lookup.absent_by_get || self.lookup.observed.iter().any(tombstone);
        if !finished || (self.lookup.listed && read) {
            return None;
        }
        Some(Decision::step(match self.lookup.listed {
            true => Step::Get { id: self.name.to_owned() },
            false => Step::Poll,
        }))
    }

    /// Whether the operator found and deleted the object that the POST of the open intent created. One POST creates one
    /// object.
    pub(super) fn created_and_deleted(&self) -> bool {
        let Some(CallOutcome::Deleting { id, .. }) = &self.state.last_outcome else { return false };
        self.recorded.id.as_ref() != Some(id) && self.lookup.deleted_ids.contains(id)
    }

    /// Re-creations within the contest window, without those before the user asked to resume.
    pub(super) fn recent_recreations(&self) -> Vec<Timestamp> {
        let known = self.state.intent.iter().flat_map(|i| i.recreated.iter().copied());
        let recent = known.filter(|at| elapsed(*at, self.now) < CONTEST_WINDOW);
        recent.filter(|at| !self.requested_since(*at)).collect()
    }

    /// Recent re-creations, including the current one.
    pub(super) fn recreations(&self) -> Vec<Timestamp> {
        let mut all = self.recent_recreations();
        // An open intent already counts the current one, however often it is tried. A replacement is no contest.
        if self.recorded.was_ready && self.open_intent().is_none() {
            all.push(self.now);
        }
        all
    }
}
