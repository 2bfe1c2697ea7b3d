//! M6: memory by the number of objects, in a storm, and among Secrets that are none of the operator's business.

use std::time::Duration;

use anyhow::Result;
use futures::StreamExt;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use serde_json::json;

use crate::bench::{Bench, WRITERS, seconds};
use crate::objects::{NAMESPACE, api, names};
use crate::process::Usage;
use crate::report::Row;
use crate::side::{Side, Subject};
use crate::world::World;

/// After so long at rest, memory counts as steady.
const STEADY: Duration = Duration::from_secs(20);
/// Secrets that nothing refers to.
const FOREIGN: usize = 10_000;

struct Size {
    steady: Usage,
    /// From the start on.
    start: u64,
    /// While every object is reconciled at once.
    storm: u64,
}

pub async fn run(bench: &Bench) -> Result<Vec<Row>> {
    let world = World::start(&bench.setup, "memory").await?;
    let (few, many) = (bench.objects, bench.standing);
    let empty = one(&world, 0).await?;
    bench.add_standing(&world, 0, few).await?;
    let small = one(&world, few).await?;
    bench.add_standing(&world, few, many).await?;
    let json = average_json(&world, many).await?;
    let large = one(&world, many).await?;
    let mut rows = vec![Row::report("M6", "memory without objects", mib(empty.steady.resident))];
    for (count, size, goal) in [(few, &small, 32.0), (many, &large, 64.0)] {
        let resident = size.steady.resident as f64 / 1024.0;
        let what = format!("MiB of memory with {count} objects");
        rows.push(Row::at_most("M6", what, resident, goal, &format!("{} after the start", mib(size.start))));
        let peak = size.storm as f64 / size.steady.resident as f64;
        let what = format!("- most in a storm of {count} ÷ steady");
        rows.push(Row::at_most("M6", what, peak, 1.5, &mib(size.storm)));
    }
    let slope = (large.steady.resident as f64 - small.steady.resident as f64) * 1024.0 / (many - few) as f64;
    let more = format!("{:.1} KiB ÷ {:.1} KiB", slope / 1024.0, json / 1024.0);
    rows.push(Row::at_most("M6", "memory for one more object ÷ its JSON", slope / json, 3.0, &more));
    rows.push(Row::at_most("M6", "descriptors", large.steady.descriptors as f64, 64.0, ""));
    rows.extend(foreign(&world, &large).await?);
    world.stop().await?;
    Ok(rows)
}

fn mib(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}

async fn one(world: &World, count: usize) -> Result<Size> {
    let subject = Subject::start(world, Side::Operator, WRITERS, &json!(null)).await?;
    subject.quiet(world.mark()).await?;
    tokio::time::sleep(STEADY).await;
    let steady = subject.process.lock().await.usage()?;
    subject.process.lock().await.reset_peak()?;
    let mark = world.mark();
    for name in names("standing", count) {
        let request = json!({"metadata": {"annotations": {"applink.dev/requestedAt": "storm"}}});
        api(&world.client, "Authorization").patch(&name, &PatchParams::default(), &Patch::Merge(request)).await?;
    }
    subject.quiet(mark).await?;
    let storm = subject.process.lock().await.usage()?.peak;
    eprintln!("bench: memory with {count}: steady {steady:?}, storm {storm} KiB");
    subject.stop().await?;
    Ok(Size { steady, start: steady.peak, storm })
}

async fn average_json(world: &World, count: usize) -> Result<f64> {
    let page = api(&world.client, "Authorization").list(&ListParams::default().limit(200)).await?;
    let size = |object: &DynamicObject| serde_json::to_vec(object).map_or(0, |bytes| bytes.len());
    let sizes: Vec<_> = page.items.iter().map(size).collect();
    anyhow::ensure!(count > 0 && !sizes.is_empty(), "no objects to weigh");
    Ok(sizes.iter().sum::<usize>() as f64 / sizes.len() as f64)
}

/// The same objects among many foreign Secrets.
async fn foreign(world: &World, without: &Size) -> Result<Vec<Row>> {
    let secrets: kube::Api<k8s_openapi::api::core::v1::Secret> = kube::Api::namespaced(world.client.clone(), NAMESPACE);
    let create = async |n: usize| -> Result<()> {
        let secret = json!({"metadata": {"name": format!("foreign{n:05}")}, "stringData": {"a": "b".repeat(500)}});
        secrets.create(&kube::api::PostParams::default(), &serde_json::from_value(secret)?).await?;
        Ok(())
    };
    let all = futures::stream::iter(0..FOREIGN).map(Ok::<_, anyhow::Error>);
    futures::TryStreamExt::try_for_each_concurrent(all, 16, create).await?;
    let subject = Subject::start(world, Side::Operator, WRITERS, &json!(null)).await?;
    subject.quiet(world.mark()).await?;
    tokio::time::sleep(STEADY).await;
    let usage = subject.process.lock().await.usage()?;
    subject.stop().await?;
    let more = (usage.resident as f64 - without.steady.resident as f64) / 1024.0;
    let cpu = usage.cpu.saturating_sub(without.steady.cpu);
    let what = format!("MiB more with {FOREIGN} foreign Secrets");
    let row = Row::at_most("M6", what, more, 5.0, &format!("CPU time of the start: {} more", seconds(cpu)));
    Ok(vec![Row { goal: "± 5".to_owned(), met: Some(more.abs() <= 5.0), ..row }])
}
