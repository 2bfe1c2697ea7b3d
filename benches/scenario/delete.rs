//! M10: a user deletes many objects at once, and all are gone, in AppLink too.

use anyhow::{Result, ensure};

use crate::bench::{Bench, WRITERS, each, median, seconds};
use crate::objects::names;
use crate::report::Row;
use crate::side::{Side, Subject, Used};
use crate::world::World;

pub async fn run(bench: &Bench) -> Result<Vec<Row>> {
    let count = bench.objects;
    let (mut wall, mut last) = (Vec::new(), None);
    for round in 0..bench.rounds {
        let floor = one(bench, Side::Floor, round).await?;
        let ours = one(bench, Side::Operator, round).await?;
        wall.push(ours.wall.as_secs_f64() / floor.wall.as_secs_f64());
        last = Some((floor, ours));
    }
    let naive = if bench.naive { Some(one(bench, Side::Naive, 0).await?) } else { None };
    let Some((floor, ours)) = last else { return Ok(Vec::new()) };
    let ratio = |used: &Used| used.wall.as_secs_f64() / floor.wall.as_secs_f64();
    let beside = |figure: &dyn Fn(&Used) -> String| naive.as_ref().map_or_else(String::new, figure);
    let what = format!("delete {count} → all gone ÷ floor, {WRITERS} writers");
    let more = format!("{} ÷ {}", seconds(ours.wall), seconds(floor.wall));
    let calls = |used: &Used| used.calls.gets;
    let gets = format!("{} lists", ours.calls.lists);
    let refused = format!("{} refused", ours.requests.refused);
    Ok(vec![
        Row::at_most("M10", what, median(wall), 1.25, &more).beside(beside(&|used| format!("{:.2}", ratio(used)))),
        Row::at_most("M10", "AppLink GETs a deleted object", each(calls(&ours), count), 0.0, &gets)
            .beside(beside(&|used| format!("{:.2}", each(calls(used), count)))),
        Row::at_most("M10", "Kubernetes writes a deleted object", each(ours.requests.writes, count), 1.04, &refused)
            .beside(beside(&|used| format!("{:.2}", each(used.requests.writes, count)))),
        Row::at_most("M10", "Events a deleted object", each(ours.requests.events, count), 1.0, "")
            .beside(beside(&|used| format!("{:.2}", each(used.requests.events, count)))),
    ])
}

async fn one(bench: &Bench, side: Side, round: usize) -> Result<Used> {
    let sample = bench.sample().await?;
    let world = World::start(&bench.setup, &format!("delete-{side:?}-{round}").to_lowercase()).await?;
    let subject = Subject::start(&world, side, WRITERS, sample).await?;
    let names = names("d", bench.objects);
    subject.apply(&names).await?;
    let used = subject.delete(&names).await?;
    eprintln!("bench: {side:?} deleted {}: {used:#?}", bench.objects);
    let left = world.simulator.objects("authorizations").await?.len();
    ensure!(left == 0, "{side:?} left {left} authorizations in AppLink");
    subject.stop().await?;
    world.stop().await?;
    Ok(used)
}
