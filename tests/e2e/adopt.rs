//! Adoption of existing connections by policy and attributes, and recovery of our own after half of the recorded state
//! is lost.

use serde_json::{Value, json};

use crate::harness::{CONNECTION, Scene, condition_of, e2e, edit, is_ready, text};

const POST: &str = "POST connections/salesforce/jwt";

/// A connection created by somebody else, equal to ours except for `differs`.
async fn plant(scene: &Scene, name: &str, differs: Value) -> Value {
    let mut planted = json!({
        "name": name, "method": "JWT", "username": "ci@example.com", "clientId": "3MVG9e2e",
        "createdBy": "somebody@example.com",
    });
    planted.as_object_mut().expect("an object").extend(differs.as_object().expect("an object").clone());
    scene.simulator.control("POST", "/connections", planted).await
}

fn annotated(name: &str, value: &str) -> Value {
    json!({"metadata": {"annotations": {format!("applink.dev/{name}"): value}}})
}

#[test]
fn matching_connection_is_adopted_without_mutation() {
    e2e("adopt", async |scene| {
        let _operator = scene.operator().await;
        let theirs = plant(scene, "productionOrg", json!({})).await;
        let seen = scene.all_ready().await;
        assert_eq!(seen["status"]["id"], theirs["id"]);
        assert_eq!(seen["status"]["createdBy"], "somebody@example.com");
        assert_eq!(seen["metadata"]["finalizers"], json!(["applink.dev/finalizer"]));
        scene.wait_event(CONNECTION, "Connected").await;
        assert_eq!(scene.events(CONNECTION).await, ["Adopted", "Connected"]);
        assert_eq!(scene.simulator.mutating().await, Vec::<String>::new());

        // From now on it is like any other of ours.
        scene.delete("Connection", CONNECTION).await;
        scene.wait_gone("Connection", CONNECTION).await;
        assert_eq!(scene.simulator.mutating().await, [format!("DELETE connections/{}", text(&theirs, "/id"))]);
        assert_eq!(scene.simulator.connections().await, Vec::<Value>::new());
    });
}

/// How an existing connection differs, the spec, and the reported difference.
fn differences() -> Vec<(&'static str, Value, Value, &'static str)> {
    let by_person = || json!({"jwt": null, "oauth": {}});
    vec![
        ("never", json!({}), json!({"adoptionPolicy": "Never"}), "adoptionPolicy is Never"),
        ("provider", json!({"provider": "datacloud"}), json!({}), "its provider is DataCloud, not Salesforce"),
        ("method", json!({"method": "OAuth"}), json!({}), "its method is oauth, not jwt"),
        ("person", json!({}), by_person(), "its method is jwt, not oauth"),
        (
            "user",
            json!({"username": "else@example.com"}),
            json!({}),
            "its user is else@example.com, not ci@example.com",
        ),
        (
            "org",
            json!({"orgId": "00DSG00000DGEIr2AP"}),
            json!({"expect": {"orgID": "00DSG000007a3BZ"}}),
            "spec.expect.orgID",
        ),
        ("expected", json!({}), json!({"expect": {"username": "else@example.com"}}), "spec.expect.username"),
        ("failed", json!({"status": "failed"}), json!({}), "it has failed"),
    ]
}

#[test]
fn differing_connection_is_refused_and_untouched() {
    e2e("differing", async |scene| {
        // Only this dialect reports how a connection was made.
        scene.simulator.settings(json!({"dialect": "reference"})).await;
        let _operator = scene.operator().await;
        scene.apply_all(&scene.everything()[..3]).await;
        for (name, differs, spec, _) in differences() {
            plant(scene, name, differs).await;
            let manifest = edit(scene.connection(name, name), |c| {
                c["spec"].as_object_mut().expect("a spec").extend(spec.as_object().expect("an object").clone());
            });
            scene.apply(&manifest).await;
        }
        let before = scene.simulator.connections().await;
        for (name, _, _, why) in differences() {
            let seen = scene.unready("Connection", name, "AdoptionRefused", "Stalled").await;
            let message = text(condition_of(&seen, "Ready"), "/message");
            assert!(message.contains(why) && message.contains("existed before this resource"), "{name}: {message}");
            assert_eq!(seen["metadata"]["finalizers"], Value::Null, "{name}");
            // Neither this annotation nor the deletion of the object touches it.
            scene.change("Connection", name, annotated("replace", "now")).await;
            scene.delete("Connection", name).await;
            scene.wait_gone("Connection", name).await;
        }
        assert_eq!(scene.simulator.mutating().await, Vec::<String>::new());
        assert_eq!(scene.simulator.connections().await, before);
    });
}

/// Ready, with finalizer, an intent of its own UID, and an ID.
fn is_whole(object: &Value) -> bool {
    let intent = text(object, "/metadata/annotations/applink.dev~1intent");
    let intent: Value = serde_json::from_str(intent).unwrap_or_default();
    let held = object["metadata"]["finalizers"] == json!(["applink.dev/finalizer"]);
    is_ready(object) && held && intent["uid"] == object["metadata"]["uid"] && object["status"]["id"].is_string()
}

/// Waits until the object is complete again, asserts that AppLink got no mutating call, and that a deletion still
/// deletes it.
async fn assert_attached(scene: &Scene, before: &Value) {
    let after = scene.wait("Connection", CONNECTION, "is Ready and whole", is_whole).await;
    assert_eq!(after["status"]["id"], before["status"]["id"]);
    assert_eq!(after["status"]["appliedHash"], before["status"]["appliedHash"]);
    assert_eq!(scene.simulator.only_connection().await["id"], after["status"]["id"]);
    assert_eq!(scene.simulator.mutating().await, [POST]);
    scene.delete("Connection", CONNECTION).await;
    scene.wait_gone("Connection", CONNECTION).await;
    assert_eq!(scene.simulator.connections().await, Vec::<Value>::new());
}

#[test]
fn kubectl_replace_restores_finalizer_and_intent() {
    e2e("wiped", async |scene| {
        let _operator = scene.operator().await;
        let before = scene.all_ready().await;
        let manifest = scene.connection(CONNECTION, "productionOrg");
        let wiped = scene
            .kubectl(
                &["replace", "-f", "-", "-o", "jsonpath={.metadata.finalizers}{.metadata.annotations}"],
                &manifest.to_string(),
            )
            .await;
        assert_eq!(wiped, "");
        assert_attached(scene, &before).await;
    });
}

#[test]
fn stripped_status_is_restored_from_the_intent() {
    e2e("stripped", async |scene| {
        let _operator = scene.operator().await;
        let before = scene.all_ready().await;
        let strip = r#"[{"op": "remove", "path": "/status"}]"#;
        let patch = ["patch", "connection", CONNECTION, "--subresource=status", "--type=json", "-p", strip];
        let stripped = scene.kubectl(&[&patch[..], &["-o", "jsonpath={.status.id}"]].concat(), "").await;
        assert_eq!(stripped, "");
        assert_attached(scene, &before).await;
    });
}

/// The manifest in a backup: everything except server fields and status.
fn saved(object: &Value) -> Value {
    let metadata = &object["metadata"];
    let kept =
        json!({"name": metadata["name"], "annotations": metadata["annotations"], "finalizers": metadata["finalizers"]});
    json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": kept, "spec": object["spec"]})
}

#[test]
fn restored_backup_is_attached_again() {
    e2e("restored", async |scene| {
        let operator = scene.operator().await;
        scene.apply_all(&scene.everything()).await;
        // An annotation that was handled long ago, and is in the backup.
        scene.change("Connection", CONNECTION, annotated("replace", "long ago")).await;
        let obeyed = |object: &Value| is_whole(object) && object["status"]["lastHandledReplace"] == "long ago";
        let before = scene.wait("Connection", CONNECTION, "has obeyed", obeyed).await;
        let calls = scene.simulator.mutating().await;
        operator.kill();
        scene.delete("Connection", CONNECTION).await;
        scene.change("Connection", CONNECTION, json!({"metadata": {"finalizers": null}})).await;
        scene.wait_gone("Connection", CONNECTION).await;

        let restored = scene.apply(&saved(&before)).await;
        assert_ne!(restored["metadata"]["uid"], before["metadata"]["uid"]);
        assert_eq!(restored["status"]["id"], Value::Null);
        let _operator = scene.operator().await;
        let after = scene.wait("Connection", CONNECTION, "is Ready and whole", obeyed).await;
        assert_eq!(after["status"]["id"], before["status"]["id"]);
        scene.wait_event(CONNECTION, "Adopted").await;
        // The next pass finds nothing to do, either.
        let last = scene.simulator.last_request().await;
        let listed = |r: &Value| r["seq"].as_u64() > Some(last) && text(r, "/path").ends_with("/authorizations");
        scene.simulator.wait_request("a pass", listed).await;
        assert_eq!(scene.simulator.mutating().await, calls, "nothing is posted, replaced or deleted");
    });
}
