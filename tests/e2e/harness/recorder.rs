//! Records every state of every object of our kinds, as watches show it, into one file of events per namespace, and
//! checks it with tests/controlplane/health.
//!
//! A `ControlPlane` starts one before its first scene. `Stage` runs the check at the end of each test, and a test may
//! run it earlier.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{AsyncBufReadExt, StreamExt};
use http::Request;
use kube::Client;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::cluster::Cluster;
use super::deploy::source;
use super::{audit, manifests, text, until_in_file};

/// How often objects were in each state: kind and reason, with the verdicts of kstatus and Argo CD.
pub type Seen = BTreeMap<String, usize>;

/// Namespace of fences, where no operator works.
const ELSEWHERE: &str = "default";

/// The watches of one control plane.
pub struct Recorder {
    dir: PathBuf,
    elsewhere: Cluster,
    watches: Vec<JoinHandle<()>>,
    fences: AtomicUsize,
}

impl Recorder {
    /// Starts recording into `dir`.
    pub async fn start(client: &Client, dir: PathBuf) -> Self {
        std::fs::create_dir(&dir).expect("a directory");
        let mut watches = Vec::new();
        for crd in applink_operator::crd::definitions() {
            let (spec, version) = (&crd.spec, &crd.spec.versions[0].name);
            let path = format!("/apis/{}/{version}/{}", spec.group, spec.names.plural);
            let now: Value = client.request(get(&format!("{path}?limit=1"))).await.expect("a list");
            let from = text(&now, "/metadata/resourceVersion").to_owned();
            watches.push(tokio::spawn(record(client.clone(), path, from, dir.clone())));
        }
        Self { dir, elsewhere: Cluster::new(client.clone(), ELSEWHERE), watches, fences: AtomicUsize::default() }
    }

    /// Checks all states in a namespace so far. Nothing in the audit log may be missing.
    pub async fn judge(&self, tools: &Path, log: &Path, namespace: &str) -> Seen {
        let made = audit::states_made_in(log, namespace);
        self.catch_up().await;
        let file = file(&self.dir, namespace);
        let seen = if file.exists() { judged(tools, file).await } else { Seen::new() };
        let count: usize = seen.values().sum();
        println!("{namespace}: {count} states, of at least {made}: {seen:?}");
        assert!(count >= made, "{namespace}: {count} states recorded, though {made} were made");
        seen
    }

    /// Writes an object of each kind and waits until it is recorded. Then everything before it is recorded, too.
    async fn catch_up(&self) {
        let fence = format!("fence-{}", self.fences.fetch_add(1, Ordering::Relaxed));
        for manifest in manifests::one_of_each_kind(&fence) {
            let applied = self.elsewhere.apply(&manifest).await;
            until_in_file(&file(&self.dir, ELSEWHERE), text(&applied, "/metadata/uid")).await;
        }
        assert!(self.watches.iter().all(|watch| !watch.is_finished()), "a watch has ended");
    }
}

/// The result of tests/controlplane/health for a file of events.
async fn judged(tools: &Path, file: PathBuf) -> Seen {
    let mut health = Command::new(tools.join("health"));
    health.arg("-lua").arg(source("deploy/argocd/health/health.lua")).arg(&file);
    let output = tokio::task::spawn_blocking(move || health.output()).await.expect("a thread").expect("health");
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "states with a misleading health:\n{wrong}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn get(path: &str) -> Request<Vec<u8>> {
    Request::get(path).body(Vec::new()).expect("a request")
}

fn file(dir: &Path, namespace: &str) -> PathBuf {
    dir.join(format!("{namespace}.jsonl"))
}

/// Records a watch that begins after `from`, until its control plane ends; if it ended before, `catch_up` would notice.
async fn record(client: Client, path: String, mut from: String, dir: PathBuf) {
    // An API server ends the watch of a slow reader. Continue from the last version, so that nothing is lost.
    let watch = |from: &str| get(&format!("{path}?watch=1&resourceVersion={from}&timeoutSeconds=7200"));
    while let Ok(stream) = client.request_stream(watch(&from)).await {
        let mut lines = stream.lines();
        while let Some(Ok(line)) = lines.next().await {
            let event: Value = serde_json::from_str(&line).expect("an event");
            write(&dir, text(&event, "/object/metadata/namespace"), &line);
            from = text(&event, "/object/metadata/resourceVersion").to_owned();
        }
    }
}

/// Appends an event to the file of its namespace.
fn write(dir: &Path, namespace: &str, line: &str) {
    assert!(!namespace.is_empty(), "the watch went wrong: {line}");
    let file = OpenOptions::new().create(true).append(true).open(file(dir, namespace));
    file.expect("a file").write_all(format!("{line}\n").as_bytes()).expect("space");
}
