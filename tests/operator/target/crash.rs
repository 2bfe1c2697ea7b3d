//! Kills the operator at every request of a target's life, as `crate::crash` does of a connection's.

use std::time::Duration;

use applink_simulator::{Settings, Status, TargetList};
use serde_json::{Value, json};

use super::{CLOUD, CLOUD_REMOTE, UPDATES, UPDATES_REMOTE, cloud};
use crate::crash::{Flow, Service, cli, lagging, reference, survived};
use crate::world::{LATER, NS, World, says};

const POST: &str = "after POST /addons/*/connections/datacloud/*/data_action_targets";
const WRITE: &str = "after PATCH /apis/applink.dev/v1alpha1/namespaces/crm/dataactiontargets/customer-updates";
const STATUS: &str = "after PATCH /apis/applink.dev/v1alpha1/namespaces/crm/dataactiontargets/customer-updates/status";
const PUT_DOWN: &str = "after PATCH /apis/applink.dev/v1alpha1/namespaces/crm/connections/customer-data/status";
const DISCONNECT: &str = "after DELETE /addons/*/connections/*";

fn unlisted(settings: &mut Settings) {
    settings.data_action_targets.list = TargetList::Missing;
}

/// The connection stands, and nothing runs.
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

/// Somebody takes it away remotely.
struct Heal;

impl Flow for Heal {
    async fn prepare(&self, service: Service) -> World {
        created(service).await
    }
    fn act(&self, world: &World) {
        world.vanish_target(UPDATES_REMOTE);
    }
    async fn goal(&self, world: &World) {
        let healed = |object: Option<&Value>| {
            let object = object.expect("it stays");
            let there = world.remote_targets();
            says(object, "True", "Created") && there.iter().any(|t| object["status"]["id"] == t.id.to_string())
        };
        world.api.wait_until("dataactiontargets", NS, UPDATES, healed, LATER).await;
    }
    fn check(&self, world: &World) {
        recorded(world);
    }
}

/// It is let go of, and then its connection is deleted, for which no word is needed.
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
        assert!(world.told(UPDATES, "Orphaned") <= 1);
    }
}

/// It is deleted as soon as its finalizer is on, and its connection at the same time.
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

/// Its connection is replaced, by the user's word, and somebody consents.
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
        let anew = |object: Option<&Value>| {
            let object = object.expect("it stays");
            let there = world.remote();
            let handled = object["status"]["lastHandledReplace"] == "1";
            handled && there.iter().any(|c| object["status"]["id"] == c.id.to_string())
        };
        world.api.wait_until("connections", NS, CLOUD, anew, LATER).await;
        if world.only(CLOUD_REMOTE).status_at(world.clock.now()) != Some(&Status::Connected) {
            world.within(LATER, CLOUD, "False", "AwaitingUser").await;
            world.consent(CLOUD_REMOTE, "admin@example.com");
        }
        Heal.goal(world).await;
    }
    fn check(&self, world: &World) {
        recorded(world);
        assert_eq!(world.only_target(UPDATES_REMOTE).connection(), world.only(CLOUD_REMOTE).id);
    }
}

survived! {
    a_target_survives_death_at_every_request_of_its_creation: Create, cli, 3, [POST, WRITE, STATUS];
    a_target_that_takes_a_while_survives_death_at_every_request: Create, reference, 1, [POST, WRITE, STATUS];
    a_target_that_lists_show_late_survives_death_at_every_request: Create, lagging, 1, [POST, WRITE, STATUS];
    a_target_without_a_list_survives_death_at_every_request: Create, unlisted, 1, [POST, WRITE, STATUS];
    a_target_that_is_healed_survives_death_at_every_request: Heal, cli, 1, [POST, WRITE, STATUS];
    a_target_that_is_healed_without_a_list_survives_death_at_every_request: Heal, unlisted, 1, [POST, WRITE, STATUS];
    a_target_that_goes_with_its_connection_survives_death_at_every_request: Leave, cli, 3, [WRITE, PUT_DOWN, DISCONNECT];
    a_target_that_goes_among_tombstones_survives_death_at_every_request: Leave, reference, 1, [WRITE, PUT_DOWN, DISCONNECT];
    a_target_that_goes_amid_its_creation_survives_death_at_every_request: LeaveWhileCreating, cli, 1, [WRITE];
    a_target_that_lists_show_late_and_that_goes_amid_its_creation_survives_death: LeaveWhileCreating, lagging, 1, [WRITE];
    a_target_whose_connection_is_replaced_survives_death_at_every_request: Replace, cli, 1, [DISCONNECT, POST, STATUS];
}
