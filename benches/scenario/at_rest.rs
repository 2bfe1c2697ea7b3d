//! M5: nothing changes, and nothing is written.

use std::time::Duration;

use anyhow::Result;

use crate::audit::Requests;
use crate::bench::{Bench, WRITERS, seconds};
use crate::objects::names;
use crate::report::Row;
use crate::side::{Side, Subject};
use crate::simulator::Calls;
use crate::world::World;

/// Rest begins after the poll that confirms what was created. An interval takes at most 66 s.
const SETTLE: Duration = Duration::from_secs(70);

/// What an account did while nothing was to be done.
struct Rest {
    requests: Requests,
    calls: Calls,
    cpu: Duration,
}

pub async fn run(bench: &Bench) -> Result<Vec<Row>> {
    let ours = one(bench, Side::Operator).await?;
    let naive = if bench.naive { Some(one(bench, Side::Naive).await?) } else { None };
    let minutes = bench.rest.as_secs_f64() / 60.0;
    let beside = |figure: fn(&Rest) -> u64| naive.as_ref().map_or_else(String::new, |rest| figure(rest).to_string());
    let row = |what: &str, figure: fn(&Rest) -> u64| {
        let what = format!("{what} in {minutes:.0} minutes at rest, {} objects", bench.objects);
        let measured = figure(&ours);
        let (goal, met) = ("0".to_owned(), Some(measured == 0));
        Row { goal, met, ..Row::report("M5", what, measured.to_string()) }.beside(beside(figure))
    };
    let hour = |rest: &Rest| format!("{:.0}", rest.calls.all() as f64 * 60.0 / minutes);
    let cpu = |rest: &Rest| seconds(rest.cpu.mul_f64(60.0 / minutes));
    Ok(vec![
        row("Kubernetes writes", |rest| rest.requests.writes),
        row("Events", |rest| rest.requests.events),
        row("Kubernetes GETs", |rest| rest.requests.gets),
        Row::report("M5", "AppLink calls in an hour at rest, of 4,500", hour(&ours))
            .beside(naive.as_ref().map_or_else(String::new, hour)),
        Row::report("M9", "CPU time in an hour at rest", cpu(&ours))
            .beside(naive.as_ref().map_or_else(String::new, cpu)),
    ])
}

async fn one(bench: &Bench, side: Side) -> Result<Rest> {
    let world = World::start(&bench.setup, &format!("rest-{side:?}").to_lowercase()).await?;
    let subject = Subject::start(&world, side, WRITERS, bench.sample().await?).await?;
    subject.apply(&names("r", bench.objects)).await?;
    tokio::time::sleep(SETTLE).await;
    world.simulator.clear_calls().await?;
    let (mark, before) = (world.mark(), subject.process.lock().await.usage()?);
    tokio::time::sleep(bench.rest).await;
    let (requests, calls) = (subject.requests(mark)?, world.simulator.calls().await?);
    let cpu = subject.process.lock().await.usage()?.cpu - before.cpu;
    eprintln!("bench: {side:?} at rest: {requests:#?} {calls:?}");
    subject.stop().await?;
    world.stop().await?;
    Ok(Rest { requests, calls, cpu })
}
