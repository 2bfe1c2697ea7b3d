//! Deletion and force-orphan need no inputs: nothing else that a plan reads can block or silence them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::authorization::{NAME as AUTHORIZATION, authorization};
use crate::publication::{API, CLIENT};
use crate::world::{ADDON, HOUR, NS, SOON, World, addon, connection, message, says};

const SOONER: Duration = Duration::from_secs(2);

/// Kinds and names of the deleted objects, all Ready.
const ALL: [(&str, &str); 3] =
    [("publications", API), ("connections", "production"), ("authorizations", AUTHORIZATION)];

/// One Ready object of each kind with inputs, which come from the key's Secret and a ConfigMap.
async fn full() -> World {
    let world = World::with_publication().await;
    world.api.apply(authorization(&json!({"credentialsSecretName": "batch-credentials"})));
    world.until_of("authorizations", AUTHORIZATION, SOON, ("True", "Authorized")).await;
    world
}

async fn until_gone(world: &World, plural: &str, name: &str) {
    world.until_as(plural, name, SOON, |object| object.is_none()).await;
}

/// Breaks the inputs of all objects at once.
fn spoil(world: &World, how: &str) {
    match how {
        "a name with a blank" | "a dot for a name" | "two dots for a name" => {
            let name = match how {
                "a dot for a name" => ".",
                "two dots for a name" => "..",
                _ => "sf ",
            };
            let jwt = json!({"spec": {"jwt": {"privateKeySecretRef": {"name": name}}}});
            world.api.patch("connections", NS, "production", jwt.clone());
            world.api.patch("authorizations", NS, AUTHORIZATION, jwt);
            let document = json!({"spec": {"apiSpec": {"configMapKeyRef": {"name": name}}}});
            world.api.patch("publications", NS, API, document);
            world.api.patch("applinkaddons", NS, ADDON, json!({"spec": {"tokenSecretRef": {"name": name}}}));
        }
        "no inputs" => {
            for (plural, name) in [("secrets", "sf-jwt"), ("configmaps", "orders-openapi"), ("secrets", "heroku-api")] {
                world.api.delete(plural, NS, name);
            }
        }
        "no right to read" => ["secrets", "configmaps"].iter().for_each(|what| world.api.forbid("get", what)),
        "no right to delete Secrets" => world.api.forbid("delete", "secrets"),
        "reading fails" => {
            let text = "etcdserver: request timed out";
            ["secrets", "configmaps"].iter().for_each(|what| world.api.refuse("get", what, 500, text));
        }
        other => panic!("{other}?"),
    }
}

const SPOILT: [&str; 6] = [
    "a name with a blank",
    "a dot for a name",
    "two dots for a name",
    "no inputs",
    "no right to read",
    "reading fails",
];

#[tokio::test(start_paused = true)]
async fn deletion_needs_no_inputs() {
    for how in SPOILT.into_iter().chain(["no right to delete Secrets"]) {
        let world = full().await;
        spoil(&world, how);
        world.pass(SOONER).await;
        for (plural, name) in ALL {
            world.api.delete(plural, NS, name);
        }
        for (plural, name) in ALL {
            println!("{how}: {plural}");
            until_gone(&world, plural, name).await;
        }
        assert_eq!((world.remote().len(), world.unpublishes()), (0, 1), "{how}");
        world.api.delete("applinkaddons", NS, ADDON);
        until_gone(&world, "applinkaddons", ADDON).await;
    }
}

#[tokio::test(start_paused = true)]
async fn force_orphan_needs_no_inputs_after_restart() {
    for how in SPOILT {
        let mut world = full().await;
        world.take().kill().await;
        spoil(&world, how);
        world.start();
        world.pass(SOON).await;
        world.forget_requests();
        for (plural, name) in ALL.into_iter().chain([("applinkaddons", ADDON)]) {
            world.api.annotate(plural, NS, name, "applink.dev/force-orphan", Some("true"));
            world.api.delete(plural, NS, name);
            println!("{how}: {plural}");
            world.until_as(plural, name, SOONER, |object| object.is_none()).await;
        }
        assert_eq!((world.remote().len(), world.mutations()), (1, 0), "{how}");
    }
}

#[tokio::test(start_paused = true)]
async fn impossible_secret_name_is_invalid_spec() {
    let world = full().await;
    spoil(&world, "a name with a blank");
    let reported = [
        ("connections", "production", "spec.jwt.privateKeySecretRef"),
        ("authorizations", AUTHORIZATION, "spec.jwt.privateKeySecretRef"),
        ("publications", API, "spec.apiSpec.configMapKeyRef"),
        ("applinkaddons", ADDON, "spec.tokenSecretRef"),
    ];
    for (plural, name, field) in reported {
        let object = world.until_of(plural, name, SOON, ("False", "InvalidSpec")).await;
        assert!(message(&object).contains(field) && message(&object).contains("\"sf \""), "{}", message(&object));
    }
    world.api.patch(
        "connections",
        NS,
        "production",
        json!({"spec": {"jwt": {"privateKeySecretRef": {"name": "sf-jwt"}}}}),
    );
    world.within(SOONER, "production", "True", "Connected").await;
    let metadata =
        json!({"clientName": CLIENT, "permissionSet": {"metadataConfigMapKeyRef": {"name": "a b", "key": "k"}}});
    world.api.patch("publications", NS, API, json!({"spec": metadata}));
    let said = |object: &Value| message(object).contains("spec.apiSpec.configMapKeyRef");
    world.until_as("publications", API, SOON, |object| object.is_some_and(said)).await;
    world.respec(API, json!({"apiSpec": {"configMapKeyRef": {"name": "orders-openapi"}}}));
    let said = |object: &Value| message(object).contains("spec.permissionSet.metadataConfigMapKeyRef");
    world.until_as("publications", API, SOON, |object| object.is_some_and(said)).await;
}

#[tokio::test(start_paused = true)]
async fn suspended_and_observed_need_no_inputs() {
    let world = full().await;
    world.api.forbid("get", "secrets");
    world.api.forbid("get", "configmaps");
    for (plural, name) in ALL {
        world.api.patch(plural, NS, name, json!({"spec": {"suspend": true}}));
        world.until_of(plural, name, SOON, ("True", "Suspended")).await;
    }
    for (plural, name) in ALL {
        world.api.patch(plural, NS, name, json!({"spec": {"suspend": false, "managementPolicy": "Observe"}}));
    }
    world.until("production", "True", "Connected").await;
    world.until_of("publications", API, SOON, ("True", "Published")).await;
    // Observe writes the credentials Secret, too.
    world.until_of("authorizations", AUTHORIZATION, SOON, ("False", "Creating")).await;
}

#[tokio::test(start_paused = true)]
async fn deletion_names_the_missing_secret() {
    let mut world = World::with_connection().await;
    world.connection("staging", "stagingOrg");
    world.until("staging", "True", "Connected").await;
    world.take().kill().await;
    world.api.delete("secrets", NS, "heroku-api");
    for (plural, name) in [("applinkaddons", ADDON), ("connections", "production"), ("connections", "staging")] {
        world.api.delete(plural, NS, name);
    }
    world.start();
    world.pass(HOUR / 10).await;
    let named = "Secret heroku-api does not exist";
    let object = world.get_addon();
    assert!(says(&object, "False", "DeletionBlocked") && message(&object).contains(named), "{object:#}");
    assert!(crate::world::condition(&object, "Reachable").is_none(), "nobody knows: {object:#}");
    for name in ["production", "staging"] {
        let object = world.get(name);
        let text = message(&object);
        assert!(text.contains(named) && !text.contains("must be deleted first"), "{text}");
    }
    world.api.set_secret(NS, "heroku-api", &[("token", applink_simulator::Seed::HEROKU_TOKEN)]);
    until_gone(&world, "connections", "production").await;
    until_gone(&world, "connections", "staging").await;
    until_gone(&world, "applinkaddons", ADDON).await;
    assert_eq!(world.remote().len(), 0);
}

/// As after a rollback: a field has a value of a newer version.
fn rolled_back(world: &World, plural: &str, name: &str) {
    world.api.patch(plural, NS, name, json!({"spec": {"managementPolicy": "FromANewerVersion"}}));
}

#[tokio::test(start_paused = true)]
async fn malformed_object_can_be_orphaned() {
    let world = full().await;
    for (plural, name) in ALL.into_iter().chain([("applinkaddons", ADDON)]) {
        let id = world.api.get(plural, NS, name).expect("it exists")["status"]["id"].clone();
        rolled_back(&world, plural, name);
        world.until_of(plural, name, SOON, ("False", "InvalidSpec")).await;
        world.api.delete(plural, NS, name);
        let said = |object: &Value| message(object).contains("applink.dev/force-orphan");
        world.until_as(plural, name, SOON, |object| object.is_some_and(said)).await;
        world.api.annotate(plural, NS, name, "applink.dev/force-orphan", Some("true"));
        until_gone(&world, plural, name).await;
        let reported = world.events_of(name);
        let orphaned = reported.iter().find(|event| event.reason == "Orphaned").expect("it is reported");
        assert!(orphaned.note.contains(id.as_str().unwrap_or_default()), "{}", orphaned.note);
    }
    assert_eq!(world.remote().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn dependents_report_a_malformed_object() {
    let mut world = full().await;
    rolled_back(&world, "connections", "production");
    let object = world.publication_until(API, "False", "ConnectionNotReady").await;
    assert!(message(&object).contains("Connection production cannot be read"), "{}", message(&object));
    world.connection("other", "otherOrg");
    world.until("other", "True", "Connected").await;
    rolled_back(&world, "applinkaddons", ADDON);
    world.until_addon("False", "InvalidSpec").await;
    world.connection("third", "thirdOrg");
    for _ in 0..2 {
        let object = world.until("third", "False", "AddonNotReady").await;
        assert!(message(&object).contains("cannot read"), "{}", message(&object));
        assert!(says(&world.get("other"), "True", "Connected"), "Ready stays True");
        world.restart().await;
        world.pass(SOON).await;
    }
    world.api.apply(addon(ADDON));
    world.api.patch("applinkaddons", NS, ADDON, json!({"spec": {"managementPolicy": "Full"}}));
    world.until("third", "True", "Connected").await;
    world.api.patch("connections", NS, "production", json!({"spec": {"managementPolicy": "Full"}}));
    world.publication_until(API, "True", "Published").await;
    assert_eq!(world.publishes(), 0, "nothing was republished");
}

#[tokio::test(start_paused = true)]
async fn addon_deletion_waits_for_malformed_objects() {
    let world = World::with_connection().await;
    rolled_back(&world, "connections", "production");
    world.until("production", "False", "InvalidSpec").await;
    let mut other = addon("unrelated");
    other["spec"]["app"] = json!("orders-prod");
    world.api.apply(other);
    world.until_of("applinkaddons", "unrelated", SOON, ("True", "AddonReady")).await;
    world.api.delete("applinkaddons", NS, "unrelated");
    until_gone(&world, "applinkaddons", "unrelated").await;
    world.api.delete("applinkaddons", NS, ADDON);
    let object = world.until_addon("False", "DeletionBlocked").await;
    assert!(message(&object).contains("Connection production"), "{}", message(&object));
    world.api.apply(connection("production", "productionOrg"));
    world.api.patch("connections", NS, "production", json!({"spec": {"managementPolicy": "Full"}}));
    world.delete("production");
    until_gone(&world, "connections", "production").await;
    until_gone(&world, "applinkaddons", ADDON).await;
    assert_eq!(world.remote().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn malformed_status_is_reported() {
    let world = World::with_publication().await;
    world.api.patch("connections", NS, "production", json!({"status": {"id": 5}}));
    let named = |object: Option<&Value>| object.is_some_and(|o| message(o).contains("cannot read the object"));
    world.until_as("connections", "production", SOON, named).await;
    world.api.clear_writes();
    world.pass(HOUR).await;
    assert_eq!(world.writes_to("production"), [], "said once");
}

#[tokio::test(start_paused = true)]
async fn malformed_connection_and_addon_are_named() {
    let world = full().await;
    rolled_back(&world, "connections", "production");
    rolled_back(&world, "applinkaddons", ADDON);
    let object = world.publication_until(API, "False", "ConnectionNotReady").await;
    assert!(message(&object).contains("Connection production cannot be read"), "{}", message(&object));
    world.delete_publication(API);
    world.pass(HOUR / 10).await;
    let object = world.get_publication(API);
    assert!(!message(&object).contains("AppLinkAddon  "), "{}", message(&object));
    world.annotate_publication(API, "force-orphan", "true");
    world.publication_gone(API).await;
}
