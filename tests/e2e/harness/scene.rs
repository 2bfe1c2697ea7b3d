//! The environment of one test: a namespace, a simulator, and any number of operators.
//!
//! Asserts nothing. `e2e` creates one for each test, or the test does on its `Stage`.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::audit::{self, Request};
use super::cluster::Cluster;
use super::controlplane::NAMESPACED;
use super::manifests::{edit, secret};
use super::operator::{Flags, Operator};
use super::pem;
use super::recorder::Seen;
use super::simulator::{Simulator, TOKEN};
use super::stage::Stage;
use super::{deploy, until_in_file};

/// Name of the Connection in most tests.
pub const CONNECTION: &str = "production";
/// Seed of its key.
pub const KEY: &str = "e2e-canary-private-key";
/// The operator's service account.
const ACCOUNT: &str = "applink-operator";

/// The environment of one test. Dereferences to its [`Cluster`].
pub struct Scene {
    /// Its namespace.
    pub namespace: String,
    /// Its Heroku and AppLink.
    pub simulator: Simulator,
    /// Its directory for files.
    pub dir: PathBuf,
    /// What it shares with other scenes.
    pub stage: Stage,
    cluster: Cluster,
    operators: AtomicUsize,
    fences: AtomicUsize,
}

/// Kubernetes user of operators whose account is in this namespace.
pub fn user(home: &str) -> String {
    format!("system:serviceaccount:{home}:{ACCOUNT}")
}

impl Deref for Scene {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl Scene {
    /// Creates a namespace and a simulator.
    pub(super) async fn new(stage: Stage, namespace: &str) -> Self {
        let dir = stage.control_plane.dir.join(namespace);
        std::fs::create_dir(&dir).unwrap_or_else(|error| panic!("two tests called {namespace}? {error}"));
        let simulator = Simulator::start(&dir);
        let cluster = Cluster::new(stage.control_plane.client.clone(), namespace);
        cluster.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})).await;
        let (operators, fences) = Default::default();
        Self { namespace: namespace.to_owned(), simulator, dir, stage, cluster, operators, fences }
    }

    /// Creates a second scene for the same test.
    pub async fn beside(&self, namespace: &str) -> Self {
        self.stage.scene(namespace).await
    }

    /// Creates the account of this scene's operators, with the rights of deploy/namespaced.
    pub async fn let_in(&self) {
        self.apply_all(&deploy::account_in(&NAMESPACED, &self.namespace)).await;
    }

    /// Kubernetes user of this scene's operators.
    pub fn user(&self) -> String {
        user(&self.namespace)
    }

    /// Starts an operator with default options.
    pub async fn operator(&self) -> Operator {
        self.operator_with(Flags::default()).await
    }

    /// Starts an operator and waits until it is ready.
    pub async fn operator_with(&self, flags: Flags) -> Operator {
        let operator = self.operator_unready(flags).await;
        operator.ready().await;
        operator
    }

    /// Starts an operator without waiting.
    pub async fn operator_unready(&self, flags: Flags) -> Operator {
        let nth = self.operators.fetch_add(1, Ordering::Relaxed);
        let kubeconfig = self.dir.join(format!("operator-{nth}.kubeconfig"));
        std::fs::write(&kubeconfig, self.kubeconfig(&flags).await.to_string()).expect("a kubeconfig");
        let log = self.dir.join(format!("operator-{nth}.log"));
        let namespaces = flags.namespaces.clone().unwrap_or_else(|| vec![self.namespace.clone()]);
        Operator::start(&namespaces, &kubeconfig, &log, &flags).await
    }

    /// A kubeconfig with what a pod of the operator gets: a token of its account, and its namespace.
    async fn kubeconfig(&self, flags: &Flags) -> Value {
        let home = flags.home.as_deref().unwrap_or(&self.namespace);
        let token = Cluster::new(self.stage.control_plane.client.clone(), home).token_of(ACCOUNT).await;
        let mut config = self.administrator();
        config["users"][0]["user"] = json!({"token": token});
        config["contexts"][0]["context"]["namespace"] = json!(home);
        if let Some(server) = &flags.server {
            config["clusters"][0]["cluster"]["server"] = json!(server);
        }
        config
    }

    fn administrator(&self) -> Value {
        let text = std::fs::read_to_string(&self.stage.control_plane.kubeconfig).expect("the kubeconfig");
        serde_saphyr::from_str(&text).expect("YAML")
    }

    /// Address of the API server without the scheme.
    pub fn server(&self) -> String {
        let config = self.administrator();
        super::text(&config, "/clusters/0/cluster/server").trim_start_matches("https://").to_owned()
    }

    /// The Secret with the Heroku token.
    pub fn token(&self) -> Value {
        secret("heroku-api", "token", TOKEN)
    }

    /// The Secret with a private key generated from this seed.
    pub fn key(&self, content: &str) -> Value {
        secret("sf-jwt", "server.key", &pem(content))
    }

    /// The add-on of the simulator's only app.
    pub fn addon(&self) -> Value {
        json!({
            "apiVersion": "applink.dev/v1alpha1", "kind": "AppLinkAddon", "metadata": {"name": "orders"},
            "spec": {
                "app": "orders-prod", "tokenSecretRef": {"name": "heroku-api", "key": "token"},
                "platformURL": self.simulator.url, "pollInterval": "10s",
            },
        })
    }

    /// The same add-on, polled once an hour: anything seen sooner is due to another trigger.
    pub fn addon_polled_hourly(&self) -> Value {
        edit(self.addon(), |addon| addon["spec"]["pollInterval"] = json!("1h"))
    }

    /// A Connection by JWT on that add-on.
    pub fn connection(&self, name: &str, remote: &str) -> Value {
        json!({
            "apiVersion": "applink.dev/v1alpha1", "kind": "Connection", "metadata": {"name": name},
            "spec": {
                "addonRef": {"name": "orders"}, "connectionName": remote, "provider": "Salesforce",
                "jwt": {
                    "clientID": "3MVG9e2e", "username": "ci@example.com",
                    "privateKeySecretRef": {"name": "sf-jwt", "key": "server.key"},
                },
            },
        })
    }

    /// A Connection by OAuth on that add-on.
    pub fn by_consent(&self, name: &str, remote: &str) -> Value {
        edit(self.connection(name, remote), |c| {
            c["spec"].as_object_mut().expect("a spec").remove("jwt");
            c["spec"]["oauth"] = json!({});
        })
    }

    /// The consent link of a Connection; waits for it.
    pub async fn link(&self, name: &str) -> String {
        let awaiting = self.unready("Connection", name, "AwaitingUser", "Reconciling").await;
        let secret = super::text(&awaiting, "/status/oauthSecretName").to_owned();
        let secret = self.get("Secret", &secret).await.expect("the Secret that the status names");
        let link = STANDARD.decode(super::text(&secret, "/data/url")).expect("base64");
        String::from_utf8(link).expect("a link")
    }

    /// Token, key, add-on and Connection of most tests, dependencies first.
    pub fn everything(&self) -> Vec<Value> {
        vec![self.token(), self.key(KEY), self.addon(), self.connection(CONNECTION, "productionOrg")]
    }

    /// Applies all of these, and waits until the Connection is Ready.
    pub async fn all_ready(&self) -> Value {
        self.apply_all(&self.everything()).await;
        self.ready("Connection", CONNECTION).await
    }

    /// Writes of this scene's operators to the API server so far.
    pub async fn writes(&self) -> Vec<Request> {
        self.requests().await.into_iter().filter(Request::writes).collect()
    }

    /// Requests of this scene's operators to the API server so far.
    pub async fn requests(&self) -> Vec<Request> {
        self.requests_from(&self.namespace).await
    }

    /// Requests of operators whose account is in this namespace.
    pub async fn requests_from(&self, home: &str) -> Vec<Request> {
        let log = self.stage.control_plane.audit_log();
        let fence = format!("fence-{}-{}", self.namespace, self.fences.fetch_add(1, Ordering::Relaxed));
        self.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": fence}})).await;
        // When this write is in the log, everything answered before it is, too.
        until_in_file(&log, &fence).await;
        audit::requests_of(&log, &user(home))
    }

    /// Checks the states of its objects so far. An entry looks like `Connection AwaitingUser: InProgress, Suspended`,
    /// with the verdicts of kstatus and Argo CD.
    pub async fn seen(&self) -> Seen {
        self.stage.control_plane.judge(&self.namespace).await
    }

    /// Runs kubectl as an administrator in this namespace. Returns whether it succeeded, and its output.
    pub async fn try_kubectl(&self, arguments: &[&str], stdin: &str) -> (bool, String) {
        self.stage.try_kubectl(&[&["--namespace", &self.namespace], arguments].concat(), stdin).await
    }

    pub async fn kubectl(&self, arguments: &[&str], stdin: &str) -> String {
        let (ok, said) = self.try_kubectl(arguments, stdin).await;
        assert!(ok, "kubectl {arguments:?} failed: {said}");
        said
    }
}
