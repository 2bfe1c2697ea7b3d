//! Deletion of publications: before their connection, wherever that is by then and whatever is known of them; and what
//! happens if the connection is replaced.

use std::time::Duration;

use applink_simulator::{Fault, Status, What, Where};
use serde_json::{Value, json};

use crate::inspect::{answer, on_applink, on_post};
use crate::publication::{API, publication, publication_with};
use crate::world::{HOUR, NS, SOON, World, condition, message, progress, says};

const MINUTE: Duration = Duration::from_secs(60);

async fn gone_with(world: &World) {
    world.delete_publication(API);
    world.publication_gone(API).await;
    assert_eq!(world.all_published().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn delete_uses_connection_and_app_ids() {
    let world = World::with_publication().await;
    gone_with(&world).await;
    let connection = world.only("productionOrg").id;
    let path = format!("/connections/salesforce/{connection}/apps/{}", applink_simulator::Seed::APP_ID);
    assert_eq!(world.request_count(|r| r.mutating && r.path.ends_with(&path)), 1);
    assert_eq!((world.mutations(), world.event_count(API, "Deleted")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn orphaned_publication_stays() {
    for how in ["Orphan", "force-orphan"] {
        let world = World::with_publication().await;
        if how == "Orphan" {
            world.respec(API, json!({"deletionPolicy": "Orphan"}));
        } else {
            world.annotate_publication(API, how, "true");
        }
        world.delete_publication(API);
        world.publication_gone(API).await;
        assert_eq!((world.mutations(), world.event_count(API, "Orphaned")), (0, 1), "{how}");
        world.only_published();
    }
}

#[tokio::test(start_paused = true)]
async fn connection_deletion_waits_for_the_publication() {
    let world = World::with_publication().await;
    world.delete("production");
    let object = world.until("production", "False", "DeletionBlocked").await;
    assert!(message(&object).contains("Publication orders-api"), "{}", message(&object));
    world.pass(HOUR).await;
    assert_eq!(world.mutations(), 0);
    assert!(says(&world.get_publication(API), "True", "Published"));
    // Nothing new is created on it.
    world.document("1.1.0");
    world.publication_until(API, "False", "ConnectionNotReady").await;
    gone_with(&world).await;
    world.until_gone("production", SOON).await;
    let paths: Vec<_> = world.sim.requests(|log| log.iter().filter(|r| r.mutating).map(|r| r.path.clone()).collect());
    assert!(paths[0].contains("/apps/") && paths.len() == 2, "{paths:?}");
}

#[tokio::test(start_paused = true)]
async fn everything_deleted_at_once_goes_in_order() {
    let world = World::with_publication().await;
    world.delete("production");
    world.api.delete("applinkaddons", NS, "orders");
    world.api.delete("configmaps", NS, crate::publication::DOCUMENT);
    world.delete_publication(API);
    world.publication_gone(API).await;
    world.until_gone("production", SOON).await;
    assert_eq!((world.all_published().len(), world.remote().len()), (0, 0));
    assert_eq!(world.mutations(), 2);
}

#[tokio::test(start_paused = true)]
async fn publication_is_deleted_by_its_status_after_the_connection() {
    let mut world = World::with_publication().await;
    world.annotate("production", "force-orphan", "true");
    world.delete("production");
    world.until_gone("production", SOON).await;
    world.publication_until(API, "False", "DependencyNotFound").await;
    world.restart().await;
    gone_with(&world).await;
    assert_eq!(world.unpublishes(), 1);
    world.only("productionOrg");
}

#[tokio::test(start_paused = true)]
async fn publication_of_gone_connection_needs_no_delete() {
    let world = World::with_publication().await;
    world.respec(API, json!({"suspend": true}));
    world.api.patch("connections", NS, "production", json!({"spec": {"suspend": true}}));
    world.pass(MINUTE).await;
    world.vanish("productionOrg");
    world.pass(2 * MINUTE).await;
    world.respec(API, json!({"suspend": false}));
    gone_with(&world).await;
    assert_eq!(world.unpublishes(), 0);
}

#[tokio::test(start_paused = true)]
async fn recreated_connection_is_republished_once() {
    for how in ["vanish", "replace"] {
        for outlives in [false, true] {
            let mut world = World::published_under(|switches| switches.disconnect_unpublishes = !outlives).await;
            let before = world.only("productionOrg").id;
            world.respec(API, json!({"adoptionPolicy": "Never"}));
            if how == "vanish" {
                world.vanish("productionOrg");
            } else {
                world.annotate("production", "replace", "1");
            }
            let moved = |object: Option<&Value>| {
                let object = object.expect("it stays");
                says(object, "True", "Published") && object["status"]["connectionID"] != before.to_string()
            };
            world.api.wait_until("publications", NS, API, moved, 2 * MINUTE).await;
            let object = world.get_publication(API);
            assert_eq!(object["status"]["connectionID"], world.only("productionOrg").id.to_string());
            world.restart().await;
            world.pass(HOUR).await;
            assert_eq!((world.publishes(), world.unpublishes()), (1, 0), "{how}, outlives {outlives}");
            gone_with(&world).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn refusal_by_old_connection_does_not_block_new_one() {
    let world = World::with_publication().await;
    let old = world.only("productionOrg").id.to_string();
    world.fault(on_post(answer(Where::Before, 404, None, None)).path_contains(&old));
    world.document("1.1.0");
    world.publication_until(API, "False", "RemoteRejected").await;
    world.vanish("productionOrg");
    world.pass(2 * MINUTE).await;
    assert!(says(&world.get_publication(API), "True", "Published"), "{:#}", world.get_publication(API));
    assert_eq!(world.took_effect(), 1);
}

#[tokio::test(start_paused = true)]
async fn surviving_publication_is_known_after_refusal() {
    for restart in [false, true] {
        let mut world = World::published_under(|switches| switches.disconnect_unpublishes = false).await;
        let old = world.only("productionOrg").id.to_string();
        world.respec(API, json!({"adoptionPolicy": "Never"}));
        // The list of connections shows it for longer than it works.
        for method in ["GET", "POST"] {
            let path = format!("/{old}/apps");
            world.fault(Fault::status(Where::Before, 404).method(method).path_contains(&path));
        }
        world.publication_within(2 * MINUTE, API, "False", "RemoteRejected").await;
        if restart {
            world.restart().await;
        }
        world.vanish("productionOrg");
        world.publication_within(2 * MINUTE, API, "True", "Published").await;
        world.pass(HOUR).await;
        assert_ne!(world.get_publication(API)["status"]["connectionID"], old);
        assert_eq!((world.event_count(API, "Adopted"), world.took_effect(), world.unpublishes()), (0, 1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn refused_publish_does_not_block_deletion() {
    let world = World::with_publication().await;
    world.fault(on_post(answer(Where::Before, 422, None, None)));
    world.document("1.1.0");
    world.publication_until(API, "False", "RemoteRejected").await;
    let from = world.clock.now();
    gone_with(&world).await;
    assert!(world.clock.now().duration_since(from).as_secs() < 5);
}

#[tokio::test(start_paused = true)]
async fn just_published_but_unlisted_is_deleted() {
    for (lag, seconds) in [(20.0, 0.0), (0.0, 20.0)] {
        let mut world = World::with_connection().await;
        world.document("1.0.0");
        world.pass(MINUTE).await;
        world.sim.settings(|settings| {
            settings.list_lag_seconds = lag;
            settings.publications.publish_seconds = seconds;
        });
        world.api.apply(publication(API));
        let object = world.publication_until(API, "False", "Publishing").await;
        assert_eq!(progress(&object), Some("Reconciling"));
        world.restart().await;
        gone_with(&world).await;
        world.pass(HOUR).await;
        assert_eq!((world.publishes(), world.all_published().len()), (1, 0), "lag {lag}, shown after {seconds}");
    }
}

/// What befalls the connection while no operator runs.
#[derive(Clone, Copy, Debug)]
enum Meanwhile {
    Failed,
    Forgotten,
}

#[tokio::test(start_paused = true)]
async fn result_of_lost_publish_is_deleted() {
    for meanwhile in [Meanwhile::Failed, Meanwhile::Forgotten] {
        for adopts in [false, true] {
            let mut world = World::with_connection().await;
            world.document("1.0.0");
            if adopts {
                world.plant_publication("productionOrg", applink_simulator::Seed::APP_ID);
                world.pass(HOUR).await;
            }
            world.fault(on_post(Fault::new(Where::After, What::Reset)).times(1));
            world.api.apply(publication(API));
            while world.publishes() == 0 {
                world.pass(Duration::from_millis(10)).await;
            }
            world.take().kill().await;
            assert!(world.get_publication(API)["status"]["id"].is_null(), "nothing is recorded");
            let (id, now) = (world.only("productionOrg").id, world.clock.now());
            match meanwhile {
                Meanwhile::Failed => {
                    world.sim.world(|w| w.set_status(id, Status::Failed, None, now)).expect("it exists");
                }
                Meanwhile::Forgotten => {
                    world.api.patch("connections", NS, "production", json!({"metadata": {"finalizers": []}}));
                    world.delete("production");
                }
            }
            world.delete_publication(API);
            world.start();
            world.publication_gone(API).await;
            assert_eq!(world.all_published().len(), 0, "{meanwhile:?}, adopts {adopts}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn deletion_survives_lost_or_bad_responses() {
    for fault in [
        Fault::new(Where::After, What::Reset),
        Fault::new(Where::Before, What::Reset),
        answer(Where::Before, 503, None, None),
        answer(Where::Before, 429, None, Some(20)),
    ] {
        let world = World::with_publication().await;
        world.fault(fault.clone().method("DELETE").times(2));
        gone_with(&world).await;
        assert!(world.unpublishes() <= 3, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn suspended_publication_blocks_its_deletion() {
    let world = World::with_publication().await;
    world.respec(API, json!({"suspend": true}));
    world.publication_until(API, "True", "Suspended").await;
    world.document("1.1.0");
    world.touch();
    world.pass(HOUR).await;
    world.delete_publication(API);
    world.pass(HOUR).await;
    assert_eq!(world.mutations(), 0);
    world.respec(API, json!({"suspend": false}));
    world.publication_gone(API).await;
    assert_eq!((world.publishes(), world.all_published().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn outage_changes_nothing_until_stale() {
    let mut world = World::with_publication().await;
    world.fault(on_applink(answer(Where::Before, 503, None, None)));
    world.pass(4 * MINUTE).await;
    assert!(says(&world.get_publication(API), "True", "Published"));
    assert_eq!(world.writes_to_publication(API).len(), 0);
    world.document("1.1.0");
    world.pass(10 * MINUTE).await;
    world.publication_until(API, "Unknown", "RemoteUnavailable").await;
    world.restart().await;
    world.pass(10 * MINUTE).await;
    assert_eq!((world.took_effect(), world.unpublishes()), (0, 0));
    world.clear_faults();
    world.republished(1).await;
    world.pass(HOUR).await;
    assert_eq!((world.took_effect(), world.unpublishes()), (1, 0));
    assert!(condition(&world.get_publication(API), "Stalled").is_none());
}

#[tokio::test(start_paused = true)]
async fn refused_deletion_is_reported() {
    let world = World::with_publication().await;
    world.fault(answer(Where::Before, 422, None, None).method("DELETE").times(1));
    world.delete_publication(API);
    let object = world.publication_until(API, "False", "RemoteRejected").await;
    assert_eq!(progress(&object), Some("Stalled"));
    world.publication_gone(API).await;
    assert_eq!(world.all_published().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn impossible_publication_is_removed_at_once() {
    let world = World::with_addon().await;
    world.api.apply(publication_with(API, json!({"apiSpec": {"inline": "x"}})));
    world.publication_until(API, "False", "DependencyNotFound").await;
    world.delete_publication(API);
    world.publication_gone(API).await;
}
