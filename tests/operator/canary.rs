//! Tokens and keys never appear in objects, Events, annotations, metrics or logs, even if the service repeats them.

use std::time::Duration;

use applink_simulator::{
    ACCESS_TOKEN_MARK, CONSENT_MARKS, Fault, JwtFailure, RemoteError, Seed, Status, Token, What, Where,
};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use crate::inspect::{answer, on_applink, on_post};
use crate::log;
use crate::world::{HOUR, LATER, NS, SOON, World, pem};

const ROTATED: &str = "rotatedaddontoken0123456789";
const WRONG: &str = "HRKU-wrong-canary-token";

/// Strings that must not appear: tokens, keys, their encodings, and OAuth state.
fn canaries() -> Vec<String> {
    let body = |name| pem(name).lines().nth(1).expect("a body").to_owned();
    let encoded = |text: &str| BASE64_STANDARD.encode(text).trim_end_matches('=').to_owned();
    let mut all = vec![
        Seed::HEROKU_TOKEN.to_owned(),
        Seed::ADDON_TOKEN.to_owned(),
        ROTATED.to_owned(),
        WRONG.to_owned(),
        body("good"),
        body("bad"),
        "canary private key".to_owned(),
        ACCESS_TOKEN_MARK.to_owned(),
        "resource_token".to_owned(),
        encoded("{\"action\":")[..12].to_owned(),
    ];
    all.extend(CONSENT_MARKS.map(str::to_owned));
    all.extend([Seed::HEROKU_TOKEN, Seed::ADDON_TOKEN, ROTATED].map(encoded));
    all
}

/// Everything readable in the cluster except Secrets.
pub fn everything(world: &World) -> String {
    let kinds = ["applinkaddons", "connections", "authorizations", "publications", "dataactiontargets"];
    let kinds = kinds.into_iter().chain(["configmaps", "leases", "events"]);
    let objects: Vec<Value> = kinds.flat_map(|kind| world.api.list(kind)).collect();
    let writes = world.api.writes();
    let written = writes.iter().filter(|write| write.resource != "secrets").map(|write| write.body.to_string());
    let written: Vec<String> = written.collect();
    format!("{}\n{}\n{}", Value::Array(objects), written.join("\n"), world.metrics.text())
}

pub fn assert_clean(what: &str, text: &str) {
    for canary in canaries() {
        if let Some(at) = text.find(&canary) {
            let from = text[..at].char_indices().rev().nth(200).map_or(0, |(at, _)| at);
            panic!("{canary} is in {what}: …{}", &text[from..at + canary.len()]);
        }
    }
}

/// A response that repeats everything it received.
fn echo(code: u16) -> Fault {
    let text = format!(
        "bad request with {} and {} for {} by Bearer {} at https://x.example/cb?state=eyJjb25uZWN0aW9uIjoxfQ",
        pem("good"),
        Seed::ADDON_TOKEN,
        pem("bad").replace('\n', "\\n"),
        Seed::HEROKU_TOKEN
    );
    answer(Where::Before, code, Some(json!({"id": "echo", "message": text})), None)
}

/// OAuth: a link that is stored, renewed, expired, denied and used.
async fn consent(world: &mut World) {
    world.connection_with("person", "personOrg", json!({"jwt": null, "oauth": {}}));
    world.within(LATER, "person", "False", "AwaitingUser").await;
    world.api.delete("secrets", NS, "person-connection-oauth");
    world.pass(SOON).await;
    let secret = world.secret("person-connection-oauth").expect("it comes back");
    let link = BASE64_STANDARD.decode(secret["data"]["url"].as_str().expect("a link")).expect("Base64");
    let link = String::from_utf8(link).expect("text");
    assert!(CONSENT_MARKS.iter().any(|mark| link.contains(mark)), "the link contains the canary: {link}");
    world.within(HOUR, "person", "False", "AuthorizationExpired").await;
    world.annotate("person", "requestedAt", "1");
    world.within(LATER, "person", "False", "AwaitingUser").await;
    let (id, now) = (world.only("personOrg").id, world.clock.now());
    let denied = RemoteError::new("access_denied", &format!("denied at {link} to {ROTATED}"));
    world.sim.world(|w| w.set_status(id, Status::Failed, Some(denied), now)).expect("it exists");
    world.within(LATER, "person", "False", "RemoteFailed").await;
    world.annotate("person", "replace", "1");
    world.within(LATER, "person", "False", "AwaitingUser").await;
    world.restart().await;
    world.consent("personOrg", "admin@example.com");
    world.within(LATER, "person", "True", "Connected").await;
}

/// Takes one connection through every failure and success.
async fn live_through(world: &mut World) {
    world.addon();
    world.start();
    world.until_addon("True", "AddonReady").await;
    for code in [400, 422, 500, 401, 403] {
        let fault = world.fault(on_post(echo(code)));
        let name = format!("echo{code}");
        world.connection(&name, &name);
        world.pass(SOON * 3).await;
        world.sim.faults(|faults| faults.remove(&fault));
    }
    world.connection("production", "productionOrg");
    world.within(LATER, "production", "True", "Connected").await;
    for fault in [echo(500), echo(401), echo(302), Fault::new(Where::After, What::Truncate)] {
        let fault = world.fault(on_applink(fault));
        world.pass(HOUR / 4).await;
        world.sim.faults(|faults| faults.remove(&fault));
    }
    let fault = world.fault(echo(403));
    world.pass(HOUR / 4).await;
    world.sim.faults(|faults| faults.remove(&fault));
    world.api.set_secret(NS, "heroku-api", &[("token", WRONG)]);
    world.pass(SOON * 3).await;
    world.api.set_secret(NS, "heroku-api", &[("token", Seed::HEROKU_TOKEN)]);
    world.sim.world(|world| {
        world.addon_mut(Seed::ADDON_NAME).expect("it exists").token = Token::new(ROTATED);
    });
    world.pass(HOUR / 4).await;
    world.sim.settings(|settings| {
        settings.accepted_keys = vec!["0".repeat(64)];
        settings.jwt_failure = JwtFailure::FailedLater;
    });
    world.connection("failed", "failedOrg");
    world.within(LATER, "failed", "False", "RemoteFailed").await;
    world.key("bad");
    world.pass(SOON).await;
    world.api.set_secret(NS, "sf-jwt", &[("server.key", &pem("bad").replace("BEGIN", "BEGINN"))]);
    world.pass(SOON).await;
    consent(world).await;
    world.delete("production");
    world.until_gone("production", LATER).await;
}

#[tokio::test(start_paused = true)]
async fn secrets_appear_in_no_object_event_or_log() {
    let mut world = World::new();
    log::begin();
    live_through(&mut world).await;
    let text = log::end();
    assert!(text.contains("create productionOrg"), "what is done is logged: {text}");
    assert_clean("the log", &text);
    let text = everything(&world);
    assert!(text.contains("productionOrg") && text.contains("applink_remote_calls"));
    assert_clean("the cluster or the metrics", &text);
    for event in world.events() {
        assert!(event.note.len() < 1024, "{event:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn canary_search_finds_a_leak() {
    let world = World::with_connection().await;
    world.annotate("production", "note", &format!("it is {}", Seed::ADDON_TOKEN));
    let text = everything(&world);
    let found = std::panic::catch_unwind(|| assert_clean("this test", &text));
    assert!(found.is_err());
    world.pass(Duration::from_secs(1)).await;
}
