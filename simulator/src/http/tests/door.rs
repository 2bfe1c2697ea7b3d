//! Authentication and rate limit of the AppLink API.

use super::*;

fn spoiled(bench: &Bench, name: &str, value: Option<String>) -> Vec<(&'static str, String)> {
    let mut headers = bench.headers.clone();
    headers.retain(|(kept, _)| *kept != name);
    if let (Some(value), Some((name, _))) = (value, bench.headers.iter().find(|h| h.0 == name)) {
        headers.push((name, value));
    }
    headers
}

#[tokio::test]
async fn callers_without_valid_headers_are_refused() {
    let bench = Bench::new().await;
    let other = Bench::new().await;
    let heroku = format!("Bearer {}", Seed::HEROKU_TOKEN);
    let cases = [
        ("authorization", None, (401, "unauthorized")),
        ("authorization", Some(heroku), (401, "unauthorized")),
        ("authorization", Some("Bearer x".into()), (401, "unauthorized")),
        ("x-addon-sso", None, (401, "unauthorized")),
        ("x-addon-sso", Some("%".into()), (403, "forbidden")),
        ("x-addon-sso", Some(STANDARD.encode("{}")), (403, "forbidden")),
        ("x-addon-sso", Some(other.sso().await), (403, "forbidden")),
        ("x-app-uuid", None, (400, "bad_request")),
        ("x-app-uuid", Some(Seed::ADDON_ID.to_string()), (403, "forbidden")),
    ];
    let path = format!("/addons/{}/connections", Seed::ADDON_ID);
    for (name, value, refusal) in cases {
        let headers = spoiled(&bench, name, value.clone());
        let reply = bench.send("GET", &path, &headers, None).await;
        assert_eq!(reply.refusal(), refusal, "{name}: {value:?}");
    }
    let by_name = format!("/addons/{}/connections", Seed::ADDON_NAME);
    let reply = bench.send("GET", &by_name, &bench.headers, None).await;
    assert_eq!(reply.body, json!([]));
}

#[tokio::test]
async fn an_old_sso_payload_may_only_read() {
    let mut bench = Bench::new().await;
    bench.attach("billing-prod");
    bench.control("POST", "/connections", Some(json!({"name": "data", "provider": "datacloud"}))).await;
    bench.control("POST", "/connections", Some(json!({"name": "prod"}))).await;
    bench.control("POST", "/authorizations", Some(json!({"name": "batchUser"}))).await;
    let reads = [
        "/connections",
        "/connections/prod",
        "/authorizations",
        "/connections/salesforce/prod/apps",
        "/connections/salesforce/prod/apps/orders-prod",
        "/connections/datacloud/data/data_action_targets",
    ];
    let writes = [
        ("POST", "/connections/salesforce"),
        ("POST", "/authorizations/salesforce/jwt"),
        ("POST", "/connections/salesforce/prod/apps"),
        ("DELETE", "/connections/salesforce/prod/apps/orders-prod"),
        ("POST", "/connections/datacloud/data/data_action_targets"),
        ("DELETE", "/connections/prod"),
        ("DELETE", "/authorizations/batchUser"),
    ];
    bench.advance(120_999);
    assert_eq!(
        bench.applink("POST", "/connections/salesforce", Some(json!({"connection_name": "one"}))).await.status,
        202
    );
    bench.advance(1);
    for read in reads {
        assert_eq!(bench.applink("GET", read, None).await.status, StatusCode::OK, "{read}");
    }
    for (method, write) in writes {
        assert_eq!(bench.applink(method, write, Some(json!({}))).await.refusal(), (403, "forbidden"), "{write}");
    }
    bench.set(json!({"ssoFreshness": "everyCall"}));
    for read in reads {
        assert_eq!(bench.applink("GET", read, None).await.refusal(), (403, "forbidden"), "{read}");
    }
    // The SDKs send none at all.
    assert_eq!(bench.applink("GET", "/authorizations/batchUser", None).await.status, StatusCode::OK);
    bench.headers[1].1 = bench.sso().await;
    bench.list().await;
    bench.set(json!({"ssoWindowSeconds": 5}));
    bench.advance(6_000);
    let reply = bench.applink("GET", "/connections", None).await;
    assert_eq!(reply.refusal(), (403, "forbidden"));
}

#[tokio::test]
async fn an_invalid_sso_payload_is_refused_for_reads_too() {
    let bench = Bench::new().await;
    let other = Bench::new().await.sso().await;
    let path = format!("/addons/{}/connections", Seed::ADDON_ID);
    for (switch, status) in [("forbidden", 403), ("unauthorized", 401)] {
        bench.set(json!({"ssoRefusal": switch}));
        for bad in ["%".to_owned(), String::new(), STANDARD.encode("{}"), STANDARD.encode("no JSON"), other.clone()] {
            let headers = spoiled(&bench, "x-addon-sso", Some(bad.clone()));
            assert_eq!(bench.send("GET", &path, &headers, None).await.refusal(), (status, switch), "{bad}");
        }
        let odd = Request::get(&path).header("authorization", &bench.headers[0].1).header("x-addon-sso", &b"\xff"[..]);
        let reply = bench.exchange(odd.body(Body::empty()).expect("a request")).await.expect("an answer");
        assert_eq!(reply.refusal(), (status, switch));
    }
}

#[tokio::test]
async fn ids_are_case_insensitive() {
    let bench = Bench::new().await;
    let made = bench.post_jwt("prod").await.body;
    bench.control("POST", "/connections", Some(json!({"name": "data", "provider": "datacloud"}))).await;
    let new = json!({"label": "Updates", "api_name": "updates", "target_endpoint": "/"});
    let targets = "/connections/datacloud/data/data_action_targets";
    let target = bench.applink("POST", targets, Some(new)).await.body;
    bench.control("POST", "/authorizations", Some(json!({"name": "batchUser"}))).await;
    let user = bench.applink("GET", "/authorizations/batchUser", None).await.body;
    let upper = |id: &Value| id.as_str().expect("an id").to_uppercase();
    let (addon, app) = (Seed::ADDON_ID.to_string().to_uppercase(), Seed::APP_ID.to_string().to_uppercase());
    bench.set(json!({"addonSegment": "id"}));
    let headers = spoiled(&bench, "x-app-uuid", Some(app.clone()));
    for path in [
        format!("/connections/{}", upper(&made["id"])),
        format!("/connections/{}", upper(&made["org"]["id"])),
        format!("/connections/{app}"),
        format!("/connections/salesforce/{}/apps/{app}", upper(&made["id"])),
        format!("{targets}/{}", upper(&target["id"])),
        format!("/authorizations/{}", upper(&user["id"])),
    ] {
        let reply = bench.send("GET", &format!("/addons/{addon}{path}"), &headers, None).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.body);
    }
    assert_eq!(bench.platform(&format!("/apps/{app}/addons/{addon}/sso"), "3.sdk").await.status, StatusCode::OK);
    let path = format!("/connections/{}", upper(&made["id"]));
    assert_eq!(bench.control("GET", &path, None).await.status, StatusCode::OK);
    assert_eq!(bench.applink("DELETE", &path, None).await.status, StatusCode::ACCEPTED);
    // Names in other capitals are other names.
    assert_eq!(bench.applink("GET", "/authorizations/BATCHUSER", None).await.refusal(), (404, "record_not_found"));
}

#[tokio::test]
async fn accepted_bearer_selects_the_token() {
    let bench = Bench::new().await;
    for (accepted, heroku, own) in [("addonToken", 401, 200), ("herokuToken", 200, 401), ("either", 200, 200)] {
        bench.set(json!({"acceptedBearer": accepted}));
        for (token, status) in [(Seed::HEROKU_TOKEN, heroku), (Seed::ADDON_TOKEN, own), ("x", 401)] {
            let headers = spoiled(&bench, "authorization", Some(format!("Bearer {token}")));
            let path = format!("/addons/{}/connections", Seed::ADDON_ID);
            assert_eq!(bench.send("GET", &path, &headers, None).await.status.as_u16(), status, "{accepted} {token}");
        }
    }
}

#[tokio::test]
async fn sso_check_and_addon_segment_follow_the_settings() {
    let bench = Bench::new().await;
    let stale = bench.headers.clone();
    bench.advance(121_000);
    let list = async |addon: &str, headers: &[(&'static str, String)]| {
        bench.send("GET", &format!("/addons/{addon}/connections"), headers, None).await
    };
    let id = Seed::ADDON_ID.to_string();
    bench.set(json!({"ssoRefusal": "unauthorized", "ssoFreshness": "everyCall"}));
    assert_eq!(list(&id, &stale).await.refusal(), (401, "unauthorized"));
    bench.set(json!({"ssoCheck": "never"}));
    for headers in [&stale, &spoiled(&bench, "x-addon-sso", None)] {
        assert_eq!(list(&id, headers).await.status, StatusCode::OK);
    }
    assert_eq!(list(Seed::ADDON_NAME, &stale).await.status, StatusCode::OK);
    bench.set(json!({"addonSegment": "id"}));
    assert_eq!(list(&id, &stale).await.status, StatusCode::OK);
    assert_eq!(list(Seed::ADDON_NAME, &stale).await.refusal(), (404, "not_found"));
}

#[tokio::test]
async fn applink_rate_limit_follows_the_setting() {
    let bench = Bench::new().await;
    for _ in 0..3 {
        bench.list().await;
    }
    bench.set(json!({"applinkRateLimit": 1, "applinkRateRefillPerMinute": 6}));
    let ask = async |path| bench.applink("GET", path, None).await;
    assert_eq!(ask("/authorizations").await.headers.get("ratelimit-remaining"), None);
    // Ten seconds per request: half of one is there after five.
    for (shape, expected) in [("absent", None), ("seconds", Some("5")), ("date", Some("Sun, 15 Jun 2025 15:07:10 GMT"))]
    {
        bench.set(json!({"applinkRetryAfter": shape, "applinkTellsRemaining": shape != "absent"}));
        bench.advance(5_000);
        let refused = ask("/connections").await;
        assert_eq!(refused.refusal(), (429, "rate_limit"), "{shape}");
        let told = |name| refused.headers.get(name).and_then(|value| value.to_str().ok());
        assert_eq!(told("retry-after"), expected, "{shape}");
        assert_eq!(told("ratelimit-remaining"), (shape != "absent").then_some("0"));
        bench.advance(5_000);
        assert_eq!(ask("/connections").await.status, StatusCode::OK);
    }
    // The account's own limit is another.
    assert_eq!(bench.platform("/apps/orders-prod", "3").await.status, StatusCode::OK);
}
