//! The one control plane of this test process: a real API server with our CRDs and the operator's RBAC.
//!
//! Built by tests/controlplane/ensure.sh unless APPLINK_CONTROLPLANE names it. It dies with this process. `e2e` asks
//! for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, Config, ResourceExt};
use serde_json::{Value, json};

use super::process::{Process, run};
use super::{PATIENCE, RUNTIME};

/// A running control plane.
pub struct ControlPlane {
    /// Everything that tests write goes below this.
    pub dir: PathBuf,
    /// Of an administrator.
    pub kubeconfig: PathBuf,
    /// A kubectl.
    pub kubectl: PathBuf,
    /// The API, for an administrator.
    pub client: Client,
    /// What deploy/base lets the operator do, by kind: ClusterRole, Role.
    pub rules: Value,
    _process: Mutex<Process>,
}

static CONTROL_PLANE: LazyLock<ControlPlane> = LazyLock::new(start);

/// The control plane, started by whoever asks first.
pub fn get() -> &'static ControlPlane {
    &CONTROL_PLANE
}

fn start() -> ControlPlane {
    let tools = tools();
    let dir = directory();
    let state = dir.join("controlplane");
    let mut command = Command::new(tools.join("controlplane"));
    command.arg("-dir").arg(&state).arg("-stop-with-stdin");
    let mut process = Process::stops_with_stdin(&mut command, &dir.join("controlplane.err"));
    let kubeconfig = PathBuf::from(process.first_line(Duration::from_secs(120)));
    let (client, rules) = RUNTIME.block_on(async {
        let client = administrator(&kubeconfig).await;
        let rules = rules(&tools.join("kubectl"));
        tokio::join!(install_crds(&client), install_role(&client, &rules["ClusterRole"]));
        (client, rules)
    });
    ControlPlane { dir, kubectl: tools.join("kubectl"), kubeconfig, client, rules, _process: Mutex::new(process) }
}

fn tools() -> PathBuf {
    if let Some(known) = std::env::var_os("APPLINK_CONTROLPLANE") {
        return known.into();
    }
    // What it says of its progress goes to the terminal.
    let mut ensure = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/controlplane/ensure.sh"));
    let output = ensure.stderr(Stdio::inherit()).output().expect("tests/controlplane/ensure.sh");
    assert!(output.status.success(), "tests/controlplane/ensure.sh failed");
    String::from_utf8_lossy(&output.stdout).trim().into()
}

/// A fresh directory; those that dead processes left behind go.
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
    // An earlier process of the same id may have left it.
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("a directory");
    dir
}

async fn administrator(kubeconfig: &Path) -> Client {
    // The same provider as the operator's; with none installed the client would have to guess.
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
        api.patch(&name, &params, &Patch::Apply(&crd)).await.expect("the API server takes the CRD");
        let established = await_condition(api.clone(), &name, conditions::is_crd_established());
        tokio::time::timeout(PATIENCE, established).await.expect("established in time").expect("established");
    }
}

/// What deploy/base grants: the operators of the tests may do that and no more.
fn rules(kubectl: &Path) -> Value {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/base");
    let (ok, text) = run(Command::new(kubectl).arg("kustomize").arg(base), "");
    assert!(ok, "{text}");
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    let of = |kind: &str| documents.iter().find(|d| d["kind"] == kind).unwrap_or_else(|| panic!("no {kind}")).clone();
    json!({"ClusterRole": of("ClusterRole"), "Role": of("Role")})
}

async fn install_role(client: &Client, role: &Value) {
    let name = role["metadata"]["name"].as_str().expect("its name");
    super::cluster::apply(client, "", role).await.unwrap_or_else(|error| panic!("ClusterRole {name}: {error}"));
}
