//! Kills the operator at every single request of what a publication goes through. Nothing is lost, nothing is left behind, and
//! nothing is published more often than a lost answer asks for.

use std::time::Duration;

use applink_operator::plan::inputs::publication::{PublicationPayload, Texts};
use applink_simulator::{Republish, Settings};
use serde_json::{Value, json};

use crate::crash::{Flow, Service, survived};
use crate::publishing::{API, CLIENT, openapi, publication, publication_with};
use crate::world::{LATER, NS, World, says};

fn plain(_: &mut Settings) {}

/// What was published shows after a while.
fn late(settings: &mut Settings) {
    settings.publications.publish_seconds = 10.0;
    settings.list_lag_seconds = 5.0;
}

/// A repeat with the same content leaves no trace.
fn traceless(settings: &mut Settings) {
    settings.publications.touch_on_republish = false;
}

/// Nothing is published over what is published.
fn refusing(settings: &mut Settings) {
    settings.publications.republish = Republish::Conflict;
}

const POST: &str = "after POST /addons/*/connections/salesforce/*/apps";
const DELETE: &str = "after DELETE /addons/*/connections/salesforce/*/apps/*";
const WORD: &str = "after PATCH /apis/applink.dev/v1alpha1/namespaces/crm/publications/orders-api";
const STATUS: &str = "after PATCH /apis/applink.dev/v1alpha1/namespaces/crm/publications/orders-api/status";

/// A connection, with nothing published, on this service.
async fn connected(service: Service) -> World {
    let world = World::with_connection().await;
    world.sim.settings(service);
    world.document("1.0.0");
    world.pass(Duration::from_secs(60)).await;
    world.forget_requests();
    world
}

/// Published, and at rest.
async fn at_rest(service: Service) -> World {
    let world = connected(service).await;
    world.api.apply(publication(API));
    world.published(API).await;
    world.pass(Duration::from_secs(400)).await;
    world.forget_requests();
    world
}

async fn until(world: &World, wanted: impl Fn(&Value) -> bool) {
    let wanted = |object: Option<&Value>| object.is_some_and(&wanted);
    world.api.wait_until("publications", NS, API, wanted, LATER).await;
}

/// The digest of what an object declares with this version of the document.
fn digest(object: &Value, version: &str) -> String {
    let spec = serde_json::from_value(object["spec"].clone()).expect("a spec");
    let texts = Texts { document: openapi(version).into_bytes(), ..Texts::default() };
    PublicationPayload::new(&spec, &texts).expect("it can be published").hash
}

/// Ready, recorded, and there once, as it is declared.
fn recorded(world: &World) {
    let object = world.get_publication(API);
    assert!(says(&object, "True", "Published"), "{object:#}");
    assert_eq!(object["metadata"]["finalizers"], json!(["applink.dev/finalizer"]));
    assert_eq!(object["status"]["connectionID"], world.only("productionOrg").id.to_string());
    assert_eq!(world.only_published().1.upload.client_name, CLIENT);
    assert_eq!(world.told(API, "DriftCorrected"), 0, "nobody else publishes");
}

struct Create;

impl Flow for Create {
    async fn prepare(&self, service: Service) -> World {
        connected(service).await
    }
    fn act(&self, world: &World) {
        world.api.apply(publication(API));
    }
    async fn goal(&self, world: &World) {
        world.published(API).await;
    }
    fn check(&self, world: &World) {
        recorded(world);
        assert_eq!((world.took_effect(), world.unpublishes()), (1, 0));
    }
}

/// The document changes; `0` says whether the service may be asked once more, not having shown the first call's fruit.
struct Change(usize);

impl Flow for Change {
    async fn prepare(&self, service: Service) -> World {
        at_rest(service).await
    }
    fn act(&self, world: &World) {
        world.document("1.1.0");
    }
    async fn goal(&self, world: &World) {
        until(world, |o| says(o, "True", "Published") && o["status"]["appliedHash"] == digest(o, "1.1.0")).await;
    }
    fn check(&self, world: &World) {
        recorded(world);
        assert!((1..=1 + self.0).contains(&world.took_effect()), "{}", world.took_effect());
        assert_eq!(world.unpublishes(), 0);
    }
}

/// Somebody deletes it in AppLink.
struct Heal;

impl Flow for Heal {
    async fn prepare(&self, service: Service) -> World {
        at_rest(service).await
    }
    fn act(&self, world: &World) {
        world.unpublish();
    }
    async fn goal(&self, world: &World) {
        let there = |o: &Value| {
            let ids: Vec<_> = world.all_published().into_iter().map(|(_, e)| e.external_service_id).collect();
            says(o, "True", "Published") && ids.iter().any(|id| o["status"]["externalServiceID"] == **id)
        };
        until(world, there).await;
    }
    fn check(&self, world: &World) {
        recorded(world);
        assert_eq!((world.took_effect(), world.unpublishes()), (1, 0));
    }
}

struct Replace;

impl Flow for Replace {
    async fn prepare(&self, service: Service) -> World {
        at_rest(service).await
    }
    fn act(&self, world: &World) {
        world.annotate_publication(API, "replace", "1");
    }
    async fn goal(&self, world: &World) {
        until(world, |o| says(o, "True", "Published") && o["status"]["lastHandledReplace"] == "1").await;
    }
    fn check(&self, world: &World) {
        recorded(world);
        assert_eq!(world.took_effect(), 1);
        assert!((1..=2).contains(&world.unpublishes()), "{}", world.unpublishes());
    }
}

/// Replaced since it cannot be published over.
struct Yield;

impl Flow for Yield {
    async fn prepare(&self, service: Service) -> World {
        let world = at_rest(service).await;
        world.respec(API, json!({"replacePolicy": "DeleteAndRecreate"}));
        world
    }
    fn act(&self, world: &World) {
        world.document("1.1.0");
    }
    async fn goal(&self, world: &World) {
        let done = |o: &Value| says(o, "True", "Published") && world.took_effect() == 1;
        until(world, done).await;
    }
    fn check(&self, world: &World) {
        recorded(world);
        assert_eq!(world.took_effect(), 1);
    }
}

/// Over something that was there first.
struct Adopt;

impl Flow for Adopt {
    async fn prepare(&self, service: Service) -> World {
        let world = connected(service).await;
        world.plant_publication("productionOrg", applink_simulator::Seed::APP_ID);
        world.pass(Duration::from_secs(3600)).await;
        world
    }
    fn act(&self, world: &World) {
        world.api.apply(publication_with(API, json!({"replacePolicy": "DeleteAndRecreate"})));
    }
    async fn goal(&self, world: &World) {
        world.published(API).await;
    }
    fn check(&self, world: &World) {
        recorded(world);
        assert!((1..=2).contains(&world.took_effect()), "{}", world.took_effect());
        assert_eq!(world.unpublishes(), 0);
    }
}

struct Delete;

impl Flow for Delete {
    async fn prepare(&self, service: Service) -> World {
        at_rest(service).await
    }
    fn act(&self, world: &World) {
        world.delete_publication(API);
    }
    async fn goal(&self, world: &World) {
        world.publication_gone(API).await;
    }
    fn check(&self, world: &World) {
        assert_eq!((world.all_published().len(), world.publishes()), (0, 0));
    }
}

/// The user deletes it while it is being published.
struct DeleteWhileCreating;

impl Flow for DeleteWhileCreating {
    async fn prepare(&self, service: Service) -> World {
        connected(service).await
    }
    fn act(&self, world: &World) {
        let (api, user) = (world.api.clone(), world.api.clone());
        api.on_write(move |write| {
            let there = user.get("publications", NS, API);
            let stays = there.is_some_and(|o| o["metadata"]["deletionTimestamp"].is_null());
            if write.resource == "publications" && write.subresource.is_empty() && stays {
                user.delete("publications", NS, API);
            }
        });
        world.api.apply(publication(API));
    }
    async fn goal(&self, world: &World) {
        world.publication_gone(API).await;
    }
    fn check(&self, world: &World) {
        assert_eq!(world.all_published().len(), 0);
        assert!(world.took_effect() <= 1);
    }
}

survived! {
    publishing_survives_death_at_every_request: Create, plain, 3, [POST, WORD, STATUS];
    publishing_that_shows_late_survives_death_at_every_request: Create, late, 1, [POST, WORD, STATUS];
    a_change_survives_death_at_every_request: Change(0), plain, 3, [POST, WORD, STATUS];
    a_change_that_shows_late_survives_death_at_every_request: Change(0), late, 1, [POST, WORD, STATUS];
    a_change_that_leaves_no_trace_survives_death_at_every_request: Change(1), traceless, 1, [POST, WORD, STATUS];
    healing_a_publication_survives_death_at_every_request: Heal, plain, 3, [POST, WORD, STATUS];
    healing_a_publication_that_shows_late_survives_death: Heal, late, 1, [POST, WORD, STATUS];
    replacing_a_publication_survives_death_at_every_request: Replace, plain, 3, [DELETE, POST, WORD, STATUS];
    replacing_a_publication_that_shows_late_survives_death: Replace, late, 1, [DELETE, POST, WORD, STATUS];
    making_room_for_a_publication_survives_death_at_every_request: Yield, refusing, 1, [DELETE, POST, WORD, STATUS];
    adopting_a_publication_survives_death_at_every_request: Adopt, plain, 3, [POST, WORD, STATUS];
    adopting_a_publication_without_a_trace_survives_death: Adopt, traceless, 1, [POST, WORD, STATUS];
    unpublishing_survives_death_at_every_request: Delete, plain, 3, [DELETE, WORD];
    unpublishing_that_shows_late_survives_death_at_every_request: Delete, late, 1, [DELETE, WORD];
    a_deletion_amid_a_publish_survives_death_at_every_request: DeleteWhileCreating, plain, 1, [POST, WORD];
    a_deletion_amid_a_publish_that_shows_late_survives_death: DeleteWhileCreating, late, 1, [POST, WORD];
}
