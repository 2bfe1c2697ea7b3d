//! Secrets that stand where a credential or a link is to go: what is not ours is never written over, and no name that a
//! user may choose does harm.

use serde_json::{Value, json};

use super::{KEPT, LINK, NAME, REFRESH, World, applied, authorization, by_oauth, keeping, kept};
use crate::world::{HOUR, LATER, NS, SOON, message, progress, says};

#[tokio::test(start_paused = true)]
async fn a_secret_of_somebody_else_is_left_alone_until_it_goes() {
    let world = World::with_addon().await;
    world.api.set_secret(NS, KEPT, &[("mine", "precious")]);
    let theirs = world.secret(KEPT);
    world.authorize(&keeping());
    let object = world.authorized("False", "InvalidSpec").await;
    assert_eq!(progress(&object), Some("Stalled"));
    assert!(message(&object).contains(KEPT), "{}", message(&object));
    assert_eq!(object["status"]["credentialsSecretName"], Value::Null);
    world.pass(HOUR).await;
    assert_eq!((world.secret(KEPT), world.reads(), world.mutations()), (theirs, 0, 1));
    world.api.delete("secrets", NS, KEPT);
    world.authorized("True", "Authorized").await;
    assert!(world.token().is_some());
}

#[tokio::test(start_paused = true)]
async fn one_that_takes_the_place_of_ours_is_left_alone_too() {
    let world = kept().await;
    // Between our plan and our write, for the worst.
    world.api.delete("secrets", NS, KEPT);
    world.api.set_secret(NS, KEPT, &[("mine", "precious")]);
    let theirs = world.secret(KEPT);
    let object = world.authorized("False", "InvalidSpec").await;
    assert_eq!(object["status"]["credentialsSecretName"], Value::Null);
    world.deleted().await;
    assert_eq!((world.secret(KEPT), world.stored().len()), (theirs, 0));
}

#[tokio::test(start_paused = true)]
async fn what_an_input_is_read_from_is_not_written_over() {
    for name in ["sf-jwt", "heroku-api"] {
        let world = World::with_addon().await;
        let before = world.secret(name);
        world.authorize(&json!({"credentialsSecretName": name}));
        world.authorized("False", "InvalidSpec").await;
        world.pass(REFRESH * 2).await;
        assert_eq!((world.secret(name), world.only_stored().name.as_str()), (before, super::REMOTE));
        // It is created anew by whoever brings Secrets, and stays theirs.
        world.api.delete("secrets", NS, name);
        world.pass(REFRESH * 2).await;
        assert_eq!(world.secret(name), None, "an input is missing, and nothing takes its place");
        world.api.delete("authorizations", NS, NAME);
    }
}

#[tokio::test(start_paused = true)]
async fn the_name_of_the_links_secret_is_refused_and_the_link_works_all_the_same() {
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
        world.edit(json!({"spec": {"credentialsSecretName": KEPT}}));
        world.authorized("True", "Authorized").await;
        assert!(world.token().is_some());
        world.edit(json!({"spec": {"credentialsSecretName": LINK}}));
        world.authorized("False", "InvalidSpec").await;
        assert_eq!((world.secret(KEPT), world.secret(LINK)), (None, None));
        world.deleted().await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_that_want_one_secret_the_first_has_it() {
    let world = kept().await;
    let before = world.secret(KEPT);
    let mut second = authorization(&json!({"developerName": "other", "credentialsSecretName": KEPT}));
    second["metadata"]["name"] = json!("other");
    world.api.apply(second);
    let refused = |o: Option<&Value>| o.is_some_and(|o| says(o, "False", "InvalidSpec"));
    world.api.wait_until("authorizations", NS, "other", refused, SOON).await;
    assert_eq!(world.secret(KEPT), before);
    world.deleted().await;
    let ready = |o: Option<&Value>| o.is_some_and(|o| says(o, "True", "Authorized"));
    world.api.wait_until("authorizations", NS, "other", ready, LATER).await;
    assert!(world.token().is_some());
}

#[tokio::test(start_paused = true)]
async fn that_of_an_earlier_resource_of_the_name_is_waited_out() {
    let world = World::with_addon().await;
    let owner = json!({
        "apiVersion": "applink.dev/v1alpha1", "kind": "Authorization", "name": NAME, "uid": "of-one-that-is-gone",
    });
    world.api.apply(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"namespace": NS, "name": KEPT, "ownerReferences": [owner]}, "data": {},
    }));
    world.authorize(&keeping());
    let object = world.authorized("False", "Creating").await;
    assert!(message(&object).contains("earlier"), "{}", message(&object));
    assert_eq!(progress(&object), Some("Reconciling"));
    world.api.delete("secrets", NS, KEPT);
    world.authorized("True", "Authorized").await;
}

#[tokio::test(start_paused = true)]
async fn without_leave_to_write_secrets_it_says_so_and_goes_on_with_it() {
    for verb in ["create", "patch"] {
        let world = if verb == "create" { World::with_addon().await } else { kept().await };
        world.api.forbid(verb, "secrets");
        world.authorize(&keeping());
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
