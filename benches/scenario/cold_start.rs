//! M9: from the start of the process to its first effect, among many objects that stand.

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::json;

use crate::bench::{Bench, WRITERS};
use crate::objects::{authorization, create_all, ready};
use crate::report::Row;
use crate::side::{Side, Subject};

pub async fn run(bench: &Bench) -> Result<Vec<Row>> {
    let world = bench.standing("cold-start", bench.standing).await?;
    let name = "waiting";
    create_all(&world.client, vec![authorization(name)], async |_, _| Ok(())).await?;
    world.simulator.clear_calls().await?;
    let (mark, began) = (world.mark(), Timestamp::now());
    let subject = Subject::start(&world, Side::Operator, WRITERS, &json!(null)).await?;
    ready(&world.client, "Authorization", name).await?;
    let posts = world.simulator.requests().await?;
    let post = posts.iter().find(|request| request["method"] == "POST").context("a POST")?;
    let at: Timestamp = post["at"].as_str().context("when it arrived")?.parse()?;
    let first = at.duration_since(began).as_secs_f64();
    let requests = subject.quiet(mark).await?;
    let usage = subject.process.lock().await.usage()?;
    eprintln!("bench: cold start: {first} s, {usage:?}, {requests:#?}");
    subject.stop().await?;
    world.stop().await?;
    let to_ours = requests.each.iter().filter(|(what, _)| what.starts_with("patch authorizations"));
    // The intent and the status of the one object that waits.
    let needless = to_ours.map(|(_, count)| count).sum::<u64>().saturating_sub(2);
    let cpu = usage.cpu.as_secs_f64() * 1000.0 / bench.standing as f64;
    let standing = bench.standing;
    Ok(vec![
        Row::at_most("M9", format!("seconds from start to the first POST, {standing} standing"), first, 2.0, ""),
        Row::at_most("M9", "- writes to what stands", needless as f64, 0.0, &format!("{} GETs", requests.gets)),
        Row::report("M9", "- CPU time an object", format!("{cpu:.2} ms")),
    ])
}
