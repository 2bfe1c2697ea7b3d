//! App, add-on and API URL that are gone, remade or moved while what was found of them is still held: how soon that is
//! noticed, that nothing on another add-on is touched, and what looking anew costs.

use std::time::Duration;

use applink_simulator::{Addon, Api, Fault, Seed, Token, Where};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::look::on_applink;
use crate::world::{ADDON, HOUR, NS, SOON, World, condition, message, progress, says};

const MINUTE: Duration = Duration::from_secs(60);
/// A poll at its latest, and the pass itself.
const A_POLL: Duration = Duration::from_secs(67);
/// What is asked for to resolve app and add-on once.
const PARTS: [&str; 4] = ["/orders-prod", "/addons", "/addon-attachments", "/config-vars"];
/// Where the API is after it has moved.
const MOVED: &str = "https://applink-eu.heroku.com/addons/moved";
const REMADE: Uuid = Uuid::from_u128(7);

/// A Connection that is Ready, a pass that was a while ago, and what was found of the add-on less than ten minutes old.
async fn at_rest() -> World {
    let world = World::with_connection().await;
    world.pass(2 * MINUTE).await;
    world.forget_requests();
    world
}

/// How often app and add-on were resolved.
fn resolved(world: &World) -> usize {
    let times = PARTS.map(|part| world.asked(|r| r.api == Api::Platform && r.path.ends_with(part)));
    assert!(times.iter().all(|n| *n == times[0]), "all at once: {times:?}");
    times[0]
}

fn move_api(world: &World) {
    let var = ("HEROKU_APPLINK_API_URL".to_owned(), MOVED.to_owned());
    world.sim.world(|world| world.app_mut(Seed::APP_NAME).expect("it is there").config_vars.extend([var]));
}

fn has_moved(object: Option<&Value>) -> bool {
    object.is_some_and(|o| o["status"]["apiURL"] == MOVED)
}

fn request(world: &World, value: &str) {
    world.api.annotate("applinkaddons", NS, ADDON, "applink.dev/requestedAt", Some(value));
}

/// Destroys the add-on and has another under its name; gives the old one.
fn remake(world: &World) -> Addon {
    let old = world.sim.world(|world| world.addon(Seed::ADDON_NAME).expect("it is there").clone());
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

/// Calls to the add-on that took the name.
fn strayed(world: &World) -> usize {
    world.asked(|r| r.api == Api::AppLink && r.path.contains(&REMADE.to_string()))
}

#[tokio::test(start_paused = true)]
async fn a_request_of_the_add_on_itself_resolves_anew_and_that_once() {
    let world = World::with_connection().await;
    assert_eq!(resolved(&world), 1, "nobody asked yet");
    world.pass(2 * MINUTE).await;
    world.forget_requests();
    move_api(&world);
    world.annotate("production", "requestedAt", "one");
    world.pass(SOON).await;
    assert_eq!(resolved(&world), 0, "what lives on the add-on asks for a pass and no more");
    request(&world, "one");
    world.until_as("applinkaddons", ADDON, SOON, has_moved).await;
    world.pass(MINUTE).await;
    assert_eq!(resolved(&world), 1);
    assert_eq!(world.get_addon()["status"]["lastHandledReconcileAt"], "one");
}

#[tokio::test(start_paused = true)]
async fn an_app_that_is_gone_is_told_within_a_poll_and_found_again_within_one() {
    let world = at_rest().await;
    let (app, old) = world.sim.world(|world| {
        let app = world.app(Seed::APP_NAME).expect("it is there").clone();
        (app, world.addon(Seed::ADDON_NAME).expect("it is there").clone())
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

/// For as long as SSO parameters count the app is not asked for; then it is gone, whatever AppLink says.
#[tokio::test(start_paused = true)]
async fn an_app_that_heroku_does_not_know_is_told_although_applink_answers() {
    for code in [404, 410] {
        let world = at_rest().await;
        let mut gone = Fault::status(Where::Before, code);
        gone.path_prefix = Some("/apps/".to_owned());
        world.fault(gone);
        world.until_addon_within(2 * A_POLL + A_POLL, "False", "InvalidSpec").await;
        world.heal();
        world.until_addon_within(A_POLL, "True", "AddonReady").await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_add_on_that_was_destroyed_is_told_within_a_poll() {
    let world = at_rest().await;
    world.sim.world(|world| world.addons.retain(|addon| addon.name != Seed::ADDON_NAME));
    let object = world.until_addon_within(A_POLL, "False", "InvalidSpec").await;
    assert!(message(&object).contains("has no AppLink add-on"), "{}", message(&object));
    assert_eq!(world.mutations(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_add_on_that_was_remade_is_told_within_a_poll_and_the_old_one_found_again_within_one() {
    // What AppLink says of the one that is no more: that its token is none, or that there is none.
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
        world.heal();
        put_in_place(&world, old);
        world.until_addon_within(A_POLL, "True", "AddonReady").await;
        world.within(A_POLL, "second", "True", "Connected").await;
    }
}

/// What was found may grow old between two passes: whoever writes then must not come to another add-on either.
#[tokio::test(start_paused = true)]
async fn a_write_between_two_passes_does_not_stray_to_an_add_on_that_was_remade() {
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
async fn an_api_that_moved_is_found_at_the_second_pass_that_fails() {
    let world = at_rest().await;
    // Two lists in the one pass that fails.
    world.fault(on_applink(Fault::status(Where::Before, 503).times(2)));
    move_api(&world);
    world.until_as("applinkaddons", ADDON, A_POLL + SOON, has_moved).await;
    assert_eq!(resolved(&world), 1);
    assert!(says(&world.get("production"), "True", "Connected"));
}

#[tokio::test(start_paused = true)]
async fn an_outage_has_app_and_add_on_resolved_once_more_and_no_oftener() {
    let world = at_rest().await;
    world.fault(on_applink(Fault::status(Where::Before, 503)));
    // What was found is up to ten minutes old by then, as at any other time.
    world.pass(HOUR).await;
    assert!((6..=7).contains(&resolved(&world)), "{}", resolved(&world));
    world.heal();
}

#[tokio::test(start_paused = true)]
async fn a_service_that_says_404_of_what_is_there_is_an_outage_and_asked_about_once_a_minute_at_most() {
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
        assert_eq!(condition(&object, "Reachable").expect("told")["reason"], "RemoteUnavailable");
        world.pass(HOUR - 4 * MINUTE).await;
        assert!((30..=most).contains(&resolved(&world)), "{} times at {poll}", resolved(&world));
        assert!(says(&world.get_addon(), "Unknown", "RemoteUnavailable"));
        world.heal();
        world.until_addon_within(A_POLL, "True", "AddonReady").await;
        assert_eq!((world.told(ADDON, "RemoteUnavailable"), world.mutations()), (2, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_404_of_what_else_is_listed_says_nothing_of_the_add_on() {
    let world = at_rest().await;
    world.fault(on_applink(Fault::status(Where::Before, 404).path_contains("/authorizations")));
    world.pass(9 * MINUTE).await;
    assert!(resolved(&world) <= 1, "{}", resolved(&world));
    assert!(says(&world.get_addon(), "True", "AddonReady"));
}

/// A token that AppLink refuses has the add-on looked up anew, in the midst of a call.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_refused_does_not_stray_to_an_add_on_that_took_the_name() {
    let mut world = World::new();
    world.addon_with(json!({"addon": Seed::ADDON_NAME}));
    world.connection("production", "productionOrg");
    world.start();
    world.until("production", "True", "Connected").await;
    world.forget_requests();
    world.sim.world(|world| {
        let old = world.addon_mut(Seed::ADDON_NAME).expect("it is there");
        let mut other = Addon { id: REMADE, token: Token::new("remade-0123456789abcdef"), ..old.clone() };
        other.attachments[0].name = "APPLINK_ROUND".to_owned();
        (old.name, old.token_revoked) = ("heroku-applink-round-8".to_owned(), true);
        world.add_addon(other).expect("a new one");
    });
    world.pass(HOUR).await;
    assert_eq!((strayed(&world), world.mutations()), (0, 0));
    assert!(says(&world.get_addon(), "False", "AddonChanged"), "{:#}", world.get_addon());
}
