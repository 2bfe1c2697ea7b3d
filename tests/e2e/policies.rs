//! What Observe forbids.

use serde_json::{Value, json};

use crate::harness::{CONNECTION, condition_of, e2e, edit, text};

/// A connection created by somebody else, equal to ours.
fn planted(name: &str) -> Value {
    json!({"name": name, "method": "JWT", "username": "ci@example.com", "clientId": "3MVG9e2e"})
}

/// Asserts that the object has neither finalizer nor intent.
fn assert_unheld(object: &Value) {
    assert_eq!(object["metadata"]["finalizers"], Value::Null, "{object:#}");
    assert_eq!(text(object, "/metadata/annotations/applink.dev~1intent"), "", "{object:#}");
}

#[test]
fn observe_reports_foreign_objects_without_finalizer() {
    e2e("observe", async |scene| {
        let _operator = scene.operator().await;
        let remote = scene.simulator.control("POST", "/connections", planted("productionOrg")).await;
        let mut manifests = scene.everything();
        manifests[3]["spec"]["managementPolicy"] = json!("Observe");
        scene.apply_all(&manifests).await;
        let seen = scene.ready("Connection", CONNECTION).await;
        assert_eq!(condition_of(&seen, "Ready")["reason"], "Connected");
        assert_eq!(seen["status"]["id"], remote["id"]);
        assert_unheld(&seen);
        scene.delete("Connection", CONNECTION).await;
        scene.wait_gone("Connection", CONNECTION).await;
        assert_eq!(scene.simulator.only_connection().await["id"], remote["id"]);
        assert_eq!(scene.simulator.mutating().await, Vec::<String>::new());
    });
}

#[test]
fn observe_reports_a_missing_object_until_it_appears() {
    e2e("missing", async |scene| {
        let _operator = scene.operator().await;
        // The add-on's policy limits that of its objects.
        let addon = edit(scene.addon(), |addon| addon["spec"]["managementPolicy"] = json!("Observe"));
        let mut manifests = scene.everything();
        manifests[2] = addon;
        scene.apply_all(&manifests).await;
        let seen = scene.unready("Connection", CONNECTION, "RemoteMissing", "Stalled").await;
        assert_unheld(&seen);

        scene.simulator.control("POST", "/connections", planted("productionOrg")).await;
        scene.ready("Connection", CONNECTION).await;
        assert_eq!(scene.simulator.mutating().await, Vec::<String>::new());
    });
}
