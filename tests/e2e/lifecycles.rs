//! The lifecycle of one object of each kind other than Connection: late dependencies, drift, failure and recovery,
//! other owners and observers, orphaning and adoption.

use serde_json::{Value, json};

use crate::harness::{CONNECTION, KEY, Scene, document, e2e, edit, text};

/// Waits until the object is Ready with another remote ID than `before`.
async fn recreated(scene: &Scene, kind: &str, name: &str, before: &Value) -> Value {
    let moved = |o: &Value| o["status"]["id"].is_string() && o["status"]["id"] != before["status"]["id"];
    scene.wait(kind, name, "has another ID", moved).await;
    scene.ready(kind, name).await
}

/// The same manifest with another name, under Observe.
fn looking(manifest: &Value, name: &str) -> Value {
    edit(manifest.clone(), |m| {
        m["metadata"]["name"] = json!(name);
        m["spec"]["managementPolicy"] = json!("Observe");
    })
}

async fn let_go(scene: &Scene, kind: &str, name: &str) {
    scene.change(kind, name, json!({"spec": {"deletionPolicy": "Orphan"}})).await;
    scene.delete(kind, name).await;
    scene.wait_gone(kind, name).await;
    scene.wait_event(name, "Orphaned").await;
}

async fn remote(scene: &Scene, collection: &str) -> Vec<Value> {
    let world = scene.simulator.control("GET", "/world", Value::Null).await;
    world[collection].as_array().expect("a list").clone()
}

#[test]
fn authorization_lifecycle() {
    e2e("each-authorization", async |scene| {
        const KIND: &str = "Authorization";
        let _operator = scene.operator().await;
        let manifest = scene.authorization("batch-user", "batchUser");
        scene.apply(&manifest).await;
        scene.unready(KIND, "batch-user", "SecretNotFound", "Reconciling").await;
        scene.apply(&scene.key(KEY)).await;
        scene.unready(KIND, "batch-user", "DependencyNotFound", "Reconciling").await;
        scene.apply_all(&[scene.token(), scene.addon()]).await;
        let first = scene.ready(KIND, "batch-user").await;

        scene.simulator.control("DELETE", "/authorizations/batchUser", Value::Null).await;
        let second = recreated(scene, KIND, "batch-user", &first).await;
        scene.simulator.control("PATCH", "/authorizations/batchUser", json!({"status": "failed"})).await;
        scene.unready(KIND, "batch-user", "RemoteFailed", "Stalled").await;
        scene.simulator.control("PATCH", "/authorizations/batchUser", json!({"status": "authorized"})).await;
        scene.ready(KIND, "batch-user").await;
        let replace = json!({"metadata": {"annotations": {"applink.dev/replace": "now"}}});
        scene.change(KIND, "batch-user", replace).await;
        let third = recreated(scene, KIND, "batch-user", &second).await;

        scene.apply(&scene.authorization("rival", "batchUser")).await;
        scene.unready(KIND, "rival", "NameConflict", "Stalled").await;
        scene.delete(KIND, "rival").await;
        scene.apply(&looking(&manifest, "looker")).await;
        assert_eq!(scene.ready(KIND, "looker").await["status"]["id"], third["status"]["id"]);
        scene.delete(KIND, "looker").await;
        scene.wait_gone(KIND, "rival").await;

        let_go(scene, KIND, "batch-user").await;
        scene.apply(&manifest).await;
        assert_eq!(scene.ready(KIND, "batch-user").await["status"]["id"], third["status"]["id"], "taken back");
        scene.wait_event("batch-user", "Adopted").await;
        scene.delete(KIND, "batch-user").await;
        scene.wait_gone(KIND, "batch-user").await;
        assert_eq!(remote(scene, "authorizations").await, Vec::<Value>::new());
    });
}

#[test]
fn publication_lifecycle() {
    e2e("each-publication", async |scene| {
        const KIND: &str = "Publication";
        let _operator = scene.operator().await;
        let manifest = scene.publication("orders-api");
        scene.apply(&manifest).await;
        scene.unready(KIND, "orders-api", "DependencyNotFound", "Reconciling").await;
        scene.all_ready().await;
        scene.unready(KIND, "orders-api", "ConfigMapNotFound", "Reconciling").await;
        scene.apply(&document("1.0.0")).await;
        scene.ready(KIND, "orders-api").await;

        scene.simulator.control("PATCH", "/connections/productionOrg", json!({"status": "failed"})).await;
        scene.unready("Connection", CONNECTION, "RemoteFailed", "Stalled").await;
        scene.unready(KIND, "orders-api", "ConnectionNotReady", "Reconciling").await;
        scene.simulator.control("PATCH", "/connections/productionOrg", json!({"status": "connected"})).await;
        scene.ready(KIND, "orders-api").await;
        scene.apply(&looking(&manifest, "looker")).await;
        scene.ready(KIND, "looker").await;
        scene.delete(KIND, "looker").await;

        let_go(scene, KIND, "orders-api").await;
        let left = remote(scene, "publications").await;
        assert_eq!((left.len(), text(&left[0], "/clientName")), (1, "OrdersAPI"));
        scene.apply(&manifest).await;
        scene.ready(KIND, "orders-api").await;
        scene.wait_event("orders-api", "Adopted").await;
        scene.delete(KIND, "orders-api").await;
        scene.wait_gone(KIND, "orders-api").await;
        assert_eq!(remote(scene, "publications").await, Vec::<Value>::new());
    });
}

#[test]
fn data_action_target_lifecycle() {
    e2e("each-target", async |scene| {
        const KIND: &str = "DataActionTarget";
        let _operator = scene.operator().await;
        let manifest = scene.target("customer-updates", "customer_update");
        scene.apply(&manifest).await;
        scene.unready(KIND, "customer-updates", "DependencyNotFound", "Reconciling").await;
        scene.apply_all(&scene.everything()[..3]).await;
        scene.data_cloud_ready().await;
        let first = scene.ready(KIND, "customer-updates").await;

        scene.simulator.control("DELETE", "/targets/customer_update", Value::Null).await;
        let second = recreated(scene, KIND, "customer-updates", &first).await;
        scene.simulator.control("PATCH", "/targets/customer_update", json!({"status": "creation_failed"})).await;
        scene.unready(KIND, "customer-updates", "RemoteFailed", "Stalled").await;
        scene.simulator.control("PATCH", "/targets/customer_update", json!({"status": "created"})).await;
        scene.ready(KIND, "customer-updates").await;

        scene.apply(&scene.target("rival", "customer_update")).await;
        scene.unready(KIND, "rival", "NameConflict", "Stalled").await;
        scene.delete(KIND, "rival").await;
        scene.apply(&looking(&manifest, "looker")).await;
        assert_eq!(scene.ready(KIND, "looker").await["status"]["id"], second["status"]["id"]);
        scene.delete(KIND, "looker").await;

        let planted = json!({
            "connection": "customerData", "apiName": "theirs", "label": "Customer Update Webhook",
            "targetEndpoint": "/webhooks/customer-update",
        });
        let planted = scene.simulator.control("POST", "/targets", planted).await;
        scene.apply(&scene.target("theirs", "theirs")).await;
        assert_eq!(scene.ready(KIND, "theirs").await["status"]["id"], planted["id"]);
        scene.wait_event("theirs", "Adopted").await;
    });
}
