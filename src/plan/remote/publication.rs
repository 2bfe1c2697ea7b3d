//! How what is there is written over, where the service takes the same call for that as for a creation.
//!
//! Pure. The word is given first, as for a creation, with what was seen there: whether a call took effect whose answer was
//! lost shows in that having moved. The kinds' plans call [`RemoteContext::publish`].

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{CONTEST_LIMIT, Decision, REFUSAL_REST, RemoteContext, elapsed};
use crate::conditions::{ConditionReport, StatusUpdate};
use crate::crd::Reason;
use crate::facts::{Observed, RemoteObject};
use crate::plan::Step;
use crate::plan::inputs::changed;
use crate::plan::state::{CallOutcome, Intent};

/// What is written over was looked at no longer ago than this.
const GLANCE: SignedDuration = SignedDuration::from_secs(2);

/// Why something is written over.
#[derive(Deserialize, Clone, Copy, Debug, PartialEq, Eq, Serialize, Hash)]
#[serde(rename_all = "camelCase")]
pub enum PublishReason {
    /// What it is made from changed.
    Changed,
    /// Somebody else wrote over it.
    Drifted,
    /// It was there first, and what it holds cannot be read.
    Adopted,
    /// It outlived the connection that it was published through.
    Moved,
}

impl<R: RemoteObject> RemoteContext<'_, R> {
    /// Whether the call under this word took effect, as what is seen there now tells; the answer to it is not known.
    #[must_use]
    pub fn took_effect(&self, seen: &Observed<R>, intent: &Intent) -> bool {
        let not_sent = matches!(&self.state.last_outcome, Some(CallOutcome::Deferred { attempt, .. }) if *attempt == Some(intent.attempt));
        !not_sent
            && !self.intent_written(&intent.hash)
            && seen.at >= intent.at
            && intent.seen.as_deref() != seen.object.modified_marker()
    }

    /// How to write over what is there. `hash` is the digest of what would be sent.
    #[must_use]
    pub fn publish(&self, seen: &Observed<R>, hash: &str, again: PublishReason) -> Decision {
        if let Some(decision) = self.back_off_after_refusal(hash, again) {
            return decision;
        }
        if let Some(wait) = self.lost_call_wait() {
            return Decision { update: self.report_lost_publish(), ..Decision::await_remote(StatusUpdate::Unchanged) }
                .requeue_after(wait);
        }
        let step = Step::Publish { name: self.display_name.to_owned(), again };
        if self.intent_written(hash) {
            return Decision::steps(vec![step]);
        }
        // Only a fight with somebody else counts.
        let recreated = if again == PublishReason::Drifted { self.recreations() } else { self.recent_recreations() };
        if again == PublishReason::Drifted && (recreated.len() > CONTEST_LIMIT || self.contested()) {
            return Decision::report(self.publish_contest());
        }
        // The word tells how it was just before the call: what moves after that moved by it.
        if elapsed(seen.at, self.now) > GLANCE {
            return Decision::steps(vec![Step::Get { id: seen.object.id().to_owned() }]);
        }
        Decision::steps(vec![Step::WriteIntent { intent: self.next_intent(hash, recreated) }, step])
    }

    /// What to say while the answer to a call is lost. What is Ready is there, be it as it was before.
    fn report_lost_publish(&self) -> StatusUpdate {
        let text =
            format!("the answer to the publication of {} was lost; looking whether it took effect", self.display_name);
        match &self.state.last_outcome {
            Some(CallOutcome::Lost { report, .. }) => self.report_while_deferred(report),
            _ if self.state.ready => StatusUpdate::Unchanged,
            _ => ConditionReport::in_progress(Reason::Publishing, text).into(),
        }
    }

    fn publish_contest(&self) -> ConditionReport {
        let text = format!(
            "{} {} was published again {CONTEST_LIMIT} times within an hour, and each time somebody else published over \
             it. Find out who, then set a new value of applink.dev/requestedAt to resume",
            self.noun, self.display_name
        );
        ConditionReport::stalled(Reason::Contested, text)
    }

    /// The wait after these very inputs were refused.
    fn back_off_after_refusal(&self, hash: &str, again: PublishReason) -> Option<Decision> {
        let given = self.state.intent.as_ref().filter(|_| self.open_intent().is_none())?;
        let intent = Some(given).filter(|given| given.hash == hash && given.parent.as_deref() == self.parent)?;
        let told = matches!(&self.state.last_outcome, Some(CallOutcome::Refused { attempt, .. }) if *attempt == Some(intent.attempt));
        let left = REFUSAL_REST.saturating_sub(elapsed(intent.at, self.now));
        // One that took effect is recorded with its digest; one that cannot be read tells nothing.
        let refused = told || self.recorded.id.is_none() || changed(self.recorded.applied_hash.as_deref(), hash);
        let rests = refused && left.is_positive() && !self.requested_since(intent.at);
        rests.then(|| {
            Decision { steps: vec![], update: with_way_out(self.refusal(), again), requeue_after: None }
                .requeue_after(left)
        })
    }
}

/// The refusal, and what the user can do where the service takes no second publication beside the first.
fn with_way_out(refusal: StatusUpdate, again: PublishReason) -> StatusUpdate {
    let StatusUpdate::SetConditions(mut report) = refusal else { return refusal };
    report.message.push_str(match again {
        PublishReason::Adopted => ". Where what is published now is in the way, delete that in AppLink",
        PublishReason::Changed | PublishReason::Drifted | PublishReason::Moved => {
            ". Where what is published now is in the way, a new value of applink.dev/replace has it deleted and published \
             anew, which whoever calls it notices; replacePolicy: DeleteAndRecreate does so after every 409"
        }
    });
    report.into()
}
