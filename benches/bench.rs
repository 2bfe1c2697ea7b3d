//! The sizes of a benchmark, and what its scenarios share.
//!
//! Measures nothing by itself.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use crate::objects::names;
use crate::side::{Side, Subject, sample};
use crate::world::{Setup, World};

/// Sizes, and what all scenarios share.
pub struct Bench {
    /// What all worlds share.
    pub setup: Setup,
    /// Objects that are applied or deleted.
    pub objects: usize,
    /// Objects that are applied with one writer.
    pub serial: usize,
    /// Objects that stand already where the size must not matter.
    pub standing: usize,
    /// Sizes for the calls of a pass.
    pub sizes: Vec<usize>,
    /// How long rest is watched.
    pub rest: Duration,
    /// Objects whose pick-up is timed.
    pub samples: usize,
    /// Pairs of runs to compare.
    pub rounds: usize,
    /// Whether the naive controller runs, too.
    pub naive: bool,
    /// What the operator makes of one object, once it is known.
    pub sample: tokio::sync::OnceCell<Value>,
}

/// Writers at a time where the number is not what is measured.
pub const WRITERS: usize = 16;

impl Bench {
    /// What the operator makes of one object. Taken once.
    pub async fn sample(&self) -> Result<&Value> {
        self.sample.get_or_try_init(|| sample(&self.setup)).await
    }

    /// A world in which so many objects stand, as the operator would have left them. Nothing runs in it.
    pub async fn standing(&self, name: &str, count: usize) -> Result<World> {
        let world = World::start(&self.setup, name).await?;
        self.add_standing(&world, 0, count).await?;
        Ok(world)
    }

    /// Adds objects to those that stand.
    pub async fn add_standing(&self, world: &World, from: usize, to: usize) -> Result<()> {
        if from < to {
            let floor = Subject::start(world, Side::Floor, WRITERS, self.sample().await?).await?;
            floor.apply(&names("standing", to)[from..]).await?;
            floor.stop().await?;
        }
        Ok(())
    }
}

/// Seconds of a duration.
pub fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// A part of something, so many of which there are.
pub fn each(count: u64, of: usize) -> f64 {
    count as f64 / of as f64
}

/// The middle of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The figure that so many percent do not exceed.
pub fn percentile(mut figures: Vec<f64>, percent: usize) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get((figures.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
