//! No wait is longer than necessary, and Ready is not True while nothing exists.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use applink_simulator::{Fault, What, Where};
use http::Method;
use serde_json::{Value, json};

use crate::authorization::{NAME as AUTHORIZATION, authorization};
use crate::crash::{POST, WRITE};
use crate::inspect::{answer, on_post};
use crate::publication::API;
use crate::tap::Point;
use crate::world::{LATER, NS, SOON, World, condition};

/// A poll interval with its jitter.
const POLL: Duration = Duration::from_secs(7);

/// The error body of a service failure.
fn failed() -> Value {
    json!({"id": "internal_error", "message": "something broke"})
}

/// A world whose operator was killed after AppLink executed the POST for Connection `production`; no operator runs.
async fn killed_after_post() -> World {
    let mut world = World::new();
    world.addon();
    world.start();
    world.until_addon("True", "AddonReady").await;
    world.tap().die_at(Some(Point { what: POST.to_owned(), nth: 1 }));
    world.connection("production", "productionOrg");
    world.tap().death().await;
    world.take().kill().await;
    world
}

#[tokio::test(start_paused = true)]
async fn result_of_lost_post_is_deleted_without_waiting() {
    let mut world = killed_after_post().await;
    assert_eq!(world.remote().len(), 1);
    world.delete("production");
    world.start();
    world.until_gone("production", POLL).await;
    assert_eq!((world.remote().len(), world.posts(), world.deletes()), (0, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn foreign_object_after_lost_post_is_not_ours() {
    let mut world = killed_after_post().await;
    world.delete("production");
    let planted = world.sim.clone();
    let now = world.clock;
    // When our connection is gone, somebody else takes the name.
    world.api.on_write(move |write| {
        if write.resource == "connections" && write.body["metadata"]["finalizers"] == json!([]) {
            crate::inspect::plant(&planted, "productionOrg", now.now());
        }
    });
    world.start();
    world.until_gone("production", POLL).await;
    assert_eq!((world.remote().len(), world.deletes()), (1, 1), "theirs stays");
}

#[tokio::test(start_paused = true)]
async fn service_error_is_retried_once_absence_is_proved() {
    for code in [500, 501, 502] {
        let world = World::with_addon().await;
        world.fault(on_post(answer(Where::Before, code, Some(failed()), None)).times(1));
        world.connection("production", "productionOrg");
        world.within(POLL, "production", "True", "Connected").await;
        assert_eq!((world.posts(), world.remote().len()), (2, 1), "{code}");
        let world = World::with_addon().await;
        world.fault(on_post(answer(Where::Before, code, Some(failed()), None)).times(1));
        world.api.apply(authorization(&json!({})));
        world.until_of("authorizations", AUTHORIZATION, POLL, ("True", "Authorized")).await;
        assert_eq!(world.posts(), 2, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn created_despite_error_is_found_by_name() {
    for code in [500, 501, 502] {
        let world = World::with_addon().await;
        world.sim.settings(|settings| settings.list_lag_seconds = 40.0);
        world.fault(on_post(answer(Where::After, code, Some(failed()), None)).times(1));
        world.connection("production", "productionOrg");
        world.within(LATER, "production", "True", "Connected").await;
        world.pass(LATER).await;
        assert_eq!((world.posts(), world.remote().len()), (1, 1), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn router_error_waits_for_the_call_deadline() {
    let faults = [
        answer(Where::Before, 503, None, None),
        answer(Where::Before, 504, None, None),
        answer(Where::Before, 502, Some(json!("<html>Application error</html>")), None),
        Fault::new(Where::Before, What::Reset),
    ];
    for fault in faults {
        let what = format!("{fault:?}");
        let world = World::with_addon().await;
        world.fault(on_post(fault).times(1));
        world.connection("production", "productionOrg");
        world.pass(Duration::from_secs(29)).await;
        assert_eq!(world.posts(), 1, "{what}");
        world.within(POLL, "production", "True", "Connected").await;
        assert_eq!((world.posts(), world.remote().len()), (2, 1), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn failing_service_is_not_stormed() {
    let world = World::with_addon().await;
    world.fault(on_post(answer(Where::Before, 500, Some(failed()), None)));
    world.connection("production", "productionOrg");
    world.pass(Duration::from_secs(3600)).await;
    assert!(world.busiest_ten_minutes() <= 6, "{}", world.busiest_ten_minutes());
    world.clear_faults();
    world.within(LATER, "production", "True", "Connected").await;
}

/// Records whether Ready of this object is True at each DELETE from now on.
fn ready_at_deletes(world: &World, plural: &'static str, name: &'static str) -> Arc<Mutex<Vec<bool>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (api, record) = (world.api.clone(), seen.clone());
    world.tap().on_call(move |method| {
        if *method == Method::DELETE {
            let object = api.get(plural, NS, name).expect("it exists");
            let ready = condition(&object, "Ready").is_some_and(|ready| ready["status"] == "True");
            record.lock().expect("no panic").push(ready);
        }
    });
    seen
}

#[tokio::test(start_paused = true)]
async fn ready_is_false_while_the_old_one_is_deleted() {
    let world = World::with_addon().await;
    world.connection_with("production", "productionOrg", json!({"replacePolicy": "DeleteAndRecreate"}));
    world.until("production", "True", "Connected").await;
    let seen = ready_at_deletes(&world, "connections", "production");
    world.key("other");
    world.pass(SOON).await;
    world.until("production", "True", "Connected").await;
    world.annotate("production", "replace", "now");
    world.pass(SOON).await;
    world.until("production", "True", "Connected").await;
    assert_eq!(*seen.lock().expect("no panic"), [false, false]);

    let world = World::with_publication().await;
    let seen = ready_at_deletes(&world, "publications", API);
    world.annotate_publication(API, "replace", "now");
    world.pass(SOON).await;
    world.published(API).await;
    assert_eq!(*seen.lock().expect("no panic"), [false]);
}

#[tokio::test(start_paused = true)]
async fn ready_is_false_while_a_successor_deletes() {
    for nth in 1..=2 {
        let mut world = World::with_addon().await;
        world.connection_with("production", "productionOrg", json!({"replacePolicy": "DeleteAndRecreate"}));
        world.until("production", "True", "Connected").await;
        world.tap().die_at(Some(Point { what: WRITE.to_owned(), nth }));
        world.key("other");
        world.tap().death().await;
        world.take().kill().await;
        world.start();
        let seen = ready_at_deletes(&world, "connections", "production");
        world.pass(SOON).await;
        world.within(LATER, "production", "True", "Connected").await;
        assert!(seen.lock().expect("no panic").iter().all(|ready| !ready), "{nth}");
        assert_eq!((world.deletes(), world.created()), (1, 2), "{nth}");
    }
}
