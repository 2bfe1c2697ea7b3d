//! The lifecycle of one connection: created, maintained, deleted.

use serde_json::{Value, json};

use crate::harness::{CONNECTION, KEY, KUBECTL_PATIENCE, Scene, condition_of, e2e, edit, has_reason, is_ready, text};

const POST: &str = "POST connections/salesforce/jwt";

/// `status.id` of a connection.
fn id(connection: &Value) -> &str {
    text(connection, "/status/id")
}

#[test]
fn apply_connects_with_two_writes_and_one_call() {
    e2e("create", async |scene| {
        let _operator = scene.operator().await;
        // Connection first and Secrets last: whatever order kubectl uses, nothing may be reported about dependencies
        // that are on their way.
        let mut items = scene.everything();
        items.reverse();
        let all = json!({"apiVersion": "v1", "kind": "List", "items": items});
        scene.kubectl(&["apply", "-f", "-"], &all.to_string()).await;
        let seen = scene.ready("Connection", CONNECTION).await;
        scene.wait_event(CONNECTION, "Connected").await;

        let remote = scene.simulator.only_connection().await;
        assert_status(&seen, &remote);
        assert_remembered(&seen, &remote);
        let writes = scene.writes().await;
        let writes = writes.iter().filter(|w| w.name == CONNECTION && w.resource.starts_with("connections"));
        let writes: Vec<_> = writes.map(|w| (w.verb.as_str(), w.resource.as_str(), w.code)).collect();
        assert_eq!(writes, [("patch", "connections", 200), ("patch", "connections/status", 200)]);
        assert_eq!(scene.simulator.mutating().await, [POST]);
        assert_eq!(scene.events(CONNECTION).await, ["Connected", "Created"]);
    });
}

fn assert_status(seen: &Value, remote: &Value) {
    let status = &seen["status"];
    assert_eq!(condition_of(seen, "Ready")["reason"], "Connected");
    assert_eq!(status["conditions"].as_array().expect("conditions").len(), 1, "Ready alone: {status:#}");
    assert_eq!(status["id"], remote["id"]);
    assert_eq!(status["addonID"], remote["addon"]);
    assert_eq!(status["remoteStatus"], "connected");
    assert!(text(status, "/appliedHash").starts_with("v1:"), "{status:#}");
    assert_eq!(status["createdBy"], remote["createdBy"]);
    assert_eq!(status["createdViaApp"], "orders-prod");
    assert!(text(status, "/createdAt").starts_with("20"), "{status:#}");
    assert_eq!(status["org"]["id"], remote["orgId"]);
    assert_eq!(status["org"]["username"], "ci@example.com");
    assert_eq!(status["org"]["type"], "SalesforceOrg");
    assert!(text(status, "/org/instanceURL").starts_with("https://"), "{status:#}");
    assert_eq!(status["org"]["apiVersion"], "64.0");
}

fn assert_remembered(seen: &Value, remote: &Value) {
    let metadata = &seen["metadata"];
    assert_eq!(metadata["finalizers"], json!(["applink.dev/finalizer"]));
    let intent: Value = serde_json::from_str(text(metadata, "/annotations/applink.dev~1intent")).expect("an intent");
    assert_eq!(intent["uid"], metadata["uid"]);
    assert_eq!(intent["ownerID"], remote["addon"]);
    assert_eq!(intent["hash"], seen["status"]["appliedHash"]);
    assert_eq!(intent["attempt"], 1);
}

#[test]
fn remotely_deleted_connection_is_recreated() {
    e2e("recreate", async |scene| {
        let _operator = scene.operator().await;
        let before = scene.all_ready().await;
        let lost = id(&before).to_owned();

        scene.simulator.control("DELETE", &format!("/connections/{lost}"), Value::Null).await;
        let last = scene.simulator.last_request().await;
        let renewed = |object: &Value| is_ready(object) && id(object) != lost;
        let recreated = scene.wait("Connection", CONNECTION, "is recreated", renewed).await;

        assert_eq!(scene.simulator.only_connection().await["id"], recreated["status"]["id"]);
        assert_eq!(scene.simulator.mutating().await, [POST, POST]);
        scene.wait_event(CONNECTION, "Recreated").await;
        let reported = scene.events(CONNECTION).await;
        assert_eq!(reported.iter().filter(|reason| *reason == "Recreated").count(), 1, "{reported:?}");
        assert!(listings_before_post(scene, last).await <= 1, "one lookup must suffice");
    });
}

/// Number of lists of connections after request `last` and before the next POST.
async fn listings_before_post(scene: &Scene, last: u64) -> usize {
    let requests = scene.simulator.requests_since(last).await;
    let before = requests.iter().take_while(|request| request["method"] != "POST");
    before.filter(|request| text(request, "/path").ends_with("/connections")).count()
}

#[test]
fn remote_failure_and_recovery_are_reported() {
    e2e("fail", async |scene| {
        let _operator = scene.operator().await;
        scene.all_ready().await;

        let error = json!({"id": "org_gone", "message": "the org was locked by its owner"});
        let failed = json!({"status": "failed", "error": error});
        scene.simulator.control("PATCH", "/connections/productionOrg", failed).await;
        let seen = scene.unready("Connection", CONNECTION, "RemoteFailed", "Stalled").await;
        let message = text(condition_of(&seen, "Ready"), "/message");
        assert!(message.contains("org_gone") && message.contains("locked by its owner"), "{message}");
        assert_eq!(seen["status"]["remoteStatus"], "failed");

        scene.simulator.control("PATCH", "/connections/productionOrg", json!({"status": "connected"})).await;
        let seen = scene.ready("Connection", CONNECTION).await;
        assert!(crate::harness::condition(&seen, "Stalled").is_none());
        assert_eq!(scene.simulator.mutating().await, [POST], "a connection that once connected is left alone");
    });
}

#[test]
fn kubectl_delete_leaves_nothing_behind() {
    e2e("delete", async |scene| {
        let _operator = scene.operator().await;
        let before = scene.all_ready().await;

        let kind = format!("connection/{CONNECTION}");
        scene.kubectl(&["delete", &kind, KUBECTL_PATIENCE], "").await;
        assert_eq!(scene.simulator.connections().await, Vec::<Value>::new());
        assert_eq!(scene.simulator.mutating().await, [POST.to_owned(), format!("DELETE connections/{}", id(&before))]);
        scene.wait_event(CONNECTION, "Deleted").await;
        scene.kubectl(&["delete", "applinkaddon/orders", KUBECTL_PATIENCE], "").await;
    });
}

#[test]
fn addon_deletion_waits_for_its_connections() {
    e2e("blocked", async |scene| {
        scene.simulator.settings(json!({"disconnectSeconds": 0})).await;
        let _operator = scene.operator().await;
        scene.all_ready().await;

        scene.delete("AppLinkAddon", "orders").await;
        let waiting = scene.unready("AppLinkAddon", "orders", "DeletionBlocked", "Reconciling").await;
        let message = text(condition_of(&waiting, "Ready"), "/message");
        assert!(message.contains(&format!("Connection {CONNECTION}")), "{message}");
        scene.delete("Connection", CONNECTION).await;
        scene.wait_gone("Connection", CONNECTION).await;
        assert_eq!(scene.simulator.connections().await, Vec::<Value>::new());
        scene.wait_gone("AppLinkAddon", "orders").await;
    });
}

#[test]
fn deletion_policy_orphan_keeps_the_connection() {
    e2e("orphan", async |scene| {
        let _operator = scene.operator().await;
        let mut manifests = scene.everything();
        manifests[3]["spec"]["deletionPolicy"] = json!("Orphan");
        scene.apply_all(&manifests).await;
        let before = scene.ready("Connection", CONNECTION).await;

        scene.delete("Connection", CONNECTION).await;
        scene.wait_gone("Connection", CONNECTION).await;
        assert_eq!(scene.simulator.only_connection().await["id"], before["status"]["id"]);
        assert_eq!(scene.simulator.mutating().await, [POST]);
        scene.wait_event(CONNECTION, "Orphaned").await;
    });
}

#[test]
fn force_orphan_works_while_applink_is_unreachable() {
    e2e("force-orphan", async |scene| {
        let _operator = scene.operator().await;
        let before = scene.all_ready().await;
        scene.simulator.fault(json!({"what": {"status": {"code": 503}}})).await;

        scene.delete("Connection", CONNECTION).await;
        let waits = scene.wait("Connection", CONNECTION, "waits for AppLink", has_reason_of_deletion).await;
        let message = text(condition_of(&waits, "Ready"), "/message");
        assert!(message.contains("503"), "{message}");
        let forced = json!({"metadata": {"annotations": {"applink.dev/force-orphan": "true"}}});
        scene.change("Connection", CONNECTION, forced).await;
        scene.wait_gone("Connection", CONNECTION).await;
        scene.wait_event(CONNECTION, "Orphaned").await;
        assert_eq!(scene.simulator.only_connection().await["id"], before["status"]["id"]);
    });
}

/// Whether an object says what its deletion waits for.
fn has_reason_of_deletion(object: &Value) -> bool {
    let deleted = object["metadata"]["deletionTimestamp"].is_string();
    deleted && ["Deleting", "RemoteUnavailable"].iter().any(|reason| has_reason(object, "False", reason))
}

#[test]
fn suspend_keeps_ready_and_blocks_deletion() {
    e2e("suspend", async |scene| {
        scene.simulator.settings(json!({"disconnectSeconds": 0})).await;
        let _operator = scene.operator().await;
        scene.all_ready().await;

        scene.change("Connection", CONNECTION, json!({"spec": {"suspend": true}})).await;
        scene.wait("Connection", CONNECTION, "is suspended and Ready", |o| has_reason(o, "True", "Suspended")).await;
        // A changed input has no effect meanwhile.
        scene.apply(&scene.key(&format!("another {KEY}"))).await;
        scene.delete("Connection", CONNECTION).await;
        let waits = |object: &Value| {
            let ready = condition_of(object, "Ready");
            object["metadata"]["deletionTimestamp"].is_string()
                && ready["reason"] == "Suspended"
                && text(ready, "/message").contains("deletion waits")
        };
        let waiting = scene.wait("Connection", CONNECTION, "says that its deletion waits", waits).await;
        assert_eq!(condition_of(&waiting, "Ready")["status"], "True");
        assert_eq!(scene.simulator.mutating().await, [POST]);

        scene.change("Connection", CONNECTION, json!({"spec": {"suspend": false}})).await;
        scene.wait_gone("Connection", CONNECTION).await;
        assert_eq!(scene.simulator.connections().await, Vec::<Value>::new());
    });
}

#[test]
fn slow_connection_is_connecting_then_ready() {
    e2e("slow", async |scene| {
        scene.simulator.settings(json!({"dialect": "reference", "connectSeconds": 5})).await;
        let _operator = scene.operator().await;
        scene.apply_all(&scene.everything()).await;
        let seen = scene.unready("Connection", CONNECTION, "Connecting", "Reconciling").await;
        assert_eq!(seen["status"]["remoteStatus"], "connecting");
        let seen = scene.ready("Connection", CONNECTION).await;
        assert_eq!(seen["status"]["org"]["username"], "ci@example.com");
        assert_eq!(scene.simulator.mutating().await, [POST]);
    });
}

#[test]
fn outage_is_reported_once_and_keeps_ready() {
    e2e("outage", async |scene| {
        let _operator = scene.operator().await;
        let before = scene.all_ready().await;
        scene.simulator.fault(json!({"pathPrefix": "/addons/", "what": {"status": {"code": 503}}})).await;
        let reachable = |addon: &Value, status: &str| {
            crate::harness::condition(addon, "Reachable").is_some_and(|c| c["status"] == status)
        };
        let down = scene.wait("AppLinkAddon", "orders", "says that AppLink is away", |a| reachable(a, "False")).await;
        assert_eq!(condition_of(&down, "Reachable")["reason"], "RemoteUnavailable");
        assert!(is_ready(&down), "{down:#}");
        scene.simulator.clear_faults().await;
        scene.wait("AppLinkAddon", "orders", "says that AppLink is back", |a| reachable(a, "True")).await;

        let after = scene.get("Connection", CONNECTION).await.expect("it exists");
        assert_eq!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"], "it was touched");
        let reported = scene.events("orders").await;
        assert_eq!(reported.iter().filter(|reason| *reason == "RemoteUnavailable").count(), 1, "{reported:?}");
    });
}

#[test]
fn remote_object_recreated_by_others_is_foreign() {
    e2e("again", async |scene| {
        scene.simulator.settings(json!({"disconnectSeconds": 0})).await;
        let _operator = scene.operator().await;
        let first = scene.all_ready().await;
        scene.delete("Connection", CONNECTION).await;
        scene.wait_gone("Connection", CONNECTION).await;
        let again = edit(scene.connection(CONNECTION, "productionOrg"), |c| c["spec"]["jwt"]["alias"] = json!("again"));
        scene.apply(&again).await;
        let second = scene.ready("Connection", CONNECTION).await;
        assert_ne!(id(&first), id(&second));
        assert_eq!(scene.simulator.only_connection().await["id"], second["status"]["id"]);
    });
}
