//! Wrong, expired and rotated tokens: Heroku's, the add-on's and the SSO parameters; and the hosts that they may be
//! sent to.

use std::time::Duration;

use applink_simulator::{Api, Fault, Seed, SsoFreshness, SsoVariant, Token, Where};
use serde_json::json;

use crate::inspect::on_applink;
use crate::world::{HOUR, NS, World, message, progress, says};

const SOONER: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_secs(67);

fn fetched_sso(world: &World) -> usize {
    world.request_count(|r| r.path.ends_with("/sso"))
}

#[tokio::test(start_paused = true)]
async fn refused_sso_is_renewed_silently() {
    for code in [401, 403] {
        let world = World::with_connection().await;
        world.pass(HOUR).await;
        world.api.clear_writes();
        let (before, passes) = (fetched_sso(&world), world.passes());
        let events = world.events();
        let fault = world.fault(on_applink(Fault::status(Where::Before, code)).times(1));
        world.pass(POLL).await;
        let hits = world.sim.faults(|faults| faults.iter().find(|f| f.id == fault).map(|f| f.hits));
        assert_eq!(hits, Some(1));
        assert!(world.passes() > passes && fetched_sso(&world) > before);
        assert_eq!((world.api.writes(), world.events()), (Vec::new(), events));
    }
}

#[tokio::test(start_paused = true)]
async fn short_lived_sso_does_no_harm() {
    for freshness in [SsoFreshness::WritesOnly, SsoFreshness::EveryCall] {
        let world = World::with_connection().await;
        world.sim.settings(|settings| {
            settings.sso_window_seconds = 20.0;
            settings.sso_freshness = freshness;
        });
        world.pass(POLL).await;
        world.api.clear_writes();
        world.pass(6 * HOUR).await;
        assert_eq!(world.api.writes(), [], "renewed without errors");
        world.connection("second", "secondOrg");
        world.within(SOONER, "second", "True", "Connected").await;
    }
}

#[tokio::test(start_paused = true)]
async fn rotated_addon_token_is_found() {
    let world = World::with_connection().await;
    world.pass(HOUR).await;
    world.api.clear_writes();
    let rotate = |world: &mut applink_simulator::World| {
        world.addon_mut(Seed::ADDON_NAME).expect("it exists").token = Token::new("rotated-0123456789abcdef");
    };
    world.sim.world(rotate);
    world.forget_requests();
    world.pass(POLL).await;
    let fine = world.request_count(|r| r.api == Api::AppLink && r.status.is_some_and(|s| s.is_success()));
    assert!(fine > 0, "the new token is in use");
    assert_eq!(world.api.writes(), [], "nobody reports it");
    assert!(says(&world.get_addon(), "True", "AddonReady"));
    world.connection("second", "secondOrg");
    world.within(SOONER, "second", "True", "Connected").await;
}

#[tokio::test(start_paused = true)]
async fn either_sso_route_works() {
    for refused in [SsoVariant::Sdk, SsoVariant::AddonsSso] {
        let mut world = World::new();
        world.sim.settings(|settings| settings.refused_sso_variant = Some(refused));
        world.addon();
        world.connection("production", "productionOrg");
        world.start();
        world.until("production", "True", "Connected").await;
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_heroku_token_causes_no_storm() {
    let mut world = World::new();
    world.api.set_secret(NS, "heroku-api", &[("token", "HRKU-wrong-canary")]);
    world.addon();
    world.connection("production", "productionOrg");
    world.start();
    let object = world.until_addon("False", "CredentialInvalid").await;
    assert_eq!(progress(&object), Some("Stalled"));
    assert!(message(&object).contains("heroku authorizations:create"), "{}", message(&object));
    world.until("production", "False", "AddonNotReady").await;
    // Long enough for Ready to turn Unknown.
    world.pass(6 * POLL).await;
    world.forget_requests();
    world.api.clear_writes();
    world.pass(HOUR).await;
    let calls = world.request_count(|_| true);
    assert!((50..=4 * 61).contains(&calls), "one list per poll: {calls}");
    assert_eq!(world.api.writes(), []);
    world.api.set_secret(NS, "heroku-api", &[("token", Seed::HEROKU_TOKEN)]);
    world.within(SOONER, "production", "True", "Connected").await;
}

#[tokio::test(start_paused = true)]
async fn late_secrets_take_effect_at_once() {
    let mut world = World::new();
    world.api.delete("secrets", NS, "heroku-api");
    world.api.delete("secrets", NS, "sf-jwt");
    world.addon();
    world.connection("production", "productionOrg");
    world.start();
    let object = world.until_addon("False", "SecretNotFound").await;
    assert_eq!(progress(&object), Some("Reconciling"));
    world.api.set_secret(NS, "heroku-api", &[("other", "x")]);
    world.pass(SOONER).await;
    assert!(message(&world.get_addon()).contains("no key token"), "{}", message(&world.get_addon()));
    world.api.set_secret(NS, "heroku-api", &[("token", Seed::HEROKU_TOKEN)]);
    world.until_addon("True", "AddonReady").await;
    let object = world.until("production", "False", "SecretNotFound").await;
    assert_eq!(progress(&object), Some("Reconciling"));
    world.api.set_secret(NS, "sf-jwt", &[("server.key", "no key at all")]);
    let object = world.within(SOONER, "production", "False", "InvalidSecret").await;
    assert_eq!(progress(&object), Some("Stalled"));
    world.key("good");
    world.within(SOONER, "production", "True", "Connected").await;
    assert_eq!(world.posts(), 1);
}

#[tokio::test(start_paused = true)]
async fn disallowed_host_gets_no_call() {
    let mut world = World::new();
    world.addon_with(json!({"platformURL": "https://api.heroku.com.evil.example"}));
    world.connection("production", "productionOrg");
    world.start();
    let object = world.until_addon("False", "InvalidSpec").await;
    assert!(message(&object).contains("--allowed-host"), "{}", message(&object));
    world.pass(HOUR).await;
    assert_eq!(world.request_count(|_| true), 0);
}

#[tokio::test(start_paused = true)]
async fn disallowed_api_url_gets_no_call() {
    let mut world = World::new();
    world.sim.settings(|settings| settings.api_origin = Some("https://applink.evil.example".to_owned()));
    world.addon();
    world.connection("production", "productionOrg");
    world.start();
    world.until_addon("False", "InvalidSpec").await;
    world.pass(HOUR).await;
    assert_eq!(world.request_count(|r| r.api == Api::AppLink), 0);
    world.sim.settings(|settings| settings.api_origin = None);
    world.within(POLL, "production", "True", "Connected").await;
}

#[tokio::test(start_paused = true)]
async fn refused_token_costs_few_account_calls() {
    let mut world = World::new();
    world.addon_with(json!({"pollInterval": "10s"}));
    world.start();
    world.until_addon("True", "AddonReady").await;
    world.fault(on_applink(Fault::status(Where::Before, 401)));
    world.until_addon("False", "CredentialInvalid").await;
    world.forget_requests();
    world.pass(HOUR).await;
    let (heroku, applink) =
        (world.request_count(|r| r.api == Api::Platform), world.request_count(|r| r.api == Api::AppLink));
    assert!(applink > 600, "it is retried at each poll: {applink}");
    assert!(heroku < 1200, "others need calls, too: {heroku}");
    world.clear_faults();
    world.until_addon("True", "AddonReady").await;
}
