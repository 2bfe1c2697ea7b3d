//! What the API server refuses, and whether its message says what to do.
//!
//! No operator runs here, because bad input must not get that far.

use serde_json::{Value, json};

use crate::harness::{CONNECTION, Scene, e2e, edit};

/// Applies a manifest, which must be refused with a message that contains all of these.
async fn refused(scene: &Scene, manifest: Value, pieces: &[&str]) {
    let answer = scene.try_apply(&manifest).await;
    let message = answer.expect_err(&format!("the API server accepted this:\n{manifest:#}"));
    println!("{message}");
    for piece in pieces {
        assert!(message.contains(piece), "no {piece:?} in: {message}");
    }
}

fn connection(scene: &Scene, change: impl FnOnce(&mut Value)) -> Value {
    edit(scene.connection(CONNECTION, "productionOrg"), |manifest| change(&mut manifest["spec"]))
}

fn addon(scene: &Scene, change: impl FnOnce(&mut Value)) -> Value {
    edit(scene.addon(), |manifest| change(&mut manifest["spec"]))
}

#[test]
fn bad_connection_name_is_refused_with_the_rule() {
    e2e("bad-names", async |scene| {
        let letters = &["spec.connectionName", "begin with a letter", "no dashes"];
        for bad in ["production-org", "1production", "production_", "production__org", "_production", "prod org"] {
            refused(scene, connection(scene, |spec| spec["connectionName"] = json!(bad)), letters).await;
        }
        let short = connection(scene, |spec| spec["connectionName"] = json!("ab"));
        refused(scene, short, &["spec.connectionName", "at least 3"]).await;
        let long = connection(scene, |spec| spec["connectionName"] = json!("a".repeat(31)));
        refused(scene, long, &["spec.connectionName", "30"]).await;
        for good in ["abc", "a_1", &"a".repeat(30)] {
            let manifest = edit(scene.connection(CONNECTION, good), |c| {
                c["metadata"]["name"] = json!(format!("good-{}", good.len() + good.matches('_').count()));
            });
            scene.apply(&manifest).await;
        }
    });
}

#[test]
fn immutable_fields_are_refused_with_the_way_out() {
    e2e("immutable", async |scene| {
        scene.apply(&scene.addon()).await;
        scene.apply(&connection(scene, |_| {})).await;
        let connections: [(&str, Value); 3] = [
            ("connectionName", json!("otherOrg")),
            ("addonRef", json!({"name": "other"})),
            // By OAuth, so that no other rule refuses it.
            ("provider", json!("DataCloud")),
        ];
        for (field, value) in connections {
            let edited = scene.try_change("Connection", CONNECTION, json!({"spec": {field: value}})).await;
            let message = edited.expect_err("the API server accepted it");
            println!("{message}");
            let wanted = format!("{field} is immutable: create another");
            assert!(message.contains(&wanted), "no {wanted:?} in: {message}");
        }
        let edited = scene.try_change("AppLinkAddon", "orders", json!({"spec": {"app": "other-app"}})).await;
        let message = edited.expect_err("the API server accepted it");
        assert!(message.contains("app is immutable: create another AppLinkAddon"), "{message}");
        // Mutable fields can be changed.
        scene.change("AppLinkAddon", "orders", json!({"spec": {"addon": "heroku-applink-cubed-1234"}})).await;
        scene.change("Connection", CONNECTION, json!({"spec": {"jwt": {"username": "other@example.com"}}})).await;
    });
}

#[test]
fn exactly_one_of_jwt_and_oauth_is_required() {
    e2e("methods", async |scene| {
        let data_cloud = connection(scene, |spec| spec["provider"] = json!("DataCloud"));
        refused(scene, data_cloud, &["no JWT route for DataCloud", "use oauth: {}"]).await;
        let both = connection(scene, |spec| spec["oauth"] = json!({}));
        refused(scene, both, &["exactly one of jwt", "oauth"]).await;
        let neither = connection(scene, |spec| drop(spec.as_object_mut().expect("a spec").remove("jwt")));
        refused(scene, neither, &["exactly one of jwt", "oauth"]).await;
        let oauth = connection(scene, |spec| {
            spec.as_object_mut().expect("a spec").remove("jwt");
            spec["oauth"] = json!({});
            spec["provider"] = json!("DataCloud");
        });
        scene.apply(&oauth).await;
    });
}

#[test]
fn invalid_poll_interval_is_refused() {
    e2e("intervals", async |scene| {
        for bad in ["5s", "9999ms", "2h", "0s", "-20s", "soon", "60", ""] {
            let manifest = addon(scene, |spec| spec["pollInterval"] = json!(bad));
            refused(scene, manifest, &["spec.pollInterval", "10s", "1h"]).await;
        }
        for good in ["10s", "90s", "1m30s", "1h", "0.5h"] {
            scene.apply(&addon(scene, |spec| spec["pollInterval"] = json!(good))).await;
        }
    });
}

#[test]
fn insecure_platform_url_is_refused() {
    e2e("urls", async |scene| {
        let table = [
            ("http://api.heroku.com", "https://"),
            ("http://127.0.0.1.evil.example", "https://"),
            ("ftp://api.heroku.com", "https://"),
            ("https://me:secret@api.heroku.com", "without user or password"),
            ("https://api.heroku.com@evil.example", "without user or password"),
            ("api.heroku.com", "absolute URL"),
            ("https://", "absolute URL"),
        ];
        for (url, piece) in table {
            refused(scene, addon(scene, |spec| spec["platformURL"] = json!(url)), &["spec.platformURL", piece]).await;
        }
        let login = connection(scene, |spec| spec["loginURL"] = json!("http://login.salesforce.com"));
        refused(scene, login, &["spec.loginURL", "https://"]).await;
        for good in ["https://api.heroku.com", "http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"] {
            scene.apply(&addon(scene, |spec| spec["platformURL"] = json!(good))).await;
        }
    });
}

#[test]
fn new_object_is_pending_until_reconciled() {
    e2e("pending", async |scene| {
        for manifest in [scene.addon(), scene.connection(CONNECTION, "productionOrg")] {
            let made = scene.apply(&manifest).await;
            assert_eq!(made["status"]["observedGeneration"], -1, "kstatus must not call it current: {made:#}");
            let conditions = made["status"]["conditions"].as_array().expect("conditions");
            let reported: Vec<_> = conditions.iter().map(|c| (&c["type"], &c["status"], &c["reason"])).collect();
            assert_eq!(reported, [(&json!("Ready"), &json!("Unknown"), &json!("Pending"))]);
        }
    });
}
