//! The order of writes: one at a time per add-on, users' edits before drift correction, and no waiting between add-ons.

use std::time::Duration;

use applink_simulator::{Fault, Seed, What, Where};
use serde_json::json;

use crate::inspect::on_post;
use crate::world::{LATER, OTHER, World, connection};

/// Makes every creation take this long.
fn slow_posts(world: &World, ms: u64) {
    world.fault(on_post(Fault::new(Where::Before, What::Delay { ms })));
}

/// Names of connections in order of creation.
fn order(world: &World) -> Vec<String> {
    let mut all = world.remote();
    all.sort_by_key(|c| c.serial);
    all.into_iter().map(|c| c.name).collect()
}

#[tokio::test(start_paused = true)]
async fn writes_to_an_addon_are_serial() {
    let world = World::with_addon().await;
    slow_posts(&world, 2000);
    for n in 0..20 {
        world.connection(&format!("c{n}"), &format!("org{n:02}"));
    }
    for n in 0..20 {
        world.within(LATER, &format!("c{n}"), "True", "Connected").await;
    }
    assert_eq!(world.tap().most_on_one_addon(), 1);
    for n in 0..10 {
        world.delete(&format!("c{n}"));
    }
    for n in 0..10 {
        world.until_gone(&format!("c{n}"), LATER).await;
    }
    assert_eq!((world.tap().most_on_one_addon(), world.posts(), world.deletes()), (1, 20, 10));
}

#[tokio::test(start_paused = true)]
async fn max_concurrent_writes_is_honoured() {
    let mut world = World::new();
    world.options.write_concurrency = 4;
    world.addon();
    world.start();
    slow_posts(&world, 2000);
    for n in 0..12 {
        world.connection(&format!("c{n}"), &format!("org{n:02}"));
    }
    for n in 0..12 {
        world.within(LATER, &format!("c{n}"), "True", "Connected").await;
    }
    assert_eq!(world.tap().most_on_one_addon(), 4);
}

#[tokio::test(start_paused = true)]
async fn addons_do_not_wait_for_each_other() {
    let world = World::with_addon().await;
    world.second_addon("heroku-api").await;
    slow_posts(&world, 3000);
    for n in 0..5 {
        world.connection(&format!("a{n}"), &format!("aorg{n}"));
        world.connection_with(&format!("b{n}"), &format!("borg{n}"), json!({"addonRef": {"name": OTHER}}));
    }
    let began = tokio::time::Instant::now();
    for n in 0..5 {
        world.within(LATER, &format!("a{n}"), "True", "Connected").await;
        world.within(LATER, &format!("b{n}"), "True", "Connected").await;
    }
    assert!(began.elapsed() < Duration::from_secs(17), "five each, side by side: {:?}", began.elapsed());
    assert_eq!((world.tap().most_on_one_addon(), world.tap().most_at_all()), (1, 2));

    // A dead add-on does not block the other one.
    let mut dead = Fault::new(Where::Before, What::Delay { ms: 3_600_000 });
    dead.path_contains = Some(Seed::ADDON_ID.to_string());
    world.clear_faults();
    world.fault(dead);
    world.connection("stuck", "stuckOrg");
    world.pass(Duration::from_secs(120)).await;
    world.connection_with("b5", "borg5", json!({"addonRef": {"name": OTHER}}));
    world.within(Duration::from_secs(2), "b5", "True", "Connected").await;
}

#[tokio::test(start_paused = true)]
async fn edits_go_before_repairs() {
    let mut world = World::new();
    world.addon();
    for n in 0..30 {
        world.connection(&format!("old{n}"), &format!("old{n:02}"));
    }
    world.start();
    for n in 0..30 {
        world.within(LATER, &format!("old{n}"), "True", "Connected").await;
    }
    slow_posts(&world, 1000);
    for n in 0..30 {
        world.vanish(&format!("old{n:02}"));
    }
    // Until the first drift correction is in flight.
    let mut begun = world.posts();
    while begun == world.posts() {
        world.pass(Duration::from_millis(100)).await;
    }
    begun = world.posts();
    for n in 0..100 {
        world.api.apply(connection(&format!("new{n}"), &format!("new{n:03}")));
    }
    for n in 0..100 {
        world.within(LATER, &format!("new{n}"), "True", "Connected").await;
    }
    let order = order(&world);
    let last_edit = order.iter().rposition(|name| name.starts_with("new")).expect("they exist");
    let repairs_before = order[..last_edit].iter().filter(|name| name.starts_with("old")).count();
    assert!(repairs_before <= 1, "{repairs_before} repairs, of which {begun} had begun: {order:?}");
    // The corrections follow, one after the other.
    world.pass(Duration::from_secs(300)).await;
    assert_eq!(world.remote().len(), 130);
    assert_eq!(world.tap().most_on_one_addon(), 1);
}
