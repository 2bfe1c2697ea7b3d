//! Publications: POST, lists and DELETE under every setting.

use super::uploads::{SPEC, app_request, metadata, orders};
use super::*;

const APPS: &str = "/connections/salesforce/prod/apps";

async fn published(settings: Value) -> Bench {
    let bench = Bench::new().await;
    bench.set(json!({"publications": settings}));
    bench.post_jwt("prod").await;
    assert!(bench.publish("prod", &orders()).await.status.is_success());
    bench
}

async fn listed(bench: &Bench) -> Vec<Value> {
    let reply = bench.applink("GET", APPS, None).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    reply.body.as_array().expect("an array").clone()
}

fn app_path(app: Uuid) -> String {
    format!("{APPS}/{app}")
}

#[tokio::test]
async fn an_app_is_published_listed_and_unpublished() {
    let bench = published(json!({})).await;
    let connection = bench.list().await[0].clone();
    let [publication] = &listed(&bench).await[..] else { panic!("not one publication") };
    assert_eq!(publication["app_uuid"], Seed::APP_ID.to_string());
    assert_eq!((&publication["connection_name"], &publication["esr_name"]), (&json!("prod"), &json!("OrdersAPI")));
    assert_eq!(publication["org_id"], connection["org"]["id"]);
    assert_eq!(publication["created_by"], "demo@example.com");
    assert_eq!(publication["created_at"], "2025-06-15T15:06:40.000000Z");
    assert_eq!(publication["last_modified_at"], publication["created_at"]);
    assert!(publication["esr_id"].as_str().is_some_and(|id| id.len() == 18));
    assert!(publication["heroku_applink_id"].as_str().is_some_and(|id| id.len() == 18));

    let by_id = format!("/connections/salesforce/{}/apps", connection["id"].as_str().expect("an id"));
    for path in [by_id, app_path(Seed::APP_ID)] {
        assert_eq!(bench.applink("GET", &path, None).await.body, json!([publication]));
    }
    let reply = bench.applink("DELETE", &app_path(Seed::APP_ID), None).await;
    assert_eq!((reply.status, reply.body), (StatusCode::OK, json!("")));
    assert!(listed(&bench).await.is_empty());
    assert_eq!(bench.applink("DELETE", &app_path(Seed::APP_ID), None).await.refusal(), (404, "record_not_found"));
}

#[tokio::test]
async fn only_a_connected_salesforce_connection_publishes() {
    let bench = Bench::new().await;
    let plant = async |name, provider, status| {
        let body = json!({"name": name, "provider": provider, "status": status});
        bench.control("POST", "/connections", Some(body)).await;
    };
    plant("data", "datacloud", "connected").await;
    plant("broken", "salesforce", "failed").await;
    plant("waiting", "salesforce", "connecting").await;
    plant("works", "salesforce", "connected").await;
    for (name, refusal) in [
        ("unknown", (404, "record_not_found")),
        ("data", (404, "record_not_found")),
        ("broken", (422, "validation_failed")),
        ("waiting", (422, "validation_failed")),
        ("works", (201, "")),
    ] {
        assert_eq!(bench.publish(name, &orders()).await.refusal(), refusal, "{name}");
        let lists = bench.applink("GET", &format!("/connections/salesforce/{name}/apps"), None).await;
        assert_eq!(lists.status == StatusCode::NOT_FOUND, refusal.0 == 404, "{name}");
    }
}

#[tokio::test]
async fn republish_follows_the_setting() {
    for (switch, refusal, name) in [
        ("update", (201, ""), "OrdersAPI2"),
        ("conflict", (409, "conflict"), "OrdersAPI"),
        ("unprocessable", (422, "validation_failed"), "OrdersAPI"),
    ] {
        let bench = published(json!({"republish": switch})).await;
        let first = listed(&bench).await[0].clone();
        bench.advance(1_000);
        let parts = [metadata(&[("api-spec.yaml", SPEC)]), app_request(json!({"client_name": "OrdersAPI2"}))];
        assert_eq!(bench.publish("prod", &parts).await.refusal(), refusal, "{switch}");
        let [second] = &listed(&bench).await[..] else { panic!("not one publication") };
        assert_eq!(second["esr_name"], name, "{switch}");
        assert_eq!((&second["esr_id"], &second["created_at"]), (&first["esr_id"], &first["created_at"]));
        assert_eq!(second["last_modified_at"] == first["last_modified_at"], switch != "update");
        let posts = &bench.control("GET", &format!("/publications/{name}"), None).await.body["posts"];
        assert_eq!(posts, if switch == "update" { 2 } else { 1 });
    }
}

#[tokio::test]
async fn republish_may_keep_the_date_and_change_the_id() {
    for (touches, stable) in [(true, true), (true, false), (false, true), (false, false)] {
        let bench = published(json!({"touchOnRepublish": touches, "esrIdStable": stable})).await;
        let first = listed(&bench).await[0].clone();
        bench.advance(1_000);
        bench.publish("prod", &orders()).await;
        let second = listed(&bench).await[0].clone();
        assert_eq!(second["last_modified_at"] != first["last_modified_at"], touches);
        assert_eq!(second["esr_id"] == first["esr_id"], stable || !touches);
        // Different content is a modification under any setting.
        bench.publish("prod", &[metadata(&[("api-spec.json", r#"{"openapi":"3.0.0"}"#)]), orders()[1].clone()]).await;
        let third = listed(&bench).await[0].clone();
        assert_ne!(third["last_modified_at"], first["last_modified_at"]);
        assert_eq!(third["esr_id"] == first["esr_id"], stable);
    }
}

#[tokio::test]
async fn each_app_has_a_publication_of_its_own() {
    let mut bench = published(json!({})).await;
    let other = bench.attach("billing-prod");
    bench.headers[2].1 = other.to_string();
    bench.publish("prod", &orders()).await;
    assert_eq!(listed(&bench).await.len(), 2);
    for app in [Seed::APP_ID, other] {
        let reply = bench.applink("GET", &app_path(app), None).await;
        assert_eq!(reply.body[0]["app_uuid"], app.to_string());
        assert_eq!(reply.body.as_array().map(Vec::len), Some(1));
    }
    bench.set(json!({"pageSize": 1}));
    let reply = bench.applink("GET", APPS, None).await;
    assert_eq!(reply.body.as_array().map(Vec::len), Some(1));
    assert!(reply.headers["link"].to_str().is_ok_and(|link| link.contains("next")));
    bench.set(json!({"pageSize": null}));
    // Whoever may use the add-on may take away what another app published.
    assert_eq!(bench.applink("DELETE", &app_path(Seed::APP_ID), None).await.status, StatusCode::OK);
    assert_eq!(listed(&bench).await[0]["app_uuid"], other.to_string());
}

#[tokio::test]
async fn an_app_is_found_by_id_or_name() {
    for dialect in ["cli", "reference"] {
        let mut bench = published(json!({})).await;
        let other = bench.attach("billing-prod");
        bench.headers[2].1 = other.to_string();
        bench.publish("prod", &orders()).await;
        bench.set(json!({"dialect": dialect}));
        for (name, id) in [("orders-prod", Seed::APP_ID), ("billing-prod", other)] {
            let by_name = bench.applink("GET", &format!("{APPS}/{name}"), None).await.body;
            assert_eq!(by_name.as_array().map(Vec::len), Some(1), "{dialect} {name}: {by_name}");
            assert_eq!(by_name, bench.applink("GET", &app_path(id), None).await.body);
        }
        let done = bench.applink("DELETE", &format!("{APPS}/orders-prod"), None).await;
        assert_eq!(done.status, StatusCode::OK);
        assert_eq!(bench.applink("GET", &app_path(Seed::APP_ID), None).await.body, json!([]));
        assert_eq!(listed(&bench).await.len(), 1, "the other app's stays");
        for gone in ["orders-prod", "unknown-prod"] {
            let path = format!("{APPS}/{gone}");
            assert_eq!(bench.applink("GET", &path, None).await.body, json!([]));
            assert_eq!(bench.applink("DELETE", &path, None).await.refusal(), (404, "record_not_found"));
        }
    }
}

#[tokio::test]
async fn responses_follow_the_settings() {
    for (dialect, answer, status, code) in [
        ("cli", None, "created", 201),
        ("reference", None, "ok", 200),
        ("cli", Some("idObject"), "ok", 200),
        ("reference", Some("array"), "accepted", 202),
        ("reference", Some("emptyArray"), "created", 201),
        ("cli", Some("empty"), "created", 201),
    ] {
        let bench = Bench::new().await;
        bench.set(json!({"dialect": dialect, "connectSeconds": 0}));
        bench.set(json!({"publications": {"publishAnswer": answer, "publishStatus": status}}));
        bench.post_jwt("prod").await;
        let reply = bench.publish("prod", &orders()).await;
        let listed = listed(&bench).await;
        let id = json!({"id": listed[0][if dialect == "cli" { "esr_id" } else { "external_service_id" }]});
        let body = match (dialect, answer) {
            (_, Some("idObject")) | ("reference", None) => id,
            (_, Some("array")) => json!(listed),
            (_, Some("empty")) => json!(""),
            _ => json!([]),
        };
        assert_eq!((reply.status.as_u16(), reply.body), (code, body), "{dialect} {answer:?}");
    }
    for (answer, status, body) in [
        ("accepted", 202, None),
        ("acceptedEmpty", 202, Some(json!(""))),
        ("ok", 200, None),
        ("okEmpty", 200, Some(json!(""))),
        ("emptyObject", 200, Some(json!({}))),
        ("noContent", 204, Some(json!(""))),
    ] {
        let bench = published(json!({"unpublishAnswer": answer})).await;
        let publication = listed(&bench).await[0].clone();
        let reply = bench.applink("DELETE", &app_path(Seed::APP_ID), None).await;
        assert_eq!((reply.status.as_u16(), reply.body), (status, body.unwrap_or(publication)), "{answer}");
        assert!(listed(&bench).await.is_empty());
    }
}

#[tokio::test]
async fn an_app_without_publication_is_empty_or_not_found() {
    let unknown = app_path(Uuid::from_u128(7));
    let bench = published(json!({})).await;
    let reply = bench.applink("GET", &unknown, None).await;
    assert_eq!((reply.status, reply.body), (StatusCode::OK, json!([])));
    bench.set(json!({"publications": {"listUnknownApp": "notFound"}}));
    assert_eq!(bench.applink("GET", &unknown, None).await.refusal(), (404, "record_not_found"));
    assert_eq!(bench.applink("GET", &app_path(Seed::APP_ID), None).await.status, StatusCode::OK);
}

#[tokio::test]
async fn each_dialect_has_its_own_keys() {
    let bench = Bench::new().await;
    bench.post_jwt("prod").await;
    bench.publish("prod", &orders()).await;
    let mut seen = Vec::new();
    for dialect in ["reference", "cli"] {
        bench.set(json!({"dialect": dialect}));
        seen.push(listed(&bench).await[0].clone());
    }
    let reference = ["app_id", "heroku_app_link_id", "external_service_id", "external_service_name", "app_name"];
    let cli = ["app_uuid", "heroku_applink_id", "esr_id", "esr_name"];
    for (publication, own, foreign) in [(&seen[0], &reference[..], &cli[..]), (&seen[1], &cli, &reference)] {
        assert!(own.iter().all(|key| publication[key].is_string()), "{publication}");
        assert!(foreign.iter().all(|key| publication.get(key).is_none()), "{publication}");
    }
}

#[tokio::test]
async fn omitted_removes_fields() {
    for (omitted, keys) in [
        ("provenance", &["created_at", "created_by", "last_modified_at", "last_modified_by"][..]),
        ("lastModified", &["last_modified_at", "last_modified_by"]),
        ("connectionName", &["connection_name"]),
        ("orgId", &["org_id"]),
        ("herokuAppLink", &["heroku_applink_id"]),
        ("externalService", &["esr_id", "esr_name"]),
    ] {
        let bench = published(json!({})).await;
        let whole = listed(&bench).await[0].as_object().expect("an object").len();
        bench.set(json!({"publications": {"omitted": [omitted]}}));
        let sparse = listed(&bench).await[0].clone();
        assert!(keys.iter().all(|key| sparse.get(key).is_none()), "{sparse}");
        assert_eq!(sparse.as_object().map(|fields| fields.len()), Some(whole - keys.len()));
        bench.set(json!({"omittedAs": "null"}));
        let sparse = listed(&bench).await[0].clone();
        assert!(keys.iter().all(|key| sparse.get(key) == Some(&Value::Null)), "{sparse}");
    }
}

#[tokio::test]
async fn lists_lag_and_publishing_may_be_delayed() {
    let bench = published(json!({"publishSeconds": 5})).await;
    assert!(listed(&bench).await.is_empty());
    bench.advance(5_000);
    let [publication] = &listed(&bench).await[..] else { panic!("not one publication") };
    assert_eq!(publication["created_at"], "2025-06-15T15:06:40.000000Z");
    bench.set(json!({"listLagSeconds": 3}));
    assert!(listed(&bench).await.is_empty());
    bench.advance(3_000);
    assert_eq!(listed(&bench).await.len(), 1);
    bench.applink("DELETE", &app_path(Seed::APP_ID), None).await;
    assert_eq!(listed(&bench).await.len(), 1);
    bench.advance(3_000);
    assert!(listed(&bench).await.is_empty());
}

#[tokio::test]
async fn disconnecting_removes_publications_or_keeps_them_for_the_org() {
    for (goes, left) in [(true, 0), (false, 1)] {
        let bench = published(json!({"disconnectUnpublishes": goes})).await;
        let gone = bench.list().await[0]["id"].clone();
        bench.applink("DELETE", "/connections/prod", None).await;
        assert_eq!(listed(&bench).await.len(), 1);
        bench.advance(1_000);
        assert_eq!(bench.applink("GET", APPS, None).await.refusal(), (404, "record_not_found"));
        bench.post_jwt("prod").await;
        assert_eq!(listed(&bench).await.len(), left);
        let world = bench.control("GET", "/publications", None).await.body;
        assert_eq!(world.as_array().map(Vec::len), Some(left));
        // Published again, it is the new connection's.
        bench.publish("prod", &orders()).await;
        assert_eq!(listed(&bench).await.len(), 1);
        let world = bench.control("GET", "/publications", None).await.body;
        assert_ne!(world[0]["connection"], gone);
        assert_eq!(world[0]["posts"], left + 1);
    }
}

#[tokio::test]
async fn somebody_else_publishes_and_removes() {
    let bench = Bench::new().await;
    bench.post_jwt("prod").await;
    let plant = json!({"connection": "prod", "clientName": "Theirs", "createdBy": "them@example.com"});
    let planted = bench.control("POST", "/publications", Some(plant)).await;
    assert_eq!(planted.status, StatusCode::CREATED);
    let before = listed(&bench).await[0].clone();
    assert_eq!((&before["esr_name"], &before["created_by"]), (&json!("Theirs"), &json!("them@example.com")));
    bench.advance(1_000);
    let touch = json!({"clientName": "Other", "by": "she@example.com"});
    bench.control("POST", "/publications/Theirs/touch", Some(touch)).await;
    let after = listed(&bench).await[0].clone();
    assert_eq!((&after["esr_name"], &after["last_modified_by"]), (&json!("Other"), &json!("she@example.com")));
    assert_eq!((&after["created_by"], &after["esr_id"]), (&before["created_by"], &before["esr_id"]));
    assert_ne!(after["last_modified_at"], before["last_modified_at"]);
    let path = format!("/publications/{}", planted.body["id"].as_str().expect("an id"));
    assert_eq!(bench.control("GET", &path, None).await.body["posts"], 0);
    assert_eq!(bench.control("DELETE", &path, None).await.status, StatusCode::NO_CONTENT);
    assert!(listed(&bench).await.is_empty());
    assert_eq!(bench.control("GET", &path, None).await.refusal(), (404, "record_not_found"));
}
