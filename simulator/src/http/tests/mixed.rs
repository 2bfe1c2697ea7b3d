//! The mixed dialect: keys of both dialects in one object, timestamps without a fraction, and unknown fields.

use super::uploads::orders;
use super::*;

/// Whether a body has a field at each of these paths.
fn has(body: &Value, paths: &[&str]) -> Vec<bool> {
    paths.iter().map(|path| body.pointer(path).is_some()).collect()
}

fn is_mixed(body: &Value, timestamp: &str) {
    assert_eq!(body[timestamp], "2025-06-15T15:06:40Z", "{body}");
    assert!(body["revision"].is_number() && body["labels"].is_array() && body["links"].is_object(), "{body}");
}

async fn mixed() -> Bench {
    let bench = Bench::new().await;
    bench.set(json!({"dialect": "mixed", "connectSeconds": 0}));
    bench
}

#[tokio::test]
async fn mixed_connections_alternate_between_four_key_sets() {
    let bench = mixed().await;
    for name in ["some", "both", "article", "plugin"] {
        bench.post_jwt(name).await;
    }
    let paths = ["/org/api_verion", "/org/api_version", "/org/user_auth/user_id", "/org/user_id", "/org/username"];
    for (listed, expected) in bench.list().await.iter().zip([
        [false, true, true, false, true],
        [true, true, true, true, true],
        [true, false, true, false, false],
        [false, true, false, true, true],
    ]) {
        assert_eq!(has(listed, &paths), expected, "{listed}");
        assert!(listed["org"]["is_sandbox"].is_boolean());
        let name = listed["org"]["connection_name"].as_str().expect("a name");
        is_mixed(&bench.applink("GET", &format!("/connections/{name}"), None).await.body, "last_modified_at");
    }
    let both = &bench.list().await[1]["org"];
    assert_eq!(both["api_version"], format!("v{}", both["api_verion"].as_str().expect("a version")));
    assert_eq!(both["username"], both["user_auth"]["username"]);
}

#[tokio::test]
async fn mixed_authorizations_have_fields_of_both_dialects() {
    let bench = mixed().await;
    let mut user = jwt("batchUser");
    user["developer_name"] = json!("batchUser");
    bench.applink("POST", "/authorizations/salesforce/jwt", Some(user)).await;
    let listed = bench.applink("GET", "/authorizations", None).await.body[0].clone();
    is_mixed(&listed, "created_at");
    assert_eq!((&listed["app_name"], &listed["created_via_app"]), (&json!("orders-prod"), &json!("orders-prod")));
    // The SDKs' route has what they read, in this dialect too.
    let detail = bench.applink("GET", "/authorizations/batchUser", None).await.body;
    assert_eq!(has(&detail, &["/org/user_auth/username", "/org/user_auth/access_token"]), [true, true]);
}

#[tokio::test]
async fn mixed_publications_have_keys_of_both_dialects() {
    let mut bench = mixed().await;
    bench.post_jwt("prod").await;
    for app in ["billing-prod", "carts-prod", "depot-prod", "earth-prod"] {
        bench.headers[2].1 = bench.attach(app).to_string();
        assert_eq!(bench.publish("prod", &orders()).await.status, StatusCode::CREATED);
    }
    let paths =
        ["/app_id", "/app_uuid", "/heroku_applink_id", "/heroku_app_link_id", "/external_service_id", "/esr_id"];
    let listed = bench.applink("GET", "/connections/salesforce/prod/apps", None).await.body;
    for (publication, expected) in listed.as_array().expect("a list").iter().zip([
        [false, true, true, false, true, false],
        [true, true, true, true, true, true],
        [true, false, false, true, true, false],
        [false, true, true, false, false, true],
    ]) {
        assert_eq!(has(publication, &paths), expected, "{publication}");
        is_mixed(publication, "last_modified_at");
    }
}

#[tokio::test]
async fn mixed_targets_have_keys_of_both_dialects() {
    let bench = mixed().await;
    bench.control("POST", "/connections", Some(json!({"name": "data", "provider": "datacloud"}))).await;
    let path = "/connections/datacloud/data/data_action_targets";
    let paths = ["/status", "/state", "/app_id", "/heroku_app/id"];
    for (n, expected) in
        [[false, true, false, true], [true, true, true, true], [false, true, true, false], [true, false, false, true]]
            .into_iter()
            .enumerate()
    {
        let new = json!({"label": "Updates", "api_name": format!("updates{n}"), "target_endpoint": "/"});
        bench.applink("POST", path, Some(new)).await;
        let read = bench.applink("GET", &format!("{path}/updates{n}"), None).await.body;
        assert_eq!(has(&read, &paths), expected, "{read}");
        assert!(read["revision"].is_number());
    }
    // With a setting for the key, every object has it.
    bench.set(json!({"dataActionTargets": {"statusKey": "status"}}));
    for listed in bench.applink("GET", path, None).await.body.as_array().expect("a list") {
        assert_eq!(has(listed, &["/status", "/state", "/app_id"]), [true, false, true], "{listed}");
    }
}
