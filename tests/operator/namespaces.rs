//! Several namespaces, some of them unreadable: the operator serves the others, `/readyz` says what is missing and why,
//! and everything continues once it is back.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{ADDON, LATER, NS, SOON, World, addon, connection, is_ready_by, pem};

const SALES: &str = "sales";
const OURS: [&str; 5] = ["applinkaddons", "connections", "authorizations", "publications", "dataactiontargets"];
/// By then a watch has retried.
const RETRY: Duration = Duration::from_secs(40);

/// Grants or revokes list and watch in a namespace.
fn permit(world: &World, namespace: &str, plurals: &[&str], yes: bool) {
    for plural in plurals {
        for verb in ["list", "watch"] {
            world.api.permit_in(namespace, verb, plural, yes);
        }
    }
}

fn in_namespace(mut manifest: Value, namespace: &str) -> Value {
    manifest["metadata"]["namespace"] = json!(namespace);
    manifest
}

/// A world with these namespaces, each with its own Connection, without an operator.
fn with_namespaces(namespaces: &[&str]) -> World {
    let mut world = World::new();
    world.options.namespaces = namespaces.iter().map(|&namespace| namespace.to_owned()).collect();
    for (n, namespace) in namespaces.iter().enumerate() {
        world.api.set_secret(namespace, "heroku-api", &[("token", applink_simulator::Seed::HEROKU_TOKEN)]);
        world.api.set_secret(namespace, "sf-jwt", &[("server.key", &pem("good"))]);
        world.api.apply(in_namespace(addon(ADDON), namespace));
        world.api.apply(in_namespace(connection("production", &format!("org{n:02}")), namespace));
    }
    world
}

async fn until_ready(world: &World, namespace: &str, name: &str) {
    world.api.wait_until("connections", namespace, name, is_ready_by("Connected"), RETRY).await;
}

/// Waits for this answer of `/readyz`.
async fn until_said(world: &World, wanted: impl Fn(bool, &str) -> bool) -> String {
    let mut ready = world.ready();
    let said = ready.wait_for(|readiness| wanted(readiness.ready, &readiness.to_string()));
    let said = tokio::time::timeout(RETRY, said).await;
    said.unwrap_or_else(|_| panic!("it says {}", *world.ready().borrow())).expect("it runs").to_string()
}

#[tokio::test(start_paused = true)]
async fn unreadable_namespace_at_start_blocks_no_other() {
    for unreadable in [NS, SALES] {
        let other = if unreadable == NS { SALES } else { NS };
        let mut world = with_namespaces(&[NS, SALES]);
        permit(&world, unreadable, &OURS, false);
        permit(&world, unreadable, &["secrets", "configmaps"], false);
        world.start();
        until_ready(&world, other, "production").await;
        let said = until_said(&world, |ready, said| ready && said.contains("cannot read")).await;
        assert!(said.contains(&format!("Connections in namespace {unreadable}: ")), "{said}");
        assert!(said.contains("forbidden") && said.contains("Grant"), "{said}");
        assert!(!said.contains(&format!("namespace {other}")), "{said}");
        assert!(world.metrics.text().contains("applink_unreadable_namespaces 1\n"));
        world.api.apply(in_namespace(connection("second", "secondOrg"), other));
        until_ready(&world, other, "second").await;
        world.api.delete("connections", other, "second");
        world.api.wait_until("connections", other, "second", |object| object.is_none(), SOON).await;

        permit(&world, unreadable, &OURS, true);
        permit(&world, unreadable, &["secrets", "configmaps"], true);
        until_ready(&world, unreadable, "production").await;
        assert_eq!(until_said(&world, |ready, said| ready && !said.contains("cannot")).await, "ok\n");
        assert!(world.metrics.text().contains("applink_unreadable_namespaces 0\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn missing_namespaces_block_no_other() {
    let mut world = with_namespaces(&[NS, SALES, "support"]);
    permit(&world, NS, &OURS, false);
    permit(&world, "support", &OURS, false);
    world.start();
    until_ready(&world, SALES, "production").await;
    until_said(&world, |ready, said| ready && said.contains("namespace crm") && said.contains("namespace support"))
        .await;
    assert!(world.metrics.text().contains("applink_unreadable_namespaces 2\n"));
}

#[tokio::test(start_paused = true)]
async fn unreadable_namespace_keeps_its_name_claims() {
    let mut world = with_namespaces(&[NS, SALES]);
    world.start();
    until_ready(&world, NS, "production").await;
    until_ready(&world, SALES, "production").await;
    permit(&world, NS, &OURS, false);
    // Open watches continue until they break.
    world.api.outage(true);
    world.api.outage(false);
    until_said(&world, |ready, said| ready && said.contains("cannot read Connections in namespace crm")).await;
    world.api.apply(in_namespace(connection("second", "secondOrg"), SALES));
    until_ready(&world, SALES, "second").await;
    world.api.apply(in_namespace(connection("rival", "org00"), SALES));
    let refused = |object: Option<&Value>| object.is_some_and(|object| object.to_string().contains("NameConflict"));
    world.api.wait_until("connections", SALES, "rival", refused, SOON).await;
    permit(&world, NS, &OURS, true);
    assert_eq!(until_said(&world, |ready, said| ready && !said.contains("cannot")).await, "ok\n");
    world.connection("third", "thirdOrg");
    until_ready(&world, NS, "third").await;
}

#[tokio::test(start_paused = true)]
async fn unreadable_kind_stops_only_its_namespace() {
    let mut world = with_namespaces(&[NS, SALES]);
    world.start();
    until_ready(&world, SALES, "production").await;
    permit(&world, SALES, &["publications"], false);
    world.take().kill().await;
    world.api.delete("connections", SALES, "production");
    world.start();
    world.connection("second", "secondOrg");
    until_ready(&world, NS, "second").await;
    world.pass(LATER).await;
    assert_eq!(world.deletes(), 0, "an unseen Publication may refer to it");
    permit(&world, SALES, &["publications"], true);
    world.api.wait_until("connections", SALES, "production", |object| object.is_none(), RETRY).await;
}

#[tokio::test(start_paused = true)]
async fn no_readable_namespace_means_not_ready() {
    for namespaces in [&[NS, SALES][..], &[NS], &[]] {
        let mut world = with_namespaces(&[NS, SALES]);
        world.options.namespaces = namespaces.iter().map(|&namespace| namespace.to_owned()).collect();
        world.api.forbid("list", "publications");
        world.start();
        let said = until_said(&world, |_, said| said.contains("cannot read Publications in")).await;
        assert!(said.starts_with("not ready\n") && said.contains("forbidden"), "{said}");
        world.pass(LATER).await;
        assert!(!world.ready().borrow().ready);
        assert_eq!(world.posts(), 0);
        world.api.allow("list", "publications");
        until_said(&world, |ready, _| ready).await;
        until_ready(&world, NS, "production").await;
    }
}

#[tokio::test(start_paused = true)]
async fn missing_crd_is_reported_with_the_way_out() {
    let mut world = with_namespaces(&[NS, SALES]);
    world.api.fail_next("list", "publications", 20, 404);
    world.start();
    let said = until_said(&world, |ready, said| !ready && said.contains("install the CRDs")).await;
    assert!(said.contains("Publications in namespace"), "{said}");
    until_ready(&world, NS, "production").await;
    until_ready(&world, SALES, "production").await;
    assert_eq!(until_said(&world, |ready, _| ready).await, "ok\n");
}

#[tokio::test(start_paused = true)]
async fn forbidden_reads_back_off() {
    let minute = Duration::from_secs(60);
    for plurals in [&["secrets"][..], &["configmaps"], &["connections"]] {
        for verbs in [&["list", "watch"][..], &["list"], &["watch"]] {
            let mut world = with_namespaces(&[NS, SALES]);
            for verb in verbs {
                plurals.iter().for_each(|plural| world.api.permit_in(NS, verb, plural, false));
            }
            world.start();
            until_ready(&world, SALES, "production").await;
            world.pass(minute / 4).await;
            assert!(world.api.refused() <= 5, "{} in the first quarter: {verbs:?} {plurals:?}", world.api.refused());
            let before = world.api.refused();
            world.pass(5 * minute).await;
            let more = world.api.refused() - before;
            assert!((1..=30).contains(&more), "{more} in five minutes: {verbs:?} {plurals:?}");
        }
    }
}
