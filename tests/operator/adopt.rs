//! Adoption: existing connections are adopted if policy and attributes allow it, and left alone otherwise.

use std::time::Duration;

use applink_simulator::{Dialect, Org, Status};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::world::{HOUR, SOON, World, connection, message, pem, progress, says};

const LONG_AGO: SignedDuration = SignedDuration::from_hours(30);

/// An add-on with an existing connection.
async fn taken() -> (World, String) {
    let world = World::with_addon().await;
    let theirs = world.plant("productionOrg", LONG_AGO);
    world.pass(Duration::from_secs(1)).await;
    (world, theirs)
}

#[tokio::test(start_paused = true)]
async fn matching_connection_is_adopted_without_a_call() {
    let (mut world, theirs) = taken().await;
    world.connection("production", "productionOrg");
    let object = world.until("production", "True", "Connected").await;
    assert_eq!(object["status"]["id"], theirs);
    assert_eq!(object["status"]["createdBy"], "somebody@example.com");
    assert_eq!(object["metadata"]["finalizers"], json!(["applink.dev/finalizer"]));
    assert_eq!(world.writes_to("production").len(), 2);
    world.pass(Duration::from_secs(2)).await;
    assert_eq!((world.event_count("production", "Adopted"), world.event_count("production", "Created")), (1, 0));
    world.pass(HOUR).await;
    world.restart().await;
    world.pass(HOUR).await;
    assert_eq!((world.mutations(), world.writes_to("production").len()), (0, 2));
    world.key("other");
    world.until("production", "False", "ReplacementRequired").await;
    world.key("good");
    world.until("production", "True", "Connected").await;
    world.delete("production");
    world.until_gone("production", SOON).await;
    assert_eq!((world.remote().len(), world.posts()), (0, 0), "it is ours now");
}

#[tokio::test(start_paused = true)]
async fn differing_connection_is_left_alone() {
    let other_org = json!({"expect": {"orgID": Org::of("else@example.com").id}});
    let other_user = json!({"jwt": {"username": "else@example.com"}});
    let cases: [(Value, &str); 5] = [
        (json!({"adoptionPolicy": "Never"}), "adoptionPolicy is Never"),
        (json!({"jwt": null, "oauth": {}}), "its method is jwt, not oauth"),
        (json!({"provider": "DataCloud", "jwt": null, "oauth": {}}), "its provider is Salesforce, not DataCloud"),
        (other_org, "spec.expect.orgID"),
        (other_user, "its user is ci@example.com, not else@example.com"),
    ];
    for (spec, why) in cases {
        let (mut world, theirs) = taken().await;
        // Only this dialect reports how a connection was made.
        world.sim.settings(|settings| settings.dialect = Dialect::Reference);
        let mut manifest = connection("production", "productionOrg");
        let user = spec["jwt"]["username"].clone();
        if user.is_string() {
            manifest["spec"]["jwt"]["username"] = user;
            world.api.apply(manifest);
        } else {
            world.connection_with("production", "productionOrg", spec.clone());
        }
        let object = world.until("production", "False", "AdoptionRefused").await;
        assert_eq!(progress(&object), Some("Stalled"));
        assert!(message(&object).contains(why), "{why}: {}", message(&object));
        assert!(message(&object).contains(&theirs), "{}", message(&object));
        world.annotate("production", "replace", "1");
        world.pass(HOUR).await;
        world.restart().await;
        world.pass(HOUR).await;
        world.delete("production");
        world.until_gone("production", SOON).await;
        assert_eq!((world.mutations(), world.only("productionOrg").id.to_string()), (0, theirs), "{spec}");
    }
}

#[tokio::test(start_paused = true)]
async fn failed_connection_is_not_adopted() {
    let (world, _) = taken().await;
    let (id, now) = (world.only("productionOrg").id, world.clock.now());
    world.sim.world(|w| w.set_status(id, Status::Failed, None, now)).expect("it exists");
    world.connection("production", "productionOrg");
    let object = world.until("production", "False", "AdoptionRefused").await;
    assert!(message(&object).contains("it has failed"), "{}", message(&object));
    world.sim.world(|w| w.set_status(id, Status::Connected, None, world.clock.now())).expect("it exists");
    world.within(Duration::from_secs(67), "production", "True", "Connected").await;
    assert_eq!(world.mutations(), 0);
}

#[tokio::test(start_paused = true)]
async fn changed_adoption_policy_applies_at_once() {
    let (world, theirs) = taken().await;
    world.connection_with("production", "productionOrg", json!({"adoptionPolicy": "Never"}));
    world.until("production", "False", "AdoptionRefused").await;
    world.connection_with("production", "productionOrg", json!({"adoptionPolicy": "IfMatching"}));
    let object = world.until("production", "True", "Connected").await;
    assert_eq!((&object["status"]["id"], world.mutations()), (&json!(theirs), 0));
}

#[tokio::test(start_paused = true)]
async fn orphaned_connection_is_adopted_again() {
    let world = World::with_connection().await;
    let id = world.id("production");
    world.connection_with("production", "productionOrg", json!({"deletionPolicy": "Orphan"}));
    world.pass(SOON).await;
    world.delete("production");
    world.until_gone("production", SOON).await;
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
    assert_eq!((world.id("production"), world.mutations()), (id, 1));
}

#[tokio::test(start_paused = true)]
async fn older_claimant_adopts() {
    let (world, theirs) = taken().await;
    world.connection("one", "productionOrg");
    world.pass(Duration::from_secs(2)).await;
    world.connection("two", "productionOrg");
    world.until("one", "True", "Connected").await;
    world.until("two", "False", "NameConflict").await;
    world.delete("two");
    world.until_gone("two", SOON).await;
    assert_eq!((world.mutations(), world.only("productionOrg").id.to_string()), (0, theirs));
}

#[tokio::test(start_paused = true)]
async fn foreign_pending_connection_is_waited_for() {
    let mut world = World::with_addon().await;
    world.connection_with("production", "productionOrg", json!({"jwt": null, "oauth": {}}));
    world.until("production", "False", "AwaitingUser").await;
    let id = world.id("production");
    // Delete the resource with policy Orphan. Its Secret goes, too.
    world.connection_with("production", "productionOrg", json!({"jwt": null, "oauth": {}, "deletionPolicy": "Orphan"}));
    world.pass(SOON).await;
    world.sim.settings(|s| s.dialect = Dialect::Reference);
    world.delete("production");
    world.until_gone("production", SOON).await;
    assert_eq!(world.secret("production-connection-oauth"), None);
    world.restart().await;
    world.connection_with("production", "productionOrg", json!({"jwt": null, "oauth": {}}));
    world.until("production", "False", "Connecting").await;
    world.consent("productionOrg", "admin@example.com");
    world.until("production", "True", "Connected").await;
    assert_eq!((world.id("production"), world.mutations()), (id, 1));
}

#[tokio::test(start_paused = true)]
async fn rotated_key_replaces_adopted_connection() {
    let (world, theirs) = taken().await;
    world.connection_with("production", "productionOrg", json!({"replacePolicy": "DeleteAndRecreate"}));
    world.until("production", "True", "Connected").await;
    assert_eq!(world.mutations(), 0);
    assert_ne!(pem("other"), pem("good"));
    world.key("other");
    let renewed =
        |object: Option<&Value>| object.is_some_and(|o| says(o, "True", "Connected") && o["status"]["id"] != theirs);
    world.api.wait_until("connections", crate::world::NS, "production", renewed, SOON).await;
    assert_eq!((world.posts(), world.deletes(), world.remote().len()), (1, 1, 1));
}
