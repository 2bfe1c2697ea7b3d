//! One run's world: a control plane, a simulator, and the accounts and objects that every side of a comparison finds.
//!
//! Measures nothing. Each run has its own, so that no run sees what another has left behind.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::audit::{self, Requests};
use crate::objects::{self, ADDON, NAMESPACE};
use crate::process::Process;
use crate::simulator::{Simulator, TOKEN};

/// Namespace and service account of the operator in deploy/base.
pub const OPERATOR: (&str, &str) = ("applink-system", "applink-operator");
/// Namespace and service account of the floor and the naive controller.
pub const OTHER: (&str, &str) = (NAMESPACE, "other");

/// What all runs share.
pub struct Setup {
    /// Directory of `controlplane` and `kubectl`.
    pub tools: PathBuf,
    /// Directory of the programs.
    pub programs: PathBuf,
    /// Directory for files.
    pub dir: PathBuf,
    /// How long AppLink takes to answer.
    pub latency: Duration,
    /// A private key, PEM.
    pub key: String,
}

/// A control plane and a simulator.
pub struct World {
    /// Directory for its files.
    pub dir: PathBuf,
    /// An administrator's client, which the API server does not throttle.
    pub client: Client,
    /// Heroku and AppLink.
    pub simulator: Simulator,
    /// etcd and kube-apiserver.
    pub control_plane: Process,
    kubeconfig: PathBuf,
    kubectl: PathBuf,
    programs: PathBuf,
}

/// The repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl World {
    /// Starts both, and applies deploy/base, the accounts, the Secrets and the add-on. Nothing works on them yet.
    pub async fn start(setup: &Setup, name: &str) -> Result<Self> {
        let dir = setup.dir.join(name);
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir)?;
        let mut command = Command::new(setup.tools.join("controlplane"));
        command.arg("-dir").arg(dir.join("controlplane")).arg("-stop-with-stdin");
        let mut control_plane = Process::start(&mut command, &dir.join("controlplane.log"))?;
        let kubeconfig = PathBuf::from(control_plane.first_line().await?);
        let client = client(&kubeconfig).await?;
        let simulator = Simulator::start(&setup.programs.join("applink-simulator"), &dir, setup.latency).await?;
        let (kubectl, programs) = (setup.tools.join("kubectl"), setup.programs.clone());
        let world = Self { dir, client, simulator, control_plane, kubeconfig, kubectl, programs };
        world.install(&setup.key).await?;
        Ok(world)
    }

    async fn install(&self, key: &str) -> Result<()> {
        let root = repository();
        let base = root.join("deploy/base").display().to_string();
        self.kubectl(&["apply", "--server-side", "-k", &format!("{}", root.join("crds").display())], "").await?;
        self.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "").await?;
        self.kubectl(&["apply", "--server-side", "--force-conflicts", "-k", &base], "").await?;
        let secret = |name: &str, key: &str, value: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {key: value}});
        let (namespace, account) = OTHER;
        let subject = json!({"kind": "ServiceAccount", "name": account, "namespace": namespace});
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"});
        let all = [
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}}),
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                "metadata": {"name": account}, "roleRef": role, "subjects": [subject],
            }),
            secret("heroku-api", "token", TOKEN),
            secret("sf-jwt", "server.key", key),
            objects::addon(ADDON, &self.simulator.url),
        ];
        for manifest in all {
            self.kubectl(&["apply", "--server-side", "-n", namespace, "-f", "-"], &manifest.to_string()).await?;
        }
        Ok(())
    }

    /// Runs kubectl as an administrator.
    pub async fn kubectl(&self, arguments: &[&str], stdin: &str) -> Result<String> {
        let log = self.dir.join("kubectl.log");
        std::fs::write(self.dir.join("kubectl.in"), stdin)?;
        let mut command = Command::new(&self.kubectl);
        command.env("KUBECONFIG", &self.kubeconfig).env("NO_PROXY", "127.0.0.1").args(arguments);
        command.stdin(std::fs::File::open(self.dir.join("kubectl.in"))?).stderr(std::fs::File::create(&log)?);
        let output = tokio::task::spawn_blocking(move || command.output()).await?.context("run kubectl")?;
        if !output.status.success() {
            bail!("kubectl {arguments:?}: {}", std::fs::read_to_string(&log).unwrap_or_default());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// A kubeconfig with a token of this service account, as a pod gets it.
    pub async fn kubeconfig_of(&self, (namespace, account): (&str, &str)) -> Result<PathBuf> {
        let token = self.kubectl(&["create", "token", account, "-n", namespace, "--duration=12h"], "").await?;
        let text = std::fs::read_to_string(&self.kubeconfig)?;
        let mut config: Value = serde_saphyr::from_str(&text)?;
        config["users"][0]["user"] = json!({"token": token});
        config["contexts"][0]["context"]["namespace"] = json!(namespace);
        let path = self.dir.join(format!("{account}.kubeconfig"));
        std::fs::write(&path, config.to_string())?;
        Ok(path)
    }

    /// Starts the operator as deploy/base runs it, but for the number of writers and the allowed host.
    pub async fn operator(&self, writers: usize) -> Result<Process> {
        let kubeconfig = self.kubeconfig_of(OPERATOR).await?;
        let mut command = Command::new(self.programs.join("applink-operator"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("APPLINK_")) {
            command.env_remove(name);
        }
        command.env("KUBECONFIG", kubeconfig).env_remove("RUST_LOG");
        command.args(["run", "--admin-addr", "127.0.0.1:0", "--allowed-host", "127.0.0.1", "--log-format", "json"]);
        command.args(["--leader-elect-namespace", OPERATOR.0, "--write-concurrency", &writers.to_string()]);
        Process::start(&mut command, &self.dir.join("operator.log"))
    }

    /// Starts the naive controller.
    pub async fn naive(&self) -> Result<Process> {
        let kubeconfig = self.kubeconfig_of(OTHER).await?;
        let mut command = Command::new(self.programs.join("applink-naive"));
        command.env("KUBECONFIG", kubeconfig).args([NAMESPACE, &self.simulator.url, TOKEN]);
        Process::start(&mut command, &self.dir.join("naive.log"))
    }

    /// Starts the floor with a sample of what the operator writes.
    pub async fn floor(&self, writers: usize, sample: &Value) -> Result<Process> {
        let (kubeconfig, file) = (self.kubeconfig_of(OTHER).await?, self.dir.join("sample.json"));
        std::fs::write(&file, sample.to_string())?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("floor").arg(file).args([&self.simulator.url, TOKEN, &writers.to_string()]);
        command.env("KUBECONFIG", kubeconfig);
        Process::start(&mut command, &self.dir.join("floor.log"))
    }

    /// Where the audit log ends now.
    pub fn mark(&self) -> u64 {
        audit::mark(&self.audit_log())
    }

    /// Requests of a service account since the mark.
    pub fn requests(&self, since: u64, (namespace, account): (&str, &str)) -> Result<Requests> {
        audit::requests(&self.audit_log(), since, &format!("system:serviceaccount:{namespace}:{account}"))
    }

    fn audit_log(&self) -> PathBuf {
        self.dir.join("controlplane/audit.log")
    }

    /// Stops the simulator and the control plane.
    pub async fn stop(self) -> Result<()> {
        self.simulator.process.stop().await?;
        self.control_plane.stop().await?;
        // Hundreds of megabytes.
        let _ = std::fs::remove_dir_all(self.dir.join("controlplane"));
        Ok(())
    }
}

/// A client with this kubeconfig.
pub async fn client(kubeconfig: &Path) -> Result<Client> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.proxy_url = None;
    Ok(Client::try_from(config)?)
}
