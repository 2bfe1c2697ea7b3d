//! AppLink has no update: a connection with changed inputs is deleted and recreated if the user wants that, and two
//! never exist at once.

use serde_json::{Value, json};

use crate::harness::{CONNECTION, KEY, Operator, Scene, condition_of, e2e, has_reason, is_ready, secret, text};

const POST: &str = "POST connections/salesforce/jwt";

fn message(object: &Value) -> &str {
    text(condition_of(object, "Ready"), "/message")
}

fn delete(connection: &Value) -> String {
    format!("DELETE connections/{}", text(connection, "/status/id"))
}

fn asked() -> Value {
    json!({"metadata": {"annotations": {"applink.dev/replace": "now"}}})
}

/// Applies everything with the policy to replace, and waits until the Connection is Ready. Polls are too rare to
/// explain the effects of a changed Secret.
async fn ready_to_replace(scene: &Scene) -> Value {
    let mut manifests = scene.everything();
    manifests[2] = scene.addon_polled_hourly();
    manifests[3]["spec"]["replacePolicy"] = json!("DeleteAndRecreate");
    scene.apply_all(&manifests).await;
    scene.ready("Connection", CONNECTION).await
}

/// Waits until the Connection is Ready with another ID.
async fn renewed(scene: &Scene, before: &Value) -> Value {
    let renewed = |o: &Value| is_ready(o) && o["status"]["id"] != before["status"]["id"];
    scene.wait("Connection", CONNECTION, "is recreated", renewed).await
}

#[test]
fn rotated_key_recreates_the_connection_without_a_poll() {
    e2e("rotate", async |scene| {
        let _operator = scene.operator().await;
        let before = ready_to_replace(scene).await;
        scene.apply(&scene.key("another")).await;
        let after = renewed(scene, &before).await;
        assert_ne!(after["status"]["appliedHash"], before["status"]["appliedHash"]);
        assert_eq!(scene.simulator.only_connection().await["id"], after["status"]["id"]);
        assert_eq!(scene.simulator.mutating().await, [POST, &delete(&before), POST]);
        scene.wait_event(CONNECTION, "Recreated").await;
    });
}

#[test]
fn invalid_key_deletes_nothing() {
    e2e("rotate-none", async |scene| {
        let _operator = scene.operator().await;
        let before = ready_to_replace(scene).await;
        scene.apply(&secret("sf-jwt", "server.key", "no key")).await;
        scene.unready("Connection", CONNECTION, "InvalidSecret", "Stalled").await;
        scene.delete("Secret", "sf-jwt").await;
        scene.unready("Connection", CONNECTION, "SecretNotFound", "Reconciling").await;
        scene.change("Connection", CONNECTION, asked()).await;
        scene.apply(&secret("sf-jwt", "server.key", "no key either")).await;
        scene.unready("Connection", CONNECTION, "InvalidSecret", "Stalled").await;
        assert_eq!(scene.simulator.mutating().await, [POST]);
        assert_eq!(scene.simulator.only_connection().await["id"], before["status"]["id"]);
    });
}

#[test]
fn replace_annotation_overrides_the_policy_once() {
    e2e("replace-once", async |scene| {
        let _operator = scene.operator().await;
        let before = scene.all_ready().await;
        scene.apply(&scene.key("another")).await;
        let refused = scene.unready("Connection", CONNECTION, "ReplacementRequired", "Stalled").await;
        assert!(message(&refused).contains("applink.dev/replace"), "{}", message(&refused));
        scene.change("Connection", CONNECTION, asked()).await;
        let after = renewed(scene, &before).await;
        assert_eq!(after["status"]["lastHandledReplace"], "now");
        let once = [POST, &delete(&before), POST];
        assert_eq!(scene.simulator.mutating().await, once);
        // The annotation worked once: the next change needs a new value.
        scene.apply(&scene.key(KEY)).await;
        scene.unready("Connection", CONNECTION, "ReplacementRequired", "Stalled").await;
        assert_eq!(scene.simulator.mutating().await, once);
    });
}

/// When the operator is killed during a replacement.
struct Death {
    name: &'static str,
    /// The call that AppLink holds back: its method, and whether it takes effect.
    method: &'static str,
    committed: bool,
}

const DEATHS: [Death; 4] = [
    Death { name: "replace-kill-delete", method: "DELETE", committed: false },
    Death { name: "replace-kill-deleted", method: "DELETE", committed: true },
    Death { name: "replace-kill-post", method: "POST", committed: false },
    Death { name: "replace-kill-posted", method: "POST", committed: true },
];

/// Kills the operator while AppLink holds back a call of the replacement.
async fn die(scene: &Scene, operator: Operator, death: &Death) {
    let place = if death.committed { "after" } else { "before" };
    let hold = json!({"method": death.method, "where": place, "what": {"delay": {"ms": 600_000}}, "times": 1});
    scene.simulator.fault(hold).await;
    let last = scene.simulator.last_request().await;
    scene.change("Connection", CONNECTION, asked()).await;
    let held =
        |r: &Value| r["seq"].as_u64() > Some(last) && r["method"] == death.method && r["committed"] == death.committed;
    scene.simulator.wait_request("the call, still without an answer", held).await;
    operator.kill();
}

/// When each connection was created and deleted, latest first.
async fn lives(scene: &Scene) -> Vec<(String, Option<String>)> {
    let mut lives: Vec<_> = scene.simulator.connections().await.iter().map(life).collect();
    lives.sort();
    lives
}

fn life(connection: &Value) -> (String, Option<String>) {
    let history = connection["history"].as_array().expect("a history");
    let end = history.iter().find(|turn| turn["to"] == "disconnected").map(|turn| text(turn, "/at").to_owned());
    (text(&history[0], "/at").to_owned(), end)
}

async fn survives(scene: &Scene, death: &Death) {
    // A service that keeps tombstones, and allows two connections with one name.
    scene.simulator.settings(json!({"keepDisconnected": true, "takenName": "duplicate"})).await;
    let operator = scene.operator().await;
    let before = scene.all_ready().await;
    die(scene, operator, death).await;
    let _operator = scene.operator().await;
    let after = renewed(scene, &before).await;
    assert_eq!(after["status"]["lastHandledReplace"], "now", "{}", death.name);
    let lives = lives(scene).await;
    assert_eq!(lives.len(), 2, "{}: one more was made: {lives:?}", death.name);
    let (old, new) = (&lives[0], &lives[1]);
    assert!(old.1.as_ref().is_some_and(|end| *end <= new.0), "{}: two at once: {lives:?}", death.name);
    assert_eq!(new.1, None, "{}: {lives:?}", death.name);
    assert!(has_reason(&after, "True", "Connected"));
}

#[test]
fn kill_during_replacement_leaves_one_connection() {
    e2e("replace-kill", async |scene| {
        let survived = DEATHS.iter().map(async |death| survives(&scene.beside(death.name).await, death).await);
        futures::future::join_all(survived).await;
    });
}
