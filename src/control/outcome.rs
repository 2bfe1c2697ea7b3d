//! What the outcome of a call means: how the next plan is to take it, and what to tell of it.
//!
//! Calls nothing and keeps nothing. `apply` asks it after each call.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};

use crate::conditions::ConditionReport;
use crate::crd::Reason;
use crate::heroku::RemoteError;
use crate::observe::report_for;
use crate::plan::Step;
use crate::plan::remote::{PublishReason, REFUSAL_REST, SETTLE};
use crate::plan::state::{CallOutcome, Intent, ReadFailure};
use crate::transport::{CallError, DEADLINE};

/// The first pause after a call that was not carried out, for no reason that lies in it; doubled each time.
const PAUSE: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(10);
/// How long a call that nobody answered may still be carried out.
const CALL: SignedDuration = SignedDuration::from_secs(DEADLINE.as_secs() as i64);

/// One Event to come.
pub(super) struct PendingEvent {
    pub(super) warning: bool,
    pub(super) reason: Reason,
    pub(super) note: String,
}

/// A call that failed, and what it was part of.
pub(super) struct Failed<'a> {
    pub(super) error: &'a RemoteError,
    pub(super) step: &'a Step,
    /// The creation that it was, and what it was announced by.
    pub(super) intent: Option<&'a Intent>,
    /// When it was sent.
    pub(super) began: Timestamp,
    /// How many calls failed in a row with it.
    pub(super) nth: u32,
}

/// What a failed call means for the next plan.
pub(super) fn answer(failed: &Failed<'_>, now: Timestamp) -> CallOutcome {
    let Failed { error, step, intent, began, nth } = *failed;
    let attempt = intent.map(|intent| intent.attempt);
    let report = report_for(error);
    let doubled = |first| doubled_pause(first, nth);
    let later = |pause| CallOutcome::Deferred { report: report.clone(), at: now, until: now + pause, attempt };
    let asked = error.retry_after().and_then(|wait| SignedDuration::try_from(wait).ok());
    let call = match error {
        RemoteError::AppLink(call) => call,
        _ => return later(asked.unwrap_or(doubled(PAUSE))),
    };
    match (call.status(), attempt) {
        (Some(StatusCode::TOO_MANY_REQUESTS), _) => later(asked.unwrap_or(doubled(PAUSE))),
        // Once more soon, since a token may be on its way; then seldom, since each try is two calls.
        (Some(_), _) if call.refuses_token() && !blames_jwt(call) => {
            later(if nth == 1 { PAUSE } else { LONGEST_PAUSE })
        }
        (Some(status), _) if status.is_client_error() => {
            let text = format!(
                "AppLink refused to {step}: {call}. It is tried again every 10 minutes, and at once when the spec or \
                 applink.dev/requestedAt changes"
            );
            let conflict = attempt.is_some() && status == StatusCode::CONFLICT;
            CallOutcome::Refused {
                report: ConditionReport::stalled(Reason::RemoteRejected, text),
                at: now,
                attempt,
                conflict,
            }
        }
        // Only a creation must not be repeated before it is known how it ended.
        (_, Some(attempt)) if call.may_have_worked() => {
            // What lives on a connection has no GET by name that all services know.
            let over = answers_itself(call) && intent.is_some_and(|intent| intent.parent.is_none());
            let until = match over {
                // Proof is all that the first repetition waits for.
                true => now + if nth > 1 { doubled_pause(SETTLE, nth - 1) } else { SignedDuration::ZERO },
                false => began + doubled(CALL),
            };
            CallOutcome::Lost { report, until, attempt, over }
        }
        _ => later(asked.unwrap_or(doubled(PAUSE))),
    }
}

/// The pause after the nth failure in a row.
fn doubled_pause(first: SignedDuration, nth: u32) -> SignedDuration {
    (first * 2_i32.saturating_pow(nth.saturating_sub(1).min(10))).min(LONGEST_PAUSE)
}

fn is_missing(error: &RemoteError) -> bool {
    matches!(error, RemoteError::AppLink(call) if call.status() == Some(StatusCode::NOT_FOUND))
}

/// How many requests it took until the service refused a call for good, if it did.
pub(super) fn refusals(error: &RemoteError) -> Option<usize> {
    let RemoteError::AppLink(call) = error else { return None };
    call.status().filter(|status| status.is_client_error() && *status != StatusCode::TOO_MANY_REQUESTS)?;
    // A token that is refused is renewed once.
    Some(if call.refuses_token() { 2 } else { 1 })
}

/// Whether the service itself answered, and not a router that gave up on it: with an error in its own words.
fn answers_itself(call: &CallError) -> bool {
    let CallError::Status { status, error, .. } = call else { return false };
    matches!(status.as_u16(), 500..=502) && error.line().is_some()
}

fn blames_jwt(call: &CallError) -> bool {
    matches!(call, CallError::Status { error, .. } if error.blames_jwt())
}

/// What it means that the credential could not be read, after what came of the tries before.
pub(super) fn unread(error: &RemoteError, step: &Step, before: Option<&ReadFailure>, now: Timestamp) -> ReadFailure {
    let (since, tries) = before.map_or((now, 0), |unread| (unread.since, unread.tries));
    let tries = tries.saturating_add((!matches!(error, RemoteError::Budget(_))).into());
    let failed = Failed { error, step, intent: None, began: now, nth: tries };
    let (report, until) = match answer(&failed, now) {
        // The list has just shown it: a service may have its credential a moment later.
        _ if is_missing(error) => (report_for(error), now + doubled_pause(PAUSE, tries)),
        CallOutcome::Deferred { report, until, .. } => (report, until),
        CallOutcome::Refused { report, .. } => (report, now + REFUSAL_REST),
        _ => (report_for(error), now + PAUSE),
    };
    // One trouble is told in the words that it had first.
    let told = before.map(|unread| &unread.report).filter(|told| told.reason == report.reason);
    ReadFailure { report: told.cloned().unwrap_or(report), since, at: now, until, tries }
}

/// What to tell of something that is to be made otherwise, and stays Ready until it can be.
pub(super) fn delayed(answer: &CallOutcome) -> Option<PendingEvent> {
    let (CallOutcome::Deferred { report, .. } | CallOutcome::Lost { report, .. }) = answer else { return None };
    let note = report.message.clone();
    report.reason.is_outage().then_some(PendingEvent { warning: true, reason: report.reason, note })
}

/// What to tell of something that was made.
pub(super) fn news_of(step: &Step) -> Option<PendingEvent> {
    let (reason, note) = match step {
        Step::Create { name, anew: false } => (Reason::Created, format!("created {name} in AppLink")),
        Step::Create { name, anew: true } => (Reason::Recreated, format!("created {name} in AppLink")),
        Step::Publish { name, again } => match again {
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
