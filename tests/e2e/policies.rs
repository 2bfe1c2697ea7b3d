//! What may not be done: not yet, not to what others made, not under Observe.

use serde_json::{Value, json};

use crate::harness::{CONNECTION, POLL, condition_of, e2e, edit, is_ready, text};

fn message(object: &Value) -> &str {
    text(condition_of(object, "Ready"), "/message")
}

/// A connection that somebody else made, as ours would be.
fn planted(name: &str) -> Value {
    json!({"name": name, "method": "JWT", "username": "ci@example.com", "clientId": "3MVG9e2e"})
}

/// That nothing holds the object: neither finalizer nor intent.
fn assert_unheld(object: &Value) {
    assert_eq!(object["metadata"]["finalizers"], Value::Null, "{object:#}");
    assert_eq!(text(object, "/metadata/annotations/applink.dev~1intent"), "", "{object:#}");
}

#[test]
fn what_this_version_cannot_do_is_refused_by_name_and_not_half_done() {
    e2e("unsupported", async |scene| {
        let _operator = scene.operator().await;
        scene.apply_all(&scene.everything()[..3]).await;
        let oauth = edit(scene.connection("by-oauth", "oauthOrg"), |c| {
            c["spec"].as_object_mut().expect("a spec").remove("jwt");
            c["spec"]["oauth"] = json!({});
        });
        let replace = edit(scene.connection("replacing", "replacingOrg"), |c| {
            c["spec"]["replacePolicy"] = json!("DeleteAndRecreate");
        });
        let expect = edit(scene.connection("expecting", "expectingOrg"), |c| {
            c["spec"]["expect"] = json!({"orgID": "00DSG000007a3BZ2AY"});
        });
        scene.apply_all(&[oauth, replace, expect]).await;
        for (name, field) in [("by-oauth", "oauth"), ("replacing", "DeleteAndRecreate"), ("expecting", "expect")] {
            let seen = scene.unready("Connection", name, "InvalidSpec", "Stalled").await;
            assert!(
                message(&seen).contains(field) && message(&seen).contains("not supported yet"),
                "{}",
                message(&seen)
            );
            assert_unheld(&seen);
        }
        assert_eq!(scene.simulator.mutating().await, Vec::<String>::new());
        scene.delete("Connection", "by-oauth").await;
        scene.wait_gone("Connection", "by-oauth").await;
    });
}

#[test]
fn what_was_there_first_is_neither_taken_nor_touched() {
    e2e("adoption", async |scene| {
        let _operator = scene.operator().await;
        let first = scene.simulator.control("POST", "/connections", planted("firstOrg")).await;
        scene.simulator.control("POST", "/connections", planted("secondOrg")).await;
        scene.apply_all(&scene.everything()[..3]).await;
        let never = edit(scene.connection("never", "secondOrg"), |c| c["spec"]["adoptionPolicy"] = json!("Never"));
        scene.apply_all(&[scene.connection("if-matching", "firstOrg"), never]).await;
        for name in ["if-matching", "never"] {
            let seen = scene.unready("Connection", name, "AdoptionRefused", "Stalled").await;
            assert!(message(&seen).contains("was there first"), "{}", message(&seen));
            assert_unheld(&seen);
            scene.delete("Connection", name).await;
            scene.wait_gone("Connection", name).await;
        }
        assert_eq!(scene.simulator.mutating().await, Vec::<String>::new());
        let left = scene.simulator.connections().await;
        assert_eq!(left.len(), 2);
        assert!(left.iter().any(|c| c["id"] == first["id"]));
    });
}

#[test]
fn observe_tells_of_what_others_made_and_holds_nothing() {
    e2e("observe", async |scene| {
        let _operator = scene.operator().await;
        let remote = scene.simulator.control("POST", "/connections", planted("productionOrg")).await;
        let mut manifests = scene.everything();
        manifests[3]["spec"]["managementPolicy"] = json!("Observe");
        scene.apply_all(&manifests).await;
        let seen = scene.ready("Connection", CONNECTION).await;
        assert_eq!(condition_of(&seen, "Ready")["reason"], "Connected");
        assert_eq!(seen["status"]["id"], remote["id"]);
        assert_unheld(&seen);
        scene.delete("Connection", CONNECTION).await;
        scene.wait_gone("Connection", CONNECTION).await;
        assert_eq!(scene.simulator.only_connection().await["id"], remote["id"]);
        assert_eq!(scene.simulator.mutating().await, Vec::<String>::new());
    });
}

#[test]
fn observe_says_what_is_missing_and_sees_it_come() {
    e2e("missing", async |scene| {
        let _operator = scene.operator().await;
        // The add-on's policy is a ceiling for everything below it.
        let addon = edit(scene.addon(), |addon| addon["spec"]["managementPolicy"] = json!("Observe"));
        let mut manifests = scene.everything();
        manifests[2] = addon;
        scene.apply_all(&manifests).await;
        let seen = scene.unready("Connection", CONNECTION, "RemoteMissing", "Stalled").await;
        assert_unheld(&seen);

        scene.simulator.control("POST", "/connections", planted("productionOrg")).await;
        let ready = |object: Option<&Value>| object.is_some_and(is_ready);
        scene.wait_within(POLL, "Connection", CONNECTION, "sees what came", ready).await;
        assert_eq!(scene.simulator.mutating().await, Vec::<String>::new());
    });
}
