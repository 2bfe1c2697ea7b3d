//! AppLink's endpoints for connections.

use super::*;
use crate::ACCESS_TOKEN_MARK;

#[tokio::test]
async fn the_cli_dialect_answers_connected_at_once() {
    let bench = Bench::new().await;
    let made = bench.post_jwt("prodOrg").await;
    assert_eq!(made.status, StatusCode::ACCEPTED);
    let body = &made.body;
    assert_eq!(body["status"], "connected");
    assert_eq!(body["connection_method"], "JWT");
    assert_eq!(body["created_at"], "2025-06-15T15:06:40.000000Z");
    assert_eq!(body["created_by"], "demo@example.com");
    assert_eq!(body["created_via_app"], "orders-prod");
    assert_eq!(body["org"]["username"], "ci@example.com");
    assert_eq!(body["org"]["api_version"], "v64.0");
    assert_eq!(body["org"]["user_auth"], Value::Null);
    assert_eq!(body.get("redirect_uri"), None);
    let listed = &bench.list().await[0];
    assert_eq!(listed["org"]["connection_name"], "prodOrg");
    assert_eq!(listed.get("connection_method"), None);
    assert!(listed.to_string().contains(ACCESS_TOKEN_MARK));
}

#[tokio::test]
async fn the_reference_dialect_connects_after_a_second() {
    let bench = Bench::new().await;
    bench.set(json!({"dialect": "reference"}));
    let made = bench.post_jwt("prodOrg").await.body;
    assert_eq!(made["status"], "connecting");
    assert_eq!(made["app_id"], Seed::APP_ID.to_string());
    assert_eq!(made.get("error"), None);
    bench.advance(1_000);
    let listed = &bench.list().await[0];
    assert_eq!(listed["status"], "connected");
    assert_eq!(listed["org"]["api_verion"], "57.0");
    assert_eq!(listed["org"].get("api_version"), None);
    assert_eq!(listed["org"]["user_auth"]["username"], "ci@example.com");
    let token = listed["org"]["user_auth"]["access_token"].as_str();
    assert!(token.is_some_and(|token| token.contains(ACCESS_TOKEN_MARK)));
    assert_eq!((listed.get("app_id"), listed.get("created_at")), (None, None));
    let detail = bench.applink("GET", "/connections/prodOrg", None).await.body;
    assert_eq!(detail["last_modified_at"], "2025-06-15T15:06:41.000000Z");
    assert_eq!(detail["created_via_app"], "orders-prod");

    let oauth = json!({"connection_name": "data"});
    let path = "/connections/datacloud";
    let made = bench.applink("POST", path, Some(oauth)).await.body;
    assert_eq!(made["org"], json!({"connection_name": "data", "type": "DataCloudOrg"}));
    assert_eq!(bench.list().await[1]["org"]["type"], "DatacloudOrg");
}

#[tokio::test]
async fn jwt_failure_follows_the_setting() {
    for (shape, status, refusal) in [
        ("failed", "failed", None),
        ("failedLater", "connecting", None),
        ("unauthorized", "", Some((401, "unauthorized"))),
        ("unprocessable", "", Some((422, "validation_failed"))),
    ] {
        let bench = Bench::new().await;
        bench.set(json!({"jwtFailure": shape, "acceptedKeys": ["0".repeat(64)]}));
        let made = bench.post_jwt("prod").await;
        if let Some(refusal) = refusal {
            assert_eq!(made.refusal(), refusal);
            assert!(bench.list().await.is_empty());
            continue;
        }
        assert_eq!(made.status, StatusCode::ACCEPTED);
        assert_eq!(made.body["status"], status);
        bench.advance(1_000);
        let listed = &bench.list().await[0];
        assert_eq!(listed["status"], "failed");
        let error = json!({"id": "authentication_failed", "message": "JWT authentication failed"});
        assert_eq!(listed["error"], error);
    }
}

#[tokio::test]
async fn keys_are_compared_by_digest_and_never_returned() {
    let bench = Bench::new().await;
    let digest = crate::token::sha256_hex(PEM.trim());
    bench.set(json!({"acceptedKeys": [digest]}));
    let made = bench.post_jwt("prod").await.body;
    assert_eq!(made["status"], "connected");
    let mut body = jwt("bad");
    body["jwt_private_key"] = json!("no PEM at all");
    let path = "/connections/salesforce/jwt";
    let refused = bench.applink("POST", path, Some(body)).await.body;
    assert_eq!(refused["status"], "failed");
    let world = bench.control("GET", "/world", None).await.body;
    assert_eq!(world["connections"][0]["jwt"]["keyDigest"], digest);
    let debug = bench.simulator.world(|world| format!("{world:?}"));
    for text in [made.to_string(), world.to_string(), debug] {
        assert!(!text.contains("c2VjcmV0"), "{text}");
        assert!(!text.contains(Seed::ADDON_TOKEN), "{text}");
    }
}

#[tokio::test]
async fn body_errors_do_not_quote_the_body() {
    let bench = Bench::new().await;
    let path = "/connections/salesforce/jwt";
    for field in ["connection_name", "alias", "client_id", "username", "jwt_private_key"] {
        for bad in [Value::Null, json!(""), json!(7), json!([])] {
            let mut body = jwt("prod");
            body[field] = bad;
            let reply = bench.applink("POST", path, Some(body)).await;
            assert_eq!(reply.refusal(), (422, "validation_failed"), "{field}");
            assert!(reply.body["message"].as_str().is_some_and(|m| m.contains(field)));
        }
    }
    let mut body = jwt("my-org");
    let reply = bench.applink("POST", path, Some(body.clone())).await;
    assert_eq!(reply.refusal(), (422, "validation_failed"));
    body["connection_name"] = json!("prod");
    for url in [json!(null), json!("login"), json!("ftp://x")] {
        body["login_url"] = url;
        let reply = bench.applink("POST", path, Some(body.clone())).await;
        assert_eq!(reply.refusal(), (422, "validation_failed"));
    }
    let reply = bench.applink("POST", path, Some(json!(PEM))).await;
    assert_eq!(reply.refusal(), (400, "bad_request"));
    assert!(!reply.body.to_string().contains("c2VjcmV0"));
    assert!(bench.list().await.is_empty());
}

#[tokio::test]
async fn json_is_recognised_by_media_type() {
    let bench = Bench::new().await;
    for (n, (kind, status)) in [
        (Some("application/json; charset=utf-8"), 202),
        (Some("application/json;charset=UTF-8"), 202),
        (Some("Application/JSON"), 202),
        (Some("application/jsonp"), 415),
        (Some("text/plain; application/json"), 415),
        (Some(""), 415),
        (None, 415),
    ]
    .into_iter()
    .enumerate()
    {
        let mut request = Request::post(format!("/addons/{}/connections/salesforce/jwt", Seed::ADDON_ID));
        let kind_header = kind.map(|kind| ("content-type", kind.to_owned()));
        for (name, value) in bench.headers.iter().cloned().chain(kind_header) {
            request = request.header(name, value);
        }
        let body = Body::from(jwt(&format!("prod{n}")).to_string());
        let reply = bench.exchange(request.body(body).expect("a request")).await.expect("an answer");
        assert_eq!(reply.status.as_u16(), status, "{kind:?}: {}", reply.body);
        assert_eq!(reply.refusal().1 == "unsupported_media_type", status == 415);
    }
}

#[tokio::test]
async fn taken_name_follows_the_setting() {
    for (switch, status, count) in [
        ("conflict", 409, 1),
        ("unprocessable", 422, 1),
        ("upsert", 202, 1),
        ("existing", 202, 1),
        ("duplicate", 202, 2),
    ] {
        let bench = Bench::new().await;
        bench.set(json!({"takenName": switch}));
        let first = bench.post_jwt("prod").await.body["id"].clone();
        let second = bench.post_jwt("prod").await;
        assert_eq!(second.status.as_u16(), status, "{switch}");
        assert_eq!(bench.list().await.len(), count, "{switch}");
        assert_eq!(second.body["id"] == first, matches!(switch, "upsert" | "existing"));
        assert_eq!(second.refusal().1 == "conflict", switch == "conflict");
        assert_eq!(second.refusal().1 == "validation_failed", switch == "unprocessable");
    }
}

#[tokio::test]
async fn taken_alias_follows_the_setting() {
    for (switch, status) in [("allowed", 202), ("conflict", 409), ("unprocessable", 422)] {
        let bench = Bench::new().await;
        bench.set(json!({"takenAlias": switch}));
        bench.post_jwt("prod").await;
        assert_eq!(bench.post_jwt("test").await.status.as_u16(), status, "{switch}");
    }
}

#[tokio::test]
async fn name_case_applies_to_paths() {
    let bench = Bench::new().await;
    bench.set(json!({"nameCase": "insensitive", "disconnectSeconds": 0}));
    bench.post_jwt("prod").await;
    assert_eq!(bench.applink("GET", "/connections/PROD", None).await.body["org"]["connection_name"], "prod");
    assert_eq!(bench.applink("DELETE", "/connections/Prod", None).await.status, StatusCode::ACCEPTED);
    assert!(bench.list().await.is_empty());
}

#[tokio::test]
async fn a_connection_is_read_by_id_name_and_org() {
    let bench = Bench::new().await;
    let made = bench.post_jwt("prod").await.body;
    let (id, org) = (made["id"].as_str().unwrap(), made["org"]["id"].as_str().unwrap());
    for key in [id, "prod", org] {
        let path = format!("/connections/{key}");
        let reply = bench.applink("GET", &path, None).await;
        assert_eq!(reply.body["id"], id, "{key}");
        bench.set(json!({"getOne": "array"}));
        let reply = bench.applink("GET", &path, None).await;
        assert_eq!(reply.body[0]["id"], id, "{key}");
        bench.set(json!({"getOne": "object"}));
    }
    for app in ["orders-prod", &Seed::APP_ID.to_string()] {
        let reply = bench.applink("GET", &format!("/connections/{app}"), None).await;
        assert_eq!(reply.body[0]["id"], id, "{app}");
    }
    let unknown = "/connections/unknown";
    let reply = bench.applink("GET", unknown, None).await;
    assert_eq!(reply.refusal(), (404, "record_not_found"));
    bench.set(json!({"getUnknown": "emptyList"}));
    let reply = bench.applink("GET", unknown, None).await;
    assert_eq!((reply.status, reply.body), (StatusCode::OK, json!([])));
}

#[tokio::test]
async fn delete_follows_the_settings() {
    for (answer, status, body) in [
        ("accepted", 202, None),
        ("acceptedEmpty", 202, Some(json!(""))),
        ("ok", 200, None),
        ("okEmpty", 200, Some(json!(""))),
        ("emptyObject", 200, Some(json!({}))),
        ("noContent", 204, Some(json!(""))),
    ] {
        let bench = Bench::new().await;
        bench.set(json!({"deleteAnswer": answer}));
        let id = bench.post_jwt("prod").await.body["id"].clone();
        let path = format!("/connections/{}", id.as_str().unwrap());
        let reply = bench.applink("DELETE", &path, None).await;
        assert_eq!(reply.status.as_u16(), status);
        match body {
            Some(body) => assert_eq!(reply.body, body),
            None => assert_eq!((&reply.body["id"], &reply.body["status"]), (&id, &json!("disconnecting"))),
        }
        bench.advance(999);
        assert_eq!(bench.list().await[0]["status"], "disconnecting");
        bench.advance(1);
        assert!(bench.list().await.is_empty());
        let reply = bench.applink("DELETE", &path, None).await;
        assert_eq!(reply.refusal(), (404, "record_not_found"));
    }
}

#[tokio::test]
async fn tombstones_stay_listed() {
    let bench = Bench::new().await;
    bench.set(json!({"keepDisconnected": true, "disconnectSeconds": 0, "dialect": "reference", "deleteAnswer": "ok"}));
    let id = bench.post_jwt("prod").await.body["id"].clone();
    let reply = bench.applink("DELETE", "/connections/prod", None).await;
    assert_eq!(reply.body, json!({"id": id, "status": "disconnected"}));
    assert_eq!(bench.list().await[0]["status"], "disconnected");
    assert_eq!(bench.post_jwt("prod").await.status, StatusCode::ACCEPTED);
    assert_eq!(bench.list().await.len(), 2);
}

#[tokio::test]
async fn lists_lag_and_single_reads_do_not() {
    let bench = Bench::new().await;
    bench.set(json!({"listLagSeconds": 10, "disconnectSeconds": 0}));
    bench.post_jwt("prod").await;
    let one = || bench.applink("GET", "/connections/prod", None);
    assert!(bench.list().await.is_empty());
    assert_eq!(one().await.body["status"], "connected");
    bench.advance(10_000);
    assert_eq!(bench.list().await[0]["status"], "connected");
    bench.applink("DELETE", "/connections/prod", None).await;
    assert_eq!(one().await.status, StatusCode::NOT_FOUND);
    assert_eq!(bench.list().await[0]["status"], "connected");
    bench.advance(10_000);
    assert!(bench.list().await.is_empty());
}

#[tokio::test]
async fn what_does_not_exist_answers_404_in_json() {
    let bench = Bench::new().await;
    let body = Some(json!({"connection_name": "prod"}));
    for (method, path, refusal) in [
        ("POST", "/connections/datacloud/jwt", (404, "not_found")),
        ("POST", "/connections/other", (404, "not_found")),
        ("PATCH", "/connections/prod", (405, "method_not_allowed")),
        ("DELETE", "/connections/prod", (404, "record_not_found")),
    ] {
        let reply = bench.applink(method, path, body.clone()).await;
        assert_eq!(reply.refusal(), refusal, "{method} {path}");
    }
}

#[tokio::test]
async fn planted_authorizations_are_listed() {
    let bench = Bench::new().await;
    assert_eq!(bench.applink("GET", "/authorizations", None).await.body, json!([]));
    let plant = json!({"addon": Seed::ADDON_NAME, "developerName": "batchUser"});
    let planted = bench.send("POST", "/_control/authorizations", &[], Some(plant)).await;
    let listed = bench.applink("GET", "/authorizations", None).await.body;
    assert_eq!(listed[0]["id"], planted.body["id"]);
    assert_eq!(
        (&listed[0]["status"], &listed[0]["org"]["developer_name"]),
        (&json!("authorized"), &json!("batchUser"))
    );
}
