//! Wrong, missing and late inputs: what the status reports, and the recovery without a poll.

use serde_json::{Value, json};

use crate::harness::{CONNECTION, KEY, Scene, condition_of, e2e, edit, has_reason, pem, secret, sha256, text};

const POST: &str = "POST connections/salesforce/jwt";

fn message(object: &Value) -> &str {
    text(condition_of(object, "Ready"), "/message")
}

/// Token, key, add-on and Connection, with polls too rare to explain the effects of a changed Secret.
fn everything_polled_hourly(scene: &Scene) -> Vec<Value> {
    let mut manifests = scene.everything();
    manifests[2] = scene.addon_polled_hourly();
    manifests
}

#[test]
fn wrong_heroku_token_is_reported_and_recovers() {
    e2e("bad-token", async |scene| {
        let _operator = scene.operator().await;
        let mut manifests = scene.everything();
        manifests[0] = secret("heroku-api", "token", "HRKU-wrong");
        scene.apply_all(&manifests).await;
        let addon = scene.unready("AppLinkAddon", "orders", "CredentialInvalid", "Stalled").await;
        assert!(message(&addon).contains("heroku authorizations:create"), "{}", message(&addon));
        let waiting = scene.unready("Connection", CONNECTION, "AddonNotReady", "Reconciling").await;
        assert!(message(&waiting).contains("CredentialInvalid"), "{}", message(&waiting));

        let last = scene.simulator.last_request().await;
        let before = scene.writes().await.len();
        let looks = |asked: &[Value]| asked.iter().filter(|r| text(r, "/path") == "/apps/orders-prod").count();
        let asked = scene.simulator.until_requests(last, "two more lookups of the app", |all| looks(all) >= 2).await;
        assert!(asked.len() <= 4 * (looks(&asked) + 1), "four calls per lookup suffice: {asked:#?}");
        assert!(asked.iter().all(|request| request["api"] == "platform"), "{asked:#?}");
        assert_eq!(scene.writes().await.len(), before, "nothing new to report");

        scene.apply(&scene.token()).await;
        scene.ready("Connection", CONNECTION).await;
        scene.ready("AppLinkAddon", "orders").await;
        assert_eq!(scene.simulator.mutating().await, [POST]);
    });
}

#[test]
fn late_secrets_are_waited_for() {
    e2e("late-secrets", async |scene| {
        let _operator = scene.operator().await;
        scene.apply_all(&[scene.addon_polled_hourly(), scene.connection(CONNECTION, "productionOrg")]).await;
        let addon = scene.unready("AppLinkAddon", "orders", "SecretNotFound", "Reconciling").await;
        assert!(message(&addon).contains("heroku-api"), "{}", message(&addon));
        let waiting = scene.unready("Connection", CONNECTION, "SecretNotFound", "Reconciling").await;
        assert!(message(&waiting).contains("sf-jwt"), "{}", message(&waiting));

        // The Secret exists, but not its key.
        scene.apply(&secret("sf-jwt", "other.key", &pem(KEY))).await;
        let named =
            |object: &Value| has_reason(object, "False", "SecretNotFound") && message(object).contains("server.key");
        scene.wait("Connection", CONNECTION, "misses the key of the Secret", named).await;
        scene.apply(&scene.token()).await;
        scene.ready("AppLinkAddon", "orders").await;
        scene.apply(&scene.key(KEY)).await;
        scene.ready("Connection", CONNECTION).await;
        assert_eq!(scene.simulator.mutating().await, [POST]);
    });
}

#[test]
fn late_addon_is_waited_for() {
    e2e("late-addon", async |scene| {
        let _operator = scene.operator().await;
        scene.apply_all(&[scene.token(), scene.key(KEY), scene.connection(CONNECTION, "productionOrg")]).await;
        let waiting = scene.unready("Connection", CONNECTION, "DependencyNotFound", "Reconciling").await;
        assert!(message(&waiting).contains("AppLinkAddon orders"), "{}", message(&waiting));
        scene.apply(&scene.addon()).await;
        scene.ready("Connection", CONNECTION).await;
        assert_eq!(scene.simulator.mutating().await, [POST]);
    });
}

#[test]
fn replaced_addon_with_same_name_is_not_touched() {
    e2e("other-addon", async |scene| {
        let _operator = scene.operator().await;
        scene.all_ready().await;
        let name = "heroku-applink-cubed-1234";
        scene.simulator.control("DELETE", &format!("/addons/{name}"), Value::Null).await;
        let other = json!({"name": name, "attachments": [{"app": "orders-prod", "name": "HEROKU_APPLINK"}]});
        let other = scene.simulator.control("POST", "/addons", other).await;
        // After a rotated Heroku token, the operator looks the add-on up at once.
        scene.simulator.control("POST", "/tokens", json!({"token": "HRKU-rotated"})).await;
        scene.apply(&secret("heroku-api", "token", "HRKU-rotated")).await;
        let seen = scene.unready("AppLinkAddon", "orders", "AddonChanged", "Stalled").await;
        assert!(message(&seen).contains(text(&other, "/id")), "{}", message(&seen));
        assert_ne!(seen["status"]["addonID"], other["id"], "what was resolved once is kept");
        assert_eq!(scene.simulator.mutating().await, [POST]);
    });
}

#[test]
fn invalid_key_is_reported_and_not_sent() {
    e2e("no-key", async |scene| {
        let _operator = scene.operator().await;
        let mut manifests = everything_polled_hourly(scene);
        manifests[1] = secret("sf-jwt", "server.key", "c2VjcmV0");
        scene.apply_all(&manifests).await;
        let seen = scene.unready("Connection", CONNECTION, "InvalidSecret", "Stalled").await;
        assert!(
            message(&seen).contains("sf-jwt") && message(&seen).contains("BEGIN PRIVATE KEY"),
            "{}",
            message(&seen)
        );
        assert!(!seen.to_string().contains("c2VjcmV0"), "the content is shown");
        scene.ready("AppLinkAddon", "orders").await;
        assert_eq!(scene.simulator.mutating().await, Vec::<String>::new());
        scene.apply(&scene.key(KEY)).await;
        scene.ready("Connection", CONNECTION).await;
    });
}

#[test]
fn missing_app_is_reported_by_name() {
    e2e("no-app", async |scene| {
        let _operator = scene.operator().await;
        let addon = edit(scene.addon(), |a| a["spec"]["app"] = json!("nowhere-prod"));
        scene.apply_all(&[scene.token(), addon]).await;
        let seen = scene.unready("AppLinkAddon", "orders", "InvalidSpec", "Stalled").await;
        assert!(message(&seen).contains("nowhere-prod"), "{}", message(&seen));
    });
}

#[test]
fn ambiguous_addon_is_reported() {
    e2e("several", async |scene| {
        let _operator = scene.operator().await;
        let second =
            json!({"name": "heroku-applink-round-9", "attachments": [{"app": "orders-prod", "name": "SECOND"}]});
        let second = scene.simulator.control("POST", "/addons", second).await;
        scene.apply_all(&scene.everything()).await;
        let seen = scene.unready("AppLinkAddon", "orders", "InvalidSpec", "Stalled").await;
        for name in ["heroku-applink-cubed-1234", "heroku-applink-round-9", "spec.addon"] {
            assert!(message(&seen).contains(name), "{}", message(&seen));
        }
        assert_eq!(scene.simulator.mutating().await, Vec::<String>::new());

        scene.change("AppLinkAddon", "orders", json!({"spec": {"addon": "heroku-applink-round-9"}})).await;
        let seen = scene.ready("Connection", CONNECTION).await;
        assert_eq!(seen["status"]["addonID"], second["id"]);
        assert_eq!(scene.simulator.only_connection().await["addon"], second["id"]);
    });
}

#[test]
fn bad_key_fails_and_good_key_recovers() {
    e2e("bad-key", async |scene| {
        scene.simulator.settings(json!({"acceptedKeys": [sha256(&pem("good"))]})).await;
        let _operator = scene.operator().await;
        let mut manifests = everything_polled_hourly(scene);
        manifests[1] = scene.key("bad");
        scene.apply_all(&manifests).await;
        let failed = scene.unready("Connection", CONNECTION, "RemoteFailed", "Stalled").await;
        assert_eq!(failed["status"]["remoteStatus"], "failed");

        scene.apply(&scene.key("good")).await;
        let seen = scene.ready("Connection", CONNECTION).await;
        let remote = scene.simulator.only_connection().await;
        assert_eq!(remote["id"], seen["status"]["id"]);
        assert_ne!(remote["id"], failed["status"]["id"]);
        assert_eq!(remote["jwt"]["keyDigest"], sha256(&pem("good")));
        let old = format!("DELETE connections/{}", text(&failed, "/status/id"));
        assert_eq!(scene.simulator.mutating().await, [POST, &old, POST]);
    });
}

#[test]
fn rejected_key_is_reported_and_good_key_recovers() {
    e2e("refused-key", async |scene| {
        let refusing = json!({"acceptedKeys": [sha256(&pem("good"))], "jwtFailure": "unauthorized"});
        scene.simulator.settings(refusing).await;
        let _operator = scene.operator().await;
        let mut manifests = everything_polled_hourly(scene);
        manifests[1] = scene.key("bad");
        scene.apply_all(&manifests).await;
        let refused = scene.unready("Connection", CONNECTION, "RemoteRejected", "Stalled").await;
        assert!(message(&refused).contains("401"), "{}", message(&refused));
        scene.ready("AppLinkAddon", "orders").await;

        scene.apply(&scene.key("good")).await;
        scene.ready("Connection", CONNECTION).await;
        scene.simulator.only_connection().await;
    });
}

#[test]
fn rotated_key_requires_replacement() {
    e2e("rotated-key", async |scene| {
        let _operator = scene.operator().await;
        scene.apply_all(&everything_polled_hourly(scene)).await;
        let before = scene.ready("Connection", CONNECTION).await;
        scene.apply(&scene.key("another")).await;
        let seen = scene.unready("Connection", CONNECTION, "ReplacementRequired", "Stalled").await;
        assert_eq!(seen["status"]["appliedHash"], before["status"]["appliedHash"], "the applied state is the old one");
        let remote = scene.simulator.only_connection().await;
        assert_eq!((&remote["id"], &remote["status"]), (&before["status"]["id"], &json!("connected")));
        assert_eq!(scene.simulator.mutating().await, [POST]);
        scene.apply(&scene.key(KEY)).await;
        scene.ready("Connection", CONNECTION).await;
        assert_eq!(scene.simulator.mutating().await, [POST]);
    });
}
