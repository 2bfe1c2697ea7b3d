//! The brain: what is declared, what is live and what is remembered go in; steps and a report come out.
//!
//! Pure: no async, no client, no clock, no randomness, no logging. Time arrives as a value. `control` runs what comes
//! out, one step at a time, and plans again after each; `observe` and `wire` fill `live`.

#![deny(clippy::disallowed_methods)]

pub mod collection;
pub mod desired;
pub mod diff;
pub mod live;
pub mod memory;
pub mod policy;
pub mod remote;
pub mod step;
pub mod verdict;

use std::time::Duration;

pub use step::Step;
pub use verdict::{Report, Verdict};

/// What to do next for one object, and what to say of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan<S> {
    /// All that is left to do, first things first. Only the first is carried out before the next plan.
    pub steps: Vec<Step>,
    /// What the object's conditions shall say once nothing is left that can be done at once; or, where that takes Ready away
    /// and there are steps, before the first of them.
    pub report: Report,
    /// When to plan again although nothing happened.
    pub again: Option<Duration>,
    /// The status with every remote fact in it; conditions come from `report`.
    pub status: S,
}
