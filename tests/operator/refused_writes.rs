//! The condition reports whatever the API server refuses, for every status code: nobody reads the operator's log first.

use serde_json::json;

use crate::authorization::{NAME as AUTHORIZATION, authorization};
use crate::publication::{API, publication};
use crate::world::{HOUR, LATER, NS, SOON, World, condition, message, progress, says};

const POLICY: &str =
    "ValidatingAdmissionPolicy 'require-owner' with binding 'all' denied request: label owner is missing";

/// Refusals that have other causes than missing rights, and what the condition must name.
const REFUSALS: [(u16, &str, &str); 5] = [
    (422, POLICY, "require-owner"),
    (403, "admission webhook \"policy.example\" denied the request: no owner", "policy.example"),
    (403, "secrets \"x\" is forbidden: exceeded quota: team, requested: count/secrets=1", "exceeded quota"),
    (413, "etcdserver: request is too large", "too large"),
    (400, "metadata.annotations: Too long: may not be more than 262144 bytes", "Too long"),
];

#[tokio::test(start_paused = true)]
async fn refused_intent_write_sends_nothing() {
    for (code, text, named) in REFUSALS {
        let world = World::with_addon().await;
        for plural in ["connections", "authorizations"] {
            world.api.refuse("patch", plural, code, text);
        }
        world.connection("production", "productionOrg");
        world.api.apply(authorization(&json!({})));
        let objects = [
            world.until("production", "False", "Creating").await,
            world.until_of("authorizations", AUTHORIZATION, SOON, ("False", "Creating")).await,
        ];
        for object in objects {
            assert_eq!(progress(&object), Some("Reconciling"));
            assert!(message(&object).contains(named), "{}", message(&object));
            assert!(!message(&object).contains("Grant"), "no right is missing: {}", message(&object));
        }
        assert_eq!(world.posts(), 0);
        ["connections", "authorizations"].iter().for_each(|plural| world.api.allow("patch", plural));
        world.within(LATER, "production", "True", "Connected").await;
        world.until_of("authorizations", AUTHORIZATION, LATER, ("True", "Authorized")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn refused_secret_write_is_reported() {
    let world = World::with_addon().await;
    world.api.refuse("create", "secrets", 422, POLICY);
    world.connection_with("person", "personOrg", json!({"jwt": null, "oauth": {}}));
    world.api.apply(authorization(&json!({"credentialsSecretName": "batch-credentials"})));
    let object = world.until("person", "False", "Creating").await;
    assert!(message(&object).contains("require-owner"), "{}", message(&object));
    let object = world.until_of("authorizations", AUTHORIZATION, SOON, ("False", "Creating")).await;
    assert!(message(&object).contains("require-owner"), "{}", message(&object));
    world.api.allow("create", "secrets");
    world.within(LATER, "person", "False", "AwaitingUser").await;
    world.until_of("authorizations", AUTHORIZATION, LATER, ("True", "Authorized")).await;
    assert_eq!(world.posts(), 2, "each was asked for once");
}

#[tokio::test(start_paused = true)]
async fn refused_status_write_gets_one_event() {
    let world = World::with_connection().await;
    world.api.refuse("patch", "publications/status", 500, "etcdserver: request is too large");
    world.document("1.0.0");
    world.api.apply(publication(API));
    world.pass(HOUR).await;
    let reported: Vec<_> = world.events_of(API).into_iter().filter(|event| event.note.contains("too large")).collect();
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert_eq!(world.publishes(), 1);
}

#[tokio::test(start_paused = true)]
async fn refused_finalizer_removal_names_the_way_out() {
    let world = World::with_connection().await;
    world.api.refuse("patch", "connections", 422, POLICY);
    world.delete("production");
    let named = |object: Option<&serde_json::Value>| object.is_some_and(|o| message(o).contains("require-owner"));
    let object = world.until_as("connections", "production", SOON, named).await.expect("it exists");
    assert!(says(&object, "False", "Deleting"), "{object:#}");
    world.api.allow("patch", "connections");
    world.until_gone("production", LATER).await;
    assert_eq!(world.remote().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn terminating_namespace_is_not_a_missing_right() {
    let world = World::with_addon().await;
    let text = "secrets \"person-connection-oauth\" is forbidden: unable to create new content in namespace crm because \
                it is being terminated";
    world.api.refuse("create", "secrets", 403, text);
    world.connection_with("person", "personOrg", json!({"jwt": null, "oauth": {}}));
    let object = world.until("person", "False", "Creating").await;
    assert!(message(&object).contains("being terminated") && !message(&object).contains("Grant"), "{object:#}");
}

#[tokio::test(start_paused = true)]
async fn short_api_server_errors_are_not_reported() {
    let world = World::with_addon().await;
    world.api.fail_next("patch", "connections", 2, 500);
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
    assert_eq!(world.event_count("production", "Creating"), 0);
    assert!(condition(&world.get("production"), "Reconciling").is_none());
    assert_eq!(world.api.get("connections", NS, "production").expect("it exists")["status"]["answeredAttempt"], 1);
}

#[tokio::test(start_paused = true)]
async fn forbidden_read_is_retried_rarely() {
    let world = World::with_connection().await;
    for n in 0..5 {
        world.connection(&format!("c{n}"), &format!("org{n}"));
    }
    world.until("c4", "True", "Connected").await;
    world.api.forbid("get", "secrets");
    let refused = |world: &World| world.tap().passed("GET /api/v1/namespaces/crm/secrets/sf-jwt");
    for n in 0..5 {
        world.annotate(&format!("c{n}"), "requestedAt", "1");
        world.connection(&format!("d{n}"), &format!("other{n}"));
    }
    world.until("d4", "False", "Creating").await;
    world.pass(SOON).await;
    let before = refused(&world);
    world.pass(HOUR).await;
    let times = refused(&world) - before;
    assert!((1..=360).contains(&times), "at most one each 10 s: {times}");
    world.api.allow("get", "secrets");
    for n in 0..5 {
        world.within(LATER, &format!("d{n}"), "True", "Connected").await;
    }
}

#[tokio::test(start_paused = true)]
async fn addon_with_unreadable_token_does_not_stay_ready() {
    let mut world = World::with_connection().await;
    world.api.forbid("get", "secrets");
    world.restart().await;
    let object = world.until_addon("False", "AddonNotReady").await;
    assert!(message(&object).contains("get resource \"secrets\""), "{}", message(&object));
    assert!(says(&world.get("production"), "True", "Connected"), "for a while");
    let object = world.within(HOUR / 6, "production", "False", "Creating").await;
    assert!(message(&object).contains("get resource \"secrets\""), "{}", message(&object));
    world.api.allow("get", "secrets");
    world.until_addon_within(LATER, "True", "AddonReady").await;
    world.within(LATER, "production", "True", "Connected").await;
    assert_eq!(world.posts(), 1);
}

#[tokio::test(start_paused = true)]
async fn unverifiable_edit_says_why() {
    let world = World::with_connection().await;
    world.api.forbid("get", "secrets");
    world.api.patch("connections", NS, "production", json!({"spec": {"replacePolicy": "DeleteAndRecreate"}}));
    let object = world.until("production", "False", "Creating").await;
    assert!(message(&object).contains("get resource \"secrets\""), "{}", message(&object));
    world.api.allow("get", "secrets");
    world.within(LATER, "production", "True", "Connected").await;
    assert_eq!(world.mutations(), 1);
}

#[tokio::test(start_paused = true)]
async fn touching_an_object_does_not_extend_its_back_off() {
    let world = World::with_addon().await;
    world.api.refuse("patch", "connections", 422, POLICY);
    world.connection("production", "productionOrg");
    world.until("production", "False", "Creating").await;
    for n in 0..20 {
        world.api.patch("connections", NS, "production", json!({"metadata": {"labels": {"touched": n.to_string()}}}));
        world.pass(std::time::Duration::from_millis(500)).await;
    }
    world.api.allow("patch", "connections");
    world.within(SOON, "production", "True", "Connected").await;
}
