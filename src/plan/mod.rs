//! The plan: a pure function from a snapshot of one object to the next steps and the status to report.
//!
//! Pure: no async, no client, no clock, no randomness, no logging. Time is part of the snapshot. `control` gathers the
//! snapshot, executes the first step of the plan, and plans again.
//!
//! - `kinds`: the plan of each kind, as an ordered list of named checks (`checks`).
//! - `remote`: the protocol that all kinds share: create once, adopt, replace, publish, delete.
//! - `state`: what the object and this process remember; `transition`: how a step's outcome changes that.
//! - `inputs`: digests of keys and documents. `policies`: what the user allows.

#![deny(clippy::disallowed_methods)]
// Nothing from outside may end the process.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used))]

pub mod checks;
pub mod decision;
pub mod inputs;
pub mod kinds;
pub mod policies;
pub mod refusal;
pub mod remote;
pub mod state;
pub mod step;
pub mod transition;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::conditions::conditions;
use crate::crd::ResourceStatus;
use state::ReconcileState;

pub use crate::conditions::{ConditionReport, StatusUpdate};
pub use step::Step;

/// What to do next for one object, and what to report. `S` is the status type of its kind.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plan<S> {
    /// Remaining steps in order. The controller executes only the first one, then plans again.
    pub steps: Vec<Step>,
    /// What to write to the status. The controller writes it when no steps are left or when the first step waits; it
    /// writes a report that ends Ready before the first step.
    pub update: StatusUpdate,
    /// When to plan again even if nothing happens.
    pub requeue_after: Option<Duration>,
    /// The status after `update`.
    pub status: S,
}

impl<S: ResourceStatus> Plan<S> {
    /// Completes the status, which so far has the remote facts: adds the conditions, and what the operator has handled.
    /// `before` is the status of the object.
    #[must_use]
    pub fn complete(mut self, before: &S, state: &ReconcileState, now: Timestamp) -> Self {
        match self.update {
            StatusUpdate::Unchanged => self.status = before.clone(),
            StatusUpdate::FactsOnly => {}
            StatusUpdate::SetConditions(_) | StatusUpdate::KeepConditions => {
                *self.status.conditions_mut() =
                    conditions(self.status.conditions(), &self.update, state.generation, now);
                self.status.set_observed_generation(state.generation);
                if let Some(token) = &state.requested {
                    self.status.set_handled_request(token.clone());
                }
            }
        }
        self
    }

    /// A plan without steps that reports why nothing could be planned.
    #[must_use]
    pub fn report(report: ConditionReport, before: &S, state: &ReconcileState, now: Timestamp) -> Self {
        let plan = Self { steps: Vec::new(), update: report.into(), requeue_after: None, status: before.clone() };
        plan.complete(before, state, now)
    }
}
