//! A service without a list of targets: each is read by name at a slower pace, and nothing is created without need.

use std::time::Duration;

use applink_simulator::{TakenByAnotherApp, TargetList};
use serde_json::Value;

use super::{CLOUD, OTHER_APP, UPDATES, UPDATES_REMOTE, target};
use crate::world::{HOUR, NS, SOON, World, message, says};

/// Five polls with their jitter and passes.
const FIVE_POLLS: Duration = Duration::from_secs(5 * 67);

async fn without_list() -> World {
    World::with_cloud_of(|settings| settings.data_action_targets.list = TargetList::Missing).await
}

fn reads(world: &World) -> usize {
    world.request_count(|r| r.method == http::Method::GET && r.path.contains("/data_action_targets/"))
}

#[tokio::test(start_paused = true)]
async fn unlisted_targets_are_read_at_a_fifth_of_the_pace() {
    let world = without_list().await;
    let names = ["one_target", "two_target", "three_target"];
    for name in names {
        world.api.apply(target(&name.replace('_', "-"), name));
        world.until_of("dataactiontargets", &name.replace('_', "-"), SOON, ("True", "Created")).await;
    }
    world.pass(HOUR / 6).await;
    assert_eq!(world.target_posts(), 3);
    world.forget_requests();
    world.api.clear_writes();
    world.pass(2 * HOUR).await;
    assert_eq!((world.target_posts(), world.api.writes().len()), (0, 0));
    let each = reads(&world) as f64 / 3.0;
    assert!((20.0..=25.0).contains(&each), "once in five minutes: {each} reads of each in two hours");
}

#[tokio::test(start_paused = true)]
async fn vanished_unlisted_target_returns_within_five_polls() {
    let world = without_list().await;
    world.updates();
    let before = world.until_target("True", "Created").await;
    world.vanish_target(UPDATES_REMOTE);
    let recreated = |o: Option<&Value>| {
        o.is_some_and(|o| says(o, "True", "Created") && o["status"]["id"] != before["status"]["id"])
    };
    world.api.wait_until("dataactiontargets", NS, UPDATES, recreated, FIVE_POLLS).await;
    assert_eq!((world.target_posts(), world.event_count(UPDATES, "Recreated")), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn existing_target_is_found_by_name() {
    let world = without_list().await;
    let theirs = world.plant_target(|_| {});
    world.updates();
    let object = world.until_target("True", "Created").await;
    assert_eq!((&object["status"]["id"], world.target_posts()), (&theirs.into(), 0));
}

#[tokio::test(start_paused = true)]
async fn named_target_of_another_app_is_foreign() {
    let world = without_list().await;
    world.other_app();
    world.sim.settings(|settings| settings.data_action_targets.taken_by_another_app = TakenByAnotherApp::Allowed);
    world.plant_target(|new| new.app = OTHER_APP);
    world.updates();
    world.until_target("True", "Created").await;
    world.pass(HOUR).await;
    assert_eq!((world.target_posts(), world.remote_targets().len()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn unlisted_targets_block_connection_deletion() {
    let world = without_list().await;
    world.updates();
    world.until_target("True", "Created").await;
    world.annotate(CLOUD, "replace", "1");
    let object = world.until(CLOUD, "False", "DeletionBlocked").await;
    assert!(message(&object).contains(UPDATES_REMOTE), "{}", message(&object));
    world.pass(HOUR).await;
    assert_eq!(world.deletes(), 0);
    world.delete_target();
    world.until_target_gone(SOON).await;
    assert_eq!(world.released_targets().len(), 1);
    world.within(Duration::from_secs(70), CLOUD, "False", "AwaitingUser").await;
}
