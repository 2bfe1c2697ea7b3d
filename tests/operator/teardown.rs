//! Deletion of a whole namespace: everything goes in any order, starting with the token's Secret. Nothing is left in
//! AppLink, and nothing waits forever.

use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::connection_children::{API, SALES, SALES_REMOTE, publication};
use crate::target::{CLOUD, CLOUD_REMOTE, UPDATES};
use crate::world::{ADDON, NS, SOON, World, connection};

/// Time limit for the deletion.
const CLEAN: Duration = Duration::from_secs(30);
/// Number of orders.
const ORDERS: usize = 24;

/// Kinds and names of all objects except the token's Secret, which goes first.
const ALL: [(&str, &str); 12] = [
    ("applinkaddons", ADDON),
    ("connections", SALES),
    ("connections", CLOUD),
    ("connections", "awaiting"),
    ("authorizations", "batch-user"),
    ("authorizations", "awaiting"),
    ("publications", API),
    ("dataactiontargets", UPDATES),
    ("configmaps", "orders-openapi"),
    ("secrets", "sf-jwt"),
    ("secrets", "awaiting-connection-oauth"),
    ("secrets", "awaiting-authorization-oauth"),
];

fn authorization(name: &str, developer_name: &str) -> Value {
    let mut manifest = connection(name, "");
    manifest["kind"] = json!("Authorization");
    let spec = manifest["spec"].as_object_mut().expect("a spec");
    spec.remove("connectionName");
    spec.insert("developerName".to_owned(), json!(developer_name));
    manifest
}

fn by_consent(mut manifest: Value) -> Value {
    let spec = manifest["spec"].as_object_mut().expect("a spec");
    spec.remove("jwt");
    spec.insert("oauth".to_owned(), json!({}));
    manifest
}

/// One of each kind, Ready or waiting for consent.
async fn full() -> World {
    let world = World::with_cloud().await;
    world.connection(SALES, SALES_REMOTE);
    world.updates();
    let mut api = publication(API, SALES);
    let document = api["spec"]["apiSpec"]["inline"].take();
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": NS, "name": "orders-openapi"},
        "data": {"openapi.yaml": document},
    });
    world.api.apply(map);
    api["spec"]["apiSpec"] = json!({"configMapKeyRef": {"name": "orders-openapi", "key": "openapi.yaml"}});
    world.api.apply(api);
    world.api.apply(authorization("batch-user", "batchUser"));
    world.api.apply(by_consent(connection("awaiting", "awaitingOrg")));
    world.api.apply(by_consent(authorization("awaiting", "awaitingUser")));
    let said = [
        ("connections", SALES, ("True", "Connected")),
        ("connections", "awaiting", ("False", "AwaitingUser")),
        ("authorizations", "batch-user", ("True", "Authorized")),
        ("authorizations", "awaiting", ("False", "AwaitingUser")),
        ("publications", API, ("True", "Published")),
        ("dataactiontargets", UPDATES, ("True", "Created")),
    ];
    for (plural, name, wanted) in said {
        world.until_of(plural, name, SOON, wanted).await;
    }
    world
}

/// All objects in the nth order.
fn order(nth: usize) -> Vec<(&'static str, &'static str)> {
    let mut all = ALL.to_vec();
    all.sort_by_key(|(plural, name)| Sha256::digest(format!("{nth} {plural} {name}")));
    all
}

/// What is left in AppLink.
fn left(world: &World) -> Vec<String> {
    let now = world.clock.now();
    world.sim.world(|world| {
        let connections = world.connections().filter(|c| c.status_at(now).is_some()).map(|c| c.name.clone());
        let authorizations = applink_simulator::Collection::Authorizations;
        let authorizations = world.org_accesses(authorizations).filter(|a| a.status_at(now).is_some());
        let mut left: Vec<_> = connections.chain(authorizations.map(|a| a.name.clone())).collect();
        left.extend(world.targets(now).map(|target| target.api_name.clone()));
        left.extend(world.publications(now).map(|(publication, _)| publication.app.to_string()));
        left
    })
}

/// Deletes everything in this order and at this interval, and waits for the end.
async fn torn_down(world: &World, order: &[(&str, &str)], apart: Duration) {
    world.api.delete("secrets", NS, "heroku-api");
    for (plural, name) in order {
        world.pass(apart).await;
        // Objects with an owner may be gone already.
        if world.api.get(plural, NS, name).is_some() {
            world.api.delete(plural, NS, name);
        }
    }
    for (plural, name) in order {
        world.api.wait_until(plural, NS, name, |object| object.is_none(), CLEAN).await;
    }
    assert_eq!(left(world), Vec::<String>::new(), "{apart:?} {order:#?}");
}

#[tokio::test(start_paused = true)]
async fn namespace_deletion_is_clean_in_any_order() {
    for nth in 0..ORDERS {
        let world = full().await;
        torn_down(&world, &order(nth), Duration::from_millis([0, 20, 700][nth % 3])).await;
    }
}

#[tokio::test(start_paused = true)]
async fn namespace_deletion_is_clean_on_a_slow_service() {
    for nth in 0..ORDERS / 2 {
        let world = full().await;
        world.sim.settings(|settings| match nth % 2 {
            0 => settings.disconnect_seconds = Some(4.0),
            _ => settings.list_lag_seconds = 4.0,
        });
        torn_down(&world, &order(100 + nth), Duration::ZERO).await;
    }
}

#[tokio::test(start_paused = true)]
async fn namespace_deletion_is_clean_during_creation() {
    for nth in 0..ORDERS / 2 {
        let mut world = World::new();
        let everything = [
            crate::target::cloud(CLOUD, CLOUD_REMOTE),
            connection(SALES, SALES_REMOTE),
            publication(API, SALES),
            crate::target::target(UPDATES, "customer_updates"),
            authorization("batch-user", "batchUser"),
            by_consent(connection("awaiting", "awaitingOrg")),
            by_consent(authorization("awaiting", "awaitingUser")),
        ];
        world.addon();
        world.start();
        world.until_addon("True", "AddonReady").await;
        everything.into_iter().for_each(|manifest| drop(world.api.apply(manifest)));
        world.pass(Duration::from_millis(130 * nth as u64)).await;
        let there: Vec<_> = order(nth).into_iter().filter(|(p, n)| world.api.get(p, NS, n).is_some()).collect();
        torn_down(&world, &there, Duration::ZERO).await;
        world.pass(Duration::from_secs(60)).await;
        assert_eq!(left(&world), Vec::<String>::new());
    }
}
