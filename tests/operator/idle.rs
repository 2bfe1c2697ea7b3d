//! At rest, nothing is written or reported, and the number of reads does not grow with the number of objects.

use std::time::Duration;

use applink_simulator::{Api, RequestRecord};
use jiff::Timestamp;
use serde_json::json;

use crate::world::{HOUR, LATER, World, says};

/// This many Ready connections at rest, with this poll interval.
async fn at_rest(connections: usize, poll: &str) -> World {
    let mut world = World::new();
    world.addon_with(json!({"pollInterval": poll}));
    let name = |n: usize| format!("c{n:03}");
    for n in 0..connections {
        world.connection(&name(n), &format!("org{n:03}"));
    }
    world.start();
    for n in 0..connections {
        world.within(LATER, &name(n), "True", "Connected").await;
    }
    world.pass(HOUR * 2 / 3).await;
    world.api.clear_writes();
    world.forget_requests();
    world
}

/// Calls to AppLink per pass during a day at rest.
async fn a_day(connections: usize) -> f64 {
    let world = at_rest(connections, "30m").await;
    let events = world.events();
    world.pass(24 * HOUR).await;
    assert_eq!(world.api.writes(), [], "no write of any kind");
    assert_eq!(world.events(), events);
    assert!((43..=48).contains(&world.passes()), "{} passes of up to a tenth more than 30 minutes", world.passes());
    assert_eq!(world.mutations(), 0);
    let calls = world.request_count(|r| r.api == Api::AppLink);
    calls as f64 / world.passes() as f64
}

#[tokio::test(start_paused = true)]
async fn idle_day_costs_the_same_for_200_as_for_2() {
    let few = a_day(2).await;
    let many = a_day(200).await;
    assert_eq!((few, many), (2.0, 2.0), "calls per pass");
}

#[tokio::test(start_paused = true)]
async fn sso_is_fetched_lazily_and_cached() {
    for (poll, hours, passes) in [("10s", 1, 325..=361), ("60s", 4, 216..=241), ("10m", 12, 65..=73)] {
        let world = at_rest(2, poll).await;
        world.pass(hours * HOUR).await;
        assert!(passes.contains(&world.passes()), "{poll}: {} passes", world.passes());
        let at_least = |end: &str, apart: i64| {
            let times = times(&world, |r| r.path.ends_with(end));
            for two in times.windows(2) {
                let apart_now = two[1].duration_since(two[0]).as_secs();
                assert!(apart_now >= apart, "{end} again after {apart_now} s with {poll}");
            }
            assert!(!times.is_empty() && times.len() <= world.passes(), "{poll}: {} times {end}", times.len());
        };
        at_least("/sso", 120);
        for part in ["/apps/orders-prod", "/orders-prod/addons", "/addon-attachments", "/config-vars"] {
            at_least(part, 600);
        }
    }
}

fn times(world: &World, wanted: impl Fn(&RequestRecord) -> bool) -> Vec<Timestamp> {
    world.sim.requests(|log| log.iter().filter(|r| wanted(r)).map(|r| r.at).collect())
}

#[tokio::test(start_paused = true)]
async fn volatile_response_fields_cause_no_write() {
    // No field of any dialect causes a write, however often it is read.
    for dialect in ["reference", "cli", "mixed"] {
        let world = World::with_addon().await;
        let switch = serde_json::from_value(json!(dialect)).expect("a dialect");
        world.sim.settings(|settings| settings.dialect = switch);
        world.connection("production", "productionOrg");
        world.connection("staging", "stagingOrg");
        world.within(LATER, "production", "True", "Connected").await;
        world.within(LATER, "staging", "True", "Connected").await;
        world.pass(Duration::from_secs(150)).await;
        world.api.clear_writes();
        world.pass(2 * HOUR).await;
        assert_eq!(world.api.writes(), [], "{dialect}");
        assert!(says(&world.get_addon(), "True", "AddonReady"));
        assert_eq!(world.get_addon()["status"]["connections"], 2);
    }
}

#[tokio::test(start_paused = true)]
async fn restart_at_rest_writes_nothing() {
    let mut world = at_rest(20, "60s").await;
    let events = world.events();
    for _ in 0..3 {
        world.restart().await;
        world.pass(Duration::from_secs(300)).await;
    }
    assert_eq!(world.api.writes(), []);
    assert_eq!((world.events(), world.mutations()), (events, 0));
}
