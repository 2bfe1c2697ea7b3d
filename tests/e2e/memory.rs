//! Foreign Secrets and ConfigMaps cost the operator no memory, however many there are: it reads their names and keeps
//! nothing.

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::harness::{CONNECTION, KEY, Operator, PATIENCE, Scene, document, e2e, is_ready, secret, until};

const API: &str = "orders-api";

/// Number of each.
const FOREIGN: usize = 2_000;
/// Upper limit for their cost, in KiB. 10,000 of each took 0.3 MiB when created later, and 1.1 MiB when they existed at
/// the start.
const LITTLE: i64 = 5 * 1024;

async fn make_foreign(scene: &Scene) {
    let text = "x".repeat(500);
    let each = stream::iter(0..FOREIGN).map(|nth| {
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("foreign-{nth}")}, "data": {"a": text},
        });
        let secret = secret(&format!("foreign-{nth}"), "a", &text);
        async move { scene.apply_all(&[secret, map]).await }
    });
    each.buffer_unordered(32).collect::<Vec<_>>().await;
}

/// Changes a referenced ConfigMap after all the others, and waits until the operator acts on it: by then, its watch has
/// shown the others.
async fn maps_passed(scene: &Scene, version: &str) {
    let before = scene.get("Publication", API).await.expect("it exists");
    scene.apply(&document(version)).await;
    let published = |now: &Value| is_ready(now) && now["status"]["appliedHash"] != before["status"]["appliedHash"];
    scene.wait("Publication", API, "is republished", published).await;
}

/// Waits until it uses little more than `before`: the allocator takes a moment to return memory.
async fn assert_little_more(operator: &Operator, before: i64) {
    let little = async || (operator.resident() - before < LITTLE).then_some(());
    let explain = async || format!("{before} KiB before, {} KiB after", operator.resident());
    until("it has little more memory than before", PATIENCE, little, explain).await;
}

#[test]
fn foreign_secrets_and_config_maps_cost_no_memory() {
    e2e("memory", async |scene| {
        let operator = scene.operator().await;
        scene.all_ready().await;
        scene.apply_all(&[document("1.0.0"), scene.publication(API)]).await;
        scene.ready("Publication", API).await;
        let before = operator.resident();
        make_foreign(scene).await;
        maps_passed(scene, "1.1.0").await;
        // The same for Secrets.
        scene.apply(&scene.key("another")).await;
        scene.unready("Connection", CONNECTION, "ReplacementRequired", "Stalled").await;
        assert_little_more(&operator, before).await;

        // After a restart with all of them, it uses no more than after a start without.
        operator.kill();
        let operator = scene.operator().await;
        scene.apply(&scene.key(KEY)).await;
        scene.ready("Connection", CONNECTION).await;
        maps_passed(scene, "1.2.0").await;
        assert_little_more(&operator, before).await;
    });
}
