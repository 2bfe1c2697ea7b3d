//! What settings change in the body of a connection.

use super::*;

/// A field by its path, with a word for one that is not there.
fn at<'a>(body: &'a Value, path: &str) -> &'a str {
    match body.pointer(path) {
        None => "absent",
        Some(Value::Null) => "null",
        Some(Value::String(text)) => text,
        Some(_) => "there",
    }
}

async fn post_oauth(bench: &Bench, name: &str) -> Value {
    bench.applink("POST", "/connections/salesforce", Some(json!({"connection_name": name}))).await.body
}

#[tokio::test]
async fn status_words_and_key_follow_the_settings() {
    for (words, expected) in [
        ("current", ["connecting", "connected", "failed"]),
        ("older", ["connecting", "connected", "error"]),
        ("pilot", ["authenticating", "authenticated", "authentication_failed"]),
        ("capitalised", ["Connecting", "Connected", "Failed"]),
    ] {
        for (dialect, key) in [("cli", "status"), ("reference", "state")] {
            let bench = Bench::new().await;
            bench.set(json!({"dialect": dialect, "statusWords": words, "statusKey": key, "connectSeconds": 0}));
            post_oauth(&bench, "waits").await;
            bench.post_jwt("works").await;
            post_oauth(&bench, "broken").await;
            bench.control("POST", "/connections/broken/deny", None).await;
            let listed = bench.list().await;
            let told = [0, 1, 2].map(|i| at(&listed[i], &format!("/{key}")).to_owned());
            assert_eq!(told, expected, "{words}");
            let other = if key == "status" { "/state" } else { "/status" };
            assert_eq!(at(&listed[0], other), "absent");
            bench.control("PATCH", "/connections/broken", Some(json!({"status": "Some new word"}))).await;
            assert_eq!(at(&bench.list().await[2], &format!("/{key}")), "Some new word");
        }
    }
}

#[tokio::test]
async fn pending_org_follows_the_setting() {
    // What the POST, a GET and the list show of it: `org`, its id, its name.
    for (shape, dialect, expected) in [
        ("dialect", "cli", ["there", "", "prod"]),
        ("dialect", "reference", ["there", "absent", "prod"]),
        ("absent", "cli", ["absent"; 3]),
        ("null", "cli", ["null", "absent", "absent"]),
        ("empty", "reference", ["there", "absent", "absent"]),
        ("nulls", "cli", ["there", "null", "prod"]),
    ] {
        let bench = Bench::new().await;
        bench.set(json!({"dialect": dialect, "pendingOrg": shape, "connectSeconds": 5}));
        let posted = post_oauth(&bench, "prod").await;
        let got = bench.applink("GET", "/connections/prod", None).await.body;
        for body in [posted, got, bench.list().await[0].clone()] {
            let told = ["/org", "/org/id", "/org/connection_name"].map(|path| at(&body, path));
            assert_eq!(told, expected, "{shape} {dialect}: {body}");
        }
        let robot = bench.post_jwt("robot").await.body;
        assert!(shape == "dialect" || at(&robot, "/org/id") == expected[1], "{robot}");
        bench.control("POST", "/connections/prod/consent", None).await;
        let done = &bench.list().await[0];
        assert!(at(done, "/org/id").starts_with("00D"), "{done}");
    }
}

#[tokio::test]
async fn pending_org_may_be_made_up() {
    for dialect in ["cli", "reference"] {
        let bench = Bench::new().await;
        bench.set(json!({"dialect": dialect, "pendingOrg": "filled"}));
        let posted = post_oauth(&bench, "prod").await;
        assert_eq!(at(&posted, "/status"), "connecting");
        assert!(at(&posted, "/org/id").starts_with("00D"));
        let consent = json!({"username": "me@example.com"});
        bench.control("POST", "/connections/prod/consent", Some(consent)).await;
        assert_ne!(at(&bench.list().await[0], "/org/id"), at(&posted, "/org/id"));
    }
}

#[tokio::test]
async fn name_place_moves_the_name() {
    for (place, expected) in [("org", ["prod", "absent"]), ("top", ["absent", "prod"]), ("both", ["prod", "prod"])] {
        let bench = Bench::new().await;
        bench.set(json!({"namePlace": place}));
        let posted = bench.post_jwt("prod").await.body;
        for body in [posted, bench.list().await[0].clone()] {
            assert_eq!(["/org/connection_name", "/connection_name"].map(|path| at(&body, path)), expected, "{place}");
        }
    }
    let bench = Bench::new().await;
    bench.set(json!({"namePlace": "top", "pendingOrg": "absent"}));
    assert_eq!(at(&post_oauth(&bench, "prod").await, "/connection_name"), "prod");
}

#[tokio::test]
async fn omitted_removes_these_fields_only() {
    for (dialect, omitted, paths) in [
        (
            "cli",
            "provenance",
            &["/created_at", "/created_by", "/created_via_app", "/last_modified_at", "/last_modified_by"][..],
        ),
        ("reference", "method", &["/connection_method"]),
        ("cli", "orgType", &["/org/type"]),
        ("cli", "user", &["/org/username", "/org/user_id"]),
        ("reference", "user", &["/org/user_auth"]),
        ("cli", "accessToken", &["/org/access_token"]),
        ("reference", "accessToken", &["/org/user_auth/access_token"]),
    ] {
        let bench = Bench::new().await;
        bench.set(json!({"dialect": dialect, "connectSeconds": 0}));
        bench.post_jwt("prod").await;
        let read = async || bench.applink("GET", "/connections/prod", None).await.body;
        let whole = read().await;
        for how in ["absent", "null"] {
            bench.set(json!({"omitted": [omitted], "omittedAs": how}));
            let mut sparse = read().await;
            for path in paths {
                assert_eq!(at(&sparse, path), how, "{dialect} {omitted}");
                assert!(!matches!(at(&whole, path), "absent" | "null"), "{dialect} {omitted}");
            }
            bench.set(json!({"omitted": []}));
            if how == "null" {
                for path in paths {
                    let value = whole.pointer(path).expect("it is there").clone();
                    *sparse.pointer_mut(path).expect("null") = value;
                }
                assert_eq!(sparse, whole, "{dialect} {omitted}");
            }
        }
    }
}

#[tokio::test]
async fn listed_addon_id_may_be_another_addon() {
    for dialect in ["cli", "reference"] {
        let bench = Bench::new().await;
        bench.set(json!({"dialect": dialect, "listedAddonId": "foreign"}));
        let id = bench.post_jwt("prod").await.body["id"].clone();
        let listed = &bench.list().await[0];
        assert_eq!(listed["id"], id);
        let told = at(listed, "/addon_id");
        assert!(told.len() == 36 && told != Seed::ADDON_ID.to_string(), "{told}");
        let got = bench.applink("GET", "/connections/prod", None).await.body;
        assert_ne!(at(&got, "/addon_id"), told);
    }
}
