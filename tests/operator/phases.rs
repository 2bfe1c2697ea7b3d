//! Remote status of an existing connection: connecting, failed, unknown words.

use std::time::Duration;

use applink_simulator::{RemoteError, Status};
use serde_json::json;

use crate::world::{HOUR, NS, SOON, World, addon, condition, digest, message, pem, progress, says};

const SOONER: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_secs(67);
const MINUTE: Duration = Duration::from_secs(60);

fn turn(world: &World, status: Status, error: Option<RemoteError>) {
    let (id, now) = (world.only("productionOrg").id, world.clock.now());
    world.sim.world(|world| world.set_status(id, status, error, now)).expect("it exists");
}

#[tokio::test(start_paused = true)]
async fn failure_and_recovery_are_seen_within_a_poll() {
    let world = World::with_connection().await;
    let error = RemoteError::new(
        "authentication_failed",
        "expired at 2026-03-01T12:00:00Z, key 0123456789abcdef0123456789abcdef",
    );
    turn(&world, Status::Failed, Some(error));
    let object = world.within(POLL, "production", "False", "RemoteFailed").await;
    assert_eq!(progress(&object), Some("Stalled"));
    let text = message(&object);
    assert!(text.contains("authentication_failed") && !text.contains("0123456789abcdef"), "{text}");
    assert_eq!(object["status"]["remoteStatus"], "failed");
    world.pass(HOUR).await;
    assert_eq!((world.posts(), world.deletes()), (1, 0), "a connection that worked is not deleted");
    turn(&world, Status::Connected, None);
    world.within(POLL, "production", "True", "Connected").await;
}

#[tokio::test(start_paused = true)]
async fn bad_key_is_reported_and_good_key_recovers() {
    let world = World::with_addon().await;
    world.sim.settings(|settings| settings.accepted_keys = vec![digest(&pem("good"))]);
    world.key("bad");
    world.connection("production", "productionOrg");
    let object = world.until("production", "False", "RemoteFailed").await;
    assert_eq!(progress(&object), Some("Stalled"));
    world.pass(HOUR).await;
    assert_eq!(world.posts(), 1);
    world.key("good");
    world.within(SOONER, "production", "True", "Connected").await;
    assert_eq!((world.posts(), world.deletes()), (2, 1));
    world.only("productionOrg");
}

#[tokio::test(start_paused = true)]
async fn long_connecting_is_polled_slower_then_abandoned() {
    let world = World::with_addon().await;
    world.sim.settings(|settings| settings.connect_seconds = Some(1e6));
    world.connection("production", "productionOrg");
    let object = world.until("production", "False", "Connecting").await;
    assert_eq!(progress(&object), Some("Reconciling"));
    let before = world.passes();
    world.pass(MINUTE / 2).await;
    assert!((8..=12).contains(&(world.passes() - before)), "soon, then every 5 s: {}", world.passes() - before);
    world.pass(10 * MINUTE).await;
    let before = world.passes();
    world.pass(4 * MINUTE).await;
    assert!(world.passes() - before <= 5, "no more than polls in the end: {}", world.passes() - before);
    let object = world.within(2 * MINUTE, "production", "False", "RemoteFailed").await;
    assert_eq!(progress(&object), Some("Stalled"));
    turn(&world, Status::Connected, None);
    world.within(POLL, "production", "True", "Connected").await;
    assert_eq!(world.posts(), 1);
}

#[tokio::test(start_paused = true)]
async fn unknown_status_counts_as_pending() {
    let world = World::with_connection().await;
    turn(&world, Status::Other("polishing".to_owned()), None);
    let object = world.within(POLL, "production", "False", "Connecting").await;
    assert_eq!(object["status"]["remoteStatus"], "polishing");
    turn(&world, Status::Connected, None);
    world.within(POLL, "production", "True", "Connected").await;
    assert_eq!((world.posts(), world.deletes()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn vanished_connection_is_recreated_within_a_poll() {
    for (poll, at_most) in [("10s", 13), ("60s", 68), ("10m", 662)] {
        let world = World::with_addon().await;
        let mut manifest = addon(crate::world::ADDON);
        manifest["spec"]["pollInterval"] = json!(poll);
        world.api.apply(manifest);
        world.connection("production", "productionOrg");
        world.until("production", "True", "Connected").await;
        world.pass(HOUR + MINUTE / 4).await;
        let old = world.id("production");
        world.vanish("productionOrg");
        let back = |object: Option<&serde_json::Value>| {
            object.is_some_and(|o| says(o, "True", "Connected") && o["status"]["id"].as_str() != old.as_deref())
        };
        world.until_as("connections", "production", Duration::from_secs(at_most), back).await;
        world.only("productionOrg");
        assert_eq!(world.event_count("production", "Recreated"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn request_polls_at_once() {
    let world = World::with_connection().await;
    // An observation at the time of the request is enough.
    world.pass(SOONER).await;
    turn(&world, Status::Failed, None);
    world.annotate("production", "requestedAt", "now");
    let object = world.within(SOONER, "production", "False", "RemoteFailed").await;
    assert_eq!(object["status"]["lastHandledReconcileAt"], "now");
    world.pass(SOONER).await;
    turn(&world, Status::Connected, None);
    world.api.annotate("applinkaddons", NS, crate::world::ADDON, "applink.dev/requestedAt", Some("now"));
    world.within(SOONER, "production", "True", "Connected").await;
    assert_eq!(world.get_addon()["status"]["lastHandledReconcileAt"], "now");
}

#[tokio::test(start_paused = true)]
async fn new_generation_is_observed_and_ready_stays() {
    let world = World::with_connection().await;
    world.pass(HOUR).await;
    let since = condition(&world.get("production"), "Ready").expect("it is reported")["lastTransitionTime"].clone();
    world.connection_with("production", "productionOrg", json!({"deletionPolicy": "Orphan"}));
    let object = world.within(SOONER, "production", "True", "Connected").await;
    let ready = condition(&object, "Ready").expect("it is reported");
    assert_eq!((&ready["lastTransitionTime"], &ready["observedGeneration"]), (&since, &json!(2)));
    world.pass(SOON).await;
    assert_eq!(world.event_count("production", "Connected"), 1, "no transition, no Event");
}
