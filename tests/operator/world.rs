//! A world for one test: an API server, a simulated Heroku and AppLink, one virtual clock, and the operator, which a
//! test can start, stop and kill at any moment.
//!
//! Helpers only; the assertions are in the tests.

use std::sync::Arc;
use std::time::Duration;

use applink_operator::budget::Limits;
use applink_operator::clock::Clock;
use applink_operator::control::run::{Dependencies, Failure, Options, run};
use applink_operator::liveness::Liveness;
use applink_operator::metrics::Metrics;
use applink_operator::readiness::Readiness;
use applink_operator::transport::{AllowedHosts, in_process};
use applink_simulator::{Addon, AddonState, App, Attachment, Seed, Simulator, Token};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::support::apiserver::ApiServer;
pub use crate::support::keys::pem;
use crate::tap::Tap;

/// The namespace of all objects.
pub const NS: &str = "crm";
/// The AppLinkAddon that connections refer to by default.
pub const ADDON: &str = "orders";
/// The AppLinkAddon of [`World::second_addon`], its add-on, and another token.
pub const OTHER: &str = "billing";
pub const OTHER_ID: Uuid = Uuid::from_u128(7);
pub const OTHER_TOKEN: &str = "HRKU-another-token";
/// Longer than anything takes without faults, in virtual time.
pub const SOON: Duration = Duration::from_secs(30);
/// Longer than anything takes after a fault.
pub const LATER: Duration = Duration::from_secs(20 * 60);
pub const HOUR: Duration = Duration::from_secs(3600);

/// Everything that a test acts on.
pub struct World {
    pub clock: Clock,
    pub api: ApiServer,
    pub sim: Simulator,
    pub metrics: Metrics,
    pub options: Options,
    operator: Option<Operator>,
}

/// One operator process.
pub struct Operator {
    pub tap: Tap,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), Failure>>,
    pub ready: watch::Receiver<Readiness>,
    pub liveness: Liveness,
}

/// Stops with its world, because otherwise it would run until the end of the test.
impl Drop for Operator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Operator {
    /// Sends SIGTERM. Returns what `run` returns.
    pub async fn stop(mut self) -> Result<(), Failure> {
        // An operator that ended by itself no longer listens.
        let _ = self.stop.take().map(|stop| stop.send(()));
        self.end().await
    }

    /// Waits for `run` to return by itself.
    pub async fn end(mut self) -> Result<(), Failure> {
        (&mut self.task).await.expect("the operator does not panic")
    }

    /// Sends SIGKILL: nothing more is sent, whatever is in flight.
    pub async fn kill(mut self) {
        self.task.abort();
        if let Err(error) = (&mut self.task).await {
            assert!(error.is_cancelled(), "the operator panicked: {error}");
        }
    }
}

impl World {
    /// A world with the add-on's token and a key in Secrets, nothing else, and no operator.
    pub fn new() -> Self {
        crate::log::install();
        let start: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a date");
        let clock = Clock::starting_at(start);
        let hosts = AllowedHosts::new(&["*.heroku.com".to_owned()]).expect("a pattern");
        let world = Self {
            clock,
            api: ApiServer::with_clock(Arc::new(move || clock.now())),
            sim: Simulator::with_clock(Seed::default(), Arc::new(move || clock.now())),
            metrics: Metrics::default(),
            options: Options {
                namespaces: Vec::new(),
                hosts,
                write_concurrency: 1,
                reconcile_concurrency: 32,
                lease_namespace: None,
                limits: Limits::default(),
            },
            operator: None,
        };
        world.api.set_secret(NS, "heroku-api", &[("token", Seed::HEROKU_TOKEN)]);
        world.key("good");
        world
    }

    /// A world with an operator and a Ready add-on.
    pub async fn with_addon() -> Self {
        let mut world = Self::new();
        world.addon();
        world.start();
        world.until_addon("True", "AddonReady").await;
        world
    }

    /// A world with an operator and Ready Connection `production`.
    pub async fn with_connection() -> Self {
        let world = Self::with_addon().await;
        world.connection("production", "productionOrg");
        world.until("production", "True", "Connected").await;
        world
    }

    /// Applies a second app with its own add-on as `billing`, with the token in this Secret.
    pub async fn second_addon(&self, secret: &str) {
        let app = App { id: Uuid::from_u128(77), name: "billing-prod".to_owned(), config_vars: Default::default() };
        let attached = Attachment { id: Uuid::from_u128(8), app: app.id, name: "HEROKU_APPLINK".to_owned() };
        let other = Addon {
            id: OTHER_ID,
            name: "heroku-applink-round-7".to_owned(),
            service: "heroku-applink".to_owned(),
            state: AddonState::Provisioned,
            token: Token::new("another-0123456789abcdef"),
            token_revoked: false,
            owner: app.id,
            attachments: vec![attached],
        };
        self.sim.world(|world| {
            world.add_app(app).expect("a new one");
            world.add_addon(other).expect("a new one");
            world.account.tokens.push(Token::new(OTHER_TOKEN));
        });
        self.api.set_secret(NS, "heroku-other", &[("token", OTHER_TOKEN)]);
        let mut manifest = addon(OTHER);
        manifest["spec"]["app"] = json!("billing-prod");
        manifest["spec"]["tokenSecretRef"]["name"] = json!(secret);
        self.api.apply(manifest);
        let ready = |object: Option<&Value>| object.is_some_and(|o| says(o, "True", "AddonReady"));
        self.until_as("applinkaddons", OTHER, SOON, ready).await;
    }

    // The operator.

    /// Starts another operator, which the test owns.
    pub fn spawn(&self) -> Operator {
        self.spawn_by(self.clock)
    }

    /// One more operator, whose machine shows another time.
    pub fn spawn_by(&self, clock: Clock) -> Operator {
        let tap = Tap::default();
        let (ready, is_ready) = watch::channel(Readiness::default());
        let liveness = Liveness::default();
        let outside = Dependencies {
            client: tap.client(self.api.client()),
            transport: tap.transport(in_process(self.sim.router())),
            clock,
            metrics: self.metrics.clone(),
            ready,
            liveness: liveness.clone(),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let options = self.options.clone();
        let task = tokio::spawn(async move {
            run(outside, options, async {
                if stopped.await.is_err() {
                    std::future::pending().await
                }
            })
            .await
        });
        Operator { tap, stop: Some(stop), task, ready: is_ready, liveness }
    }

    /// Starts the operator.
    pub fn start(&mut self) {
        assert!(self.operator.is_none(), "it runs already");
        self.operator = Some(self.spawn());
    }

    /// Whether an operator runs.
    pub fn runs(&self) -> bool {
        self.operator.is_some()
    }

    /// Takes the running operator, to stop or kill it.
    pub fn take(&mut self) -> Operator {
        self.operator.take().expect("it runs")
    }

    /// Kills the operator and starts another.
    pub async fn restart(&mut self) {
        self.take().kill().await;
        self.start();
    }

    /// Readiness of the running operator.
    pub fn ready(&self) -> watch::Receiver<Readiness> {
        self.operator.as_ref().expect("it runs").ready.clone()
    }

    /// Liveness of the running operator.
    pub fn liveness(&self) -> Liveness {
        self.operator.as_ref().expect("it runs").liveness.clone()
    }

    /// The interceptor of the running operator.
    pub fn tap(&self) -> &Tap {
        &self.operator.as_ref().expect("it runs").tap
    }

    // Actions of the user.

    pub fn addon(&self) -> Value {
        self.api.apply(addon(ADDON))
    }

    /// Applies the add-on with additional fields in its spec.
    pub fn addon_with(&self, spec: Value) -> Value {
        self.api.apply(with_spec(addon(ADDON), &spec))
    }

    pub fn connection(&self, name: &str, remote: &str) -> Value {
        self.api.apply(connection(name, remote))
    }

    /// Applies a connection with additional fields in its spec.
    pub fn connection_with(&self, name: &str, remote: &str, spec: Value) -> Value {
        self.api.apply(with_spec(connection(name, remote), &spec))
    }

    pub fn delete(&self, name: &str) {
        self.api.delete("connections", NS, name);
    }

    /// Sets an annotation of our group.
    pub fn annotate(&self, name: &str, annotation: &str, value: &str) {
        self.api.annotate("connections", NS, name, &format!("applink.dev/{annotation}"), Some(value));
    }

    /// Stores a private key in the Secret that connections refer to.
    pub fn key(&self, name: &str) {
        self.api.set_secret(NS, "sf-jwt", &[("server.key", &pem(name))]);
    }

    // Time.

    /// Lets virtual time pass, to see that nothing happens.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Waits until a Connection's Ready has this status and reason for the current generation.
    pub async fn until(&self, name: &str, status: &str, reason: &str) -> Value {
        self.within(SOON, name, status, reason).await
    }

    pub async fn within(&self, at_most: Duration, name: &str, status: &str, reason: &str) -> Value {
        self.until_of("connections", name, at_most, (status, reason)).await
    }

    /// Waits until an object's Ready has this status and reason for the current generation.
    pub async fn until_of(&self, plural: &str, name: &str, at_most: Duration, (status, reason): (&str, &str)) -> Value {
        let said = |object: Option<&Value>| object.is_some_and(|o| says(o, status, reason));
        self.until_as(plural, name, at_most, said).await.expect("it exists")
    }

    /// Waits until `wanted` holds for an object, and until its Events are published, which follow the status.
    pub async fn until_as(
        &self,
        plural: &str,
        name: &str,
        at_most: Duration,
        wanted: impl Fn(Option<&Value>) -> bool,
    ) -> Option<Value> {
        let object = self.api.wait_until(plural, NS, name, wanted, at_most).await;
        self.pass(Duration::from_millis(1)).await;
        object
    }

    pub async fn until_addon(&self, status: &str, reason: &str) -> Value {
        self.until_addon_within(SOON, status, reason).await
    }

    pub async fn until_addon_within(&self, at_most: Duration, status: &str, reason: &str) -> Value {
        self.until_of("applinkaddons", ADDON, at_most, (status, reason)).await
    }

    pub async fn until_gone(&self, name: &str, at_most: Duration) {
        self.until_as("connections", name, at_most, |object| object.is_none()).await;
    }
}

// Manifests as a user writes them.

/// The manifest with additional fields in its spec.
pub fn with_spec(mut manifest: Value, spec: &Value) -> Value {
    manifest["spec"].as_object_mut().expect("an object").extend(spec.as_object().expect("an object").clone());
    manifest
}

pub fn addon(name: &str) -> Value {
    json!({
        "apiVersion": "applink.dev/v1alpha1", "kind": "AppLinkAddon",
        "metadata": {"namespace": NS, "name": name},
        "spec": {"app": Seed::APP_NAME, "tokenSecretRef": {"name": "heroku-api", "key": "token"}},
    })
}

pub fn connection(name: &str, remote: &str) -> Value {
    json!({
        "apiVersion": "applink.dev/v1alpha1", "kind": "Connection",
        "metadata": {"namespace": NS, "name": name},
        "spec": {
            "addonRef": {"name": ADDON}, "connectionName": remote, "provider": "Salesforce",
            "jwt": {
                "clientID": "3MVG9canary", "username": "ci@example.com",
                "privateKeySecretRef": {"name": "sf-jwt", "key": "server.key"},
            },
        },
    })
}

/// SHA-256 of a key's text, as the simulator stores it.
pub fn digest(pem: &str) -> String {
    Sha256::digest(pem.trim()).iter().map(|byte| format!("{byte:02x}")).collect()
}

// Reading objects.

/// The condition with this type.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == kind)
}

/// Whether Ready has this status and reason for the current generation.
pub fn says(object: &Value, status: &str, reason: &str) -> bool {
    let judged = object["status"]["observedGeneration"] == object["metadata"]["generation"];
    let ready = condition(object, "Ready");
    judged && ready.is_some_and(|c| c["status"] == status && c["reason"] == reason)
}

/// A predicate: the object is Ready with this reason.
pub fn is_ready_by(reason: &str) -> impl Fn(Option<&Value>) -> bool {
    move |object| object.is_some_and(|object| says(object, "True", reason))
}

/// Message of Ready.
pub fn message(object: &Value) -> &str {
    condition(object, "Ready").and_then(|c| c["message"].as_str()).unwrap_or_default()
}

/// `Reconciling` or `Stalled`, whichever is True; panics if both are.
pub fn progress(object: &Value) -> Option<&str> {
    let is = |kind: &str| condition(object, kind).is_some_and(|c| c["status"] == "True");
    assert!(!(is("Reconciling") && is("Stalled")), "never both: {object:#}");
    ["Reconciling", "Stalled"].into_iter().find(|kind| is(kind))
}
