//! AppLink's endpoints for authorizations: how they differ from connections, and what is the same.

use super::*;
use crate::{ACCESS_TOKEN_MARK, Token};

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

/// A GET without one of the headers.
async fn knock(bench: &Bench, path: &str, missing: &str) -> Reply {
    let headers: Vec<_> = bench.headers.iter().filter(|(name, _)| *name != missing).cloned().collect();
    bench.send("GET", &format!("/addons/{}/authorizations{path}", Seed::ADDON_ID), &headers, None).await
}

/// As the SDKs do.
async fn fetch(bench: &Bench, key: &str) -> Reply {
    knock(bench, &format!("/{key}"), "x-addon-sso").await
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
            let method = if dialect == "cli" { json!("JWT") } else { Value::Null };
            assert_eq!(made.body["connection_method"], method);
            assert_eq!(made.body["org"].get("connection_name"), None);
            bench.advance(1_000);
            assert_eq!(list(&bench).await[0]["status"], "authorized");
            assert!(bench.list().await.is_empty());
        }
    }
}

#[tokio::test]
async fn sdk_fields_are_present_in_every_dialect() {
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
async fn sdk_fields_are_empty_before_consent() {
    for dialect in ["cli", "reference", "mixed"] {
        let bench = Bench::new().await;
        bench.set(json!({"dialect": dialect}));
        post_oauth(&bench, "person").await;
        post_oauth(&bench, "denied").await;
        bench.control("POST", "/authorizations/denied/deny", None).await;
        for (name, status) in [("person", "authorizing"), ("denied", "failed")] {
            let body = fetch(&bench, name).await.body;
            assert_eq!(body["status"], status);
            assert_eq!(
                body["org"]["user_auth"],
                json!({"username": "", "user_id": "", "access_token": ""}),
                "{dialect}"
            );
            for field in ["id", "instance_url", "api_version"] {
                assert_eq!(body["org"][field], "", "{dialect} {field}");
            }
        }
    }
}

#[tokio::test]
async fn delete_returns_an_empty_object_and_removes_at_once() {
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

#[tokio::test]
async fn denial_on_the_page_fails_the_authorization() {
    let bench = Bench::new().await;
    let made = post_oauth(&bench, "batchUser").await;
    let link = made.body["redirect_uri"].as_str().expect("a link").to_owned();
    let page = bench.send("GET", &link, &[], None).await;
    assert!(page.body.as_str().is_some_and(|page| page.contains("<dt>Authorization</dt><dd>batchUser</dd>")));
    let denied = bench.control("POST", "/authorizations/batchUser/deny", None).await;
    assert_eq!(denied.body["status"], "failed");
    let listed = &list(&bench).await[0];
    assert_eq!((&listed["status"], &listed["error"]["id"]), (&json!("failed"), &json!("org_connection_failed")));
}

#[tokio::test]
async fn the_sdk_route_needs_sso_only_if_set() {
    let bench = Bench::new().await;
    post_jwt(&bench, "batchUser").await;
    for (path, missing, refusal) in [
        ("/batchUser", "authorization", (401, "unauthorized")),
        ("/batchUser", "x-app-uuid", (400, "bad_request")),
        ("", "x-addon-sso", (401, "unauthorized")),
    ] {
        assert_eq!(knock(&bench, path, missing).await.refusal(), refusal, "{path} {missing}");
    }
    for (check, one, all) in [("management", 200, 401), ("always", 401, 401), ("never", 200, 200)] {
        bench.set(json!({"ssoCheck": check}));
        assert_eq!(fetch(&bench, "batchUser").await.status.as_u16(), one, "{check}");
        assert_eq!(knock(&bench, "", "x-addon-sso").await.status.as_u16(), all, "{check}");
    }
    let delete = format!("/addons/{}/authorizations/batchUser", Seed::ADDON_ID);
    bench.set(json!({"ssoCheck": "management"}));
    let headers: Vec<_> = bench.headers.iter().filter(|(name, _)| *name != "x-addon-sso").cloned().collect();
    assert_eq!(bench.send("DELETE", &delete, &headers, None).await.refusal(), (401, "unauthorized"));
}

#[tokio::test]
async fn errors_of_the_sdk_route_follow_error_shape() {
    let bench = Bench::new().await;
    bench.set(json!({"errorShape": "titleDetail"}));
    let reply = fetch(&bench, "nobody").await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
    assert_eq!(reply.body, json!({"title": "Not Found", "detail": "record not found"}));
}

#[tokio::test]
async fn access_tokens_follow_the_setting_and_expire() {
    let bench = Bench::new().await;
    post_jwt(&bench, "batchUser").await;
    let token = async || fetch(&bench, "batchUser").await.body["org"]["user_auth"]["access_token"].clone();
    let first = token().await;
    assert_eq!(token().await, first);
    assert_eq!(list(&bench).await[0]["org"]["access_token"], first);
    let expired = bench.control("POST", "/authorizations/batchUser/expire", None).await;
    let second = token().await;
    assert_ne!(second, first);
    let digest = Token::new(second.as_str().expect("a token")).digest();
    assert_eq!(expired.body["accessTokenDigest"], digest);
    bench.set(json!({"accessToken": "fresh"}));
    let fresh = [token().await, token().await];
    assert!(fresh[0] != fresh[1] && !fresh.contains(&second));
    assert_eq!(list(&bench).await[0]["org"]["access_token"], fresh[1]);
}

#[tokio::test]
async fn status_words_and_key_follow_the_settings() {
    for (words, expected) in [
        ("current", ["authorizing", "authorized", "failed"]),
        ("older", ["authorizing", "authorized", "error"]),
        ("pilot", ["authenticating", "authenticated", "authentication_failed"]),
        ("capitalised", ["Authorizing", "Authorized", "Failed"]),
    ] {
        let bench = Bench::new().await;
        bench.set(json!({"statusWords": words, "statusKey": "state"}));
        post_oauth(&bench, "waits").await;
        post_jwt(&bench, "works").await;
        post_oauth(&bench, "broken").await;
        bench.control("POST", "/authorizations/broken/deny", None).await;
        let listed = list(&bench).await;
        assert_eq!([0, 1, 2].map(|i| listed[i]["state"].as_str().expect("a word")), expected, "{words}");
    }
}

#[tokio::test]
async fn field_settings_apply_to_authorizations() {
    for (switches, path, expected) in [
        (json!({"namePlace": "top"}), "/developer_name", json!("batchUser")),
        (json!({"namePlace": "top"}), "/org/developer_name", json!(null)),
        (json!({"namePlace": "both"}), "/org/developer_name", json!("batchUser")),
        (json!({"omitted": ["user"]}), "/org/user_auth", json!(null)),
        (json!({"omitted": ["accessToken"]}), "/org/user_auth/access_token", json!(null)),
        (json!({"omitted": ["provenance"]}), "/created_at", json!(null)),
        (json!({"omitted": ["orgType"], "omittedAs": "null"}), "/org/type", json!(null)),
        (json!({"connectSeconds": 5, "pendingOrg": "nulls"}), "/org/developer_name", json!("batchUser")),
        (json!({"connectSeconds": 5, "pendingOrg": "null"}), "/org", json!(null)),
        (json!({"getOne": "array"}), "/0/org/developer_name", json!("batchUser")),
    ] {
        let bench = Bench::new().await;
        bench.set(switches.clone());
        post_jwt(&bench, "batchUser").await;
        let body = fetch(&bench, "batchUser").await.body;
        assert_eq!(body.pointer(path).unwrap_or(&Value::Null), &expected, "{switches}: {body}");
    }
}

#[tokio::test]
async fn a_disconnected_authorization_has_an_error() {
    for (dialect, told) in [("cli", json!("org_connection_failed")), ("reference", json!(null))] {
        let bench = Bench::new().await;
        bench.set(json!({"dialect": dialect, "keepDisconnected": true}));
        post_jwt(&bench, "deleted").await;
        bench.applink("DELETE", "/authorizations/deleted", None).await;
        let planted = json!({"name": "planted", "status": "disconnected"});
        bench.control("POST", "/authorizations", Some(planted)).await;
        for listed in list(&bench).await {
            assert_eq!((&listed["status"], &listed["error"]["id"]), (&json!("disconnected"), &told));
        }
        bench.control("POST", "/connections", Some(json!({"name": "prod", "status": "disconnected"}))).await;
        assert_eq!(bench.list().await[0]["error"]["id"], Value::Null);
    }
}

#[tokio::test]
async fn refusals_name_the_field() {
    let bench = Bench::new().await;
    post_jwt(&bench, "batchUser").await;
    let taken = post_oauth(&bench, "batchUser").await;
    assert_eq!(taken.refusal(), (409, "conflict"));
    assert_eq!(taken.body["message"], "Authorization already exists: batchUser");
    let bad = post_jwt(&bench, "my-auth").await;
    assert_eq!(bad.refusal(), (422, "validation_failed"));
    assert!(bad.body["message"].as_str().is_some_and(|told| told.starts_with("Invalid developer name format")));
    let nameless = bench.applink("POST", "/authorizations/salesforce", Some(json!({"connection_name": "prod"}))).await;
    assert_eq!(nameless.body["message"], "developer_name is required");
    bench.set(json!({"takenName": "unprocessable"}));
    assert_eq!(post_jwt(&bench, "batchUser").await.body["message"], "developer_name has already been taken");
    bench.set(json!({"acceptedKeys": ["0".repeat(64)]}));
    let failed = post_jwt(&bench, "refused").await;
    assert_eq!((failed.status, &failed.body["status"]), (StatusCode::ACCEPTED, &json!("failed")));
    assert_eq!(failed.body["error"]["id"], "authentication_failed");
    let elsewhere = bench.applink("POST", "/authorizations/other/jwt", Some(jwt_body("batch"))).await;
    assert_eq!(elsewhere.refusal(), (404, "not_found"));
    // An app's name means its connections, and no authorization.
    assert_eq!(fetch(&bench, Seed::APP_NAME).await.refusal(), (404, "record_not_found"));
}

#[tokio::test]
async fn delete_answer_follows_the_setting() {
    for (answer, status, field) in [("accepted", 202, "disconnected"), ("ok", 200, "disconnected")] {
        let bench = Bench::new().await;
        bench.set(json!({"deleteAnswer": answer}));
        post_jwt(&bench, "batchUser").await;
        let done = bench.applink("DELETE", "/authorizations/batchUser", None).await;
        assert_eq!((done.status.as_u16(), &done.body["status"]), (status, &json!(field)));
    }
}

#[tokio::test]
async fn lists_lag_and_single_reads_do_not() {
    let bench = Bench::new().await;
    bench.set(json!({"listLagSeconds": 10}));
    post_jwt(&bench, "batchUser").await;
    assert!(list(&bench).await.is_empty());
    assert_eq!(fetch(&bench, "batchUser").await.body["status"], "authorized");
    bench.advance(10_000);
    bench.applink("DELETE", "/authorizations/batchUser", None).await;
    assert_eq!(list(&bench).await[0]["status"], "authorized");
    assert_eq!(fetch(&bench, "batchUser").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_control_api_separates_the_collections() {
    let bench = Bench::new().await;
    for collection in ["connections", "authorizations"] {
        let planted = json!({"name": "prod", "method": "JWT", "alias": "theirs", "createdBy": "them@example.com"});
        bench.control("POST", &format!("/{collection}"), Some(planted)).await;
    }
    let change =
        json!({"status": "failed", "error": {"id": "gone", "message": "Gone."}, "username": "new@example.com"});
    let changed = bench.control("PATCH", "/authorizations/prod", Some(change)).await;
    assert_eq!((&changed.body["status"], &changed.body["username"]), (&json!("failed"), &json!("new@example.com")));
    let body = fetch(&bench, "theirs").await.body;
    assert_eq!((&body["error"]["id"], &body["created_by"]), (&json!("gone"), &json!("them@example.com")));
    let world = bench.control("GET", "/world", None).await.body;
    assert_eq!(
        (&world["authorizations"][0]["status"], &world["connections"][0]["status"]),
        (&json!("failed"), &json!("connected"))
    );
    assert!(!world.to_string().contains(ACCESS_TOKEN_MARK), "{world}");
    let removed = bench.control("DELETE", "/authorizations/prod", None).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    assert_eq!((list(&bench).await.len(), bench.list().await.len()), (0, 1));
    bench.control("DELETE", &format!("/addons/{}", Seed::ADDON_ID), None).await;
    assert_eq!(bench.control("GET", "/world", None).await.body["connections"], json!([]));
}
