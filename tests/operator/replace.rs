//! AppLink has no update: after a changed input or on request, the operator deletes and recreates the connection once.

use std::time::Duration;

use applink_simulator::{Dialect, Settings, Status, TakenName};
use serde_json::{Value, json};

use crate::inspect::{answer, on_applink};
use crate::world::{HOUR, NS, SOON, World, digest, message, pem, progress, says};
use applink_simulator::Where;

fn replacing() -> Value {
    json!({"replacePolicy": "DeleteAndRecreate"})
}

/// Ready under this policy.
async fn ready(spec: Value) -> World {
    let world = World::with_addon().await;
    world.connection_with("production", "productionOrg", spec);
    world.until("production", "True", "Connected").await;
    world
}

/// Waits until it is Ready with another ID.
async fn renewed(world: &World, old: &Option<String>, at_most: Duration) {
    let renewed =
        |o: Option<&Value>| o.is_some_and(|o| says(o, "True", "Connected") && o["status"]["id"] != json!(old));
    world.api.wait_until("connections", NS, "production", renewed, at_most).await;
}

#[tokio::test(start_paused = true)]
async fn rotated_key_recreates_connection() {
    let world = ready(replacing()).await;
    world.sim.settings(|settings| settings.disconnect_seconds = Some(0.0));
    let old = world.id("production");
    world.key("other");
    renewed(&world, &old, Duration::from_secs(2)).await;
    assert_eq!((world.posts(), world.deletes()), (2, 1));
    assert_eq!(world.only("productionOrg").id.to_string(), world.id("production").expect("an id"));
    world.pass(HOUR).await;
    assert_eq!(world.event_count("production", "Recreated"), 1);
    assert_eq!(world.mutations(), 3, "once");
}

#[tokio::test(start_paused = true)]
async fn frequent_rotation_is_not_contested() {
    let world = ready(replacing()).await;
    for turn in 0..8 {
        let old = world.id("production");
        world.key(&format!("turn {turn}"));
        renewed(&world, &old, SOON).await;
        world.pass(Duration::from_secs(60)).await;
    }
    assert_eq!((world.posts(), world.deletes(), world.remote().len()), (9, 8, 1));
}

#[tokio::test(start_paused = true)]
async fn replacement_leaves_one_under_every_behaviour() {
    let services: [fn(&mut Settings); 8] = [
        |s| s.dialect = Dialect::Reference,
        |s| s.keep_disconnected = true,
        |s| (s.keep_disconnected, s.tombstones_hold_names) = (true, true),
        |s| (s.keep_disconnected, s.tombstones_hold_names, s.taken_name) = (true, true, TakenName::Upsert),
        |s| (s.keep_disconnected, s.tombstones_hold_names, s.taken_name) = (true, true, TakenName::Unprocessable),
        |s| (s.keep_disconnected, s.tombstones_hold_names, s.taken_name) = (true, true, TakenName::Existing),
        |s| s.list_lag_seconds = 20.0,
        |s| s.taken_name = TakenName::Duplicate,
    ];
    for (n, service) in services.into_iter().enumerate() {
        println!("service {n}");
        let world = World::with_addon().await;
        world.sim.settings(service);
        world.connection_with("production", "productionOrg", replacing());
        world.within(Duration::from_secs(120), "production", "True", "Connected").await;
        let upserts = world.sim.settings(|s| s.taken_name == TakenName::Upsert);
        for turn in 0..3 {
            let old = world.id("production").filter(|_| !upserts);
            let posts = world.posts();
            world.key(&format!("turn {turn}"));
            if upserts {
                let posted =
                    |o: Option<&Value>| o.is_some_and(|o| says(o, "True", "Connected")) && world.posts() > posts;
                world.api.wait_until("connections", NS, "production", posted, Duration::from_secs(240)).await;
            } else {
                renewed(&world, &old, Duration::from_secs(240)).await;
            }
            world.pass(Duration::from_secs(600)).await;
            let there = world.only("productionOrg");
            assert_eq!(world.id("production"), Some(there.id.to_string()));
        }
        world.delete("production");
        world.until_gone("production", Duration::from_secs(240)).await;
        assert_eq!(world.remote().len(), 0);
        assert!(world.busiest_ten_minutes() <= 6, "{}", world.busiest_ten_minutes());
    }
}

#[tokio::test(start_paused = true)]
async fn replace_annotation_overrides_the_policy_once() {
    let mut world = ready(json!({})).await;
    let old = world.id("production");
    world.key("other");
    let object = world.until("production", "False", "ReplacementRequired").await;
    assert!(message(&object).contains("applink.dev/replace"), "{}", message(&object));
    world.pass(HOUR).await;
    assert_eq!(world.mutations(), 1);
    world.annotate("production", "replace", "now");
    renewed(&world, &old, SOON).await;
    assert_eq!(world.get("production")["status"]["lastHandledReplace"], "now");
    world.pass(HOUR).await;
    world.restart().await;
    world.pass(HOUR).await;
    assert_eq!((world.posts(), world.deletes()), (2, 1));
    world.key("good");
    world.until("production", "False", "ReplacementRequired").await;
    assert_eq!(world.mutations(), 3, "the annotation works once");
}

#[tokio::test(start_paused = true)]
async fn replace_annotation_ends_a_failure() {
    let world = ready(json!({})).await;
    let (old, id) = (world.id("production"), world.only("productionOrg").id);
    world.sim.world(|w| w.set_status(id, Status::Failed, None, world.clock.now())).expect("it exists");
    let object = world.within(Duration::from_secs(67), "production", "False", "RemoteFailed").await;
    assert!(message(&object).contains("applink.dev/replace"), "{}", message(&object));
    world.annotate("production", "replace", "now");
    renewed(&world, &old, SOON).await;
    assert_eq!((world.posts(), world.deletes()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn annotation_present_at_creation_requests_nothing() {
    let world = World::with_addon().await;
    let mut manifest = crate::world::connection("production", "productionOrg");
    manifest["metadata"]["annotations"] = json!({"applink.dev/replace": "from git"});
    world.api.apply(manifest);
    let object = world.until("production", "True", "Connected").await;
    assert_eq!(object["status"]["lastHandledReplace"], "from git");
    world.pass(HOUR).await;
    assert_eq!(world.mutations(), 1);
}

#[tokio::test(start_paused = true)]
async fn invalid_input_replaces_nothing() {
    let world = ready(replacing()).await;
    world.annotate("production", "replace", "now");
    world.api.set_secret(NS, "sf-jwt", &[("server.key", "no key")]);
    world.until("production", "False", "InvalidSecret").await;
    world.pass(HOUR).await;
    world.api.delete("secrets", NS, "sf-jwt");
    world.until("production", "False", "SecretNotFound").await;
    world.pass(HOUR).await;
    let replaced = world.deletes();
    assert!(replaced <= 1, "at most the intent from before the bad key");
    world.key("good");
    world.until("production", "True", "Connected").await;
    world.only("productionOrg");
}

#[tokio::test(start_paused = true)]
async fn bad_rotated_key_recovers_with_a_good_one() {
    let world = ready(replacing()).await;
    world.sim.settings(|settings| settings.accepted_keys = vec![digest(&pem("good"))]);
    world.key("bad");
    let object = world.until("production", "False", "RemoteFailed").await;
    assert_eq!(progress(&object), Some("Stalled"));
    world.pass(HOUR).await;
    assert_eq!(world.mutations(), 3);
    world.key("good");
    world.until("production", "True", "Connected").await;
    assert_eq!((world.posts(), world.deletes(), world.remote().len()), (3, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn refused_deletion_is_reported_and_backs_off() {
    let world = ready(replacing()).await;
    let fault = world.fault(
        on_applink(answer(Where::Before, 422, Some(json!({"id": "in_use", "message": "used"})), None)).method("DELETE"),
    );
    world.key("other");
    let object = world.until("production", "False", "RemoteRejected").await;
    assert!(message(&object).contains("in_use"), "{}", message(&object));
    world.pass(HOUR).await;
    assert!(world.deletes() <= 8, "{}", world.deletes());
    assert_eq!(world.posts(), 1, "none is created while the old one exists");
    let old = world.id("production");
    world.sim.faults(|faults| faults.remove(&fault));
    renewed(&world, &old, Duration::from_secs(11 * 60)).await;
}

#[tokio::test(start_paused = true)]
async fn observe_and_suspend_replace_nothing() {
    for spec in [json!({"managementPolicy": "Observe"}), json!({"suspend": true})] {
        let world = ready(replacing()).await;
        world.connection_with("production", "productionOrg", spec.clone());
        world.pass(SOON).await;
        world.key("other");
        world.annotate("production", "replace", "now");
        world.pass(HOUR).await;
        assert_eq!(world.mutations(), 1, "{spec}");
    }
}
