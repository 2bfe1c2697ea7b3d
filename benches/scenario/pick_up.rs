//! M7: from the creation of one object to its POST, among none and among many.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use kube::api::{DynamicObject, PostParams};
use serde_json::json;

use crate::bench::{Bench, WRITERS, percentile};
use crate::objects::{api, authorization, names, ready, remote_name};
use crate::report::Row;
use crate::side::{Side, Subject};

pub async fn run(bench: &Bench) -> Result<Vec<Row>> {
    let alone = one(bench, 0).await?;
    let among = one(bench, bench.standing).await?;
    let (alone, among_99) = (percentile(alone, 99), percentile(among.clone(), 99));
    let what = format!("ms from create to POST, p99 of {}, {} standing", bench.samples, bench.standing);
    let more = format!("p50 {:.0}", percentile(among, 50));
    Ok(vec![
        Row::at_most("M7", what, among_99, 250.0, &more),
        Row::at_most("M7", "- ÷ the same with none standing", among_99 / alone, 1.2, &format!("p99 {alone:.0} ms")),
    ])
}

/// Milliseconds from each creation to its POST.
async fn one(bench: &Bench, standing: usize) -> Result<Vec<f64>> {
    let world = bench.standing(&format!("pick-up-{standing}"), standing).await?;
    let subject = Subject::start(&world, Side::Operator, WRITERS, &json!(null)).await?;
    subject.quiet(world.mark()).await?;
    world.simulator.clear_calls().await?;
    let (api, names) = (api(&world.client, "Authorization"), names("p", bench.samples));
    let mut created = HashMap::new();
    for name in &names {
        let object: DynamicObject = serde_json::from_value(authorization(name))?;
        created.insert(name.clone(), Timestamp::now());
        api.create(&PostParams::default(), &object).await?;
        ready(&world.client, "Authorization", name).await?;
        // One at a time, and in no step with the operator's own.
        tokio::time::sleep(Duration::from_millis(137)).await;
    }
    // One at a time, so the POSTs are in the order of the names.
    let posts = world.simulator.requests().await?.into_iter().filter(|request| request["method"] == "POST");
    let posts: Vec<_> = posts.collect();
    anyhow::ensure!(posts.len() == names.len(), "{} POSTs for {}", posts.len(), remote_name("p"));
    let waited = names.iter().zip(&posts).map(|(name, post)| -> Result<f64> {
        let at: Timestamp = post["at"].as_str().context("when it arrived")?.parse()?;
        Ok(at.duration_since(created[name]).as_secs_f64() * 1000.0)
    });
    let waited = waited.collect();
    subject.stop().await?;
    world.stop().await?;
    waited
}
