//! Writes that are refused, conflict or lose their response, including writes of Secrets; and users who edit meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::{CREDENTIALS_SECRET, NAME, World, exporting};
use crate::world::{HOUR, LATER, NS, SOON, says};

const OTHER: &str = "other-credentials";

/// Each write of an authorization with each fault: a status code, or a lost response.
fn faults() -> Vec<(&'static str, &'static str, Option<u16>)> {
    let writes = [
        ("patch", "authorizations"),
        ("patch", "authorizations/status"),
        ("create", "secrets"),
        ("patch", "secrets"),
        ("delete", "secrets"),
    ];
    let codes = [Some(409), Some(500), Some(429), Some(403), None];
    writes.iter().flat_map(|(verb, resource)| codes.map(|code| (*verb, *resource, code))).collect()
}

fn arrange(world: &World, (verb, resource, code): (&str, &str, Option<u16>)) {
    match code {
        Some(code) => world.api.fail_next(verb, resource, 2, code),
        None => world.api.lose_next(verb, resource, 2),
    }
}

#[tokio::test(start_paused = true)]
async fn lifecycle_survives_every_write_fault() {
    for trouble in faults() {
        let world = World::with_addon().await;
        arrange(&world, trouble);
        world.authorize(&exporting());
        world.authorized_within(LATER, "True", "Authorized").await;
        let first = world.token().expect("it is kept");
        world.pass(SOON).await;
        world.expire_token();
        world.ask("requestedAt", "1");
        let renewed = |_: Option<&Value>| world.token().is_some_and(|token| token != first);
        world.api.wait_until("secrets", NS, CREDENTIALS_SECRET, renewed, LATER).await;
        world.edit(json!({"spec": {"credentialsSecretName": OTHER}}));
        let moved = |o: &Value| o["status"]["credentialsSecretName"] == OTHER && says(o, "True", "Authorized");
        world.seen(LATER, moved).await;
        assert_eq!(world.secret(CREDENTIALS_SECRET), None, "{trouble:?}");
        world.deleted().await;
        assert_eq!((world.stored().len(), world.secret(OTHER)), (0, None), "{trouble:?}");
        assert_eq!((world.posts(), world.deletes()), (1, 1), "{trouble:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn edits_after_each_write_leave_one_object_and_secret() {
    let edits: [fn(usize) -> Value; 3] = [
        |n| json!({"spec": {"credentialsSecretName": if n % 2 == 0 { OTHER } else { CREDENTIALS_SECRET }}}),
        |n| json!({"metadata": {"annotations": {"applink.dev/requestedAt": n.to_string()}}}),
        |n| json!({"spec": {"credentialsSecretName": if n % 2 == 0 { Value::Null } else { json!(CREDENTIALS_SECRET) }}}),
    ];
    for edit in edits {
        let world = World::with_addon().await;
        let (user, edited) = (world.api.clone(), AtomicUsize::new(0));
        world.api.on_write(move |write| {
            if ["authorizations", "secrets"].contains(&write.resource) && write.status < 300 {
                let n = edited.fetch_add(1, Ordering::Relaxed);
                if n < 8 && user.get("authorizations", NS, NAME).is_some() {
                    user.patch("authorizations", NS, NAME, edit(n));
                }
            }
        });
        world.authorize(&exporting());
        world.pass(HOUR / 10).await;
        let object = world.authorization();
        assert!(says(&object, "True", "Authorized"), "{object:#}");
        assert_eq!(object["status"]["credentialsSecretName"], CREDENTIALS_SECRET, "the last edit wins");
        assert_eq!((world.secret(OTHER), world.token().is_some()), (None, true));
        assert_eq!((world.posts(), world.deletes()), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn renaming_the_secret_during_a_write_leaves_none_behind() {
    for wanted in [json!(OTHER), Value::Null] {
        let world = World::with_addon().await;
        let (user, spec) = (world.api.clone(), json!({"spec": {"credentialsSecretName": wanted}}));
        world.api.on_write(move |write| {
            if write.resource == "secrets" && write.name == CREDENTIALS_SECRET && write.verb == "create" {
                user.patch("authorizations", NS, NAME, spec.clone());
            }
        });
        world.authorize(&exporting());
        let there = |o: &Value| o["status"]["credentialsSecretName"] == wanted && says(o, "True", "Authorized");
        world.seen(LATER, there).await;
        assert_eq!((world.secret(CREDENTIALS_SECRET), world.posts()), (None, 1), "{wanted}");
    }
}
