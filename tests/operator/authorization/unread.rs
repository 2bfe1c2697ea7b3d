//! A credential that cannot be read: what is Ready stays so, it is told where nobody else does, and tried again.

use std::time::Duration;

use applink_simulator::{Fault, Status, What, Where};
use serde_json::{Value, json};

use super::{KEPT, NAME, REFRESH, World, is_reading, keeping, kept, on_reading};
use crate::look::{answer, refusal};
use crate::world::{HOUR, LATER, NS, SOON, message, progress, says};

/// All that may come back in place of a credential, and what is told of it. A service that is merely out of order tells
/// so itself.
fn troubles() -> Vec<(Fault, &'static str)> {
    vec![
        (refusal(500), "RemoteUnavailable"),
        (refusal(503), "RemoteUnavailable"),
        (refusal(429), "RateLimited"),
        (refusal(400), "RemoteRejected"),
        (refusal(404), "RemoteUnavailable"),
        (refusal(403), "CredentialInvalid"),
        (Fault::new(Where::Before, What::Reset), "RemoteUnavailable"),
        (Fault::new(Where::After, What::Truncate), "RemoteUnavailable"),
    ]
}

#[tokio::test(start_paused = true)]
async fn what_never_was_ready_says_why_and_is_once_it_can() {
    for (fault, reason) in troubles() {
        let world = World::with_addon().await;
        let told = format!("{fault:?}");
        world.fault(on_reading(fault));
        world.authorize(&keeping());
        let object = world.authorized("False", reason).await;
        assert!(progress(&object).is_some(), "{told}");
        assert_eq!(object["status"]["id"], world.only_stored().id.to_string(), "what was made is recorded: {told}");
        assert_eq!(object["status"]["credentialsSecretName"], Value::Null);
        world.pass(HOUR).await;
        assert!(world.reads() <= 62, "no storm: {} {told}", world.reads());
        assert_eq!((world.secret(KEPT), world.mutations()), (None, 1));
        world.heal();
        world.authorized_within(LATER, "True", "Authorized").await;
        assert!(world.token().is_some());
        let said: Vec<_> = world.writes_of("authorizations").iter().map(|w| w.body.to_string()).collect();
        // Of a limit of calls the add-on tells in words of its own.
        assert!(said.len() <= 4, "{told}: {said:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_ready_stays_so_and_tells_of_it() {
    for (fault, reason) in troubles() {
        let world = kept().await;
        let (before, told) = (world.secret(KEPT), format!("{fault:?}"));
        world.expire_token();
        world.fault(on_reading(fault));
        let out_of_order = |o: &Value| message(o).contains(&format!("Secret {KEPT} may be out of date"));
        let object = world.seen(HOUR / 2, out_of_order).await;
        assert!(says(&object, "True", "Authorized") && progress(&object).is_none(), "{told}: {object:#}");
        assert_eq!(object["status"]["credentialsSecretName"], KEPT);
        world.pass(HOUR).await;
        let writes = world.writes_to_it();
        assert!(writes <= 4, "told once, not each time: {writes} {told} {reason}");
        assert_eq!((world.secret(KEPT), world.mutations()), (before.clone(), 1));
        world.heal();
        let healed = |o: &Value| message(o).ends_with("is authorized") && says(o, "True", "Authorized");
        world.seen(LATER, healed).await;
        assert_ne!(world.secret(KEPT), before);
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_trouble_costs_no_write() {
    let world = kept().await;
    world.pass(REFRESH / 3).await;
    world.api.clear_writes();
    world.fault(on_reading(answer(Where::Before, 503, None, None)).times(2));
    world.pass(HOUR).await;
    assert_eq!(world.api.writes(), []);
}

#[tokio::test(start_paused = true)]
async fn meanwhile_everything_else_goes_on() {
    let world = kept().await;
    world.fault(on_reading(answer(Where::Before, 503, None, None)));
    world.pass(REFRESH * 4).await;
    world.turn(Status::Failed);
    world.authorized_within(Duration::from_secs(80), "False", "RemoteFailed").await;
    world.turn(Status::Connected);
    world.authorized_within(Duration::from_secs(80), "False", "RemoteUnavailable").await;
    world.deleted().await;
    assert_eq!((world.stored().len(), world.secret(KEPT)), (0, None));
}

#[tokio::test(start_paused = true)]
async fn an_edit_or_a_request_tries_again_at_once() {
    let world = World::with_addon().await;
    world.fault(on_reading(answer(Where::Before, 400, None, None)));
    world.authorize(&keeping());
    world.authorized("False", "RemoteRejected").await;
    world.pass(SOON).await;
    world.heal();
    world.ask("requestedAt", "1");
    world.authorized("True", "Authorized").await;
    assert_eq!(world.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_with_another_authorization_is_not_kept() {
    let world = World::with_addon().await;
    let body = json!({"id": "another", "status": "authorized", "org": {"id": "00D", "developer_name": "batchUser",
        "user_auth": {"access_token": "00D!theirs"}}});
    world.fault(on_reading(answer(Where::Before, 200, Some(body), None)));
    world.authorize(&keeping());
    world.authorized("False", "RemoteUnavailable").await;
    assert_eq!(world.secret(KEPT), None);
    assert_eq!(world.asked(is_reading), world.reads());
    assert_eq!(world.told(NAME, "Authorized"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_away_is_told_by_its_add_on_and_leaves_the_secret() {
    let world = kept().await;
    let before = world.secret(KEPT);
    world.fault(crate::look::on_applink(answer(Where::Before, 503, None, None)));
    world.pass(Duration::from_secs(240)).await;
    assert!(says(&world.authorization(), "True", "Authorized"));
    assert_eq!(world.writes_to_it(), 2);
    world.pass(HOUR).await;
    assert!(says(&world.authorization(), "Unknown", "RemoteUnavailable"), "{:#}", world.authorization());
    assert_eq!(world.secret(KEPT), before);
    world.heal();
    world.authorized_within(LATER, "True", "Authorized").await;
    assert_eq!(world.api.list("secrets").iter().filter(|s| s["metadata"]["name"] == KEPT).count(), 1, "in {NS}");
}
