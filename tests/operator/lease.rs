//! Leader election: how the lease passes from one operator to the next, and that two never write at the same time.

use std::time::Duration;

use applink_simulator::{Fault, What, Where};
use jiff::SignedDuration;
use serde_json::Value;
use tokio::time::Instant;

use crate::inspect::on_post;
use crate::tap::Link;
use crate::world::{LATER, NS, Operator, SOON, World};

const SECOND: Duration = Duration::from_secs(1);
/// Lease duration: a holder that has not renewed for this long is gone.
const LENGTH: Duration = Duration::from_secs(15);
/// Interval between looks at the lease.
const PACE: Duration = Duration::from_secs(3);

/// A leader with Ready Connection `production`, and a standby.
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
    let lease = world.api.get("leases", NS, "applink-operator").expect("it exists");
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

/// Waits until somebody else holds the lease.
async fn until_taken_from(world: &World, old: &str) {
    let taken = |lease: Option<&Value>| {
        let holder = lease.and_then(|lease| lease["spec"]["holderIdentity"].as_str()).unwrap_or_default();
        !holder.is_empty() && holder != old
    };
    world.api.wait_until("leases", NS, "applink-operator", taken, LATER).await;
}

/// Requests of an operator other than for the lease.
fn sent(operator: &Operator) -> Vec<String> {
    let trace = operator.tap.trace().into_iter().map(|point| point.what);
    trace.filter(|what| !what.contains("/leases")).collect()
}

#[tokio::test(start_paused = true)]
async fn only_the_leader_writes() {
    let (world, first, second) = two().await;
    assert!(first.ready.borrow().ready && second.ready.borrow().ready, "a standby is ready, too");
    world.connection("staging", "stagingOrg");
    world.until("staging", "True", "Connected").await;
    world.delete("production");
    world.until_gone("production", SOON).await;
    world.pass(600 * SECOND).await;
    assert_eq!(sent(&second), Vec::<String>::new());
    let leases: Vec<_> = world.api.writes().into_iter().filter(|w| w.resource == "leases").collect();
    assert!(leases.iter().all(|w| w.status < 300), "it is not contested");
    first.stop().await.expect("it leads to the end");
    second.stop().await.expect("it stands by to the end");
}

#[tokio::test(start_paused = true)]
async fn standby_takes_over_after_the_lease_expires() {
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
async fn standby_takes_over_at_once_after_clean_stop() {
    let (world, first, second) = two().await;
    let old = holder(&world);
    first.stop().await.expect("it leads");
    assert_eq!(holder(&world), "", "it is released");
    let stopped = Instant::now();
    world.connection("staging", "stagingOrg");
    until_taken_from(&world, &old).await;
    assert!(stopped.elapsed() <= PACE + SECOND, "{:?}", stopped.elapsed());
    world.until("staging", "True", "Connected").await;
    second.stop().await.expect("it leads");
}

#[tokio::test(start_paused = true)]
async fn partitioned_leader_stops_before_takeover() {
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
        // It still sees what users do. A deletion would need no write to Kubernetes first.
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
        assert_eq!(tap.trace().len(), until_lost, "the old one sends nothing more");
        second.stop().await.expect("it leads");
    }
}

#[tokio::test(start_paused = true)]
async fn leader_without_renewal_stops_after_ten_seconds() {
    let (world, first, second) = two().await;
    second.kill().await;
    for n in 0..14 {
        world.connection(&format!("c{n}"), &format!("org{n:02}"));
        world.until(&format!("c{n}"), "True", "Connected").await;
    }
    // Everything else continues.
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

/// When the leader last renewed.
fn renewed(world: &World) -> jiff::Timestamp {
    let lease = world.api.get("leases", NS, "applink-operator").expect("it exists");
    lease["spec"]["renewTime"].as_str().expect("a time").parse().expect("a time")
}

#[tokio::test(start_paused = true)]
async fn create_in_flight_at_lease_loss_is_not_repeated() {
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
async fn short_api_outage_keeps_the_lease() {
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
async fn unusable_lease_is_reported_by_readyz() {
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
async fn standby_is_ready_while_it_sees_the_lease() {
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
