//! From apply to Ready without faults: requests and writes, in every dialect and every order.

use applink_simulator::{AuthMethod, Dialect};
use serde_json::{Value, json};

use crate::world::{ADDON, NS, SOON, World, addon, condition, connection, message, pem, progress};

/// The org in the response, without the version, which differs between the dialects.
fn org(object: &Value) -> Value {
    let mut org = object["status"]["org"].clone();
    assert!(org["apiVersion"].is_string(), "{object:#}");
    org["apiVersion"] = json!("");
    org
}

async fn connected_in(dialect: Dialect, writes: usize) -> Value {
    let world = World::with_addon().await;
    world.sim.settings(|settings| settings.dialect = dialect);
    world.api.clear_writes();
    world.connection("production", "productionOrg");
    let object = world.until("production", "True", "Connected").await;
    assert_eq!(world.writes_to("production").len(), writes, "{dialect:?}: {:#?}", world.writes_to("production"));
    assert_eq!(world.posts(), 1, "{dialect:?}");
    assert_eq!(object["status"]["id"], world.only("productionOrg").id.to_string());
    object
}

#[tokio::test(start_paused = true)]
async fn connection_costs_two_writes_and_one_post() {
    let object = connected_in(Dialect::Cli, 2).await;
    assert_eq!(object["metadata"]["finalizers"], json!(["applink.dev/finalizer"]));
    assert_eq!(progress(&object), None);
    let intent: Value = serde_json::from_str(intent(&object)).expect("JSON");
    assert_eq!(intent["uid"], object["metadata"]["uid"]);
    assert_eq!((&intent["hash"], &intent["attempt"]), (&object["status"]["appliedHash"], &json!(1)));
    assert_eq!(intent["ownerID"], object["status"]["addonID"]);
}

fn intent(object: &Value) -> &str {
    object["metadata"]["annotations"]["applink.dev/intent"].as_str().expect("an intent")
}

#[tokio::test(start_paused = true)]
async fn pending_response_costs_a_third_write_in_every_dialect() {
    let cli = connected_in(Dialect::Cli, 2).await;
    let reference = connected_in(Dialect::Reference, 3).await;
    // The first object of a mixed world uses the reference dialect.
    let mixed = connected_in(Dialect::Mixed, 3).await;
    assert_eq!(org(&cli), org(&reference));
    assert_eq!(org(&cli), org(&mixed));
    for object in [&cli, &reference, &mixed] {
        assert_eq!(message(object), "connection productionOrg is connected");
    }
}

#[tokio::test(start_paused = true)]
async fn post_sends_the_declared_spec() {
    let world = World::with_addon().await;
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
    let remote = world.only("productionOrg");
    assert_eq!(remote.login_url.as_str(), "https://login.salesforce.com/");
    let AuthMethod::Jwt { alias, client_id, username, key_digest } = remote.auth_method else { panic!("by JWT") };
    assert_eq!((client_id.as_str(), username.as_str()), ("3MVG9canary", "ci@example.com"));
    assert_eq!(key_digest, Some(crate::world::digest(&pem("good"))));
    let uid = world.get("production")["metadata"]["uid"].as_str().expect("a uid").to_owned();
    assert_eq!(alias, format!("applink-operator-{uid}"), "unique, and the same at every attempt");
}

#[tokio::test(start_paused = true)]
async fn apply_order_does_not_change_the_cost() {
    let mut world = World::new();
    world.api.delete("secrets", NS, "sf-jwt");
    world.api.delete("secrets", NS, "heroku-api");
    world.start();
    let mut ready = world.ready();
    ready.wait_for(|readiness| readiness.ready).await.expect("the operator runs");
    world.connection("production", "productionOrg");
    world.pass(SOON / 100).await;
    world.api.apply(addon(ADDON));
    world.pass(SOON / 100).await;
    world.api.set_secret(NS, "heroku-api", &[("token", applink_simulator::Seed::HEROKU_TOKEN)]);
    world.pass(SOON / 100).await;
    world.key("good");
    world.until("production", "True", "Connected").await;
    assert_eq!(world.writes_to("production").len(), 2, "{:#?}", world.writes_to("production"));
    assert_eq!(world.posts(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_transition_has_one_event() {
    let world = World::with_connection().await;
    assert_eq!(world.event_count("production", "Created"), 1);
    assert_eq!(world.event_count("production", "Connected"), 1);
    assert_eq!(world.event_count(ADDON, "AddonReady"), 1);
    assert_eq!(world.events().iter().map(|event| event.times).sum::<i64>(), 3, "{:#?}", world.events());
    assert!(world.events().iter().all(|event| event.kind == "Normal"), "{:#?}", world.events());
    assert_eq!(condition(&world.get_addon(), "Reachable").expect("it is reported")["status"], "True");
}

#[tokio::test(start_paused = true)]
async fn deletion_removes_both_sides() {
    let world = World::with_connection().await;
    world.delete("production");
    world.until_gone("production", SOON).await;
    assert_eq!(world.remote().len(), 0);
    assert_eq!((world.deletes(), world.posts()), (1, 1));
    assert_eq!(world.event_count("production", "Deleted"), 1);
    let manifest = connection("production", "productionOrg");
    world.api.apply(manifest);
    world.until("production", "True", "Connected").await;
    assert_eq!(world.posts(), 2);
}
