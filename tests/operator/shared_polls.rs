//! Several AppLinkAddons, such as one per team, can refer to one add-on: it is polled once.

use std::time::Duration;

use applink_simulator::{Api, Seed, Token};
use serde_json::{Value, json};

use crate::world::{ADDON, HOUR, NS, SOON, World, addon, condition, says, with_spec};

const POLL: Duration = Duration::from_secs(10);

/// This many AppLinkAddons for the same add-on, each with its own Secret.
async fn teams(count: usize, token: impl Fn(usize) -> String) -> World {
    let mut world = World::new();
    for n in 0..count {
        let (name, secret) = (team(n), format!("token-{n}"));
        let token = token(n);
        world.sim.world(|world| world.account.tokens.push(Token::new(&token)));
        world.api.set_secret(NS, &secret, &[("token", &token)]);
        let app = if n % 2 == 0 { Seed::APP_NAME.to_owned() } else { Seed::APP_ID.to_string() };
        let spec = json!({"pollInterval": "10s", "app": app, "tokenSecretRef": {"name": secret, "key": "token"}});
        world.api.apply(with_spec(addon(&name), &spec));
    }
    world.start();
    for n in 0..count {
        world.until_of("applinkaddons", &team(n), SOON, ("True", "AddonReady")).await;
    }
    world.pass(6 * POLL).await;
    world
}

fn team(n: usize) -> String {
    if n == 0 { ADDON.to_owned() } else { format!("team-{n}") }
}

async fn calls_in(world: &World, time: Duration) -> usize {
    let calls = |world: &World| world.request_count(|r| r.api == Api::AppLink);
    let before = calls(world);
    world.pass(time).await;
    calls(world) - before
}

#[tokio::test(start_paused = true)]
async fn shared_addon_is_polled_once() {
    let alone = calls_in(&teams(1, |_| Seed::HEROKU_TOKEN.to_owned()).await, 30 * POLL).await;
    for count in [2, 5] {
        let same = calls_in(&teams(count, |_| Seed::HEROKU_TOKEN.to_owned()).await, 30 * POLL).await;
        let own = calls_in(&teams(count, |n| format!("HRKU-token-of-team-{n}")).await, 30 * POLL).await;
        for calls in [same, own] {
            assert!(calls <= alone + alone / 5, "{count} resources: {calls} calls, and {alone} for one");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_sharer_sees_changes_within_a_poll() {
    let world = teams(3, |_| Seed::HEROKU_TOKEN.to_owned()).await;
    let connection = |n: usize| {
        let name = format!("c{n}");
        let spec = json!({"addonRef": {"name": team(n)}});
        with_spec(crate::world::connection(&name, &format!("org{n}")), &spec)
    };
    for n in 0..3 {
        world.api.apply(connection(n));
    }
    for n in 0..3 {
        world.until(&format!("c{n}"), "True", "Connected").await;
    }
    let ready_again = |before: Value| {
        move |object: Option<&Value>| {
            object.is_some_and(|o| says(o, "True", "Connected") && o["status"]["id"] != before["status"]["id"])
        }
    };
    for round in 0..5 {
        for n in 0..3 {
            let before = world.get(&format!("c{n}"));
            world.vanish(&format!("org{n}"));
            let at_most = POLL + POLL / 5 + Duration::from_secs(2);
            world.until_as("connections", &format!("c{n}"), at_most, ready_again(before)).await;
            world.pass(Duration::from_secs(round * 3 + 1)).await;
        }
        world.pass(HOUR).await;
    }
}

#[tokio::test(start_paused = true)]
async fn leaving_sharer_does_not_affect_others() {
    let world = teams(3, |n| format!("HRKU-token-of-team-{n}")).await;
    world.api.delete("applinkaddons", NS, &team(1));
    world.until_as("applinkaddons", &team(1), SOON, |object| object.is_none()).await;
    world.sim.world(|world| world.account.tokens.retain(|token| token.expose() != "HRKU-token-of-team-0"));
    world.pass(HOUR / 2).await;
    let lost = world.get_addon();
    assert!(says(&lost, "False", "CredentialInvalid"), "{lost:#}");
    let other = world.api.get("applinkaddons", NS, &team(2)).expect("it exists");
    assert!(says(&other, "True", "AddonReady"), "{other:#}");
    assert_eq!(condition(&other, "Reachable").expect("it answers")["status"], "True");
    assert!(calls_in(&world, 10 * POLL).await > 0);
}
