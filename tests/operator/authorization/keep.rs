//! The Secret that keeps a credential: what is in it, when it is written, and when it goes.

use applink_simulator::{AccessToken, Status};
use serde_json::{Value, json};

use super::{KEPT, NAME, REFRESH, World, applied, by_oauth, keeping, kept};
use crate::world::{HOUR, LATER, NS, SOON, says};

const OTHER: &str = "other-credentials";

#[tokio::test(start_paused = true)]
async fn it_is_there_before_the_authorization_is_ready_and_holds_all_that_is_told() {
    for provider in ["Salesforce", "DataCloud"] {
        let world = World::with_addon().await;
        let kinds_of_call = world.platform_calls();
        let mut spec = keeping();
        spec["provider"] = json!(provider);
        world.authorize(&spec);
        let ready = world.authorized("True", "Authorized").await;
        assert_eq!(ready["status"]["credentialsSecretName"], KEPT);
        let secret = world.secret(KEPT).expect("before it says so");
        assert_eq!((&secret["type"], &secret["metadata"]["annotations"]), (&json!("Opaque"), &Value::Null));
        let owner = &secret["metadata"]["ownerReferences"][0];
        assert_eq!((&owner["kind"], &owner["uid"]), (&json!("Authorization"), &ready["metadata"]["uid"]));
        let told = world.told_by(KEPT).expect("it is there");
        let org = &ready["status"]["org"];
        for key in ["instanceURL", "apiVersion", "type", "userID", "username", "id"] {
            let name = match key {
                "type" => "orgType",
                "id" => "orgID",
                other => other,
            };
            assert_eq!(told.get(name).map(String::as_str), org[key].as_str(), "{name}");
        }
        let now = world.clock.now();
        let token = world.only_stored().token_for(world.only_stored().org_at(now).expect("an org"));
        assert_eq!((told.get("accessToken"), told.len()), (Some(&token), 7));
        assert_eq!((world.writes_to_it(), world.mutations(), world.reads()), (2, 1, 1));
        assert_eq!(world.platform_calls(), kinds_of_call, "none for the credential");
    }
}

#[tokio::test(start_paused = true)]
async fn by_a_person_it_is_there_once_somebody_consented() {
    let mut spec = by_oauth();
    spec["credentialsSecretName"] = json!(KEPT);
    let world = applied(spec).await;
    world.authorized("False", "AwaitingUser").await;
    assert_eq!((world.secret(KEPT), world.reads()), (None, 0));
    world.agree("admin@example.com");
    let object = world.authorized("True", "Authorized").await;
    assert_eq!(object["status"]["credentialsSecretName"], KEPT);
    assert_eq!(world.told_by(KEPT).expect("it is there")["username"], "admin@example.com");
    assert_eq!((world.writes_to_it(), world.mutations(), world.reads()), (3, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn it_is_read_every_five_minutes_and_written_where_it_changed() {
    let mut world = kept().await;
    world.pass(REFRESH / 3).await;
    world.api.clear_writes();
    world.forget_requests();
    world.pass(HOUR).await;
    assert!((11..=12).contains(&world.reads()), "{}", world.reads());
    assert_eq!(world.api.writes(), [], "nothing changed");
    let passes = world.passes();
    assert!(world.asked(|r| r.path.ends_with("/sso")) <= passes / 2 + 1, "as without it");
    world.restart().await;
    world.pass(SOON).await;
    assert_eq!(world.api.writes(), [], "a restart reads, and writes nothing either");

    let before = world.token();
    world.expire_token();
    world.api.wait_until("secrets", NS, KEPT, |_| world.token() != before, REFRESH + SOON).await;
    assert_eq!((world.writes_of("secrets").len(), world.writes_to_it()), (1, 0), "the object is left alone");
}

#[tokio::test(start_paused = true)]
async fn who_asks_gets_it_at_once() {
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
async fn a_service_that_gives_another_token_each_time_is_asked_no_more_often() {
    let world = World::with_addon().await;
    world.sim.settings(|settings| settings.access_token = AccessToken::Fresh);
    world.authorize(&keeping());
    world.authorized("True", "Authorized").await;
    world.pass(HOUR).await;
    assert!(world.reads() <= 13, "{}", world.reads());
    assert_eq!((world.writes_of("secrets").len(), world.writes_to_it()), (world.reads(), 2));
}

#[tokio::test(start_paused = true)]
async fn who_deletes_it_gets_it_back_and_who_edits_it_soon() {
    let world = kept().await;
    let before = world.told_by(KEPT);
    world.api.delete("secrets", NS, KEPT);
    world.until_kept(true, SOON).await;
    assert_eq!(world.told_by(KEPT), before);

    world.api.patch("secrets", NS, KEPT, json!({"data": {"accessToken": "AAAA", "mine": "AAAA"}}));
    world.api.wait_until("secrets", NS, KEPT, |_| world.told_by(KEPT) == before, REFRESH + SOON).await;
    assert_eq!(world.writes_to_it(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_that_was_made_immutable_is_made_anew_once_it_must_change() {
    let world = kept().await;
    world.api.patch("secrets", NS, KEPT, json!({"immutable": true}));
    let before = world.token();
    world.expire_token();
    world.ask("requestedAt", "now");
    let other = |_: Option<&Value>| world.token().is_some_and(|token| Some(token) != before);
    world.api.wait_until("secrets", NS, KEPT, other, LATER).await;
    assert_eq!(world.writes_to_it(), 3);
}

#[tokio::test(start_paused = true)]
async fn it_is_there_only_while_it_is_good() {
    for status in [Status::Failed, Status::Disconnecting, Status::Connecting, Status::Other("expired".to_owned())] {
        let world = kept().await;
        world.turn(status.clone());
        world.until_kept(false, LATER).await;
        let gone = |o: &Value| o["status"]["credentialsSecretName"].is_null();
        world.seen(SOON, gone).await;
        let reads = world.reads();
        world.pass(REFRESH * 2).await;
        assert_eq!((world.reads(), world.secret(KEPT)), (reads, None), "{status:?}");
        world.turn(Status::Connected);
        world.authorized_within(LATER, "True", "Authorized").await;
        assert!(world.token().is_some(), "{status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_user_than_is_expected_has_none() {
    let world = kept().await;
    world.edit(json!({"spec": {"expect": {"username": "other@example.com"}}}));
    world.authorized("False", "OrgMismatch").await;
    assert_eq!(world.secret(KEPT), None);
    world.edit(json!({"spec": {"expect": {"username": "BATCH@example.com"}}}));
    world.authorized("True", "Authorized").await;
    assert!(world.token().is_some());
}

#[tokio::test(start_paused = true)]
async fn it_goes_with_the_field_and_moves_with_its_name() {
    let world = kept().await;
    world.edit(json!({"spec": {"credentialsSecretName": OTHER}}));
    let moved = |o: &Value| o["status"]["credentialsSecretName"] == OTHER && says(o, "True", "Authorized");
    world.seen(SOON, moved).await;
    assert_eq!((world.secret(KEPT), world.told_by(OTHER).map(|told| told.len())), (None, Some(7)));
    world.edit(json!({"spec": {"credentialsSecretName": null}}));
    let gone = |o: &Value| o["status"]["credentialsSecretName"].is_null() && says(o, "True", "Authorized");
    world.seen(SOON, gone).await;
    assert_eq!((world.secret(OTHER), world.mutations()), (None, 1));
}

#[tokio::test(start_paused = true)]
async fn it_is_of_the_authorization_that_there_is_now() {
    for vanishes in [true, false] {
        let world = kept().await;
        let before = (world.token(), world.only_stored().id);
        if vanishes {
            let now = world.clock.now();
            world.sim.world(|w| w.vanish(before.1, now)).expect("it is there");
        } else {
            world.ask("replace", "1");
        }
        let anew = |o: &Value| says(o, "True", "Authorized") && o["status"]["id"] != before.1.to_string();
        world.seen(LATER, anew).await;
        assert!(world.token().is_some() && world.token() != before.0, "no word of the old one's");
        assert_ne!(world.only_stored().id, before.1);
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_old_inputs_work_on_so_does_the_secret() {
    let world = kept().await;
    world.key("another");
    world.authorized("False", "ReplacementRequired").await;
    let before = world.token();
    world.expire_token();
    world.api.wait_until("secrets", NS, KEPT, |_| world.token() != before, REFRESH + SOON).await;
    assert!(says(&world.authorization(), "False", "ReplacementRequired"));
}

#[tokio::test(start_paused = true)]
async fn suspended_nothing_is_read_and_nothing_removed() {
    let world = kept().await;
    world.edit(json!({"spec": {"suspend": true}}));
    world.authorized("True", "Suspended").await;
    let (reads, before) = (world.reads(), world.secret(KEPT));
    world.edit(json!({"spec": {"credentialsSecretName": OTHER}}));
    world.turn(Status::Failed);
    world.pass(HOUR).await;
    assert_eq!((world.reads(), world.secret(KEPT), world.secret(OTHER)), (reads, before, None));
    world.edit(json!({"spec": {"suspend": false}}));
    world.authorized("False", "RemoteFailed").await;
    assert_eq!((world.secret(KEPT), world.secret(OTHER)), (None, None));
}

#[tokio::test(start_paused = true)]
async fn it_goes_with_its_owner_whatever_becomes_of_what_is_remote() {
    for (spec, orphan) in [(json!({}), false), (json!({"deletionPolicy": "Orphan"}), false), (json!({}), true)] {
        let world = kept().await;
        world.edit(json!({ "spec": spec }));
        if orphan {
            world
                .sim
                .faults(|faults| {
                    faults.add(crate::look::on_applink(crate::look::answer(
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
        assert_eq!(world.secret(KEPT), None, "{spec}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_watches_what_another_manages_may_keep_its_credential() {
    let world = World::with_addon().await;
    world.pass(SOON).await;
    world.planted("other@example.com", Status::Connected);
    let mut spec = keeping();
    spec["managementPolicy"] = json!("Observe");
    world.authorize(&spec);
    let object = world.authorized("True", "Authorized").await;
    assert_eq!(object["status"]["credentialsSecretName"], KEPT);
    assert_eq!(world.told_by(KEPT).expect("it is there")["username"], "other@example.com");
    world.edit(json!({"spec": {"managementPolicy": "Full", "adoptionPolicy": "Never"}}));
    world.until_kept(false, LATER).await;
    assert_eq!(world.mutations(), 0);
    assert!(world.api.get("authorizations", NS, NAME).is_some());
}
