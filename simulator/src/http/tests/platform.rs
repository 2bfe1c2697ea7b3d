//! The Platform API.

use super::*;

#[tokio::test]
async fn discovery_finds_the_api_url() {
    let bench = Bench::new().await;
    let app = bench.platform("/apps/orders-prod", "3").await;
    assert_eq!(app.body["id"], Seed::APP_ID.to_string());
    assert_eq!(app.headers["ratelimit-remaining"], "4498");
    let by_id = format!("/apps/{}", Seed::APP_ID);
    assert_eq!(bench.platform(&by_id, "3").await.body, app.body);

    let addons = bench.platform("/apps/orders-prod/addons", "3").await.body;
    let services = [0, 1].map(|i| addons[i]["addon_service"]["name"].clone());
    assert_eq!(services, ["heroku-postgresql", "heroku-applink"]);
    let addon = addons[1]["id"].as_str().expect("an id");
    assert_eq!(addons[1]["state"], "provisioned");

    let path = "/apps/orders-prod/addon-attachments";
    let attachments = bench.platform(path, "3").await.body;
    assert_eq!(attachments[1]["addon"]["id"], addon);
    assert_eq!(attachments[1]["name"], "HEROKU_APPLINK");

    let vars = bench.platform("/apps/orders-prod/config-vars", "3").await;
    let url = format!("http://sim.test:8080/addons/{addon}");
    assert_eq!(vars.body["HEROKU_APPLINK_API_URL"], url);
    assert_eq!(vars.body["HEROKU_APPLINK_TOKEN"], Seed::ADDON_TOKEN);
    assert!(vars.body["DATABASE_URL"].is_string());
}

#[tokio::test]
async fn the_api_url_follows_the_setting_and_the_request() {
    let bench = Bench::new().await;
    let path = "/apps/orders-prod/config-vars";
    bench.set(json!({"apiOrigin": "https://evil.example.com/"}));
    let vars = bench.platform(path, "3").await.body;
    let url = format!("https://evil.example.com/addons/{}", Seed::ADDON_ID);
    assert_eq!(vars["HEROKU_APPLINK_API_URL"], url);

    bench.set(json!({"apiOrigin": null}));
    let request = Request::get(format!("https://api.heroku.test{path}"))
        .header("accept", "application/vnd.heroku+json; version=3")
        .header("authorization", format!("Bearer {}", Seed::HEROKU_TOKEN));
    let request = request.body(Body::empty()).expect("a request");
    let answer = bench.simulator.router().oneshot(request).await;
    let bytes = to_bytes(answer.expect("infallible").into_body(), 4096).await;
    let vars: Value = serde_json::from_slice(&bytes.expect("a body")).expect("JSON");
    let url = format!("https://api.heroku.test/addons/{}", Seed::ADDON_ID);
    assert_eq!(vars["HEROKU_APPLINK_API_URL"], url);
}

#[tokio::test]
async fn the_version_is_a_parameter_of_accept() {
    let bench = Bench::new().await;
    for (accept, status) in [
        ("application/vnd.heroku+json; version=3", 200),
        ("application/vnd.heroku+json;version=3", 200),
        ("Application/vnd.heroku+JSON; Version=3; q=0.9", 200),
        ("application/json, application/vnd.heroku+json; version=3.sdk", 200),
        ("application/vnd.heroku+json; charset=utf-8; version=3, */*", 200),
        ("application/vnd.heroku+json", 406),
        ("application/vnd.heroku+json; version=33", 406),
        ("application/json; version=3", 406),
    ] {
        let headers = [("accept", accept.to_owned()), ("authorization", format!("Bearer {}", Seed::HEROKU_TOKEN))];
        let reply = bench.send("GET", "/apps/orders-prod", &headers, None).await;
        assert_eq!(reply.status.as_u16(), status, "{accept}");
    }
}

#[tokio::test]
async fn bad_tokens_versions_and_names_are_refused() {
    let bench = Bench::new().await;
    for token in ["", "Bearer wrong", "Basic HRKU-demo-token"] {
        let headers = [("authorization", token.to_owned())];
        let reply = bench.send("GET", "/apps/orders-prod", &headers, None).await;
        assert_eq!(reply.refusal(), (401, "unauthorized"), "{token}");
    }
    for (path, version, refusal) in [
        ("/apps/orders-prod", "2", (406, "not_acceptable")),
        ("/apps/other", "3", (404, "not_found")),
        ("/pipelines", "3", (404, "not_found")),
        ("/apps/%ff", "3", (400, "bad_request")),
    ] {
        let reply = bench.platform(path, version).await;
        assert_eq!(reply.refusal(), refusal, "{path}");
    }
}

#[tokio::test]
async fn sso_exists_under_both_variants_only() {
    let bench = Bench::new().await;
    let path = "/apps/orders-prod/addons/heroku-applink-cubed-1234/sso";
    for version in ["3.sdk", "3.add-ons-sso"] {
        let reply = bench.platform(path, version).await;
        assert_eq!(reply.body["method"], "post", "{version}");
        assert_eq!(reply.body["params"]["context_app"], "orders-prod");
    }
    assert_eq!(bench.platform(path, "3").await.refusal(), (404, "not_found"));
    bench.set(json!({"refusedSsoVariant": "3.sdk"}));
    assert_eq!(bench.platform(path, "3.sdk").await.refusal(), (404, "not_found"));
    assert_eq!(bench.platform(path, "3.add-ons-sso").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_rate_limit_answers_429_and_rate_limits_costs_nothing() {
    let bench = Bench::new().await;
    bench.set(json!({"rateLimit": 1, "rateRefillPerMinute": 60}));
    let app = "/apps/orders-prod";
    bench.advance(60_000);
    assert_eq!(bench.platform(app, "3").await.status, StatusCode::OK);
    let refused = bench.platform(app, "3").await;
    assert_eq!(refused.refusal(), (429, "rate_limit"));
    assert_eq!(refused.headers["ratelimit-remaining"], "0");
    let left = bench.platform("/account/rate-limits", "3").await;
    assert_eq!(left.body, json!({"remaining": 0}));
    bench.advance(1_000);
    assert_eq!(bench.platform(app, "3").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_provisioning_addon_has_no_config_vars() {
    let bench = Bench::new().await;
    let state = json!({"state": "provisioning"});
    let path = format!("/addons/{}", Seed::ADDON_NAME);
    bench.control("PATCH", &path, Some(state)).await;
    let vars = bench.platform("/apps/orders-prod/config-vars", "3").await;
    assert_eq!(vars.body["HEROKU_APPLINK_API_URL"], Value::Null);
    let addons = bench.platform("/apps/orders-prod/addons", "3").await;
    assert_eq!(addons.body[1]["state"], "provisioning");
}
