//! Whoever holds the permit to write to an add-on reads nothing from the API server meanwhile, and what it read before
//! still holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use applink_simulator::{Fault, What, Where};
use http::Method;

use crate::inspect::on_post;
use crate::world::{SOON, World, digest, pem};

const KEY: &str = "GET /api/v1/namespaces/crm/secrets/sf-jwt";

#[tokio::test(start_paused = true)]
async fn no_secret_is_read_between_the_intent_and_the_call() {
    let world = World::with_addon().await;
    let (at_intent, at_call) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (tap, seen) = (world.tap().clone(), at_intent.clone());
    world.api.on_write(move |write| {
        if (write.resource, write.subresource) == ("connections", "") {
            seen.store(tap.passed(KEY), Ordering::Relaxed);
        }
    });
    let (tap, seen) = (world.tap().clone(), at_call.clone());
    world.tap().on_call(move |method| {
        if method == Method::POST {
            seen.store(tap.passed(KEY), Ordering::Relaxed);
        }
    });
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
    let (intent, call) = (at_intent.load(Ordering::Relaxed), at_call.load(Ordering::Relaxed));
    assert!(intent > 0, "it was read before");
    assert_eq!(call, intent, "and not again");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_rotated_while_its_connection_waits_for_the_permit_is_read_again() {
    let world = World::with_addon().await;
    let slow = Fault::new(Where::Before, What::Delay { ms: 10_000 });
    world.fault(on_post(slow).times(1));
    world.connection("first", "firstOrg");
    world.pass(Duration::from_secs(1)).await;
    world.connection("second", "secondOrg");
    world.pass(Duration::from_secs(2)).await;
    assert_eq!(world.posts(), 1, "the second waits");
    world.sim.settings(|settings| settings.accepted_keys = vec![digest(&pem("good")), digest(&pem("new"))]);
    world.key("new");
    world.pass(Duration::from_secs(2)).await;
    world.sim.settings(|settings| settings.accepted_keys = vec![digest(&pem("new"))]);
    world.within(SOON, "second", "True", "Connected").await;
    assert_eq!(world.remote().iter().filter(|remote| remote.name == "secondOrg").count(), 1);
    let posts = world.sim.requests(|log| log.iter().filter(|r| r.method == "POST").count());
    assert!(posts <= 3, "the second is made once, and at most the first made again: {posts}");
}
