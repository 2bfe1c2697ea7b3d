//! What the tests stand on: one control plane for most, and a namespace, a simulator and operators for each.
//!
//! What is right the tests say, with one exception: at the end of each, all states that its objects were in are judged
//! as Flux and Argo CD see them. Each test calls [`e2e`] once and works in the [`Scene`] that it is given.

mod audit;
mod cluster;
mod controlplane;
pub mod deploy;
mod kinds;
mod manifests;
mod operator;
pub mod person;
mod process;
mod proxy;
mod recorder;
mod scene;
mod simulator;
mod stage;

use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

pub use crate::support::keys::pem;
pub use audit::Request;
pub use cluster::{condition, condition_of, has_reason, is_ready, text};
pub use controlplane::NAMESPACED;
pub use kinds::{DATA_CLOUD, document};
pub use manifests::{edit, secret, sha256};
pub use operator::{Flags, Operator};
pub use proxy::Proxy;
pub use scene::{CONNECTION, KEY, Scene, user};
pub use simulator::{Simulator, TOKEN};
pub use stage::Stage;

use controlplane::ControlPlane;

/// When a test gives up on what it waits for. How soon things happen is asserted on virtual time, in `tests/operator`:
/// here the machine may be several times slower than ours, and busy with much else.
pub const PATIENCE: Duration = Duration::from_secs(300);
/// The same for `kubectl wait` and `kubectl delete`.
pub const KUBECTL_PATIENCE: &str = "--timeout=300s";
/// How often a condition is looked at that nobody announces.
const GLANCE: Duration = Duration::from_millis(50);
/// Whatever takes longer than this hangs.
const TEST_LIMIT: Duration = PATIENCE.saturating_mul(6);

/// One runtime for all tests: they share a client, and its connections live on the runtime that made them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
});

/// Runs one test in a scene of its own; `label` names its namespace.
pub fn e2e(label: &str, test: impl AsyncFnOnce(&Scene)) {
    play(label, Stage::new(ControlPlane::shared()), async |stage| test(&stage.scene(label).await).await);
}

/// Runs one test that puts up its scenes itself, on the shared control plane.
pub fn e2e_together(label: &str, test: impl AsyncFnOnce(&Stage)) {
    play(label, Stage::new(ControlPlane::shared()), test);
}

/// Runs one test on a control plane of its own, with nothing in it, not even our CRDs.
pub fn e2e_alone(label: &str, test: impl AsyncFnOnce(&Stage)) {
    play(label, Stage::new(ControlPlane::start(label)), test);
}

fn play(label: &str, stage: Stage, test: impl AsyncFnOnce(&Stage)) {
    RUNTIME.block_on(async {
        let limited = tokio::time::timeout(TEST_LIMIT, async {
            test(&stage).await;
            stage.judge().await;
        });
        limited.await.unwrap_or_else(|_| panic!("{label}: still not done after {} s", TEST_LIMIT.as_secs()));
    });
}

/// Looks again and again until `look` gives something, and gives up with what `explain` says.
pub async fn until<T>(
    what: &str,
    patience: Duration,
    mut look: impl AsyncFnMut() -> Option<T>,
    explain: impl AsyncFnOnce() -> String,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        if Instant::now() >= deadline {
            panic!("not within {} s: {what}\n{}", patience.as_secs(), explain().await);
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// Waits until a file has this text.
async fn until_in_file(file: &Path, text: &str) {
    let there = async || std::fs::read_to_string(file).is_ok_and(|content| content.contains(text)).then_some(());
    until(&format!("{text} is in {}", file.display()), PATIENCE, there, async || String::new()).await;
}
