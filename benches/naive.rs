//! A controller as most people write their first one, to give the figures a meaning: kube-rs, one GET for each object a
//! minute, and a status at each look.
//!
//! It is not part of the operator and shares nothing with it. It manages Authorizations by JWT, as far as the benchmark
//! needs: no listing, no intent, no budget, no adoption, no leader election. Do not use it for anything else.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::controller::Action;
use kube::runtime::finalizer::{Error as FinalizerError, Event, finalizer};
use kube::runtime::{Controller, watcher};
use kube::{Client, Config, ResourceExt};
use serde_json::{Value, json};

/// How often each object is looked at.
const POLL: Duration = Duration::from_secs(60);
/// How long it waits after an error.
const AGAIN: Duration = Duration::from_secs(5);

struct Context {
    client: Client,
    namespace: String,
    http: reqwest::Client,
    config: Value,
}

#[derive(Debug)]
struct Failure(String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

fn resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("applink.dev", "v1alpha1", "Authorization"),
        "authorizations",
    )
}

impl Context {
    fn api(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource())
    }

    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Result<Option<Value>> {
        let var = |name: &str| self.config[name].as_str().with_context(|| format!("config var {name}"));
        let url = format!("{}/authorizations{path}", var("HEROKU_APPLINK_API_URL")?);
        let request = self.http.request(method.parse()?, url).header("x-app-uuid", var("HEROKU_APP_ID")?);
        let mut request = request.header("authorization", format!("Bearer {}", var("HEROKU_APPLINK_TOKEN")?));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        match status.as_u16() {
            404 => Ok(None),
            200..300 => Ok(Some(serde_json::from_str(&text).unwrap_or_default())),
            _ => bail!("{method} {path}: {status} {text}"),
        }
    }

    async fn create(&self, object: &DynamicObject) -> Result<Value> {
        let spec = &object.data["spec"];
        let jwt = &spec["jwt"];
        let reference = &jwt["privateKeySecretRef"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        let secret = secrets.get(&text(&reference["name"])).await?;
        let key = secret.data.as_ref().and_then(|data| data.get(&text(&reference["key"]))).context("the key")?;
        let body = json!({
            "developer_name": spec["developerName"], "login_url": "https://login.salesforce.com",
            "alias": spec["developerName"], "client_id": jwt["clientID"], "username": jwt["username"], "jwt_private_key": String::from_utf8_lossy(&key.0),
        });
        self.call("POST", "/salesforce/jwt", Some(body)).await?.context("an answer")
    }

    /// Looks at the remote object, creates it where there is none, and says so in the status.
    async fn apply(&self, object: &DynamicObject) -> Result<Action> {
        if let Some(rest) = rest(object) {
            return Ok(Action::requeue(rest));
        }
        let seen = match object.data["status"]["id"].as_str() {
            Some(id) => self.call("GET", &format!("/{id}"), None).await?,
            None => None,
        };
        let remote = match seen {
            Some(remote) => remote,
            None => self.create(object).await?,
        };
        let generation = object.metadata.generation;
        let condition = json!({
            "type": "Ready", "status": "True", "reason": "Authorized", "message": format!("seen at {}", Timestamp::now()),
            "lastTransitionTime": Timestamp::now().to_string(), "observedGeneration": generation,
        });
        let status = json!({"id": remote["id"], "observedGeneration": generation, "conditions": [condition]});
        let patch = Patch::Merge(json!({"status": status}));
        self.api().patch_status(&object.name_any(), &PatchParams::default(), &patch).await?;
        Ok(Action::requeue(POLL))
    }

    async fn clean_up(&self, object: &DynamicObject) -> Result<Action> {
        if let Some(id) = object.data["status"]["id"].as_str() {
            self.call("DELETE", &format!("/{id}"), None).await?;
        }
        Ok(Action::await_change())
    }
}

/// How long nothing is to be done. Its own status write wakes it, too.
fn rest(object: &DynamicObject) -> Option<Duration> {
    let status = &object.data["status"];
    let seen: Timestamp = status["conditions"][0]["lastTransitionTime"].as_str()?.parse().ok()?;
    let current = status["observedGeneration"].as_i64() == object.metadata.generation;
    let age = Duration::try_from(Timestamp::now().duration_since(seen)).ok()?;
    POLL.checked_sub(age).filter(|_| current)
}

async fn reconcile(object: Arc<DynamicObject>, context: Arc<Context>) -> Result<Action, FinalizerError<Failure>> {
    let said = |error: anyhow::Error| Failure(format!("{error:#}"));
    finalizer(&context.api(), "applink.dev/naive", object, async |event| match event {
        Event::Apply(object) => context.apply(&object).await.map_err(said),
        Event::Cleanup(object) => context.clean_up(&object).await.map_err(said),
    })
    .await
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [namespace, platform, token] = &arguments[..] else {
        bail!("arguments: namespace, Platform API, Heroku token")
    };
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let kubeconfig = Kubeconfig::read()?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.proxy_url = None;
    let (client, http) = (Client::try_from(config)?, reqwest::Client::builder().no_proxy().build()?);
    let config = http
        .get(format!("{platform}/apps/orders-prod/config-vars"))
        .header("accept", "application/vnd.heroku+json; version=3")
        .header("authorization", format!("Bearer {token}"));
    let config = serde_json::from_str(&config.send().await?.error_for_status()?.text().await?)?;
    let context = Arc::new(Context { client, namespace: namespace.clone(), http, config });
    println!("ready");
    let again = |_: Arc<DynamicObject>, error: &FinalizerError<Failure>, _: Arc<Context>| {
        eprintln!("{error}");
        Action::requeue(AGAIN)
    };
    Controller::new_with(context.api(), watcher::Config::default(), resource())
        .run(reconcile, again, context)
        .for_each(|_| std::future::ready(()))
        .await;
    Ok(())
}
