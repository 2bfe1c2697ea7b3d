//! The control API.

use super::*;

#[tokio::test]
async fn connections_are_planted_changed_and_removed() {
    let bench = Bench::new().await;
    let planted = json!({
        "name": "Original SF Org", "method": "JWT", "username": "them@example.com",
        "status": "authenticating", "orgId": "00D000000000001AAA", "createdBy": "them@example.com",
    });
    let reply = bench.control("POST", "/connections", Some(planted)).await;
    assert_eq!(reply.status, StatusCode::CREATED);
    let id = reply.body["id"].as_str().expect("an id").to_owned();
    let listed = &bench.list().await[0];
    assert_eq!(listed["status"], "authenticating");
    assert_eq!(listed["created_by"], "them@example.com");
    assert_eq!(listed["org"]["id"], "00D000000000001AAA");
    let by_name = bench.applink("GET", "/connections/Original%20SF%20Org", None).await;
    assert_eq!(by_name.body["id"], id);

    let path = format!("/connections/{id}");
    let error = json!({"id": "org_connection_failed", "message": "Try again later."});
    let failed = json!({"status": "failed", "error": error, "username": "new@example.com"});
    bench.control("PATCH", &path, Some(failed)).await;
    let listed = &bench.list().await[0];
    assert_eq!((&listed["status"], &listed["error"]), (&json!("failed"), &error));
    assert_eq!(listed["org"]["username"], "new@example.com");
    assert_eq!(listed["org"]["id"], "00D000000000001AAA");

    assert_eq!(bench.control("DELETE", &path, None).await.status, StatusCode::NO_CONTENT);
    assert!(bench.list().await.is_empty());
    let again = bench.control("GET", &path, None).await;
    assert_eq!(again.refusal(), (404, "record_not_found"));
    assert_eq!(bench.simulator.requests(|log| log.count(|r| r.mutating)), 0);
}

#[tokio::test]
async fn consent_connects_an_oauth_connection() {
    let bench = Bench::new().await;
    let login = "https://test.salesforce.com";
    let body = json!({"connection_name": "prod", "login_url": login});
    let made = bench.applink("POST", "/connections/salesforce", Some(body)).await;
    assert_eq!(made.status, StatusCode::ACCEPTED);
    let link = made.body["redirect_uri"].as_str().expect("a link");
    assert!(link.starts_with("http://sim.test:8080/consent/"));
    assert_eq!(made.body["org"]["id"], "");
    let consent = json!({"orgId": "00DSG00000DGEIr2AP", "username": "me@example.com"});
    let done = bench.control("POST", "/connections/prod/consent", Some(consent)).await;
    assert_eq!(done.body["status"], "connected");
    let listed = &bench.list().await[0];
    assert_eq!(listed["org"]["id"], "00DSG00000DGEIr2AP");
    assert_eq!(listed["redirect_uri"], Value::Null);
    let again = bench.control("POST", "/connections/prod/consent", None).await;
    assert_eq!(again.refusal(), (409, "conflict"));
}

#[tokio::test]
async fn a_denial_fails_an_oauth_connection() {
    let bench = Bench::new().await;
    let body = json!({"connection_name": "prod"});
    bench.applink("POST", "/connections/datacloud", Some(body)).await;
    let done = bench.control("POST", "/connections/prod/deny", None).await;
    assert_eq!(done.body["status"], "failed");
    let listed = &bench.list().await[0];
    let error = json!({"id": "org_connection_failed", "message": "access_denied: end-user denied authorization"});
    assert_eq!((&listed["error"], &listed["redirect_uri"]), (&error, &Value::Null));
    let again = bench.control("POST", "/connections/prod/deny", None).await;
    assert_eq!(again.refusal(), (409, "conflict"));
}

#[tokio::test]
async fn bad_input_is_named() {
    let bench = Bench::new().await;
    let what = json!({"status": {"code": 99}});
    for (method, path, body, named) in [
        ("PUT", "/settings", json!({"dialekt": "cli"}), "dialekt"),
        ("PUT", "/settings", json!({"dialect": "klingon"}), "klingon"),
        ("PUT", "/settings", json!([]), "object"),
        ("POST", "/faults", json!({"what": what}), "what.status.code"),
        ("POST", "/faults", json!({"what": "explode"}), "explode"),
        ("POST", "/connections", json!({}), "name"),
        ("POST", "/connections", json!({"name": "x", "method": "SAML"}), "method"),
        ("POST", "/apps", json!({"name": "x", "id": "1"}), "UUID"),
        ("POST", "/addons", json!({"name": "x", "attachments": []}), "attachments"),
        ("PATCH", "/addons/orders", json!({}), "add-on"),
        ("DELETE", "/faults/none", json!({}), "none"),
        ("GET", "/requests?since=x", json!({}), "since"),
        ("GET", "/nothing", json!({}), "/nothing"),
    ] {
        let reply = bench.control(method, path, Some(body)).await;
        assert!(reply.status.is_client_error(), "{path}");
        let message = reply.body["message"].as_str().unwrap_or_default();
        assert!(message.contains(named), "{path}: {message}");
    }
}

#[tokio::test]
async fn settings_merge_and_show() {
    let bench = Bench::new().await;
    let patch = json!({"dialect": "reference", "acceptedKeys": ["a".repeat(64)]});
    let reply = bench.control("PUT", "/settings", Some(patch)).await;
    assert_eq!(reply.body["dialect"], "reference");
    assert_eq!(reply.body["takenName"], "conflict");
    assert_eq!(bench.control("GET", "/settings", None).await.body, reply.body);
}

#[tokio::test]
async fn tokens_rotate_and_are_revoked() {
    let mut bench = Bench::new().await;
    let addon = json!({"addon": Seed::ADDON_NAME});
    let rotated = bench.control("POST", "/tokens", Some(addon)).await.body;
    let reply = bench.applink("GET", "/connections", None).await;
    assert_eq!(reply.refusal(), (401, "unauthorized"));
    let token = rotated["token"].as_str().expect("a token").to_owned();
    let vars = bench.platform("/apps/orders-prod/config-vars", "3").await;
    assert_eq!(vars.body["HEROKU_APPLINK_TOKEN"], token);
    bench.headers[0].1 = format!("Bearer {token}");
    bench.list().await;
    let revoke = format!("/tokens?addon={}", Seed::ADDON_ID);
    bench.control("DELETE", &revoke, None).await;
    let reply = bench.applink("GET", "/connections", None).await;
    assert_eq!(reply.refusal(), (401, "unauthorized"));

    let kept = json!({"token": "HRKU-second", "keepOld": true});
    bench.control("POST", "/tokens", Some(kept)).await;
    assert_eq!(bench.platform("/apps/orders-prod", "3").await.status, StatusCode::OK);
    bench.control("DELETE", "/tokens", None).await;
    let reply = bench.platform("/apps/orders-prod", "3").await;
    assert_eq!(reply.refusal(), (401, "unauthorized"));
}

#[tokio::test]
async fn a_second_addon_has_its_own_world() {
    let bench = Bench::new().await;
    let app = json!({"name": "billing-prod"});
    bench.control("POST", "/apps", Some(app)).await;
    let attachments = json!([
        {"app": "billing-prod", "name": "HEROKU_APPLINK"},
        {"app": "orders-prod", "name": "HEROKU_APPLINK_COBALT"},
    ]);
    let addon = json!({"name": "heroku-applink-flat-1", "token": "t", "attachments": attachments});
    let made = bench.control("POST", "/addons", Some(addon)).await.body;
    let id = made["id"].as_str().expect("an id");
    let vars = bench.platform("/apps/orders-prod/config-vars", "3").await.body;
    assert_eq!(vars["HEROKU_APPLINK_COBALT_TOKEN"], "t");
    assert_eq!(vars["HEROKU_APPLINK_TOKEN"], Seed::ADDON_TOKEN);
    let addons = bench.platform("/apps/orders-prod/addons", "3").await.body;
    assert_eq!(addons[2]["app"]["name"], "billing-prod");

    // The first add-on's SSO payload is of no use there.
    let mut headers = bench.headers.clone();
    headers[0].1 = "Bearer t".to_owned();
    let path = format!("/addons/{id}/connections");
    let reply = bench.send("GET", &path, &headers, None).await;
    assert_eq!(reply.refusal(), (403, "forbidden"));

    let ambiguous = json!({"name": "prod"});
    let reply = bench.control("POST", "/connections", Some(ambiguous)).await;
    assert_eq!(reply.refusal(), (400, "bad_request"));
    bench.control("DELETE", "/apps/billing-prod", None).await;
    let addons = bench.platform("/apps/orders-prod/addons", "3").await.body;
    assert_eq!(addons.as_array().map(Vec::len), Some(2));
}
