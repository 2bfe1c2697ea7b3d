//! Control planes with a real API server. Most tests share one that has our CRDs.
//!
//! tests/controlplane/ensure.sh builds them unless APPLINK_CONTROLPLANE is set. They end with this process. `Stage`
//! starts them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};

use kube::api::{Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, Config, ResourceExt};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::process::{Process, run};
use super::recorder::{Recorder, Seen};
use super::{PATIENCE, RUNTIME, deploy};

/// A running control plane.
pub struct ControlPlane {
    /// Directory for all files of the tests.
    pub dir: PathBuf,
    /// An administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// A kubectl binary.
    pub kubectl: PathBuf,
    /// An administrator's client.
    pub client: Client,
    recorder: OnceCell<Recorder>,
    _process: Mutex<Process>,
}

static TOOLS: LazyLock<PathBuf> = LazyLock::new(tools);
static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(directory);
static SHARED: LazyLock<Arc<ControlPlane>> = LazyLock::new(|| {
    let shared = ControlPlane::start("shared");
    RUNTIME.block_on(install_crds(&shared.client));
    shared
});

/// The manifests of deploy/namespaced.
pub static NAMESPACED: LazyLock<Vec<Value>> =
    LazyLock::new(|| deploy::rendered(&TOOLS.join("kubectl"), &deploy::source("deploy/namespaced")));

impl ControlPlane {
    /// The shared control plane; the first call starts it.
    pub fn shared() -> Arc<Self> {
        SHARED.clone()
    }

    /// Starts an empty control plane.
    pub fn start(name: &str) -> Arc<Self> {
        let dir = DIRECTORY.join(name);
        std::fs::create_dir(&dir).unwrap_or_else(|error| panic!("two control planes called {name}? {error}"));
        let mut command = Command::new(TOOLS.join("controlplane"));
        command.arg("-dir").arg(dir.join("controlplane")).arg("-stop-with-stdin");
        let mut process = Process::stops_with_stdin(&mut command, &dir.join("controlplane.err"));
        let kubeconfig = PathBuf::from(process.first_line(PATIENCE));
        let client = RUNTIME.block_on(administrator(&kubeconfig));
        let kubectl = TOOLS.join("kubectl");
        Arc::new(Self { dir, kubeconfig, kubectl, client, recorder: OnceCell::new(), _process: Mutex::new(process) })
    }

    /// The recorder; the first call starts it. The CRDs must exist by then.
    pub async fn recorder(&self) -> &Recorder {
        self.recorder.get_or_init(|| Recorder::start(&self.client, self.dir.join("events"))).await
    }

    /// Checks the health of all states that objects in this namespace were in.
    pub async fn judge(&self, namespace: &str) -> Seen {
        self.recorder().await.judge(&TOOLS, &self.audit_log(), namespace).await
    }

    /// Path of the audit log.
    pub fn audit_log(&self) -> PathBuf {
        self.dir.join("controlplane/audit.log")
    }

    /// Runs kubectl as an administrator. Returns whether it succeeded, and its output.
    pub async fn try_kubectl(&self, arguments: &[&str], stdin: &str) -> (bool, String) {
        let mut command = Command::new(&self.kubectl);
        command.args(arguments);
        self.try_tool(command, stdin).await
    }

    /// Runs Helm as an administrator, without the files of the user who runs the tests.
    pub async fn try_helm(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(TOOLS.join("helm"));
        for place in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(place, self.dir.join(place));
        }
        command.args(arguments);
        self.try_tool(command, "").await
    }

    /// Runs kubeconform, which checks manifests against schemas.
    pub async fn try_kubeconform(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(TOOLS.join("kubeconform"));
        command.args(arguments);
        self.try_tool(command, "").await
    }

    /// Runs a script of bash as an administrator, with kubectl on its PATH.
    pub async fn try_script(&self, directory: &Path, script: &str) -> (bool, String) {
        let path = format!("{}:{}", TOOLS.display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("bash");
        command.arg("-c").arg(script).current_dir(directory).env("PATH", path);
        self.try_tool(command, "").await
    }

    async fn try_tool(&self, mut command: Command, stdin: &str) -> (bool, String) {
        command.env("KUBECONFIG", &self.kubeconfig).env("NO_PROXY", "127.0.0.1");
        let stdin = stdin.to_owned();
        tokio::task::spawn_blocking(move || run(&mut command, &stdin)).await.expect("a command")
    }
}

fn tools() -> PathBuf {
    if let Some(known) = std::env::var_os("APPLINK_CONTROLPLANE") {
        return known.into();
    }
    // Its progress goes to the terminal.
    let mut ensure = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/controlplane/ensure.sh"));
    let output = ensure.stderr(Stdio::inherit()).output().expect("tests/controlplane/ensure.sh");
    assert!(output.status.success(), "tests/controlplane/ensure.sh failed");
    String::from_utf8_lossy(&output.stdout).trim().into()
}

/// A new directory. Removes those of dead processes.
fn directory() -> PathBuf {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(pid) = name.strip_prefix("e2e-") else { continue };
        if !run(Command::new("sh").arg("-c").arg(format!("kill -0 {pid}")), "").0 {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let dir = parent.join(format!("e2e-{}", std::process::id()));
    // An earlier process with this ID may have left it.
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("a directory");
    dir
}

async fn administrator(kubeconfig: &Path) -> Client {
    // The operator's TLS provider; without one the client would have to guess.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.expect("a usable kubeconfig");
    config.proxy_url = None;
    Client::try_from(config).expect("a client")
}

async fn install_crds(client: &Client) {
    let api: Api<k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition> =
        Api::all(client.clone());
    let params = PatchParams::apply("e2e").force();
    for crd in applink_operator::crd::definitions() {
        let name = crd.name_any();
        api.patch(&name, &params, &Patch::Apply(&crd)).await.expect("the API server accepts the CRD");
        let established = await_condition(api.clone(), &name, conditions::is_crd_established());
        tokio::time::timeout(PATIENCE, established).await.expect("established in time").expect("established");
    }
}
