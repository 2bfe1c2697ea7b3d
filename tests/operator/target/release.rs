//! A deleted target is released, because AppLink cannot delete one: no call is made, and its connection must record it
//! first.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use applink_simulator::{Fault, What, Where};
use serde_json::{Value, json};

use super::{CLOUD, CLOUD_REMOTE, UPDATES, UPDATES_REMOTE, target};
use crate::inspect::on_post;
use crate::world::{HOUR, LATER, NS, SOON, World};

#[tokio::test(start_paused = true)]
async fn target_is_released_after_its_connection_records_it() {
    let world = World::with_target().await;
    let id = world.only_target(UPDATES_REMOTE).id.to_string();
    let calls = world.mutations();
    // The order of finalizer removal and recording.
    let order: Arc<Mutex<Vec<String>>> = Arc::default();
    let (seen, api, wanted) = (order.clone(), world.api.clone(), id.clone());
    world.api.on_write(move |write| {
        let known = api.get("connections", NS, CLOUD).expect("it exists")["status"]["releasedTargets"].clone();
        let known = known.as_array().is_some_and(|ids| ids.contains(&json!(wanted)));
        seen.lock().expect("whole").push(format!("{} {known}", write.resource));
    });
    world.delete_target();
    world.until_target_gone(SOON).await;
    let order = order.lock().expect("whole").clone();
    assert!(order.contains(&"dataactiontargets true".to_owned()), "{order:?}");
    assert!(!order.contains(&"dataactiontargets/ false".to_owned()), "{order:?}");
    world.pass(HOUR).await;
    assert_eq!((world.released_targets(), world.mutations()), (vec![id.clone()], calls));
    assert_eq!((world.event_count(UPDATES, "Orphaned"), world.remote_targets().len()), (1, 1));

    // Declared again, it is adopted and removed from the list.
    world.updates();
    let object = world.until_target("True", "Created").await;
    assert_eq!(object["status"]["id"], id);
    let nothing = |o: Option<&Value>| o.is_some_and(|o| o["status"]["releasedTargets"].is_null());
    world.api.wait_until("connections", NS, CLOUD, nothing, SOON).await;
    assert_eq!(world.target_posts(), 1);
}

/// An event that ends a connection.
type Way = (&'static str, fn(&World));

#[tokio::test(start_paused = true)]
async fn unwritable_connection_does_not_block_the_target() {
    let ways: [Way; 5] = [
        ("observed", |world| {
            world.api.patch("connections", NS, CLOUD, json!({"spec": {"managementPolicy": "Observe"}}));
        }),
        ("missing", |world| {
            world.api.patch("connections", NS, CLOUD, json!({"metadata": {"finalizers": null}}));
            world.api.delete("connections", NS, CLOUD);
        }),
        ("malformed", |world| {
            world.api.patch("connections", NS, CLOUD, json!({"spec": {"provider": 7}}));
        }),
        ("suspended", |world| {
            world.api.patch("connections", NS, CLOUD, json!({"spec": {"suspend": true}}));
        }),
        ("gone remotely", |world| world.vanish(CLOUD_REMOTE)),
    ];
    for (way, act) in ways {
        let world = World::with_target().await;
        act(&world);
        for wait in [Duration::ZERO, Duration::from_secs(150)] {
            world.pass(wait).await;
        }
        world.delete_target();
        world.until_target_gone(SOON).await;
        let left = i64::from(way != "gone remotely");
        assert_eq!((way, world.event_count(UPDATES, "Orphaned"), world.target_posts()), (way, left, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn target_is_released_during_an_outage() {
    let world = World::with_target().await;
    world.fault(Fault::new(Where::Before, What::Reset));
    world.pass(HOUR).await;
    world.delete_target();
    world.until_target_gone(SOON).await;
    assert_eq!((world.event_count(UPDATES, "Orphaned"), world.released_targets().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn uncertain_target_is_looked_up_before_release() {
    for place in [Where::Before, Where::After] {
        let mut world = World::with_cloud().await;
        world.fault(on_post(Fault::new(place, What::Reset)));
        world.updates();
        while world.target_posts() == 0 {
            world.pass(Duration::from_millis(50)).await;
        }
        world.delete_target();
        // The next operator knows only what the object says.
        world.restart().await;
        world.until_target_gone(LATER).await;
        let made = world.remote_targets();
        let ids: Vec<_> = made.iter().map(|target| target.id.to_string()).collect();
        assert_eq!((world.target_posts(), world.released_targets()), (1, ids), "{place:?}");
        assert_eq!(world.event_count(UPDATES, "Orphaned"), made.len() as i64, "{place:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn created_but_unseen_target_is_released() {
    let world = World::with_cloud().await;
    world.fault(on_post(Fault::new(Where::After, What::Reset)));
    world.updates();
    while world.target_posts() == 0 {
        world.pass(Duration::from_millis(50)).await;
    }
    world.delete_target();
    world.until_target_gone(LATER).await;
    let id = world.only_target(UPDATES_REMOTE).id.to_string();
    assert_eq!((world.released_targets(), world.event_count(UPDATES, "Orphaned")), (vec![id], 1));
}

#[tokio::test(start_paused = true)]
async fn late_watch_does_not_block_release() {
    let world = World::with_cloud().await;
    world.fault(on_post(Fault::new(Where::After, What::Reset)));
    world.updates();
    while world.target_posts() == 0 {
        world.pass(Duration::from_millis(5)).await;
    }
    world.delete_target();
    world.pass(Duration::from_millis(20)).await;
    world.api.hold_watches("dataactiontargets");
    let known = |o: Option<&Value>| o.is_some_and(|o| o["status"]["id"].is_string());
    world.api.wait_until("dataactiontargets", NS, UPDATES, known, LATER).await;
    world.pass(SOON).await;
    world.api.release_watches();
    world.until_target_gone(LATER).await;
    assert_eq!(world.released_targets().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn force_orphan_releases_at_once() {
    let world = World::with_target().await;
    world.api.patch("dataactiontargets", NS, UPDATES, json!({"spec": {"suspend": true}}));
    world.until_target("True", "Suspended").await;
    world.delete_target();
    world.until_target("True", "Suspended").await;
    world.api.annotate("dataactiontargets", NS, UPDATES, "applink.dev/force-orphan", Some("true"));
    world.until_target_gone(SOON).await;
    assert_eq!((world.event_count(UPDATES, "Orphaned"), world.remote_targets().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn target_without_connection_is_removed_silently() {
    let world = World::with_addon().await;
    world.api.apply(target(UPDATES, UPDATES_REMOTE));
    world.until_target("False", "DependencyNotFound").await;
    world.delete_target();
    world.until_target_gone(SOON).await;
    assert_eq!(world.event_count(UPDATES, "Orphaned"), 0);
}
