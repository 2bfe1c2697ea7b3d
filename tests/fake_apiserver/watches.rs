//! Tests of reads: lists, watches, metadata-only responses, and a controller that runs for a day.
//! Part of the `fake_apiserver` tests.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::core::PartialObjectMeta;
use kube::runtime::controller::Action;
use kube::runtime::{Controller, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::support::apiserver::ApiServer;
use crate::{FINALIZER, HOUR, code, connection, connection_type, connections, patch};

/// The type of an event, and its object's name, version or error code.
fn summary(event: WatchEvent<DynamicObject>) -> (&'static str, String) {
    let name = |object: DynamicObject| object.name_any();
    match event {
        WatchEvent::Added(object) => ("added", name(object)),
        WatchEvent::Modified(object) => ("modified", name(object)),
        WatchEvent::Deleted(object) => ("deleted", name(object)),
        WatchEvent::Bookmark(bookmark) => ("bookmark", bookmark.metadata.resource_version),
        WatchEvent::Error(status) => ("error", status.code.to_string()),
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_requests_omit_data() {
    let server = ApiServer::new();
    server.set_secret("crm", "sf-jwt", &[("server.key", "canary")]);
    let whole: Api<Secret> = Api::namespaced(server.client(), "crm");
    let data = whole.get("sf-jwt").await.unwrap().data.unwrap();
    assert_eq!(data["server.key"].0, b"canary");

    let secrets: Api<PartialObjectMeta<Secret>> = Api::namespaced(server.client(), "crm");
    let one = secrets.get("sf-jwt").await.unwrap();
    assert_eq!(one.types.unwrap().kind, "PartialObjectMetadata");
    let list = secrets.list(&ListParams::default()).await.unwrap();
    assert_eq!(list.items[0].name_any(), "sf-jwt");

    let accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    for path in ["secrets/sf-jwt", "secrets", "secrets?watch=true&timeoutSeconds=1"] {
        let request = http::Request::get(format!("/api/v1/namespaces/crm/{path}"));
        let request = request.header("accept", accept).body(vec![]).unwrap();
        let text = server.client().request_text(request).await.unwrap();
        assert!(text.contains("sf-jwt") && !text.contains("data\":{\"server.key"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn watch_continues_from_the_list() {
    let server = ApiServer::new();
    let api = connections(server.client());
    server.apply(connection(json!({"a": 1})));
    let listed = api.list(&ListParams::default()).await.unwrap();
    let version = listed.metadata.resource_version.unwrap();
    server.apply(connection(json!({"a": 2})));
    server.set_secret("crm", "unrelated", &[]);
    let mut elsewhere = connection(json!({}));
    elsewhere["metadata"]["namespace"] = json!("other");
    server.apply(elsewhere);
    server.delete("connections", "crm", "production");
    server.apply(connection(json!({"a": 3})));

    let begin = tokio::time::Instant::now();
    let params = WatchParams::default().timeout(290);
    let stream = api.watch(&params, &version).await.unwrap();
    let events: Vec<_> = stream.map_ok(summary).try_collect().await.unwrap();
    assert_eq!(begin.elapsed(), Duration::from_secs(290));
    let kinds: Vec<_> = events.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, ["modified", "deleted", "added", "bookmark"]);
    let end = &server.get("connections", "crm", "production").unwrap()["metadata"]["resourceVersion"];
    assert_eq!(events[3].1, end.as_str().unwrap());
}

#[tokio::test(start_paused = true)]
async fn label_changes_add_and_remove_watched_objects() {
    let server = ApiServer::new();
    let label = |value: &str| {
        let labels = json!({"metadata": {"labels": {"tier": value}}});
        server.patch("connections", "crm", "production", labels);
    };
    server.apply(connection(json!({})));
    let api = connections(server.client());
    let gold = ListParams::default().labels("tier=gold");
    let version = api.list(&gold).await.unwrap().metadata.resource_version.unwrap();
    label("gold");
    label("lead");
    server.apply(connection(json!({"a": 1})));
    let params = WatchParams::default().labels("tier=gold").timeout(10).disable_bookmarks();
    let stream = api.watch(&params, &version).await.unwrap();
    let events: Vec<_> = stream.map_ok(|event| summary(event).0).try_collect().await.unwrap();
    assert_eq!(events, ["added", "deleted"]);
    let named = ListParams::default().fields("metadata.name=none");
    assert!(api.list(&named).await.unwrap().items.is_empty());
    let unknown = ListParams::default().labels("tier in (gold)");
    assert_eq!(code(api.list(&unknown).await), 400);
}

/// What a controller observed: the generation, and whether the object is being deleted.
type Observed = Arc<Mutex<Vec<(i64, bool)>>>;

async fn run_controller(client: Client, observed: Observed) {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &connection_type());
    let reconcile = move |object: Arc<DynamicObject>, _: Arc<()>| {
        let deleting = object.metadata.deletion_timestamp.is_some();
        observed.lock().unwrap().push((object.metadata.generation.unwrap(), deleting));
        let finalizers = if deleting { Value::Null } else { json!([FINALIZER]) };
        let api = connections(client.clone());
        async move {
            patch(&api, json!({"metadata": {"finalizers": finalizers}})).await?;
            Ok::<_, kube::Error>(Action::requeue(HOUR))
        }
    };
    Controller::new_with(api, watcher::Config::default(), connection_type())
        .run(reconcile, |_, _, _| Action::requeue(Duration::from_secs(5)), Arc::new(()))
        .for_each(|_| std::future::ready(()))
        .await;
}

#[tokio::test(start_paused = true)]
async fn controller_sees_all_changes_despite_outages() {
    let (server, observed) = (ApiServer::new(), Observed::default());
    let controller = tokio::spawn(run_controller(server.client(), observed.clone()));
    let has_finalizer =
        |object: Option<&Value>| object.is_some_and(|object| object["metadata"]["finalizers"] == json!([FINALIZER]));
    server.apply(connection(json!({"a": 1})));
    server.wait_until("connections", "crm", "production", has_finalizer, HOUR).await;
    tokio::time::sleep(12 * HOUR).await;
    let reconciles = observed.lock().unwrap().len();
    assert!((12..20).contains(&reconciles), "expected about one reconcile an hour, got {reconciles}");

    server.outage(true);
    server.apply(connection(json!({"a": 2})));
    tokio::time::sleep(12 * HOUR).await;
    let failed = observed.lock().unwrap().len() - reconciles;
    assert!((8000..9000).contains(&failed), "expected an attempt every 5 s, got {failed}");
    server.outage(false);
    server.compact();
    tokio::time::sleep(HOUR).await;
    assert_eq!(observed.lock().unwrap().last(), Some(&(2, false)));

    server.delete("connections", "crm", "production");
    server.wait_until("connections", "crm", "production", |object| object.is_none(), HOUR).await;
    assert_eq!(observed.lock().unwrap().last(), Some(&(3, true)));
    controller.abort();
}

#[tokio::test(start_paused = true)]
async fn old_watch_expires() {
    let server = ApiServer::new();
    server.apply(connection(json!({})));
    server.apply(connection(json!({"a": 1})));
    server.compact();
    let api = connections(server.client());
    let stream = api.watch(&WatchParams::default(), "1").await.unwrap();
    let events: Vec<_> = stream.map_ok(summary).try_collect().await.unwrap();
    assert_eq!(events, [("error", "410".to_owned())]);
}
