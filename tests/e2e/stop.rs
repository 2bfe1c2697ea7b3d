//! SIGTERM: the operator finishes its effects in flight, releases its lease, and exits. Durations are asserted on
//! virtual time in `tests/operator`.

use serde_json::{Value, json};

use crate::harness::{CONNECTION, Flags, Operator, Proxy, Scene, e2e, text};

/// Longer than any wait of a test.
const ENDLESS_MILLIS: u64 = 600_000;

/// Sends SIGTERM, and waits until the operator exits with 0.
async fn stop(mut operator: Operator) {
    operator.terminate();
    let status = operator.ended().await;
    assert_eq!(status.code(), Some(0), "{status}");
}

async fn holder(scene: &Scene) -> String {
    let lease = scene.get("Lease", "applink-operator").await.expect("a Lease");
    text(&lease, "/spec/holderIdentity").to_owned()
}

/// Holds back AppLink's response to the next POST.
async fn hold_post(scene: &Scene, millis: u64) {
    let hold = json!({"method": "POST", "where": "after", "what": {"delay": {"ms": millis}}, "times": 1});
    scene.simulator.fault(hold).await;
}

async fn post_committed(scene: &Scene) {
    let committed = |request: &Value| request["method"] == "POST" && request["committed"] == true;
    scene.simulator.wait_request("the POST, still without an answer", committed).await;
}

#[test]
fn sigterm_at_rest_releases_the_lease() {
    e2e("stop-rest", async |scene| {
        let operator = scene.operator_with(Flags { leader_elect: true, ..Flags::default() }).await;
        scene.all_ready().await;
        assert_ne!(holder(scene).await, "");
        stop(operator).await;
        assert_eq!(holder(scene).await, "", "a held lease would make the next one wait");

        let _next = scene.operator_with(Flags { leader_elect: true, ..Flags::default() }).await;
        scene.apply(&scene.connection("second", "secondOrg")).await;
        scene.ready("Connection", "second").await;
    });
}

#[test]
fn sigterm_waits_for_the_effect_and_records_it() {
    e2e("stop-effect", async |scene| {
        hold_post(scene, 3000).await;
        let operator = scene.operator_with(Flags { leader_elect: true, ..Flags::default() }).await;
        scene.apply_all(&scene.everything()).await;
        post_committed(scene).await;
        stop(operator).await;
        let remote = scene.simulator.only_connection().await;
        let seen = scene.get("Connection", CONNECTION).await.expect("it exists");
        assert_eq!(seen["status"]["id"], remote["id"], "the status has the result: {seen:#}");
        assert_eq!(holder(scene).await, "");
    });
}

#[test]
fn frozen_leader_writes_nothing_after_its_lease() {
    e2e("stop-frozen", async |scene| {
        let elected = || Flags { leader_elect: true, ..Flags::default() };
        // Freeze it with a call in flight and more work to do. The response waits until it continues.
        hold_post(scene, 2000).await;
        let mut first = scene.operator_with(elected()).await;
        scene.apply_all(&scene.everything()).await;
        post_committed(scene).await;
        let first_holder = holder(scene).await;
        first.freeze();
        let _second = scene.operator_with(elected()).await;
        scene.ready("Connection", CONNECTION).await;
        scene.apply(&scene.connection("second", "secondOrg")).await;
        scene.ready("Connection", "second").await;
        let second_holder = holder(scene).await;
        assert_ne!(first_holder, second_holder, "the other took over");

        // The second is at rest, and writes only to its Lease. The first continues in the middle of its work.
        let (calls, writes) = (scene.simulator.mutating().await, changes(scene).await);
        first.thaw();
        let status = first.ended().await;
        assert!(!status.success(), "it says that it lost the lease: {status}");
        assert_eq!(scene.simulator.mutating().await, calls);
        assert_eq!(changes(scene).await, writes);
        assert_eq!(holder(scene).await, second_holder);
    });
}

/// All writes except successful renewals of the Lease.
async fn changes(scene: &Scene) -> Vec<String> {
    let writes = scene.writes().await.into_iter();
    let others = writes.filter(|write| write.resource != "leases" || write.code != 200);
    others.map(|write| format!("{} {} {} {}", write.verb, write.resource, write.name, write.code)).collect()
}

#[test]
fn sigterm_works_without_the_api_server() {
    e2e("stop-alone", async |scene| {
        let proxy = Proxy::start(scene.server());
        let server = Some(format!("https://{}", proxy.address));
        let operator = scene.operator_with(Flags { leader_elect: true, server, ..Flags::default() }).await;
        scene.all_ready().await;
        proxy.cut();
        stop(operator).await;
    });
}

#[test]
fn sigterm_works_without_api_server_and_applink() {
    e2e("stop-alone-effect", async |scene| {
        hold_post(scene, ENDLESS_MILLIS).await;
        let proxy = Proxy::start(scene.server());
        let server = Some(format!("https://{}", proxy.address));
        let operator = scene.operator_with(Flags { leader_elect: true, server, ..Flags::default() }).await;
        scene.apply_all(&scene.everything()).await;
        post_committed(scene).await;
        proxy.cut();
        stop(operator).await;

        // The next operator finds what this one could not record.
        let _next = scene.operator().await;
        let seen = scene.ready("Connection", CONNECTION).await;
        assert_eq!(scene.simulator.only_connection().await["id"], seen["status"]["id"]);
        assert_eq!(scene.simulator.mutating().await.len(), 1);
    });
}
