//! Transitions: how the outcome of a step changes the reconcile state.
//!
//! Pure. This is the other half of the state machine beside the plan. The controller applies it after each step, and so do
//! the tests.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Step;
use super::state::{CallOutcome, CredentialsState, Intent, ReadFailure, ReconcileState, WrittenSecret};
use crate::conditions::ConditionReport;
use crate::crd::Reason;
use crate::facts::Phase;
use crate::timing::{CALL_DEADLINE, FIRST_BACK_OFF, LOST_CALL_WAIT, MAX_BACK_OFF, REFUSAL_BACK_OFF, back_off};

/// How a step ended.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub enum StepOutcome {
    /// The step succeeded.
    Done,
    /// AppLink answered a Create or Publish.
    Made {
        /// Remote ID.
        id: String,
        /// Phase of the object in the answer.
        phase: Phase,
    },
    /// A call to the remote service failed.
    Failed {
        /// Why.
        failure: CallFailure,
        /// When the call began.
        began: Timestamp,
    },
    /// The owned Secret could not be deleted.
    NotDeleted,
}

/// A failed call, as plain data.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallFailure {
    /// Conditions to report.
    pub report: ConditionReport,
    /// What the operator knows about the call.
    pub kind: FailureKind,
    /// Error text of the service, redacted.
    pub text: String,
    /// How long the service asked to wait.
    pub retry_after: Option<SignedDuration>,
}

/// What the operator knows about a failed call.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// Not sent, because the call budget is exhausted.
    NotSent,
    /// Not carried out, for a reason outside the call.
    NotCarriedOut,
    /// The service refused the token twice: the old one and a renewed one.
    TokenRefused,
    /// The service refused the call permanently.
    Refused {
        /// HTTP status, 400 to 499.
        status: u16,
        /// Number of requests; 2 if the operator renewed a refused token.
        requests: usize,
    },
    /// The call may have been carried out.
    Unanswered {
        /// Whether the service answered with an error of its own. The call then takes no effect later.
        by_service: bool,
    },
}

impl FailureKind {
    /// Number of requests that the service refused permanently.
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
            (_, StepOutcome::Failed { failure, began }) => next.fail(step, failure, *began, now),
            (Step::WriteIntent { intent } | Step::Adopt { intent }, _) => {
                (next.finalizer, next.intent) = (true, Some(intent.clone()));
                // Outcomes of earlier attempts no longer count.
                next.last_outcome = None;
            }
            (Step::AddFinalizer, _) => (next.finalizer, next.last_outcome) = (true, None),
            (Step::RemoveFinalizer { .. }, _) => next.finalizer = false,
            (Step::Update { .. }, _) => (next.last_outcome, next.call_failures) = (None, 0),
            (Step::Create { .. } | Step::Publish { .. } | Step::Delete { .. }, _) => {
                next.last_outcome = self.outcome_of_answer(step, outcome, now);
                next.call_failures = 0;
            }
            _ => {}
        }
        next
    }

    /// Outcome of a call that the service answered.
    fn outcome_of_answer(&self, step: &Step, outcome: &StepOutcome, now: Timestamp) -> Option<CallOutcome> {
        match (step, outcome) {
            (Step::Delete { id }, _) => Some(CallOutcome::Deleting { id: id.clone(), at: now }),
            (Step::Create { name, .. }, StepOutcome::Made { id, phase: Phase::Deleted }) => {
                let text = format!(
                    "AppLink answered the creation of {name} with object {id}, which is already disconnected. The operator \
                     tries again every 10 minutes"
                );
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

    fn fail(&mut self, step: &Step, failure: &CallFailure, began: Timestamp, now: Timestamp) {
        // A call that was not sent does not predict the fate of the next one.
        let nth = if failure.kind == FailureKind::NotSent {
            0
        } else {
            self.call_failures = self.call_failures.saturating_add(1);
            self.call_failures
        };
        if step.mutates() && failure.kind.refusals() > 0 {
            self.refusals.retain(|earlier| now.duration_since(*earlier) < REFUSAL_BACK_OFF);
            self.refusals.extend(std::iter::repeat_n(now, failure.kind.refusals()));
        }
        let intent = self.intent.as_ref().filter(|_| step.needs_intent());
        let mut outcome = after_failure(step, failure, intent, nth, (began, now));
        // A later failure of another call does not change that the creation was not carried out.
        if let (
            CallOutcome::Deferred { attempt: attempt @ None, .. },
            Some(CallOutcome::Deferred { attempt: earlier, .. }),
        ) = (&mut outcome, &self.last_outcome)
        {
            *attempt = *earlier;
        }
        self.last_outcome = Some(outcome);
    }
}

/// Outcome of a call that began and failed at these times. `intent` is the one that announced it; `nth` counts failures in a
/// row, from 1.
fn after_failure(
    step: &Step,
    failure: &CallFailure,
    intent: Option<&Intent>,
    nth: u32,
    (began, now): (Timestamp, Timestamp),
) -> CallOutcome {
    let attempt = intent.map(|intent| intent.attempt);
    let report = failure.report.clone();
    let defer =
        |pause| CallOutcome::Deferred { report: failure.report.clone(), at: now, until: later(now, pause), attempt };
    let asked = failure.retry_after.unwrap_or(back_off(FIRST_BACK_OFF, nth));
    match (failure.kind, intent) {
        // The user may be replacing the token, so try again soon once. Then wait longer, because each try costs two calls.
        (FailureKind::TokenRefused, _) => defer(if nth == 1 { FIRST_BACK_OFF } else { MAX_BACK_OFF }),
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
        // The operator must not repeat a creation before it knows how the first one ended.
        (FailureKind::Unanswered { by_service }, Some(intent)) => {
            // Some versions of AppLink cannot look up connection children by name.
            let finished = by_service && intent.connection_id.is_none();
            let until = match finished {
                // The first repetition waits only for proof that nothing was created.
                true if nth > 1 => later(now, back_off(LOST_CALL_WAIT, nth.saturating_sub(1))),
                true => now,
                false => later(began, back_off(CALL_DEADLINE, nth)),
            };
            CallOutcome::Lost { report, until, attempt: intent.attempt, finished }
        }
        _ => defer(asked),
    }
}

/// State of a credential after an attempt to read it and write it to its Secret.
fn after_reading(
    before: &CredentialsState,
    step: &Step,
    (id, secret): (&str, &str),
    outcome: &StepOutcome,
    now: Timestamp,
) -> CredentialsState {
    let StepOutcome::Failed { failure, began } = outcome else {
        let written = WrittenSecret { id: id.to_owned(), secret: secret.to_owned(), at: now };
        return CredentialsState { written: Some(written), ..CredentialsState::default() };
    };
    let (since, tries) = before.failure.as_ref().map_or((now, 0), |failure| (failure.since, failure.tries));
    let tries = tries.saturating_add((failure.kind != FailureKind::NotSent).into());
    let missing = matches!(failure.kind, FailureKind::Refused { status: 404, .. });
    let (report, until) = match after_failure(step, failure, None, tries, (*began, now)) {
        // The list showed the authorization; its credential may follow a moment later.
        _ if missing => (failure.report.clone(), later(now, back_off(FIRST_BACK_OFF, tries))),
        CallOutcome::Deferred { report, until, .. } => (report, until),
        CallOutcome::Refused { report, .. } => (report, later(now, REFUSAL_BACK_OFF)),
        _ => (failure.report.clone(), later(now, FIRST_BACK_OFF)),
    };
    // A series of failures keeps its first message.
    let first = before.failure.as_ref().map(|failure| &failure.report).filter(|first| first.reason == report.reason);
    let report = first.cloned().unwrap_or(report);
    CredentialsState { failure: Some(ReadFailure { report, since, at: now, until, tries }), ..before.clone() }
}

fn later(at: Timestamp, pause: SignedDuration) -> Timestamp {
    at.checked_add(pause).unwrap_or(Timestamp::MAX)
}
