//! Random sets of manifests on a real API server: some of the two hundred in-process ones, or the range in
//! `APPLINK_SETS`, such as 16..32 (end excluded). More at once would exceed the hourly call budget of an add-on.

use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;

use crate::harness::{PATIENCE, Scene, e2e, until};
use crate::support::sets::{Environment, play};

/// Sets that run at once with one operator.
const AT_A_TIME: usize = 4;

struct Here<'a>(&'a Scene);

impl Environment for Here<'_> {
    async fn apply(&self, manifest: &Value) {
        self.0.apply(manifest).await;
    }

    async fn delete(&self, kind: &str, name: &str) {
        if self.0.get(kind, name).await.is_some() {
            self.0.delete(kind, name).await;
        }
    }

    async fn patch(&self, kind: &str, name: &str, patch: Value) {
        // It may be gone.
        let _ = self.0.try_change(kind, name, patch).await;
    }

    async fn objects(&self) -> Vec<Value> {
        let kinds = ["Connection", "Authorization", "Publication", "DataActionTarget"];
        join_all(kinds.map(|kind| self.0.list(kind))).await.into_iter().flatten().collect()
    }

    async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        self.0.simulator.try_control(method, path, body).await
    }

    async fn moment(&self) {
        // It does not matter how far the operator gets meanwhile.
        tokio::time::sleep(Duration::from_millis(150)).await;
    }

    async fn until(&self, what: &str, mut done: impl AsyncFnMut() -> bool, explain: impl AsyncFn() -> String) {
        let look = async || {
            let done = done().await;
            if !done {
                // One look takes many requests.
                self.moment().await;
            }
            done.then_some(())
        };
        until(what, PATIENCE, look, explain).await;
    }
}

/// Runs every `of`th set from the `nth` on, a few at a time.
fn play_share(label: &str, nth: u64, of: u64) {
    e2e(label, async |scene| {
        let range = std::env::var("APPLINK_SETS").unwrap_or_else(|_| "0..16".to_owned());
        let (first, last) = range.split_once("..").expect("APPLINK_SETS: as in 16..32");
        let range = first.parse::<u64>().expect("a number")..last.parse().expect("a number");
        let _operator = scene.operator().await;
        scene.apply_all(&scene.everything()[..3]).await;
        scene.ready("AppLinkAddon", "orders").await;
        let seeds: Vec<u64> = range.filter(|seed| seed % of == nth).collect();
        for some in seeds.chunks(AT_A_TIME) {
            println!("sets {some:?}");
            join_all(some.iter().map(async |seed| play(&mut Here(scene), *seed).await)).await;
        }
    });
}

#[test]
fn even_sets_converge() {
    play_share("sets-even", 0, 2);
}

#[test]
fn odd_sets_converge() {
    play_share("sets-odd", 1, 2);
}
