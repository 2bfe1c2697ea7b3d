//! Every simulator setting, one at a time: whatever the documentation leaves open, a connection is created, recreated,
//! replaced, consented to, adopted and deleted, once each.
//!
//! tests/e2e/dialects.rs covers the most relevant settings together.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::behaviours::{each, under_each};
use crate::world::{HOUR, LATER, NS, SOON, World, connection, digest, message, pem, says};

const FLOWS: [&str; 4] = ["recreate", "rotate", "consent", "adopt"];

/// Settings for the spelling of responses.
fn spellings() -> Vec<Value> {
    let mut all = vec![
        json!({"statusWords": "pilot", "statusKey": "state"}),
        json!({"omitted": ["provenance", "method", "user", "accessToken"], "omittedAs": "null"}),
        json!({"dialect": "reference", "omitted": ["method", "user"]}),
        json!({"dialect": "reference", "pendingOrg": "null", "namePlace": "top"}),
    ];
    all.extend(each("dialect", json!(["cli", "reference", "mixed"])));
    all.extend(each("statusWords", json!(["older", "pilot", "capitalised"])));
    all.extend(each("statusKey", json!(["state"])));
    all.extend(each("pendingOrg", json!(["absent", "null", "empty", "nulls", "filled"])));
    all.extend(each("namePlace", json!(["top", "both"])));
    all.extend(each("omitted", json!([["provenance"], ["method"], ["user"], ["accessToken"]])));
    all.extend(each("listedAddonId", json!(["foreign"])));
    all.extend(each("linkServed", json!(["once", "always", "forever"])));
    all.extend(each("getOne", json!(["array"])));
    all.extend(each("getUnknown", json!(["emptyList"])));
    all.extend(each("createAnswer", json!(["ok", "created"])));
    let deletions = ["acceptedEmpty", "ok", "okEmpty", "emptyObject", "noContent"];
    all.extend(each("deleteAnswer", json!(deletions)));
    all.extend(each("deleteStatus", json!(["disconnected"])));
    all.extend(each("statusAfterDelete", json!(["disconnected"])));
    all.push(json!({"dialect": "reference", "statusAfterDelete": "disconnecting", "deleteAnswer": "accepted"}));
    all.extend(each("errorShape", json!(["titleDetail", "error", "html", "empty"])));
    all
}

/// Settings for behaviour.
fn habits() -> Vec<Value> {
    let tombstones = |taken: &str| json!({"keepDisconnected": true, "tombstonesHoldNames": true, "takenName": taken});
    let mut all: Vec<_> = ["conflict", "unprocessable", "upsert", "existing", "duplicate"].map(tombstones).into();
    all.extend([
        json!({"keepDisconnected": true, "deleteStatus": "disconnected", "getOne": "array", "getUnknown": "emptyList"}),
        json!({"dialect": "reference", "keepDisconnected": true, "listLagSeconds": 20}),
        json!({"disconnectSeconds": 30, "listLagSeconds": 10}),
    ]);
    all.extend(each("connectSeconds", json!([0, 60])));
    all.extend(each("disconnectSeconds", json!([0, 90])));
    all.extend(each("takenName", json!(["unprocessable", "upsert", "existing", "duplicate"])));
    all.extend(each("takenAlias", json!(["conflict", "unprocessable"])));
    all.extend(each("nameRule", json!(["ignored"])));
    all.extend(each("nameCase", json!(["insensitive"])));
    all.extend(each("failedHoldNames", json!([false])));
    all.extend(each("authorizationsHoldNames", json!([true])));
    all.extend(each("keepDisconnected", json!([true])));
    all.extend(each("listLagSeconds", json!([5, 60])));
    all.extend(each("accessToken", json!(["fresh"])));
    all
}

/// Settings for access and limits.
fn doors() -> Vec<Value> {
    let few = |burst: u32, retry: &str, tells: bool| {
        json!({
            "applinkRateLimit": burst, "applinkRateRefillPerMinute": 75, "applinkRetryAfter": retry,
            "applinkTellsRemaining": tells,
        })
    };
    let mut all = vec![
        few(8, "absent", false),
        few(8, "seconds", false),
        few(8, "date", false),
        few(8, "seconds", true),
        few(60, "seconds", true),
        json!({"rateLimit": 6, "rateRefillPerMinute": 6}),
        json!({"ssoFreshness": "everyCall", "ssoRefusal": "unauthorized", "ssoWindowSeconds": 4}),
        json!({"ssoFreshness": "everyCall", "ssoWindowSeconds": 4}),
        json!({"apiOrigin": "https://applink.eu.heroku.com"}),
    ];
    all.extend(each("acceptedBearer", json!(["either"])));
    all.extend(each("addonSegment", json!(["id"])));
    all.extend(each("ssoCheck", json!(["never", "always"])));
    all.extend(each("ssoFreshness", json!(["everyCall"])));
    all.extend(each("ssoWindowSeconds", json!([4, 3600])));
    all.extend(each("refusedSsoVariant", json!(["3.sdk", "3.add-ons-sso"])));
    all
}

fn remote(flow: &str) -> String {
    format!("{flow}Org")
}

fn manifest(flow: &str) -> Value {
    let mut manifest = connection(flow, &remote(flow));
    let spec = manifest["spec"].as_object_mut().expect("a spec");
    match flow {
        "consent" => {
            spec.remove("jwt");
            spec.insert("oauth".to_owned(), json!({}));
            spec.insert("provider".to_owned(), json!("DataCloud"));
        }
        "rotate" => {
            spec["jwt"]["privateKeySecretRef"]["name"] = json!("rotated");
            spec.insert("replacePolicy".to_owned(), json!("DeleteAndRecreate"));
        }
        _ => {}
    }
    manifest
}

fn rotated(world: &World, key: &str) {
    world.api.set_secret(NS, "rotated", &[("server.key", &pem(key))]);
}

async fn until(world: &World, flow: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let wanted = |object: Option<&Value>| object.is_some_and(&wanted);
    world.api.wait_until("connections", NS, flow, wanted, LATER).await.expect("it exists")
}

async fn connected(world: &World, flow: &str) -> Value {
    until(world, flow, |o| says(o, "True", "Connected")).await
}

/// Runs all flows at once, from creation to deletion.
async fn live(switches: Value) {
    let mut world = World::under(&switches);
    let theirs = world.plant(&remote("adopt"), SignedDuration::from_hours(3));
    rotated(&world, "first");
    world.addon();
    world.start();
    FLOWS.iter().for_each(|flow| drop(world.api.apply(manifest(flow))));
    let adopted = connected(&world, "adopt").await;
    assert_eq!(adopted["status"]["id"], theirs, "{switches}");
    let healthy = connected(&world, "recreate").await;
    let before = connected(&world, "rotate").await;
    until(&world, "consent", |o| says(o, "False", "AwaitingUser")).await;

    world.vanish(&remote("recreate"));
    rotated(&world, "second");
    world.consent(&remote("consent"), "admin@example.com");
    until(&world, "recreate", |o| says(o, "True", "Connected") && o["status"]["id"] != healthy["status"]["id"]).await;
    let hash = |o: &Value| o["status"]["appliedHash"].clone();
    until(&world, "rotate", |o| says(o, "True", "Connected") && hash(o) != hash(&before)).await;
    connected(&world, "consent").await;
    assert_idle(&world, &switches).await;

    FLOWS.iter().for_each(|flow| world.delete(flow));
    for flow in FLOWS {
        world.until_gone(flow, LATER).await;
    }
    assert_eq!(world.remote().len(), 0, "{switches}");
}

/// Asserts that one of each exists and nothing more happens.
async fn assert_idle(world: &World, switches: &Value) {
    world.pass(Duration::from_secs(600)).await;
    for flow in FLOWS {
        let object = world.get(flow);
        assert!(says(&object, "True", "Connected"), "{switches}: {object:#}");
        assert_eq!(object["status"]["id"], world.only(&remote(flow)).id.to_string(), "{switches}");
    }
    // Two by recreation and rotation each, one by consent. A success that returns a tombstone looks like one more.
    let empty = usize::from(switches["takenName"] == "existing" && switches["tombstonesHoldNames"] == true);
    assert_eq!(world.created(), 5 + empty, "{switches}");
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
async fn all_flows_finish_under_every_access_rule() {
    under_each(doors(), live).await;
}

#[tokio::test(start_paused = true)]
async fn every_form_of_refused_key_is_reported() {
    let accepted = json!([digest(&pem("good"))]);
    for failure in ["failed", "failedLater", "unauthorized", "unprocessable"] {
        for holds in [true, false] {
            let switches = json!({"jwtFailure": failure, "acceptedKeys": accepted, "failedHoldNames": holds});
            let mut world = World::under(&switches);
            world.key("bad");
            world.addon();
            world.start();
            world.connection("production", "productionOrg");
            let reason = if failure.starts_with("failed") { "RemoteFailed" } else { "RemoteRejected" };
            until(&world, "production", |o| says(o, "False", reason)).await;
            world.pass(Duration::from_secs(15 * 60)).await;
            assert!(world.busiest_ten_minutes() <= 6, "{switches}: {}", world.busiest_ten_minutes());
            world.key("good");
            world.until("production", "True", "Connected").await;
            world.pass(HOUR).await;
            assert_eq!(world.id("production"), Some(world.only("productionOrg").id.to_string()), "{switches}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn expired_link_always_has_a_way_out() {
    for abandoned in ["keep", "fail", "vanish", "disconnected"] {
        for link in ["once", "always", "forever"] {
            let switches = json!({"abandoned": abandoned, "linkServed": link});
            let mut world = World::under(&switches);
            world.addon();
            world.start();
            world.connection_with("production", "productionOrg", json!({"jwt": null, "oauth": {}}));
            world.until("production", "False", "AwaitingUser").await;
            let over = |o: &Value| says(o, "False", "AuthorizationExpired") || says(o, "False", "RemoteFailed");
            until(&world, "production", over).await;
            world.pass(HOUR).await;
            assert_eq!(world.mutations(), 1, "{switches}");
            let object = until(&world, "production", over).await;
            let way = ["requestedAt", "replace"].into_iter().find(|way| message(&object).contains(way));
            world.annotate("production", way.expect("a way out"), "again");
            world.until("production", "False", "AwaitingUser").await;
            world.consent("productionOrg", "admin@example.com");
            world.within(SOON, "production", "True", "Connected").await;
            world.pass(HOUR).await;
            assert_eq!(world.id("production"), Some(world.only("productionOrg").id.to_string()), "{switches}");
            assert_eq!(world.posts(), 2, "{switches}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn truncated_list_proves_no_absence() {
    for header in ["link", "contentRange"] {
        let mut world = World::under(&json!({"pageHeader": header}));
        world.addon();
        world.start();
        for name in ["one", "two", "three"] {
            world.connection(name, &format!("{name}Org"));
            world.until(name, "True", "Connected").await;
        }
        world.sim.settings(|settings| settings.page_size = std::num::NonZeroUsize::new(1));
        world.pass(HOUR).await;
        world.connection("four", "fourOrg");
        world.pass(HOUR).await;
        assert_eq!(world.mutations(), 3, "{header}: none is made again, nor one that may be there");
        assert!(says(&world.get("four"), "False", "Creating"), "{header}: {:#}", world.get("four"));
        for name in ["one", "two", "three"] {
            assert!(says(&world.get(name), "True", "Connected"), "{header}: {:#}", world.get(name));
        }
        world.delete("three");
        world.until_gone("three", SOON).await;
        world.sim.settings(|settings| settings.page_size = None);
        world.within(LATER, "four", "True", "Connected").await;
        assert_eq!(world.remote().len(), 3, "{header}");
    }
}
