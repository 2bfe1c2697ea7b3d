//! What the outcome of a step does to the reconcile state: the other half of the state machine beside the plan.
//!
//! Pure. The controller applies it after each step, and so does whoever plays the controller, as the tests do.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Step;
use super::remote::{REFUSAL_REST, SETTLE};
use super::state::{CallOutcome, CredentialsState, Intent, ReadFailure, ReconcileState, WrittenSecret};
use crate::conditions::ConditionReport;
use crate::crd::Reason;
use crate::facts::Phase;

/// The first pause after a call that was not carried out, for no reason that lies in it. Each failure in a row doubles it.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(10);
/// How long after it was sent a call may still be carried out that nobody answered.
pub const CALL_DEADLINE: SignedDuration = SignedDuration::from_secs(30);

// A successor waits for longer than any call of its predecessor can take.
const _: () = assert!(SETTLE.as_secs() > CALL_DEADLINE.as_secs());

/// How a step ended.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub enum StepOutcome {
    /// It was carried out.
    Done,
    /// AppLink answered a create or publish.
    Made {
        /// Remote id.
        id: String,
        /// Phase of what was made.
        phase: Phase,
    },
    /// A call to AppLink, or on the way to it, failed.
    Failed(CallFailure),
    /// A Secret of ours could not be deleted with its owner.
    NotDeleted,
}

/// A call that failed, as plain data.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallFailure {
    /// What it keeps from working, for a condition.
    pub report: ConditionReport,
    /// What is known of the call.
    pub kind: FailureKind,
    /// The error in the service's own words, redacted.
    pub text: String,
    /// How long the service asked to wait.
    pub retry_after: Option<SignedDuration>,
    /// When the call began.
    pub began: Timestamp,
}

/// What is known of a call that failed.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// It was not sent: the call budget forbids it now.
    NotSent,
    /// It was not carried out, for no reason that lies in it.
    NotCarriedOut,
    /// The service refused the token, in two requests.
    TokenRefused,
    /// The service refused it for good, with this status.
    Refused {
        /// HTTP status, 400 to 499.
        status: u16,
        /// Requests that it took: a refused token is renewed once.
        requests: usize,
    },
    /// It may have been carried out.
    Unanswered {
        /// Whether the service itself answered, with an error of its own: then nothing comes of the call later.
        by_service: bool,
    },
}

impl FailureKind {
    /// Requests that the service refused for good.
    fn refusals(self) -> usize {
        match self {
            Self::Refused { requests, .. } => requests,
            Self::TokenRefused => 2,
            Self::NotSent | Self::NotCarriedOut | Self::Unanswered { .. } => 0,
        }
    }
}

impl ReconcileState {
    /// The state after `step` ended with `outcome` at `now`.
    #[must_use]
    pub fn after(&self, step: &Step, outcome: &StepOutcome, now: Timestamp) -> Self {
        let mut next = self.clone();
        match (step, outcome) {
            (Step::WriteCredentialsSecret { id, secret }, _) => {
                next.credentials = after_reading(&self.credentials, step, (id, secret), outcome, now);
            }
            (Step::DeleteCredentialsSecret { secret }, _) => {
                next.credentials = CredentialsState::default();
                if *outcome == StepOutcome::NotDeleted {
                    next.credentials.undeletable.clone_from(&self.credentials.undeletable);
                    next.credentials.undeletable.push(secret.clone());
                }
            }
            (_, StepOutcome::Failed(failure)) => next.fail(step, failure, now),
            (Step::WriteIntent { intent } | Step::Adopt { intent }, _) => {
                (next.finalizer, next.intent) = (true, Some(intent.clone()));
                // From here on, no outcome of an earlier attempt counts.
                next.last_outcome = None;
            }
            (Step::AddFinalizer, _) => (next.finalizer, next.last_outcome) = (true, None),
            (Step::RemoveFinalizer { .. }, _) => next.finalizer = false,
            (Step::Create { .. } | Step::Publish { .. } | Step::Delete { .. }, _) => {
                next.last_outcome = self.answered(step, outcome, now);
                next.call_failures = 0;
            }
            _ => {}
        }
        next
    }

    /// The outcome of a call that the service answered.
    fn answered(&self, step: &Step, outcome: &StepOutcome, now: Timestamp) -> Option<CallOutcome> {
        match (step, outcome) {
            (Step::Delete { id }, _) => Some(CallOutcome::Deleting { id: id.clone(), at: now }),
            (Step::Create { name, .. }, StepOutcome::Made { id, phase: Phase::Deleted }) => {
                let text = format!("AppLink answered the creation of {name} with {id}, which is disconnected");
                let report = ConditionReport::stalled(Reason::RemoteRejected, text);
                let attempt = self.intent.as_ref().map(|intent| intent.attempt);
                Some(CallOutcome::Refused { report, at: now, attempt, conflict: false })
            }
            (_, StepOutcome::Made { id, .. }) => {
                Some(CallOutcome::Created { id: id.clone(), intent: self.intent.clone()? })
            }
            _ => self.last_outcome.clone(),
        }
    }

    fn fail(&mut self, step: &Step, failure: &CallFailure, now: Timestamp) {
        // What was not even sent says nothing of how the next call will fare.
        let nth = if failure.kind == FailureKind::NotSent {
            0
        } else {
            self.call_failures = self.call_failures.saturating_add(1);
            self.call_failures
        };
        if step.mutates() && failure.kind.refusals() > 0 {
            self.refusals.retain(|earlier| now.duration_since(*earlier) < REFUSAL_REST);
            self.refusals.extend(std::iter::repeat_n(now, failure.kind.refusals()));
        }
        let intent = self.intent.as_ref().filter(|_| step.makes());
        let mut outcome = after_failure(step, failure, intent, nth, now);
        // A creation that was not carried out is not: another call that fails since does not change that.
        if let (
            CallOutcome::Deferred { attempt: none @ None, .. },
            Some(CallOutcome::Deferred { attempt: not_made, .. }),
        ) = (&mut outcome, &self.last_outcome)
        {
            *none = *not_made;
        }
        self.last_outcome = Some(outcome);
    }
}

/// What a failed call means for the next plan. `intent` is the one that announced it, `nth` counts failures in a row.
fn after_failure(step: &Step, failure: &CallFailure, intent: Option<&Intent>, nth: u32, now: Timestamp) -> CallOutcome {
    let attempt = intent.map(|intent| intent.attempt);
    let report = failure.report.clone();
    let defer =
        |pause| CallOutcome::Deferred { report: failure.report.clone(), at: now, until: later(now, pause), attempt };
    let asked = failure.retry_after.unwrap_or(back_off(FIRST_PAUSE, nth));
    match (failure.kind, intent) {
        // Once more soon, since a token may be on its way; then seldom, since each try is two calls.
        (FailureKind::TokenRefused, _) => defer(if nth == 1 { FIRST_PAUSE } else { LONGEST_PAUSE }),
        (FailureKind::Refused { status, .. }, _) => {
            let text = format!(
                "AppLink refused to {step}: {}. The operator tries again every 10 minutes, and at once when the spec or \
                 applink.dev/requestedAt changes",
                failure.text
            );
            let conflict = attempt.is_some() && status == 409;
            let report = ConditionReport::stalled(Reason::RemoteRejected, text);
            CallOutcome::Refused { report, at: now, attempt, conflict }
        }
        // Only a creation must not be repeated before it is known how it ended.
        (FailureKind::Unanswered { by_service }, Some(intent)) => {
            // Not all services find a connection's children by name.
            let finished = by_service && intent.parent.is_none();
            let until = match finished {
                // Proof is all that the first repetition waits for.
                true if nth > 1 => later(now, back_off(SETTLE, nth.saturating_sub(1))),
                true => now,
                false => later(failure.began, back_off(CALL_DEADLINE, nth)),
            };
            CallOutcome::Lost { report, until, attempt: intent.attempt, finished }
        }
        _ => defer(asked),
    }
}

/// What is remembered of a credential after a try to read it and to write it into a Secret.
fn after_reading(
    before: &CredentialsState,
    step: &Step,
    (id, secret): (&str, &str),
    outcome: &StepOutcome,
    now: Timestamp,
) -> CredentialsState {
    let StepOutcome::Failed(failure) = outcome else {
        let written = WrittenSecret { id: id.to_owned(), secret: secret.to_owned(), at: now };
        return CredentialsState { written: Some(written), ..CredentialsState::default() };
    };
    let (since, tries) = before.failure.as_ref().map_or((now, 0), |failure| (failure.since, failure.tries));
    let tries = tries.saturating_add((failure.kind != FailureKind::NotSent).into());
    let missing = matches!(failure.kind, FailureKind::Refused { status: 404, .. });
    let (report, until) = match after_failure(step, failure, None, tries, now) {
        // The list has just shown it: a service may have its credential a moment later.
        _ if missing => (failure.report.clone(), later(now, back_off(FIRST_PAUSE, tries))),
        CallOutcome::Deferred { report, until, .. } => (report, until),
        CallOutcome::Refused { report, .. } => (report, later(now, REFUSAL_REST)),
        _ => (failure.report.clone(), later(now, FIRST_PAUSE)),
    };
    // One trouble keeps the message that it had first.
    let first = before.failure.as_ref().map(|failure| &failure.report).filter(|first| first.reason == report.reason);
    let report = first.cloned().unwrap_or(report);
    CredentialsState { failure: Some(ReadFailure { report, since, at: now, until, tries }), ..before.clone() }
}

/// The pause after the nth failure in a row.
fn back_off(first: SignedDuration, nth: u32) -> SignedDuration {
    let factor = 2_i32.saturating_pow(nth.saturating_sub(1).min(10));
    first.checked_mul(factor).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE)
}

fn later(at: Timestamp, pause: SignedDuration) -> Timestamp {
    at.checked_add(pause).unwrap_or(Timestamp::MAX)
}
