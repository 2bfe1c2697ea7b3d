//! Half of the recorded state is lost: `kubectl replace`, a stripped status, or a restore with another UID.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{HOUR, NS, SOON, World, connection, progress, says};

const SOONER: Duration = Duration::from_secs(2);

/// Ready, with finalizer, intent and ID.
fn is_whole(object: Option<&Value>) -> bool {
    object.is_some_and(|o| {
        says(o, "True", "Connected")
            && o["metadata"]["finalizers"] == json!(["applink.dev/finalizer"])
            && o["metadata"]["annotations"]["applink.dev/intent"].is_string()
            && o["status"]["id"].is_string()
    })
}

async fn until_whole(world: &World, at_most: Duration) -> Value {
    world.api.wait_until("connections", NS, "production", is_whole, at_most).await.expect("it exists")
}

/// Nothing was created or deleted, and a deletion still deletes it.
async fn unharmed(world: &World) {
    world.pass(HOUR).await;
    assert_eq!((world.posts(), world.deletes()), (1, 0));
    let object = until_whole(world, SOON).await;
    assert_eq!(object["status"]["id"], world.only("productionOrg").id.to_string());
    world.delete("production");
    world.until_gone("production", SOON).await;
    assert_eq!(world.remote().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn replace_restores_the_finalizer() {
    let world = World::with_connection().await;
    world.pass(HOUR).await;
    world.api.replace(connection("production", "productionOrg"));
    until_whole(&world, SOONER).await;
    unharmed(&world).await;
}

#[tokio::test(start_paused = true)]
async fn replace_while_stopped_does_no_harm() {
    let mut world = World::with_connection().await;
    world.take().kill().await;
    world.api.replace(connection("production", "productionOrg"));
    world.pass(HOUR).await;
    world.start();
    until_whole(&world, SOON).await;
    unharmed(&world).await;
}

fn strip_status(world: &World) {
    world.api.patch("connections", NS, "production", json!({"status": null}));
}

#[tokio::test(start_paused = true)]
async fn stripped_status_is_restored_from_the_intent() {
    let world = World::with_connection().await;
    world.pass(HOUR).await;
    strip_status(&world);
    until_whole(&world, SOONER).await;
    unharmed(&world).await;
}

#[tokio::test(start_paused = true)]
async fn status_stripped_while_stopped_is_restored() {
    let mut world = World::with_connection().await;
    world.take().kill().await;
    world.pass(HOUR).await;
    strip_status(&world);
    world.start();
    until_whole(&world, SOON).await;
    unharmed(&world).await;
}

#[tokio::test(start_paused = true)]
async fn adoption_policy_decides_without_intent_and_status() {
    let mut world = World::with_connection().await;
    world.take().kill().await;
    world.api.replace(connection("production", "productionOrg"));
    strip_status(&world);
    world.start();
    until_whole(&world, SOON).await;
    world.pass(SOONER).await;
    assert_eq!(world.event_count("production", "Adopted"), 1);
    unharmed(&world).await;

    let mut world = World::with_connection().await;
    world.take().kill().await;
    world.api.replace(never(connection("production", "productionOrg")));
    strip_status(&world);
    world.start();
    let object = world.until("production", "False", "AdoptionRefused").await;
    assert_eq!(progress(&object), Some("Stalled"));
    world.pass(HOUR).await;
    world.delete("production");
    world.until_gone("production", SOON).await;
    assert_eq!((world.posts(), world.deletes(), world.remote().len()), (1, 0, 1));
}

fn never(mut manifest: Value) -> Value {
    manifest["spec"]["adoptionPolicy"] = json!("Never");
    manifest
}

/// The object recreated from a backup with another UID: with annotations and finalizers, without status.
fn restored(world: &World, change: fn(Value) -> Value) {
    let old = world.get("production");
    let metadata = json!({"metadata": {"finalizers": null}});
    world.delete("production");
    world.api.patch("connections", NS, "production", metadata);
    assert_eq!(world.api.get("connections", NS, "production"), None);
    let mut manifest = connection("production", "productionOrg");
    manifest["metadata"]["annotations"] = old["metadata"]["annotations"].clone();
    manifest["metadata"]["finalizers"] = old["metadata"]["finalizers"].clone();
    world.api.apply(change(manifest));
    assert_ne!(world.get("production")["metadata"]["uid"], old["metadata"]["uid"]);
}

#[tokio::test(start_paused = true)]
async fn intent_of_another_uid_proves_nothing() {
    let mut world = World::with_connection().await;
    world.take().kill().await;
    world.pass(HOUR).await;
    restored(&world, never);
    world.start();
    world.until("production", "False", "AdoptionRefused").await;
    world.pass(HOUR).await;
    world.restart().await;
    world.key("other");
    world.pass(HOUR).await;
    assert!(says(&world.get("production"), "False", "AdoptionRefused"));
    world.delete("production");
    world.until_gone("production", SOON).await;
    assert_eq!((world.posts(), world.deletes(), world.remote().len()), (1, 0, 1), "it is not ours to delete");
}

#[tokio::test(start_paused = true)]
async fn restore_under_another_uid_is_attached_without_a_call() {
    let mut world = World::with_connection().await;
    world.annotate("production", "replace", "an old one");
    world.pass(HOUR).await;
    let calls = world.mutations();
    world.take().kill().await;
    restored(&world, |manifest| manifest);
    world.start();
    until_whole(&world, SOON).await;
    world.pass(SOONER).await;
    assert_eq!(world.event_count("production", "Adopted"), 1);
    world.pass(HOUR).await;
    world.restart().await;
    world.pass(HOUR).await;
    assert_eq!(world.mutations(), calls, "nothing is posted, replaced or deleted");
    let object = until_whole(&world, SOON).await;
    assert_eq!(object["status"]["id"], world.only("productionOrg").id.to_string());
    assert_eq!(object["status"]["lastHandledReplace"], "an old one");
}

#[tokio::test(start_paused = true)]
async fn intent_of_another_uid_does_not_block_creation() {
    let mut world = World::with_connection().await;
    world.take().kill().await;
    restored(&world, |manifest| manifest);
    world.vanish("productionOrg");
    world.start();
    until_whole(&world, SOON).await;
    assert_eq!((world.posts(), world.deletes()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn malformed_intent_does_no_harm() {
    for garbage in ["", "{}", "no JSON", "{\"uid\":7}", "[]"] {
        let world = World::with_connection().await;
        world.annotate("production", "intent", garbage);
        until_whole(&world, SOONER).await;
        unharmed(&world).await;
    }
}

#[tokio::test(start_paused = true)]
async fn recreated_object_starts_from_nothing() {
    let mut world = World::with_connection().await;
    // No operator sees the deletion, or that another object has the name now.
    world.take().kill().await;
    let metadata = json!({"metadata": {"finalizers": null}});
    world.delete("production");
    world.api.patch("connections", NS, "production", metadata);
    world.connection("production", "productionOrg");
    world.start();
    until_whole(&world, SOON).await;
    world.pass(SOONER).await;
    assert_eq!(world.event_count("production", "Adopted"), 1);
    unharmed(&world).await;
}
