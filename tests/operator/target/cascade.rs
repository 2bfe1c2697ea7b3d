//! Deleting a Data Cloud connection deletes its targets: the user must confirm that, unless they were released.

use std::time::Duration;

use applink_simulator::{Fault, TargetList, Where};
use serde_json::{Value, json};

use super::{CLOUD, CLOUD_REMOTE, OTHER_APP, UPDATES, UPDATES_REMOTE, target};
use crate::world::{HOUR, LATER, NS, SOON, World, message, progress, says};

fn confirm(world: &World) {
    world.annotate(CLOUD, "confirm-cascade", "true");
}

async fn blocked(world: &World) -> Value {
    let object = world.until(CLOUD, "False", "DeletionBlocked").await;
    assert_eq!(progress(&object), Some("Reconciling"));
    assert!(message(&object).contains("confirm-cascade"), "{}", message(&object));
    object
}

#[tokio::test(start_paused = true)]
async fn declared_targets_block_connection_deletion() {
    let world = World::with_target().await;
    world.delete(CLOUD);
    let object = blocked(&world).await;
    assert!(message(&object).contains(UPDATES), "{}", message(&object));
    world.pass(HOUR).await;
    assert_eq!((world.deletes(), world.remote_targets().len()), (0, 1));
    assert!(says(&world.get_target(), "True", "Created"), "it works on: {:#}", world.get_target());
    confirm(&world);
    world.until_gone(CLOUD, SOON).await;
    assert_eq!((world.remote().len(), world.remote_targets().len(), world.deletes()), (0, 0, 1));
    let object = world.until_target("False", "DependencyNotFound").await;
    assert_eq!(progress(&object), Some("Reconciling"));
    world.pass(HOUR).await;
    world.delete_target();
    world.until_target_gone(SOON).await;
    assert_eq!(world.event_count(UPDATES, "Orphaned"), 0, "nothing was left behind");
}

#[tokio::test(start_paused = true)]
async fn undeclared_targets_block_connection_deletion() {
    for whose in ["ours", "theirs", "observed"] {
        let world = World::with_cloud().await;
        world.other_app();
        world.plant_target(|new| {
            if whose == "theirs" {
                new.app = OTHER_APP;
            }
        });
        if whose == "observed" {
            let mut manifest = target(UPDATES, UPDATES_REMOTE);
            manifest["spec"]["managementPolicy"] = json!("Observe");
            world.api.apply(manifest);
            world.until_target("True", "Created").await;
        }
        world.delete(CLOUD);
        let object = blocked(&world).await;
        assert!(message(&object).contains(UPDATES_REMOTE), "{whose}: {}", message(&object));
        world.pass(HOUR).await;
        assert_eq!(world.deletes(), 0, "{whose}");
        confirm(&world);
        world.until_gone(CLOUD, SOON).await;
        assert_eq!(world.remote_targets().len(), 0, "{whose}");
    }
}

#[tokio::test(start_paused = true)]
async fn released_targets_need_no_confirmation() {
    let world = World::with_target().await;
    world.delete_target();
    world.until_target_gone(SOON).await;
    world.delete(CLOUD);
    world.until_gone(CLOUD, SOON).await;
    assert_eq!((world.remote().len(), world.remote_targets().len(), world.event_count(UPDATES, "Orphaned")), (0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn targets_deleted_together_need_no_confirmation() {
    for target_first in [true, false] {
        let world = World::with_target().await;
        if target_first {
            world.delete_target();
        }
        world.delete(CLOUD);
        if !target_first {
            blocked(&world).await;
            world.delete_target();
        }
        world.until_gone(CLOUD, SOON).await;
        world.until_target_gone(SOON).await;
        assert_eq!((world.remote().len(), world.remote_targets().len()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn targets_in_a_terminating_namespace_need_no_confirmation() {
    for lets in [true, false] {
        let world = World::with_target().await;
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS, "finalizers": ["test/kubernetes"]},
        });
        world.api.apply(namespace);
        if !lets {
            world.api.forbid("get", "namespaces");
        }
        world.delete(CLOUD);
        blocked(&world).await;
        world.api.delete("namespaces", "", NS);
        if lets {
            world.until_gone(CLOUD, Duration::from_secs(65)).await;
            assert_eq!(world.remote_targets().len(), 0);
            world.until_target("False", "DependencyNotFound").await;
        }
        world.pass(HOUR).await;
        assert_eq!(world.remote_targets().len(), usize::from(!lets));
        // It is deleted with the namespace, whatever can be read.
        world.delete_target();
        world.until_target_gone(SOON).await;
        world.until_gone(CLOUD, SOON).await;
        assert_eq!(world.remote().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn replacement_needs_confirmation_and_recreates_targets() {
    let world = World::with_target().await;
    let before = world.get_target();
    world.annotate(CLOUD, "replace", "1");
    let object = blocked(&world).await;
    assert!(message(&object).contains(UPDATES_REMOTE) || message(&object).contains(UPDATES), "{}", message(&object));
    world.pass(HOUR).await;
    assert_eq!(world.deletes(), 0);
    assert!(says(&world.get_target(), "True", "Created"));
    confirm(&world);
    world.until(CLOUD, "False", "AwaitingUser").await;
    world.until_target("False", "ConnectionNotReady").await;
    assert_eq!(world.remote_targets().len(), 0);
    world.consent(CLOUD_REMOTE, "admin@example.com");
    let recreated = |o: Option<&Value>| {
        o.is_some_and(|o| says(o, "True", "Created") && o["status"]["id"] != before["status"]["id"])
    };
    world.api.wait_until("dataactiontargets", NS, UPDATES, recreated, SOON).await;
    world.pass(HOUR).await;
    assert_eq!((world.target_posts(), world.deletes(), world.remote_targets().len()), (2, 1, 1));
    assert_eq!(world.event_count(UPDATES, "Orphaned"), 0);
}

#[tokio::test(start_paused = true)]
async fn connection_without_targets_needs_no_confirmation() {
    for unlisted in [false, true] {
        let world = World::with_cloud_of(|settings| {
            if unlisted {
                settings.data_action_targets.list = TargetList::Missing;
            }
        });
        let world = world.await;
        world.delete(CLOUD);
        world.until_gone(CLOUD, LATER).await;
        assert_eq!(world.remote().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn refused_list_blocks_deletion() {
    for code in [401, 403, 429, 500] {
        let world = World::with_cloud().await;
        world.plant_target(|_| {});
        world.fault(Fault::status(Where::Before, code).path_contains("/datacloud/"));
        world.delete(CLOUD);
        world.pass(HOUR).await;
        assert_eq!(world.deletes(), 0, "{code}");
        world.clear_faults();
        world.within(LATER, CLOUD, "False", "DeletionBlocked").await;
    }
}
