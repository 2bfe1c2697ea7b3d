//! Kills the operator at every single request of a flow, before it is sent and after it was carried out, starts another,
//! and holds the end to what it would have been: a crash loses nothing and doubles nothing.
//!
//! A flow is enumerated until it no longer gets as far as the point of death. What a flow is, and what must come of it, is
//! in `Flow`'s implementations below.

use std::time::Duration;

use applink_simulator::{DeleteAnswer, Dialect, OneAnswer, Settings, UnknownAnswer};
use serde_json::json;

use crate::tap::Point;
use crate::world::{ADDON, LATER, World, digest, pem, says};

/// More points than any flow has.
const ENDLESS: usize = 400;

/// A way to go, during which the operator may die at any moment.
pub trait Flow {
    /// The world at the moment from which on it may die.
    async fn prepare(&self, service: Service) -> World;
    /// What the user, or somebody else, does then.
    fn act(&self, _world: &World) {}
    /// Waits for the end of the way.
    async fn goal(&self, world: &World);
    /// What must be so in the end.
    fn check(&self, world: &World);
}

/// How the service behaves in what its documentation leaves open.
pub type Service = fn(&mut Settings);

pub fn cli(_: &mut Settings) {}

/// Slow to connect, with tombstones, and with the other reading of every route.
pub fn reference(settings: &mut Settings) {
    settings.dialect = Dialect::Reference;
    settings.keep_disconnected = true;
    settings.get_one = OneAnswer::Array;
    settings.get_unknown = UnknownAnswer::EmptyList;
    settings.delete_answer = Some(DeleteAnswer::NoContent);
}

/// What was written shows in lists only after a while.
pub fn lagging(settings: &mut Settings) {
    settings.list_lag_seconds = 10.0;
}

/// Lets every operator of this world die at this point, `deaths` times in a row, and then the last one live. Gives what
/// the first passed on its way.
async fn survive(flow: &impl Flow, service: Service, point: Option<&Point>, deaths: usize) -> Vec<Point> {
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
        // Shown where the test fails.
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

/// Dies at every point that is ever passed on this way, once, and so many times in a row.
pub async fn survive_all(flow: impl Flow, service: Service, deaths: usize, expected: &[&str]) {
    let mut points = survive(&flow, service, None, 1).await;
    let mut next = 0;
    while let Some(point) = points.get(next).cloned() {
        let trace = survive(&flow, service, Some(&point), 1).await;
        points.extend(trace.into_iter().filter(|point| !points.contains(point)).collect::<Vec<_>>());
        if deaths > 1 {
            survive(&flow, service, Some(&point), deaths).await;
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

/// Everything is applied at once, and the operator starts after that.
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

/// Ready, recorded, remembered, and there once.
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

/// It never connected, for the key was a wrong one; then comes the right one.
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
        assert_eq!(world.created(), 1, "made anew once");
    }
}

/// Somebody takes it away remotely.
struct Heal;

impl Flow for Heal {
    async fn prepare(&self, service: Service) -> World {
        let world = ready(service).await;
        world.forget_requests();
        world
    }

    fn act(&self, world: &World) {
        world.vanish("productionOrg");
    }

    async fn goal(&self, world: &World) {
        let healed = |object: Option<&serde_json::Value>| {
            let object = object.expect("it stays");
            let there = world.remote();
            says(object, "True", "Connected") && there.iter().any(|c| object["status"]["id"] == c.id.to_string())
        };
        world.api.wait_until("connections", crate::world::NS, "production", healed, LATER).await;
    }

    fn check(&self, world: &World) {
        recorded(world);
        assert_eq!((world.created(), world.deletes()), (1, 0), "made anew once");
    }
}

/// The user deletes it while it is being created.
struct DeleteWhileCreating;

impl Flow for DeleteWhileCreating {
    async fn prepare(&self, service: Service) -> World {
        Create.prepare(service).await
    }

    fn act(&self, world: &World) {
        let (api, user) = (world.api.clone(), world.api.clone());
        // As soon as the finalizer is on, and before the POST.
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
macro_rules! survived {
    ($($name:ident: $flow:expr, $service:expr, $deaths:expr, $points:expr;)+) => {$(
        #[tokio::test(start_paused = true)]
        async fn $name() {
            $crate::crash::survive_all($flow, $service, $deaths, &$points).await;
        }
    )+};
}
pub(crate) use survived;

survived! {
    a_creation_survives_death_at_every_request: Create, cli, 3, [POST, WRITE, STATUS];
    a_creation_that_takes_a_while_survives_death_at_every_request: Create, reference, 1, [POST, WRITE, STATUS];
    a_creation_that_lists_show_late_survives_death_at_every_request: Create, lagging, 1, [POST, WRITE, STATUS];
    a_deletion_survives_death_at_every_request: Delete, cli, 3, [DELETE, WRITE];
    a_deletion_that_leaves_a_tombstone_survives_death_at_every_request: Delete, reference, 1, [DELETE, WRITE];
    a_deletion_that_lists_show_late_survives_death_at_every_request: Delete, lagging, 1, [DELETE, WRITE];
    a_replacement_survives_death_at_every_request: Replace, cli, 3, [DELETE, WRITE, POST, STATUS];
    a_replacement_among_tombstones_survives_death_at_every_request: Replace, reference, 1, [DELETE, WRITE, POST, STATUS];
    a_replacement_that_lists_show_late_survives_death_at_every_request: Replace, lagging, 1, [DELETE, WRITE, POST, STATUS];
    healing_survives_death_at_every_request: Heal, cli, 3, [WRITE, POST, STATUS];
    healing_that_takes_a_while_survives_death_at_every_request: Heal, reference, 1, [WRITE, POST, STATUS];
    healing_that_lists_show_late_survives_death_at_every_request: Heal, lagging, 1, [WRITE, POST, STATUS];
    a_deletion_amid_a_creation_survives_death_at_every_request: DeleteWhileCreating, cli, 1, [WRITE];
    a_deletion_amid_a_slow_creation_survives_death_at_every_request: DeleteWhileCreating, reference, 1, [WRITE];
    a_deletion_amid_a_creation_that_lists_show_late_survives_death: DeleteWhileCreating, lagging, 1, [WRITE];
}
