//! A target that disappears is recreated, unless somebody else manages it, too.

use std::time::Duration;

use applink_simulator::TargetStatus;
use serde_json::json;

use super::{CLOUD, CLOUD_REMOTE, UPDATES, UPDATES_REMOTE};
use crate::world::{HOUR, LATER, NS, SOON, World, message, progress, says};

/// A poll interval, its jitter, the pass, and the delay of the service.
const POLL: Duration = Duration::from_secs(75);

/// Waits until the target is Ready with another ID.
async fn recreated(world: &World, old: &serde_json::Value) {
    let recreated = |o: Option<&serde_json::Value>| {
        o.is_some_and(|o| says(o, "True", "Created") && o["status"]["id"] != old["status"]["id"])
    };
    world.api.wait_until("dataactiontargets", NS, UPDATES, recreated, POLL).await;
}

#[tokio::test(start_paused = true)]
async fn vanished_target_is_recreated_then_contested() {
    let world = World::with_target().await;
    for nth in 1..=3 {
        let before = world.get_target();
        world.vanish_target(UPDATES_REMOTE);
        recreated(&world, &before).await;
        assert_eq!((world.target_posts(), world.event_count(UPDATES, "Recreated")), (1 + nth, nth as i64));
    }
    world.vanish_target(UPDATES_REMOTE);
    let object = world.target_within(POLL, "False", "Contested").await;
    assert_eq!(progress(&object), Some("Stalled"));
    assert!(message(&object).contains("requestedAt"), "{}", message(&object));
    world.pass(3 * HOUR).await;
    assert_eq!(world.target_posts(), 4);
    world.api.annotate("dataactiontargets", NS, UPDATES, "applink.dev/requestedAt", Some("again"));
    world.until_target("True", "Created").await;
    assert_eq!(world.target_posts(), 5);
}

#[tokio::test(start_paused = true)]
async fn later_failure_is_reported_within_a_poll() {
    let world = World::with_target().await;
    let (id, now) = (world.only_target(UPDATES_REMOTE).id, world.clock.now());
    world.sim.world(|w| w.set_target_status(id, TargetStatus::CreationFailed, None, now)).expect("it exists");
    world.target_within(POLL, "False", "RemoteFailed").await;
    let now = world.clock.now();
    world.sim.world(|w| w.set_target_status(id, TargetStatus::Created, None, now)).expect("it exists");
    world.target_within(POLL, "True", "Created").await;
    assert_eq!(world.target_posts(), 1);
}

#[tokio::test(start_paused = true)]
async fn vanished_connection_recreates_targets_once() {
    let world = World::with_target().await;
    let before = world.get_target();
    world.vanish(CLOUD_REMOTE);
    world.target_within(POLL, "False", "ConnectionNotReady").await;
    world.pass(HOUR).await;
    assert_eq!(world.target_posts(), 1, "nothing is created before it is connected");
    world.api.annotate("connections", NS, CLOUD, "applink.dev/requestedAt", Some("again"));
    world.until(CLOUD, "False", "AwaitingUser").await;
    world.consent(CLOUD_REMOTE, "admin@example.com");
    world.until(CLOUD, "True", "Connected").await;
    recreated(&world, &before).await;
    world.pass(HOUR).await;
    assert_eq!(world.target_posts(), 2);
    assert_eq!(world.only_target(UPDATES_REMOTE).connection(), world.only(CLOUD_REMOTE).id);
    assert_eq!(world.get(CLOUD)["status"]["releasedTargets"], json!(null));
    assert_eq!(world.event_count(UPDATES, "Recreated"), 0, "it is the first of its connection");
}

#[tokio::test(start_paused = true)]
async fn lagging_list_causes_no_second_post() {
    for lag in [5.0, 60.0] {
        let world = World::with_cloud_of(|settings| settings.list_lag_seconds = lag).await;
        world.updates();
        world.target_within(LATER, "True", "Created").await;
        let events = world.events_of(UPDATES);
        world.pass(HOUR).await;
        assert_eq!((world.target_posts(), world.remote_targets().len()), (1, 1), "{lag}");
        assert_eq!(world.events_of(UPDATES), events, "{lag}: nothing happened");
    }
}

#[tokio::test(start_paused = true)]
async fn wiped_metadata_and_status_cost_nothing() {
    let mut world = World::with_target().await;
    for _ in 0..2 {
        let wiped = json!({"metadata": {"finalizers": null, "annotations": {"applink.dev/intent": null}}});
        world.api.patch("dataactiontargets", NS, UPDATES, wiped);
        let whole = |o: Option<&serde_json::Value>| {
            o.is_some_and(|o| {
                let given = o["metadata"]["annotations"]["applink.dev/intent"].is_string();
                given && o["metadata"]["finalizers"] == json!(["applink.dev/finalizer"])
            })
        };
        world.api.wait_until("dataactiontargets", NS, UPDATES, whole, SOON).await;
        world.restart().await;
    }
    world.api.patch("dataactiontargets", NS, UPDATES, json!({"status": null}));
    world.until_target("True", "Created").await;
    world.pass(HOUR).await;
    assert_eq!((world.target_posts(), world.remote_targets().len()), (1, 1));
}
