//! Lists that lag behind, and tombstones that stay listed: nothing is created twice, and no finalizer removed too
//! early.

use std::time::Duration;

use applink_simulator::{Status, Where};

use crate::world::{HOUR, LATER, NS, SOON, World, message, progress, says};

/// How far lists lag behind, in seconds.
const LAG: f64 = 40.0;
const POLL: Duration = Duration::from_secs(67);

async fn lagging() -> World {
    let world = World::with_addon().await;
    world.sim.settings(|settings| settings.list_lag_seconds = LAG);
    world
}

#[tokio::test(start_paused = true)]
async fn unlisted_new_object_is_not_created_again() {
    let mut world = lagging().await;
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
    for _ in 0..3 {
        world.annotate("production", "requestedAt", &world.clock.now().to_string());
        world.pass(Duration::from_secs(7)).await;
        assert!(says(&world.get("production"), "True", "Connected"));
    }
    world.restart().await;
    world.pass(10 * POLL).await;
    assert!(says(&world.get("production"), "True", "Connected"));
    assert_eq!((world.posts(), world.deletes()), (1, 0));
    world.only("productionOrg");
}

#[tokio::test(start_paused = true)]
async fn unlisted_new_object_is_deleted() {
    let mut world = lagging().await;
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
    world.delete("production");
    world.until_gone("production", SOON).await;
    assert_eq!(world.remote().len(), 0);

    world.connection("second", "secondOrg");
    world.until("second", "True", "Connected").await;
    world.restart().await;
    world.delete("second");
    world.until_gone("second", LATER).await;
    assert_eq!(world.remote().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn still_listed_deleted_object_is_ignored() {
    let world = lagging().await;
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
    world.pass(2 * POLL).await;
    world.delete("production");
    world.until_gone("production", SOON).await;
    world.connection("production", "productionOrg");
    world.within(3 * POLL, "production", "True", "Connected").await;
    assert_eq!((world.posts(), world.deletes()), (2, 1));
    world.only("productionOrg");
}

#[tokio::test(start_paused = true)]
async fn lagging_remote_deletion_is_recreated_once() {
    let world = lagging().await;
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
    world.pass(2 * POLL).await;
    world.vanish("productionOrg");
    world.pass(HOUR).await;
    let object = world.get("production");
    assert!(says(&object, "True", "Connected"), "{object:#}");
    assert_eq!(object["status"]["id"], world.only("productionOrg").id.to_string());
    assert_eq!(world.posts(), 2);
}

#[tokio::test(start_paused = true)]
async fn tombstone_counts_as_deleted() {
    let world = World::with_addon().await;
    world.sim.settings(|settings| settings.keep_disconnected = true);
    for round in 1..=3 {
        world.connection("production", "productionOrg");
        world.until("production", "True", "Connected").await;
        world.delete("production");
        world.until_gone("production", SOON).await;
        assert_eq!((world.posts(), world.deletes(), world.remote().len()), (round, round, 0));
    }
    world.pass(2 * POLL).await;
    assert_eq!(world.get_addon()["status"]["connections"], 0, "tombstones are not counted");
}

#[tokio::test(start_paused = true)]
async fn disconnected_is_recreated_beside_its_tombstone() {
    let world = World::with_connection().await;
    let (id, now) = (world.only("productionOrg").id, world.clock.now());
    world.sim.world(|world| world.set_status(id, Status::Disconnected, None, now)).expect("it exists");
    let recreated = |object: Option<&serde_json::Value>| {
        object.is_some_and(|o| says(o, "True", "Connected") && o["status"]["id"] != id.to_string())
    };
    world.api.wait_until("connections", NS, "production", recreated, POLL).await;
    world.pass(HOUR).await;
    assert_eq!((world.posts(), world.remote().len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn tombstone_holding_its_name_is_reported() {
    let world = World::with_addon().await;
    world.sim.settings(|settings| {
        settings.keep_disconnected = true;
        settings.tombstones_hold_names = true;
    });
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
    world.delete("production");
    world.until_gone("production", SOON).await;
    world.forget_requests();
    world.connection("production", "productionOrg");
    let object = world.until("production", "False", "RemoteRejected").await;
    assert_eq!(progress(&object), Some("Stalled"));
    assert!(message(&object).contains("409"), "{}", message(&object));
    world.pass(2 * HOUR).await;
    assert!(world.busiest_ten_minutes() <= 6);
}

#[tokio::test(start_paused = true)]
async fn incomplete_list_proves_no_absence() {
    let world = World::with_connection().await;
    let body = serde_json::json!([{"status": "connected"}]);
    let mut fault = crate::inspect::answer(Where::After, 200, Some(body), None).method("GET");
    fault.path_contains = Some("/connections".to_owned());
    world.fault(fault);
    let before = world.passes();
    world.pass(HOUR / 4).await;
    assert!(says(&world.get("production"), "True", "Connected"), "{:#}", world.get("production"));
    assert_eq!((world.posts(), world.remote().len()), (1, 1));
    let passes = world.passes() - before;
    assert!(passes <= 60, "no storm of lists that cannot help: {passes} in 15 minutes");
}
