//! Two resources for one remote name: one gets it, the other reports that and takes over when the name is free.

use serde_json::{Value, json};

use crate::harness::{condition_of, e2e, text};

#[test]
fn older_connection_gets_the_name_and_other_takes_over() {
    e2e("names", async |scene| {
        scene.simulator.settings(json!({"disconnectSeconds": 0})).await;
        let _operator = scene.operator().await;
        scene.apply_all(&scene.everything()[..3]).await;
        // Sorted by name it would be second.
        scene.apply(&scene.connection("b-older", "sharedOrg")).await;
        let older = scene.ready("Connection", "b-older").await;
        scene.apply(&scene.connection("a-younger", "sharedOrg")).await;
        let seen = scene.unready("Connection", "a-younger", "NameConflict", "Stalled").await;
        let message = text(condition_of(&seen, "Ready"), "/message");
        assert!(message.contains("names/b-older") && message.contains("sharedOrg"), "{message}");
        assert_eq!(seen["metadata"]["finalizers"], Value::Null);
        // Names that differ only in case are equal.
        scene.apply(&scene.connection("c-cased", "SHAREDorg")).await;
        scene.unready("Connection", "c-cased", "NameConflict", "Stalled").await;
        scene.delete("Connection", "c-cased").await;
        assert_eq!(scene.simulator.only_connection().await["id"], older["status"]["id"]);

        scene.delete("Connection", "b-older").await;
        let younger = scene.ready("Connection", "a-younger").await;
        assert_ne!(younger["status"]["id"], older["status"]["id"]);
        scene.wait_gone("Connection", "b-older").await;
        assert_eq!(scene.simulator.only_connection().await["id"], younger["status"]["id"]);
    });
}

#[test]
fn two_connections_for_one_name_create_one() {
    e2e("race", async |scene| {
        scene.apply_all(&scene.everything()[..3]).await;
        scene.apply_all(&[scene.connection("one", "sharedOrg"), scene.connection("two", "sharedOrg")]).await;
        let _operator = scene.operator().await;
        let reason = |object: &Value| text(condition_of(object, "Ready"), "/reason").to_owned();
        let judged = |object: &Value| ["Connected", "NameConflict"].contains(&reason(object).as_str());
        let mut reasons = Vec::new();
        for name in ["one", "two"] {
            reasons.push(reason(&scene.wait("Connection", name, "has won or lost", judged).await));
        }
        reasons.sort();
        assert_eq!(reasons, ["Connected", "NameConflict"]);
        scene.simulator.only_connection().await;
        assert_eq!(scene.simulator.mutating().await.len(), 1);
    });
}
