//! Inputs that are wrong, missing or late: what is told of them, and that the right ones heal, without a poll.

use serde_json::{Value, json};

use crate::harness::{CONNECTION, KEY, Scene, condition_of, e2e, edit, has_reason, pem, secret, sha256, text};

const POST: &str = "POST connections/salesforce/jwt";

fn message(object: &Value) -> &str {
    text(condition_of(object, "Ready"), "/message")
}

/// Token, key, add-on and Connection, where polls come too late for what is to follow from a changed Secret.
fn everything_polled_hourly(scene: &Scene) -> Vec<Value> {
    let mut manifests = scene.everything();
    manifests[2] = scene.addon_polled_hourly();
    manifests
}

#[test]
fn a_wrong_heroku_token_is_told_without_a_storm_and_the_right_one_heals() {
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
        let asked = scene.simulator.until_requests(last, "two more looks at the app", |all| looks(all) >= 2).await;
        assert!(asked.len() <= 4 * (looks(&asked) + 1), "four calls a look would do: {asked:#?}");
        assert!(asked.iter().all(|request| request["api"] == "platform"), "{asked:#?}");
        assert_eq!(scene.writes().await.len(), before, "nothing new to say");

        scene.apply(&scene.token()).await;
        scene.ready("Connection", CONNECTION).await;
        scene.ready("AppLinkAddon", "orders").await;
        assert_eq!(scene.simulator.mutating().await, [POST]);
    });
}

#[test]
fn secrets_that_come_late_are_waited_for() {
    e2e("late-secrets", async |scene| {
        let _operator = scene.operator().await;
        scene.apply_all(&[scene.addon_polled_hourly(), scene.connection(CONNECTION, "productionOrg")]).await;
        let addon = scene.unready("AppLinkAddon", "orders", "SecretNotFound", "Reconciling").await;
        assert!(message(&addon).contains("heroku-api"), "{}", message(&addon));
        let waiting = scene.unready("Connection", CONNECTION, "SecretNotFound", "Reconciling").await;
        assert!(message(&waiting).contains("sf-jwt"), "{}", message(&waiting));

        // The Secret is there, but not the key of it.
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
fn an_addon_that_comes_late_is_waited_for() {
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
fn another_addon_under_the_same_name_is_not_taken_for_the_one_that_was() {
    e2e("other-addon", async |scene| {
        let _operator = scene.operator().await;
        scene.all_ready().await;
        let name = "heroku-applink-cubed-1234";
        scene.simulator.control("DELETE", &format!("/addons/{name}"), Value::Null).await;
        let other = json!({"name": name, "attachments": [{"app": "orders-prod", "name": "HEROKU_APPLINK"}]});
        let other = scene.simulator.control("POST", "/addons", other).await;
        // A rotated Heroku token makes the operator look for the add-on at once.
        scene.simulator.control("POST", "/tokens", json!({"token": "HRKU-rotated"})).await;
        scene.apply(&secret("heroku-api", "token", "HRKU-rotated")).await;
        let seen = scene.unready("AppLinkAddon", "orders", "AddonChanged", "Stalled").await;
        assert!(message(&seen).contains(text(&other, "/id")), "{}", message(&seen));
        assert_ne!(seen["status"]["addonID"], other["id"], "what was resolved once is kept");
        assert_eq!(scene.simulator.mutating().await, [POST]);
    });
}

#[test]
fn a_key_that_is_no_private_key_is_an_invalid_secret_and_is_never_sent() {
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
fn an_app_that_is_not_there_is_told_by_name() {
    e2e("no-app", async |scene| {
        let _operator = scene.operator().await;
        let addon = edit(scene.addon(), |a| a["spec"]["app"] = json!("nowhere-prod"));
        scene.apply_all(&[scene.token(), addon]).await;
        let seen = scene.unready("AppLinkAddon", "orders", "InvalidSpec", "Stalled").await;
        assert!(message(&seen).contains("nowhere-prod"), "{}", message(&seen));
    });
}

#[test]
fn between_several_addons_there_is_no_guess() {
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
fn a_bad_key_is_remote_failed_and_the_good_one_heals_it() {
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
fn a_key_that_applink_refuses_is_remote_rejected_and_the_good_one_heals_it() {
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
fn a_key_changed_after_it_connected_asks_for_a_replacement_and_touches_nothing() {
    e2e("rotated-key", async |scene| {
        let _operator = scene.operator().await;
        scene.apply_all(&everything_polled_hourly(scene)).await;
        let before = scene.ready("Connection", CONNECTION).await;
        scene.apply(&scene.key("another")).await;
        let seen = scene.unready("Connection", CONNECTION, "ReplacementRequired", "Stalled").await;
        assert_eq!(seen["status"]["appliedHash"], before["status"]["appliedHash"], "what is applied is the old one");
        let remote = scene.simulator.only_connection().await;
        assert_eq!((&remote["id"], &remote["status"]), (&before["status"]["id"], &json!("connected")));
        assert_eq!(scene.simulator.mutating().await, [POST]);
        scene.apply(&scene.key(KEY)).await;
        scene.ready("Connection", CONNECTION).await;
        assert_eq!(scene.simulator.mutating().await, [POST]);
    });
}
