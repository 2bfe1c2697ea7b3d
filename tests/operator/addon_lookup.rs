//! App, add-on and API URL that are deleted, recreated or moved while the lookup is cached: how soon the operator
//! notices, that it touches nothing on another add-on, and what the new lookup costs.

use std::time::Duration;

use applink_simulator::{Addon, Api, Fault, Seed, Token, Where};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::inspect::on_applink;
use crate::world::{ADDON, HOUR, NS, SOON, World, condition, message, progress, says};

const MINUTE: Duration = Duration::from_secs(60);
/// A poll interval with its jitter, and the pass.
const A_POLL: Duration = Duration::from_secs(67);
/// The parts of a lookup.
const PARTS: [&str; 4] = ["/orders-prod", "/addons", "/addon-attachments", "/config-vars"];
/// URL of the moved API.
const MOVED: &str = "https://applink-eu.heroku.com/addons/moved";
const REMADE: Uuid = Uuid::from_u128(7);

/// A Ready Connection, some time after the last pass; the cached lookup is less than ten minutes old.
async fn at_rest() -> World {
    let world = World::with_connection().await;
    world.pass(2 * MINUTE).await;
    world.forget_requests();
    world
}

/// Number of lookups.
fn resolved(world: &World) -> usize {
    let times = PARTS.map(|part| world.request_count(|r| r.api == Api::Platform && r.path.ends_with(part)));
    assert!(times.iter().all(|n| *n == times[0]), "all at once: {times:?}");
    times[0]
}

fn move_api(world: &World) {
    let var = ("HEROKU_APPLINK_API_URL".to_owned(), MOVED.to_owned());
    world.sim.world(|world| world.app_mut(Seed::APP_NAME).expect("it exists").config_vars.extend([var]));
}

fn has_moved(object: Option<&Value>) -> bool {
    object.is_some_and(|o| o["status"]["apiURL"] == MOVED)
}

fn request(world: &World, value: &str) {
    world.api.annotate("applinkaddons", NS, ADDON, "applink.dev/requestedAt", Some(value));
}

/// Destroys the add-on and creates another with its name. Returns the old one.
fn remake(world: &World) -> Addon {
    let old = world.sim.world(|world| world.addon(Seed::ADDON_NAME).expect("it exists").clone());
    let remade = Addon { id: REMADE, token: Token::new("remade-0123456789abcdef"), ..old.clone() };
    put_in_place(world, remade);
    old
}

fn put_in_place(world: &World, addon: Addon) {
    world.sim.world(|world| {
        world.addons.retain(|other| other.name != addon.name);
        world.add_addon(addon).expect("a new one");
    });
}

/// Calls to the recreated add-on.
fn strayed(world: &World) -> usize {
    world.request_count(|r| r.api == Api::AppLink && r.path.contains(&REMADE.to_string()))
}

#[tokio::test(start_paused = true)]
async fn request_on_the_addon_resolves_once() {
    let world = World::with_connection().await;
    assert_eq!(resolved(&world), 1, "nobody asked yet");
    world.pass(2 * MINUTE).await;
    world.forget_requests();
    move_api(&world);
    world.annotate("production", "requestedAt", "one");
    world.pass(SOON).await;
    assert_eq!(resolved(&world), 0, "objects on the add-on request a pass and nothing else");
    request(&world, "one");
    world.until_as("applinkaddons", ADDON, SOON, has_moved).await;
    world.pass(MINUTE).await;
    assert_eq!(resolved(&world), 1);
    assert_eq!(world.get_addon()["status"]["lastHandledReconcileAt"], "one");
}

#[tokio::test(start_paused = true)]
async fn deleted_app_is_seen_and_found_within_a_poll() {
    let world = at_rest().await;
    let (app, old) = world.sim.world(|world| {
        let app = world.app(Seed::APP_NAME).expect("it exists").clone();
        (app, world.addon(Seed::ADDON_NAME).expect("it exists").clone())
    });
    world.sim.world(|world| {
        world.addons.retain(|addon| addon.owner != app.id);
        world.apps.clear();
    });
    let object = world.until_addon_within(A_POLL, "False", "InvalidSpec").await;
    assert_eq!(progress(&object), Some("Stalled"));
    assert!(message(&object).contains("orders-prod does not exist"), "{}", message(&object));
    world.sim.world(|world| {
        world.add_app(app).expect("a new one");
        world.add_addon(old).expect("a new one");
    });
    world.until_addon_within(A_POLL, "True", "AddonReady").await;
    world.within(A_POLL, "production", "True", "Connected").await;
    assert_eq!(world.mutations(), 0);
}

/// While SSO parameters are valid, the app is not read. After that it is gone, whatever AppLink says.
#[tokio::test(start_paused = true)]
async fn unknown_app_is_reported_while_applink_answers() {
    for code in [404, 410] {
        let world = at_rest().await;
        let mut gone = Fault::status(Where::Before, code);
        gone.path_prefix = Some("/apps/".to_owned());
        world.fault(gone);
        world.until_addon_within(2 * A_POLL + A_POLL, "False", "InvalidSpec").await;
        world.clear_faults();
        world.until_addon_within(A_POLL, "True", "AddonReady").await;
    }
}

#[tokio::test(start_paused = true)]
async fn destroyed_addon_is_reported_within_a_poll() {
    let world = at_rest().await;
    world.sim.world(|world| world.addons.retain(|addon| addon.name != Seed::ADDON_NAME));
    let object = world.until_addon_within(A_POLL, "False", "InvalidSpec").await;
    assert!(message(&object).contains("has no AppLink add-on"), "{}", message(&object));
    assert_eq!(world.mutations(), 0);
}

#[tokio::test(start_paused = true)]
async fn recreated_addon_is_reported_within_a_poll() {
    // AppLink's answer for a destroyed add-on: invalid token, or not found.
    for code in [401, 403, 404, 410] {
        let world = at_rest().await;
        let old = remake(&world);
        let mut gone = Fault::status(Where::Before, code);
        gone.path_prefix = Some(format!("/addons/{}/", old.id));
        world.fault(gone);
        let object = world.until_addon_within(A_POLL, "False", "AddonChanged").await;
        assert_eq!(progress(&object), Some("Stalled"));
        assert_eq!(object["status"]["addonID"], old.id.to_string(), "a UUID once resolved is kept");
        world.within(SOON, "production", "False", "AddonChanged").await;
        world.connection("second", "secondOrg");
        world.delete("production");
        world.pass(HOUR).await;
        assert_eq!((world.mutations(), strayed(&world)), (0, 0), "nothing on it is touched, after {code}");
        world.clear_faults();
        put_in_place(&world, old);
        world.until_addon_within(A_POLL, "True", "AddonReady").await;
        world.within(A_POLL, "second", "True", "Connected").await;
    }
}

/// The lookup may become outdated between two passes. A write must not reach another add-on then.
#[tokio::test(start_paused = true)]
async fn write_between_passes_does_not_reach_recreated_addon() {
    let mut world = World::new();
    world.addon_with(json!({"pollInterval": "1h"}));
    world.connection("production", "productionOrg");
    world.start();
    world.until("production", "True", "Connected").await;
    world.pass(15 * MINUTE).await;
    remake(&world);
    world.forget_requests();
    world.delete("production");
    world.pass(10 * MINUTE).await;
    assert_eq!((strayed(&world), world.mutations()), (0, 0));
    assert!(world.api.get("connections", NS, "production").is_some(), "nothing was deleted");
}

#[tokio::test(start_paused = true)]
async fn moved_api_is_found_at_the_second_failure() {
    let world = at_rest().await;
    // The pass that fails has two list calls.
    world.fault(on_applink(Fault::status(Where::Before, 503).times(2)));
    move_api(&world);
    world.until_as("applinkaddons", ADDON, A_POLL + SOON, has_moved).await;
    assert_eq!(resolved(&world), 1);
    assert!(says(&world.get("production"), "True", "Connected"));
}

#[tokio::test(start_paused = true)]
async fn outage_resolves_once() {
    let world = at_rest().await;
    world.fault(on_applink(Fault::status(Where::Before, 503)));
    // The lookup is up to ten minutes old by then, as usual.
    world.pass(HOUR).await;
    assert!((6..=7).contains(&resolved(&world)), "{}", resolved(&world));
    world.clear_faults();
}

#[tokio::test(start_paused = true)]
async fn false_404_is_an_outage() {
    for (poll, most) in [("60s", 61), ("10s", 61)] {
        let mut world = World::new();
        world.addon_with(json!({"pollInterval": poll}));
        world.connection("production", "productionOrg");
        world.start();
        world.until("production", "True", "Connected").await;
        world.pass(2 * MINUTE).await;
        world.forget_requests();
        world.fault(on_applink(Fault::status(Where::Before, 404)));
        world.pass(4 * MINUTE).await;
        let object = world.get_addon();
        assert!(says(&object, "True", "AddonReady"), "{object:#}");
        assert_eq!(condition(&object, "Reachable").expect("it is reported")["reason"], "RemoteUnavailable");
        world.pass(HOUR - 4 * MINUTE).await;
        assert!((30..=most).contains(&resolved(&world)), "{} times at {poll}", resolved(&world));
        assert!(says(&world.get_addon(), "Unknown", "RemoteUnavailable"));
        world.clear_faults();
        world.until_addon_within(A_POLL, "True", "AddonReady").await;
        assert_eq!((world.event_count(ADDON, "RemoteUnavailable"), world.mutations()), (2, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn child_404_says_nothing_about_the_addon() {
    let world = at_rest().await;
    world.fault(on_applink(Fault::status(Where::Before, 404).path_contains("/authorizations")));
    world.pass(9 * MINUTE).await;
    assert!(resolved(&world) <= 1, "{}", resolved(&world));
    assert!(says(&world.get_addon(), "True", "AddonReady"));
}

/// If AppLink refuses a token, the operator looks up the add-on again during the call.
#[tokio::test(start_paused = true)]
async fn refused_call_does_not_reach_recreated_addon() {
    let mut world = World::new();
    world.addon_with(json!({"addon": Seed::ADDON_NAME}));
    world.connection("production", "productionOrg");
    world.start();
    world.until("production", "True", "Connected").await;
    world.forget_requests();
    world.sim.world(|world| {
        let old = world.addon_mut(Seed::ADDON_NAME).expect("it exists");
        let mut other = Addon { id: REMADE, token: Token::new("remade-0123456789abcdef"), ..old.clone() };
        other.attachments[0].name = "APPLINK_ROUND".to_owned();
        (old.name, old.token_revoked) = ("heroku-applink-round-8".to_owned(), true);
        world.add_addon(other).expect("a new one");
    });
    world.pass(HOUR).await;
    assert_eq!((strayed(&world), world.mutations()), (0, 0));
    assert!(says(&world.get_addon(), "False", "AddonChanged"), "{:#}", world.get_addon());
}
