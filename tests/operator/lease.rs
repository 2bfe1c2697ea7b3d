//! Of several operators one writes: how the lease passes from one to the next, and that two never write at the same time.

use std::time::Duration;

use applink_simulator::{Fault, What, Where};
use jiff::SignedDuration;
use serde_json::Value;
use tokio::time::Instant;

use crate::look::on_post;
use crate::tap::Link;
use crate::world::{LATER, NS, Operator, SOON, World};

const SECOND: Duration = Duration::from_secs(1);
/// A holder that has not renewed for this long is gone.
const LENGTH: Duration = Duration::from_secs(15);
/// How often the lease is looked at.
const PACE: Duration = Duration::from_secs(3);

/// One leads, with Connection `production` Ready; the other stands by.
async fn two() -> (World, Operator, Operator) {
    let mut world = World::new();
    world.options.lease_namespace = Some(NS.to_owned());
    world.addon();
    world.connection("production", "productionOrg");
    let first = world.spawn();
    world.until("production", "True", "Connected").await;
    let second = world.spawn();
    second.tap.die_at(None);
    world.pass(10 * SECOND).await;
    (world, first, second)
}

fn holder(world: &World) -> String {
    let lease = world.api.get("leases", NS, "applink-operator").expect("it is there");
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

/// Waits until another than this one holds the lease.
async fn until_taken_from(world: &World, old: &str) {
    let taken = |lease: Option<&Value>| {
        let holder = lease.and_then(|lease| lease["spec"]["holderIdentity"].as_str()).unwrap_or_default();
        !holder.is_empty() && holder != old
    };
    world.api.wait_until("leases", NS, "applink-operator", taken, LATER).await;
}

/// What an operator sent beside its claim to the lease.
fn sent(operator: &Operator) -> Vec<String> {
    let trace = operator.tap.trace().into_iter().map(|point| point.what);
    trace.filter(|what| !what.contains("/leases")).collect()
}

#[tokio::test(start_paused = true)]
async fn of_two_one_writes() {
    let (world, first, second) = two().await;
    assert!(first.ready.borrow().ready && second.ready.borrow().ready, "one that stands by is ready, too");
    world.connection("staging", "stagingOrg");
    world.until("staging", "True", "Connected").await;
    world.delete("production");
    world.until_gone("production", SOON).await;
    world.pass(600 * SECOND).await;
    assert_eq!(sent(&second), Vec::<String>::new());
    let leases: Vec<_> = world.api.writes().into_iter().filter(|w| w.resource == "leases").collect();
    assert!(leases.iter().all(|w| w.status < 300), "nobody fights for it");
    first.stop().await.expect("it leads to the end");
    second.stop().await.expect("it stands by to the end");
}

#[tokio::test(start_paused = true)]
async fn after_a_hard_kill_the_other_takes_over_and_not_before_the_lease_ran_out() {
    let (world, first, second) = two().await;
    let old = holder(&world);
    first.kill().await;
    let killed = Instant::now();
    world.connection("staging", "stagingOrg");
    until_taken_from(&world, &old).await;
    let waited = killed.elapsed();
    assert!(waited >= LENGTH - PACE && waited <= LENGTH + 2 * PACE, "{waited:?}");
    world.until("staging", "True", "Connected").await;
    assert_eq!((world.posts(), world.deletes()), (2, 0));
    second.stop().await.expect("it leads");
}

#[tokio::test(start_paused = true)]
async fn after_a_clean_stop_the_other_takes_over_at_its_next_look() {
    let (world, first, second) = two().await;
    let old = holder(&world);
    first.stop().await.expect("it leads");
    assert_eq!(holder(&world), "", "it is given back");
    let stopped = Instant::now();
    world.connection("staging", "stagingOrg");
    until_taken_from(&world, &old).await;
    assert!(stopped.elapsed() <= PACE + SECOND, "{:?}", stopped.elapsed());
    world.until("staging", "True", "Connected").await;
    second.stop().await.expect("it leads");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_stops_writing_before_another_may_begin() {
    for link in [Link::Refused, Link::Silent] {
        let (world, first, second) = two().await;
        let old = holder(&world);
        for n in 0..5 {
            world.connection(&format!("c{n}"), &format!("org{n:02}"));
            world.until(&format!("c{n}"), "True", "Connected").await;
        }
        let tap = first.tap.clone();
        tap.die_at(None);
        tap.link(link);
        let cut = Instant::now();
        let end = tokio::spawn(first.end());
        // It still sees what users do, and could act on it: a deletion needs no write to Kubernetes first.
        for n in 0..5 {
            world.pass(3 * SECOND).await;
            world.delete(&format!("c{n}"));
        }
        let lost = end.await.expect("no panic");
        assert!(lost.is_err(), "it says that it lost the lease");
        until_taken_from(&world, &old).await;
        assert!(cut.elapsed() >= LENGTH - PACE, "{:?}", cut.elapsed());
        let until_lost = tap.trace().len();
        for n in 0..5 {
            world.until_gone(&format!("c{n}"), SOON).await;
        }
        assert_eq!(tap.trace().len(), until_lost, "the old one sends nothing any more");
        second.stop().await.expect("it leads");
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_changes_nothing_from_ten_seconds_on() {
    let (world, first, second) = two().await;
    second.kill().await;
    for n in 0..14 {
        world.connection(&format!("c{n}"), &format!("org{n:02}"));
        world.until(&format!("c{n}"), "True", "Connected").await;
    }
    // All else goes on as ever.
    world.api.forbid("update", "leases");
    let renewed = renewed(&world);
    world.forget_requests();
    for n in 0..14 {
        world.delete(&format!("c{n}"));
        world.pass(SECOND).await;
    }
    let at: Vec<_> =
        world.sim.requests(|log| log.iter().filter(|r| r.mutating).map(|r| r.at.duration_since(renewed)).collect());
    assert!(at.len() > 3, "it goes on for a while: {at:?}");
    assert!(at.iter().all(|after| *after <= SignedDuration::from_secs(10)), "{at:?}");
    assert!(first.end().await.is_err());
}

/// When the leader renewed last.
fn renewed(world: &World) -> jiff::Timestamp {
    let lease = world.api.get("leases", NS, "applink-operator").expect("it is there");
    lease["spec"]["renewTime"].as_str().expect("a time").parse().expect("a time")
}

#[tokio::test(start_paused = true)]
async fn a_creation_under_way_when_the_lease_is_lost_is_not_made_twice() {
    for place in [Where::Before, Where::After] {
        let (world, first, second) = two().await;
        world.fault(on_post(Fault::new(place, What::Delay { ms: 25_000 })).times(1));
        world.connection("staging", "stagingOrg");
        let began = Instant::now();
        while world.posts() < 2 {
            assert!(began.elapsed() < SOON, "it was never asked for");
            world.pass(SECOND / 20).await;
        }
        first.tap.link(Link::Silent);
        assert!(first.end().await.is_err());
        world.within(LATER, "staging", "True", "Connected").await;
        world.pass(600 * SECOND).await;
        world.only("stagingOrg");
        assert_eq!(world.created(), 2, "one each: {place:?}");
        second.stop().await.expect("it leads");
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_of_the_api_server_costs_nobody_the_lease() {
    let (world, first, second) = two().await;
    let old = holder(&world);
    for _ in 0..10 {
        world.api.outage(true);
        world.pass(5 * SECOND).await;
        world.api.outage(false);
        world.pass(60 * SECOND).await;
        assert_eq!(holder(&world), old);
    }
    world.connection("staging", "stagingOrg");
    world.until("staging", "True", "Connected").await;
    first.stop().await.expect("it leads");
    second.stop().await.expect("it stands by");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_cannot_be_used_is_told_by_readiness() {
    for verb in ["get", "create"] {
        let mut world = World::new();
        world.options.lease_namespace = Some(NS.to_owned());
        world.api.forbid(verb, "leases");
        world.start();
        let mut ready = world.ready();
        let said = ready.wait_for(|readiness| readiness.to_string().contains("cannot read or write Lease"));
        let said = tokio::time::timeout(SOON, said).await.expect("soon").expect("it runs").to_string();
        assert!(said.starts_with("not ready\n") && said.contains("forbidden") && said.contains(NS), "{said}");
        assert!(said.contains("Grant"), "{said}");
        world.pass(600 * SECOND).await;
        assert!(!world.ready().borrow().ready);
        world.api.allow(verb, "leases");
        tokio::time::timeout(SOON, ready.wait_for(|readiness| readiness.ready)).await.expect("soon").expect("it runs");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_stands_by_is_ready_for_as_long_as_it_can_see_the_lease() {
    let (world, first, mut second) = two().await;
    assert!(second.ready.borrow().to_string().contains("standing by"), "{}", *second.ready.borrow());
    second.tap.link(Link::Refused);
    let away = second.ready.wait_for(|readiness| !readiness.ready);
    tokio::time::timeout(SOON, away).await.expect("soon").expect("it runs");
    assert!(first.ready.borrow().ready, "the other is not concerned");
    second.tap.link(Link::Up);
    let back = second.ready.wait_for(|readiness| readiness.ready);
    tokio::time::timeout(SOON, back).await.expect("soon").expect("it runs");
    drop(world);
}
