//! Objects of the API server as a user sees them: JSON in, JSON out.
//!
//! Shares no types with the operator, so that a misspelt field cannot hide. `Scene` uses it for its namespace.

use std::sync::Mutex;
use std::time::Duration;

use http::Request;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::wait::await_condition;
use kube::{Client, Error};
use serde_json::{Value, json};

use super::PATIENCE;

/// Every kind in the tests: group and version, plural, and whether it is cluster-scoped.
const KINDS: [(&str, &str, &str, bool); 13] = [
    ("AppLinkAddon", "applink.dev/v1alpha1", "applinkaddons", true),
    ("Connection", "applink.dev/v1alpha1", "connections", true),
    ("Authorization", "applink.dev/v1alpha1", "authorizations", true),
    ("Publication", "applink.dev/v1alpha1", "publications", true),
    ("DataActionTarget", "applink.dev/v1alpha1", "dataactiontargets", true),
    ("Secret", "v1", "secrets", true),
    ("ConfigMap", "v1", "configmaps", true),
    ("Namespace", "v1", "namespaces", false),
    ("Event", "events.k8s.io/v1", "events", true),
    ("Lease", "coordination.k8s.io/v1", "leases", true),
    ("Role", "rbac.authorization.k8s.io/v1", "roles", true),
    ("RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings", true),
    ("ServiceAccount", "v1", "serviceaccounts", true),
];

/// Objects of one namespace.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    namespace: String,
}

fn kind_of(kind: &str) -> (&'static str, &'static str, &'static str, bool) {
    *KINDS.iter().find(|known| known.0 == kind).unwrap_or_else(|| panic!("{kind} is not in the table of kinds"))
}

fn path(kind: &str, namespace: &str, name: &str) -> String {
    let (_, version, plural, namespaced) = kind_of(kind);
    let root = if version.contains('/') { "/apis" } else { "/api" };
    let place = if namespaced { format!("/namespaces/{namespace}") } else { String::new() };
    format!("{root}/{version}{place}/{plural}/{name}").trim_end_matches('/').to_owned()
}

async fn call(client: &Client, method: &str, path: &str, kind: &str, body: Vec<u8>) -> Result<Value, Error> {
    let request = Request::builder().method(method).uri(path).header("content-type", kind).body(body);
    client.request(request.expect("a request")).await
}

/// The API server's message for a refused request.
fn api_message(error: Error) -> String {
    match error {
        Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

impl Cluster {
    pub fn new(client: Client, namespace: &str) -> Self {
        Self { client, namespace: namespace.to_owned() }
    }

    /// Applies a manifest like `kubectl apply --server-side`. An error is the API server's message.
    pub async fn try_apply(&self, manifest: &Value) -> Result<Value, String> {
        let (kind, name) = (text(manifest, "/kind"), text(manifest, "/metadata/name"));
        let path = format!("{}?fieldManager=e2e&force=true", path(kind, &self.namespace, name));
        let body = manifest.to_string().into_bytes();
        call(&self.client, "PATCH", &path, "application/apply-patch+yaml", body).await.map_err(api_message)
    }

    pub async fn apply(&self, manifest: &Value) -> Value {
        self.try_apply(manifest).await.unwrap_or_else(|error| panic!("refused: {error}\n{manifest:#}"))
    }

    pub async fn apply_all(&self, manifests: &[Value]) {
        for manifest in manifests {
            self.apply(manifest).await;
        }
    }

    /// Changes an object by a merge patch. An error is the API server's message.
    pub async fn try_change(&self, kind: &str, name: &str, patch: Value) -> Result<Value, String> {
        let path = format!("{}?fieldManager=e2e", path(kind, &self.namespace, name));
        let body = patch.to_string().into_bytes();
        call(&self.client, "PATCH", &path, "application/merge-patch+json", body).await.map_err(api_message)
    }

    /// Like `change`, for the status.
    pub async fn change_status(&self, kind: &str, name: &str, patch: Value) {
        let path = format!("{}/status?fieldManager=e2e", path(kind, &self.namespace, name));
        let changed =
            call(&self.client, "PATCH", &path, "application/merge-patch+json", patch.to_string().into_bytes());
        changed.await.unwrap_or_else(|error| panic!("status of {kind} {name} refused: {error}\n{patch:#}"));
    }

    pub async fn change(&self, kind: &str, name: &str, patch: Value) -> Value {
        let changed = self.try_change(kind, name, patch.clone()).await;
        changed.unwrap_or_else(|error| panic!("{kind} {name} refused: {error}\n{patch:#}"))
    }

    /// Deletes an object without waiting.
    pub async fn delete(&self, kind: &str, name: &str) {
        let path = path(kind, &self.namespace, name);
        let deleted = call(&self.client, "DELETE", &path, "application/json", b"{}".to_vec()).await;
        deleted.unwrap_or_else(|error| panic!("cannot delete {kind} {name}: {error}"));
    }

    pub async fn get(&self, kind: &str, name: &str) -> Option<Value> {
        match call(&self.client, "GET", &path(kind, &self.namespace, name), "application/json", vec![]).await {
            Ok(object) => Some(object),
            Err(Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("cannot get {kind} {name}: {error}"),
        }
    }

    /// A service account token, as a pod gets it.
    pub async fn token_of(&self, account: &str) -> String {
        let path = format!("{}/token", path("ServiceAccount", &self.namespace, account));
        let wanted = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600},
        });
        let given = call(&self.client, "POST", &path, "application/json", wanted.to_string().into_bytes()).await;
        let given = given.unwrap_or_else(|error| panic!("no token for {account}: {error}"));
        text(&given, "/status/token").to_owned()
    }

    /// Whether a user may do something: verb, group, resource and namespace (none means all).
    pub async fn may(&self, user: &str, something: &Value) -> bool {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": something},
        });
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let answer = call(&self.client, "POST", path, "application/json", review.to_string().into_bytes()).await;
        answer.unwrap_or_else(|error| panic!("cannot ask what {user} may do: {error}"))["status"]["allowed"] == true
    }

    pub async fn list(&self, kind: &str) -> Vec<Value> {
        let list = call(&self.client, "GET", &path(kind, &self.namespace, ""), "application/json", vec![]).await;
        let list = list.unwrap_or_else(|error| panic!("cannot list {kind}: {error}"));
        list["items"].as_array().expect("items").clone()
    }

    /// Watches an object until `wanted` accepts it; `None` means that it does not exist.
    pub async fn wait_within(
        &self,
        patience: Duration,
        kind: &str,
        name: &str,
        what: &str,
        wanted: impl Fn(Option<&Value>) -> bool,
    ) -> Option<Value> {
        let (kind, version, plural, _) = kind_of(kind);
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let last = Mutex::new(None);
        let found = await_condition(api, name, |object: Option<&DynamicObject>| {
            let seen = object.map(|object| serde_json::to_value(object).expect("JSON"));
            let yes = wanted(seen.as_ref());
            *last.lock().expect("not poisoned") = seen;
            yes
        });
        let found = tokio::time::timeout(patience, found).await;
        let last = last.into_inner().expect("not poisoned");
        match found {
            Ok(Ok(_)) => last,
            Ok(Err(error)) => panic!("cannot watch {kind} {name}: {error}"),
            Err(_) => panic!("not within {} s: {kind} {name} {what}; it is\n{}", patience.as_secs(), shown(last)),
        }
    }

    /// Watches an existing object until `wanted` accepts it.
    pub async fn wait(&self, kind: &str, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.wait_within(PATIENCE, kind, name, what, |object| object.is_some_and(&wanted)).await.expect("an object")
    }

    /// Waits until the object is Ready for its current spec.
    pub async fn ready(&self, kind: &str, name: &str) -> Value {
        self.wait(kind, name, "is Ready", is_ready).await
    }

    /// Waits until Ready is False with this reason, and checks that Reconciling or Stalled is set accordingly.
    pub async fn unready(&self, kind: &str, name: &str, reason: &str, class: &str) -> Value {
        let what = format!("is not Ready because of {reason}");
        let object = self.wait(kind, name, &what, |object| has_reason(object, "False", reason)).await;
        let other = if class == "Stalled" { "Reconciling" } else { "Stalled" };
        assert_eq!(text(condition_of(&object, class), "/reason"), reason, "{class} goes with {reason}: {object:#}");
        assert!(condition(&object, other).is_none(), "{class} and {other} at once: {object:#}");
        object
    }

    pub async fn wait_gone(&self, kind: &str, name: &str) {
        self.wait_within(PATIENCE, kind, name, "is gone", |object| object.is_none()).await;
    }

    /// Reasons of the Events about an object, repeated as often as they occurred, sorted.
    pub async fn events(&self, name: &str) -> Vec<String> {
        let events = self.list("Event").await;
        let about = events.iter().filter(|event| event["regarding"]["name"] == name);
        let mut reasons: Vec<_> = about
            .flat_map(|event| {
                let times = event["series"]["count"].as_u64().unwrap_or(1);
                (0..times).map(|_| text(event, "/reason").to_owned())
            })
            .collect();
        reasons.sort();
        reasons
    }

    /// Waits for an Event with this reason. Events follow the status after a moment.
    pub async fn wait_event(&self, name: &str, reason: &str) {
        let reported = async || self.events(name).await.iter().any(|reported| reported == reason).then_some(());
        let explain = async || format!("{:?}", self.events(name).await);
        super::until(&format!("an Event {reason} about {name}"), PATIENCE, reported, explain).await;
    }
}

fn shown(object: Option<Value>) -> String {
    let Some(mut object) = object else { return "not there".to_owned() };
    object["metadata"]["managedFields"] = json!("...");
    format!("{object:#}")
}

/// The text at a JSON pointer; empty if absent.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The condition of this type.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == kind)
}

/// The condition of this type, which must exist.
pub fn condition_of<'a>(object: &'a Value, kind: &str) -> &'a Value {
    condition(object, kind).unwrap_or_else(|| panic!("no condition {kind}: {object:#}"))
}

/// Whether Ready has this status and reason for the current spec.
pub fn has_reason(object: &Value, status: &str, reason: &str) -> bool {
    let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
    current && condition(object, "Ready").is_some_and(|c| c["status"] == status && c["reason"] == reason)
}

/// Whether Ready is True for the current spec.
pub fn is_ready(object: &Value) -> bool {
    let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
    current && condition(object, "Ready").is_some_and(|c| c["status"] == "True")
}
