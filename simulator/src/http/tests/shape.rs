//! Status codes, bodies of errors, and pages.

use super::*;
use crate::{Fault, Where};

#[tokio::test]
async fn create_answer_sets_the_status_code() {
    for (answer, code) in [("ok", 200), ("created", 201), ("accepted", 202)] {
        let bench = Bench::new().await;
        bench.set(json!({"createAnswer": answer}));
        let oauth = json!({"connection_name": "byHand"});
        let oauth = bench.applink("POST", "/connections/salesforce", Some(oauth)).await;
        for reply in [oauth, bench.post_jwt("prod").await] {
            assert_eq!(reply.status.as_u16(), code);
            assert!(reply.body["id"].is_string());
        }
    }
}

#[tokio::test]
async fn delete_status_may_be_wrong() {
    for (dialect, after) in [("cli", None), ("reference", Some("disconnecting"))] {
        let bench = Bench::new().await;
        let answer = json!({"deleteAnswer": "accepted", "statusAfterDelete": after});
        bench.set(answer);
        bench.set(json!({"dialect": dialect, "deleteStatus": "disconnected"}));
        bench.post_jwt("prod").await;
        let reply = bench.applink("DELETE", "/connections/prod", None).await;
        assert_eq!(reply.body["status"], "disconnected");
        assert_eq!(bench.list().await[0]["status"], "disconnecting");
    }
}

#[tokio::test]
async fn error_shape_applies_to_applink_only() {
    let message = "record not found";
    for (shape, kind, body) in [
        ("idMessage", "application/json", json!({"id": "record_not_found", "message": message})),
        ("titleDetail", "application/json", json!({"title": "Not Found", "detail": message})),
        ("error", "application/json", json!({"error": message})),
        ("empty", "", json!("")),
    ] {
        let bench = Bench::new().await;
        bench.set(json!({"errorShape": shape}));
        let reply = bench.applink("GET", "/connections/unknown", None).await;
        assert_eq!((reply.status, reply.body), (StatusCode::NOT_FOUND, body), "{shape}");
        let told = reply.headers.get("content-type").map_or("", |kind| kind.to_str().unwrap());
        assert_eq!(told, kind);
        assert_eq!(bench.platform("/apps/other", "3").await.refusal(), (404, "not_found"));
        bench.list().await;
    }
    let bench = Bench::new().await;
    bench.set(json!({"errorShape": "html"}));
    for (method, path, told) in
        [("GET", "/connections/unknown", "Not Found"), ("PATCH", "/connections/prod", "Method Not Allowed")]
    {
        let reply = bench.applink(method, path, None).await;
        assert_eq!(reply.headers["content-type"], "text/html; charset=utf-8");
        assert!(reply.body.as_str().is_some_and(|page| page.contains(told)), "{}", reply.body);
    }
    bench.simulator.faults(|faults| faults.add(Fault::status(Where::Before, 503))).unwrap();
    assert_eq!(bench.applink("GET", "/connections", None).await.refusal(), (503, "simulated_fault"));
}

#[tokio::test]
async fn page_size_truncates_lists() {
    let bench = Bench::new().await;
    bench.set(json!({"pageSize": 2}));
    for name in ["one", "two"] {
        bench.post_jwt(name).await;
        let plant = json!({"addon": Seed::ADDON_NAME, "developerName": name});
        bench.send("POST", "/_control/authorizations", &[], Some(plant)).await;
    }
    let lists = ["/connections", "/connections/orders-prod", "/authorizations"];
    let length = |reply: &Reply| reply.body.as_array().map(Vec::len);
    for path in lists {
        let reply = bench.applink("GET", path, None).await;
        assert_eq!((reply.status, length(&reply), reply.headers.get("link")), (StatusCode::OK, Some(2), None));
    }
    bench.set(json!({"pageSize": 1}));
    for path in lists {
        let reply = bench.applink("GET", path, None).await;
        assert_eq!((reply.status, length(&reply)), (StatusCode::OK, Some(1)), "{path}");
        let link = format!("</addons/{}{path}?page=2>; rel=\"next\"", Seed::ADDON_ID);
        assert_eq!(reply.headers["link"], link);
    }
    bench.set(json!({"pageHeader": "contentRange"}));
    for path in lists {
        let reply = bench.applink("GET", path, None).await;
        assert_eq!((reply.status, length(&reply)), (StatusCode::PARTIAL_CONTENT, Some(1)), "{path}");
        let id = reply.body[0]["id"].as_str().expect("an id");
        assert_eq!(reply.headers["content-range"], format!("id {id}..{id}; max=1"));
        assert!(reply.headers.contains_key("next-range"));
    }
}
