//! A target that is deleted is let go of, since AppLink cannot delete one: without a call, and not before its connection
//! has put that down.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use applink_simulator::{Fault, What, Where};
use serde_json::{Value, json};

use super::{CLOUD, CLOUD_REMOTE, UPDATES, UPDATES_REMOTE, target};
use crate::look::on_post;
use crate::world::{HOUR, LATER, NS, SOON, World};

#[tokio::test(start_paused = true)]
async fn a_target_is_let_go_of_with_one_event_once_its_connection_knows() {
    let world = World::with_target().await;
    let id = world.only_target(UPDATES_REMOTE).id.to_string();
    let calls = world.mutations();
    // In which order the finalizer goes and the id is put down.
    let order: Arc<Mutex<Vec<String>>> = Arc::default();
    let (seen, api, wanted) = (order.clone(), world.api.clone(), id.clone());
    world.api.on_write(move |write| {
        let known = api.get("connections", NS, CLOUD).expect("it is there")["status"]["releasedTargets"].clone();
        let known = known.as_array().is_some_and(|ids| ids.contains(&json!(wanted)));
        seen.lock().expect("whole").push(format!("{} {known}", write.resource));
    });
    world.delete_target();
    world.until_target_gone(SOON).await;
    let order = order.lock().expect("whole").clone();
    assert!(order.contains(&"dataactiontargets true".to_owned()), "{order:?}");
    assert!(!order.contains(&"dataactiontargets/ false".to_owned()), "{order:?}");
    world.pass(HOUR).await;
    assert_eq!((world.released_targets(), world.mutations()), (vec![id.clone()], calls));
    assert_eq!((world.told(UPDATES, "Orphaned"), world.remote_targets().len()), (1, 1));

    // Declared again, it is taken over, and off the list.
    world.updates();
    let object = world.until_target("True", "Created").await;
    assert_eq!(object["status"]["id"], id);
    let nothing = |o: Option<&Value>| o.is_some_and(|o| o["status"]["releasedTargets"].is_null());
    world.api.wait_until("connections", NS, CLOUD, nothing, SOON).await;
    assert_eq!(world.target_posts(), 1);
}

/// What becomes of a connection.
type Way = (&'static str, fn(&World));

#[tokio::test(start_paused = true)]
async fn a_connection_that_cannot_put_anything_down_keeps_no_target() {
    let ways: [Way; 5] = [
        ("observed", |world| {
            world.api.patch("connections", NS, CLOUD, json!({"spec": {"managementPolicy": "Observe"}}));
        }),
        ("missing", |world| {
            world.api.patch("connections", NS, CLOUD, json!({"metadata": {"finalizers": null}}));
            world.api.delete("connections", NS, CLOUD);
        }),
        ("malformed", |world| {
            world.api.patch("connections", NS, CLOUD, json!({"spec": {"provider": 7}}));
        }),
        ("suspended", |world| {
            world.api.patch("connections", NS, CLOUD, json!({"spec": {"suspend": true}}));
        }),
        ("gone remotely", |world| world.vanish(CLOUD_REMOTE)),
    ];
    for (way, act) in ways {
        let world = World::with_target().await;
        act(&world);
        for wait in [Duration::ZERO, Duration::from_secs(150)] {
            world.pass(wait).await;
        }
        world.delete_target();
        world.until_target_gone(SOON).await;
        let left = i64::from(way != "gone remotely");
        assert_eq!((way, world.told(UPDATES, "Orphaned"), world.target_posts()), (way, left, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_goes_while_the_service_is_away() {
    let world = World::with_target().await;
    world.fault(Fault::new(Where::Before, What::Reset));
    world.pass(HOUR).await;
    world.delete_target();
    world.until_target_gone(SOON).await;
    assert_eq!((world.told(UPDATES, "Orphaned"), world.released_targets().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn one_whose_creation_is_not_known_to_have_worked_is_looked_for_first() {
    for place in [Where::Before, Where::After] {
        let mut world = World::with_cloud().await;
        world.fault(on_post(Fault::new(place, What::Reset)));
        world.updates();
        while world.target_posts() == 0 {
            world.pass(Duration::from_millis(50)).await;
        }
        world.delete_target();
        // Whoever finishes it knows nothing but what the object has.
        world.restart().await;
        world.until_target_gone(LATER).await;
        let made = world.remote_targets();
        let ids: Vec<_> = made.iter().map(|target| target.id.to_string()).collect();
        assert_eq!((world.target_posts(), world.released_targets()), (1, ids), "{place:?}");
        assert_eq!(world.told(UPDATES, "Orphaned"), made.len() as i64, "{place:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_made_and_never_seen_again_is_let_go_of_too() {
    let world = World::with_cloud().await;
    world.fault(on_post(Fault::new(Where::After, What::Reset)));
    world.updates();
    while world.target_posts() == 0 {
        world.pass(Duration::from_millis(50)).await;
    }
    world.delete_target();
    world.until_target_gone(LATER).await;
    let id = world.only_target(UPDATES_REMOTE).id.to_string();
    assert_eq!((world.released_targets(), world.told(UPDATES, "Orphaned")), (vec![id], 1));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_shows_its_id_late_keeps_no_target() {
    let world = World::with_cloud().await;
    world.fault(on_post(Fault::new(Where::After, What::Reset)));
    world.updates();
    while world.target_posts() == 0 {
        world.pass(Duration::from_millis(5)).await;
    }
    world.delete_target();
    world.pass(Duration::from_millis(20)).await;
    world.api.hold_watches("dataactiontargets");
    let known = |o: Option<&Value>| o.is_some_and(|o| o["status"]["id"].is_string());
    world.api.wait_until("dataactiontargets", NS, UPDATES, known, LATER).await;
    world.pass(SOON).await;
    world.api.release_watches();
    world.until_target_gone(LATER).await;
    assert_eq!(world.released_targets().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn forced_it_goes_at_once_even_suspended() {
    let world = World::with_target().await;
    world.api.patch("dataactiontargets", NS, UPDATES, json!({"spec": {"suspend": true}}));
    world.until_target("True", "Suspended").await;
    world.delete_target();
    world.until_target("True", "Suspended").await;
    world.api.annotate("dataactiontargets", NS, UPDATES, "applink.dev/force-orphan", Some("true"));
    world.until_target_gone(SOON).await;
    assert_eq!((world.told(UPDATES, "Orphaned"), world.remote_targets().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn one_whose_connection_never_came_leaves_nothing_to_tell() {
    let world = World::with_addon().await;
    world.api.apply(target(UPDATES, UPDATES_REMOTE));
    world.until_target("False", "DependencyNotFound").await;
    world.delete_target();
    world.until_target_gone(SOON).await;
    assert_eq!(world.told(UPDATES, "Orphaned"), 0);
}
