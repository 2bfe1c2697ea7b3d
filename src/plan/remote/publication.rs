//! Publishing over an existing publication: AppLink takes the same call as for the first one.
//!
//! Pure. As for a creation, the intent comes first. It stores the modification marker of the existing publication: if the
//! answer to the call is lost, a changed marker shows that the call took effect.

use super::context::RemoteContext;
use crate::conditions::{ConditionReport, StatusUpdate};
use crate::crd::Reason;
use crate::facts::{Observed, RemoteObject};
use crate::plan::decision::Decision;
use crate::plan::inputs::changed;
use crate::plan::state::{CallOutcome, Intent};
use crate::plan::step::{PublishReason, Step};
use crate::timing::{CONTEST_LIMIT, MAX_AGE_BEFORE_WRITE, REFUSAL_BACK_OFF, elapsed, remaining};

impl<R: RemoteObject> RemoteContext<'_, R> {
    /// Whether the call of this intent took effect, judged by the modification marker, although its answer is unknown.
    #[must_use]
    pub fn took_effect(&self, observed: &Observed<R>, intent: &Intent) -> bool {
        let not_sent = matches!(&self.state.last_outcome, Some(CallOutcome::Deferred { attempt, .. }) if *attempt == Some(intent.attempt));
        !not_sent
            && !self.intent_written(&intent.hash)
            && observed.at >= intent.at
            && intent.modified_marker.as_deref() != observed.object.modified_marker()
    }

    /// Publishes over the existing object. `hash` is the digest of the inputs.
    #[must_use]
    pub fn publish(&self, observed: &Observed<R>, hash: &str, reason: PublishReason) -> Decision {
        if let Some(decision) = self.back_off_after_refusal(hash, reason) {
            return decision;
        }
        if let Some(wait) = self.lost_call_wait() {
            return Decision::await_remote(self.report_lost_publish()).requeue_after(wait);
        }
        let step = Step::Publish { name: self.display_name.to_owned(), reason };
        if self.intent_written(hash) {
            return Decision::step(step);
        }
        // Only publications by somebody else count as a contest.
        let drifted = reason == PublishReason::Drifted;
        let recreated = if drifted { self.recreations() } else { self.recent_recreations() };
        if drifted && (recreated.len() > CONTEST_LIMIT || self.contested()) {
            return Decision::report(self.publish_contest());
        }
        // The intent needs the marker from just before the call.
        if elapsed(observed.at, self.now) > MAX_AGE_BEFORE_WRITE {
            return Decision::step(Step::Get { id: observed.object.id().to_owned() });
        }
        Decision::steps(vec![Step::WriteIntent { intent: self.next_intent(hash, recreated) }, step])
    }

    /// What to report while the answer to a publish call is lost. A Ready publication stays Ready, because either the old or
    /// the new one is published.
    fn report_lost_publish(&self) -> StatusUpdate {
        let text =
            format!("the answer to the publication of {} is lost; checking whether it took effect", self.display_name);
        match &self.state.last_outcome {
            Some(CallOutcome::Lost { report, .. }) => self.report_while_deferred(report),
            _ if self.state.ready => StatusUpdate::Unchanged,
            _ => ConditionReport::in_progress(Reason::Publishing, text).into(),
        }
    }

    fn publish_contest(&self) -> ConditionReport {
        let text = format!(
            "{} {} was published again {CONTEST_LIMIT} times within an hour, and somebody else published over it each time. \
             Find out who. Then set applink.dev/requestedAt to a new value to resume",
            self.noun, self.display_name
        );
        ConditionReport::stalled(Reason::Contested, text)
    }

    /// Waits after AppLink refused the same inputs.
    fn back_off_after_refusal(&self, hash: &str, reason: PublishReason) -> Option<Decision> {
        let answered = self.state.intent.as_ref().filter(|_| self.open_intent().is_none())?;
        let same = |intent: &&Intent| intent.hash == hash && intent.connection_id.as_deref() == self.connection_id;
        let intent = Some(answered).filter(same)?;
        let remembered = matches!(&self.state.last_outcome, Some(CallOutcome::Refused { attempt, .. }) if *attempt == Some(intent.attempt));
        // If the call had taken effect, the status would record its digest.
        let refused = remembered || self.recorded.id.is_none() || changed(self.recorded.applied_hash.as_deref(), hash);
        let waits = refused && !self.requested_since(intent.at);
        let left = remaining(REFUSAL_BACK_OFF, intent.at, self.now).filter(|_| waits)?;
        Some(Decision { update: with_remedy(self.refusal(), reason), ..Decision::unchanged() }.requeue_after(left))
    }
}

/// The refusal, and what to do if AppLink does not publish over an existing publication.
fn with_remedy(refusal: StatusUpdate, reason: PublishReason) -> StatusUpdate {
    let StatusUpdate::SetConditions(mut report) = refusal else { return refusal };
    report.message.push_str(match reason {
        PublishReason::Adopted => ". If the existing publication is in the way, delete that publication in AppLink",
        PublishReason::Changed | PublishReason::Drifted | PublishReason::Moved => {
            ". If the existing publication is in the way, set applink.dev/replace to a new value: the operator then deletes \
             it and publishes again, and calls fail in between. replacePolicy: DeleteAndRecreate does this after every 409"
        }
    });
    report.into()
}
