//! Authorizations and their credentials Secrets.
//!
//! This file has the manifests and the queries; the other files have the tests.

mod canary;
mod crash;
mod credentials_secret;
mod lifecycle;
mod secret_conflicts;
mod service_behaviours;
mod unreadable_credentials;
mod writes;

use std::collections::BTreeMap;
use std::time::Duration;

use applink_simulator::{
    Api, AuthMethod, Collection, Fault, NewOrgAccess, Org, OrgAccess, Planted, Provider, RequestRecord, Seed, Status,
};
use base64::prelude::{BASE64_STANDARD, Engine};
use http::Method;
use serde_json::{Value, json};

use crate::support::apiserver::Write;
use crate::world::{ADDON, LATER, NS, SOON, World, says, with_spec};

/// The Authorization of most tests, and its name in AppLink.
pub const NAME: &str = "batch-user";
const REMOTE: &str = "batchUser";
/// Its credentials Secret, and its OAuth Secret.
const CREDENTIALS_SECRET: &str = "batch-credentials";
const LINK: &str = "batch-user-authorization-oauth";
/// Interval between reads of the credentials.
const REFRESH: Duration = Duration::from_secs(300);

/// An Authorization by JWT with these additional fields in its spec.
pub fn authorization(spec: &Value) -> Value {
    let manifest = json!({
        "apiVersion": "applink.dev/v1alpha1", "kind": "Authorization", "metadata": {"namespace": NS, "name": NAME},
        "spec": {
            "addonRef": {"name": ADDON}, "developerName": REMOTE, "provider": "Salesforce",
            "jwt": {
                "clientID": "3MVG9canary", "username": "batch@example.com",
                "privateKeySecretRef": {"name": "sf-jwt", "key": "server.key"},
            },
        },
    });
    with_spec(manifest, spec)
}

/// Exports the credentials to the Secret [`CREDENTIALS_SECRET`].
fn exporting() -> Value {
    json!({"credentialsSecretName": CREDENTIALS_SECRET})
}

fn by_oauth() -> Value {
    json!({"jwt": null, "oauth": {}})
}

/// Applies it to a world with a Ready add-on.
async fn applied(spec: Value) -> World {
    let world = World::with_addon().await;
    world.authorize(&spec);
    world
}

/// Ready, with exported credentials.
async fn kept() -> World {
    let world = applied(exporting()).await;
    world.authorized("True", "Authorized").await;
    world
}

impl World {
    fn authorize(&self, spec: &Value) -> Value {
        self.api.apply(authorization(spec))
    }

    fn edit(&self, patch: Value) {
        self.api.patch("authorizations", NS, NAME, patch);
    }

    fn ask(&self, annotation: &str, value: &str) {
        self.api.annotate("authorizations", NS, NAME, &format!("applink.dev/{annotation}"), Some(value));
    }

    fn authorization(&self) -> Value {
        self.api.get("authorizations", NS, NAME).expect("it exists")
    }

    /// Waits until Ready has this status and reason for the current generation.
    async fn authorized(&self, status: &str, reason: &str) -> Value {
        self.authorized_within(SOON, status, reason).await
    }

    async fn authorized_within(&self, at_most: Duration, status: &str, reason: &str) -> Value {
        self.seen(at_most, |object| says(object, status, reason)).await
    }

    async fn seen(&self, at_most: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        let wanted = |object: Option<&Value>| object.is_some_and(&wanted);
        self.until_as("authorizations", NAME, at_most, wanted).await.expect("it exists")
    }

    async fn deleted(&self) {
        self.api.delete("authorizations", NS, NAME);
        self.until_as("authorizations", NAME, LATER, |object| object.is_none()).await;
    }

    /// Waits for Events, which are published after the status.
    async fn wait_for_events(&self) {
        self.pass(Duration::from_secs(1)).await;
    }

    /// Waits until the credentials Secret exists or does not exist.
    async fn until_exported(&self, yes: bool, at_most: Duration) {
        self.api.wait_until("secrets", NS, CREDENTIALS_SECRET, |secret| secret.is_some() == yes, at_most).await;
    }

    /// The content of this Secret.
    fn secret_data(&self, secret: &str) -> Option<BTreeMap<String, String>> {
        let data = self.secret(secret)?["data"].as_object().cloned().unwrap_or_default();
        let decoded = |value: &Value| {
            let bytes = BASE64_STANDARD.decode(value.as_str().expect("text")).expect("Base64");
            String::from_utf8(bytes).expect("text")
        };
        Some(data.iter().map(|(key, value)| (key.clone(), decoded(value))).collect())
    }

    fn token(&self) -> Option<String> {
        self.secret_data(CREDENTIALS_SECRET)?.remove("accessToken")
    }

    /// All authorizations in AppLink.
    fn stored(&self) -> Vec<OrgAccess> {
        let now = self.clock.now();
        let there = |one: &&OrgAccess| one.status_at(now).is_some_and(|status| *status != Status::Disconnected);
        self.sim.world(|world| world.org_accesses(Collection::Authorizations).filter(there).cloned().collect())
    }

    /// The only authorization in AppLink; panics unless there is exactly one.
    fn only_stored(&self) -> OrgAccess {
        let mut all = self.stored();
        assert_eq!(all.len(), 1, "exactly one: {all:#?}");
        all.remove(0)
    }

    /// Sets the remote status, as somebody else would.
    fn turn(&self, status: Status) {
        let (id, now) = (self.only_stored().id, self.clock.now());
        self.sim.world(|world| world.set_status(id, status, None, now)).expect("it exists");
    }

    /// Expires the token, so that AppLink returns another one.
    fn expire_token(&self) {
        let (id, now) = (self.only_stored().id, self.clock.now());
        self.sim.world(|world| world.expire_token(id, now)).expect("it exists");
    }

    /// Number of reads of the credentials.
    fn reads(&self) -> usize {
        self.request_count(is_reading)
    }

    fn platform_calls(&self) -> usize {
        self.request_count(|r| r.api == Api::Platform)
    }

    /// Number of successful writes to the object.
    fn writes_to_it(&self) -> usize {
        self.writes_of("authorizations").iter().filter(|write| write.name == NAME).count()
    }

    fn writes_of(&self, resource: &str) -> Vec<Write> {
        self.api.writes().into_iter().filter(|w| w.resource == resource && w.status < 300).collect()
    }

    /// Creates somebody else's authorization with the same name by JWT, for this user.
    fn planted(&self, username: &str, status: Status) -> String {
        let new = NewOrgAccess {
            collection: Collection::Authorizations,
            addon: Seed::ADDON_ID,
            app: Seed::APP_ID,
            name: REMOTE.to_owned(),
            provider: Provider::Salesforce,
            login_url: "https://login.salesforce.com".parse().expect("a URL"),
            auth_method: AuthMethod::Jwt {
                alias: "theirs".to_owned(),
                client_id: "3MVG9theirs".to_owned(),
                username: username.to_owned(),
                key_digest: None,
            },
        };
        let org = Some(Org::of(username));
        let planted = Planted { new, status, error: None, org, created_by: Some("somebody@example.com".to_owned()) };
        let at = self.clock.now() - jiff::SignedDuration::from_hours(3);
        self.sim.world(|world| world.plant(planted, at)).to_string()
    }

    /// Somebody opens the link and consents.
    fn agree(&self, username: &str) {
        let (id, now) = (self.only_stored().id, self.clock.now());
        self.sim.world(|world| world.consent(id, Org::of(username), now)).expect("it waits for consent");
    }
}

fn is_reading(request: &RequestRecord) -> bool {
    request.method == Method::GET && request.path.ends_with("/authorizations/batchUser")
}

/// Limits the fault to reads of the credentials.
fn on_credentials_read(fault: Fault) -> Fault {
    let mut fault = fault.method("GET");
    fault.path_prefix = Some(format!("/addons/{}/authorizations/{REMOTE}", Seed::ADDON_ID));
    fault
}
