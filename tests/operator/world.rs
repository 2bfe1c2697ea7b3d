//! A world for one test: an API server, a simulated Heroku and AppLink, one virtual clock, and the operator, which can be
//! started, stopped, and killed at any moment.
//!
//! Arranges and looks; what must come of it is for the tests to say.

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

/// The namespace of everything.
pub const NS: &str = "crm";
/// The AppLinkAddon that connections refer to unless a test says otherwise.
pub const ADDON: &str = "orders";
/// The AppLinkAddon of [`World::second_addon`], its add-on, and another token.
pub const OTHER: &str = "billing";
pub const OTHER_ID: Uuid = Uuid::from_u128(7);
pub const OTHER_TOKEN: &str = "HRKU-another-token";
/// Longer than anything takes while nothing is wrong, in virtual time.
pub const SOON: Duration = Duration::from_secs(30);
/// Longer than anything takes after something went wrong.
pub const LATER: Duration = Duration::from_secs(20 * 60);
pub const HOUR: Duration = Duration::from_secs(3600);

/// All that a test acts on.
pub struct World {
    pub clock: Clock,
    pub api: ApiServer,
    pub sim: Simulator,
    pub metrics: Metrics,
    pub options: Options,
    operator: Option<Operator>,
}

/// One process, as it were.
pub struct Operator {
    pub tap: Tap,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), Failure>>,
    pub ready: watch::Receiver<Readiness>,
    pub liveness: Liveness,
}

/// With its world, or it would go on for as long as the test.
impl Drop for Operator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Operator {
    /// As SIGTERM; gives what `run` returns.
    pub async fn stop(mut self) -> Result<(), Failure> {
        // Nobody listens where it ended by itself.
        let _ = self.stop.take().map(|stop| stop.send(()));
        self.end().await
    }

    /// What `run` returns by itself.
    pub async fn end(mut self) -> Result<(), Failure> {
        (&mut self.task).await.expect("the operator does not panic")
    }

    /// As SIGKILL: nothing more is sent, whatever is under way.
    pub async fn kill(mut self) {
        self.task.abort();
        if let Err(error) = (&mut self.task).await {
            assert!(error.is_cancelled(), "the operator panicked: {error}");
        }
    }
}

impl World {
    /// A world with the add-on's token and a key in Secrets, and nothing else; no operator runs.
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

    /// A world in which the operator runs and the add-on answers.
    pub async fn with_addon() -> Self {
        let mut world = Self::new();
        world.addon();
        world.start();
        world.until_addon("True", "AddonReady").await;
        world
    }

    /// A world in which the operator runs, and Connection `production` is Ready.
    pub async fn with_connection() -> Self {
        let world = Self::with_addon().await;
        world.connection("production", "productionOrg");
        world.until("production", "True", "Connected").await;
        world
    }

    /// A second app with an add-on of its own, declared as `billing`, with the token in this Secret.
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

    /// One more operator, which the test holds.
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

    /// Whether one runs.
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

    /// Tells whether the running operator is ready.
    pub fn ready(&self) -> watch::Receiver<Readiness> {
        self.operator.as_ref().expect("it runs").ready.clone()
    }

    /// Whether the running operator comes round.
    pub fn liveness(&self) -> Liveness {
        self.operator.as_ref().expect("it runs").liveness.clone()
    }

    /// The running operator's tap.
    pub fn tap(&self) -> &Tap {
        &self.operator.as_ref().expect("it runs").tap
    }

    // What the user does.

    pub fn addon(&self) -> Value {
        self.api.apply(addon(ADDON))
    }

    /// Applies the add-on with these fields in its spec too.
    pub fn addon_with(&self, spec: Value) -> Value {
        self.api.apply(with_spec(addon(ADDON), &spec))
    }

    pub fn connection(&self, name: &str, remote: &str) -> Value {
        self.api.apply(connection(name, remote))
    }

    /// Applies a connection whose spec has these fields too.
    pub fn connection_with(&self, name: &str, remote: &str, spec: Value) -> Value {
        self.api.apply(with_spec(connection(name, remote), &spec))
    }

    pub fn delete(&self, name: &str) {
        self.api.delete("connections", NS, name);
    }

    /// Sets an annotation in our own group.
    pub fn annotate(&self, name: &str, annotation: &str, value: &str) {
        self.api.annotate("connections", NS, name, &format!("applink.dev/{annotation}"), Some(value));
    }

    /// Puts a private key into the Secret that connections refer to.
    pub fn key(&self, name: &str) {
        self.api.set_secret(NS, "sf-jwt", &[("server.key", &pem(name))]);
    }

    // Time.

    /// Lets virtual time pass, to see what does not happen in it.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Waits until a Connection's Ready says this of its present generation.
    pub async fn until(&self, name: &str, status: &str, reason: &str) -> Value {
        self.within(SOON, name, status, reason).await
    }

    pub async fn within(&self, at_most: Duration, name: &str, status: &str, reason: &str) -> Value {
        self.until_of("connections", name, at_most, (status, reason)).await
    }

    /// Waits until an object's Ready says this of its present generation.
    pub async fn until_of(&self, plural: &str, name: &str, at_most: Duration, (status, reason): (&str, &str)) -> Value {
        let said = |object: Option<&Value>| object.is_some_and(|o| says(o, status, reason));
        self.until_as(plural, name, at_most, said).await.expect("it is there")
    }

    /// Waits until this is true of an object, and what goes with it is told: Events come right after the status.
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

// Manifests, as a user writes them.

/// The manifest with these fields in its spec too.
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

/// SHA-256 of a key's text, as the simulator keeps it.
pub fn digest(pem: &str) -> String {
    Sha256::digest(pem.trim()).iter().map(|byte| format!("{byte:02x}")).collect()
}

// Reading what objects say.

/// A condition of this type.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == kind)
}

/// Whether Ready says this of the present generation.
pub fn says(object: &Value, status: &str, reason: &str) -> bool {
    let judged = object["status"]["observedGeneration"] == object["metadata"]["generation"];
    let ready = condition(object, "Ready");
    judged && ready.is_some_and(|c| c["status"] == status && c["reason"] == reason)
}

/// Says of an object whether it is Ready for this reason.
pub fn is_ready_by(reason: &str) -> impl Fn(Option<&Value>) -> bool {
    move |object| object.is_some_and(|object| says(object, "True", reason))
}

/// Ready's message.
pub fn message(object: &Value) -> &str {
    condition(object, "Ready").and_then(|c| c["message"].as_str()).unwrap_or_default()
}

/// `Reconciling` or `Stalled`, whichever is true; panics where both are.
pub fn progress(object: &Value) -> Option<&str> {
    let is = |kind: &str| condition(object, kind).is_some_and(|c| c["status"] == "True");
    assert!(!(is("Reconciling") && is("Stalled")), "never both: {object:#}");
    ["Reconciling", "Stalled"].into_iter().find(|kind| is(kind))
}
