//! Secrets at the name of a credentials or OAuth Secret: foreign Secrets are never overwritten, and no name that a user
//! chooses does harm.

use serde_json::{Value, json};

use super::{CREDENTIALS_SECRET, LINK, NAME, REFRESH, World, applied, authorization, by_oauth, exporting, kept};
use crate::world::{HOUR, LATER, NS, SOON, message, progress, says};

#[tokio::test(start_paused = true)]
async fn foreign_secret_is_left_alone_until_it_is_deleted() {
    let world = World::with_addon().await;
    world.api.set_secret(NS, CREDENTIALS_SECRET, &[("mine", "precious")]);
    let theirs = world.secret(CREDENTIALS_SECRET);
    world.authorize(&exporting());
    let object = world.authorized("False", "InvalidSpec").await;
    assert_eq!(progress(&object), Some("Stalled"));
    assert!(message(&object).contains(CREDENTIALS_SECRET), "{}", message(&object));
    assert_eq!(object["status"]["credentialsSecretName"], Value::Null);
    world.pass(HOUR).await;
    assert_eq!((world.secret(CREDENTIALS_SECRET), world.reads(), world.mutations()), (theirs, 0, 1));
    world.api.delete("secrets", NS, CREDENTIALS_SECRET);
    world.authorized("True", "Authorized").await;
    assert!(world.token().is_some());
}

#[tokio::test(start_paused = true)]
async fn foreign_replacement_of_our_secret_is_left_alone() {
    let world = kept().await;
    // Worst case: between plan and write.
    world.api.delete("secrets", NS, CREDENTIALS_SECRET);
    world.api.set_secret(NS, CREDENTIALS_SECRET, &[("mine", "precious")]);
    let theirs = world.secret(CREDENTIALS_SECRET);
    let object = world.authorized("False", "InvalidSpec").await;
    assert_eq!(object["status"]["credentialsSecretName"], Value::Null);
    world.deleted().await;
    assert_eq!((world.secret(CREDENTIALS_SECRET), world.stored().len()), (theirs, 0));
}

#[tokio::test(start_paused = true)]
async fn input_secret_is_never_overwritten() {
    for name in ["sf-jwt", "heroku-api"] {
        let world = World::with_addon().await;
        let before = world.secret(name);
        world.authorize(&json!({"credentialsSecretName": name}));
        world.authorized("False", "InvalidSpec").await;
        world.pass(REFRESH * 2).await;
        assert_eq!((world.secret(name), world.only_stored().name.as_str()), (before, super::REMOTE));
        // Another controller recreates it, and keeps it.
        world.api.delete("secrets", NS, name);
        world.pass(REFRESH * 2).await;
        assert_eq!(world.secret(name), None, "a missing input has no substitute");
        world.api.delete("authorizations", NS, NAME);
    }
}

#[tokio::test(start_paused = true)]
async fn oauth_secret_name_is_refused_for_credentials() {
    let mut spec = by_oauth();
    spec["credentialsSecretName"] = json!(LINK);
    for spec in [spec, json!({"credentialsSecretName": LINK})] {
        let world = applied(spec.clone()).await;
        if spec["jwt"].is_null() && !spec["oauth"].is_null() {
            let waiting = world.authorized("False", "AwaitingUser").await;
            assert_eq!(waiting["status"]["oauthSecretName"], LINK);
            world.agree("admin@example.com");
        }
        let object = world.authorized("False", "InvalidSpec").await;
        assert!(message(&object).contains("link"), "{}", message(&object));
        world.pass(HOUR).await;
        assert_eq!((world.reads(), world.mutations(), world.secret(LINK)), (0, 1, None), "{spec}");
        assert!(world.writes_to_it() <= 3);
        world.edit(json!({"spec": {"credentialsSecretName": CREDENTIALS_SECRET}}));
        world.authorized("True", "Authorized").await;
        assert!(world.token().is_some());
        world.edit(json!({"spec": {"credentialsSecretName": LINK}}));
        world.authorized("False", "InvalidSpec").await;
        assert_eq!((world.secret(CREDENTIALS_SECRET), world.secret(LINK)), (None, None));
        world.deleted().await;
    }
}

#[tokio::test(start_paused = true)]
async fn first_claimant_gets_the_secret() {
    let world = kept().await;
    let before = world.secret(CREDENTIALS_SECRET);
    let mut second = authorization(&json!({"developerName": "other", "credentialsSecretName": CREDENTIALS_SECRET}));
    second["metadata"]["name"] = json!("other");
    world.api.apply(second);
    let refused = |o: Option<&Value>| o.is_some_and(|o| says(o, "False", "InvalidSpec"));
    world.api.wait_until("authorizations", NS, "other", refused, SOON).await;
    assert_eq!(world.secret(CREDENTIALS_SECRET), before);
    world.deleted().await;
    let ready = |o: Option<&Value>| o.is_some_and(|o| says(o, "True", "Authorized"));
    world.api.wait_until("authorizations", NS, "other", ready, LATER).await;
    assert!(world.token().is_some());
}

#[tokio::test(start_paused = true)]
async fn secret_of_a_predecessor_is_waited_for() {
    let world = World::with_addon().await;
    let owner = json!({
        "apiVersion": "applink.dev/v1alpha1", "kind": "Authorization", "name": NAME, "uid": "of-one-that-is-gone",
    });
    world.api.apply(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"namespace": NS, "name": CREDENTIALS_SECRET, "ownerReferences": [owner]}, "data": {},
    }));
    world.authorize(&exporting());
    let object = world.authorized("False", "Creating").await;
    assert!(message(&object).contains("earlier"), "{}", message(&object));
    assert_eq!(progress(&object), Some("Reconciling"));
    world.api.delete("secrets", NS, CREDENTIALS_SECRET);
    world.authorized("True", "Authorized").await;
}

#[tokio::test(start_paused = true)]
async fn missing_right_to_write_secrets_is_reported() {
    for verb in ["create", "patch"] {
        let world = if verb == "create" { World::with_addon().await } else { kept().await };
        world.api.forbid(verb, "secrets");
        world.authorize(&exporting());
        if verb == "patch" {
            world.pass(SOON).await;
            world.expire_token();
            world.ask("requestedAt", "1");
        }
        let denied = |o: &Value| message(o).contains(&format!("{verb} resource \"secrets\""));
        world.seen(SOON, denied).await;
        world.pass(HOUR).await;
        assert_eq!((world.mutations(), world.only_stored().name.as_str()), (1, super::REMOTE));
        world.api.allow(verb, "secrets");
        world.authorized_within(LATER, "True", "Authorized").await;
        assert!(world.token().is_some());
    }
}
