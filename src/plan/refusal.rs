//! What to report when the API server refuses a request for an object, so that nobody has to read the log to find out.
//!
//! Pure. `control` describes the refusal and writes the report.

use crate::conditions::ConditionReport;
use crate::crd::Reason;

use super::state::ReconcileState;
use crate::timing::PASSING_FAILURES;

/// A request that the API server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was refused, and the answer of the API server.
    pub error: String,
    /// What the user can do.
    pub remedy: &'static str,
    /// Whether the API server says that it is busy or broken, rather than that the request is wrong.
    pub passing: bool,
    /// Failures in a row before this one.
    pub failures: u32,
    /// Whether the reconcile was about to execute a step.
    pub during_step: bool,
    /// Whether the state of the remote object is unknown at the moment.
    pub stale: bool,
}

/// The conditions to report. `None` while the API server is only busy for a short time, or while the object is Ready and
/// nothing is to be done for it. `initial` is the reason of Ready while the kind creates its remote object.
#[must_use]
pub fn report_of(refusal: &Refusal, state: &ReconcileState, initial: Reason) -> Option<ConditionReport> {
    if refusal.passing && refusal.failures < PASSING_FAILURES {
        return None;
    }
    if state.ready && !refusal.during_step && state.is_observed() && !refusal.stale {
        return None;
    }
    let reason = if state.deleting { Reason::Deleting } else { initial };
    let mut text = format!("{}. {}", refusal.error, refusal.remedy);
    if state.deleting {
        text.push_str("; to delete without it, set applink.dev/force-orphan: \"true\"");
    }
    Some(ConditionReport::in_progress(reason, text))
}
