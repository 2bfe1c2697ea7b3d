//! How many calls leave within any hour, who goes first when few are left, and how a service's word to wait is kept.

use std::time::Duration;

use applink_operator::budget::Limits;
use applink_simulator::{Api, RequestRecord, Seed, Where};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::look::{answer, on_applink, on_post};
use crate::world::{ADDON, HOUR, LATER, NS, OTHER, OTHER_ID, OTHER_TOKEN, SOON, World};
use crate::world::{addon, condition, message, progress, says};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// One call each 30 s, and a few at once.
const TINY: Limits = Limits { per_hour: 132, at_once: 12, reserve: 6, last: 2 };

/// When requests were made, oldest first.
fn times(world: &World, wanted: impl Fn(&RequestRecord) -> bool) -> Vec<Timestamp> {
    world.sim.requests(|log| log.iter().filter(|r| wanted(r)).map(|r| r.at).collect())
}

/// The most of these within any hour.
fn busiest_hour(times: &[Timestamp]) -> usize {
    let hour = SignedDuration::from_hours(1);
    let within = |(n, from): (usize, &Timestamp)| times[n..].partition_point(|at| at.duration_since(*from) <= hour);
    times.iter().enumerate().map(within).max().unwrap_or_default()
}

/// An add-on that is polled this often, and an operator with these limits.
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

/// What is left of the emptiest budget of this scope, as the metrics show it.
fn left(world: &World, scope: &str) -> u32 {
    let text = world.metrics.text();
    let line =
        text.lines().find_map(|line| line.strip_prefix(&format!("applink_budget_calls_left{{scope=\"{scope}\"}} ")));
    line.expect("it is shown").parse().expect("a number")
}

/// Takes these connections away if they are there, and puts them there if they are not.
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
async fn no_hour_of_a_day_has_more_calls_than_it_may() {
    let world = world(Limits::default(), "5m").await;
    toggle(&world, 0..60);
    let (mut applink, mut heroku) = (Vec::new(), Vec::new());
    for hour in 0..24 {
        // For one hour it is a script that edits, and what it does takes the service long.
        let (each, lot, takes) = if hour == 7 { (1, 24, 45.0) } else { (10, 1, 1.0) };
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
    assert_eq!(world.told(ADDON, "QuotaConstrained"), 1, "{:#?}", world.events_of(ADDON));
    assert_eq!(world.told(ADDON, "AddonReady"), 1, "Ready throughout: {:#?}", world.events_of(ADDON));
    let missing: Vec<_> = (0..60).filter(|n| world.api.get("connections", NS, &format!("c{n:02}")).is_none()).collect();
    toggle(&world, missing.into_iter());
    for n in 0..60 {
        world.within(LATER, &format!("c{n:02}"), "True", "Connected").await;
    }
}

#[tokio::test(start_paused = true)]
async fn edits_get_through_while_polls_are_slowed() {
    let world = world(TINY, "10s").await;
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
    until_reachable(&world, "False", "QuotaConstrained", 5 * MINUTE).await;
    world.pass(HOUR).await;
    world.forget_requests();
    world.api.clear_writes();
    world.pass(HOUR).await;
    assert!((30..=66).contains(&world.passes()), "{} passes, not 360", world.passes());
    assert_eq!(world.api.writes(), [], "what is Ready stays so");
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
    assert_eq!(world.told(ADDON, "QuotaConstrained"), 1, "{:#?}", world.events_of(ADDON));
    assert!(says(&world.get("production"), "True", "Connected"));
    polled(&world, "10m");
    until_reachable(&world, "True", "Reachable", 30 * MINUTE).await;
    assert_eq!(
        world.events_of(ADDON).len(),
        3,
        "Ready, short of calls, and not any more: {:#?}",
        world.events_of(ADDON)
    );
}

#[tokio::test(start_paused = true)]
async fn a_drift_is_healed_late_but_healed_and_nobody_turns_unknown() {
    let world = world(TINY, "10s").await;
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
    world.pass(HOUR).await;
    world.api.clear_writes();
    let id = world.id("production");
    world.vanish("productionOrg");
    let healed = |object: Option<&Value>| object.is_some_and(|o| o["status"]["id"] != json!(id));
    world.api.wait_until("connections", NS, "production", healed, 7 * MINUTE).await;
    assert!(says(&world.get("production"), "True", "Connected"));
    assert_eq!(world.told("production", "RateLimited"), 0);
}

#[tokio::test(start_paused = true)]
async fn edits_that_take_all_there_is_do_not_blind_the_operator() {
    let world = world(Limits { per_hour: 400, at_once: 40, reserve: 20, last: 5 }, "60s").await;
    world.connection("production", "productionOrg");
    toggle(&world, 0..40);
    for n in 0..40 {
        world.within(LATER, &format!("c{n:02}"), "True", "Connected").await;
    }
    world.api.clear_writes();
    toggle(&world, 0..40);
    let began = world.clock.now();
    for n in 0..40 {
        world.until_gone(&format!("c{n:02}"), HOUR).await;
    }
    let took = world.clock.now().duration_since(began);
    assert!(took.as_mins() > 10, "without a look by an edit: {took:?}");
    assert_eq!((world.told(ADDON, "RateLimited"), world.told(ADDON, "QuotaConstrained")), (0, 1));
    assert_eq!(world.writes_to("production"), [], "what is Ready stays so");
}

#[tokio::test(start_paused = true)]
async fn more_edits_than_calls_wait_say_why_and_are_made_once() {
    let world = world(TINY, "10m").await;
    for n in 0..20 {
        world.connection(&format!("c{n:02}"), &format!("org{n:02}"));
    }
    world.pass(5 * SECOND).await;
    let waits = |n: &usize| says(&world.get(&format!("c{n:02}")), "False", "RateLimited");
    let waiting: Vec<_> = (0..20).filter(waits).collect();
    assert!((10..20).contains(&waiting.len()), "{waiting:?}");
    let object = world.get(&format!("c{:02}", waiting[0]));
    assert_eq!(progress(&object), Some("Reconciling"));
    assert!(message(&object).contains("132 calls an hour"), "{}", message(&object));
    // One that needs a look first waits like the others.
    world.connection("late", "lateOrg");
    world.within(HOUR, "late", "True", "Connected").await;
    for n in 0..20 {
        world.within(HOUR, &format!("c{n:02}"), "True", "Connected").await;
    }
    assert_eq!((world.posts(), world.remote().len()), (21, 21));
    assert!(world.passes() <= 4, "nothing was touched by what was not sent: {} passes", world.passes());
    let most = (0..20).map(|n| world.writes_to(&format!("c{n:02}")).len()).max().unwrap_or_default();
    assert!(most <= 12, "{most} writes to one");
    let text = world.metrics.text();
    assert!(text.contains("applink_calls_not_sent_total{scope=\"addon\",why=\"spent\"}"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_one_is_told_of_is_kept_by_all_to_the_second() {
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
        // Whatever anybody wants.
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
async fn a_pause_of_the_account_is_kept_by_all_of_its_add_ons_and_by_no_other() {
    let world = World::with_addon().await;
    world.second_addon("heroku-api").await;
    let mut limited = answer(Where::Before, 429, None, Some(137));
    limited.path_contains = Some("orders-prod".to_owned());
    limited.path_prefix = Some("/apps/".to_owned());
    world.fault(limited.times(1));
    let platform = |r: &RequestRecord| r.api == Api::Platform;
    // The next to need anything of Heroku is told.
    let told = |r: &RequestRecord| r.status == Some(http::StatusCode::TOO_MANY_REQUESTS);
    while world.asked(told) == 0 {
        world.pass(SECOND).await;
    }
    let at = times(&world, told)[0];
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
async fn two_add_ons_share_the_budget_of_their_account_and_have_their_own_each() {
    // Less than both need for their parameters and for being found, and enough at once for that.
    let world = world(Limits { per_hour: 90, at_once: 32, reserve: 6, last: 2 }, "90s").await;
    world.second_addon("heroku-api").await;
    world.pass(6 * HOUR).await;
    let busiest = busiest_hour(&times(&world, |r| r.api == Api::Platform));
    assert!((60..=90).contains(&busiest), "{busiest}");
    for id in [Seed::ADDON_ID, OTHER_ID] {
        let own = times(&world, |r| r.path.contains(&id.to_string()) && r.api == Api::AppLink);
        assert!((50..=90).contains(&busiest_hour(&own)), "{}", busiest_hour(&own));
    }
    for name in [ADDON, OTHER] {
        let events = world.events_of(name);
        let told = events.iter().find(|e| e.reason == "QuotaConstrained").expect("told");
        assert_eq!((told.kind.as_str(), world.told(name, "QuotaConstrained")), ("Warning", 1), "{events:#?}");
        assert_eq!(world.told(name, "RateLimited"), 0, "{events:#?}");
    }
    assert!(world.events().iter().any(|e| e.note.contains("this Heroku account")), "{:#?}", world.events());
}

#[tokio::test(start_paused = true)]
async fn an_account_that_others_use_up_is_spared() {
    let world = world(Limits::default(), "60s").await;
    world.connection("production", "productionOrg");
    world.until("production", "True", "Connected").await;
    assert!(left(&world, "account") > 800);
    world.sim.settings(|settings| settings.rate_limit = 100);
    until_reachable(&world, "False", "QuotaConstrained", 10 * MINUTE).await;
    assert!((100..300).contains(&left(&world, "account")), "{}", left(&world, "account"));
    // Some is kept for whoever edits.
    world.connection("second", "secondOrg");
    world.within(2 * SECOND, "second", "True", "Connected").await;
    world.pass(HOUR).await;
    assert!(says(&world.get_addon(), "True", "AddonReady"));
    world.sim.settings(|settings| settings.rate_limit = 4500);
    until_reachable(&world, "True", "Reachable", 30 * MINUTE).await;
    assert_eq!(world.told(ADDON, "QuotaConstrained"), 1, "{:#?}", world.events_of(ADDON));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_asks_for_no_pause_at_all_is_not_stormed() {
    let world = World::with_connection().await;
    world.forget_requests();
    world.fault(on_applink(answer(Where::Before, 429, None, Some(0))));
    world.pass(3 * HOUR).await;
    let all = times(&world, |r| r.api == Api::AppLink);
    assert!(busiest_hour(&all) <= 4500, "{}", busiest_hour(&all));
    world.heal();
    world.within(10 * MINUTE, "production", "True", "Connected").await;
}
