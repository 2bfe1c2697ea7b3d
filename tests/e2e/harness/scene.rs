//! Where one test plays: a namespace, a simulator, and as many operators as it starts.
//!
//! Judges nothing. `e2e` makes one for each test.

use std::ops::Deref;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::audit::{self, Write};
use super::cluster::Cluster;
use super::controlplane::ControlPlane;
use super::manifests::{pem, secret};
use super::operator::{Flags, Operator};
use super::process::run;
use super::simulator::{Simulator, TOKEN};
use super::text;

/// Name of the Connection that most tests have.
pub const CONNECTION: &str = "production";
/// What its key is made of.
pub const KEY: &str = "e2e-canary-private-key";

/// One test's place; it is a [`Cluster`], too.
pub struct Scene {
    /// Its namespace.
    pub namespace: String,
    /// Its Heroku and AppLink.
    pub simulator: Simulator,
    /// Its files.
    pub dir: PathBuf,
    control_plane: &'static ControlPlane,
    cluster: Cluster,
    operators: AtomicUsize,
    fences: AtomicUsize,
}

impl Deref for Scene {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl Scene {
    pub async fn new(control_plane: &'static ControlPlane, namespace: &str) -> Self {
        let dir = control_plane.dir.join(namespace);
        std::fs::create_dir(&dir).unwrap_or_else(|error| panic!("two tests called {namespace}? {error}"));
        let simulator = Simulator::start(&dir);
        let cluster = Cluster::new(control_plane.client.clone(), namespace);
        let scene = Self {
            namespace: namespace.to_owned(),
            simulator,
            dir,
            control_plane,
            cluster,
            operators: AtomicUsize::default(),
            fences: AtomicUsize::default(),
        };
        scene.prepare().await;
        scene
    }

    /// A second scene for the same test.
    pub async fn beside(&self, namespace: &str) -> Self {
        Self::new(self.control_plane, namespace).await
    }

    /// The namespace, and in it for the operator what deploy/base grants.
    async fn prepare(&self) {
        let group = "rbac.authorization.k8s.io";
        let bind = |name: &str, kind: &str| {
            json!({
                "apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": {"name": name},
                "roleRef": {"apiGroup": group, "kind": kind, "name": name},
                "subjects": [{"apiGroup": group, "kind": "User", "name": self.user()}],
            })
        };
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}});
        let mut role = self.control_plane.rules["Role"].clone();
        role["metadata"]["namespace"] = json!(self.namespace);
        let lease = text(&role, "/metadata/name").to_owned();
        self.apply_all(&[namespace, role, bind("applink-operator", "ClusterRole"), bind(&lease, "Role")]).await;
    }

    /// Who this scene's operators are to the API server.
    fn user(&self) -> String {
        format!("operator-of-{}", self.namespace)
    }

    /// An operator with the flags that most tests want.
    pub async fn operator(&self) -> Operator {
        self.operator_with(Flags::default()).await
    }

    pub async fn operator_with(&self, flags: Flags) -> Operator {
        let nth = self.operators.fetch_add(1, Ordering::Relaxed);
        let kubeconfig = self.dir.join(format!("operator-{nth}.kubeconfig"));
        std::fs::write(&kubeconfig, self.kubeconfig(flags.server.as_deref()).to_string()).expect("a kubeconfig");
        Operator::start(&self.namespace, kubeconfig, self.dir.join(format!("operator-{nth}.log")), &flags).await
    }

    /// The administrator's kubeconfig, acting as this scene's user in its namespace.
    fn kubeconfig(&self, server: Option<&str>) -> Value {
        let text = std::fs::read_to_string(&self.control_plane.kubeconfig).expect("the kubeconfig");
        let mut config: Value = serde_saphyr::from_str(&text).expect("YAML");
        config["users"][0]["user"]["as"] = json!(self.user());
        config["contexts"][0]["context"]["namespace"] = json!(self.namespace);
        if let Some(server) = server {
            config["clusters"][0]["cluster"]["server"] = json!(server);
        }
        config
    }

    /// The address of the API server, without scheme.
    pub fn server(&self) -> String {
        let config = self.kubeconfig(None);
        super::text(&config, "/clusters/0/cluster/server").trim_start_matches("https://").to_owned()
    }

    /// The Secret with the Heroku token.
    pub fn token(&self) -> Value {
        secret("heroku-api", "token", TOKEN)
    }

    /// The Secret with a private key made of this word.
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

    /// Token, key, add-on and Connection of most tests, in the order of need.
    pub fn everything(&self) -> Vec<Value> {
        vec![self.token(), self.key(KEY), self.addon(), self.connection(CONNECTION, "productionOrg")]
    }

    /// Applies all of these, and waits until the Connection is Ready.
    pub async fn all_ready(&self) -> Value {
        self.apply_all(&self.everything()).await;
        self.ready("Connection", CONNECTION).await
    }

    /// What this scene's operators wrote to the API server so far.
    pub async fn writes(&self) -> Vec<Write> {
        let log = self.control_plane.dir.join("controlplane/audit.log");
        let fence = format!("fence-{}-{}", self.namespace, self.fences.fetch_add(1, Ordering::Relaxed));
        self.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": fence}})).await;
        audit::caught_up(&log, &fence).await;
        audit::writes_of(&log, &self.user())
    }

    /// Runs kubectl as an administrator in this namespace: whether it succeeded, and all it said.
    pub async fn try_kubectl(&self, arguments: &[&str], stdin: &str) -> (bool, String) {
        let mut command = Command::new(&self.control_plane.kubectl);
        command.env("KUBECONFIG", &self.control_plane.kubeconfig).env("NO_PROXY", "127.0.0.1");
        command.arg("--namespace").arg(&self.namespace).args(arguments);
        let stdin = stdin.to_owned();
        tokio::task::spawn_blocking(move || run(&mut command, &stdin)).await.expect("kubectl")
    }

    pub async fn kubectl(&self, arguments: &[&str], stdin: &str) -> String {
        let (ok, said) = self.try_kubectl(arguments, stdin).await;
        assert!(ok, "kubectl {arguments:?} failed: {said}");
        said
    }
}
