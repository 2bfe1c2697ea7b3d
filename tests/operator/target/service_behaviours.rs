//! Every simulator setting that concerns targets, and those of responses in general: one target is created, recreated,
//! adopted and released, whatever the documentation leaves open.

use std::time::Duration;

use serde_json::{Value, json};

use super::{UPDATES, UPDATES_REMOTE, target};
use crate::behaviours::{each, switch, under_each};
use crate::world::{HOUR, LATER, NS, World, says};

fn settings() -> Vec<Value> {
    let mut all = vec![
        json!({"dialect": "reference", "dataActionTargets": {"seconds": 20, "list": "missing"}}),
        json!({"dialect": "mixed", "dataActionTargets": {"taken": "second"}, "listLagSeconds": 20}),
        json!({"dialect": "reference", "getOne": "array", "getUnknown": "emptyList"}),
    ];
    all.extend(each("dataActionTargets.seconds", json!([0, 45])));
    all.extend(each("dataActionTargets.taken", json!(["conflict", "second", "existing"])));
    all.extend(each("dataActionTargets.createAnswer", json!(["ok", "created"])));
    all.extend(each("dataActionTargets.statusKey", json!(["state", "status"])));
    all.extend(each("dataActionTargets.statusWords", json!(["lower", "title"])));
    all.extend(each("dataActionTargets.list", json!(["missing"])));
    all.extend(each("dialect", json!(["cli", "reference", "mixed"])));
    all.extend(each("listLagSeconds", json!([5, 60])));
    all.extend(each("dataActionTargets.takenByAnotherApp", json!(["allowed"])));
    all.extend(each("ssoWindowSeconds", json!([4])));
    all.push(json!({"ssoFreshness": "everyCall", "ssoWindowSeconds": 4}));
    all.extend(each("errorShape", json!(["titleDetail", "error", "html", "empty"])));
    all
}

/// Create, recreate, adopt and release.
async fn live(switches: Value) {
    let world = World::with_cloud_of(|settings| switch(settings, &switches)).await;
    let theirs = world.plant_target(|new| new.api_name = "theirs_first".to_owned());
    // Long enough for every list to show it.
    world.pass(Duration::from_secs(90)).await;
    world.updates();
    world.api.apply(target("theirs", "theirs_first"));
    let object = world.until_of("dataactiontargets", "theirs", LATER, ("True", "Created")).await;
    assert_eq!(object["status"]["id"], theirs, "{switches}");
    let before = world.target_within(LATER, "True", "Created").await;
    world.vanish_target(UPDATES_REMOTE);
    let recreated = |o: Option<&Value>| {
        o.is_some_and(|o| says(o, "True", "Created") && o["status"]["id"] != before["status"]["id"])
    };
    world.api.wait_until("dataactiontargets", NS, UPDATES, recreated, LATER).await;
    world.pass(HOUR).await;
    // A call refused for an outdated payload is repeated with a new one.
    let made = world.request_count(|r| r.committed && r.mutating && r.path.ends_with("/data_action_targets"));
    assert_eq!((made, world.remote_targets().len()), (2, 2), "{switches}");
    world.delete_target();
    world.until_target_gone(LATER).await;
    assert_eq!(world.event_count(UPDATES, "Orphaned"), 1, "{switches}");
}

#[tokio::test(start_paused = true)]
async fn target_finishes_under_every_behaviour() {
    under_each(settings(), live).await;
}
