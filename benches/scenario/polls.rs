//! M4: the calls of a steady pass do not depend on the number of objects.

use std::time::Duration;

use anyhow::{Result, ensure};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::bench::{Bench, WRITERS};
use crate::objects::{ADDON, api};
use crate::report::Row;
use crate::side::{Side, Subject};
use crate::world::World;

/// Interval of the polls here, the shortest that the add-on accepts.
const POLL: &str = "10s";
/// How long passes are counted.
const WINDOW: Duration = Duration::from_secs(65);

pub async fn run(bench: &Bench) -> Result<Vec<Row>> {
    let world = World::start(&bench.setup, "polls").await?;
    let poll = json!({"spec": {"pollInterval": POLL}});
    api(&world.client, "AppLinkAddon").patch(ADDON, &PatchParams::default(), &Patch::Merge(poll)).await?;
    let (mut rows, mut standing) = (Vec::new(), 0);
    for &size in &bench.sizes {
        bench.add_standing(&world, standing, size).await?;
        standing = standing.max(size);
        let subject = Subject::start(&world, Side::Operator, WRITERS, &json!(null)).await?;
        subject.quiet(world.mark()).await?;
        world.simulator.clear_calls().await?;
        let before = subject.process.lock().await.usage()?;
        tokio::time::sleep(WINDOW).await;
        let calls = world.simulator.calls().await?;
        let requests = world.simulator.requests().await?;
        let cpu = (subject.process.lock().await.usage()?.cpu - before.cpu).as_secs_f64() * 1000.0;
        subject.stop().await?;
        let list = |request: &&serde_json::Value| request["path"].as_str().is_some_and(|p| p.ends_with("/connections"));
        let passes = requests.iter().filter(list).count();
        ensure!(passes > 0, "no pass in {} s", WINDOW.as_secs());
        let each = calls.all() as f64 / passes as f64;
        let what = format!("AppLink calls a pass ÷ (2 + S + D), {size} objects");
        let more = format!("{passes} passes, {:.1} ms CPU a pass", cpu / passes as f64);
        rows.push(Row { goal: "1.0".to_owned(), ..Row::at_most("M4", what, each / 2.0, 1.0, &more) });
    }
    world.stop().await?;
    Ok(rows)
}
