//! Connections to the API server that lead nowhere: each request has a deadline, and the work goes on.

use std::time::Duration;

use tokio::time::Instant;

use crate::world::{SOON, World, says};

/// A request that is not answered is given up after 10 s, and tried again a second later.
const GIVEN_UP: Duration = Duration::from_secs(15);

#[tokio::test(start_paused = true)]
async fn a_write_that_is_never_answered_keeps_no_other_waiting_for_long() {
    let world = World::with_addon().await;
    world.api.ignore_next("patch", "connections", 1);
    let began = Instant::now();
    world.connection("first", "firstOrg");
    world.pass(Duration::from_secs(1)).await;
    world.connection("second", "secondOrg");
    world.within(GIVEN_UP, "second", "True", "Connected").await;
    world.within(GIVEN_UP, "first", "True", "Connected").await;
    assert!(began.elapsed() > Duration::from_secs(5), "nothing was ignored");
    assert_eq!(world.created(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_status_or_a_secret_that_is_never_answered_is_asked_for_again() {
    for (verb, resource) in [("get", "secrets"), ("patch", "connections/status")] {
        let world = World::with_addon().await;
        world.api.ignore_next(verb, resource, 1);
        world.connection("production", "productionOrg");
        let object = world.within(SOON, "production", "True", "Connected").await;
        assert!(says(&object, "True", "Connected"), "{verb} {resource}");
        assert_eq!(world.created(), 1, "{verb} {resource}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_or_a_watch_that_is_never_answered_is_asked_for_again() {
    for verb in ["list", "watch"] {
        let mut world = World::new();
        world.api.ignore_next(verb, "connections", 1);
        world.addon();
        world.start();
        world.pass(Duration::from_secs(60)).await;
        world.connection("production", "productionOrg");
        world.within(SOON, "production", "True", "Connected").await;
    }
}
