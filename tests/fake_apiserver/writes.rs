//! Tests of writes: server fields, preconditions, finalizers, the status subresource. Faults are tested in `controls`.
//! Part of the `fake_apiserver` tests.

use std::sync::Arc;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::runtime::events::{Event, EventType, Recorder};
use serde_json::{Value, json};

use crate::support::apiserver::ApiServer;
use crate::{FINALIZER, code, connection, connection_type, connections, dynamic, patch, patch_status};

#[tokio::test(start_paused = true)]
async fn a_created_object_gets_server_fields() {
    let start: jiff::Timestamp = "2026-03-01T12:00:00.7Z".parse().unwrap();
    let server = ApiServer::with_clock(Arc::new(move || start));
    let mut sent = connection(json!({"a": 1}));
    sent["status"] = json!({"id": "forged"});
    sent["metadata"]["uid"] = json!("forged");
    let api = connections(server.client());
    api.create(&PostParams::default(), &dynamic(sent.clone())).await.unwrap();

    let stored = server.get("connections", "crm", "production").unwrap();
    assert_eq!(stored["metadata"]["creationTimestamp"], "2026-03-01T12:00:00Z");
    assert_eq!(stored["metadata"]["generation"], 1);
    assert_ne!(stored["metadata"]["uid"], "forged");
    assert_eq!(stored["status"]["observedGeneration"], -1);
    assert_eq!(stored["status"]["conditions"][0]["reason"], "Pending");
    let repeated = api.create(&PostParams::default(), &dynamic(sent)).await;
    assert_eq!(code(repeated), 409);
    let statuses: Vec<u16> = server.writes().iter().map(|write| write.status).collect();
    assert_eq!(statuses, [201, 409]);
}

#[tokio::test(start_paused = true)]
async fn a_write_with_a_stale_version_conflicts() {
    let server = ApiServer::new();
    let stale = server.apply(connection(json!({"a": 1})));
    let current = server.apply(connection(json!({"a": 2})));
    let api = connections(server.client());
    let put = async |object: Value| {
        let params = PostParams::default();
        api.replace("production", &params, &dynamic(object)).await
    };
    let version = stale["metadata"]["resourceVersion"].clone();
    let old = json!({"metadata": {"resourceVersion": version}});
    assert_eq!(code(put(stale).await), 409);
    assert_eq!(code(patch(&api, old.clone()).await), 409);
    assert_eq!(code(patch_status(&api, old).await), 409);
    assert_eq!(code(put(connection(json!({"a": 3}))).await), 422, "a PUT needs a resourceVersion");

    let mut foreign = current.clone();
    foreign["metadata"]["uid"] = json!("another");
    assert_eq!(code(put(foreign).await), 409);
    let foreign = json!({"metadata": {"uid": "another"}});
    assert_eq!(code(patch(&api, foreign.clone()).await), 422, "the UID is immutable");
    patch_status(&api, foreign).await.expect("a status write ignores the UID, as on a real server");
    assert_eq!(server.get("connections", "crm", "production"), Some(current));
}

#[tokio::test(start_paused = true)]
async fn only_one_client_gets_the_lease() {
    let server = ApiServer::new();
    let api: Api<Lease> = Api::namespaced(server.client(), "crm");
    let mut lease = Lease::default();
    lease.metadata.name = Some("applink-operator".into());
    let lease = api.create(&PostParams::default(), &lease).await.unwrap();
    let held_by = |holder: &str| {
        let mut lease = lease.clone();
        lease.spec = Some(LeaseSpec { holder_identity: Some(holder.into()), ..LeaseSpec::default() });
        lease
    };
    let params = PostParams::default();
    api.replace("applink-operator", &params, &held_by("a")).await.unwrap();
    assert_eq!(code(api.replace("applink-operator", &params, &held_by("b")).await), 409);
    let stored = server.get("leases", "crm", "applink-operator").unwrap();
    assert_eq!(stored["spec"]["holderIdentity"], "a");
    assert_eq!(stored["metadata"].get("generation"), None);
}

#[tokio::test(start_paused = true)]
async fn a_finalizer_keeps_a_deleted_object() {
    let server = ApiServer::new();
    let mut manifest = connection(json!({}));
    manifest["metadata"]["finalizers"] = json!([FINALIZER]);
    let owner = server.apply(manifest);
    server.set_secret("crm", "link", &[("url", "https://example.com")]);
    let owners = json!([{
        "apiVersion": "applink.dev/v1alpha1", "kind": "Connection",
        "name": "production", "uid": owner["metadata"]["uid"],
    }]);
    server.patch("secrets", "crm", "link", json!({"metadata": {"ownerReferences": owners}}));

    let api = connections(server.client());
    let deleted = api.delete("production", &Default::default()).await.unwrap();
    let object = deleted.left().expect("a finalizer keeps the object");
    assert!(object.metadata.deletion_timestamp.is_some());
    assert_eq!(object.metadata.generation, Some(2));
    api.delete("production", &Default::default()).await.unwrap();
    let stored = server.get("connections", "crm", "production").unwrap();
    assert_eq!(stored["metadata"]["generation"], 2, "a second delete changes nothing");

    let another = json!({"metadata": {"finalizers": [FINALIZER, "applink.dev/late"]}});
    assert_eq!(code(patch(&api, another).await), 422);
    patch(&api, json!({"metadata": {"finalizers": null}})).await.unwrap();
    assert_eq!(server.get("connections", "crm", "production"), None);
    assert_eq!(server.get("secrets", "crm", "link"), None, "an object is deleted with its owner");
    assert_eq!(code(api.get("production").await), 404);
}

#[tokio::test(start_paused = true)]
async fn the_status_is_written_through_its_subresource_only() {
    let server = ApiServer::new();
    server.apply(connection(json!({"a": 1})));
    let api = connections(server.client());
    let both = json!({
        "metadata": {"annotations": {"x": "y"}}, "spec": {"a": 2}, "status": {"id": "7"},
    });
    patch_status(&api, both.clone()).await.unwrap();
    let stored = server.get("connections", "crm", "production").unwrap();
    assert_eq!((&stored["spec"]["a"], &stored["status"]["id"]), (&json!(1), &json!("7")));
    assert_eq!(stored["metadata"].get("annotations"), None);
    assert_eq!(stored["metadata"]["generation"], 1);

    let both = json!({"metadata": {"annotations": {"x": "y"}}, "status": {"id": "8"}});
    patch(&api, both).await.unwrap();
    let stored = server.get("connections", "crm", "production").unwrap();
    assert_eq!(stored["metadata"]["generation"], 1, "an annotation does not change the generation");
    assert_eq!(stored["status"]["id"], "7");
    patch(&api, json!({"spec": {"a": 2}})).await.unwrap();
    let stored = server.get("connections", "crm", "production").unwrap();
    assert_eq!(stored["metadata"]["generation"], 2);
    let log = server.writes();
    assert_eq!((log[0].subresource, log[1].subresource), ("status", ""));
    assert_eq!(log[1].field_manager, "applink-operator");
}

#[tokio::test(start_paused = true)]
async fn a_write_without_effect_changes_no_version() {
    let server = ApiServer::new();
    let before = server.apply(connection(json!({"a": 1})));
    let api = connections(server.client());
    patch(&api, json!({"spec": {"a": 1}, "metadata": {"labels": {}}})).await.unwrap();
    patch_status(&api, json!({"status": before["status"]})).await.unwrap();
    assert_eq!(server.get("connections", "crm", "production"), Some(before));
    assert_eq!(server.writes().len(), 2);
    server.clear_writes();
    assert_eq!(server.writes(), []);
}

#[tokio::test(start_paused = true)]
async fn events_are_stored_and_counted() {
    let server = ApiServer::new();
    let owner = dynamic(server.apply(connection(json!({}))));
    let recorder = Recorder::new(server.client(), "applink-operator".into());
    let event = Event {
        type_: EventType::Normal,
        reason: "Connected".into(),
        note: None,
        action: "Connect".into(),
        secondary: None,
    };
    let reference = kube::Resource::object_ref(&owner, &connection_type());
    recorder.publish(&event, &reference).await.unwrap();
    recorder.publish(&event, &reference).await.unwrap();
    let events = server.events();
    assert_eq!((events.len(), &events[0]["series"]["count"]), (1, &json!(2)));
}

#[tokio::test(start_paused = true)]
async fn unsupported_requests_are_refused() {
    let server = ApiServer::new();
    server.apply(connection(json!({})));
    let api = connections(server.client());
    let manifest = connection(json!({"a": 1}));
    let (params, apply) = (PatchParams::apply("m"), Patch::Apply(&manifest));
    let applied = api.patch("production", &params, &apply).await;
    assert_eq!(code(applied), 415);
    let pods: Api<Pod> = Api::all(server.client());
    assert_eq!(code(pods.list(&ListParams::default()).await), 404);
    let secrets: Api<Secret> = Api::namespaced(server.client(), "crm");
    assert_eq!(code(secrets.get_metadata("none").await), 404);
}
