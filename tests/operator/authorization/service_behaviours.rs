//! Every simulator setting that concerns authorizations, one at a time: one by JWT and one by OAuth are created,
//! recreated, replaced and deleted once each, and the credentials are exported.

use std::time::Duration;

use applink_simulator::Org;
use serde_json::{Value, json};

use super::{CREDENTIALS_SECRET, authorization, by_oauth, exporting};
use crate::behaviours::{each, under_each};
use crate::world::{LATER, NS, World, pem, says};

const FLOWS: [&str; 3] = ["recreate", "rotate", "consent"];

fn remote(flow: &str) -> String {
    format!("{flow}User")
}

fn secret(flow: &str) -> String {
    format!("{flow}-{CREDENTIALS_SECRET}")
}

fn manifest(flow: &str) -> Value {
    let mut spec = if flow == "consent" { by_oauth() } else { exporting() };
    spec["developerName"] = json!(remote(flow));
    spec["credentialsSecretName"] = json!(secret(flow));
    let mut manifest = authorization(&spec);
    manifest["metadata"]["name"] = json!(flow);
    if flow == "rotate" {
        manifest["spec"]["jwt"]["privateKeySecretRef"]["name"] = json!("rotated");
        manifest["spec"]["replacePolicy"] = json!("DeleteAndRecreate");
        manifest["spec"]["provider"] = json!("DataCloud");
    }
    manifest
}

/// Settings for the spelling of responses.
fn spellings() -> Vec<Value> {
    let mut all = vec![json!({"statusWords": "pilot", "statusKey": "state"})];
    all.extend(each("dialect", json!(["cli", "reference", "mixed"])));
    all.extend(each("statusWords", json!(["older", "pilot", "capitalised"])));
    all.extend(each("statusKey", json!(["state"])));
    all.extend(each("pendingOrg", json!(["absent", "null", "empty", "nulls", "filled"])));
    all.extend(each("namePlace", json!(["top", "both"])));
    all.extend(each("omitted", json!([["provenance"], ["method"], ["user"]])));
    all.extend(each("omittedAs", json!(["null"])));
    all.extend(each("listedAddonId", json!(["foreign"])));
    all.extend(each("linkServed", json!(["once", "always", "forever"])));
    all.extend(each("getOne", json!(["array"])));
    all.extend(each("getUnknown", json!(["emptyList"])));
    all.extend(each("createAnswer", json!(["ok", "created"])));
    all.extend(each("deleteAnswer", json!(["accepted", "acceptedEmpty", "ok", "okEmpty", "noContent"])));
    all.extend(each("deleteStatus", json!(["disconnected"])));
    all.extend(each("statusAfterDelete", json!(["disconnected"])));
    all.extend(each("errorShape", json!(["titleDetail", "error", "html", "empty"])));
    all
}

/// Settings for behaviour and access.
fn habits() -> Vec<Value> {
    let tombstones = |taken: &str| json!({"keepDisconnected": true, "tombstonesHoldNames": true, "takenName": taken});
    let mut all: Vec<_> = ["conflict", "unprocessable", "upsert", "duplicate"].map(tombstones).into();
    all.push(json!({"applinkRateLimit": 8, "applinkRateRefillPerMinute": 75, "applinkRetryAfter": "seconds"}));
    all.push(json!({"ssoFreshness": "everyCall", "ssoRefusal": "unauthorized", "ssoWindowSeconds": 4}));
    all.push(json!({"ssoWindowSeconds": 4}));
    all.extend(each("connectSeconds", json!([0, 60])));
    all.extend(each("disconnectSeconds", json!([0, 90])));
    all.extend(each("takenName", json!(["unprocessable", "upsert", "existing", "duplicate"])));
    all.extend(each("takenAlias", json!(["conflict", "unprocessable"])));
    all.extend(each("nameCase", json!(["insensitive"])));
    all.extend(each("failedHoldNames", json!([false])));
    all.extend(each("authorizationsHoldNames", json!([true])));
    all.extend(each("keepDisconnected", json!([true])));
    all.extend(each("listLagSeconds", json!([5, 60])));
    all.extend(each("accessToken", json!(["fresh"])));
    all.extend(each("acceptedBearer", json!(["either"])));
    all.extend(each("addonSegment", json!(["id"])));
    all.extend(each("ssoCheck", json!(["never", "always"])));
    all.extend(each("refusedSsoVariant", json!(["3.sdk", "3.add-ons-sso"])));
    all
}

fn rotated(world: &World, key: &str) {
    world.api.set_secret(NS, "rotated", &[("server.key", &pem(key))]);
}

async fn until(world: &World, flow: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let wanted = |object: Option<&Value>| object.is_some_and(&wanted);
    world.api.wait_until("authorizations", NS, flow, wanted, LATER).await.expect("it exists")
}

async fn ready(world: &World, flow: &str) -> Value {
    until(world, flow, |o| says(o, "True", "Authorized")).await
}

/// Runs all flows at once, from creation to deletion.
async fn live(switches: Value) {
    let mut world = World::under(&switches);
    rotated(&world, "first");
    world.addon();
    world.start();
    FLOWS.iter().for_each(|flow| drop(world.api.apply(manifest(flow))));
    let healthy = ready(&world, "recreate").await;
    let before = ready(&world, "rotate").await;
    until(&world, "consent", |o| says(o, "False", "AwaitingUser")).await;

    let now = world.clock.now();
    for one in world.stored() {
        if one.name == remote("recreate") {
            world.sim.world(|w| w.vanish(one.id, now)).expect("it exists");
        } else if one.name == remote("consent") {
            world.sim.world(|w| w.consent(one.id, Org::of("admin@example.com"), now)).expect("it waits");
        }
    }
    rotated(&world, "second");
    until(&world, "recreate", |o| says(o, "True", "Authorized") && o["status"]["id"] != healthy["status"]["id"]).await;
    let hash = |o: &Value| o["status"]["appliedHash"].clone();
    until(&world, "rotate", |o| says(o, "True", "Authorized") && hash(o) != hash(&before)).await;
    ready(&world, "consent").await;
    assert_idle(&world, &switches).await;

    FLOWS.iter().for_each(|flow| world.api.delete("authorizations", NS, flow));
    for flow in FLOWS {
        world.api.wait_until("authorizations", NS, flow, |object| object.is_none(), LATER).await;
        assert_eq!(world.secret(&secret(flow)), None, "{switches}");
    }
    assert_eq!(world.stored().len(), 0, "{switches}");
}

/// Asserts that one of each exists with exported credentials, and that nothing more happens.
async fn assert_idle(world: &World, switches: &Value) {
    world.pass(Duration::from_secs(600)).await;
    for flow in FLOWS {
        let object = world.api.get("authorizations", NS, flow).expect("it exists");
        assert!(says(&object, "True", "Authorized"), "{switches}: {object:#}");
        let stored: Vec<_> = world.stored().into_iter().filter(|one| one.name == remote(flow)).collect();
        assert_eq!(stored.len(), 1, "{switches}: {stored:#?}");
        assert_eq!(object["status"]["id"], stored[0].id.to_string(), "{switches}");
        assert_eq!(object["status"]["credentialsSecretName"], secret(flow), "{switches}");
        let now = world.clock.now();
        let reported = world.secret_data(&secret(flow)).expect("it exists").remove("accessToken");
        let token = stored[0].token_for(stored[0].org_at(now).expect("an org"));
        assert!(reported.as_ref() == Some(&token) || switches["accessToken"] == "fresh", "{switches}");
    }
    // Two by recreation and rotation each, one by consent.
    assert_eq!(world.created(), 5, "{switches}");
}

#[tokio::test(start_paused = true)]
async fn all_flows_finish_in_every_spelling() {
    under_each(spellings(), live).await;
}

#[tokio::test(start_paused = true)]
async fn all_flows_finish_under_every_behaviour() {
    under_each(habits(), live).await;
}

#[tokio::test(start_paused = true)]
async fn missing_token_is_reported_without_harm() {
    let mut world = World::under(&json!({"omitted": ["accessToken"]}));
    world.addon();
    world.start();
    world.authorize(&exporting());
    let object = world.authorized("False", "RemoteUnavailable").await;
    assert!(crate::world::message(&object).contains("access token"), "{object:#}");
    assert_eq!((world.secret(CREDENTIALS_SECRET), world.mutations()), (None, 1));
    world.deleted().await;
    assert_eq!(world.stored().len(), 0);
}
