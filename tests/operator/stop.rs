//! SIGTERM: nothing new starts, effects in flight may finish within 8 seconds, and the operator returns whatever the
//! API server does.

use std::time::Duration;

use applink_simulator::{Fault, What, Where};

use crate::inspect::on_post;
use crate::tap::Link;
use crate::world::{HOUR, LATER, World, says};

const SECOND: Duration = Duration::from_secs(1);

/// Makes creations take this long, before or after they are committed.
fn slow_posts(world: &World, place: Where, seconds: u64) {
    world.fault(on_post(Fault::new(place, What::Delay { ms: seconds * 1000 })));
}

/// Waits until a POST is in flight.
async fn until_posted(world: &World) {
    let began = tokio::time::Instant::now();
    while world.posts() == 0 {
        assert!(began.elapsed() < HOUR, "it was never asked for");
        world.pass(SECOND / 20).await;
    }
}

/// Stops the operator. Returns how long that took.
async fn stopped(world: &mut World) -> Duration {
    let began = tokio::time::Instant::now();
    world.take().stop().await.expect("nothing was lost");
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn stop_at_rest_is_immediate() {
    let mut world = World::with_connection().await;
    assert!(stopped(&mut world).await < SECOND);
    let (writes, calls) = (world.api.writes().len(), world.request_count(|_| true));
    world.delete("production");
    world.pass(HOUR).await;
    assert_eq!(
        (world.api.writes().len(), world.request_count(|_| true)),
        (writes, calls),
        "nothing continues in the background"
    );
}

#[tokio::test(start_paused = true)]
async fn stop_before_start_is_immediate() {
    let mut world = World::new();
    world.api.outage(true);
    world.start();
    world.pass(HOUR).await;
    assert!(stopped(&mut world).await < SECOND);
}

#[tokio::test(start_paused = true)]
async fn effect_in_flight_finishes_and_is_recorded() {
    for place in [Where::Before, Where::After] {
        let mut world = World::with_addon().await;
        slow_posts(&world, place, 5);
        world.connection("production", "productionOrg");
        until_posted(&world).await;
        let took = stopped(&mut world).await;
        assert!(took > 4 * SECOND && took < 6 * SECOND, "{took:?}");
        let object = world.get("production");
        assert!(says(&object, "True", "Connected"), "{object:#}");
        assert_eq!(object["status"]["id"], world.only("productionOrg").id.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn slow_effect_is_left_to_the_successor() {
    for place in [Where::Before, Where::After] {
        let mut world = World::with_addon().await;
        slow_posts(&world, place, 20);
        world.connection("production", "productionOrg");
        until_posted(&world).await;
        let took = stopped(&mut world).await;
        assert!(took >= 8 * SECOND && took < 10 * SECOND, "{took:?}");
        world.clear_faults();
        world.start();
        world.within(LATER, "production", "True", "Connected").await;
        world.pass(HOUR).await;
        world.only("productionOrg");
        assert_eq!(world.created(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_new_starts_while_stopping() {
    let mut world = World::with_addon().await;
    slow_posts(&world, Where::Before, 3);
    for n in 0..10 {
        world.connection(&format!("c{n}"), &format!("org{n:02}"));
    }
    until_posted(&world).await;
    world.pass(SECOND / 2).await;
    let under_way = world.posts();
    let operator = world.take();
    operator.tap.die_at(None);
    let began = tokio::time::Instant::now();
    operator.stop().await.expect("nothing was lost");
    assert!(began.elapsed() < 4 * SECOND, "it waits for one call, not for all: {:?}", began.elapsed());
    assert_eq!((under_way, world.posts(), world.created()), (1, 1, 1));
    let whole = (0..10).filter(|n| says(&world.get(&format!("c{n}")), "True", "Connected")).count();
    assert_eq!(whole, 1);
    let (writes, calls) = (world.api.writes().len(), world.request_count(|_| true));
    world.pass(HOUR).await;
    assert_eq!((world.api.writes().len(), world.request_count(|_| true)), (writes, calls));
}

#[tokio::test(start_paused = true)]
async fn stop_works_without_the_api_server() {
    for link in [Link::Refused, Link::Silent] {
        for seconds in [0, 5] {
            let mut world = World::with_addon().await;
            slow_posts(&world, Where::Before, seconds);
            world.connection("production", "productionOrg");
            until_posted(&world).await;
            world.tap().link(link);
            world.pass(SECOND / 2).await;
            let took = stopped(&mut world).await;
            assert!(took < 10 * SECOND, "{link:?} {seconds}: {took:?}");
            world.clear_faults();
            world.start();
            world.within(LATER, "production", "True", "Connected").await;
            assert_eq!(world.created(), 1, "{link:?} {seconds}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn stop_during_a_long_outage_takes_ten_seconds() {
    for elect in [false, true] {
        let mut world = World::new();
        world.options.lease_namespace = elect.then(|| "crm".to_owned());
        world.addon();
        world.connection("production", "productionOrg");
        world.start();
        world.until("production", "True", "Connected").await;
        world.tap().link(Link::Silent);
        world.pass(5 * SECOND).await;
        assert!(stopped(&mut world).await < 10 * SECOND);
    }
}
