//! A service that limits calls or does not answer: one add-on waits as long as required, and no other does.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::{CONNECTION, Scene, Simulator, condition, condition_of, e2e, edit, text};

/// `Retry-After` of the 429, longer than two poll intervals with jitter.
const RETRY_AFTER: SignedDuration = SignedDuration::from_secs(25);
/// Calls that may be in flight when the 429 comes: those of one pass. Two passes would have twice as many.
const UNDER_WAY: usize = 2;
/// Longer than any wait of a test.
const ENDLESS_MILLIS: u64 = 600_000;

/// One 429 from AppLink for this method.
fn limited(method: &str) -> Value {
    let answer = json!({"code": 429, "headers": {"Retry-After": RETRY_AFTER.as_secs().to_string()}});
    json!({"method": method, "pathPrefix": "/addons/", "what": {"status": answer}, "times": 1})
}

/// Asserts that AppLink got no calls until `Retry-After` was over, by its own clock, and then did.
async fn assert_obeyed(scene: &Scene) {
    let asked = scene.simulator.requests_since(0).await;
    let at = |request: &Value| -> Timestamp { text(request, "/at").parse().expect("a time") };
    let mut applink = asked.iter().filter(|request| request["api"] == "applink");
    let limited = applink.find(|request| request["status"] == 429).expect("a 429");
    let (early, later): (Vec<_>, Vec<_>) = applink.partition(|r| at(r).duration_since(at(limited)) < RETRY_AFTER);
    assert!(early.len() <= UNDER_WAY, "too soon: {early:#?}");
    assert!(!later.is_empty(), "a call after it");
}

fn reachable(addon: &Value, status: &str) -> bool {
    condition(addon, "Reachable").is_some_and(|c| c["status"] == status)
}

#[test]
fn rate_limited_poll_is_retried_and_reported_by_the_addon() {
    e2e("limit-look", async |scene| {
        let _operator = scene.operator().await;
        let ready = scene.all_ready().await;
        scene.simulator.fault(limited("GET")).await;
        scene.apply(&scene.connection("second", "secondOrg")).await;
        scene.unready("Connection", "second", "RateLimited", "Reconciling").await;
        let addon = scene.wait("AppLinkAddon", "orders", "says that it must wait", |a| reachable(a, "False")).await;
        assert_eq!(condition_of(&addon, "Reachable")["reason"], "RateLimited");
        scene.ready("Connection", "second").await;
        assert_obeyed(scene).await;

        scene.wait("AppLinkAddon", "orders", "says that it may go on", |a| reachable(a, "True")).await;
        let after = scene.get("Connection", CONNECTION).await.expect("it exists");
        assert_eq!(after["metadata"]["resourceVersion"], ready["metadata"]["resourceVersion"], "Ready stays True");
        let reported = scene.events("orders").await;
        assert_eq!(reported.iter().filter(|reason| *reason == "RateLimited").count(), 1, "{reported:?}");
    });
}

#[test]
fn rate_limited_create_is_retried() {
    e2e("limit-post", async |scene| {
        let _operator = scene.operator().await;
        scene.simulator.fault(limited("POST")).await;
        scene.apply_all(&scene.everything()).await;
        scene.unready("Connection", CONNECTION, "RateLimited", "Reconciling").await;
        // A new object must wait, too.
        scene.apply(&scene.connection("second", "secondOrg")).await;
        scene.ready("Connection", "second").await;
        scene.ready("Connection", CONNECTION).await;
        assert_obeyed(scene).await;
        assert_eq!(scene.simulator.mutating().await.len(), 3);
        assert_eq!(scene.simulator.connections().await.len(), 2);
    });
}

#[test]
fn hanging_addon_does_not_block_others() {
    e2e("bulkhead", async |scene| {
        let hanging = Simulator::beside(&scene.dir, "hanging").await;
        let _operator = scene.operator().await;
        scene.all_ready().await;
        let other = edit(scene.addon(), |addon| {
            addon["metadata"]["name"] = json!("hanging");
            addon["spec"]["platformURL"] = json!(hanging.url);
        });
        scene.apply(&other).await;
        scene.ready("AppLinkAddon", "hanging").await;
        // First the creations hang, then all other calls.
        for method in ["POST", "GET"] {
            hanging.fault(json!({"method": method, "what": {"delay": {"ms": ENDLESS_MILLIS}}})).await;
            for nth in 0..8 {
                let name = format!("hanging-{}-{nth}", method.to_lowercase());
                let remote = name.replace('-', "_");
                let stuck =
                    edit(scene.connection(&name, &remote), |c| c["spec"]["addonRef"]["name"] = json!("hanging"));
                scene.apply(&stuck).await;
            }
            hanging.wait_request("a call without an answer", |r| r["method"] == method && r["status"].is_null()).await;
        }
        scene.apply(&scene.connection("beside", "besideOrg")).await;
        scene.ready("Connection", "beside").await;
        assert_eq!(hanging.connections().await, Vec::<Value>::new());
    });
}
