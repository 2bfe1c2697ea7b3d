//! So many reconciles work at a time, and those that wait for AppLink are not counted among them.

use std::time::Duration;

use applink_simulator::{Fault, Seed, What, Where};
use serde_json::json;

use crate::world::{LATER, OTHER, SOON, World};

const KEY: &str = "GET /api/v1/namespaces/crm/secrets/sf-jwt";

#[tokio::test(start_paused = true)]
async fn no_more_reconciles_ask_the_api_server_at_a_time_than_there_are_slots() {
    let mut world = World::new();
    world.options.reconcile_concurrency = 4;
    world.addon();
    world.start();
    world.until_addon("True", "AddonReady").await;
    world.api.ignore_next("get", "secrets", 12);
    for n in 0..12 {
        world.connection(&format!("c{n}"), &format!("org{n:02}"));
    }
    world.pass(Duration::from_secs(5)).await;
    assert_eq!(world.tap().passed(KEY), 4);
    for n in 0..12 {
        world.within(LATER, &format!("c{n}"), "True", "Connected").await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_add_on_that_hangs_takes_no_slot_from_the_others() {
    let mut world = World::new();
    world.options.reconcile_concurrency = 2;
    world.addon();
    world.start();
    world.until_addon("True", "AddonReady").await;
    world.second_addon("heroku-other").await;
    let mut hang = Fault::new(Where::Before, What::Delay { ms: 86_400_000 });
    hang.path_prefix = Some(format!("/addons/{}/connections", Seed::ADDON_ID));
    world.fault(hang);
    for n in 0..10 {
        world.connection(&format!("stuck{n}"), &format!("stuck{n:02}"));
    }
    world.pass(SOON).await;
    world.connection_with("other", "otherOrg", json!({"addonRef": {"name": OTHER}}));
    world.until("other", "True", "Connected").await;
}
