//! How authorizations are created by JWT and OAuth for both providers, how they react to changes, and how they are
//! deleted.

use applink_simulator::{RemoteError, Status};
use serde_json::{Value, json};

use super::{LINK, NAME, REMOTE, World, applied, by_oauth};
use crate::world::{ADDON, HOUR, LATER, NS, OTHER, OTHER_ID, SOON, digest, message, pem, progress};

#[tokio::test(start_paused = true)]
async fn jwt_authorization_costs_two_writes_and_one_call() {
    for provider in ["Salesforce", "DataCloud"] {
        let world = applied(json!({"provider": provider})).await;
        let object = world.authorized("True", "Authorized").await;
        let remote = world.only_stored();
        assert_eq!((remote.name.as_str(), &object["status"]["id"]), (REMOTE, &json!(remote.id.to_string())));
        assert_eq!(remote.alias(), Some("applink:batchUser"), "as the CLI names it");
        assert_eq!(object["status"]["org"]["type"], format!("{provider}Org"));
        assert_eq!(object["status"]["org"]["username"], "batch@example.com");
        assert_eq!(progress(&object), None);
        assert_eq!((world.writes_to_it(), world.mutations()), (2, 1), "{provider}");
        world.pass(HOUR).await;
        assert_eq!((world.writes_to_it(), world.mutations(), world.reads()), (2, 1, 0), "nobody read the credentials");
        assert_eq!(world.get_addon()["status"]["authorizations"], 1);
        assert_eq!(world.event_count(NAME, "Authorized"), 1);
        world.deleted().await;
        assert_eq!(world.stored().len(), 0);
        assert_eq!((world.mutations(), world.event_count(NAME, "Deleted")), (2, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn oauth_authorization_costs_three_writes_and_one_call() {
    for provider in ["Salesforce", "DataCloud"] {
        let world = applied(json!({"jwt": null, "oauth": {}, "provider": provider})).await;
        let object = world.authorized("False", "AwaitingUser").await;
        assert_eq!((progress(&object), &object["status"]["oauthSecretName"]), (Some("Reconciling"), &json!(LINK)));
        let secret = world.secret(LINK).expect("it exists");
        let owner = &secret["metadata"]["ownerReferences"][0];
        assert_eq!((&owner["kind"], &owner["uid"]), (&json!("Authorization"), &object["metadata"]["uid"]));
        world.agree("admin@example.com");
        let object = world.authorized("True", "Authorized").await;
        assert_eq!(object["status"]["oauthSecretName"], Value::Null);
        assert_eq!(object["status"]["org"]["username"], "admin@example.com");
        assert_eq!(world.secret(LINK), None);
        world.pass(HOUR).await;
        assert_eq!((world.writes_to_it(), world.mutations()), (3, 1), "{provider}");
        world.deleted().await;
        assert_eq!(world.stored().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn unused_link_expires_and_is_renewed_on_request() {
    let world = applied(by_oauth()).await;
    world.authorized("False", "AwaitingUser").await;
    let object = world.authorized_within(LATER, "False", "AuthorizationExpired").await;
    assert_eq!((progress(&object), world.posts()), (Some("Stalled"), 1));
    world.ask("requestedAt", "1");
    world.authorized("False", "AwaitingUser").await;
    world.agree("admin@example.com");
    world.authorized("True", "Authorized").await;
    assert_eq!(world.posts(), 2);
}

#[tokio::test(start_paused = true)]
async fn dependencies_may_appear_in_any_order() {
    let mut world = World::new();
    world.api.delete("secrets", NS, "sf-jwt");
    world.start();
    world.authorize(&json!({}));
    let object = world.authorized("False", "SecretNotFound").await;
    assert_eq!(progress(&object), Some("Reconciling"));
    world.key("good");
    world.authorized("False", "DependencyNotFound").await;
    assert_eq!(world.mutations(), 0);
    world.addon();
    world.authorized("True", "Authorized").await;
    assert_eq!(world.mutations(), 1);
}

#[tokio::test(start_paused = true)]
async fn vanished_is_recreated_and_failure_is_reported() {
    let world = applied(json!({})).await;
    let before = world.authorized("True", "Authorized").await["status"]["id"].clone();
    let (id, now) = (world.only_stored().id, world.clock.now());
    world.sim.world(|w| w.vanish(id, now)).expect("it exists");
    let recreated = |o: &Value| crate::world::says(o, "True", "Authorized") && o["status"]["id"] != before;
    world.seen(LATER, recreated).await;
    world.wait_for_events().await;
    assert_eq!((world.posts(), world.event_count(NAME, "Recreated")), (2, 1));

    let (id, now) = (world.only_stored().id, world.clock.now());
    let error = RemoteError::new("invalid_grant", "user hasn't approved this consumer");
    world.sim.world(|w| w.set_status(id, Status::Failed, Some(error), now)).expect("it exists");
    let object = world.authorized_within(LATER, "False", "RemoteFailed").await;
    assert_eq!(progress(&object), Some("Stalled"));
    assert!(message(&object).contains("invalid_grant"), "{}", message(&object));
    world.turn(Status::Connected);
    world.authorized_within(LATER, "True", "Authorized").await;
    assert_eq!(world.mutations(), 2);
}

#[tokio::test(start_paused = true)]
async fn refused_key_is_reported_and_good_key_recovers() {
    let world = World::with_addon().await;
    world.sim.settings(|settings| settings.accepted_keys = vec![digest(&pem("good"))]);
    world.key("bad");
    world.authorize(&json!({}));
    world.authorized("False", "RemoteFailed").await;
    world.key("good");
    world.authorized("True", "Authorized").await;
    world.only_stored();
}

#[tokio::test(start_paused = true)]
async fn changed_input_follows_the_replace_policy() {
    let world = applied(json!({})).await;
    let before = world.authorized("True", "Authorized").await["status"]["id"].clone();
    world.key("another");
    let object = world.authorized("False", "ReplacementRequired").await;
    assert!(message(&object).contains("applink.dev/replace"), "{}", message(&object));
    assert_eq!((world.mutations(), progress(&object)), (1, Some("Stalled")));
    world.edit(json!({"spec": {"replacePolicy": "DeleteAndRecreate"}}));
    let after = world.authorized("True", "Authorized").await;
    assert_ne!(after["status"]["id"], before);
    assert_eq!(
        (world.only_stored().id.to_string(), world.deletes()),
        (after["status"]["id"].as_str().unwrap().into(), 1)
    );
    world.edit(json!({"spec": {"replacePolicy": "Never"}}));
    world.ask("replace", "1");
    let again = |o: &Value| o["status"]["lastHandledReplace"] == "1" && crate::world::says(o, "True", "Authorized");
    world.seen(SOON, again).await;
    assert_eq!((world.posts(), world.deletes()), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn existing_authorization_is_adopted_or_left_alone() {
    let world = World::with_addon().await;
    world.pass(SOON).await;
    let theirs = world.planted("batch@example.com", Status::Connected);
    world.authorize(&json!({}));
    let object = world.authorized("True", "Authorized").await;
    assert_eq!((&object["status"]["id"], world.mutations()), (&json!(theirs), 0));
    world.wait_for_events().await;
    assert_eq!(
        (&object["status"]["createdBy"], world.event_count(NAME, "Adopted")),
        (&json!("somebody@example.com"), 1)
    );
    world.deleted().await;
    assert_eq!((world.stored().len(), world.deletes()), (0, 1));

    for (username, status, spec) in [
        ("other@example.com", Status::Connected, json!({})),
        ("batch@example.com", Status::Failed, json!({})),
        ("batch@example.com", Status::Connected, json!({"adoptionPolicy": "Never"})),
        ("batch@example.com", Status::Connected, json!({"provider": "DataCloud"})),
        ("batch@example.com", Status::Connected, json!({"expect": {"username": "other@example.com"}})),
    ] {
        let world = World::with_addon().await;
        world.pass(SOON).await;
        world.planted(username, status);
        world.authorize(&spec);
        let object = world.authorized("False", "AdoptionRefused").await;
        assert_eq!(object["status"]["id"], Value::Null);
        world.deleted().await;
        assert_eq!((world.stored().len(), world.mutations()), (1, 0), "{spec}");
    }
}

#[tokio::test(start_paused = true)]
async fn observe_never_mutates() {
    let watching = json!({"managementPolicy": "Observe"});
    let world = applied(watching.clone()).await;
    let object = world.authorized("False", "RemoteMissing").await;
    assert_eq!(object["metadata"]["finalizers"], Value::Null);
    world.planted("other@example.com", Status::Connected);
    world.authorized_within(LATER, "True", "Authorized").await;
    world.turn(Status::Failed);
    world.authorized_within(LATER, "False", "RemoteFailed").await;
    world.deleted().await;
    assert_eq!((world.stored().len(), world.mutations()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn orphaned_authorization_is_left_in_place() {
    let world = applied(json!({"deletionPolicy": "Orphan"})).await;
    world.authorized("True", "Authorized").await;
    world.deleted().await;
    assert_eq!((world.stored().len(), world.deletes(), world.event_count(NAME, "Orphaned")), (1, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn older_claimant_gets_the_name() {
    let world = applied(json!({})).await;
    world.authorized("True", "Authorized").await;
    let mut second = super::authorization(&json!({"developerName": "BATCHuser"}));
    second["metadata"]["name"] = json!("another");
    world.api.apply(second);
    let refused = |o: Option<&Value>| o.is_some_and(|o| crate::world::says(o, "False", "NameConflict"));
    world.api.wait_until("authorizations", NS, "another", refused, SOON).await;
    // A connection with the same name does not conflict.
    world.connection("production", REMOTE);
    world.until("production", "True", "Connected").await;
    world.deleted().await;
    let freed = |o: Option<&Value>| o.is_some_and(|o| crate::world::says(o, "True", "Authorized"));
    world.api.wait_until("authorizations", NS, "another", freed, LATER).await;
    assert_eq!((world.only_stored().name.as_str(), world.posts()), ("BATCHuser", 3));
}

#[tokio::test(start_paused = true)]
async fn org_mismatch_is_reported_without_deletion() {
    let world = applied(json!({"jwt": null, "oauth": {}, "expect": {"username": "admin@example.com"}})).await;
    world.authorized("False", "AwaitingUser").await;
    world.agree("somebody@example.com");
    let object = world.authorized("False", "OrgMismatch").await;
    assert!(message(&object).contains("somebody@example.com"), "{}", message(&object));
    assert_eq!((progress(&object), world.deletes()), (Some("Stalled"), 0));
    world.edit(json!({"spec": {"expect": {"username": "SOMEBODY@example.com"}}}));
    world.authorized("True", "Authorized").await;
    assert_eq!(world.mutations(), 1);
}

#[tokio::test(start_paused = true)]
async fn changed_addon_is_not_touched() {
    let world = applied(json!({})).await;
    world.authorized("True", "Authorized").await;
    world.second_addon("heroku-other").await;
    world.api.patch("authorizations", NS, NAME, json!({"spec": {"addonRef": {"name": OTHER}}}));
    world.authorized("False", "AddonChanged").await;
    assert_eq!(world.mutations(), 1);
    assert_eq!(world.request_count(|r| r.mutating && r.path.contains(&OTHER_ID.to_string())), 0);
    world.api.patch("authorizations", NS, NAME, json!({"spec": {"addonRef": {"name": ADDON}}}));
    world.authorized("True", "Authorized").await;
}
