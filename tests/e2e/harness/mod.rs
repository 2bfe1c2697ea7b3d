//! The test harness: one control plane for most tests, and a namespace, a simulator and operators for each.
//!
//! Assertions are in the tests, with one exception: at the end of each test, the harness checks the health of all
//! states that its objects were in, as Flux and Argo CD see them. Each test calls [`e2e`] once and works in its
//! [`Scene`].

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

/// Timeout of every wait. How soon things happen is asserted on virtual time in `tests/operator`: a CI machine may be
/// several times slower, and busy.
pub const PATIENCE: Duration = Duration::from_secs(300);
/// The same timeout for `kubectl wait` and `kubectl delete`.
pub const KUBECTL_PATIENCE: &str = "--timeout=300s";
/// Interval for conditions that nothing announces.
const GLANCE: Duration = Duration::from_millis(50);
/// Timeout of a whole test.
const TEST_LIMIT: Duration = PATIENCE.saturating_mul(6);

/// One runtime for all tests, because they share a client whose connections live on the runtime that made them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
});

/// Runs one test in its own scene. `label` names its namespace.
pub fn e2e(label: &str, test: impl AsyncFnOnce(&Scene)) {
    play(label, Stage::new(ControlPlane::shared()), async |stage| test(&stage.scene(label).await).await);
}

/// Runs one test that creates its own scenes on the shared control plane.
pub fn e2e_together(label: &str, test: impl AsyncFnOnce(&Stage)) {
    play(label, Stage::new(ControlPlane::shared()), test);
}

/// Runs one test on its own control plane, which is empty, even without our CRDs.
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

/// Polls until `look` returns something; fails with the message of `explain`.
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

/// Waits until a file contains this text.
async fn until_in_file(file: &Path, text: &str) {
    let there = async || std::fs::read_to_string(file).is_ok_and(|content| content.contains(text)).then_some(());
    until(&format!("{text} is in {}", file.display()), PATIENCE, there, async || String::new()).await;
}
