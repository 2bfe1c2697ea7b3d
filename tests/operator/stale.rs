//! Lists that lag behind, and tombstones that stay listed: nothing is made twice, and nothing let go of too early.

use std::time::Duration;

use applink_simulator::{Status, Where};

use crate::world::{HOUR, LATER, NS, SOON, World, message, progress, says};

/// How far lists lag behind.
const LAG: f64 = 40.0;
const POLL: Duration = Duration::from_secs(67);

async fn lagging() -> World {
    let world = World::with_addon().await;
    world.sim.settings(|settings| settings.list_lag_seconds = LAG);
    world
}

#[tokio::test(start_paused = true)]
async fn what_a_list_does_not_show_yet_is_not_made_again() {
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
async fn what_a_list_does_not_show_yet_is_deleted_all_the_same() {
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
async fn what_a_list_still_shows_is_neither_kept_nor_taken_for_somebody_elses_for_ever() {
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
async fn a_remote_deletion_that_lists_show_late_is_healed_once() {
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
async fn a_tombstone_counts_as_gone() {
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
async fn one_that_somebody_else_disconnected_is_made_anew_beside_its_tombstone() {
    let world = World::with_connection().await;
    let (id, now) = (world.only("productionOrg").id, world.clock.now());
    world.sim.world(|world| world.set_status(id, Status::Disconnected, None, now)).expect("it is there");
    let healed = |object: Option<&serde_json::Value>| {
        object.is_some_and(|o| says(o, "True", "Connected") && o["status"]["id"] != id.to_string())
    };
    world.api.wait_until("connections", NS, "production", healed, POLL).await;
    world.pass(HOUR).await;
    assert_eq!((world.posts(), world.remote().len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_tombstone_that_holds_its_name_is_told_and_not_stormed() {
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
async fn a_half_read_list_proves_nothing_absent() {
    let world = World::with_connection().await;
    let body = serde_json::json!([{"status": "connected"}]);
    let mut fault = crate::look::answer(Where::After, 200, Some(body), None).method("GET");
    fault.path_contains = Some("/connections".to_owned());
    world.fault(fault);
    let before = world.passes();
    world.pass(HOUR / 4).await;
    assert!(says(&world.get("production"), "True", "Connected"), "{:#}", world.get("production"));
    assert_eq!((world.posts(), world.remote().len()), (1, 1));
    let passes = world.passes() - before;
    assert!(passes <= 60, "no storm of lists for what lists do not tell: {passes} in 15 minutes");
}
