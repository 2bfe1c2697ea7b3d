//! Secrets and ConfigMaps that are none of the operator's business cost it no memory, however many there are: their names
//! go by, and nothing is kept.

use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::json;

use crate::harness::{Flags, Operator, Scene, e2e, secret};

/// So many of each.
const FOREIGN: usize = 2_000;
/// They may cost less than this, in KiB. Ten thousand of each came to 0.3 MiB as they came, and to 1.1 MiB where they were
/// there first.
const LITTLE: i64 = 5 * 1024;
/// Until the allocator has given back what it gives back.
const SETTLED: Duration = Duration::from_secs(5);

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

/// Its memory once nothing goes on any more.
async fn settled(operator: &Operator) -> i64 {
    tokio::time::sleep(SETTLED).await;
    operator.resident()
}

#[test]
fn thousands_of_foreign_secrets_and_config_maps_cost_no_memory() {
    e2e("memory", async |scene| {
        let operator = scene.operator_with(Flags::default()).await;
        scene.all_ready().await;
        let before = settled(&operator).await;
        make_foreign(scene).await;
        let after = settled(&operator).await;
        println!("{FOREIGN} Secrets and as many ConfigMaps: {before} KiB before, {after} KiB after");
        assert!(after - before < LITTLE, "{before} KiB before, {after} KiB after");

        // One that finds them when it starts has no more than one that found none.
        operator.kill();
        let operator = scene.operator_with(Flags::default()).await;
        let anew = settled(&operator).await;
        println!("{anew} KiB where they were there first");
        assert!(anew - before < LITTLE, "{before} KiB before, {anew} KiB where they were there first");
    });
}
