//! AppLink's endpoints of authorizations: what is not as it is with connections, and that the rest is.

use super::super::super::ACCESS_TOKEN_MARK;
use super::*;

fn jwt_body(name: &str) -> Value {
    let mut body = jwt(name);
    body["developer_name"] = body["connection_name"].take();
    body["alias"] = json!(format!("applink:{name}"));
    body.as_object_mut().expect("an object").remove("connection_name");
    body
}

async fn post_jwt(bench: &Bench, name: &str) -> Reply {
    bench.applink("POST", "/authorizations/salesforce/jwt", Some(jwt_body(name))).await
}

async fn post_oauth(bench: &Bench, name: &str) -> Reply {
    let body = json!({"developer_name": name});
    bench.applink("POST", "/authorizations/salesforce", Some(body)).await
}

/// As the SDKs do: without `x-addon-sso`.
async fn fetch(bench: &Bench, key: &str) -> Reply {
    let headers: Vec<_> = bench.headers.iter().filter(|(name, _)| *name != "x-addon-sso").cloned().collect();
    bench.send("GET", &format!("/addons/{}/authorizations/{key}", Seed::ADDON_ID), &headers, None).await
}

async fn list(bench: &Bench) -> Vec<Value> {
    let reply = bench.applink("GET", "/authorizations", None).await;
    assert_eq!(reply.status, StatusCode::OK);
    reply.body.as_array().expect("an array").clone()
}

#[tokio::test]
async fn a_jwt_authorizes_at_once_or_a_second_later_for_both_providers() {
    for (provider, kind) in [("salesforce", "SalesforceOrg"), ("datacloud", "DataCloudOrg")] {
        for (dialect, status) in [("cli", "authorized"), ("reference", "authorizing")] {
            let bench = Bench::new().await;
            bench.set(json!({"dialect": dialect}));
            let path = format!("/authorizations/{provider}/jwt");
            let made = bench.applink("POST", &path, Some(jwt_body("batchUser"))).await;
            assert_eq!((made.status, &made.body["status"]), (StatusCode::ACCEPTED, &json!(status)));
            assert_eq!(made.body["org"]["developer_name"], "batchUser");
            assert_eq!(made.body["org"]["type"], kind);
            assert_eq!(made.body["connection_method"], "JWT");
            assert_eq!(made.body["org"].get("connection_name"), None);
            bench.advance(1_000);
            assert_eq!(list(&bench).await[0]["status"], "authorized");
            assert!(bench.list().await.is_empty());
        }
    }
}

#[tokio::test]
async fn what_the_sdks_read_is_there_in_any_dialect() {
    for (dialect, version) in [("cli", "64.0"), ("reference", "57.0")] {
        let bench = Bench::new().await;
        bench.set(json!({"dialect": dialect, "connectSeconds": 0}));
        let id = post_jwt(&bench, "batchUser").await.body["id"].as_str().expect("an id").to_owned();
        for key in ["batchUser", "applink:batchUser", "applink%3AbatchUser", &id] {
            let body = fetch(&bench, key).await.body;
            assert_eq!((&body["id"], &body["status"]), (&json!(id), &json!("authorized")), "{key}: {body}");
            assert_eq!(body["created_by"], "demo@example.com");
            for field in ["created_at", "last_modified_at"] {
                assert_eq!(body[field], "2025-06-15T15:06:40.000000Z");
            }
            let org = &body["org"];
            assert_eq!((&org["developer_name"], &org["type"]), (&json!("batchUser"), &json!("SalesforceOrg")));
            assert_eq!(org["api_version"], version);
            assert!(org["id"].as_str().is_some_and(|id| id.starts_with("00D")), "{org}");
            assert!(org["instance_url"].as_str().is_some_and(|url| url.starts_with("https://")), "{org}");
            let user = &org["user_auth"];
            assert_eq!(user["username"], "ci@example.com");
            assert!(user["user_id"].as_str().is_some_and(|id| id.starts_with("005")), "{user}");
            assert!(user["access_token"].as_str().is_some_and(|token| token.contains(ACCESS_TOKEN_MARK)), "{user}");
        }
    }
}

#[tokio::test]
async fn a_delete_answers_an_empty_object_and_is_done() {
    let bench = Bench::new().await;
    post_jwt(&bench, "batchUser").await;
    let alias = bench.applink("DELETE", "/authorizations/applink:batchUser", None).await;
    assert_eq!(alias.refusal(), (404, "record_not_found"));
    let done = bench.applink("DELETE", "/authorizations/batchUser", None).await;
    assert_eq!((done.status, done.body), (StatusCode::OK, json!({})));
    assert_eq!(fetch(&bench, "batchUser").await.refusal(), (404, "record_not_found"));
    assert!(list(&bench).await.is_empty());
}

#[tokio::test]
async fn consent_authorizes() {
    let bench = Bench::new().await;
    let made = post_oauth(&bench, "batchUser").await;
    assert_eq!((made.status, &made.body["status"]), (StatusCode::ACCEPTED, &json!("authorizing")));
    let link = made.body["redirect_uri"].as_str().expect("a link");
    assert!(link.starts_with("http://sim.test:8080/consent/"), "{link}");
    let consent = json!({"username": "me@example.com"});
    let done = bench.control("POST", "/authorizations/batchUser/consent", Some(consent)).await;
    assert_eq!(done.body["status"], "authorized");
    assert_eq!(fetch(&bench, "batchUser").await.body["org"]["user_auth"]["username"], "me@example.com");
}
