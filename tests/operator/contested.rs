//! Somebody else deletes our remote objects again and again.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{HOUR, NS, World, progress, says};

const POLL: Duration = Duration::from_secs(67);

async fn until_healed(world: &World, at_most: Duration) {
    let recreated = |object: Option<&Value>| {
        let there = world.remote();
        object.is_some_and(|o| {
            says(o, "True", "Connected") && there.iter().any(|c| o["status"]["id"] == c.id.to_string())
        })
    };
    world.api.wait_until("connections", NS, "production", recreated, at_most).await;
}

async fn taken_away(world: &World, times: usize, every: Duration) {
    for _ in 0..times {
        world.vanish("productionOrg");
        until_healed(world, POLL).await;
        world.pass(every).await;
    }
}

#[tokio::test(start_paused = true)]
async fn fourth_disappearance_within_an_hour_is_contested() {
    let mut world = World::with_connection().await;
    taken_away(&world, 3, 2 * POLL).await;
    assert_eq!((world.posts(), world.event_count("production", "Recreated")), (4, 3));
    world.vanish("productionOrg");
    let object = world.within(POLL, "production", "False", "Contested").await;
    assert_eq!(progress(&object), Some("Stalled"));
    world.pass(2 * HOUR).await;
    world.restart().await;
    world.pass(2 * HOUR).await;
    assert!(says(&world.get("production"), "False", "Contested"));
    assert_eq!((world.posts(), world.event_count("production", "Contested")), (4, 1), "no more of it, reported once");
    world.annotate("production", "requestedAt", "resume");
    until_healed(&world, Duration::from_secs(2)).await;
    assert_eq!(world.posts(), 5);
    // The count restarts, and this was the first.
    taken_away(&world, 2, 2 * POLL).await;
    world.vanish("productionOrg");
    world.within(POLL, "production", "False", "Contested").await;
    assert_eq!(world.posts(), 7);
}

#[tokio::test(start_paused = true)]
async fn occasional_disappearance_is_recreated() {
    let world = World::with_connection().await;
    taken_away(&world, 8, 22 * Duration::from_secs(60)).await;
    assert_eq!(world.posts(), 9);
    assert_eq!(world.event_count("production", "Contested"), 0);
}

#[tokio::test(start_paused = true)]
async fn contested_connection_can_be_deleted() {
    let world = World::with_connection().await;
    taken_away(&world, 3, POLL).await;
    world.vanish("productionOrg");
    world.within(POLL, "production", "False", "Contested").await;
    world.delete("production");
    world.until_gone("production", POLL).await;
}

#[tokio::test(start_paused = true)]
async fn reappearance_under_another_id_is_foreign() {
    for (policy, status, reason) in [("Never", "False", "AdoptionRefused"), ("IfMatching", "True", "Connected")] {
        let world = World::with_addon().await;
        world.connection_with("production", "productionOrg", json!({"adoptionPolicy": policy}));
        world.until("production", "True", "Connected").await;
        let ours = world.id("production");
        world.vanish("productionOrg");
        let theirs = world.plant("productionOrg", jiff::SignedDuration::ZERO);
        let decided = |object: Option<&Value>| {
            object.is_some_and(|o| says(o, status, reason) && (status == "False" || o["status"]["id"] != json!(ours)))
        };
        world.api.wait_until("connections", NS, "production", decided, POLL).await;
        world.pass(HOUR).await;
        assert_eq!(world.only("productionOrg").id.to_string(), theirs);
        assert_eq!((world.posts(), world.deletes()), (1, 0), "{policy}");
        assert_eq!(world.id("production") == Some(theirs), policy == "IfMatching", "{policy}");
    }
}
