//! Publications in a world: manifests and documents, the calls to AppLink, and what is published.
//!
//! Helpers on `World` for the tests of publications.

use std::time::Duration;

use applink_simulator::{Edition, NewPublication, Publication, PublicationSettings, RequestRecord, Seed, Upload};
use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::apiserver::Write;
use crate::world::{LATER, NS, SOON, World, says, with_spec};

/// The Publication of most tests.
pub const API: &str = "orders-api";
/// Its client name.
pub const CLIENT: &str = "OrdersAPI";
/// The ConfigMap with its document, and the key in it.
pub const DOCUMENT: &str = "orders-openapi";
pub const KEY: &str = "openapi.yaml";

/// An OpenAPI document with this API version, as YAML.
pub fn openapi(version: &str) -> String {
    format!(
        "openapi: 3.0.3\ninfo:\n  title: Orders\n  version: {version}\npaths:\n  /orders:\n    get:\n      operationId: list\n      \
         responses:\n        '200':\n          description: orders\n"
    )
}

pub fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": NS, "name": name}, "data": data})
}

/// A Publication of the document through Connection `production`.
pub fn publication(name: &str) -> Value {
    json!({
        "apiVersion": "applink.dev/v1alpha1", "kind": "Publication",
        "metadata": {"namespace": NS, "name": name},
        "spec": {
            "connectionRef": {"name": "production"}, "clientName": CLIENT,
            "apiSpec": {"configMapKeyRef": {"name": DOCUMENT, "key": KEY}},
        },
    })
}

/// The same with additional fields in its spec.
pub fn publication_with(name: &str, spec: Value) -> Value {
    with_spec(publication(name), &spec)
}

fn publishes(request: &RequestRecord) -> bool {
    request.method == Method::POST && request.path.ends_with("/apps")
}

impl World {
    /// A world in which [`API`] is published through `production`, with empty logs.
    pub async fn with_publication() -> Self {
        Self::published_under(|_| {}).await
    }

    /// The same on a service with these settings.
    pub async fn published_under(switches: impl FnOnce(&mut PublicationSettings)) -> Self {
        let world = Self::with_connection().await;
        world.sim.settings(|settings| switches(&mut settings.publications));
        world.document("1.0.0");
        world.api.apply(publication(API));
        world.published(API).await;
        world.pass(Duration::from_secs(400)).await;
        world.forget_requests();
        world.api.clear_writes();
        world
    }

    // Actions of the user.

    /// Stores this version of the document in the ConfigMap.
    pub fn document(&self, version: &str) {
        self.api.apply(config_map(DOCUMENT, json!({KEY: openapi(version)})));
    }

    pub fn delete_publication(&self, name: &str) {
        self.api.delete("publications", NS, name);
    }

    /// Merges this into the spec.
    pub fn respec(&self, name: &str, spec: Value) {
        self.api.patch("publications", NS, name, json!({"spec": spec}));
    }

    /// Sets an annotation of our group.
    pub fn annotate_publication(&self, name: &str, annotation: &str, value: &str) {
        self.api.annotate("publications", NS, name, &format!("applink.dev/{annotation}"), Some(value));
    }

    // Actions of others in AppLink.

    /// Somebody else overwrites the publication.
    pub fn touch(&self) {
        let (id, now) = (self.only_published().0.id, self.clock.now());
        self.sim
            .world(|world| world.touch_publication(id, Some("Other".to_owned()), "else@example.com", now))
            .expect("it exists");
    }

    /// Somebody deletes the publication.
    pub fn unpublish(&self) {
        let (id, now) = (self.only_published().0.id, self.clock.now());
        self.sim.world(|world| world.remove_publication(id, now)).expect("it exists");
    }

    /// Somebody else publishes this app through the connection with this name.
    pub fn plant_publication(&self, remote: &str, app: Uuid) {
        let (connection, now) = (self.only(remote).id, self.clock.now());
        let upload = Upload { client_name: "Theirs".to_owned(), ..Upload::default() };
        let new = NewPublication { connection, app, upload };
        self.sim.world(|world| world.plant_publication(new, "else@example.com", now)).expect("a connection");
    }

    // Reports of the operator.

    pub fn get_publication(&self, name: &str) -> Value {
        self.api.get("publications", NS, name).expect("it exists")
    }

    pub async fn published(&self, name: &str) -> Value {
        self.publication_within(LATER, name, "True", "Published").await
    }

    pub async fn publication_until(&self, name: &str, status: &str, reason: &str) -> Value {
        self.publication_within(SOON, name, status, reason).await
    }

    pub async fn publication_within(&self, at_most: Duration, name: &str, status: &str, reason: &str) -> Value {
        let said = |object: Option<&Value>| object.is_some_and(|o| says(o, status, reason));
        self.until_as("publications", name, at_most, said).await.expect("it exists")
    }

    pub async fn publication_gone(&self, name: &str) {
        self.until_as("publications", name, LATER, |object| object.is_none()).await;
    }

    /// Successful writes to a Publication.
    pub fn writes_to_publication(&self, name: &str) -> Vec<Write> {
        let ours = |w: &Write| w.resource == "publications" && w.name == name && w.status < 300;
        self.api.writes().into_iter().filter(ours).collect()
    }

    // Calls and remote objects.

    /// Publish calls, successful or not.
    pub fn publishes(&self) -> usize {
        self.request_count(publishes)
    }

    /// Publish calls that took effect.
    pub fn took_effect(&self) -> usize {
        self.request_count(|r| publishes(r) && r.committed)
    }

    /// Waits until this many publish calls took effect and the status shows it.
    pub async fn republished(&self, times: usize) -> Value {
        let done = |object: Option<&Value>| {
            let object = object.expect("it stays");
            self.took_effect() == times && says(object, "True", "Published")
        };
        self.until_as("publications", API, LATER, done).await.expect("it exists")
    }

    /// Calls that delete a publication.
    pub fn unpublishes(&self) -> usize {
        self.request_count(|r| r.method == Method::DELETE && r.path.contains("/apps/"))
    }

    /// List calls for publications.
    pub fn publication_lists(&self) -> usize {
        self.request_count(|r| {
            r.method == Method::GET && r.path.contains("/apps/") && r.path.contains("/connections/salesforce/")
        })
    }

    /// All publications of all apps.
    pub fn all_published(&self) -> Vec<(Publication, Edition)> {
        let now = self.clock.now();
        self.sim.world(|world| world.publications(now).map(|(p, e)| (p.clone(), e.clone())).collect())
    }

    /// The publication of the app itself; panics unless there is exactly one.
    pub fn only_published(&self) -> (Publication, Edition) {
        let mut found: Vec<_> = self.all_published().into_iter().filter(|(p, _)| p.app == Seed::APP_ID).collect();
        assert_eq!(found.len(), 1, "it is published exactly once: {found:#?}");
        found.remove(0)
    }
}
