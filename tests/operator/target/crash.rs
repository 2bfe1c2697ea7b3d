//! Kills the operator at every request of a target's flows. See `crate::crash` for the mechanism.

use std::time::Duration;

use applink_simulator::{Settings, Status, TargetList};
use serde_json::{Value, json};

use super::{CLOUD, CLOUD_REMOTE, UPDATES, UPDATES_REMOTE, cloud};
use crate::crash::{Flow, Service, cli, kill_at_every_request, lagging, reference};
use crate::world::{LATER, NS, World, says};

const POST: &str = "after POST /addons/*/connections/datacloud/*/data_action_targets";
const WRITE: &str = "after PATCH /apis/applink.dev/v1alpha1/namespaces/crm/dataactiontargets/customer-updates";
const STATUS: &str = "after PATCH /apis/applink.dev/v1alpha1/namespaces/crm/dataactiontargets/customer-updates/status";
const PUT_DOWN: &str = "after PATCH /apis/applink.dev/v1alpha1/namespaces/crm/connections/customer-data/status";
const DISCONNECT: &str = "after DELETE /addons/*/connections/*";

fn unlisted(settings: &mut Settings) {
    settings.data_action_targets.list = TargetList::Missing;
}

/// The connection is Ready, and no operator runs.
async fn connected(service: Service) -> World {
    let mut world = World::new();
    world.sim.settings(service);
    world.addon();
    world.api.apply(cloud(CLOUD, CLOUD_REMOTE));
    world.start();
    world.within(LATER, CLOUD, "False", "AwaitingUser").await;
    world.consent(CLOUD_REMOTE, "admin@example.com");
    world.within(LATER, CLOUD, "True", "Connected").await;
    world.pass(Duration::from_secs(70)).await;
    world.take().kill().await;
    world.forget_requests();
    world
}

async fn created(service: Service) -> World {
    let mut world = connected(service).await;
    world.updates();
    world.start();
    world.target_within(LATER, "True", "Created").await;
    world.pass(Duration::from_secs(70)).await;
    world.forget_requests();
    world
}

fn recorded(world: &World) {
    let object = world.get_target();
    assert!(says(&object, "True", "Created"), "{object:#}");
    assert_eq!(object["status"]["id"], world.only_target(UPDATES_REMOTE).id.to_string());
    assert_eq!(object["metadata"]["finalizers"], json!(["applink.dev/finalizer"]));
    assert_eq!(world.target_posts(), 1, "made once");
}

struct Create;

impl Flow for Create {
    async fn prepare(&self, service: Service) -> World {
        let world = connected(service).await;
        world.updates();
        world
    }
    async fn goal(&self, world: &World) {
        world.target_within(LATER, "True", "Created").await;
    }
    fn check(&self, world: &World) {
        recorded(world);
    }
}

/// Somebody deletes it in AppLink.
struct Recreate;

impl Flow for Recreate {
    async fn prepare(&self, service: Service) -> World {
        created(service).await
    }
    fn act(&self, world: &World) {
        world.vanish_target(UPDATES_REMOTE);
    }
    async fn goal(&self, world: &World) {
        let recreated = |object: Option<&Value>| {
            let object = object.expect("it stays");
            let there = world.remote_targets();
            says(object, "True", "Created") && there.iter().any(|t| object["status"]["id"] == t.id.to_string())
        };
        world.api.wait_until("dataactiontargets", NS, UPDATES, recreated, LATER).await;
    }
    fn check(&self, world: &World) {
        recorded(world);
    }
}

/// It is released, and then its connection is deleted, which needs no confirmation.
struct Leave;

impl Flow for Leave {
    async fn prepare(&self, service: Service) -> World {
        created(service).await
    }
    fn act(&self, world: &World) {
        world.delete_target();
        world.delete(CLOUD);
    }
    async fn goal(&self, world: &World) {
        world.until_gone(CLOUD, LATER).await;
        world.until_target_gone(LATER).await;
    }
    fn check(&self, world: &World) {
        assert_eq!((world.remote().len(), world.remote_targets().len(), world.target_posts()), (0, 0, 0));
        assert!(world.event_count(UPDATES, "Orphaned") <= 1);
    }
}

/// It is deleted when its finalizer appears, together with its connection.
struct LeaveWhileCreating;

impl Flow for LeaveWhileCreating {
    async fn prepare(&self, service: Service) -> World {
        Create.prepare(service).await
    }
    fn act(&self, world: &World) {
        let (api, user) = (world.api.clone(), world.api.clone());
        api.on_write(move |write| {
            if write.resource == "dataactiontargets" && write.subresource.is_empty() {
                for (plural, name) in [("dataactiontargets", UPDATES), ("connections", CLOUD)] {
                    let there = user.get(plural, NS, name);
                    if there.is_some_and(|o| o["metadata"]["deletionTimestamp"].is_null()) {
                        user.delete(plural, NS, name);
                    }
                }
            }
        });
    }
    async fn goal(&self, world: &World) {
        world.until_gone(CLOUD, LATER).await;
        world.until_target_gone(LATER).await;
    }
    fn check(&self, world: &World) {
        assert_eq!((world.remote().len(), world.remote_targets().len()), (0, 0));
        assert!(world.target_posts() <= 1);
    }
}

/// Its connection is replaced with confirmation, and somebody consents.
struct Replace;

impl Flow for Replace {
    async fn prepare(&self, service: Service) -> World {
        created(service).await
    }
    fn act(&self, world: &World) {
        world.annotate(CLOUD, "confirm-cascade", "true");
        world.annotate(CLOUD, "replace", "1");
    }
    async fn goal(&self, world: &World) {
        let recreated = |object: Option<&Value>| {
            let object = object.expect("it stays");
            let there = world.remote();
            let handled = object["status"]["lastHandledReplace"] == "1";
            handled && there.iter().any(|c| object["status"]["id"] == c.id.to_string())
        };
        world.api.wait_until("connections", NS, CLOUD, recreated, LATER).await;
        if world.only(CLOUD_REMOTE).status_at(world.clock.now()) != Some(&Status::Connected) {
            world.within(LATER, CLOUD, "False", "AwaitingUser").await;
            world.consent(CLOUD_REMOTE, "admin@example.com");
        }
        Recreate.goal(world).await;
    }
    fn check(&self, world: &World) {
        recorded(world);
        assert_eq!(world.only_target(UPDATES_REMOTE).connection(), world.only(CLOUD_REMOTE).id);
    }
}

kill_at_every_request! {
    kill_during_target_creation: Create, cli, 3, [POST, WRITE, STATUS];
    kill_during_slow_target_creation: Create, reference, 1, [POST, WRITE, STATUS];
    kill_during_target_creation_listed_late: Create, lagging, 1, [POST, WRITE, STATUS];
    kill_during_unlisted_target_creation: Create, unlisted, 1, [POST, WRITE, STATUS];
    kill_during_target_recreation: Recreate, cli, 1, [POST, WRITE, STATUS];
    kill_during_unlisted_target_recreation: Recreate, unlisted, 1, [POST, WRITE, STATUS];
    kill_during_target_release: Leave, cli, 3, [WRITE, PUT_DOWN, DISCONNECT];
    kill_during_target_release_with_tombstones: Leave, reference, 1, [WRITE, PUT_DOWN, DISCONNECT];
    kill_while_deleting_during_target_creation: LeaveWhileCreating, cli, 1, [WRITE];
    kill_while_deleting_during_target_creation_listed_late: LeaveWhileCreating, lagging, 1, [WRITE];
    kill_during_replacement_with_targets: Replace, cli, 1, [DISCONNECT, POST, STATUS];
}
