//! Status and Events name the current cause, not an old one, and never another resource's Secret as one's own.

use applink_simulator::{RemoteError, Status};
use serde_json::json;

use crate::authorization::{NAME as AUTHORIZATION, authorization};
use crate::publication::{API, DOCUMENT, KEY, config_map, openapi};
use crate::world::{HOUR, NS, SOON, World, message, progress, says};

fn fail(world: &World) {
    let (id, now) = (world.only("productionOrg").id, world.clock.now());
    let error = RemoteError { id: "boom".to_owned(), message: "the org is gone".to_owned() };
    world.sim.world(|w| w.set_status(id, Status::Failed, Some(error), now)).expect("it exists");
}

#[tokio::test(start_paused = true)]
async fn failed_connection_reports_the_failure_until_replaced() {
    let world = World::with_connection().await;
    world.key("other");
    let object = world.until("production", "False", "ReplacementRequired").await;
    assert!(message(&object).contains("keeps working"), "{}", message(&object));
    fail(&world);
    let object = world.within(HOUR / 30, "production", "False", "RemoteFailed").await;
    assert_eq!(progress(&object), Some("Stalled"));
    let text = message(&object);
    assert!(
        text.contains("the org is gone") && text.contains("changed after") && !text.contains("keeps working"),
        "{text}"
    );
    assert_eq!(world.event_count("production", "RemoteFailed"), 1);
    world.pass(HOUR).await;
    assert_eq!(world.mutations(), 1, "nothing is replaced without the annotation");
    world.annotate("production", "replace", "now");
    world.until("production", "True", "Connected").await;
}

#[tokio::test(start_paused = true)]
async fn org_mismatch_is_reported_until_replaced() {
    let world = World::with_connection().await;
    world.key("other");
    world.until("production", "False", "ReplacementRequired").await;
    world.api.patch("connections", NS, "production", json!({"spec": {"expect": {"username": "else@example.com"}}}));
    let named = |object: Option<&serde_json::Value>| object.is_some_and(|o| message(o).contains("else@example.com"));
    let object = world.until_as("connections", "production", SOON, named).await.expect("it exists");
    let text = message(&object);
    assert!(says(&object, "False", "ReplacementRequired"), "{object:#}");
    assert!(text.contains("changed after") && !text.contains("keeps working"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn latest_event_has_the_latest_cause() {
    let world = World::with_publication().await;
    let document = |text: &str| world.api.apply(config_map(DOCUMENT, json!({KEY: text})));
    document("swagger: '2.0'\n");
    world.publication_until(API, "False", "InvalidSpec").await;
    document(&openapi("1.0.0"));
    world.published(API).await;
    document("openapi: 3.0.3\n");
    world.publication_until(API, "False", "InvalidSpec").await;
    let reported: Vec<_> = world.events_of(API).into_iter().filter(|event| event.reason == "InvalidSpec").collect();
    assert_eq!(reported.len(), 2, "{reported:?}");
    assert!(reported[0].note.contains("Swagger") && reported[1].note.contains("info"), "{reported:?}");
    // The same cause again is counted.
    document(&openapi("1.0.0"));
    world.published(API).await;
    document("openapi: 3.0.3\n");
    world.publication_until(API, "False", "InvalidSpec").await;
    assert_eq!(world.event_count(API, "InvalidSpec"), 3);
    assert_eq!(world.events_of(API).iter().filter(|event| event.reason == "InvalidSpec").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn events_respect_length_limits() {
    let world = World::with_addon().await;
    let long = "x".repeat(250);
    world.connection(&long, "productionOrg");
    world.until(&long, "True", "Connected").await;
    assert_eq!(world.event_count(&long, "Connected"), 1);
    let id = world.only("productionOrg").id;
    let error = RemoteError { id: "boom".to_owned(), message: "認証に失敗しました。".repeat(60) };
    world.sim.world(|w| w.set_status(id, Status::Failed, Some(error), world.clock.now())).expect("it exists");
    world.within(HOUR / 30, &long, "False", "RemoteFailed").await;
    let events = world.api.events();
    let note = events.iter().find(|event| event["reason"] == "RemoteFailed").expect("it is reported")["note"].clone();
    let note = note.as_str().expect("text");
    assert!(note.len() <= 1024 && note.contains("認証"), "{} bytes", note.len());
    assert!(events.iter().all(|e| e["metadata"]["name"].as_str().is_some_and(|name| name.len() <= 253)));
}

#[tokio::test(start_paused = true)]
async fn secret_of_another_resource_is_named() {
    let world = World::with_addon().await;
    world.api.apply(authorization(&json!({"credentialsSecretName": "shared"})));
    world.until_of("authorizations", AUTHORIZATION, SOON, ("True", "Authorized")).await;
    let mut second = authorization(&json!({"credentialsSecretName": "shared", "developerName": "otherUser"}));
    second["metadata"]["name"] = json!("second");
    world.api.apply(second);
    let object = world.until_of("authorizations", "second", SOON, ("False", "InvalidSpec")).await;
    let text = message(&object);
    assert!(text.contains(&format!("Authorization {AUTHORIZATION}")) && !text.contains("delete or rename"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn invalid_input_does_not_hide_a_remote_failure() {
    let world = World::with_connection().await;
    world.api.set_secret(NS, "sf-jwt", &[("server.key", "garbage")]);
    world.until("production", "False", "InvalidSecret").await;
    fail(&world);
    let object = world.within(HOUR / 30, "production", "False", "RemoteFailed").await;
    let text = message(&object);
    assert!(text.contains("the org is gone") && text.contains("not a PEM private key"), "{text}");
    assert_eq!(object["status"]["remoteStatus"], "failed");
    world.api.delete("secrets", NS, "sf-jwt");
    let named = |object: Option<&serde_json::Value>| object.is_some_and(|o| message(o).contains("does not exist"));
    let object = world.until_as("connections", "production", SOON, named).await.expect("it exists");
    assert!(says(&object, "False", "RemoteFailed"), "{object:#}");
    assert_eq!(world.mutations(), 1);
}

#[tokio::test(start_paused = true)]
async fn unreachable_new_addon_gets_one_event() {
    let mut world = World::new();
    world.fault(crate::inspect::refusal(503));
    world.addon();
    world.start();
    world.until_addon("False", "RemoteUnavailable").await;
    world.pass(SOON).await;
    assert_eq!(world.event_count(crate::world::ADDON, "RemoteUnavailable"), 1);
}
