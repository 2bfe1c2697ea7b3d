//! Authorizations: how they come, stay and go, and the Secret that keeps the credential of one.
//!
//! Here are the manifests, and what is looked at; the other files have the tests.

mod canary;
mod crash;
mod keep;
mod life;
mod places;
mod switches;
mod unread;
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

/// The Authorization that most tests have, and its name in AppLink.
pub const NAME: &str = "batch-user";
const REMOTE: &str = "batchUser";
/// The Secret of its credential, and that of its link.
const KEPT: &str = "batch-credentials";
const LINK: &str = "batch-user-authorization-oauth";
/// How often a credential is read.
const REFRESH: Duration = Duration::from_secs(300);

/// That Authorization by JWT, with these fields in its spec, too.
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

/// Wants its credential in the Secret of this name.
fn keeping() -> Value {
    json!({"credentialsSecretName": KEPT})
}

fn by_oauth() -> Value {
    json!({"jwt": null, "oauth": {}})
}

/// Applies it in a world whose add-on is Ready.
async fn applied(spec: Value) -> World {
    let world = World::with_addon().await;
    world.authorize(&spec);
    world
}

/// Ready, with its credential in the Secret.
async fn kept() -> World {
    let world = applied(keeping()).await;
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
        self.api.get("authorizations", NS, NAME).expect("it is there")
    }

    /// Waits until its Ready says this of its present generation.
    async fn authorized(&self, status: &str, reason: &str) -> Value {
        self.authorized_within(SOON, status, reason).await
    }

    async fn authorized_within(&self, at_most: Duration, status: &str, reason: &str) -> Value {
        self.seen(at_most, |object| says(object, status, reason)).await
    }

    async fn seen(&self, at_most: Duration, wanted: impl Fn(&Value) -> bool) -> Value {
        let wanted = |object: Option<&Value>| object.is_some_and(&wanted);
        self.until_as("authorizations", NAME, at_most, wanted).await.expect("it is there")
    }

    async fn deleted(&self) {
        self.api.delete("authorizations", NS, NAME);
        self.until_as("authorizations", NAME, LATER, |object| object.is_none()).await;
    }

    /// Events come after what they tell of.
    async fn events_told(&self) {
        self.pass(Duration::from_secs(1)).await;
    }

    /// Waits until the Secret of its credential is there, or is not.
    async fn until_kept(&self, yes: bool, at_most: Duration) {
        self.api.wait_until("secrets", NS, KEPT, |secret| secret.is_some() == yes, at_most).await;
    }

    /// What the Secret of this name tells.
    fn told_by(&self, secret: &str) -> Option<BTreeMap<String, String>> {
        let data = self.secret(secret)?["data"].as_object().cloned().unwrap_or_default();
        let decoded = |value: &Value| {
            let bytes = BASE64_STANDARD.decode(value.as_str().expect("text")).expect("Base64");
            String::from_utf8(bytes).expect("text")
        };
        Some(data.iter().map(|(key, value)| (key.clone(), decoded(value))).collect())
    }

    fn token(&self) -> Option<String> {
        self.told_by(KEPT)?.remove("accessToken")
    }

    /// The authorizations that there are now.
    fn stored(&self) -> Vec<OrgAccess> {
        let now = self.clock.now();
        let there = |one: &&OrgAccess| one.status_at(now).is_some_and(|status| *status != Status::Disconnected);
        self.sim.world(|world| world.org_accesses(Collection::Authorizations).filter(there).cloned().collect())
    }

    /// The one that there is; panics where there is another number.
    fn only_stored(&self) -> OrgAccess {
        let mut all = self.stored();
        assert_eq!(all.len(), 1, "one, and one only: {all:#?}");
        all.remove(0)
    }

    /// Makes it stand in this way, as somebody else would.
    fn turn(&self, status: Status) {
        let (id, now) = (self.only_stored().id, self.clock.now());
        self.sim.world(|world| world.set_status(id, status, None, now)).expect("it is there");
    }

    /// Has the token of it expire: from now on, another one is told.
    fn expire_token(&self) {
        let (id, now) = (self.only_stored().id, self.clock.now());
        self.sim.world(|world| world.expire_token(id, now)).expect("it is there");
    }

    /// How often the credential was read.
    fn reads(&self) -> usize {
        self.asked(is_reading)
    }

    fn platform_calls(&self) -> usize {
        self.asked(|r| r.api == Api::Platform)
    }

    /// Writes to the object that were done.
    fn writes_to_it(&self) -> usize {
        self.writes_of("authorizations").iter().filter(|write| write.name == NAME).count()
    }

    fn writes_of(&self, resource: &str) -> Vec<Write> {
        self.api.writes().into_iter().filter(|w| w.resource == resource && w.status < 300).collect()
    }

    /// Somebody else's authorization of the same name by JWT, for this user.
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

/// Strikes when the credential is read, and nothing else.
fn on_reading(fault: Fault) -> Fault {
    let mut fault = fault.method("GET");
    fault.path_prefix = Some(format!("/addons/{}/authorizations/{REMOTE}", Seed::ADDON_ID));
    fault
}
