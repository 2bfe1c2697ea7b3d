//! What the error of a call says about it, as plain data for the plan; and the Events that an outcome gives rise to.
//!
//! Calls nothing and keeps nothing. `execute` asks it after each call.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};

use crate::crd::Reason;
use crate::heroku::RemoteError;
use crate::observe::report_for;
use crate::plan::Step;
use crate::plan::state::CallOutcome;
use crate::plan::step::PublishReason;
use crate::plan::timing::CALL_DEADLINE;
use crate::plan::transition::{CallFailure, FailureKind};
use crate::transport::{CallError, DEADLINE};

// The plan waits for a call of ours as long as the transport does.
const _: () = assert!(CALL_DEADLINE.as_secs() == DEADLINE.as_secs() as i64);

/// One Event to come.
pub(super) struct PendingEvent {
    pub(super) warning: bool,
    pub(super) reason: Reason,
    pub(super) note: String,
}

/// What is known of a call that failed.
pub(super) fn failure(error: &RemoteError, began: Timestamp) -> CallFailure {
    CallFailure {
        report: report_for(error),
        kind: kind_of(error),
        text: match error {
            RemoteError::AppLink(call) => call.to_string(),
            other => other.to_string(),
        },
        retry_after: error.retry_after().and_then(|wait| SignedDuration::try_from(wait).ok()),
        began,
    }
}

fn kind_of(error: &RemoteError) -> FailureKind {
    let call = match error {
        RemoteError::AppLink(call) => call,
        RemoteError::Budget(_) => return FailureKind::NotSent,
        _ => return FailureKind::NotCarriedOut,
    };
    match call.status() {
        Some(StatusCode::TOO_MANY_REQUESTS) => FailureKind::NotCarriedOut,
        Some(_) if call.refuses_token() && !mentions_jwt(call) => FailureKind::TokenRefused,
        Some(status) if status.is_client_error() => {
            // A token that is refused is renewed once.
            let requests = if call.refuses_token() { 2 } else { 1 };
            FailureKind::Refused { status: status.as_u16(), requests }
        }
        _ if call.may_have_worked() => FailureKind::Unanswered { by_service: answers_itself(call) },
        _ => FailureKind::NotCarriedOut,
    }
}

/// Whether the service itself answered, and not a router that gave up on it: with an error in its own words.
fn answers_itself(call: &CallError) -> bool {
    let CallError::Status { status, error, .. } = call else { return false };
    matches!(status.as_u16(), 500..=502) && error.line().is_some()
}

fn mentions_jwt(call: &CallError) -> bool {
    matches!(call, CallError::Status { error, .. } if error.mentions_jwt())
}

/// What to tell of something that is to be made otherwise, and stays Ready until it can be.
pub(super) fn delayed(answer: &CallOutcome) -> Option<PendingEvent> {
    let (CallOutcome::Deferred { report, .. } | CallOutcome::Lost { report, .. }) = answer else { return None };
    let note = report.message.clone();
    report.reason.is_outage().then_some(PendingEvent { warning: true, reason: report.reason, note })
}

/// What to tell of something that was made.
pub(super) fn made_event(step: &Step) -> Option<PendingEvent> {
    let (reason, note) = match step {
        Step::Create { name, recreate: false } => (Reason::Created, format!("created {name} in AppLink")),
        Step::Create { name, recreate: true } => (Reason::Recreated, format!("created {name} in AppLink")),
        Step::Publish { name, reason } => match reason {
            PublishReason::Changed => {
                (Reason::Republished, format!("published {name} again, since what it is made from changed"))
            }
            PublishReason::Drifted => {
                (Reason::DriftCorrected, format!("published {name} again, since somebody else had published"))
            }
            PublishReason::Moved => {
                (Reason::Republished, format!("published {name} again, over the connection that there is now"))
            }
            PublishReason::Adopted => (Reason::Adopted, format!("took over what was published before, as {name}")),
        },
        _ => return None,
    };
    Some(PendingEvent { warning: false, reason, note })
}
