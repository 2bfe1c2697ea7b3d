//! The result of a check: steps, a status update, and when to plan again.
//!
//! Pure. A kind's plan adds the status to a decision.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::state::ReconcileState;
use super::step::Step;
use crate::conditions::{ConditionReport, StatusUpdate};
use crate::timing::{DEPENDENCY_GRACE, REQUEUE_MARGIN, remaining};

/// What to do next for one object, before its status is added.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Steps in order.
    pub steps: Vec<Step>,
    /// What to write to the status.
    pub update: StatusUpdate,
    /// When to plan again even if nothing happens.
    pub requeue_after: Option<Duration>,
}

impl Decision {
    /// No steps; report these conditions.
    #[must_use]
    pub fn report(report: ConditionReport) -> Self {
        Self { steps: Vec::new(), update: report.into(), requeue_after: None }
    }

    /// No steps, because `spec.suspend` is true.
    #[must_use]
    pub fn suspended() -> Self {
        Self::report(ConditionReport::suspended(
            "suspended: the operator does nothing until you set spec.suspend: false",
        ))
    }

    /// These steps; the plan after them reports.
    #[must_use]
    pub fn steps(steps: Vec<Step>) -> Self {
        Self { steps, update: StatusUpdate::Unchanged, requeue_after: None }
    }

    /// One step; the plan after it reports.
    #[must_use]
    pub fn step(step: Step) -> Self {
        Self::steps(vec![step])
    }

    /// Removes the finalizer and leaves nothing behind.
    #[must_use]
    pub fn remove_finalizer() -> Self {
        Self::step(Step::RemoveFinalizer { orphaned: None })
    }

    /// No steps and no report.
    #[must_use]
    pub fn unchanged() -> Self {
        Self::steps(Vec::new())
    }

    /// Waits for AppLink with frequent polls, and reports `update` meanwhile.
    #[must_use]
    pub fn await_remote(update: impl Into<StatusUpdate>) -> Self {
        Self { steps: vec![Step::AwaitRemote], update: update.into(), requeue_after: None }
    }

    /// Plans again after `wait` at the latest.
    #[must_use]
    pub fn requeue_after(self, wait: SignedDuration) -> Self {
        let wait = Duration::try_from(wait).unwrap_or_default().saturating_add(REQUEUE_MARGIN);
        Self { requeue_after: Some(wait), ..self }
    }
}

/// Reports nothing while an object is so new that the same `kubectl apply` may still create its dependencies. `None` once
/// that time is over, or once the status describes this generation.
#[must_use]
pub fn grace(state: &ReconcileState, now: Timestamp) -> Option<Decision> {
    let left = remaining(DEPENDENCY_GRACE, state.changed_at, now).filter(|_| !state.is_observed())?;
    Some(Decision::unchanged().requeue_after(left))
}
