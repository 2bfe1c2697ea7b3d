//! M1, M2, M3 and the CPU time of M9: a user applies many objects at once, and all become Ready.

use anyhow::Result;

use crate::bench::{Bench, WRITERS, each, median, seconds};
use crate::objects::names;
use crate::report::Row;
use crate::side::{Side, Subject, Used};
use crate::world::World;

pub async fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (count, writers) in [(bench.objects, WRITERS), (bench.serial, 1)] {
        let (mut wall, mut cpu, mut last) = (Vec::new(), Vec::new(), None);
        for round in 0..bench.rounds {
            let floor = one(bench, Side::Floor, count, writers, round).await?;
            let ours = one(bench, Side::Operator, count, writers, round).await?;
            wall.push(ours.wall.as_secs_f64() / floor.wall.as_secs_f64());
            cpu.push(ours.cpu.as_secs_f64() / floor.cpu.as_secs_f64());
            last = Some((floor, ours));
        }
        let Some((floor, ours)) = last else { continue };
        let naive = match writers {
            WRITERS if bench.naive => Some(one(bench, Side::Naive, count, writers, 0).await?),
            _ => None,
        };
        rows.extend(compared(count, writers, (median(wall), median(cpu)), &floor, &ours, naive.as_ref()));
        if writers == WRITERS {
            rows.extend(requests(count, &ours, naive.as_ref()));
        }
    }
    Ok(rows)
}

async fn one(bench: &Bench, side: Side, count: usize, writers: usize, round: usize) -> Result<Used> {
    let sample = bench.sample().await?;
    let world = World::start(&bench.setup, &format!("apply-{side:?}-{writers}-{round}").to_lowercase()).await?;
    let subject = Subject::start(&world, side, writers, sample).await?;
    let used = subject.apply(&names("a", count)).await?;
    eprintln!("bench: {side:?} applied {count} with {writers} writers: {used:#?}");
    subject.stop().await?;
    world.stop().await?;
    Ok(used)
}

fn compared(
    count: usize,
    writers: usize,
    (wall, cpu): (f64, f64),
    floor: &Used,
    ours: &Used,
    naive: Option<&Used>,
) -> Vec<Row> {
    let (writer, both) =
        (if writers == 1 { "1 writer".to_owned() } else { format!("{writers} writers") }, |ours, floor| {
            format!("{} ÷ {}", seconds(ours), seconds(floor))
        });
    let what = format!("apply {count} → all Ready ÷ floor, {writer}");
    let server = ours.server_cpu.as_secs_f64() / floor.server_cpu.as_secs_f64();
    let beside = |part: fn(&Used) -> std::time::Duration| {
        naive.map_or_else(String::new, |naive| {
            format!("{:.2} ({})", part(naive).as_secs_f64() / part(floor).as_secs_f64(), seconds(part(naive)))
        })
    };
    vec![
        Row::at_most("M1", what, wall, 1.25, &both(ours.wall, floor.wall)).beside(beside(|used| used.wall)),
        Row::report("M1", "- CPU time ÷ floor", format!("{cpu:.2} ({})", both(ours.cpu, floor.cpu)))
            .beside(beside(|used| used.cpu)),
        Row::report(
            "M1",
            "- CPU time of the API server ÷ floor",
            format!("{server:.2} ({})", both(ours.server_cpu, floor.server_cpu)),
        )
        .beside(beside(|used| used.server_cpu)),
    ]
}

fn requests(count: usize, ours: &Used, naive: Option<&Used>) -> Vec<Row> {
    let beside =
        |figure: fn(&Used) -> u64| naive.map_or_else(String::new, |naive| format!("{:.2}", each(figure(naive), count)));
    let row = |metric, what: &str, figure: fn(&Used) -> u64, goal, more: &str| {
        Row::at_most(metric, what, each(figure(ours), count), goal, more).beside(beside(figure))
    };
    let refused = format!("{} refused", ours.requests.refused);
    let calls = ours.calls;
    let calls = format!("{} POSTs, {} lists, {} GETs", calls.posts, calls.lists, calls.gets);
    let cpu = ours.cpu.as_secs_f64() * 1000.0 / count as f64;
    vec![
        row("M2", "Kubernetes writes an object", |used| used.requests.writes, 2.04, &refused),
        row("M2", "Events an object", |used| used.requests.events, 1.0, ""),
        row("M2", "Kubernetes GETs an object", |used| used.requests.gets, 0.1, ""),
        row("M3", "AppLink calls an object", |used| used.calls.all(), 1.05, &calls),
        Row::report("M9", "CPU time for 1,000 objects", format!("{cpu:.2} s")).beside(
            naive.map_or_else(String::new, |naive| format!("{:.2} s", naive.cpu.as_secs_f64() * 1000.0 / count as f64)),
        ),
        Row::report("M6", "most memory in that storm", format!("{} MiB", ours.peak / 1024))
            .beside(naive.map_or_else(String::new, |naive| format!("{} MiB", naive.peak / 1024))),
    ]
}
