//! The reference dialect: each response has the fields of the article's tables, and the further ones of its samples.

use super::*;

const AUTHORIZATION: [&str; 8] =
    ["app_name", "created_at", "created_by", "id", "last_modified_at", "last_modified_by", "org", "status"];

async fn reference() -> Bench {
    let bench = Bench::new().await;
    bench.set(json!({"dialect": "reference", "connectSeconds": 0}));
    bench.post_jwt("prodOrg").await;
    let mut user = jwt("batchUser");
    user["developer_name"] = json!("batchUser");
    bench.applink("POST", "/authorizations/salesforce/jwt", Some(user)).await;
    bench
}

fn keys(body: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn with<'a>(fields: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let mut all = [fields, more].concat();
    all.sort_unstable();
    all
}

#[tokio::test]
async fn authorization_fields_match_the_reference() {
    let bench = reference().await;
    let listed = bench.applink("GET", "/authorizations", None).await.body[0].clone();
    assert_eq!(keys(&listed), AUTHORIZATION);
    let detail = bench.applink("GET", "/authorizations/batchUser", None).await.body;
    assert_eq!(keys(&detail), with(&AUTHORIZATION, &["created_via_app"]));
    for body in [&listed, &detail] {
        assert_eq!((&body["app_name"], &body["created_by"]), (&json!("orders-prod"), &json!("demo@example.com")));
    }
    let asked = json!({"developer_name": "person"});
    let made = bench.applink("POST", "/authorizations/salesforce", Some(asked)).await.body;
    assert_eq!(keys(&made), ["created_at", "id", "org", "redirect_uri", "status"]);
}

#[tokio::test]
async fn connection_fields_match_the_reference() {
    let bench = reference().await;
    let listed = ["addon_id", "connection_method", "id", "org", "status"];
    assert_eq!(keys(&bench.list().await[0]), listed);
    let by_app = with(&listed, &["app_id", "created_at", "last_modified_at"]);
    assert_eq!(keys(&bench.applink("GET", "/connections/orders-prod", None).await.body[0]), by_app);
    let detail = with(&by_app, &["created_by", "created_via_app", "last_modified_by"]);
    assert_eq!(keys(&bench.applink("GET", "/connections/prodOrg", None).await.body), detail);
    let made = bench.applink("POST", "/connections/datacloud", Some(json!({"connection_name": "data"}))).await.body;
    assert_eq!(keys(&made), with(&listed, &["app_id", "created_at", "redirect_uri"]));
}

#[tokio::test]
async fn a_delete_answers_204_and_the_record_shows_disconnected() {
    for path in ["/connections/prodOrg", "/authorizations/batchUser"] {
        let bench = reference().await;
        let done = bench.applink("DELETE", path, None).await;
        assert_eq!((done.status, done.body), (StatusCode::NO_CONTENT, json!("")));
        assert_eq!(bench.applink("GET", path, None).await.body["status"], "disconnected", "{path}");
        bench.advance(1_000);
        assert_eq!(bench.applink("GET", path, None).await.refusal(), (404, "record_not_found"));

        let bench = reference().await;
        bench.set(json!({"keepDisconnected": true}));
        bench.applink("DELETE", path, None).await;
        bench.advance(3_600_000);
        assert_eq!(bench.applink("GET", path, None).await.body["status"], "disconnected");
    }
}

#[tokio::test]
async fn status_after_delete_follows_the_setting_in_every_dialect() {
    for (dialect, status) in [("cli", "disconnected"), ("reference", "disconnecting")] {
        let bench = Bench::new().await;
        bench.set(json!({"dialect": dialect, "statusAfterDelete": status, "deleteAnswer": "accepted"}));
        bench.post_jwt("prodOrg").await;
        let done = bench.applink("DELETE", "/connections/prodOrg", None).await;
        assert_eq!((done.status, &done.body["status"]), (StatusCode::ACCEPTED, &json!(status)));
        assert_eq!(bench.list().await[0]["status"], status);
        bench.advance(1_000);
        assert!(bench.list().await.is_empty());
    }
}
