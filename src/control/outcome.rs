//! Turns errors of calls into plain data for the plan, and outcomes into Events.
//!
//! Calls nothing and keeps nothing. `execute` uses it after each call.

use http::StatusCode;
use jiff::SignedDuration;

use crate::crd::Reason;
use crate::heroku::RemoteError;
use crate::observe::report_for;
use crate::plan::Step;
use crate::plan::state::CallOutcome;
use crate::plan::step::PublishReason;
use crate::plan::transition::{CallFailure, FailureKind};
use crate::transport::CallError;

/// An Event that is published after the next status write.
pub(super) struct PendingEvent {
    pub(super) warning: bool,
    pub(super) reason: Reason,
    pub(super) note: String,
}

impl From<RemoteError> for CallFailure {
    fn from(error: RemoteError) -> Self {
        let text = match &error {
            RemoteError::AppLink(call) => call.to_string(),
            other => other.to_string(),
        };
        let retry_after = error.retry_after().and_then(|wait| SignedDuration::try_from(wait).ok());
        Self { report: report_for(&error), kind: kind_of(&error), text, retry_after }
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
            // A refused token is renewed once.
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

/// The Event of an update that is delayed while the object stays Ready.
pub(super) fn delayed_event(outcome: &CallOutcome) -> Option<PendingEvent> {
    let (CallOutcome::Deferred { report, .. } | CallOutcome::Lost { report, .. }) = outcome else { return None };
    let note = report.message.clone();
    report.reason.is_outage().then_some(PendingEvent { warning: true, reason: report.reason, note })
}

/// The Event of a creation or a publish call.
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
