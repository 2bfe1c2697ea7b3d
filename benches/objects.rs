//! The objects of the benchmark: their manifests, a user who applies and deletes them, and waits until they are Ready.
//!
//! Shares no types with the operator.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

/// Namespace of all objects.
pub const NAMESPACE: &str = "bench";
/// Name of the add-on.
pub const ADDON: &str = "orders";
/// Requests that the user has in flight.
const USERS: usize = 16;
/// A run that makes no progress for so long has failed.
const STUCK: Duration = Duration::from_secs(120);

/// An API of one of our kinds.
pub fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    let plural = format!("{}s", kind.to_lowercase());
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("applink.dev", "v1alpha1", kind), &plural);
    Api::namespaced_with(client.clone(), NAMESPACE, &resource)
}

/// An add-on of the simulator's only app.
pub fn addon(name: &str, platform: &str) -> Value {
    let token = json!({"name": "heroku-api", "key": "token"});
    json!({
        "apiVersion": "applink.dev/v1alpha1", "kind": "AppLinkAddon", "metadata": {"name": name},
        "spec": {"app": "orders-prod", "tokenSecretRef": token, "platformURL": platform},
    })
}

/// An Authorization by JWT.
pub fn authorization(name: &str) -> Value {
    let key = json!({"name": "sf-jwt", "key": "server.key"});
    json!({
        "apiVersion": "applink.dev/v1alpha1", "kind": "Authorization", "metadata": {"name": name},
        "spec": {
            "addonRef": {"name": ADDON}, "developerName": remote_name(name), "provider": "Salesforce",
            "jwt": {"clientID": "3MVG9bench", "username": "ci@example.com", "privateKeySecretRef": key},
        },
    })
}

/// Name in AppLink of the object with this name.
pub fn remote_name(name: &str) -> String {
    format!("bench_{name}")
}

/// Names of so many objects.
pub fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n:05}")).collect()
}

/// Creates objects as a user with 16 requests in flight does. `done` is called with each name and UID.
pub async fn create_all(
    client: &Client,
    manifests: Vec<Value>,
    done: impl AsyncFn(&str, &str) -> Result<()>,
) -> Result<()> {
    let create = async |manifest: Value| -> Result<()> {
        let object: DynamicObject = serde_json::from_value(manifest)?;
        let kind = object.types.as_ref().context("a kind")?.kind.clone();
        let created = api(client, &kind).create(&PostParams::default(), &object).await?;
        done(&created.name_any(), &created.uid().context("a UID")?).await
    };
    stream::iter(manifests).map(Ok).try_for_each_concurrent(USERS, create).await
}

/// Deletes objects likewise.
pub async fn delete_all(
    client: &Client,
    kind: &str,
    names: &[String],
    done: impl AsyncFn(&str) -> Result<()>,
) -> Result<()> {
    let api = api(client, kind);
    let delete = async |name: &String| -> Result<()> {
        api.delete(name, &DeleteParams::default()).await?;
        done(name).await
    };
    stream::iter(names).map(Ok).try_for_each_concurrent(USERS, delete).await
}

/// Whether the object is Ready for its current spec.
pub fn is_ready(object: &DynamicObject) -> bool {
    let status = &object.data["status"];
    let ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
    status["observedGeneration"].as_i64() == object.metadata.generation
        && status["conditions"].as_array().is_some_and(|all| all.iter().any(ready))
}

/// The objects of one kind as a watch shows them, so that each side of a comparison has the same observer.
pub struct Watch {
    events: stream::BoxStream<'static, watcher::Result<watcher::Event<DynamicObject>>>,
    known: BTreeMap<String, bool>,
    listed: bool,
}

impl Watch {
    /// Watches a kind, from the first list on.
    pub async fn start(client: &Client, kind: &str) -> Result<Self> {
        let events = watcher(api(client, kind), watcher::Config::default()).default_backoff().boxed();
        let mut watch = Self { events, known: BTreeMap::new(), listed: false };
        while !watch.listed {
            watch.next("the first list").await?;
        }
        Ok(watch)
    }

    async fn next(&mut self, what: &str) -> Result<()> {
        let Ok(event) = tokio::time::timeout(STUCK, self.events.next()).await else {
            let unready = self.known.iter().filter(|(_, ready)| !**ready).map(|(name, _)| name);
            let some: Vec<_> = unready.take(3).collect();
            bail!("{what}: nothing has happened for {} s; not Ready are {some:?} ...", STUCK.as_secs());
        };
        match event.context("the watch ended")? {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                self.known.insert(object.name_any(), is_ready(&object));
            }
            Ok(watcher::Event::Delete(object)) => drop(self.known.remove(&object.name_any())),
            Ok(watcher::Event::Init) => self.known.clear(),
            Ok(watcher::Event::InitDone) => self.listed = true,
            Err(error) => eprintln!("bench: the watch goes on after: {error}"),
        }
        Ok(())
    }

    /// Waits until all of these are Ready. Returns when that was.
    pub async fn all_ready(&mut self, names: &[String]) -> Result<Instant> {
        let mut missing: BTreeSet<_> = names.iter().cloned().collect();
        loop {
            missing.retain(|name| self.known.get(name) != Some(&true));
            let Some(one) = missing.first().cloned() else { return Ok(Instant::now()) };
            // Only the one that is looked at needs to be Ready before all are looked at again.
            while self.known.get(&one) != Some(&true) {
                self.next("waiting for Ready").await?;
            }
        }
    }

    /// Waits until none of these exists any more. Returns when that was.
    pub async fn all_gone(&mut self, names: &[String]) -> Result<Instant> {
        for name in names {
            while self.known.contains_key(name) {
                self.next("waiting for deletion").await?;
            }
        }
        Ok(Instant::now())
    }
}

/// Waits until one object is Ready, by looking at it again and again.
pub async fn ready(client: &Client, kind: &str, name: &str) -> Result<DynamicObject> {
    let (api, began) = (api(client, kind), Instant::now());
    loop {
        let object = api.get(name).await?;
        if is_ready(&object) {
            return Ok(object);
        }
        if began.elapsed() > STUCK {
            bail!("{kind} {name} is not Ready after {} s: {}", STUCK.as_secs(), object.data["status"]);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
