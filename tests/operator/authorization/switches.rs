//! Every switch of the service that authorizations meet, each alone: one by key and one by a person are made, healed,
//! replaced and deleted, once each, and the credential is kept.

use std::time::Duration;

use applink_simulator::Org;
use serde_json::{Value, json};

use super::{KEPT, authorization, by_oauth, keeping};
use crate::under::{each, under_each};
use crate::world::{LATER, NS, World, pem, says};

const FLOWS: [&str; 3] = ["heal", "rotate", "consent"];

fn remote(flow: &str) -> String {
    format!("{flow}User")
}

fn secret(flow: &str) -> String {
    format!("{flow}-{KEPT}")
}

fn manifest(flow: &str) -> Value {
    let mut spec = if flow == "consent" { by_oauth() } else { keeping() };
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

/// What the answers look like.
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

/// What the service does, and whom it lets in.
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
    world.api.wait_until("authorizations", NS, flow, wanted, LATER).await.expect("it is there")
}

async fn ready(world: &World, flow: &str) -> Value {
    until(world, flow, |o| says(o, "True", "Authorized")).await
}

/// All flows at once, from nothing to nothing.
async fn live(switches: Value) {
    let mut world = World::under(&switches);
    rotated(&world, "first");
    world.addon();
    world.start();
    FLOWS.iter().for_each(|flow| drop(world.api.apply(manifest(flow))));
    let healthy = ready(&world, "heal").await;
    let before = ready(&world, "rotate").await;
    until(&world, "consent", |o| says(o, "False", "AwaitingUser")).await;

    let now = world.clock.now();
    for one in world.stored() {
        if one.name == remote("heal") {
            world.sim.world(|w| w.vanish(one.id, now)).expect("it is there");
        } else if one.name == remote("consent") {
            world.sim.world(|w| w.consent(one.id, Org::of("admin@example.com"), now)).expect("it waits");
        }
    }
    rotated(&world, "second");
    until(&world, "heal", |o| says(o, "True", "Authorized") && o["status"]["id"] != healthy["status"]["id"]).await;
    let hash = |o: &Value| o["status"]["appliedHash"].clone();
    until(&world, "rotate", |o| says(o, "True", "Authorized") && hash(o) != hash(&before)).await;
    ready(&world, "consent").await;
    rests(&world, &switches).await;

    FLOWS.iter().for_each(|flow| world.api.delete("authorizations", NS, flow));
    for flow in FLOWS {
        world.api.wait_until("authorizations", NS, flow, |object| object.is_none(), LATER).await;
        assert_eq!(world.secret(&secret(flow)), None, "{switches}");
    }
    assert_eq!(world.stored().len(), 0, "{switches}");
}

/// There is one of each, its credential is kept, and nothing more is done.
async fn rests(world: &World, switches: &Value) {
    world.pass(Duration::from_secs(600)).await;
    for flow in FLOWS {
        let object = world.api.get("authorizations", NS, flow).expect("it is there");
        assert!(says(&object, "True", "Authorized"), "{switches}: {object:#}");
        let stored: Vec<_> = world.stored().into_iter().filter(|one| one.name == remote(flow)).collect();
        assert_eq!(stored.len(), 1, "{switches}: {stored:#?}");
        assert_eq!(object["status"]["id"], stored[0].id.to_string(), "{switches}");
        assert_eq!(object["status"]["credentialsSecretName"], secret(flow), "{switches}");
        let now = world.clock.now();
        let told = world.told_by(&secret(flow)).expect("it is there").remove("accessToken");
        let token = stored[0].token_for(stored[0].org_at(now).expect("an org"));
        assert!(told.as_ref() == Some(&token) || switches["accessToken"] == "fresh", "{switches}");
    }
    // Heal and rotate twice, consent once.
    assert_eq!(world.created(), 5, "{switches}");
}

#[tokio::test(start_paused = true)]
async fn however_the_service_spells_its_answers_every_flow_comes_to_its_end() {
    under_each(spellings(), live).await;
}

#[tokio::test(start_paused = true)]
async fn whatever_the_service_does_every_flow_comes_to_its_end() {
    under_each(habits(), live).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_tells_no_token_is_told_of_and_harms_nothing() {
    let mut world = World::under(&json!({"omitted": ["accessToken"]}));
    world.addon();
    world.start();
    world.authorize(&keeping());
    let object = world.authorized("False", "RemoteUnavailable").await;
    assert!(crate::world::message(&object).contains("access token"), "{object:#}");
    assert_eq!((world.secret(KEPT), world.mutations()), (None, 1));
    world.deleted().await;
    assert_eq!(world.stored().len(), 0);
}
