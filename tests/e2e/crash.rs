//! kill -9 during a creation, and a restart: never a second connection.

use serde_json::{Value, json};

use crate::harness::{CONNECTION, KEY, Scene, e2e, text};

const POST: &str = "POST connections/salesforce/jwt";

/// Applies everything, and kills the operator while AppLink holds back its response to the POST.
async fn kill_during_post(scene: &Scene, place: &str, committed: bool) {
    let hold = json!({"method": "POST", "where": place, "what": {"delay": {"ms": 600_000}}, "times": 1});
    scene.simulator.fault(hold).await;
    let operator = scene.operator().await;
    scene.apply_all(&scene.everything()).await;
    let arrived = |request: &Value| request["method"] == "POST" && request["committed"] == committed;
    scene.simulator.wait_request("the POST, still without an answer", arrived).await;
    operator.kill();
}

#[test]
fn kill_after_commit_posts_once() {
    e2e("kill-after", async |scene| {
        kill_during_post(scene, "after", true).await;
        let left = scene.get("Connection", CONNECTION).await.expect("it exists");
        assert_eq!(text(&left, "/status/id"), "", "its answer must not have arrived");
        let remote = scene.simulator.only_connection().await;

        let _operator = scene.operator().await;
        let seen = scene.ready("Connection", CONNECTION).await;
        assert_eq!(seen["status"]["id"], remote["id"]);
        assert_eq!(scene.simulator.only_connection().await["id"], remote["id"]);
        assert_eq!(scene.simulator.mutating().await, [POST]);
    });
}

#[test]
fn kill_before_commit_creates_one() {
    e2e("kill-before", async |scene| {
        kill_during_post(scene, "before", false).await;
        assert_eq!(scene.simulator.connections().await, Vec::<Value>::new());

        let _operator = scene.operator().await;
        let seen = scene.ready("Connection", CONNECTION).await;
        assert_eq!(scene.simulator.only_connection().await["id"], seen["status"]["id"]);
        assert_eq!(scene.simulator.mutating().await, [POST, POST]);
    });
}

#[test]
fn kill_then_delete_leaves_nothing() {
    e2e("kill-delete", async |scene| {
        scene.simulator.settings(json!({"disconnectSeconds": 0})).await;
        kill_during_post(scene, "after", true).await;
        let remote = scene.simulator.only_connection().await;
        scene.delete("Connection", CONNECTION).await;

        let _operator = scene.operator().await;
        scene.wait_gone("Connection", CONNECTION).await;
        assert_eq!(scene.simulator.connections().await, Vec::<Value>::new());
        let delete = format!("DELETE connections/{}", text(&remote, "/id"));
        assert_eq!(scene.simulator.mutating().await, [POST, &delete]);
    });
}

#[test]
fn lost_post_is_followed_by_a_list_not_a_post() {
    e2e("lost-answer", async |scene| {
        scene.simulator.fault(json!({"method": "POST", "where": "after", "what": "reset", "times": 1})).await;
        let _operator = scene.operator().await;
        let seen = scene.all_ready().await;
        assert_eq!(scene.simulator.only_connection().await["id"], seen["status"]["id"]);
        assert_eq!(scene.simulator.mutating().await, [POST]);
    });
}

#[test]
fn restart_at_rest_changes_nothing() {
    e2e("restart", async |scene| {
        let operator = scene.operator().await;
        let before = scene.all_ready().await;
        scene.wait_event(CONNECTION, "Connected").await;
        // A later pass than the first reports the number of connections.
        let counted = |addon: &Value| addon["status"]["connections"] == 1;
        let addon = scene.wait("AppLinkAddon", "orders", "has counted the connection", counted).await;
        operator.kill();

        let last = scene.simulator.last_request().await;
        let _operator = scene.operator().await;
        let listed = |r: &Value| r["seq"].as_u64() > Some(last) && text(r, "/path").ends_with("/authorizations");
        scene.simulator.wait_request("a pass of the new operator", listed).await;
        // An edit without effect that makes the new operator reconcile. Its report comes last.
        let asked = json!({"metadata": {"annotations": {"applink.dev/requestedAt": KEY}}});
        scene.change("Connection", CONNECTION, asked).await;
        let handled = |object: &Value| object["status"]["lastHandledReconcileAt"] == KEY;
        let after = scene.wait("Connection", CONNECTION, "has handled the request", handled).await;
        assert_eq!(
            after["status"]["conditions"][0]["lastTransitionTime"],
            before["status"]["conditions"][0]["lastTransitionTime"]
        );
        assert_eq!(after["status"]["id"], before["status"]["id"]);
        let addon_after = scene.get("AppLinkAddon", "orders").await.expect("it exists");
        assert_eq!(addon_after["metadata"]["resourceVersion"], addon["metadata"]["resourceVersion"]);
        assert_eq!(scene.simulator.mutating().await, [POST]);
        assert_eq!(scene.events(CONNECTION).await, ["Connected", "Created"]);
    });
}
