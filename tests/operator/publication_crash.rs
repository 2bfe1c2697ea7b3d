//! Kills the operator at every request of a publication's flows. Nothing is lost or left behind, and nothing is
//! published more often than a lost response requires.

use std::time::Duration;

use applink_operator::plan::inputs::publication::{PublicationPayload, Texts};
use applink_simulator::{Republish, Settings};
use serde_json::{Value, json};

use crate::crash::{Flow, Service, kill_at_every_request};
use crate::publication::{API, CLIENT, openapi, publication, publication_with};
use crate::world::{LATER, NS, World, says};

fn plain(_: &mut Settings) {}

/// Lists show a publication only after a delay.
fn late(settings: &mut Settings) {
    settings.publications.publish_seconds = 10.0;
    settings.list_lag_seconds = 5.0;
}

/// Publishing the same content again leaves no trace.
fn traceless(settings: &mut Settings) {
    settings.publications.touch_on_republish = false;
}

/// An existing publication cannot be overwritten.
fn refusing(settings: &mut Settings) {
    settings.publications.republish = Republish::Conflict;
}

const POST: &str = "after POST /addons/*/connections/salesforce/*/apps";
const DELETE: &str = "after DELETE /addons/*/connections/salesforce/*/apps/*";
const WORD: &str = "after PATCH /apis/applink.dev/v1alpha1/namespaces/crm/publications/orders-api";
const STATUS: &str = "after PATCH /apis/applink.dev/v1alpha1/namespaces/crm/publications/orders-api/status";

/// A connection without publications on this service.
async fn connected(service: Service) -> World {
    let world = World::with_connection().await;
    world.sim.settings(service);
    world.document("1.0.0");
    world.pass(Duration::from_secs(60)).await;
    world.forget_requests();
    world
}

/// Published, at rest.
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

/// The digest of an object's spec with this version of the document.
fn digest(object: &Value, version: &str) -> String {
    let spec = serde_json::from_value(object["spec"].clone()).expect("a spec");
    let texts = Texts { document: openapi(version).into_bytes(), ..Texts::default() };
    PublicationPayload::new(&spec, &texts).expect("it can be published").hash
}

/// Ready, recorded, and published once as declared.
fn recorded(world: &World) {
    let object = world.get_publication(API);
    assert!(says(&object, "True", "Published"), "{object:#}");
    assert_eq!(object["metadata"]["finalizers"], json!(["applink.dev/finalizer"]));
    assert_eq!(object["status"]["connectionID"], world.only("productionOrg").id.to_string());
    assert_eq!(world.only_published().1.upload.client_name, CLIENT);
    assert_eq!(world.event_count(API, "DriftCorrected"), 0, "nobody else publishes");
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

/// The document changes. `0` is how many additional publish calls are allowed if the service has not shown the first
/// one's result.
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
struct Recreate;

impl Flow for Recreate {
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

/// Replaced, because it cannot be overwritten.
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

/// Overwrites an existing publication.
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

kill_at_every_request! {
    kill_during_publish: Create, plain, 3, [POST, WORD, STATUS];
    kill_during_publish_listed_late: Create, late, 1, [POST, WORD, STATUS];
    kill_during_republish: Change(0), plain, 3, [POST, WORD, STATUS];
    kill_during_republish_listed_late: Change(0), late, 1, [POST, WORD, STATUS];
    kill_during_republish_without_trace: Change(1), traceless, 1, [POST, WORD, STATUS];
    kill_during_publication_recreation: Recreate, plain, 3, [POST, WORD, STATUS];
    kill_during_publication_recreation_listed_late: Recreate, late, 1, [POST, WORD, STATUS];
    kill_during_publication_replacement: Replace, plain, 3, [DELETE, POST, WORD, STATUS];
    kill_during_publication_replacement_listed_late: Replace, late, 1, [DELETE, POST, WORD, STATUS];
    kill_during_replacement_after_conflict: Yield, refusing, 1, [DELETE, POST, WORD, STATUS];
    kill_during_publication_adoption: Adopt, plain, 3, [POST, WORD, STATUS];
    kill_during_publication_adoption_without_trace: Adopt, traceless, 1, [POST, WORD, STATUS];
    kill_during_publication_deletion: Delete, plain, 3, [DELETE, WORD];
    kill_during_publication_deletion_listed_late: Delete, late, 1, [DELETE, WORD];
    kill_while_deleting_during_publish: DeleteWhileCreating, plain, 1, [POST, WORD];
    kill_while_deleting_during_publish_listed_late: DeleteWhileCreating, late, 1, [POST, WORD];
}
