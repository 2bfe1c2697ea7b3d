//! All kinds together: applied at once in any order, they become Ready one after the other, and are deleted in the
//! reverse order.

use crate::harness::{CONNECTION, DATA_CLOUD, Scene, document, e2e};
use serde_json::{Value, json};

async fn apply_all_kinds(scene: &Scene) {
    // Dependencies come last.
    let all = [
        scene.target("customer-updates", "customer_update"),
        scene.publication("orders-api"),
        scene.authorization("batch-user", "batchUser"),
        scene.data_cloud(),
        document("1.0.0"),
    ];
    scene.apply_all(&all).await;
    scene.apply_all(&scene.everything()).await;
}

#[test]
fn all_kinds_applied_at_once_become_ready() {
    e2e("kinds", async |scene| {
        let _operator = scene.operator().await;
        apply_all_kinds(scene).await;
        scene.ready("Connection", CONNECTION).await;
        scene.ready("Authorization", "batch-user").await;
        scene.ready("Publication", "orders-api").await;
        scene.data_cloud_ready().await;
        scene.ready("DataActionTarget", "customer-updates").await;

        let kinds = ["DataActionTarget", "Publication", "Connection", "Authorization", "AppLinkAddon"];
        let names =
            [&["customer-updates"][..], &["orders-api"], &[CONNECTION, DATA_CLOUD], &["batch-user"], &["orders"]];
        for (kind, names) in kinds.iter().zip(names).rev() {
            for name in names {
                scene.delete(kind, name).await;
            }
        }
        for (kind, names) in kinds.iter().zip(names) {
            for name in names {
                scene.wait_gone(kind, name).await;
            }
        }
        let world = scene.simulator.control("GET", "/world", Value::Null).await;
        for left in ["connections", "authorizations", "publications", "dataActionTargets"] {
            assert_eq!(world[left], json!([]), "{left}");
        }
    });
}
