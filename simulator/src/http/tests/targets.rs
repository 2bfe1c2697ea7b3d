//! Data action targets: POST, lists and GET under every setting.

use super::*;
use crate::{Fault, Where};

const TARGETS: &str = "/connections/datacloud/data/data_action_targets";

fn new(api_name: &str) -> Value {
    let label = "Customer Update Webhook";
    json!({"label": label, "api_name": api_name, "target_endpoint": "/hooks/customer", "type": "webhook"})
}

/// A bench with a Data Cloud connection and these settings for targets.
async fn connected(settings: Value) -> Bench {
    let bench = Bench::new().await;
    bench.set(json!({"dataActionTargets": settings}));
    let planted = json!({"name": "data", "provider": "datacloud"});
    bench.control("POST", "/connections", Some(planted)).await;
    bench
}

async fn post(bench: &Bench, api_name: &str) -> Reply {
    bench.applink("POST", TARGETS, Some(new(api_name))).await
}

async fn get(bench: &Bench, key: &str) -> Reply {
    bench.applink("GET", &format!("{TARGETS}/{key}"), None).await
}

async fn listed(bench: &Bench) -> Vec<Value> {
    let reply = bench.applink("GET", TARGETS, None).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    reply.body.as_array().expect("an array").clone()
}

#[tokio::test]
async fn a_target_is_created_and_read_by_id_and_name() {
    let bench = connected(json!({})).await;
    let made = post(&bench, "customer_update").await;
    assert_eq!((made.status, &made.body["status"]), (StatusCode::ACCEPTED, &json!("pending")));
    assert_eq!(made.body["heroku_app"]["id"], Seed::APP_ID.to_string());
    assert_eq!(made.body["org"]["connection_name"], "data");
    let id = made.body["id"].as_str().expect("an id");
    for key in [id, "customer_update"] {
        let read = get(&bench, key).await.body;
        assert_eq!((&read["id"], &read["status"]), (&json!(id), &json!("created")));
        assert_eq!((&read["type"], &read["target_endpoint"]), (&json!("webhook"), &json!("/hooks/customer")));
        assert_eq!(read.get("app_id"), None);
    }
    let connection = &bench.list().await[0];
    let [item] = &listed(&bench).await[..] else { panic!("not one target") };
    let expected = json!({
        "id": id, "api_name": "customer_update", "label": "Customer Update Webhook", "status": "created",
        "target_endpoint": "/hooks/customer", "type": "webhook",
        "app_id": Seed::APP_ID.to_string(), "connection_id": connection["id"],
    });
    assert_eq!(item, &expected);
    for key in [&connection["id"], &connection["org"]["id"]] {
        let path = format!("/connections/datacloud/{}/data_action_targets", key.as_str().expect("a key"));
        assert_eq!(bench.applink("GET", &path, None).await.body, json!([expected]));
    }
    assert_eq!(get(&bench, "unknown").await.refusal(), (404, "record_not_found"));
}

#[tokio::test]
async fn a_target_is_created_later_or_fails() {
    let bench = connected(json!({"seconds": 3})).await;
    assert_eq!(post(&bench, "customer").await.body["status"], "pending");
    for (millis, status) in [(0, "pending"), (1_000, "creating"), (1_000, "generating_signing_key"), (1_000, "created")]
    {
        bench.advance(millis);
        assert_eq!(get(&bench, "customer").await.body["status"], status);
    }
    let error = json!({"id": "creation_failed", "message": "No such data space."});
    bench.set(json!({"dataActionTargets": {"failure": error}}));
    assert_eq!(post(&bench, "other").await.body["status"], "pending");
    for (millis, status) in [(1_000, "creating"), (2_000, "creation_failed")] {
        bench.advance(millis);
        assert_eq!(get(&bench, "other").await.body["status"], status);
    }
    assert_eq!(get(&bench, "other").await.body["error"], error);
    // The name is taken for good.
    assert_eq!(post(&bench, "other").await.refusal(), (409, "conflict"));
}

#[tokio::test]
async fn only_a_connected_data_cloud_connection_has_targets() {
    let bench = connected(json!({})).await;
    bench.post_jwt("prod").await;
    let broken = json!({"name": "broken", "provider": "datacloud", "status": "failed"});
    bench.control("POST", "/connections", Some(broken)).await;
    for (name, refusal) in [
        ("unknown", (404, "record_not_found")),
        ("prod", (404, "record_not_found")),
        ("broken", (422, "validation_failed")),
    ] {
        let path = format!("/connections/datacloud/{name}/data_action_targets");
        assert_eq!(bench.applink("POST", &path, Some(new("customer"))).await.refusal(), refusal, "{name}");
    }
    for path in ["/connections/salesforce/prod/data_action_targets", "/connections/datacloud/data/apps"] {
        assert_eq!(bench.applink("POST", path, Some(new("customer"))).await.refusal(), (404, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn body_errors_name_the_field() {
    let bench = connected(json!({})).await;
    for (field, bad) in [
        ("label", json!("")),
        ("api_name", Value::Null),
        ("api_name", json!("customer-update")),
        ("api_name", json!("a")),
        ("target_endpoint", json!("https://example.com/")),
        ("type", json!("email")),
    ] {
        let mut body = new("customer");
        body[field] = bad;
        let reply = bench.applink("POST", TARGETS, Some(body)).await;
        assert_eq!(reply.refusal(), (422, "validation_failed"), "{field}");
        assert!(reply.body["message"].as_str().is_some_and(|m| m.contains(field)), "{}", reply.body);
    }
    for (n, word) in ["webhook", "Webhook", "WebHook", "Event"].into_iter().enumerate() {
        let mut body = new(&format!("customer{n}"));
        body["type"] = json!(word);
        let made = bench.applink("POST", TARGETS, Some(body)).await.body;
        assert_eq!(made["type"], if word == "Event" { "event" } else { "webhook" });
    }
    let mut untyped = new("untyped");
    untyped.as_object_mut().expect("an object").remove("type");
    assert_eq!(bench.applink("POST", TARGETS, Some(untyped)).await.body["type"], "webhook");
}

#[tokio::test]
async fn taken_name_follows_the_setting() {
    for (switch, status, count) in [("conflict", 409, 1), ("second", 202, 2), ("existing", 202, 1)] {
        let bench = connected(json!({"taken": switch})).await;
        let first = post(&bench, "customer").await.body["id"].clone();
        bench.advance(1_000);
        let second = post(&bench, "customer").await;
        assert_eq!(second.status.as_u16(), status, "{switch}");
        assert_eq!(second.body["id"] == first, switch == "existing");
        assert_eq!(second.body["status"] == "created", switch == "existing");
        assert_eq!(listed(&bench).await.len(), count, "{switch}");
        assert_eq!(get(&bench, "customer").await.body["id"], first);
    }
}

#[tokio::test]
async fn taken_by_another_app_follows_the_setting() {
    for (switch, taken, status) in
        [(None, "existing", 409), (Some("conflict"), "second", 409), (Some("allowed"), "conflict", 202)]
    {
        let mut bench = connected(json!({"taken": taken})).await;
        if let Some(switch) = switch {
            bench.set(json!({"dataActionTargets": {"takenByAnotherApp": switch}}));
        }
        let first = post(&bench, "customer").await.body["id"].clone();
        bench.headers[2].1 = bench.attach("billing-prod").to_string();
        let second = post(&bench, "customer").await;
        assert_eq!(second.status.as_u16(), status, "{switch:?}: {}", second.body);
        assert_eq!(second.refusal().1 == "conflict", status == 409);
        assert_eq!(listed(&bench).await.len(), if status == 409 { 1 } else { 2 });
        assert_eq!(post(&bench, "another").await.status, StatusCode::ACCEPTED);
        // Where it is free again, anybody may have it.
        bench.control("DELETE", &format!("/targets/{}", first.as_str().expect("an id")), None).await;
        assert_eq!(post(&bench, "customer").await.status.as_u16(), if status == 409 { 202 } else { 409 });
    }
}

#[tokio::test]
async fn apps_that_share_the_addon_see_each_others_targets() {
    let mut bench = connected(json!({"takenByAnotherApp": "allowed"})).await;
    let own = post(&bench, "customer").await.body["id"].clone();
    let other = bench.attach("billing-prod").to_string();
    bench.headers[2].1 = other.clone();
    let theirs = post(&bench, "customer").await.body["id"].clone();
    assert_ne!(theirs, own);
    let apps: Vec<_> = listed(&bench).await.iter().map(|target| target["app_id"].clone()).collect();
    assert_eq!(apps, [json!(Seed::APP_ID.to_string()), json!(other)]);
    assert_eq!(get(&bench, "customer").await.body["id"], theirs);
    bench.headers[2].1 = Seed::APP_ID.to_string();
    assert_eq!(get(&bench, "customer").await.body["id"], own);
}

#[tokio::test]
async fn the_list_may_be_missing_and_changes_are_refused() {
    let bench = connected(json!({"list": "missing"})).await;
    post(&bench, "customer").await;
    assert_eq!(bench.applink("GET", TARGETS, None).await.refusal(), (404, "not_found"));
    for (switch, refusal) in [("methodNotAllowed", (405, "method_not_allowed")), ("notFound", (404, "not_found"))] {
        bench.set(json!({"dataActionTargets": {"changeRefusal": switch}}));
        for method in ["DELETE", "PUT", "PATCH"] {
            let reply = bench.applink(method, &format!("{TARGETS}/customer"), None).await;
            assert_eq!(reply.refusal(), refusal, "{method}");
        }
    }
    assert_eq!(get(&bench, "customer").await.body["status"], "created");
}

#[tokio::test]
async fn keys_and_words_follow_dialect_and_settings() {
    for (dialect, settings, key, word) in [
        ("cli", json!({}), "status", "creation_failed"),
        ("reference", json!({}), "state", "Creation Failed"),
        ("reference", json!({"statusKey": "status", "statusWords": "lower"}), "status", "creation_failed"),
        ("cli", json!({"statusWords": "title"}), "status", "Creation Failed"),
    ] {
        let bench = connected(settings).await;
        bench.set(json!({"dialect": dialect}));
        let made = post(&bench, "customer").await.body;
        let changed = json!({"status": "creation_failed"});
        bench.control("PATCH", "/targets/customer", Some(changed)).await;
        let read = get(&bench, "customer").await.body;
        let reference = dialect == "reference";
        for body in [&made, &read] {
            assert_eq!(body.get("app_id").is_some(), reference);
            assert_eq!(body["type"], if reference { "Webhook" } else { "webhook" });
        }
        for body in [read, listed(&bench).await[0].clone()] {
            assert_eq!(body[key], word, "{body}");
            assert_eq!(body.get(if key == "status" { "state" } else { "status" }), None);
        }
    }
}

#[tokio::test]
async fn targets_are_removed_with_their_connection() {
    for keep in [false, true] {
        let bench = connected(json!({})).await;
        bench.set(json!({"keepDisconnected": keep}));
        post(&bench, "customer").await;
        bench.applink("DELETE", "/connections/data", None).await;
        assert_eq!(listed(&bench).await.len(), 1);
        bench.advance(1_000);
        assert_eq!(bench.control("GET", "/targets", None).await.body, json!([]));
        let reply = bench.applink("GET", TARGETS, None).await;
        assert_eq!(reply.status.as_u16(), if keep { 200 } else { 404 });
        assert!(!keep || reply.body == json!([]));
        bench.applink("DELETE", "/connections/data", None).await;
        let again = json!({"name": "data", "provider": "datacloud"});
        bench.control("POST", "/connections", Some(again)).await;
        assert!(listed(&bench).await.is_empty());
        assert_eq!(post(&bench, "customer").await.status, StatusCode::ACCEPTED);
    }
}

#[tokio::test]
async fn targets_are_planted_changed_and_removed() {
    let bench = connected(json!({})).await;
    let error = json!({"id": "creation_failed", "message": "No such data space."});
    let plant = json!({"connection": "data", "apiName": "Odd-Name", "type": "event", "status": "creating"});
    let planted = bench.control("POST", "/targets", Some(plant)).await;
    assert_eq!((planted.status, &planted.body["label"]), (StatusCode::CREATED, &json!("Odd-Name")));
    assert_eq!(get(&bench, "Odd-Name").await.body["status"], "creating");
    let change = json!({"status": "creation_failed", "error": error});
    bench.control("PATCH", "/targets/Odd-Name", Some(change)).await;
    let read = get(&bench, "Odd-Name").await.body;
    assert_eq!((&read["status"], &read["error"]), (&json!("creation_failed"), &error));
    let world = bench.control("GET", "/world", None).await.body;
    assert_eq!(world["dataActionTargets"][0]["error"], error);
    let path = format!("/targets/{}", planted.body["id"].as_str().expect("an id"));
    assert_eq!(bench.control("DELETE", &path, None).await.status, StatusCode::NO_CONTENT);
    assert!(listed(&bench).await.is_empty());
    assert_eq!(bench.control("GET", &path, None).await.refusal(), (404, "record_not_found"));
}

#[tokio::test]
async fn faults_apply_to_targets_and_lists_lag() {
    for (place, count) in [(Where::Before, 0), (Where::After, 1)] {
        let bench = connected(json!({})).await;
        let fault = Fault::status(place, 503).method("POST").path_contains("/data_action_targets").times(1);
        bench.simulator.faults(|faults| faults.add(fault)).expect("a good fault");
        assert_eq!(post(&bench, "customer").await.status, StatusCode::SERVICE_UNAVAILABLE);
        let record = bench.simulator.requests(|log| log.iter().next_back().cloned()).expect("a request");
        assert_eq!((record.mutating, record.committed), (true, count == 1));
        bench.set(json!({"listLagSeconds": 2}));
        assert!(bench.applink("GET", TARGETS, None).await.body[0].is_null());
        bench.advance(2_000);
        assert_eq!(listed(&bench).await.len(), count);
    }
}
