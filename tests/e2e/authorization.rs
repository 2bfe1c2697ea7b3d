//! Authorizations and their credentials Secrets on a real API server.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Scene, condition_of, e2e, edit, secret, text, until};

const NAME: &str = "batch-user";
const KEPT: &str = "batch-credentials";
const POST: &str = "POST authorizations/salesforce/jwt";

/// An Authorization that exports its credentials.
fn keeping(scene: &Scene) -> Value {
    edit(scene.authorization(NAME, "batchUser"), |a| a["spec"]["credentialsSecretName"] = json!(KEPT))
}

async fn stored(scene: &Scene) -> Vec<Value> {
    let list = scene.simulator.control("GET", "/authorizations", Value::Null).await;
    list.as_array().expect("a list").clone()
}

fn token(secret: &Value) -> String {
    let token = STANDARD.decode(text(secret, "/data/accessToken")).expect("Base64");
    String::from_utf8(token).expect("text")
}

#[test]
fn credentials_secret_follows_the_authorization() {
    e2e("authorization", async |scene| {
        let operator = scene.operator().await;
        scene.apply_all(&scene.everything()[..3]).await;
        scene.apply(&keeping(scene)).await;
        let ready = scene.ready("Authorization", NAME).await;
        assert_eq!(ready["status"]["credentialsSecretName"], KEPT);
        let kept = scene.get("Secret", KEPT).await.expect("before it is Ready");
        let keys: BTreeSet<_> = kept["data"].as_object().expect("data").keys().map(String::as_str).collect();
        let all = ["accessToken", "apiVersion", "instanceURL", "orgID", "orgType", "userID", "username"];
        assert_eq!((keys, &kept["type"]), (BTreeSet::from(all), &json!("Opaque")));
        let owner = &kept["metadata"]["ownerReferences"][0];
        assert_eq!((&owner["kind"], &owner["uid"]), (&json!("Authorization"), &ready["metadata"]["uid"]));

        scene.delete("Secret", KEPT).await;
        let back = scene.wait("Secret", KEPT, "is back", |s| s["data"]["accessToken"].is_string()).await;
        assert_eq!(back["data"], kept["data"]);

        scene.simulator.control("POST", "/authorizations/batchUser/expire", Value::Null).await;
        scene
            .change("Authorization", NAME, json!({"metadata": {"annotations": {"applink.dev/requestedAt": "1"}}}))
            .await;
        let renewed = scene.wait("Secret", KEPT, "has another token", |s| s["data"] != kept["data"]).await;
        let obeyed = |o: &Value| o["status"]["lastHandledReconcileAt"] == "1";
        let after = scene.wait("Authorization", NAME, "has obeyed", obeyed).await;

        scene.simulator.control("PATCH", "/authorizations/batchUser", json!({"status": "failed"})).await;
        scene.unready("Authorization", NAME, "RemoteFailed", "Stalled").await;
        scene.wait_gone("Secret", KEPT).await;
        scene.simulator.control("PATCH", "/authorizations/batchUser", json!({"status": "authorized"})).await;
        scene.ready("Authorization", NAME).await;
        assert!(scene.get("Secret", KEPT).await.is_some());

        scene.delete("Authorization", NAME).await;
        scene.wait_gone("Authorization", NAME).await;
        assert_eq!(scene.get("Secret", KEPT).await, None, "although no garbage collector runs here");
        assert_eq!(stored(scene).await, Vec::<Value>::new());
        let id = text(&after, "/status/id");
        assert_eq!(scene.simulator.mutating().await, [POST.to_owned(), format!("DELETE authorizations/{id}")]);
        for secret in [&kept, &renewed] {
            assert!(!operator.said().contains(&token(secret)), "in the log");
        }
    });
}

#[test]
fn credentials_are_exported_after_consent() {
    e2e("authorizing", async |scene| {
        let _operator = scene.operator().await;
        scene.apply_all(&scene.everything()[..3]).await;
        let by_person = edit(keeping(scene), |a| {
            a["spec"].as_object_mut().expect("a spec").remove("jwt");
            a["spec"]["oauth"] = json!({});
        });
        scene.apply(&by_person).await;
        let waiting = scene.unready("Authorization", NAME, "AwaitingUser", "Reconciling").await;
        let link = text(&waiting, "/status/oauthSecretName").to_owned();
        assert_eq!((link.as_str(), scene.get("Secret", KEPT).await), ("batch-user-authorization-oauth", None));
        assert!(scene.get("Secret", &link).await.expect("it exists")["data"]["url"].is_string());
        scene.simulator.control("POST", "/authorizations/batchUser/consent", json!({})).await;
        scene.ready("Authorization", NAME).await;
        assert_eq!(scene.get("Secret", &link).await, None);
        assert!(scene.get("Secret", KEPT).await.is_some());
        assert_eq!(scene.simulator.mutating().await, ["POST authorizations/salesforce"]);
    });
}

#[test]
fn foreign_secret_is_left_alone_until_it_is_deleted() {
    e2e("taken-secret", async |scene| {
        let _operator = scene.operator().await;
        scene.apply_all(&scene.everything()[..3]).await;
        scene.apply(&secret(KEPT, "mine", "precious")).await;
        scene.apply(&keeping(scene)).await;
        let refused = scene.unready("Authorization", NAME, "InvalidSpec", "Stalled").await;
        assert!(text(condition_of(&refused, "Ready"), "/message").contains(KEPT));
        let theirs = scene.get("Secret", KEPT).await.expect("it exists");
        assert_eq!(theirs["data"], json!({"mine": STANDARD.encode("precious")}));
        scene.delete("Secret", KEPT).await;
        scene.ready("Authorization", NAME).await;
        assert_eq!(scene.simulator.mutating().await, [POST]);

        // Removing the field deletes the Secret.
        scene.change("Authorization", NAME, json!({"spec": {"credentialsSecretName": null}})).await;
        scene.wait_gone("Secret", KEPT).await;
        let forgotten = async || {
            let object = scene.get("Authorization", NAME).await.expect("it exists");
            object["status"]["credentialsSecretName"].is_null().then_some(())
        };
        until("the status names none", PATIENCE, forgotten, async || String::new()).await;
    });
}

/// A mistake in a manifest.
type Slip = fn(&mut Value);

#[test]
fn invalid_specs_are_refused_by_the_api_server() {
    e2e("bad-authorization", async |scene| {
        let refusals: [(&str, Slip); 4] = [
            ("no dashes", |a| a["spec"]["developerName"] = json!("batch-user")),
            ("exactly one of jwt", |a| a["spec"]["oauth"] = json!({})),
            ("a name that a Secret can have", |a| a["spec"]["credentialsSecretName"] = json!("Not_One")),
            ("loginURL", |a| a["spec"]["loginURL"] = json!("ftp://login.salesforce.com")),
        ];
        for (hint, change) in refusals {
            let reported = scene.try_apply(&edit(keeping(scene), change)).await.expect_err(hint);
            assert!(reported.contains(hint), "{reported} lacks {hint}");
        }
        scene.apply(&keeping(scene)).await;
        let renamed = edit(keeping(scene), |a| a["spec"]["developerName"] = json!("another"));
        let reported = scene.try_apply(&renamed).await.expect_err("it is immutable");
        assert!(reported.contains("developerName is immutable"), "{reported}");
    });
}
