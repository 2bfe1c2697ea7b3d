//! Credentials that cannot be read: Ready stays, the problem is reported unless the add-on reports it, and the read is
//! retried.

use std::time::Duration;

use applink_simulator::{Fault, Status, What, Where};
use serde_json::{Value, json};

use super::{CREDENTIALS_SECRET, NAME, REFRESH, World, exporting, is_reading, kept, on_credentials_read};
use crate::inspect::{answer, refusal};
use crate::world::{HOUR, LATER, NS, SOON, message, progress, says};

/// Faults of a read of the credentials, each with the reason that reports it.
fn faults() -> Vec<(Fault, &'static str)> {
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
async fn never_ready_reports_unreadable_credentials() {
    for (fault, reason) in faults() {
        let world = World::with_addon().await;
        let case = format!("{fault:?}");
        world.fault(on_credentials_read(fault));
        world.authorize(&exporting());
        let object = world.authorized("False", reason).await;
        assert!(progress(&object).is_some(), "{case}");
        assert_eq!(
            object["status"]["id"],
            world.only_stored().id.to_string(),
            "the created object is recorded: {case}"
        );
        assert_eq!(object["status"]["credentialsSecretName"], Value::Null);
        world.pass(HOUR).await;
        assert!(world.reads() <= 62, "no storm: {} {case}", world.reads());
        assert_eq!((world.secret(CREDENTIALS_SECRET), world.mutations()), (None, 1));
        world.clear_faults();
        world.authorized_within(LATER, "True", "Authorized").await;
        assert!(world.token().is_some());
        let said: Vec<_> = world.writes_of("authorizations").iter().map(|w| w.body.to_string()).collect();
        // The add-on reports rate limits with its own message.
        assert!(said.len() <= 4, "{case}: {said:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn ready_stays_and_mentions_unreadable_credentials() {
    for (fault, reason) in faults() {
        let world = kept().await;
        let (before, case) = (world.secret(CREDENTIALS_SECRET), format!("{fault:?}"));
        world.expire_token();
        world.fault(on_credentials_read(fault));
        let out_of_order = |o: &Value| message(o).contains(&format!("Secret {CREDENTIALS_SECRET} may be out of date"));
        let object = world.seen(HOUR / 2, out_of_order).await;
        assert!(says(&object, "True", "Authorized") && progress(&object).is_none(), "{case}: {object:#}");
        assert_eq!(object["status"]["credentialsSecretName"], CREDENTIALS_SECRET);
        world.pass(HOUR).await;
        let writes = world.writes_to_it();
        assert!(writes <= 4, "reported once, not each time: {writes} {case} {reason}");
        assert_eq!((world.secret(CREDENTIALS_SECRET), world.mutations()), (before.clone(), 1));
        world.clear_faults();
        let recreated = |o: &Value| message(o).ends_with("is authorized") && says(o, "True", "Authorized");
        world.seen(LATER, recreated).await;
        assert_ne!(world.secret(CREDENTIALS_SECRET), before);
    }
}

#[tokio::test(start_paused = true)]
async fn short_outage_causes_no_write() {
    let world = kept().await;
    world.pass(REFRESH / 3).await;
    world.api.clear_writes();
    world.fault(on_credentials_read(answer(Where::Before, 503, None, None)).times(2));
    world.pass(HOUR).await;
    assert_eq!(world.api.writes(), []);
}

#[tokio::test(start_paused = true)]
async fn other_work_continues_meanwhile() {
    let world = kept().await;
    world.fault(on_credentials_read(answer(Where::Before, 503, None, None)));
    world.pass(REFRESH * 4).await;
    world.turn(Status::Failed);
    world.authorized_within(Duration::from_secs(80), "False", "RemoteFailed").await;
    world.turn(Status::Connected);
    world.authorized_within(Duration::from_secs(80), "False", "RemoteUnavailable").await;
    world.deleted().await;
    assert_eq!((world.stored().len(), world.secret(CREDENTIALS_SECRET)), (0, None));
}

#[tokio::test(start_paused = true)]
async fn edit_or_request_retries_at_once() {
    let world = World::with_addon().await;
    world.fault(on_credentials_read(answer(Where::Before, 400, None, None)));
    world.authorize(&exporting());
    world.authorized("False", "RemoteRejected").await;
    world.pass(SOON).await;
    world.clear_faults();
    world.ask("requestedAt", "1");
    world.authorized("True", "Authorized").await;
    assert_eq!(world.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn credentials_of_another_authorization_are_discarded() {
    let world = World::with_addon().await;
    let body = json!({"id": "another", "status": "authorized", "org": {"id": "00D", "developer_name": "batchUser",
        "user_auth": {"access_token": "00D!theirs"}}});
    world.fault(on_credentials_read(answer(Where::Before, 200, Some(body), None)));
    world.authorize(&exporting());
    world.authorized("False", "RemoteUnavailable").await;
    assert_eq!(world.secret(CREDENTIALS_SECRET), None);
    assert_eq!(world.request_count(is_reading), world.reads());
    assert_eq!(world.event_count(NAME, "Authorized"), 0);
}

#[tokio::test(start_paused = true)]
async fn outage_is_reported_by_the_addon_and_keeps_the_secret() {
    let world = kept().await;
    let before = world.secret(CREDENTIALS_SECRET);
    world.fault(crate::inspect::on_applink(answer(Where::Before, 503, None, None)));
    world.pass(Duration::from_secs(240)).await;
    assert!(says(&world.authorization(), "True", "Authorized"));
    assert_eq!(world.writes_to_it(), 2);
    world.pass(HOUR).await;
    assert!(says(&world.authorization(), "Unknown", "RemoteUnavailable"), "{:#}", world.authorization());
    assert_eq!(world.secret(CREDENTIALS_SECRET), before);
    world.clear_faults();
    world.authorized_within(LATER, "True", "Authorized").await;
    assert_eq!(
        world.api.list("secrets").iter().filter(|s| s["metadata"]["name"] == CREDENTIALS_SECRET).count(),
        1,
        "in {NS}"
    );
}
