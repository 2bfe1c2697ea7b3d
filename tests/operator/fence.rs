//! Whoever no longer holds the lease writes nothing, at whichever request the lease runs out.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use applink_operator::clock::Clock;
use jiff::SignedDuration;
use serde_json::json;

use crate::world::{NS, SOON, World};

/// A clock that somebody else may set ahead of this one, in seconds.
fn settable(base: Clock) -> (Clock, &'static AtomicI64) {
    let ahead: &AtomicI64 = Box::leak(Box::default());
    let clock = Clock::following(move || base.now() + SignedDuration::from_secs(ahead.load(Ordering::Relaxed)));
    (clock, ahead)
}

fn mutates(what: &str) -> bool {
    !what.starts_with("before GET") && what.starts_with("before")
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_was_suspended_between_two_requests_sends_no_other_that_changes_something() {
    // What the machine is suspended after: in the midst of a creation, a deletion, and the hand-over of a link.
    for (resource, subresource) in [("connections", ""), ("connections", "status"), ("secrets", ""), ("events", "")] {
        let mut world = World::new();
        world.options.lease_namespace = Some(NS.to_owned());
        world.addon();
        let (clock, ahead) = settable(world.clock);
        let operator = world.spawn_by(clock);
        world.until_addon("True", "AddonReady").await;
        world.pass(Duration::from_secs(5)).await;
        let tap = operator.tap.clone();
        let last = tap.clone();
        tap.die_at(None);
        world.api.on_write(move |write| {
            let here = (write.resource, write.subresource) == (resource, subresource);
            if here && ahead.load(Ordering::Relaxed) == 0 {
                ahead.store(60, Ordering::Relaxed);
                last.die_at(None);
            }
        });
        world.connection_with("production", "productionOrg", json!({"jwt": null}));
        let lost = tokio::time::timeout(SOON, operator.end()).await.expect("soon");
        assert!(lost.is_err(), "it says that it lost the lease, after {resource} {subresource}");
        let after: Vec<_> = tap.trace().into_iter().map(|point| point.what).filter(|what| mutates(what)).collect();
        assert_eq!(after, Vec::<String>::new(), "after {resource} {subresource}");
    }
}
