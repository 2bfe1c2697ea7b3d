//! Objects that this version cannot decode: each gets a report, and no other object is blocked.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{HOUR, LATER, NS, SOON, World, addon, connection, message, progress, says};

#[tokio::test(start_paused = true)]
async fn malformed_object_does_not_block_its_kind() {
    let mut world = World::new();
    world.addon();
    let specs = [json!({}), json!({"addonRef": 5}), json!({"connectionName": ["a"]}), json!("text"), json!(null)];
    for (n, spec) in specs.iter().enumerate() {
        let mut manifest = connection(&format!("bad{n}"), "badOrg");
        manifest["spec"] = spec.clone();
        world.api.apply(manifest);
    }
    world.start();
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
    for (n, spec) in specs.iter().enumerate() {
        let object = world.until(&format!("bad{n}"), "False", "InvalidSpec").await;
        assert_eq!(progress(&object), Some("Stalled"), "{spec}");
        assert!(message(&object).contains("cannot read"), "{}", message(&object));
    }
    // The last Events are on their way.
    world.pass(Duration::from_secs(1)).await;
    for n in 0..specs.len() {
        assert_eq!(world.event_count(&format!("bad{n}"), "InvalidSpec"), 1);
    }
    // Its report comes later, and the add-on counts again at its next poll.
    world.pass(HOUR / 10).await;
    world.api.clear_writes();
    world.pass(2 * HOUR).await;
    assert_eq!(world.api.writes(), []);
    let mut good = connection("bad0", "bad0Org");
    good["metadata"]["name"] = json!("bad0");
    world.api.apply(good);
    world.within(Duration::from_secs(2), "bad0", "True", "Connected").await;
    world.delete("bad1");
    world.until_gone("bad1", SOON).await;
    world.vanish("productionOrg");
    world.pass(HOUR).await;
    world.only("productionOrg");
}

#[tokio::test(start_paused = true)]
async fn malformed_addon_does_not_block_others() {
    let mut world = World::new();
    let mut bad = addon("bad");
    bad["spec"] = json!({"app": 7});
    world.api.apply(bad);
    world.addon();
    world.connection("production", "productionOrg");
    let mut orphan = connection("orphan", "orphanOrg");
    orphan["spec"]["addonRef"]["name"] = json!("bad");
    world.api.apply(orphan);
    world.start();
    world.until("production", "True", "Connected").await;
    let said = |object: Option<&serde_json::Value>| object.is_some_and(|o| says(o, "False", "InvalidSpec"));
    world.api.wait_until("applinkaddons", NS, "bad", said, SOON).await;
    world.pass(HOUR).await;
    let orphan = world.get("orphan");
    assert_eq!(orphan["status"]["observedGeneration"], 1, "it says what it waits for: {orphan:#}");
    assert_eq!(world.posts(), 1);
}

#[tokio::test(start_paused = true)]
async fn numbers_and_dates_beyond_all_bounds_end_nothing() {
    // Stored under an older CRD.
    for poll in ["999999999999999999999999999h", "0s", "1e400s", "NaNs", "-60s", "3 days"] {
        let mut world = World::new();
        world.addon_with(json!({"pollInterval": poll}));
        world.start();
        let object = world.until_addon("False", "InvalidSpec").await;
        assert!(message(&object).contains("spec.pollInterval"), "{poll}: {object:#}");
        world.addon_with(json!({"pollInterval": "60s"}));
        world.until_addon("True", "AddonReady").await;
    }
    // Edited by a user.
    let mut world = World::with_connection().await;
    let object = world.get("production");
    for (attempt, at) in [(i64::MAX, "9999-12-30T22:00:00Z"), (i64::MIN, "-009999-01-02T01:59:59Z")] {
        let mut intent: Value =
            serde_json::from_str(object["metadata"]["annotations"]["applink.dev/intent"].as_str().expect("an intent"))
                .expect("JSON");
        (intent["attempt"], intent["at"]) = (json!(attempt), json!(at));
        world.annotate("production", "intent", &intent.to_string());
        world.restart().await;
        world.vanish("productionOrg");
        world.pass(LATER).await;
        world.annotate("production", "requestedAt", at);
        world.pass(LATER).await;
        assert!(says(&world.get_addon(), "True", "AddonReady"), "it goes on");
    }
}
