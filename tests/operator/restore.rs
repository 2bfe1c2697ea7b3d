//! A restore from a backup brings objects back under other uids, and Secrets without owners: both are ours again.

use serde_json::{Value, json};

use crate::authorization::{NAME as AUTHORIZATION, authorization};
use crate::world::{HOUR, NS, SOON, World, connection, message, with_spec};

const KEPT: &str = "batch-credentials";
const LINK: &str = "person-connection-oauth";

fn person() -> Value {
    with_spec(connection("person", "personOrg"), &json!({"jwt": null, "oauth": {}}))
}

const ALL: [(&str, &str); 4] =
    [("authorizations", AUTHORIZATION), ("connections", "person"), ("secrets", KEPT), ("secrets", LINK)];

/// As a backup tool does: all of it is gone, and comes back under other uids, without owner references.
fn restore(world: &World) {
    let backup = ALL.map(|(plural, name)| world.api.get(plural, NS, name).expect("it is there"));
    for (plural, name) in ALL.into_iter().filter(|(plural, name)| world.api.get(plural, NS, name).is_some()) {
        if plural != "secrets" {
            // The finalizer goes first, or the operator's absence would keep it.
            world.api.patch(plural, NS, name, json!({"metadata": {"finalizers": null}}));
        }
        world.api.delete(plural, NS, name);
    }
    for mut object in backup {
        let metadata = object["metadata"].as_object_mut().expect("metadata");
        for field in ["uid", "resourceVersion", "ownerReferences", "creationTimestamp", "generation", "managedFields"] {
            metadata.remove(field);
        }
        world.api.apply(object);
    }
}

async fn restored() -> World {
    let mut world = World::with_addon().await;
    world.api.apply(authorization(&json!({"credentialsSecretName": KEPT})));
    world.api.apply(person());
    world.until_of("authorizations", AUTHORIZATION, SOON, ("True", "Authorized")).await;
    world.until("person", "False", "AwaitingUser").await;
    world.take().kill().await;
    restore(&world);
    world.forget_requests();
    world
}

fn owner(world: &World, secret: &str) -> Value {
    world.secret(secret).expect("it is there")["metadata"]["ownerReferences"][0]["uid"].clone()
}

#[tokio::test(start_paused = true)]
async fn secrets_without_an_owner_are_taken_back() {
    let mut world = restored().await;
    let link = world.secret(LINK).expect("it is there")["data"]["url"].clone();
    world.start();
    let object = world.until_of("authorizations", AUTHORIZATION, SOON, ("True", "Authorized")).await;
    world.until("person", "False", "AwaitingUser").await;
    assert_eq!(owner(&world, KEPT), object["metadata"]["uid"]);
    assert_eq!(owner(&world, LINK), world.get("person")["metadata"]["uid"]);
    assert_eq!(world.secret(LINK).expect("it is there")["data"]["url"], link, "the link that somebody may have");
    assert_eq!(world.mutations(), 0);
    world.pass(HOUR / 6).await;
    assert!(world.asked(|r| r.path.ends_with("/authorizations/batchUser")) > 0, "the credential is refreshed");
    for (plural, name) in [("authorizations", AUTHORIZATION), ("connections", "person")] {
        world.api.delete(plural, NS, name);
        world.until_as(plural, name, SOON, |object| object.is_none()).await;
    }
    assert!(world.secret(KEPT).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_secret_of_ours_that_is_wanted_no_longer_goes_although_it_has_no_owner() {
    let mut world = restored().await;
    world.api.patch("authorizations", NS, AUTHORIZATION, json!({"spec": {"credentialsSecretName": null}}));
    world.start();
    world.until_of("authorizations", AUTHORIZATION, SOON, ("True", "Authorized")).await;
    world.api.wait_until("secrets", NS, KEPT, |secret| secret.is_none(), SOON).await;
}

#[tokio::test(start_paused = true)]
async fn a_secret_of_somebody_else_is_not_taken() {
    let mut world = restored().await;
    world.api.patch("secrets", NS, KEPT, json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "helm"}}}));
    world.start();
    let object = world.until_of("authorizations", AUTHORIZATION, SOON, ("False", "InvalidSpec")).await;
    assert!(message(&object).contains("not this resource's"), "{}", message(&object));
    world.pass(HOUR).await;
    assert_eq!(owner(&world, KEPT), Value::Null);
}
