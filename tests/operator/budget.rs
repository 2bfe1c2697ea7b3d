//! Call budgets: calls per hour, priorities when few are left, and pauses requested by a service.

use std::time::Duration;

use applink_operator::budget::Limits;
use applink_simulator::{Api, RequestRecord, Seed, Where};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::inspect::{answer, on_applink, on_post};
use crate::world::{ADDON, HOUR, LATER, NS, OTHER, OTHER_ID, OTHER_TOKEN, SOON, World};
use crate::world::{addon, condition, message, progress, says};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// Less than polls every 10 s take, and a small burst of them.
const TINY: Limits = Limits { per_hour: 132, at_once: 12, reserve: 6, last: 2 };

/// Times of matching requests, oldest first.
fn times(world: &World, wanted: impl Fn(&RequestRecord) -> bool) -> Vec<Timestamp> {
    world.sim.requests(|log| log.iter().filter(|r| wanted(r)).map(|r| r.at).collect())
}

/// The most calls within any hour.
fn busiest_hour(times: &[Timestamp]) -> usize {
    let hour = SignedDuration::from_hours(1);
    let within = |(n, from): (usize, &Timestamp)| times[n..].partition_point(|at| at.duration_since(*from) <= hour);
    times.iter().enumerate().map(within).max().unwrap_or_default()
}

/// An add-on with this poll interval, and an operator with these limits.
async fn world(limits: Limits, poll: &str) -> World {
    let mut world = World::new();
    world.options.limits = limits;
    polled(&world, poll);
    world.start();
    world.until_addon("True", "AddonReady").await;
    world
}

fn polled(world: &World, interval: &str) {
    world.addon_with(json!({"pollInterval": interval}));
}

async fn until_reachable(world: &World, status: &str, reason: &str, at_most: Duration) {
    let said = |object: Option<&Value>| {
        object.and_then(|o| condition(o, "Reachable")).is_some_and(|c| c["status"] == status && c["reason"] == reason)
    };
    world.api.wait_until("applinkaddons", NS, ADDON, said, at_most).await;
}

/// Calls left in the smallest budget of this scope, as the metrics report it.
fn left(world: &World, scope: &str) -> u32 {
    let text = world.metrics.text();
    let line =
        text.lines().find_map(|line| line.strip_prefix(&format!("applink_budget_calls_left{{scope=\"{scope}\"}} ")));
    line.expect("it is shown").parse().expect("a number")
}

/// Deletes each of these connections if it exists, and creates it otherwise.
fn toggle(world: &World, which: impl Iterator<Item = usize>) {
    for n in which {
        let name = format!("c{n:02}");
        match world.api.get("connections", NS, &name) {
            None => drop(world.connection(&name, &format!("org{n:02}"))),
            Some(object) if object["metadata"].get("deletionTimestamp").is_none() => world.delete(&name),
            Some(_) => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn hourly_call_budget_is_never_exceeded() {
    let world = world(Limits::default(), "5m").await;
    toggle(&world, 0..60);
    let (mut applink, mut heroku) = (Vec::new(), Vec::new());
    for hour in 0..24 {
        // For one hour a script edits many objects, and each call takes long.
        let (each, lot, takes) = if hour == 7 { (1, 30, 45.0) } else { (10, 1, 1.0) };
        world.sim.settings(|settings| settings.disconnect_seconds = Some(takes));
        for minute in (0..60).step_by(each) {
            toggle(&world, (0..lot).map(|n| (minute * lot + n) % 60));
            world.pass(MINUTE * u32::try_from(each).expect("a few")).await;
        }
        applink.extend(times(&world, |r| r.api == Api::AppLink));
        heroku.extend(times(&world, |r| r.api == Api::Platform));
        world.forget_requests();
    }
    let busiest = busiest_hour(&applink);
    assert!((3500..=4500).contains(&busiest), "{busiest} calls: about all that may be, and none more");
    assert!(busiest_hour(&heroku) <= 100, "{}", busiest_hour(&heroku));
    assert_eq!(world.event_count(ADDON, "QuotaConstrained"), 1, "{:#?}", world.events_of(ADDON));
    assert_eq!(world.event_count(ADDON, "AddonReady"), 1, "Ready throughout: {:#?}", world.events_of(ADDON));
    let missing: Vec<_> = (0..60).filter(|n| world.api.get("connections", NS, &format!("c{n:02}")).is_none()).collect();
    toggle(&world, missing.into_iter());
    for n in 0..60 {
        world.within(LATER, &format!("c{n:02}"), "True", "Connected").await;
    }
}

#[tokio::test(start_paused = true)]
async fn edits_proceed_while_polls_are_deferred() {
    let world = world(TINY, "10s").await;
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
    until_reachable(&world, "False", "QuotaConstrained", 5 * MINUTE).await;
    world.pass(HOUR).await;
    world.forget_requests();
    world.api.clear_writes();
    world.pass(HOUR).await;
    assert!((30..=66).contains(&world.passes()), "{} passes, not 360", world.passes());
    assert_eq!(world.api.writes(), [], "Ready stays True");
    for n in 0..5 {
        let name = format!("edit{n}");
        world.connection(&name, &format!("edit{n}Org"));
        world.within(5 * SECOND, &name, "True", "Connected").await;
        world.pass(10 * MINUTE).await;
        world.delete(&name);
        world.until_gone(&name, 5 * MINUTE).await;
        world.pass(10 * MINUTE).await;
    }
    let all = times(&world, |r| r.api == Api::AppLink);
    assert!(busiest_hour(&all) <= 132, "{}", busiest_hour(&all));
    assert_eq!(world.event_count(ADDON, "QuotaConstrained"), 1, "{:#?}", world.events_of(ADDON));
    assert!(says(&world.get("production"), "True", "Connected"));
    polled(&world, "10m");
    until_reachable(&world, "True", "Reachable", 30 * MINUTE).await;
    assert_eq!(
        world.events_of(ADDON).len(),
        3,
        "Ready, QuotaConstrained, and recovered: {:#?}",
        world.events_of(ADDON)
    );
}

#[tokio::test(start_paused = true)]
async fn drift_is_corrected_late_and_nobody_turns_unknown() {
    let world = world(TINY, "10s").await;
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
    world.pass(HOUR).await;
    world.api.clear_writes();
    let id = world.id("production");
    world.vanish("productionOrg");
    let recreated = |object: Option<&Value>| object.is_some_and(|o| o["status"]["id"] != json!(id));
    world.api.wait_until("connections", NS, "production", recreated, 7 * MINUTE).await;
    assert!(says(&world.get("production"), "True", "Connected"));
    assert_eq!(world.event_count("production", "RateLimited"), 0);
}

#[tokio::test(start_paused = true)]
async fn edits_do_not_starve_overdue_polls() {
    let world = world(Limits { per_hour: 240, at_once: 40, reserve: 20, last: 5 }, "60s").await;
    world.connection("production", "productionOrg");
    toggle(&world, 0..40);
    for n in 0..40 {
        world.within(LATER, &format!("c{n:02}"), "True", "Connected").await;
    }
    world.api.clear_writes();
    toggle(&world, 0..40);
    let (began, before) = (world.clock.now(), world.passes());
    for n in 0..40 {
        world.until_gone(&format!("c{n:02}"), 2 * HOUR).await;
    }
    let took = world.clock.now().duration_since(began);
    assert!(took.as_mins() > 10, "the edits have to wait for calls: {took:?}");
    let passes = i64::try_from(world.passes() - before).expect("few");
    assert!(passes >= took.as_mins() / 5, "{passes} polls in {took:?}: the state would have become stale");
    assert_eq!(world.event_count(ADDON, "RateLimited"), 0);
    assert_eq!(world.writes_to("production"), [], "Ready stays True");
}

#[tokio::test(start_paused = true)]
async fn excess_edits_wait_and_are_made_once() {
    let world = world(Limits { per_hour: 60, ..TINY }, "10m").await;
    for n in 0..70 {
        world.connection(&format!("c{n:02}"), &format!("org{n:02}"));
    }
    world.pass(5 * SECOND).await;
    let waits = |n: &usize| says(&world.get(&format!("c{n:02}")), "False", "RateLimited");
    let waiting: Vec<_> = (0..70).filter(waits).collect();
    assert!((20..35).contains(&waiting.len()), "all that the hour allows are made at once: {waiting:?}");
    let object = world.get(&format!("c{:02}", waiting[0]));
    assert_eq!(progress(&object), Some("Reconciling"));
    assert!(message(&object).contains("60 calls per hour"), "{}", message(&object));
    // One that needs a poll first waits like the others.
    world.connection("late", "lateOrg");
    world.within(2 * HOUR, "late", "True", "Connected").await;
    for n in 0..70 {
        world.within(HOUR, &format!("c{n:02}"), "True", "Connected").await;
    }
    assert_eq!((world.posts(), world.remote().len()), (71, 71));
    assert!(world.passes() <= 15, "unsent calls changed nothing: {} passes", world.passes());
    let most = (0..70).map(|n| world.writes_to(&format!("c{n:02}")).len()).max().unwrap_or_default();
    assert!(most <= 12, "{most} writes to one");
    let text = world.metrics.text();
    assert!(text.contains("applink_calls_not_sent_total{scope=\"addon\",why=\"budget_spent\"}"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_creations_go_at_once_and_polls_go_on() {
    let world = world(Limits::default(), "60s").await;
    for n in 0..1000 {
        world.connection(&format!("c{n:03}"), &format!("org{n:03}"));
    }
    for n in 0..1000 {
        world.within(MINUTE, &format!("c{n:03}"), "True", "Connected").await;
    }
    assert_eq!(world.posts(), 1000);
    world.forget_requests();
    world.pass(HOUR).await;
    assert!((54..=60).contains(&world.passes()), "{} passes", world.passes());
    assert_eq!(world.event_count(ADDON, "QuotaConstrained"), 0, "{:#?}", world.events_of(ADDON));
}

#[tokio::test(start_paused = true)]
async fn pause_applies_to_all_callers() {
    for asked in [Some(17), None] {
        let world = world(Limits::default(), "10s").await;
        let mut twin = addon("twin");
        twin["spec"]["pollInterval"] = json!("10s");
        world.api.apply(twin);
        world.connection("production", "productionOrg");
        world.connection_with("cousin", "cousinOrg", json!({"addonRef": {"name": "twin"}}));
        world.until("production", "True", "Connected").await;
        world.until("cousin", "True", "Connected").await;
        world.fault(on_post(answer(Where::Before, 429, None, asked)).times(1));
        world.connection("refused", "refusedOrg");
        world.until("refused", "False", "RateLimited").await;
        let at = *times(&world, |r| r.method == http::Method::POST).last().expect("it was asked for");
        // For any purpose.
        world.connection("second", "secondOrg");
        world.connection_with("third", "thirdOrg", json!({"addonRef": {"name": "twin"}}));
        world.annotate("production", "requestedAt", "now");
        world.delete("cousin");
        world.pass(asked.map_or(MINUTE, Duration::from_secs) + 2 * SECOND).await;
        let after = times(&world, |r| r.api == Api::AppLink && r.at > at);
        let pause = after.first().expect("it goes on").duration_since(at);
        let wanted = i64::try_from(asked.unwrap_or(60)).expect("a few seconds");
        assert!((wanted..=wanted + 1).contains(&pause.as_secs()), "{pause:?}");
        for name in ["refused", "second", "third"] {
            world.within(5 * SECOND, name, "True", "Connected").await;
        }
        world.until_gone("cousin", SOON).await;
    }
}

#[tokio::test(start_paused = true)]
async fn account_pause_applies_to_its_addons_only() {
    let world = World::with_addon().await;
    world.second_addon("heroku-api").await;
    let mut limited = answer(Where::Before, 429, None, Some(137));
    limited.path_contains = Some("orders-prod".to_owned());
    limited.path_prefix = Some("/apps/".to_owned());
    world.fault(limited.times(1));
    let platform = |r: &RequestRecord| r.api == Api::Platform;
    // The next caller of Heroku gets the 429.
    let reported = |r: &RequestRecord| r.status == Some(http::StatusCode::TOO_MANY_REQUESTS);
    while world.request_count(reported) == 0 {
        world.pass(SECOND).await;
    }
    let at = times(&world, reported)[0];
    let mut same = addon("same");
    same["spec"]["app"] = json!("billing-prod");
    let mut stranger = same.clone();
    stranger["metadata"]["name"] = json!("stranger");
    stranger["spec"]["tokenSecretRef"]["name"] = json!("heroku-other");
    world.api.apply(same);
    world.api.apply(stranger);
    let says = |object: Option<&Value>| object.is_some_and(|o| says(o, "True", "AddonReady"));
    world.api.wait_until("applinkaddons", NS, "stranger", says, 2 * SECOND).await;
    world.pass(world.clock.until(at + SignedDuration::from_secs(139))).await;
    let digest = |token| applink_simulator::Token::new(token).digest();
    let of = |token| times(&world, |r| platform(r) && r.at > at && r.token_digest == Some(digest(token)));
    let pause = of(Seed::HEROKU_TOKEN).first().expect("it goes on").duration_since(at);
    assert!((137..=138).contains(&pause.as_secs()), "{pause:?}");
    assert!(of(OTHER_TOKEN)[0].duration_since(at).as_secs() < 3, "another account has nothing to do with it");
    world.api.wait_until("applinkaddons", NS, "same", says, 2 * SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn addons_share_the_account_budget() {
    // Fewer than both need per hour for SSO and lookups, but a large enough burst.
    let world = world(Limits { per_hour: 90, at_once: 32, reserve: 6, last: 2 }, "90s").await;
    world.second_addon("heroku-api").await;
    world.pass(6 * HOUR).await;
    let busiest = busiest_hour(&times(&world, |r| r.api == Api::Platform));
    assert!((50..=90).contains(&busiest), "{busiest}");
    for id in [Seed::ADDON_ID, OTHER_ID] {
        let own = times(&world, |r| r.path.contains(&id.to_string()) && r.api == Api::AppLink);
        assert!((50..=90).contains(&busiest_hour(&own)), "{}", busiest_hour(&own));
    }
    for name in [ADDON, OTHER] {
        let events = world.events_of(name);
        let reported = events.iter().find(|e| e.reason == "QuotaConstrained").expect("it is reported");
        assert_eq!(
            (reported.kind.as_str(), world.event_count(name, "QuotaConstrained")),
            ("Warning", 1),
            "{events:#?}"
        );
        assert_eq!(world.event_count(name, "RateLimited"), 0, "{events:#?}");
    }
    assert!(world.events().iter().any(|e| e.note.contains("this Heroku account")), "{:#?}", world.events());
}

#[tokio::test(start_paused = true)]
async fn account_used_by_others_is_spared() {
    let world = world(Limits::default(), "60s").await;
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
    assert!(left(&world, "account") > 800);
    world.sim.settings(|settings| settings.rate_limit = 100);
    until_reachable(&world, "False", "QuotaConstrained", 10 * MINUTE).await;
    assert!((100..300).contains(&left(&world, "account")), "{}", left(&world, "account"));
    // The reserve is kept for edits.
    world.connection("second", "secondOrg");
    world.within(2 * SECOND, "second", "True", "Connected").await;
    world.pass(HOUR).await;
    assert!(says(&world.get_addon(), "True", "AddonReady"));
    world.sim.settings(|settings| settings.rate_limit = 4500);
    until_reachable(&world, "True", "Reachable", 30 * MINUTE).await;
    assert_eq!(world.event_count(ADDON, "QuotaConstrained"), 1, "{:#?}", world.events_of(ADDON));
}

#[tokio::test(start_paused = true)]
async fn retry_after_zero_causes_no_storm() {
    let world = World::with_connection().await;
    world.forget_requests();
    world.fault(on_applink(answer(Where::Before, 429, None, Some(0))));
    world.pass(3 * HOUR).await;
    let all = times(&world, |r| r.api == Api::AppLink);
    assert!(busiest_hour(&all) <= 4500, "{}", busiest_hour(&all));
    world.clear_faults();
    world.within(10 * MINUTE, "production", "True", "Connected").await;
}
