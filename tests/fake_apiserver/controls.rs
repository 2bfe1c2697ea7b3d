//! Tests of what a test controls: faults, the write hook, and methods that change objects without a client.
//! Part of the `fake_apiserver` tests.

use std::time::Duration;

use futures::StreamExt;
use kube::ResourceExt;
use kube::api::WatchParams;
use serde_json::{Value, json};

use crate::support::apiserver::ApiServer;
use crate::{HOUR, code, connection, connections, patch, patch_status};

#[tokio::test(start_paused = true)]
async fn each_fault_affects_the_configured_requests() {
    let server = ApiServer::new();
    server.apply(connection(json!({"a": 1})));
    let api = connections(server.client());
    let change = || patch(&api, json!({"spec": {"a": 2}}));
    server.forbid("patch", "connections");
    assert_eq!(code(change().await), 403);
    patch_status(&api, json!({"status": {"id": "7"}})).await.expect("the status subresource is not forbidden");
    server.allow("patch", "connections");
    server.fail_next("patch", "connections", 2, 500);
    assert_eq!(code(change().await), 500);
    assert_eq!(code(change().await), 500);
    assert_eq!(server.get("connections", "crm", "production").unwrap()["spec"]["a"], 1);

    server.lose_next("patch", "connections", 1);
    assert!(matches!(change().await, Err(kube::Error::Service(_))));
    assert_eq!(server.get("connections", "crm", "production").unwrap()["spec"]["a"], 2);
    let statuses: Vec<u16> = server.writes().iter().map(|write| write.status).collect();
    assert_eq!(statuses, [403, 200, 500, 500, 200]);

    let mut watch = api.watch(&WatchParams::default(), "1").await.unwrap().boxed();
    server.outage(true);
    let broken = async { while let Some(Ok(_)) = watch.next().await {} };
    let in_time = tokio::time::timeout(Duration::from_secs(1), broken).await;
    in_time.expect("an open watch ends when an outage begins");
    assert!(matches!(change().await, Err(kube::Error::Service(_))));
    assert_eq!(server.writes().len(), 5, "a request lost in an outage is not logged");
    server.outage(false);
    change().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_hook_runs_before_the_response_of_a_write() {
    let server = ApiServer::new();
    server.apply(connection(json!({"a": 1})));
    let other = server.clone();
    server.on_write(move |write| {
        other.annotate("connections", "crm", &write.name, "seen", Some(write.verb));
    });
    let api = connections(server.client());
    let response = patch(&api, json!({"spec": {"a": 2}})).await.unwrap();
    let version = json!({"metadata": {"resourceVersion": response.resource_version()}});
    assert_eq!(code(patch(&api, version).await), 409, "the hook changed the object before the response");
}

#[tokio::test(start_paused = true)]
async fn replace_drops_annotations_that_apply_preserves() {
    let server = ApiServer::new();
    server.apply(connection(json!({"a": 1, "b": 1})));
    server.annotate("connections", "crm", "production", "applink.dev/intent", Some("{}"));
    server.patch("connections", "crm", "production", json!({"status": {"id": "7"}}));
    let applied = server.apply(connection(json!({"a": 2})));
    assert_eq!(applied["spec"], json!({"a": 2}));
    assert_eq!(applied["metadata"]["annotations"]["applink.dev/intent"], "{}");
    let replaced = server.replace(connection(json!({"a": 2})));
    assert_eq!(replaced["metadata"].get("annotations"), None);
    assert_eq!((&applied["status"]["id"], &replaced["status"]["id"]), (&json!("7"), &json!("7")));
    assert_eq!(replaced["metadata"]["generation"], 2);
    assert_eq!(server.list("connections").len(), 1);
    assert_eq!(server.writes(), [], "changes by the test are not logged");
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "is not what the test waits for")]
async fn a_wait_that_times_out_shows_the_object() {
    let server = ApiServer::new();
    server.apply(connection(json!({})));
    let never = |_: Option<&Value>| false;
    server.wait_until("connections", "crm", "production", never, 24 * HOUR).await;
}
