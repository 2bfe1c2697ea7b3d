//! Data action targets and their connection: how they are created, kept, and deleted together, with and without
//! confirmation.

use serde_json::{Value, json};

use crate::harness::{DATA_CLOUD, Scene, condition_of, e2e, edit, text};

const KIND: &str = "DataActionTarget";
const NAME: &str = "customer-updates";
const API_NAME: &str = "customer_update";

/// The Connection and a target, both Ready.
async fn ready(scene: &Scene) -> Value {
    scene.apply_all(&scene.everything()[..3]).await;
    scene.data_cloud_ready().await;
    scene.apply(&scene.target(NAME, API_NAME)).await;
    scene.ready(KIND, NAME).await
}

async fn blocked(scene: &Scene, by: &str) {
    let seen = scene.unready("Connection", DATA_CLOUD, "DeletionBlocked", "Reconciling").await;
    let message = text(condition_of(&seen, "Ready"), "/message");
    assert!(message.contains(by) && message.contains("applink.dev/confirm-cascade"), "{message}");
}

/// Number of connections and targets in AppLink.
async fn left(scene: &Scene) -> (usize, usize) {
    let world = scene.simulator.control("GET", "/world", Value::Null).await;
    let count = |what: &str| world[what].as_array().expect("a list").len();
    (count("connections"), count("dataActionTargets"))
}

async fn confirm(scene: &Scene) {
    let word = json!({"metadata": {"annotations": {"applink.dev/confirm-cascade": "true"}}});
    scene.change("Connection", DATA_CLOUD, word).await;
}

#[test]
fn target_is_released_adopted_and_cascade_deleted() {
    e2e("target-life", async |scene| {
        let _operator = scene.operator().await;
        let made = ready(scene).await;
        scene.delete(KIND, NAME).await;
        scene.wait_gone(KIND, NAME).await;
        scene.wait_event(NAME, "Orphaned").await;
        let put_down = |connection: &Value| connection["status"]["releasedTargets"] == json!([made["status"]["id"]]);
        scene.wait("Connection", DATA_CLOUD, "has recorded it", put_down).await;
        assert_eq!(left(scene).await, (1, 1));

        scene.apply(&scene.target(NAME, API_NAME)).await;
        let again = scene.ready(KIND, NAME).await;
        assert_eq!(again["status"]["id"], made["status"]["id"]);
        let taken_back = |connection: &Value| connection["status"]["releasedTargets"].is_null();
        scene.wait("Connection", DATA_CLOUD, "knows that it is back", taken_back).await;

        scene.delete("Connection", DATA_CLOUD).await;
        blocked(scene, NAME).await;
        scene.delete(KIND, NAME).await;
        scene.wait_gone(KIND, NAME).await;
        scene.wait_gone("Connection", DATA_CLOUD).await;
        assert_eq!(left(scene).await, (0, 0));
        let reported = scene.events(NAME).await;
        let of = |reason: &str| reported.iter().filter(|event| event.contains(reason)).count();
        assert_eq!((of("Orphaned"), of("Adopted")), (2, 1), "{reported:?}");
    });
}

#[test]
fn confirmed_cascade_deletes_all_targets() {
    e2e("target-cascade", async |scene| {
        let _operator = scene.operator().await;
        ready(scene).await;
        let theirs = json!({"connection": "customerData", "apiName": "of_somebody_else"});
        scene.simulator.control("POST", "/targets", theirs).await;
        // With confirmation it is replaced, and declared targets are recreated after the consent.
        let replace = json!({"metadata": {"annotations": {"applink.dev/replace": "1"}}});
        scene.change("Connection", DATA_CLOUD, replace).await;
        blocked(scene, "of_somebody_else").await;
        confirm(scene).await;
        scene.unready("Connection", DATA_CLOUD, "AwaitingUser", "Reconciling").await;
        scene.unready(KIND, NAME, "ConnectionNotReady", "Reconciling").await;
        scene.simulator.control("POST", "/connections/customerData/consent", json!({})).await;
        scene.ready("Connection", DATA_CLOUD).await;
        scene.ready(KIND, NAME).await;
        assert_eq!(left(scene).await, (1, 1));

        scene.delete("Connection", DATA_CLOUD).await;
        scene.wait_gone("Connection", DATA_CLOUD).await;
        scene.unready(KIND, NAME, "DependencyNotFound", "Reconciling").await;
        assert_eq!(left(scene).await, (0, 0));
        scene.delete(KIND, NAME).await;
        scene.wait_gone(KIND, NAME).await;
    });
}

#[test]
fn namespace_deletion_needs_no_confirmation() {
    e2e("target-namespace", async |scene| {
        let _operator = scene.operator().await;
        ready(scene).await;
        // No namespace controller runs here to empty it.
        scene.delete("Namespace", "target-namespace").await;
        scene.delete("Connection", DATA_CLOUD).await;
        scene.wait_gone("Connection", DATA_CLOUD).await;
        assert_eq!(left(scene).await, (0, 0));
        scene.delete(KIND, NAME).await;
        scene.wait_gone(KIND, NAME).await;
    });
}

#[test]
fn target_spec_is_immutable_except_for_policies() {
    e2e("target-rules", async |scene| {
        let by_label =
            edit(scene.target(NAME, ""), |t| drop(t["spec"].as_object_mut().expect("a spec").remove("apiName")));
        scene.apply(&by_label).await;
        let refused = [
            (json!({"apiName": "another_name"}), "apiName is immutable"),
            (json!({"label": "Another"}), "label is immutable"),
            (json!({"targetEndpoint": "/another"}), "targetEndpoint is immutable"),
            (json!({"connectionRef": {"name": "another"}}), "connectionRef is immutable"),
            (json!({"type": "Event"}), "Webhook"),
        ];
        for (spec, hint) in refused {
            let reported = scene.try_change(KIND, NAME, json!({"spec": spec})).await.expect_err(hint);
            assert!(reported.contains(hint), "{reported}");
        }
        // The same name may be written out, and left out again.
        for name in [json!("Customer_Update_Webhook"), Value::Null] {
            scene.change(KIND, NAME, json!({"spec": {"apiName": name, "suspend": true}})).await;
        }
        for (spec, hint) in
            [(json!({"apiName": "a-b-c"}), "set apiName"), (json!({"targetEndpoint": "x"}), "begins with /")]
        {
            let bad = edit(scene.target("bad", "bad_one"), |t| {
                t["spec"].as_object_mut().expect("a spec").extend(spec.as_object().expect("fields").clone());
            });
            let reported = scene.try_apply(&bad).await.expect_err(hint);
            assert!(reported.contains(hint), "{reported}");
        }
    });
}
