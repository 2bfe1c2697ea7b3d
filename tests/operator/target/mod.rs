//! Data action targets and their Data Cloud connection.
//!
//! Helpers on `World`; the modules below have the tests.

mod cascade;
mod crash;
mod create;
mod drift;
mod release;
mod service_behaviours;
mod unlisted;

use std::time::Duration;

use applink_simulator::{App, NewTarget, Seed, Settings, Target, TargetKind, TargetStatus};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{NS, SOON, World, connection};

/// The Data Cloud Connection, and its remote name.
pub const CLOUD: &str = "customer-data";
pub const CLOUD_REMOTE: &str = "customerData";
/// The target of most tests, and its remote name.
pub const UPDATES: &str = "customer-updates";
pub const UPDATES_REMOTE: &str = "customer_updates";
pub const ENDPOINT: &str = "/webhooks/customer-updates";
/// Another app with the add-on attached.
pub const OTHER_APP: Uuid = Uuid::from_u128(55);

impl World {
    /// A world with an operator and Ready Connection `customer-data`.
    pub async fn with_cloud() -> Self {
        Self::with_cloud_of(|_| {}).await
    }

    /// The same on a service with these settings.
    pub async fn with_cloud_of(service: impl FnOnce(&mut Settings)) -> Self {
        let world = Self::with_addon().await;
        world.sim.settings(service);
        world.api.apply(cloud(CLOUD, CLOUD_REMOTE));
        world.consented(CLOUD, CLOUD_REMOTE).await;
        world
    }

    /// Consents as soon as the connection waits for it.
    pub async fn consented(&self, name: &str, remote: &str) -> Value {
        self.until(name, "False", "AwaitingUser").await;
        self.consent(remote, "admin@example.com");
        self.until(name, "True", "Connected").await
    }

    /// The same with a Ready target.
    pub async fn with_target() -> Self {
        let world = Self::with_cloud().await;
        world.updates();
        world.until_target("True", "Created").await;
        world
    }

    /// Applies the target of most tests.
    pub fn updates(&self) -> Value {
        self.api.apply(target(UPDATES, UPDATES_REMOTE))
    }

    pub async fn until_target(&self, status: &str, reason: &str) -> Value {
        self.until_of("dataactiontargets", UPDATES, SOON, (status, reason)).await
    }

    pub async fn target_within(&self, at_most: Duration, status: &str, reason: &str) -> Value {
        self.until_of("dataactiontargets", UPDATES, at_most, (status, reason)).await
    }

    pub fn get_target(&self) -> Value {
        self.api.get("dataactiontargets", NS, UPDATES).expect("it exists")
    }

    pub fn delete_target(&self) {
        self.api.delete("dataactiontargets", NS, UPDATES);
    }

    pub async fn until_target_gone(&self, at_most: Duration) {
        self.until_as("dataactiontargets", UPDATES, at_most, |object| object.is_none()).await;
    }

    /// IDs of released targets that the Connection has recorded.
    pub fn released_targets(&self) -> Vec<String> {
        let all = self.get(CLOUD)["status"]["releasedTargets"].clone();
        all.as_array().into_iter().flatten().map(|id| id.as_str().expect("an id").to_owned()).collect()
    }

    // Remote objects.

    /// All remote targets.
    pub fn remote_targets(&self) -> Vec<Target> {
        let now = self.clock.now();
        self.sim.world(|world| world.targets(now).cloned().collect())
    }

    /// The target with this name that calls the app of most tests; panics unless there is exactly one.
    pub fn only_target(&self, remote: &str) -> Target {
        let all = self.remote_targets();
        let mut found: Vec<_> = all.iter().filter(|t| t.api_name == remote && t.app == Seed::APP_ID).cloned().collect();
        assert_eq!(found.len(), 1, "exactly one {remote} exists: {all:#?}");
        found.remove(0)
    }

    /// Creates somebody else's target on the Connection's org. Returns its ID.
    pub fn plant_target(&self, change: impl FnOnce(&mut NewTarget)) -> String {
        let now = self.clock.now();
        let mut new = NewTarget {
            connection: self.only(CLOUD_REMOTE).id,
            app: Seed::APP_ID,
            label: "Customer Updates".to_owned(),
            api_name: UPDATES_REMOTE.to_owned(),
            endpoint: ENDPOINT.to_owned(),
            kind: TargetKind::Webhook,
        };
        change(&mut new);
        let planted = self.sim.world(|world| world.plant_target(new, TargetStatus::Created, None, now));
        planted.expect("a connection").to_string()
    }

    /// Attaches the add-on to another app.
    pub fn other_app(&self) {
        let app = App { id: OTHER_APP, name: "marketing-prod".to_owned(), config_vars: Default::default() };
        self.sim.world(|world| world.add_app(app)).expect("a new one");
    }

    /// Deletes a target behind the operator's back.
    pub fn vanish_target(&self, remote: &str) {
        let (id, now) = (self.only_target(remote).id, self.clock.now());
        self.sim.world(|world| world.remove_target(id, now)).expect("it exists");
    }

    /// Requests to create a target, successful or not.
    pub fn target_posts(&self) -> usize {
        self.request_count(|r| r.method == http::Method::POST && r.path.ends_with("/data_action_targets"))
    }
}

/// A Data Cloud Connection by OAuth.
pub fn cloud(name: &str, remote: &str) -> Value {
    let mut manifest = connection(name, remote);
    let spec = manifest["spec"].as_object_mut().expect("a spec");
    spec.remove("jwt");
    spec.insert("oauth".to_owned(), json!({}));
    spec.insert("provider".to_owned(), json!("DataCloud"));
    manifest
}

/// A DataActionTarget on the Connection of most tests.
pub fn target(name: &str, api_name: &str) -> Value {
    json!({
        "apiVersion": "applink.dev/v1alpha1", "kind": "DataActionTarget",
        "metadata": {"namespace": NS, "name": name},
        "spec": {
            "connectionRef": {"name": CLOUD}, "label": "Customer Updates", "apiName": api_name,
            "targetEndpoint": ENDPOINT, "type": "Webhook",
        },
    })
}
