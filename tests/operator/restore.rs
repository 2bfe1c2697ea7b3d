//! A restore from a backup recreates objects with other UIDs, and Secrets without owners: the operator adopts both.

use serde_json::{Value, json};

use crate::authorization::{NAME as AUTHORIZATION, authorization};
use crate::world::{HOUR, NS, SOON, World, connection, message, with_spec};

const CREDENTIALS_SECRET: &str = "batch-credentials";
const LINK: &str = "person-connection-oauth";

fn person() -> Value {
    with_spec(connection("person", "personOrg"), &json!({"jwt": null, "oauth": {}}))
}

const ALL: [(&str, &str); 4] =
    [("authorizations", AUTHORIZATION), ("connections", "person"), ("secrets", CREDENTIALS_SECRET), ("secrets", LINK)];

/// Restores as a backup tool does: deletes everything, and recreates it with other UIDs and without owner references.
fn restore(world: &World) {
    let backup = ALL.map(|(plural, name)| world.api.get(plural, NS, name).expect("it exists"));
    for (plural, name) in ALL.into_iter().filter(|(plural, name)| world.api.get(plural, NS, name).is_some()) {
        if plural != "secrets" {
            // Remove the finalizer first: no operator runs that would.
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
    world.api.apply(authorization(&json!({"credentialsSecretName": CREDENTIALS_SECRET})));
    world.api.apply(person());
    world.until_of("authorizations", AUTHORIZATION, SOON, ("True", "Authorized")).await;
    world.until("person", "False", "AwaitingUser").await;
    world.take().kill().await;
    restore(&world);
    world.forget_requests();
    world
}

fn owner(world: &World, secret: &str) -> Value {
    world.secret(secret).expect("it exists")["metadata"]["ownerReferences"][0]["uid"].clone()
}

#[tokio::test(start_paused = true)]
async fn secrets_without_owner_are_adopted() {
    let mut world = restored().await;
    let link = world.secret(LINK).expect("it exists")["data"]["url"].clone();
    world.start();
    let object = world.until_of("authorizations", AUTHORIZATION, SOON, ("True", "Authorized")).await;
    world.until("person", "False", "AwaitingUser").await;
    assert_eq!(owner(&world, CREDENTIALS_SECRET), object["metadata"]["uid"]);
    assert_eq!(owner(&world, LINK), world.get("person")["metadata"]["uid"]);
    assert_eq!(world.secret(LINK).expect("it exists")["data"]["url"], link, "the link that somebody may have opened");
    assert_eq!(world.mutations(), 0);
    world.pass(HOUR / 6).await;
    assert!(world.request_count(|r| r.path.ends_with("/authorizations/batchUser")) > 0, "the credential is refreshed");
    for (plural, name) in [("authorizations", AUTHORIZATION), ("connections", "person")] {
        world.api.delete(plural, NS, name);
        world.until_as(plural, name, SOON, |object| object.is_none()).await;
    }
    assert!(world.secret(CREDENTIALS_SECRET).is_none());
}

#[tokio::test(start_paused = true)]
async fn unwanted_secret_without_owner_is_deleted() {
    let mut world = restored().await;
    world.api.patch("authorizations", NS, AUTHORIZATION, json!({"spec": {"credentialsSecretName": null}}));
    world.start();
    world.until_of("authorizations", AUTHORIZATION, SOON, ("True", "Authorized")).await;
    world.api.wait_until("secrets", NS, CREDENTIALS_SECRET, |secret| secret.is_none(), SOON).await;
}

#[tokio::test(start_paused = true)]
async fn foreign_secret_is_not_adopted() {
    let mut world = restored().await;
    world.api.patch(
        "secrets",
        NS,
        CREDENTIALS_SECRET,
        json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "helm"}}}),
    );
    world.start();
    let object = world.until_of("authorizations", AUTHORIZATION, SOON, ("False", "InvalidSpec")).await;
    assert!(message(&object).contains("not owned by this resource"), "{}", message(&object));
    world.pass(HOUR).await;
    assert_eq!(owner(&world, CREDENTIALS_SECRET), Value::Null);
}
