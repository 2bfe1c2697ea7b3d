//! Half of the memory is lost: a `kubectl replace`, a stripped status, a restore under another uid.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{HOUR, NS, SOON, World, connection, progress, says};

const SOONER: Duration = Duration::from_secs(2);

/// Ready and whole: finalizer, intent and id.
fn is_whole(object: Option<&Value>) -> bool {
    object.is_some_and(|o| {
        says(o, "True", "Connected")
            && o["metadata"]["finalizers"] == json!(["applink.dev/finalizer"])
            && o["metadata"]["annotations"]["applink.dev/intent"].is_string()
            && o["status"]["id"].is_string()
    })
}

async fn until_whole(world: &World, at_most: Duration) -> Value {
    world.api.wait_until("connections", NS, "production", is_whole, at_most).await.expect("it is there")
}

/// Nothing was made or taken away, and a deletion still takes it away.
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
async fn a_replace_wipes_the_finalizer_and_it_is_put_back() {
    let world = World::with_connection().await;
    world.pass(HOUR).await;
    world.api.replace(connection("production", "productionOrg"));
    until_whole(&world, SOONER).await;
    unharmed(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_replace_while_nobody_looks_does_no_harm() {
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
async fn a_stripped_status_is_restored_from_the_intent() {
    let world = World::with_connection().await;
    world.pass(HOUR).await;
    strip_status(&world);
    until_whole(&world, SOONER).await;
    unharmed(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_status_stripped_while_nobody_looks_is_restored_from_the_intent() {
    let mut world = World::with_connection().await;
    world.take().kill().await;
    world.pass(HOUR).await;
    strip_status(&world);
    world.start();
    until_whole(&world, SOON).await;
    unharmed(&world).await;
}

#[tokio::test(start_paused = true)]
async fn with_both_halves_gone_the_policy_decides() {
    let mut world = World::with_connection().await;
    world.take().kill().await;
    world.api.replace(connection("production", "productionOrg"));
    strip_status(&world);
    world.start();
    until_whole(&world, SOON).await;
    world.pass(SOONER).await;
    assert_eq!(world.told("production", "Adopted"), 1);
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

/// The object as a backup has it, made anew under another uid: annotations and finalizers come back, the status does not.
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
async fn an_intent_of_another_uid_proves_nothing() {
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
    assert_eq!((world.posts(), world.deletes(), world.remote().len()), (1, 0, 1), "it is not ours to take away");
}

#[tokio::test(start_paused = true)]
async fn a_restore_under_another_uid_is_attached_again_without_a_call() {
    let mut world = World::with_connection().await;
    world.annotate("production", "replace", "an old one");
    world.pass(HOUR).await;
    let calls = world.mutations();
    world.take().kill().await;
    restored(&world, |manifest| manifest);
    world.start();
    until_whole(&world, SOON).await;
    world.pass(SOONER).await;
    assert_eq!(world.told("production", "Adopted"), 1);
    world.pass(HOUR).await;
    world.restart().await;
    world.pass(HOUR).await;
    assert_eq!(world.mutations(), calls, "nothing is posted, replaced or deleted");
    let object = until_whole(&world, SOON).await;
    assert_eq!(object["status"]["id"], world.only("productionOrg").id.to_string());
    assert_eq!(object["status"]["lastHandledReplace"], "an old one");
}

#[tokio::test(start_paused = true)]
async fn an_intent_of_another_uid_keeps_nobody_from_making_what_is_not_there() {
    let mut world = World::with_connection().await;
    world.take().kill().await;
    restored(&world, |manifest| manifest);
    world.vanish("productionOrg");
    world.start();
    until_whole(&world, SOON).await;
    assert_eq!((world.posts(), world.deletes()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn an_intent_that_is_no_intent_does_no_harm() {
    for garbage in ["", "{}", "no JSON", "{\"uid\":7}", "[]"] {
        let world = World::with_connection().await;
        world.annotate("production", "intent", garbage);
        until_whole(&world, SOONER).await;
        unharmed(&world).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_made_anew_under_its_name_starts_from_nothing() {
    let mut world = World::with_connection().await;
    // Nobody sees the deletion, nor that what is there now is another.
    world.take().kill().await;
    let metadata = json!({"metadata": {"finalizers": null}});
    world.delete("production");
    world.api.patch("connections", NS, "production", metadata);
    world.connection("production", "productionOrg");
    world.start();
    until_whole(&world, SOON).await;
    world.pass(SOONER).await;
    assert_eq!(world.told("production", "Adopted"), 1);
    unharmed(&world).await;
}
