//! The credentials Secret: its content, when it is written, and when it is deleted.

use applink_simulator::{AccessToken, Status};
use serde_json::{Value, json};

use super::{CREDENTIALS_SECRET, NAME, REFRESH, World, applied, by_oauth, exporting, kept};
use crate::world::{HOUR, LATER, NS, SOON, says};

const OTHER: &str = "other-credentials";

#[tokio::test(start_paused = true)]
async fn credentials_secret_is_written_before_ready() {
    for provider in ["Salesforce", "DataCloud"] {
        let world = World::with_addon().await;
        let kinds_of_call = world.platform_calls();
        let mut spec = exporting();
        spec["provider"] = json!(provider);
        world.authorize(&spec);
        let ready = world.authorized("True", "Authorized").await;
        assert_eq!(ready["status"]["credentialsSecretName"], CREDENTIALS_SECRET);
        let secret = world.secret(CREDENTIALS_SECRET).expect("before it says so");
        assert_eq!((&secret["type"], &secret["metadata"]["annotations"]), (&json!("Opaque"), &Value::Null));
        let owner = &secret["metadata"]["ownerReferences"][0];
        assert_eq!((&owner["kind"], &owner["uid"]), (&json!("Authorization"), &ready["metadata"]["uid"]));
        let reported = world.secret_data(CREDENTIALS_SECRET).expect("it exists");
        let org = &ready["status"]["org"];
        for key in ["instanceURL", "apiVersion", "type", "userID", "username", "id"] {
            let name = match key {
                "type" => "orgType",
                "id" => "orgID",
                other => other,
            };
            assert_eq!(reported.get(name).map(String::as_str), org[key].as_str(), "{name}");
        }
        let now = world.clock.now();
        let token = world.only_stored().token_for(world.only_stored().org_at(now).expect("an org"));
        assert_eq!((reported.get("accessToken"), reported.len()), (Some(&token), 7));
        assert_eq!((world.writes_to_it(), world.mutations(), world.reads()), (2, 1, 1));
        assert_eq!(world.platform_calls(), kinds_of_call, "none for the credential");
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_secret_is_written_after_consent() {
    let mut spec = by_oauth();
    spec["credentialsSecretName"] = json!(CREDENTIALS_SECRET);
    let world = applied(spec).await;
    world.authorized("False", "AwaitingUser").await;
    assert_eq!((world.secret(CREDENTIALS_SECRET), world.reads()), (None, 0));
    world.agree("admin@example.com");
    let object = world.authorized("True", "Authorized").await;
    assert_eq!(object["status"]["credentialsSecretName"], CREDENTIALS_SECRET);
    assert_eq!(world.secret_data(CREDENTIALS_SECRET).expect("it exists")["username"], "admin@example.com");
    assert_eq!((world.writes_to_it(), world.mutations(), world.reads()), (3, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn credentials_are_read_every_five_minutes() {
    let mut world = kept().await;
    world.pass(REFRESH / 3).await;
    world.api.clear_writes();
    world.forget_requests();
    world.pass(HOUR).await;
    assert!((11..=12).contains(&world.reads()), "{}", world.reads());
    assert_eq!(world.api.writes(), [], "nothing changed");
    let passes = world.passes();
    assert!(world.request_count(|r| r.path.ends_with("/sso")) <= passes / 2 + 1, "as without it");
    world.restart().await;
    world.pass(SOON).await;
    assert_eq!(world.api.writes(), [], "a restart only reads");

    let before = world.token();
    world.expire_token();
    world.api.wait_until("secrets", NS, CREDENTIALS_SECRET, |_| world.token() != before, REFRESH + SOON).await;
    assert_eq!((world.writes_of("secrets").len(), world.writes_to_it()), (1, 0), "the object is left alone");
}

#[tokio::test(start_paused = true)]
async fn request_refreshes_credentials_at_once() {
    let world = kept().await;
    world.pass(SOON).await;
    let before = world.token();
    world.expire_token();
    world.ask("requestedAt", "now");
    let handled = |o: &Value| o["status"]["lastHandledReconcileAt"] == "now" && says(o, "True", "Authorized");
    world.seen(SOON, handled).await;
    assert_ne!(world.token(), before, "by the time that it says so");
    assert_eq!(world.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn changing_token_is_read_no_more_often() {
    let world = World::with_addon().await;
    world.sim.settings(|settings| settings.access_token = AccessToken::Fresh);
    world.authorize(&exporting());
    world.authorized("True", "Authorized").await;
    world.pass(HOUR).await;
    assert!(world.reads() <= 13, "{}", world.reads());
    assert_eq!((world.writes_of("secrets").len(), world.writes_to_it()), (world.reads(), 2));
}

#[tokio::test(start_paused = true)]
async fn deleted_or_edited_credentials_secret_is_restored() {
    let world = kept().await;
    let before = world.secret_data(CREDENTIALS_SECRET);
    world.api.delete("secrets", NS, CREDENTIALS_SECRET);
    world.until_exported(true, SOON).await;
    assert_eq!(world.secret_data(CREDENTIALS_SECRET), before);

    world.api.patch("secrets", NS, CREDENTIALS_SECRET, json!({"data": {"accessToken": "AAAA", "mine": "AAAA"}}));
    world
        .api
        .wait_until(
            "secrets",
            NS,
            CREDENTIALS_SECRET,
            |_| world.secret_data(CREDENTIALS_SECRET) == before,
            REFRESH + SOON,
        )
        .await;
    assert_eq!(world.writes_to_it(), 2);
}

#[tokio::test(start_paused = true)]
async fn immutable_credentials_secret_is_recreated_on_change() {
    let world = kept().await;
    world.api.patch("secrets", NS, CREDENTIALS_SECRET, json!({"immutable": true}));
    let before = world.token();
    world.expire_token();
    world.ask("requestedAt", "now");
    let other = |_: Option<&Value>| world.token().is_some_and(|token| Some(token) != before);
    world.api.wait_until("secrets", NS, CREDENTIALS_SECRET, other, LATER).await;
    assert_eq!(world.writes_to_it(), 3);
}

#[tokio::test(start_paused = true)]
async fn credentials_secret_exists_only_while_authorized() {
    for status in [Status::Failed, Status::Disconnecting, Status::Connecting, Status::Other("expired".to_owned())] {
        let world = kept().await;
        world.turn(status.clone());
        world.until_exported(false, LATER).await;
        let gone = |o: &Value| o["status"]["credentialsSecretName"].is_null();
        world.seen(SOON, gone).await;
        let reads = world.reads();
        world.pass(REFRESH * 2).await;
        assert_eq!((world.reads(), world.secret(CREDENTIALS_SECRET)), (reads, None), "{status:?}");
        world.turn(Status::Connected);
        world.authorized_within(LATER, "True", "Authorized").await;
        assert!(world.token().is_some(), "{status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn unexpected_user_gets_no_credentials_secret() {
    let world = kept().await;
    world.edit(json!({"spec": {"expect": {"username": "other@example.com"}}}));
    world.authorized("False", "OrgMismatch").await;
    assert_eq!(world.secret(CREDENTIALS_SECRET), None);
    world.edit(json!({"spec": {"expect": {"username": "BATCH@example.com"}}}));
    world.authorized("True", "Authorized").await;
    assert!(world.token().is_some());
}

#[tokio::test(start_paused = true)]
async fn credentials_secret_follows_the_spec_field() {
    let world = kept().await;
    world.edit(json!({"spec": {"credentialsSecretName": OTHER}}));
    let moved = |o: &Value| o["status"]["credentialsSecretName"] == OTHER && says(o, "True", "Authorized");
    world.seen(SOON, moved).await;
    assert_eq!(
        (world.secret(CREDENTIALS_SECRET), world.secret_data(OTHER).map(|reported| reported.len())),
        (None, Some(7))
    );
    world.edit(json!({"spec": {"credentialsSecretName": null}}));
    let gone = |o: &Value| o["status"]["credentialsSecretName"].is_null() && says(o, "True", "Authorized");
    world.seen(SOON, gone).await;
    assert_eq!((world.secret(OTHER), world.mutations()), (None, 1));
}

#[tokio::test(start_paused = true)]
async fn credentials_belong_to_the_current_authorization() {
    for vanishes in [true, false] {
        let world = kept().await;
        let before = (world.token(), world.only_stored().id);
        if vanishes {
            let now = world.clock.now();
            world.sim.world(|w| w.vanish(before.1, now)).expect("it exists");
        } else {
            world.ask("replace", "1");
        }
        let recreated = |o: &Value| says(o, "True", "Authorized") && o["status"]["id"] != before.1.to_string();
        world.seen(LATER, recreated).await;
        assert!(world.token().is_some() && world.token() != before.0, "nothing about the old one");
        assert_ne!(world.only_stored().id, before.1);
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_secret_stays_while_old_inputs_work() {
    let world = kept().await;
    world.key("another");
    world.authorized("False", "ReplacementRequired").await;
    let before = world.token();
    world.expire_token();
    world.api.wait_until("secrets", NS, CREDENTIALS_SECRET, |_| world.token() != before, REFRESH + SOON).await;
    assert!(says(&world.authorization(), "False", "ReplacementRequired"));
}

#[tokio::test(start_paused = true)]
async fn suspended_authorization_keeps_its_secret() {
    let world = kept().await;
    world.edit(json!({"spec": {"suspend": true}}));
    world.authorized("True", "Suspended").await;
    let (reads, before) = (world.reads(), world.secret(CREDENTIALS_SECRET));
    world.edit(json!({"spec": {"credentialsSecretName": OTHER}}));
    world.turn(Status::Failed);
    world.pass(HOUR).await;
    assert_eq!((world.reads(), world.secret(CREDENTIALS_SECRET), world.secret(OTHER)), (reads, before, None));
    world.edit(json!({"spec": {"suspend": false}}));
    world.authorized("False", "RemoteFailed").await;
    assert_eq!((world.secret(CREDENTIALS_SECRET), world.secret(OTHER)), (None, None));
}

#[tokio::test(start_paused = true)]
async fn credentials_secret_is_deleted_with_its_owner() {
    for (spec, orphan) in [(json!({}), false), (json!({"deletionPolicy": "Orphan"}), false), (json!({}), true)] {
        let world = kept().await;
        world.edit(json!({ "spec": spec }));
        if orphan {
            world
                .sim
                .faults(|faults| {
                    faults.add(crate::inspect::on_applink(crate::inspect::answer(
                        applink_simulator::Where::Before,
                        500,
                        None,
                        None,
                    )))
                })
                .expect("a fault");
            world.ask("force-orphan", "true");
        }
        world.pass(SOON).await;
        world.deleted().await;
        assert_eq!(world.secret(CREDENTIALS_SECRET), None, "{spec}");
    }
}

#[tokio::test(start_paused = true)]
async fn observing_authorization_may_export_credentials() {
    let world = World::with_addon().await;
    world.pass(SOON).await;
    world.planted("other@example.com", Status::Connected);
    let mut spec = exporting();
    spec["managementPolicy"] = json!("Observe");
    world.authorize(&spec);
    let object = world.authorized("True", "Authorized").await;
    assert_eq!(object["status"]["credentialsSecretName"], CREDENTIALS_SECRET);
    assert_eq!(world.secret_data(CREDENTIALS_SECRET).expect("it exists")["username"], "other@example.com");
    world.edit(json!({"spec": {"managementPolicy": "Full", "adoptionPolicy": "Never"}}));
    world.until_exported(false, LATER).await;
    assert_eq!(world.mutations(), 0);
    assert!(world.api.get("authorizations", NS, NAME).is_some());
}
