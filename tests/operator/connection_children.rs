//! Publications and targets follow their connection: they start when it is ready, stop when it is not, and ignore
//! changes that do not concern them.

use std::time::Duration;

use applink_simulator::{Fault, Status, What, Where};
use serde_json::{Value, json};

use crate::target::{CLOUD, CLOUD_REMOTE, UPDATES, cloud, target};
use crate::world::{HOUR, LATER, NS, SOON, World, message, progress, says};

/// The Publication, and its Connection.
pub const API: &str = "orders-api";
pub const SALES: &str = "production";
pub const SALES_REMOTE: &str = "productionOrg";
const POLL: Duration = Duration::from_secs(75);
/// Triggers arrive within this time.
const AT_ONCE: Duration = Duration::from_secs(1);

/// A Publication of a small API through this Connection.
pub fn publication(name: &str, connection: &str) -> Value {
    let document = json!({
        "openapi": "3.0.3", "info": {"title": "Orders", "version": "1.0.0"},
        "paths": {"/orders": {"get": {"operationId": "list", "responses": {"200": {"description": "orders"}}}}},
    });
    json!({
        "apiVersion": "applink.dev/v1alpha1", "kind": "Publication", "metadata": {"namespace": NS, "name": name},
        "spec": {
            "connectionRef": {"name": connection}, "clientName": "OrdersAPI", "apiSpec": {"inline": document.to_string()},
        },
    })
}

/// Both kinds of children, with the reason that they are Ready with.
const CHILDREN: [(&str, &str, &str, &str); 2] =
    [("publications", API, SALES, "Published"), ("dataactiontargets", UPDATES, CLOUD, "Created")];

/// Everything is Ready and at rest.
async fn serving() -> World {
    let world = World::with_cloud().await;
    world.connection(SALES, SALES_REMOTE);
    world.api.apply(publication(API, SALES));
    world.updates();
    for (plural, name, _, ready) in CHILDREN {
        world.until_of(plural, name, SOON, ("True", ready)).await;
    }
    world.pass(Duration::from_secs(150)).await;
    world
}

fn remote_of(connection: &str) -> &'static str {
    if connection == CLOUD { CLOUD_REMOTE } else { SALES_REMOTE }
}

fn turn(world: &World, connection: &str, status: Status) {
    let (id, now) = (world.only(remote_of(connection)).id, world.clock.now());
    world.sim.world(|w| w.set_status(id, status, None, now)).expect("it exists");
}

/// Waits until the Connection has this status and reason, and then until its child does.
async fn follows(world: &World, nth: usize, (status, reason): (&str, &str), then: (&str, &str)) -> Value {
    let (plural, name, on, _) = CHILDREN[nth];
    world.within(POLL, on, status, reason).await;
    world.until_of(plural, name, AT_ONCE, then).await
}

#[tokio::test(start_paused = true)]
async fn ready_connection_starts_its_children() {
    let world = World::with_addon().await;
    world.sim.settings(|settings| settings.connect_seconds = Some(20.0));
    world.updates();
    world.api.apply(publication(API, SALES));
    world.until_target("False", "DependencyNotFound").await;
    world.until_of("publications", API, SOON, ("False", "DependencyNotFound")).await;
    world.api.apply(cloud(CLOUD, CLOUD_REMOTE));
    world.connection(SALES, SALES_REMOTE);
    world.until_target("False", "ConnectionNotReady").await;
    world.until(SALES, "True", "Connected").await;
    let posted =
        |end: &'static str| world.request_count(move |r| r.method == http::Method::POST && r.path.ends_with(end));
    world.pass(AT_ONCE).await;
    assert_eq!(posted("/apps"), 1);
    world.consented(CLOUD, CLOUD_REMOTE).await;
    world.pass(AT_ONCE).await;
    assert_eq!(posted("/data_action_targets"), 1);
}

#[tokio::test(start_paused = true)]
async fn children_follow_a_failing_connection() {
    let world = serving().await;
    let calls = world.mutations();
    for (nth, (_, name, on, ready)) in CHILDREN.into_iter().enumerate() {
        turn(&world, on, Status::Failed);
        let object = follows(&world, nth, ("False", "RemoteFailed"), ("False", "ConnectionNotReady")).await;
        assert_eq!(progress(&object), Some("Reconciling"));
        assert!(message(&object).contains(on), "{}", message(&object));
        turn(&world, on, Status::Connected);
        follows(&world, nth, ("True", "Connected"), ("True", ready)).await;
        assert_eq!(world.event_count(name, "ConnectionNotReady"), 1);
    }
    world.pass(HOUR).await;
    assert_eq!(world.mutations(), calls);
}

#[tokio::test(start_paused = true)]
async fn children_stop_on_org_mismatch() {
    let world = serving().await;
    for (nth, (plural, name, on, ready)) in CHILDREN.into_iter().enumerate() {
        world.api.patch("connections", NS, on, json!({"spec": {"expect": {"username": "somebody@else.example"}}}));
        follows(&world, nth, ("False", "OrgMismatch"), ("False", "ConnectionNotReady")).await;
        world.api.patch("connections", NS, on, json!({"spec": {"expect": null}}));
        follows(&world, nth, ("True", "Connected"), ("True", ready)).await;
        // It does not start, either.
        world.api.patch("connections", NS, on, json!({"spec": {"expect": {"username": "somebody@else.example"}}}));
        follows(&world, nth, ("False", "OrgMismatch"), ("False", "ConnectionNotReady")).await;
        world.api.delete(plural, NS, name);
        world.api.wait_until(plural, NS, name, |object| object.is_none(), SOON).await;
    }
}

/// From here on asserts at each write that every child is Ready.
fn watch(world: &World) {
    let api = world.api.clone();
    world.api.on_write(move |_| {
        for (plural, name, _, ready) in CHILDREN {
            let object = api.get(plural, NS, name).expect("it exists");
            assert!(says(&object, "True", ready), "{object:#}");
        }
    });
}

#[tokio::test(start_paused = true)]
async fn suspended_connection_keeps_children_ready() {
    let mut world = serving().await;
    let calls = world.mutations();
    watch(&world);
    for (_, _, on, _) in CHILDREN {
        world.api.patch("connections", NS, on, json!({"spec": {"suspend": true}}));
        world.until(on, "True", "Suspended").await;
        world.pass(HOUR).await;
        world.api.patch("connections", NS, on, json!({"spec": {"suspend": false}}));
        world.until(on, "True", "Connected").await;
        world.api.patch("connections", NS, on, json!({"spec": {"loginURL": "https://test.salesforce.com"}}));
        world.until(on, "False", "ReplacementRequired").await;
    }
    world.pass(HOUR).await;
    world.restart().await;
    world.pass(HOUR).await;
    assert_eq!(world.mutations(), calls);
    for (plural, name, _, ready) in CHILDREN {
        assert!(says(&world.api.get(plural, NS, name).expect("it exists"), "True", ready));
    }
}

#[tokio::test(start_paused = true)]
async fn children_stay_ready_during_a_short_outage() {
    let mut world = serving().await;
    let reported: Vec<_> = CHILDREN.iter().map(|(_, name, ..)| world.events_of(name)).collect();
    world.fault(Fault::new(Where::Before, What::Reset));
    world.pass(Duration::from_secs(200)).await;
    world.restart().await;
    world.pass(Duration::from_secs(60)).await;
    for ((plural, name, _, ready), reported) in CHILDREN.into_iter().zip(reported) {
        let object = world.api.get(plural, NS, name).expect("it exists");
        assert!(says(&object, "True", ready), "{object:#}");
        assert_eq!(world.events_of(name), reported);
    }
    for (plural, name, ..) in CHILDREN {
        let unknown = |o: Option<&Value>| o.is_some_and(|o| says(o, "Unknown", "RemoteUnavailable"));
        world.api.wait_until(plural, NS, name, unknown, LATER).await;
    }
    world.clear_faults();
    for (plural, name, _, ready) in CHILDREN {
        world.until_of(plural, name, LATER, ("True", ready)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_provider_is_reported() {
    let world = serving().await;
    let mut wrong = target("wrong-target", "wrong_target");
    wrong["spec"]["connectionRef"]["name"] = json!(SALES);
    world.api.apply(wrong);
    world.api.apply(publication("wrong-api", CLOUD));
    for (plural, name, needed) in
        [("dataactiontargets", "wrong-target", "DataCloud"), ("publications", "wrong-api", "Salesforce")]
    {
        let object = world.until_of(plural, name, SOON, ("False", "InvalidSpec")).await;
        assert!(message(&object).contains(needed), "{}", message(&object));
        world.api.delete(plural, NS, name);
        world.api.wait_until(plural, NS, name, |object| object.is_none(), SOON).await;
    }
}

#[tokio::test(start_paused = true)]
async fn lagging_list_keeps_children_ready() {
    let world = World::with_addon().await;
    world.sim.settings(|settings| settings.list_lag_seconds = 30.0);
    world.connection(SALES, SALES_REMOTE);
    world.api.apply(publication(API, SALES));
    world.api.apply(cloud(CLOUD, CLOUD_REMOTE));
    world.updates();
    world.consented(CLOUD, CLOUD_REMOTE).await;
    world.within(LATER, SALES, "True", "Connected").await;
    for (plural, name, _, ready) in CHILDREN {
        world.until_of(plural, name, LATER, ("True", ready)).await;
    }
    world.pass(HOUR).await;
    assert_eq!((world.target_posts(), world.remote_targets().len()), (1, 1));
    for (_, name, ..) in CHILDREN {
        assert!(world.event_count(name, "ConnectionNotReady") <= 1, "{:?}", world.events_of(name));
    }
}
