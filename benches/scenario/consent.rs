//! M7b: from the moment at which the service has connected an object to Ready.

use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::json;

use crate::bench::{Bench, WRITERS, percentile};
use crate::objects::{Watch, authorization, create_all, names};
use crate::report::Row;
use crate::side::{Side, Subject};
use crate::world::World;

/// Objects that wait at the same time.
const TOGETHER: usize = 10;

pub async fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (takes, goal) in [(1.0, 1.0), (2.0, 1.0), (20.0, 5.0)] {
        let (waited, lists) = one(bench, takes).await?;
        let what = format!("seconds from connected to Ready, a service that takes {takes} s");
        let more = format!("the slowest of {TOGETHER} together; {lists} passes");
        rows.push(Row::at_most("M7b", what, percentile(waited, 100), goal, &more));
    }
    Ok(rows)
}

async fn one(bench: &Bench, takes: f64) -> Result<(Vec<f64>, u64)> {
    let world = World::start(&bench.setup, &format!("consent-{takes}")).await?;
    world.simulator.control("PATCH", "/settings", json!({"connectSeconds": takes})).await?;
    let subject = Subject::start(&world, Side::Operator, WRITERS, &json!(null)).await?;
    subject.quiet(world.mark()).await?;
    world.simulator.clear_calls().await?;
    let mut watch = Watch::start(&world.client, "Authorization").await?;
    let names = names("c", TOGETHER);
    let manifests = names.iter().map(|name| authorization(name)).collect();
    create_all(&world.client, manifests, async |_, _| Ok(())).await?;
    watch.all_ready(&names).await?;
    let ready = Timestamp::now();
    let requests = world.simulator.requests().await?;
    let last = requests.iter().rfind(|request| request["method"] == "POST").context("a POST")?;
    let posted: Timestamp = last["at"].as_str().context("when it arrived")?.parse()?;
    // The latency comes before the effect.
    let connected = posted + Duration::from_secs_f64(takes) + bench.setup.latency;
    let lists = world.simulator.calls().await?.lists / 2;
    subject.stop().await?;
    world.stop().await?;
    Ok((vec![ready.duration_since(connected).as_secs_f64()], lists))
}
