//! What can be measured, each by a name that `make bench BENCH=...` takes.
//!
//! A scenario starts worlds and sides, and returns lines of the table.

mod apply;
mod at_rest;
mod cold_start;
mod consent;
mod delete;
mod kill;
mod memory;
mod pick_up;
mod polls;

use anyhow::Result;

use crate::bench::Bench;
use crate::report::Row;

/// All scenarios, the most telling ones first.
pub const NAMES: [&str; 9] =
    ["apply", "delete", "at-rest", "memory", "cold-start", "polls", "pick-up", "consent", "kill"];

/// Runs the scenario with this name.
pub async fn run(name: &str, bench: &Bench) -> Result<Vec<Row>> {
    match name {
        "apply" => apply::run(bench).await,
        "delete" => delete::run(bench).await,
        "at-rest" => at_rest::run(bench).await,
        "memory" => memory::run(bench).await,
        "cold-start" => cold_start::run(bench).await,
        "polls" => polls::run(bench).await,
        "pick-up" => pick_up::run(bench).await,
        "consent" => consent::run(bench).await,
        "kill" => kill::run(bench).await,
        _ => anyhow::bail!("there is no scenario {name}; there are {}", NAMES.join(", ")),
    }
}
