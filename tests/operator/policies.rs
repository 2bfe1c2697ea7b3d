//! managementPolicy Observe, suspend and deletion policies: observed objects are never touched.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::world::{HOUR, NS, SOON, World, connection, message, progress, says};

const SOONER: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_secs(67);

fn observed() -> Value {
    json!({"managementPolicy": "Observe"})
}

/// Has neither finalizer nor annotation of ours, and AppLink got no mutating call.
fn untouched(world: &World, name: &str) {
    let object = world.get(name);
    assert_eq!(object["metadata"].get("finalizers"), None, "{object:#}");
    assert_eq!(object["metadata"].get("annotations"), None, "{object:#}");
    assert_eq!(world.mutations(), 0);
}

#[tokio::test(start_paused = true)]
async fn observed_object_is_reported_and_untouched() {
    let world = World::with_addon().await;
    let id = world.plant("productionOrg", SignedDuration::from_hours(30));
    world.pass(SOONER).await;
    world.connection_with("production", "productionOrg", observed());
    let object = world.until("production", "True", "Connected").await;
    assert_eq!(object["status"]["id"], id);
    assert!(object["status"]["org"]["id"].is_string());
    assert_eq!(object["status"].get("appliedHash"), None, "not ours");
    untouched(&world, "production");
    world.key("other");
    world.pass(HOUR).await;
    world.vanish("productionOrg");
    let object = world.within(POLL, "production", "False", "RemoteMissing").await;
    assert_eq!(progress(&object), Some("Stalled"));
    world.pass(HOUR).await;
    untouched(&world, "production");
    world.plant("productionOrg", SignedDuration::ZERO);
    world.within(POLL, "production", "True", "Connected").await;
    world.delete("production");
    assert_eq!(world.api.get("connections", NS, "production"), None, "it has no finalizer");
    world.pass(HOUR).await;
    assert_eq!((world.mutations(), world.remote().len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn observe_creates_nothing() {
    let world = World::with_addon().await;
    world.connection_with("production", "productionOrg", observed());
    world.until("production", "False", "RemoteMissing").await;
    world.annotate("production", "requestedAt", "now");
    world.pass(HOUR).await;
    assert_eq!(world.mutations(), 0);
}

#[tokio::test(start_paused = true)]
async fn addon_policy_limits_its_objects() {
    let mut world = World::new();
    world.addon_with(json!({"managementPolicy": "Observe"}));
    world.start();
    world.until_addon("True", "AddonReady").await;
    assert_eq!(world.get_addon()["metadata"].get("finalizers"), None);
    world.connection("production", "productionOrg");
    world.until("production", "False", "RemoteMissing").await;
    world.pass(HOUR).await;
    untouched(&world, "production");
    world.addon();
    world.addon_with(json!({"managementPolicy": "Full"}));
    world.within(SOONER, "production", "True", "Connected").await;
}

#[tokio::test(start_paused = true)]
async fn switching_full_to_observe_and_back() {
    let world = World::with_connection().await;
    let id = world.id("production");
    let switch =
        |policy: &str| world.connection_with("production", "productionOrg", json!({"managementPolicy": policy}));
    switch("Observe");
    let free = |object: Option<&Value>| {
        object.is_some_and(|o| o["metadata"].get("finalizers").is_none() && says(o, "True", "Connected"))
    };
    world.api.wait_until("connections", NS, "production", free, SOONER).await;
    world.forget_requests();
    world.pass(HOUR).await;
    assert_eq!(world.mutations(), 0);
    switch("Full");
    let held = |object: Option<&Value>| {
        object.is_some_and(|o| o["metadata"].get("finalizers").is_some() && says(o, "True", "Connected"))
    };
    world.api.wait_until("connections", NS, "production", held, SOONER).await;
    assert_eq!((world.id("production"), world.mutations()), (id, 0), "the same one, managed again");
    world.vanish("productionOrg");
    world.pass(2 * POLL).await;
    world.only("productionOrg");
    world.delete("production");
    world.until_gone("production", SOON).await;
    assert_eq!(world.remote().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn switch_to_full_does_not_adopt() {
    let world = World::with_addon().await;
    world.plant("productionOrg", SignedDuration::from_hours(30));
    world.pass(SOONER).await;
    world.connection_with("production", "productionOrg", observed());
    world.until("production", "True", "Connected").await;
    world.connection_with(
        "production",
        "productionOrg",
        json!({"managementPolicy": "Full", "adoptionPolicy": "Never"}),
    );
    world.until("production", "False", "AdoptionRefused").await;
    world.key("other");
    world.pass(HOUR).await;
    world.delete("production");
    world.until_gone("production", SOON).await;
    assert_eq!((world.mutations(), world.remote().len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn suspended_connection_is_untouched() {
    let world = World::with_connection().await;
    world.connection_with("production", "productionOrg", json!({"suspend": true}));
    let object = world.until("production", "True", "Suspended").await;
    assert_eq!(progress(&object), None);
    world.vanish("productionOrg");
    world.key("other");
    world.pass(HOUR).await;
    assert_eq!(world.posts(), 1);
    world.key("good");
    world.connection_with("production", "productionOrg", json!({"suspend": false}));
    world.until("production", "True", "Connected").await;
    assert_eq!(world.posts(), 2);
    world.connection_with("production", "productionOrg", json!({"suspend": true}));
    world.until("production", "True", "Suspended").await;
    world.delete("production");
    world.pass(HOUR).await;
    assert_eq!((world.deletes(), world.remote().len()), (0, 1), "a deletion waits");
    world.api.patch("connections", NS, "production", json!({"spec": {"suspend": false}}));
    world.until_gone("production", SOON).await;
    assert_eq!(world.remote().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn orphan_stays_in_place() {
    let world = World::with_addon().await;
    world.connection_with("production", "productionOrg", json!({"deletionPolicy": "Orphan"}));
    world.until("production", "True", "Connected").await;
    world.delete("production");
    world.until_gone("production", SOONER).await;
    assert_eq!((world.deletes(), world.remote().len(), world.event_count("production", "Orphaned")), (0, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn current_owner_keeps_the_name() {
    let world = World::with_connection().await;
    world.connection("rival", "productionORG");
    let object = world.until("rival", "False", "NameConflict").await;
    assert_eq!(progress(&object), Some("Stalled"));
    assert!(message(&object).contains("crm/production"), "{}", message(&object));
    world.api.apply(connection("looker", "productionOrg"));
    world.connection_with("looker", "productionOrg", observed());
    world.until("looker", "True", "Connected").await;
    world.pass(HOUR).await;
    assert_eq!(world.posts(), 1);
    world.delete("rival");
    world.until_gone("rival", SOON).await;
    assert_eq!(world.deletes(), 0);
    world.connection("heir", "productionOrg");
    world.until("heir", "False", "NameConflict").await;
    world.delete("production");
    world.until_gone("production", SOON).await;
    world.until("heir", "True", "Connected").await;
    assert_eq!((world.posts(), world.remote().len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn changed_input_replaces_only_never_connected() {
    let world = World::with_connection().await;
    world.key("other");
    let object = world.within(SOONER, "production", "False", "ReplacementRequired").await;
    assert_eq!(progress(&object), Some("Stalled"));
    world.pass(HOUR).await;
    assert_eq!((world.posts(), world.deletes()), (1, 0));
    world.key("good");
    world.within(SOONER, "production", "True", "Connected").await;
    assert_eq!((world.posts(), world.deletes()), (1, 0));
}
