//! Tokens, keys and links of authorizations appear only in the Secrets made for them.

use applink_simulator::{ACCESS_TOKEN_MARK, Fault, Seed, Status, What, Where};
use serde_json::json;

use super::{CREDENTIALS_SECRET, World, by_oauth, exporting, on_credentials_read};
use crate::canary::{assert_clean, everything};
use crate::inspect::answer;
use crate::log;
use crate::world::{LATER, NS, SOON, pem};

/// A response that repeats all secrets instead of the credentials.
fn echo(world: &World, code: u16) -> Fault {
    let token = world.token().unwrap_or_default();
    let text = format!("no {token} with {} for {}", Seed::ADDON_TOKEN, pem("good"));
    let org = json!({"user_auth": {"access_token": token}});
    answer(Where::Before, code, Some(json!({"id": "echo", "message": text, "org": org})), None)
}

/// Takes an authorization through its whole lifecycle.
async fn live_through(world: &mut World) {
    world.addon();
    world.start();
    world.authorize(&exporting());
    world.authorized("True", "Authorized").await;
    for code in [200, 400, 401, 403, 404, 429, 500] {
        let fault = world.fault(on_credentials_read(echo(world, code)));
        world.ask("requestedAt", &code.to_string());
        world.pass(SOON * 4).await;
        world.sim.faults(|faults| faults.remove(&fault));
    }
    world.fault(on_credentials_read(Fault::new(Where::After, What::Truncate)).times(1));
    world.expire_token();
    world.ask("requestedAt", "truncated");
    world.pass(LATER).await;
    for (verb, code) in [("patch", 500), ("patch", 409), ("patch", 403)] {
        world.api.fail_next(verb, "secrets", 2, code);
        world.expire_token();
        world.ask("requestedAt", &format!("{verb}{code}"));
        world.pass(LATER).await;
    }
    world.turn(Status::Failed);
    world.authorized_within(LATER, "False", "RemoteFailed").await;
    world.turn(Status::Connected);
    world.authorized_within(LATER, "True", "Authorized").await;
    assert!(world.token().expect("it exists").contains(ACCESS_TOKEN_MARK), "the Secret contains the canary");
    world.deleted().await;
    let mut spec = by_oauth();
    spec["credentialsSecretName"] = json!(CREDENTIALS_SECRET);
    world.authorize(&spec);
    world.authorized_within(LATER, "False", "AwaitingUser").await;
    world.agree("admin@example.com");
    world.authorized_within(LATER, "True", "Authorized").await;
    assert!(world.api.get("secrets", NS, CREDENTIALS_SECRET).is_some());
}

#[tokio::test(start_paused = true)]
async fn credentials_appear_in_no_object_event_or_log() {
    let mut world = World::new();
    log::begin();
    live_through(&mut world).await;
    let text = log::end();
    assert!(text.contains("write credentials Secret batch-credentials"), "steps are logged: {text}");
    assert_clean("the log", &text);
    let text = everything(&world);
    assert!(text.contains("batchUser") && text.contains("credentialsSecretName"));
    assert_clean("the cluster or the metrics", &text);
}
