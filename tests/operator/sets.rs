//! Two hundred random sets of manifests, each in its own world.

use std::time::Duration;

use applink_simulator::Simulator;
use axum::body::{Body, to_bytes};
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::sets::{Environment, play};
use crate::world::{NS, World};

const PLURALS: [(&str, &str); 5] = [
    ("Connection", "connections"),
    ("Authorization", "authorizations"),
    ("Publication", "publications"),
    ("DataActionTarget", "dataactiontargets"),
    ("ConfigMap", "configmaps"),
];

struct Here(World);

fn plural(kind: &str) -> &'static str {
    PLURALS.iter().find(|known| known.0 == kind).expect("a kind of a set").1
}

async fn control(simulator: &Simulator, method: &str, path: &str, body: Value) -> Value {
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let request = Request::builder().method(method).uri(format!("/_control{path}"));
    let request = request.header("content-type", "application/json").body(body).expect("a request");
    let answer = simulator.router().oneshot(request).await.expect("an answer");
    if !answer.status().is_success() {
        return Value::Null;
    }
    let body = to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
    serde_json::from_slice(&body).unwrap_or_default()
}

impl Environment for Here {
    async fn apply(&self, manifest: &Value) {
        let mut manifest = manifest.clone();
        manifest["metadata"]["namespace"] = json!(NS);
        self.0.api.apply(manifest);
    }

    async fn delete(&self, kind: &str, name: &str) {
        if self.0.api.get(plural(kind), NS, name).is_some() {
            self.0.api.delete(plural(kind), NS, name);
        }
    }

    async fn patch(&self, kind: &str, name: &str, patch: Value) {
        if self.0.api.get(plural(kind), NS, name).is_some() {
            self.0.api.patch(plural(kind), NS, name, patch);
        }
    }

    async fn objects(&self) -> Vec<Value> {
        PLURALS[..4].iter().flat_map(|(_, plural)| self.0.api.list(plural)).collect()
    }

    async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        control(&self.0.sim, method, path, body).await
    }

    async fn moment(&self) {
        self.0.pass(Duration::from_millis(700)).await;
    }

    async fn until(&self, what: &str, mut done: impl AsyncFnMut() -> bool, explain: impl AsyncFn() -> String) {
        for _ in 0..600 {
            if done().await {
                return;
            }
            self.0.pass(Duration::from_secs(1)).await;
        }
        panic!("{what}: not within ten minutes\n{}", explain().await);
    }

    async fn restart(&mut self) {
        self.0.restart().await;
    }
}

async fn play_all(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let mut here = Here(World::with_addon().await);
        play(&mut here, seed).await;
    }
}

macro_rules! sets {
    ($($name:ident: $seeds:expr;)+) => {$(
        #[tokio::test(start_paused = true)]
        async fn $name() {
            play_all($seeds).await;
        }
    )+};
}

// Split into tests that run in parallel.
sets! {
    sets_0_to_49: 0..50;
    sets_50_to_99: 50..100;
    sets_100_to_149: 100..150;
    sets_150_to_199: 150..200;
}
