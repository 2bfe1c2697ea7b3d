//! M8: SIGKILL in the middle of an apply.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::bench::{Bench, WRITERS, seconds};
use crate::objects::{Watch, authorization, create_all, names};
use crate::report::Row;
use crate::side::{Side, Subject};
use crate::simulator::Calls;
use crate::world::World;

pub async fn run(bench: &Bench) -> Result<Vec<Row>> {
    let (usual, usual_calls, _) = one(bench, false).await?;
    let (killed, calls, objects) = one(bench, true).await?;
    let distinct: BTreeSet<_> = objects.iter().map(|object| object["name"].to_string()).collect();
    let (leaked, missing) = (objects.len() - distinct.len(), bench.objects.saturating_sub(distinct.len()));
    let ratio = killed.as_secs_f64() / usual.as_secs_f64();
    let more = format!("{} ÷ {}", seconds(killed), seconds(usual));
    let count = bench.objects;
    let extra = calls.all() as f64 - usual_calls.all() as f64;
    Ok(vec![
        Row::at_most("M8", format!("apply {count} with a SIGKILL in the middle ÷ without"), ratio, 1.1, &more),
        Row::at_most("M8", "- POSTs beyond one an object", (calls.posts - count as u64) as f64, 0.0, ""),
        Row::at_most("M8", "- duplicates, missing objects", (leaked + missing) as f64, 0.0, ""),
        Row::report("M8", "- calls more than without", format!("{extra}")),
    ])
}

async fn one(bench: &Bench, kill: bool) -> Result<(Duration, Calls, Vec<Value>)> {
    let world = World::start(&bench.setup, &format!("kill-{kill}")).await?;
    let mut subject = Subject::start(&world, Side::Operator, WRITERS, &json!(null)).await?;
    let mut watch = Watch::start(&world.client, "Authorization").await?;
    world.simulator.clear_calls().await?;
    let (names, began) = (names("k", bench.objects), Instant::now());
    let manifests = names.iter().map(|name| authorization(name)).collect();
    let applied = create_all(&world.client, manifests, async |_, _| Ok(()));
    let killed = async {
        if kill {
            while world.simulator.calls().await?.posts < bench.objects as u64 / 2 {
                if began.elapsed() > Duration::from_secs(600) {
                    bail!("half of the POSTs take forever");
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            subject.process.into_inner().kill();
            // A killed leader keeps its Lease until it expires: what is measured is the work after that, so a user who
            // runs a single replica removes it, as here.
            world.kubectl(&["delete", "lease", "applink-operator", "-n", "applink-system"], "").await?;
            subject = Subject::start(&world, Side::Operator, WRITERS, &json!(null)).await?;
        }
        Ok(subject)
    };
    let (applied, subject, ready) = tokio::join!(applied, killed, watch.all_ready(&names));
    let ((), subject, ready) = (applied?, subject?, ready?);
    let (calls, objects) = (world.simulator.calls().await?, world.simulator.objects("authorizations").await?);
    subject.stop().await?;
    world.stop().await?;
    Ok((ready - began, calls, objects))
}
