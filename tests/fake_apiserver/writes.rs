//! Writes: server fields, preconditions, finalizers, the status subresource. Faults are tested in `controls`.
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
async fn created_object_gets_server_fields() {
    let start: jiff::Timestamp = "2026-03-01T12:00:00.7Z".parse().unwrap();
    let server = ApiServer::with_clock(Arc::new(move || start));
    let mut sent = connection(json!({"a": 1}));
    sent["status"] = json!({"id": "forged"});
    sent["metadata"]["uid"] = json!("forged");
    let api = connections(server.client());
    api.create(&PostParams::default(), &dynamic(sent.clone())).await.unwrap();

    let kept = server.get("connections", "crm", "production").unwrap();
    assert_eq!(kept["metadata"]["creationTimestamp"], "2026-03-01T12:00:00Z");
    assert_eq!(kept["metadata"]["generation"], 1);
    assert_ne!(kept["metadata"]["uid"], "forged");
    assert_eq!(kept["status"]["observedGeneration"], -1);
    assert_eq!(kept["status"]["conditions"][0]["reason"], "Pending");
    let again = api.create(&PostParams::default(), &dynamic(sent)).await;
    assert_eq!(code(again), 409);
    let statuses: Vec<u16> = server.writes().iter().map(|write| write.status).collect();
    assert_eq!(statuses, [201, 409]);
}

#[tokio::test(start_paused = true)]
async fn stale_write_conflicts() {
    let server = ApiServer::new();
    let stale = server.apply(connection(json!({"a": 1})));
    let fresh = server.apply(connection(json!({"a": 2})));
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
    assert_eq!(code(put(connection(json!({"a": 3}))).await), 422, "no version");

    let mut foreign = fresh.clone();
    foreign["metadata"]["uid"] = json!("another");
    assert_eq!(code(put(foreign).await), 409);
    let foreign = json!({"metadata": {"uid": "another"}});
    assert_eq!(code(patch(&api, foreign.clone()).await), 422, "immutable");
    patch_status(&api, foreign).await.expect("passed over, as on a real server");
    assert_eq!(server.get("connections", "crm", "production"), Some(fresh));
}

#[tokio::test(start_paused = true)]
async fn only_one_client_gets_the_lease() {
    let server = ApiServer::new();
    let api: Api<Lease> = Api::namespaced(server.client(), "crm");
    let mut lease = Lease::default();
    lease.metadata.name = Some("applink-operator".into());
    let lease = api.create(&PostParams::default(), &lease).await.unwrap();
    let claim = |holder: &str| {
        let mut lease = lease.clone();
        lease.spec = Some(LeaseSpec { holder_identity: Some(holder.into()), ..LeaseSpec::default() });
        lease
    };
    let params = PostParams::default();
    api.replace("applink-operator", &params, &claim("a")).await.unwrap();
    assert_eq!(code(api.replace("applink-operator", &params, &claim("b")).await), 409);
    let kept = server.get("leases", "crm", "applink-operator").unwrap();
    assert_eq!(kept["spec"]["holderIdentity"], "a");
    assert_eq!(kept["metadata"].get("generation"), None);
}

#[tokio::test(start_paused = true)]
async fn finalizers_keep_a_deleted_object() {
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
    let object = deleted.left().expect("still there");
    assert!(object.metadata.deletion_timestamp.is_some());
    assert_eq!(object.metadata.generation, Some(2));
    api.delete("production", &Default::default()).await.unwrap();
    let kept = server.get("connections", "crm", "production").unwrap();
    assert_eq!(kept["metadata"]["generation"], 2, "a second delete changes nothing");

    let another = json!({"metadata": {"finalizers": [FINALIZER, "applink.dev/late"]}});
    assert_eq!(code(patch(&api, another).await), 422);
    patch(&api, json!({"metadata": {"finalizers": null}})).await.unwrap();
    assert_eq!(server.get("connections", "crm", "production"), None);
    assert_eq!(server.get("secrets", "crm", "link"), None, "its owner is gone");
    assert_eq!(code(api.get("production").await), 404);
}

#[tokio::test(start_paused = true)]
async fn status_subresource_is_separate() {
    let server = ApiServer::new();
    server.apply(connection(json!({"a": 1})));
    let api = connections(server.client());
    let both = json!({
        "metadata": {"annotations": {"x": "y"}}, "spec": {"a": 2}, "status": {"id": "7"},
    });
    patch_status(&api, both.clone()).await.unwrap();
    let kept = server.get("connections", "crm", "production").unwrap();
    assert_eq!((&kept["spec"]["a"], &kept["status"]["id"]), (&json!(1), &json!("7")));
    assert_eq!(kept["metadata"].get("annotations"), None);
    assert_eq!(kept["metadata"]["generation"], 1);

    let both = json!({"metadata": {"annotations": {"x": "y"}}, "status": {"id": "8"}});
    patch(&api, both).await.unwrap();
    let kept = server.get("connections", "crm", "production").unwrap();
    assert_eq!(kept["metadata"]["generation"], 1, "an annotation is no new generation");
    assert_eq!(kept["status"]["id"], "7");
    patch(&api, json!({"spec": {"a": 2}})).await.unwrap();
    let kept = server.get("connections", "crm", "production").unwrap();
    assert_eq!(kept["metadata"]["generation"], 2);
    let log = server.writes();
    assert_eq!((log[0].subresource, log[1].subresource), ("status", ""));
    assert_eq!(log[1].field_manager, "applink-operator");
}

#[tokio::test(start_paused = true)]
async fn no_op_write_sends_no_event() {
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
