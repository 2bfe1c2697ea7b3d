//! The brain: what is declared, what is live and what is remembered go in; steps and a report come out.
//!
//! Pure: no async, no client, no clock, no randomness, no logging. Time arrives as a value. `control` runs what comes
//! out, one step at a time, and plans again after each; `observe` and `wire` fill `live`.

#![deny(clippy::disallowed_methods)]
// Nothing from outside may end the process.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used))]

pub mod inputs;
pub mod kinds;
pub mod policies;
pub mod remote;
pub mod state;
pub mod step;
pub mod transition;

use serde::{Deserialize, Serialize};
use std::time::Duration;

pub use crate::conditions::{ConditionReport, StatusUpdate};
pub use step::Step;

/// What to do next for one object, and what to say of it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plan<S> {
    /// All that is left to do, first things first. Only the first is carried out before the next plan.
    pub steps: Vec<Step>,
    /// What the object's conditions shall say once nothing is left that can be done at once; or, where that takes Ready away
    /// and there are steps, before the first of them.
    pub update: StatusUpdate,
    /// When to plan again although nothing happened.
    pub requeue_after: Option<Duration>,
    /// The status with every remote fact in it; conditions come from `report`.
    pub status: S,
}
