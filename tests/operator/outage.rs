//! Outages of minutes and of a day: who reports what and when, how often the service is called, and the recovery.

use std::time::Duration;

use applink_simulator::{Api, Fault, RequestRecord, What, Where};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::inspect::{answer, on_applink};
use crate::world::{ADDON, HOUR, World, condition, progress, says};

const MINUTE: Duration = Duration::from_secs(60);
const NAMES: [&str; 3] = ["production", "staging", "training"];

/// Three Ready connections at rest; the logs of writes and requests are empty.
async fn three_ready() -> World {
    let world = World::with_addon().await;
    for name in NAMES {
        world.connection(name, &format!("{name}Org"));
    }
    for name in NAMES {
        world.until(name, "True", "Connected").await;
    }
    world.pass(2 * MINUTE).await;
    world.api.clear_writes();
    world
}

/// When the add-on last answered.
fn last_answer(world: &World) -> Timestamp {
    let answered = |r: &&RequestRecord| r.api == Api::AppLink && r.status.is_some_and(|s| s.is_success());
    world.sim.requests(|log| log.iter().rev().find(answered).map(|r| r.at)).expect("it answered once")
}

async fn until_time(world: &World, at: Timestamp) {
    world.pass(world.clock.until(at)).await;
}

fn refused(world: &World) -> &'static str {
    world.fault(on_applink(Fault::status(Where::Before, 500)));
    "RemoteUnavailable"
}

fn reset(world: &World) -> &'static str {
    world.fault(on_applink(Fault::new(Where::Before, What::Reset)));
    "RemoteUnavailable"
}

fn limited(world: &World) -> &'static str {
    world.fault(on_applink(answer(Where::Before, 429, None, Some(300))));
    "RateLimited"
}

fn truncated(world: &World) -> &'static str {
    world.fault(on_applink(Fault::new(Where::After, What::Truncate)));
    "RemoteUnavailable"
}

fn heroku_away(world: &World) -> &'static str {
    world.fault(Fault::new(Where::Before, What::Reset));
    "RemoteUnavailable"
}

#[tokio::test(start_paused = true)]
async fn ready_turns_unknown_after_five_minutes() {
    for fail in [refused, reset, limited, truncated, heroku_away] {
        let world = three_ready().await;
        let reason = fail(&world);
        let silent = last_answer(&world) + SignedDuration::from_mins(5);
        until_time(&world, silent - SignedDuration::from_secs(1)).await;
        let addon = world.get_addon();
        assert!(says(&addon, "True", "AddonReady"), "{addon:#}");
        let reachable = condition(&addon, "Reachable").expect("it is reported");
        assert_eq!((&reachable["status"], &reachable["reason"]), (&json!("False"), &json!(reason)));
        assert_eq!(world.event_count(ADDON, reason), 1, "{:#?}", world.events());
        for name in NAMES {
            assert_eq!(world.writes_to(name), [], "left alone");
        }
        until_time(&world, silent + SignedDuration::from_secs(1)).await;
        assert!(says(&world.get_addon(), "Unknown", reason));
        world.pass(HOUR).await;
        for name in NAMES {
            let object = world.get(name);
            assert!(says(&object, "Unknown", reason), "{object:#}");
            assert_eq!((world.writes_to(name).len(), progress(&object)), (1, None));
        }
        world.clear_faults();
        for name in NAMES {
            world.within(6 * MINUTE, name, "True", "Connected").await;
            assert_eq!(world.writes_to(name).len(), 2);
        }
        assert_eq!((world.posts(), world.deletes()), (3, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn longer_poll_interval_delays_unknown() {
    let world = World::with_addon().await;
    let mut slow = crate::world::addon(ADDON);
    slow["spec"]["pollInterval"] = json!("10m");
    world.api.apply(slow);
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
    world.pass(25 * MINUTE).await;
    refused(&world);
    let silent = last_answer(&world) + SignedDuration::from_mins(30);
    until_time(&world, silent - SignedDuration::from_secs(1)).await;
    assert!(says(&world.get("production"), "True", "Connected"));
    until_time(&world, silent + SignedDuration::from_secs(1)).await;
    assert!(says(&world.get("production"), "Unknown", "RemoteUnavailable"));
}

#[tokio::test(start_paused = true)]
async fn never_ready_reports_the_outage() {
    for fail in [refused, reset, limited, truncated] {
        let world = World::with_addon().await;
        let reason = fail(&world);
        world.pass(2 * MINUTE).await;
        world.connection("production", "productionOrg");
        let object = world.until("production", "False", reason).await;
        assert_eq!(progress(&object), Some("Reconciling"));
        assert_eq!((world.posts(), world.remote().len()), (0, 0));
        world.clear_faults();
        world.within(6 * MINUTE, "production", "True", "Connected").await;
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured() {
    let world = World::with_connection().await;
    let first = world.clock.now();
    let fault = world.fault(on_applink(answer(Where::Before, 429, None, Some(137))));
    // Neither an edit nor a request makes a call come earlier.
    world.pass(90 * Duration::from_secs(1)).await;
    world.annotate("production", "requestedAt", "now");
    world.connection("second", "secondOrg");
    world.pass(10 * MINUTE).await;
    let at: Vec<Timestamp> =
        world.sim.requests(|log| log.iter().filter(|r| r.api == Api::AppLink && r.at > first).map(|r| r.at).collect());
    let pauses: Vec<_> =
        at.windows(2).map(|two| two[1].duration_since(two[0])).filter(|pause| !pause.is_zero()).collect();
    assert!(pauses.len() > 3, "{at:?}");
    for pause in pauses {
        assert!((137..138).contains(&pause.as_secs()), "{pause:?}");
    }
    world.sim.faults(|faults| faults.remove(&fault));
    world.within(3 * MINUTE, "second", "True", "Connected").await;
}

#[tokio::test(start_paused = true)]
async fn day_long_outage_is_survived() {
    let world = three_ready().await;
    world.forget_requests();
    for (quarter, fail) in [refused, reset, limited, truncated].into_iter().enumerate() {
        world.clear_faults();
        let reason = fail(&world);
        let before = world.passes();
        if quarter == 0 {
            world.pass(10 * MINUTE).await;
            world.connection("late", "lateOrg");
        }
        world.pass(6 * HOUR).await;
        // At most one pass per poll interval; fewer if the service asks for it.
        let most = if reason == "RateLimited" { 6 * 12 + 2 } else { 6 * 60 + 15 };
        let passes = world.passes() - before;
        assert!((60..=most).contains(&passes), "{passes} passes in quarter {quarter}");
    }
    for name in NAMES {
        assert_eq!(world.writes_to(name).len(), 1, "Ready Unknown, reported once");
    }
    let late = world.get("late");
    assert_eq!(condition(&late, "Ready").expect("it is reported")["status"], "Unknown", "{late:#}");
    assert_eq!((world.mutations(), world.remote().len()), (0, 3), "nothing was created or deleted");
    bounded(&world, 24);
    world.clear_faults();
    for name in NAMES {
        world.within(3 * MINUTE, name, "True", "Connected").await;
        assert_eq!(world.writes_to(name).len(), 2);
    }
    world.within(3 * MINUTE, "late", "True", "Connected").await;
    assert_eq!((world.posts(), world.deletes()), (1, 0));
}

/// A pass takes two calls to AppLink. SSO is fetched at most every 2 minutes, and the add-on looked up at most every
/// 10.
fn bounded(world: &World, hours: usize) {
    let of = |end: &str| world.request_count(|r| r.path.ends_with(end));
    assert!(of("/authorizations") <= world.passes());
    assert!(of("/sso") <= hours * 30 + 2, "{} times SSO", of("/sso"));
    for part in ["/orders-prod", "/addons", "/addon-attachments", "/config-vars"] {
        assert!(of(part) <= hours * 6 + 2, "{} times {part}", of(part));
    }
}

#[tokio::test(start_paused = true)]
async fn outage_with_changing_errors_is_one_outage() {
    let world = three_ready().await;
    let events = |world: &World| world.events().iter().map(|event| event.times).sum::<i64>();
    let before = events(&world);
    for round in 0..60 {
        world.clear_faults();
        if round % 2 == 0 {
            refused(&world)
        } else {
            limited_briefly(&world)
        };
        world.pass(MINUTE).await;
    }
    for name in NAMES {
        assert_eq!(world.writes_to(name).len(), 1, "Ready Unknown, reported once");
    }
    let reported = events(&world) - before;
    assert!(reported <= 2 + 2 + 3, "an Event for each transition, not for each error: {reported}");
}

fn limited_briefly(world: &World) -> &'static str {
    world.fault(on_applink(answer(Where::Before, 429, None, Some(1))));
    "RateLimited"
}

#[tokio::test(start_paused = true)]
async fn day_without_api_server_changes_nothing() {
    let world = three_ready().await;
    world.api.outage(true);
    world.pass(24 * HOUR).await;
    world.vanish("stagingOrg");
    world.pass(HOUR).await;
    world.api.outage(false);
    let recreated = |object: Option<&Value>| {
        let there = world.remote();
        object.is_some_and(|o| there.iter().any(|c| o["status"]["id"] == c.id.to_string()))
    };
    world.api.wait_until("connections", crate::world::NS, "staging", recreated, HOUR).await;
    world.pass(HOUR).await;
    assert_eq!((world.posts(), world.deletes(), world.remote().len()), (4, 0, 3));
    for name in ["production", "training"] {
        assert_eq!(world.writes_to(name), [], "nothing to report");
    }
}
