//! No token, key or link of an authorization is in anything that anybody reads but the Secrets made for them.

use applink_simulator::{ACCESS_TOKEN_MARK, Fault, Seed, Status, What, Where};
use serde_json::json;

use super::{KEPT, World, by_oauth, keeping, on_reading};
use crate::canary::{assert_clean, everything};
use crate::log;
use crate::look::answer;
use crate::world::{LATER, NS, SOON, pem};

/// An answer in place of a credential that repeats all that it knows.
fn echo(world: &World, code: u16) -> Fault {
    let token = world.token().unwrap_or_default();
    let text = format!("no {token} with {} for {}", Seed::ADDON_TOKEN, pem("good"));
    let org = json!({"user_auth": {"access_token": token}});
    answer(Where::Before, code, Some(json!({"id": "echo", "message": text, "org": org})), None)
}

/// All that may become of one.
async fn live_through(world: &mut World) {
    world.addon();
    world.start();
    world.authorize(&keeping());
    world.authorized("True", "Authorized").await;
    for code in [200, 400, 401, 403, 404, 429, 500] {
        let fault = world.fault(on_reading(echo(world, code)));
        world.ask("requestedAt", &code.to_string());
        world.pass(SOON * 4).await;
        world.sim.faults(|faults| faults.remove(&fault));
    }
    world.fault(on_reading(Fault::new(Where::After, What::Truncate)).times(1));
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
    assert!(world.token().expect("it is there").contains(ACCESS_TOKEN_MARK), "the canary is in its cage");
    world.deleted().await;
    let mut spec = by_oauth();
    spec["credentialsSecretName"] = json!(KEPT);
    world.authorize(&spec);
    world.authorized_within(LATER, "False", "AwaitingUser").await;
    world.agree("admin@example.com");
    world.authorized_within(LATER, "True", "Authorized").await;
    assert!(world.api.get("secrets", NS, KEPT).is_some());
}

#[tokio::test(start_paused = true)]
async fn neither_objects_nor_events_nor_the_finest_log_show_a_credential() {
    let mut world = World::new();
    log::begin();
    live_through(&mut world).await;
    let text = log::end();
    assert!(text.contains("read the credential for Secret batch-credentials"), "what is done is logged: {text}");
    assert_clean("the log", &text);
    let told = everything(&world);
    assert!(told.contains("batchUser") && told.contains("credentialsSecretName"));
    assert_clean("the cluster or the metrics", &told);
}
