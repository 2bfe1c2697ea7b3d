//! Kills the operator at every request of a flow, before it is sent and after it was executed, and starts another. The
//! end must be as without the kill: nothing lost, nothing done twice.
//!
//! The points of a flow are enumerated until it no longer reaches the next one. The implementations of `Flow` below say
//! what happens in a flow and what must hold at its end.

use std::time::Duration;

use applink_simulator::{DeleteAnswer, Dialect, OneAnswer, Settings, UnknownAnswer};
use serde_json::json;

use crate::tap::Point;
use crate::world::{ADDON, LATER, World, digest, pem, says};

/// More points than any flow has.
const ENDLESS: usize = 400;

/// A flow during which the operator may be killed.
pub trait Flow {
    /// Sets up the world before the first possible kill.
    async fn prepare(&self, service: Service) -> World;
    /// What the user or somebody else does then.
    fn act(&self, _world: &World) {}
    /// Waits for the end of the flow.
    async fn goal(&self, world: &World);
    /// Asserts the final state.
    fn check(&self, world: &World);
}

/// Simulator settings for what the AppLink documentation leaves open.
pub type Service = fn(&mut Settings);

pub fn cli(_: &mut Settings) {}

/// Slow to connect, with tombstones, in the reference dialect.
pub fn reference(settings: &mut Settings) {
    settings.dialect = Dialect::Reference;
    settings.keep_disconnected = true;
    settings.get_one = OneAnswer::Array;
    settings.get_unknown = UnknownAnswer::EmptyList;
    settings.delete_answer = Some(DeleteAnswer::NoContent);
}

/// Lists show writes only after a delay.
pub fn lagging(settings: &mut Settings) {
    settings.list_lag_seconds = 10.0;
}

/// Kills `deaths` operators in a row at this point, then lets the last one finish. Returns the points that the first
/// one passed.
async fn kill_at(flow: &impl Flow, service: Service, point: Option<&Point>, deaths: usize) -> Vec<Point> {
    let mut world = flow.prepare(service).await;
    let mut trace = None;
    for death in 0..deaths {
        if !world.runs() {
            world.start();
        }
        world.tap().die_at(point.cloned());
        if death == 0 {
            flow.act(&world);
        }
        tokio::select! {
            () = world.tap().death() => {}
            () = flow.goal(&world) => world.pass(Duration::from_secs(1)).await,
        }
        trace.get_or_insert(world.tap().trace());
        if !world.tap().is_dead() {
            world.tap().die_at(None);
            break;
        }
        // Shown if the test fails.
        println!("death {death} {point:?}");
        world.take().kill().await;
        world.pass(Duration::from_secs(1)).await;
    }
    if !world.runs() {
        world.start();
    }
    flow.goal(&world).await;
    world.pass(Duration::from_secs(130)).await;
    flow.check(&world);
    trace.unwrap_or_default()
}

/// Kills at every point that is ever passed in this flow, once and `deaths` times in a row.
pub async fn kill_at_every_point(flow: impl Flow, service: Service, deaths: usize, expected: &[&str]) {
    let mut points = kill_at(&flow, service, None, 1).await;
    let mut next = 0;
    while let Some(point) = points.get(next).cloned() {
        let trace = kill_at(&flow, service, Some(&point), 1).await;
        points.extend(trace.into_iter().filter(|point| !points.contains(point)).collect::<Vec<_>>());
        if deaths > 1 {
            kill_at(&flow, service, Some(&point), deaths).await;
        }
        next += 1;
        assert!(next < ENDLESS, "the flow has an end: {points:#?}");
    }
    for wanted in expected {
        assert!(points.iter().any(|point| point.what == *wanted), "{wanted} is one of them: {points:#?}");
    }
}

pub const POST: &str = "after POST /addons/*/connections/salesforce/jwt";
pub const DELETE: &str = "after DELETE /addons/*/connections/*";
pub const WRITE: &str = "after PATCH /apis/applink.dev/v1alpha1/namespaces/crm/connections/production";
pub const STATUS: &str = "after PATCH /apis/applink.dev/v1alpha1/namespaces/crm/connections/production/status";

/// Everything is applied, then the operator starts.
struct Create;

impl Flow for Create {
    async fn prepare(&self, service: Service) -> World {
        let world = World::new();
        world.sim.settings(service);
        world.addon();
        world.connection("production", "productionOrg");
        world
    }

    async fn goal(&self, world: &World) {
        world.within(LATER, "production", "True", "Connected").await;
    }

    fn check(&self, world: &World) {
        recorded(world);
        assert_eq!((world.created(), world.deletes()), (1, 0), "one creation, and never a deletion");
        assert!(says(&world.get_addon(), "True", "AddonReady"));
    }
}

/// Ready, recorded in status and intent, and exists once.
pub fn recorded(world: &World) {
    let object = world.get("production");
    assert!(says(&object, "True", "Connected"), "{object:#}");
    assert_eq!(object["status"]["id"], world.only("productionOrg").id.to_string());
    assert_eq!(object["status"]["addonID"], world.get_addon()["status"]["addonID"]);
    assert_eq!(object["metadata"]["finalizers"], json!(["applink.dev/finalizer"]));
    assert!(object["metadata"]["annotations"]["applink.dev/intent"].is_string(), "{object:#}");
}

/// Ready, and then deleted by the user.
struct Delete;

impl Flow for Delete {
    async fn prepare(&self, service: Service) -> World {
        let world = ready(service).await;
        world.forget_requests();
        world
    }

    fn act(&self, world: &World) {
        world.delete("production");
    }

    async fn goal(&self, world: &World) {
        world.until_gone("production", LATER).await;
    }

    fn check(&self, world: &World) {
        assert_eq!(world.remote().len(), 0, "nothing is left: {:#?}", world.remote());
        assert_eq!(world.posts(), 0);
    }
}

pub async fn ready(service: Service) -> World {
    let mut world = World::new();
    world.sim.settings(service);
    world.addon();
    world.connection("production", "productionOrg");
    world.start();
    world.within(LATER, "production", "True", "Connected").await;
    world.pass(Duration::from_secs(70)).await;
    world
}

/// Never connected, because its key is wrong; then the key is fixed.
struct Replace;

impl Flow for Replace {
    async fn prepare(&self, service: Service) -> World {
        let mut world = World::new();
        world.sim.settings(service);
        world.sim.settings(|settings| settings.accepted_keys = vec![digest(&pem("good"))]);
        world.key("bad");
        world.addon();
        world.connection("production", "productionOrg");
        world.start();
        world.within(LATER, "production", "False", "RemoteFailed").await;
        world.pass(Duration::from_secs(70)).await;
        world.forget_requests();
        world
    }

    fn act(&self, world: &World) {
        world.key("good");
    }

    async fn goal(&self, world: &World) {
        world.within(LATER, "production", "True", "Connected").await;
    }

    fn check(&self, world: &World) {
        recorded(world);
        assert_eq!(world.created(), 1, "recreated once");
    }
}

/// Somebody deletes it in AppLink.
struct Recreate;

impl Flow for Recreate {
    async fn prepare(&self, service: Service) -> World {
        let world = ready(service).await;
        world.forget_requests();
        world
    }

    fn act(&self, world: &World) {
        world.vanish("productionOrg");
    }

    async fn goal(&self, world: &World) {
        let recreated = |object: Option<&serde_json::Value>| {
            let object = object.expect("it stays");
            let there = world.remote();
            says(object, "True", "Connected") && there.iter().any(|c| object["status"]["id"] == c.id.to_string())
        };
        world.api.wait_until("connections", crate::world::NS, "production", recreated, LATER).await;
    }

    fn check(&self, world: &World) {
        recorded(world);
        assert_eq!((world.created(), world.deletes()), (1, 0), "recreated once");
    }
}

/// The user deletes it during its creation.
struct DeleteWhileCreating;

impl Flow for DeleteWhileCreating {
    async fn prepare(&self, service: Service) -> World {
        Create.prepare(service).await
    }

    fn act(&self, world: &World) {
        let (api, user) = (world.api.clone(), world.api.clone());
        // After the finalizer is added, before the POST.
        api.on_write(move |write| {
            if write.resource == "connections" && write.subresource.is_empty() {
                let there = user.get("connections", crate::world::NS, "production");
                if there.is_some_and(|o| o["metadata"]["deletionTimestamp"].is_null()) {
                    user.delete("connections", crate::world::NS, "production");
                }
            }
        });
    }

    async fn goal(&self, world: &World) {
        world.until_gone("production", LATER).await;
    }

    fn check(&self, world: &World) {
        assert_eq!(world.remote().len(), 0, "nothing is left: {:#?}", world.remote());
        assert!(world.created() <= 1);
        assert!(world.api.get("applinkaddons", crate::world::NS, ADDON).is_some());
    }
}

/// A test that a flow, under a service, survives so many deaths at each of its points, these among them.
macro_rules! kill_at_every_request {
    ($($name:ident: $flow:expr, $service:expr, $deaths:expr, $points:expr;)+) => {$(
        #[tokio::test(start_paused = true)]
        async fn $name() {
            $crate::crash::kill_at_every_point($flow, $service, $deaths, &$points).await;
        }
    )+};
}
pub(crate) use kill_at_every_request;

kill_at_every_request! {
    kill_during_creation: Create, cli, 3, [POST, WRITE, STATUS];
    kill_during_slow_creation: Create, reference, 1, [POST, WRITE, STATUS];
    kill_during_creation_listed_late: Create, lagging, 1, [POST, WRITE, STATUS];
    kill_during_deletion: Delete, cli, 3, [DELETE, WRITE];
    kill_during_deletion_with_tombstone: Delete, reference, 1, [DELETE, WRITE];
    kill_during_deletion_listed_late: Delete, lagging, 1, [DELETE, WRITE];
    kill_during_replacement: Replace, cli, 3, [DELETE, WRITE, POST, STATUS];
    kill_during_replacement_with_tombstones: Replace, reference, 1, [DELETE, WRITE, POST, STATUS];
    kill_during_replacement_listed_late: Replace, lagging, 1, [DELETE, WRITE, POST, STATUS];
    kill_during_recreation: Recreate, cli, 3, [WRITE, POST, STATUS];
    kill_during_slow_recreation: Recreate, reference, 1, [WRITE, POST, STATUS];
    kill_during_recreation_listed_late: Recreate, lagging, 1, [WRITE, POST, STATUS];
    kill_while_deleting_during_creation: DeleteWhileCreating, cli, 1, [WRITE];
    kill_while_deleting_during_slow_creation: DeleteWhileCreating, reference, 1, [WRITE];
    kill_while_deleting_during_creation_listed_late: DeleteWhileCreating, lagging, 1, [WRITE];
}
