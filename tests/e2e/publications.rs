//! Publications on a real API server: created, changed, corrected, adopted and deleted by users and others.

use serde_json::{Value, json};

use crate::harness::{CONNECTION, Scene, condition_of, document, e2e, edit, is_ready, text};

const API: &str = "orders-api";
const PUBLISH: &str = "POST connections/salesforce/";

/// A scene with a Ready connection and a publication's inputs.
async fn connected(scene: &Scene) {
    scene.all_ready().await;
    scene.apply(&document("1.0.0")).await;
}

async fn published(scene: &Scene) -> Value {
    connected(scene).await;
    scene.apply(&scene.publication(API)).await;
    scene.ready("Publication", API).await
}

/// Mutating calls, without those for connections.
async fn changes(scene: &Scene) -> Vec<String> {
    let all = scene.simulator.mutating().await;
    let about = all.iter().filter(|line| line.contains("/apps"));
    about.map(|line| if line.starts_with(PUBLISH) { "publish" } else { "unpublish" }.to_owned()).collect()
}

/// The only publication.
async fn only(scene: &Scene) -> Value {
    let all = scene.simulator.control("GET", "/publications", Value::Null).await;
    let [one] = all.as_array().expect("a list").as_slice() else { panic!("one publication: {all:#}") };
    one.clone()
}

/// Somebody else publishes this app through the connection.
async fn plant(scene: &Scene) {
    let planted = json!({"connection": "productionOrg", "clientName": "Theirs"});
    scene.simulator.control("POST", "/publications", planted).await;
}

fn message(object: &Value) -> &str {
    text(condition_of(object, "Ready"), "/message")
}

#[test]
fn only_document_changes_are_republished() {
    e2e("publish", async |scene| {
        let _operator = scene.operator().await;
        let before = published(scene).await;
        assert_eq!(before["status"]["externalServiceID"], only(scene).await["externalServiceId"]);
        let mut same = document("1.0.0");
        same["metadata"]["labels"] = json!({"team": "orders"});
        same["data"]["other"] = json!("x");
        scene.apply(&same).await;
        let moved =
            |object: &Value| is_ready(object) && object["status"]["appliedHash"] != before["status"]["appliedHash"];
        scene.apply(&document("1.1.0")).await;
        scene.wait("Publication", API, "is republished", moved).await;
        assert_eq!(changes(scene).await, ["publish", "publish"]);
        scene.wait_event(API, "Republished").await;
        assert_eq!(scene.events(API).await, ["Created", "Published", "Republished"]);
    });
}

#[test]
fn publication_drift_is_corrected_within_a_poll() {
    e2e("publish-drift", async |scene| {
        let _operator = scene.operator().await;
        let before = published(scene).await;
        let id = text(&only(scene).await, "/id").to_owned();
        let body = json!({"clientName": "Other"});
        scene.simulator.control("POST", &format!("/publications/{id}/touch"), body).await;
        scene.wait_event(API, "DriftCorrected").await;
        let now = only(scene).await;
        assert_eq!((&now["clientName"], &now["posts"]), (&json!("OrdersAPI"), &json!(2)));
        scene.simulator.control("DELETE", &format!("/publications/{id}"), Value::Null).await;
        let service = &before["status"]["externalServiceID"];
        let recreated = |object: &Value| is_ready(object) && object["status"]["externalServiceID"] != *service;
        scene.wait("Publication", API, "is republished", recreated).await;
        assert_eq!(changes(scene).await, ["publish"; 3]);
        scene.wait_event(API, "Recreated").await;
    });
}

#[test]
fn existing_publication_is_adopted_or_left_alone() {
    e2e("publish-adopt", async |scene| {
        let _operator = scene.operator().await;
        connected(scene).await;
        plant(scene).await;
        let never = edit(scene.publication(API), |p| p["spec"]["adoptionPolicy"] = json!("Never"));
        scene.apply(&never).await;
        scene.unready("Publication", API, "AdoptionRefused", "Stalled").await;
        assert_eq!(only(scene).await["clientName"], "Theirs");
        scene.apply(&edit(scene.publication(API), |p| p["spec"]["adoptionPolicy"] = json!("IfMatching"))).await;
        scene.ready("Publication", API).await;
        assert_eq!(only(scene).await["clientName"], "OrdersAPI");
        scene.wait_event(API, "Adopted").await;
        assert_eq!(changes(scene).await, ["publish"]);
    });
}

#[test]
fn second_publication_waits_for_the_first() {
    e2e("publish-two", async |scene| {
        let _operator = scene.operator().await;
        published(scene).await;
        scene.apply(&scene.publication("second")).await;
        let seen = scene.unready("Publication", "second", "NameConflict", "Stalled").await;
        assert!(message(&seen).contains(API), "{}", message(&seen));
        scene.delete("Publication", API).await;
        scene.wait_gone("Publication", API).await;
        scene.ready("Publication", "second").await;
        assert_eq!(changes(scene).await, ["publish", "unpublish", "publish"]);
    });
}

#[test]
fn publication_is_deleted_before_its_connection() {
    e2e("publish-end", async |scene| {
        scene.simulator.settings(json!({"disconnectSeconds": 0})).await;
        let _operator = scene.operator().await;
        published(scene).await;
        scene.delete("Connection", CONNECTION).await;
        let blocked = scene.unready("Connection", CONNECTION, "DeletionBlocked", "Reconciling").await;
        assert!(message(&blocked).contains("Publication orders-api"), "{}", message(&blocked));
        scene.delete("Publication", API).await;
        scene.wait_gone("Publication", API).await;
        scene.wait_gone("Connection", CONNECTION).await;
        let world = scene.simulator.control("GET", "/world", Value::Null).await;
        assert_eq!((&world["publications"], &world["connections"]), (&json!([]), &json!([])));
    });
}

#[test]
fn invalid_document_is_reported_with_its_line() {
    e2e("publish-refused", async |scene| {
        scene.simulator.settings(json!({"publications": {"republish": "conflict"}})).await;
        let _operator = scene.operator().await;
        published(scene).await;
        let mut broken = document("1.1.0");
        broken["data"]["openapi.yaml"] = json!("openapi: 3.0.3\ninfo:\n  title: [\n");
        scene.apply(&broken).await;
        let seen = scene.unready("Publication", API, "InvalidSpec", "Stalled").await;
        assert!(message(&seen).contains("ConfigMap orders-openapi, key openapi.yaml: line "), "{}", message(&seen));
        scene.apply(&document("1.1.0")).await;
        let seen = scene.unready("Publication", API, "RemoteRejected", "Stalled").await;
        assert!(message(&seen).contains("applink.dev/replace"), "{}", message(&seen));
        scene.change("Publication", API, json!({"spec": {"replacePolicy": "DeleteAndRecreate"}})).await;
        scene.ready("Publication", API).await;
        assert_eq!(changes(scene).await, ["publish", "publish", "unpublish", "publish"]);
    });
}
