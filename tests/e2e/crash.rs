//! kill -9 in the middle of a creation, and a restart: never a second connection.

use serde_json::{Value, json};

use crate::harness::{CONNECTION, KEY, Scene, e2e, text};

const POST: &str = "POST connections/salesforce/jwt";

/// Applies everything, and kills the operator while AppLink holds back its answer to the POST.
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
fn killed_after_the_post_was_committed_it_finds_its_connection_and_posts_no_second() {
    e2e("kill-after", async |scene| {
        kill_during_post(scene, "after", true).await;
        let left = scene.get("Connection", CONNECTION).await.expect("it is there");
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
fn killed_before_the_post_was_committed_it_creates_one_once_that_is_certain() {
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
fn killed_after_the_post_and_deleted_before_the_restart_nothing_is_left_behind() {
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
fn a_post_whose_answer_was_lost_is_followed_by_a_look_and_not_by_a_second_post() {
    e2e("lost-answer", async |scene| {
        scene.simulator.fault(json!({"method": "POST", "where": "after", "what": "reset", "times": 1})).await;
        let _operator = scene.operator().await;
        let seen = scene.all_ready().await;
        assert_eq!(scene.simulator.only_connection().await["id"], seen["status"]["id"]);
        assert_eq!(scene.simulator.mutating().await, [POST]);
    });
}

#[test]
fn a_restart_at_rest_changes_nothing() {
    e2e("restart", async |scene| {
        let operator = scene.operator().await;
        let before = scene.all_ready().await;
        scene.wait_event(CONNECTION, "Connected").await;
        // The count of connections is told by a later pass than the one that found none.
        let counted = |addon: &Value| addon["status"]["connections"] == 1;
        let addon = scene.wait("AppLinkAddon", "orders", "has counted the connection", counted).await;
        operator.kill();

        let last = scene.simulator.last_request().await;
        let _operator = scene.operator().await;
        let listed = |r: &Value| r["seq"].as_u64() > Some(last) && text(r, "/path").ends_with("/authorizations");
        scene.simulator.wait_request("a pass of the new operator", listed).await;
        // An edit that changes nothing but makes the new operator look once more; what it says of it comes last.
        let asked = json!({"metadata": {"annotations": {"applink.dev/requestedAt": KEY}}});
        scene.change("Connection", CONNECTION, asked).await;
        let handled = |object: &Value| object["status"]["lastHandledReconcileAt"] == KEY;
        let after = scene.wait("Connection", CONNECTION, "has handled the request", handled).await;
        assert_eq!(
            after["status"]["conditions"][0]["lastTransitionTime"],
            before["status"]["conditions"][0]["lastTransitionTime"]
        );
        assert_eq!(after["status"]["id"], before["status"]["id"]);
        let addon_after = scene.get("AppLinkAddon", "orders").await.expect("it is there");
        assert_eq!(addon_after["metadata"]["resourceVersion"], addon["metadata"]["resourceVersion"]);
        assert_eq!(scene.simulator.mutating().await, [POST]);
        assert_eq!(scene.events(CONNECTION).await, ["Connected", "Created"]);
    });
}
