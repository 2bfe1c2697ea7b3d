//! Writes to Kubernetes that are refused, conflict or lose their response, at each step; and users who edit meanwhile.
//! The remote side must end as without the fault.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use applink_simulator::{Fault, What, Where};
use serde_json::{Value, json};

use crate::inspect::on_post;
use crate::world::{HOUR, LATER, NS, SOON, World, connection, digest, message, pem, progress, says};

/// A fault of a write.
#[derive(Clone, Copy, Debug)]
enum WriteFault {
    Refused(u16),
    Lost,
}

/// Each kind of write with each fault, once or several times in a row.
fn faults() -> Vec<(&'static str, WriteFault, usize)> {
    let mut all = Vec::new();
    for resource in ["connections", "connections/status"] {
        for times in [1, 3] {
            for trouble in
                [WriteFault::Refused(409), WriteFault::Refused(500), WriteFault::Refused(429), WriteFault::Lost]
            {
                all.push((resource, trouble, times));
            }
        }
    }
    all
}

fn arrange(world: &World, (resource, trouble, times): (&str, WriteFault, usize)) {
    match trouble {
        WriteFault::Refused(code) => world.api.fail_next("patch", resource, times, code),
        WriteFault::Lost => world.api.lose_next("patch", resource, times),
    }
}

#[tokio::test(start_paused = true)]
async fn creation_survives_every_write_fault() {
    for trouble in faults() {
        let world = World::with_addon().await;
        arrange(&world, trouble);
        world.connection("production", "productionOrg");
        let object = world.within(LATER, "production", "True", "Connected").await;
        assert_eq!(object["status"]["id"], world.only("productionOrg").id.to_string());
        world.pass(HOUR / 10).await;
        assert_eq!((world.posts(), world.deletes()), (1, 0), "{trouble:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn deletion_survives_every_write_fault() {
    for trouble in faults() {
        let world = World::with_connection().await;
        arrange(&world, trouble);
        world.delete("production");
        world.until_gone("production", LATER).await;
        assert_eq!((world.remote().len(), world.posts()), (0, 1), "{trouble:?}");
        assert!(world.deletes() <= 2, "{trouble:?}: {}", world.deletes());
    }
}

#[tokio::test(start_paused = true)]
async fn replacement_survives_every_write_fault() {
    for trouble in faults() {
        let world = World::with_addon().await;
        world.sim.settings(|settings| settings.accepted_keys = vec![digest(&pem("good"))]);
        world.key("bad");
        world.connection("production", "productionOrg");
        world.until("production", "False", "RemoteFailed").await;
        arrange(&world, trouble);
        world.key("good");
        let object = world.within(LATER, "production", "True", "Connected").await;
        assert_eq!(object["status"]["id"], world.only("productionOrg").id.to_string());
        assert_eq!(world.created(), 2, "{trouble:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn forbidden_object_write_prevents_the_post() {
    let world = World::with_addon().await;
    world.api.forbid("patch", "connections");
    world.connection("production", "productionOrg");
    let object = world.until("production", "False", "Creating").await;
    assert_eq!(progress(&object), Some("Reconciling"));
    assert!(message(&object).contains("patch resource \"connections\""), "{}", message(&object));
    world.pass(HOUR).await;
    assert_eq!(world.posts(), 0, "the intent is written before the call");
    let tries = world.api.writes().iter().filter(|w| w.resource == "connections" && w.status == 403).count();
    assert!(tries < 30, "no storm: {tries}");
    world.api.allow("patch", "connections");
    world.within(LATER, "production", "True", "Connected").await;

    // A vanished connection cannot be recreated: it says so, although it was Ready.
    world.api.forbid("patch", "connections");
    world.vanish("productionOrg");
    world.within(LATER, "production", "False", "Creating").await;
    world.api.allow("patch", "connections");
    world.within(LATER, "production", "True", "Connected").await;
}

#[tokio::test(start_paused = true)]
async fn forbidden_secret_read_is_reported_and_keeps_ready() {
    let world = World::with_connection().await;
    world.api.forbid("get", "secrets");
    world.connection("other", "otherOrg");
    let object = world.until("other", "False", "Creating").await;
    assert!(message(&object).contains("get resource \"secrets\""), "{}", message(&object));
    world.annotate("production", "requestedAt", "1");
    world.pass(HOUR).await;
    assert!(says(&world.get("production"), "True", "Connected"));
    world.api.allow("get", "secrets");
    world.within(LATER, "other", "True", "Connected").await;
}

#[tokio::test(start_paused = true)]
async fn forbidden_status_write_causes_no_second_post() {
    let mut world = World::with_addon().await;
    world.api.forbid("patch", "connections/status");
    world.connection("production", "productionOrg");
    world.pass(HOUR).await;
    world.restart().await;
    world.pass(HOUR).await;
    assert_eq!((world.posts(), world.remote().len()), (1, 1));
    world.api.allow("patch", "connections/status");
    world.within(LATER, "production", "True", "Connected").await;
    assert_eq!(world.posts(), 1);
}

#[tokio::test(start_paused = true)]
async fn forbidden_events_block_nothing() {
    let world = World::with_addon().await;
    world.api.forbid("create", "events");
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
    world.delete("production");
    world.until_gone("production", SOON).await;
}

/// After each write of the operator, the user writes, too.
fn meddle(world: &World, times: usize, edit: impl Fn(usize) -> Value + Send + Sync + 'static) {
    let (user, edits) = (world.api.clone(), AtomicUsize::new(0));
    world.api.on_write(move |write| {
        if write.resource == "connections" && write.status < 300 {
            let n = edits.fetch_add(1, Ordering::Relaxed);
            if n < times && user.get("connections", NS, "production").is_some() {
                user.patch("connections", NS, "production", edit(n));
            }
        }
    });
}

#[tokio::test(start_paused = true)]
async fn edits_after_each_write_leave_one_connection() {
    let edits: [fn(usize) -> Value; 3] = [
        |n| json!({"metadata": {"labels": {"edit": n.to_string()}}}),
        |n| json!({"metadata": {"annotations": {"applink.dev/requestedAt": n.to_string()}}}),
        |n| json!({"spec": {"deletionPolicy": if n % 2 == 0 { "Orphan" } else { "Delete" }}}),
    ];
    for edit in edits {
        let world = World::with_addon().await;
        meddle(&world, 6, edit);
        world.connection("production", "productionOrg");
        world.pass(HOUR / 10).await;
        assert!(says(&world.get("production"), "True", "Connected"), "{:#}", world.get("production"));
        assert_eq!(world.id("production"), Some(world.only("productionOrg").id.to_string()));
        assert_eq!((world.posts(), world.deletes()), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn input_change_during_the_call_is_not_lost() {
    for place in [Where::Before, Where::After] {
        let world = World::with_addon().await;
        world.sim.settings(|settings| settings.accepted_keys = vec![digest(&pem("good"))]);
        world.key("bad");
        world.fault(on_post(Fault::new(place, What::Delay { ms: 5000 })).times(1));
        world.connection("production", "productionOrg");
        while world.posts() == 0 {
            world.pass(Duration::from_millis(100)).await;
        }
        world.key("good");
        world.within(LATER, "production", "True", "Connected").await;
        world.only("productionOrg");
        assert_eq!((world.created(), world.deletes()), (2, 1), "the first never connected, so it was replaced");
    }
}

#[tokio::test(start_paused = true)]
async fn one_of_two_concurrent_claimants_gets_the_name() {
    for concurrency in [1, 4] {
        let mut world = World::new();
        world.options.write_concurrency = concurrency;
        world.addon();
        let names = ["a", "b", "c", "d"];
        for name in names {
            world.api.apply(connection(name, "productionOrg"));
        }
        world.start();
        world.pass(HOUR / 10).await;
        let ready: Vec<_> = names.iter().filter(|n| says(&world.get(n), "True", "Connected")).collect();
        let refused = names.iter().filter(|n| says(&world.get(n), "False", "NameConflict")).count();
        assert_eq!((ready.len(), refused), (1, 3));
        assert_eq!((world.posts(), world.remote().len()), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn broken_and_expired_watch_misses_nothing() {
    let world = World::with_connection().await;
    for round in 0..5 {
        world.api.outage(true);
        let name = format!("c{round}");
        world.connection(&name, &format!("org{round}"));
        world.delete(if round == 0 { "production".to_owned() } else { format!("c{}", round - 1) }.as_str());
        world.pass(HOUR / 10).await;
        world.api.compact();
        world.api.outage(false);
        world.within(LATER, &name, "True", "Connected").await;
        world.pass(HOUR / 10).await;
        assert_eq!(world.remote().len(), 1);
    }
}
