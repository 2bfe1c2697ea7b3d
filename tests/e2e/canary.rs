//! Sends secrets with recognisable values through every success and failure, then searches everything that was written
//! anywhere for them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{CONNECTION, Flags, KEY, Operator, Scene, TOKEN, e2e, pem, sha256, text};

const ADDON_TOKEN: &str = "e2e-canary-addon-token-0f1e2d3c4b5a";
/// Part of every access token of the simulator.
const ACCESS_TOKEN: &str = "!AQ.canary.";
/// Part of every SSO payload of the simulator.
const SSO: [&str; 2] = ["eyJhZGRvbiI6Imhlcm9rdS1hcHBsaW5rIn0", "user_scoped_resource_token"];
/// Part of every link of the simulator: in its path, and in its `state`.
const CONSENT: [&str; 2] = ["/consent/canary-", "eyJtYXJrIjoiY2FuYXJ5"];

/// Values that must not appear, with their names.
fn needles() -> Vec<(&'static str, String)> {
    let key = pem(KEY);
    let line = key.lines().nth(1).expect("a line of base64").to_owned();
    vec![
        ("the Heroku token", TOKEN.to_owned()),
        ("the Heroku token, base64", STANDARD.encode(TOKEN)),
        ("the private key", line),
        ("the private key, base64", STANDARD.encode(&key)),
        ("the private key's frame", "BEGIN PRIVATE KEY-----\\n".to_owned()),
        ("the add-on's token", ADDON_TOKEN.to_owned()),
        ("an access token", ACCESS_TOKEN.to_owned()),
        ("the SSO payload", SSO[0].to_owned()),
        ("the SSO payload", SSO[1].to_owned()),
        // The header is the payload in base64, which begins like this.
        ("the SSO header", STANDARD.encode(r#"{"action":"https://applink"#)[..30].to_owned()),
    ]
}

/// An error body that repeats everything it received, as a careless service might.
fn echo(code: u16) -> Value {
    let key = pem(KEY);
    let body = json!({
        "id": "echo",
        "message": format!("you sent {key} with Bearer {ADDON_TOKEN} and {TOKEN} for 00DSG00000DGEIr{ACCESS_TOKEN}x"),
        "error": {"jwt_private_key": key, "token": TOKEN, "authorization": format!("Bearer {ADDON_TOKEN}")},
    });
    json!({"status": {"code": code, "body": body}})
}

fn html() -> Value {
    let body = format!("<html><body>{TOKEN} {ADDON_TOKEN} {}</body></html>", pem(KEY));
    json!({"status": {"code": 502, "body": body}})
}

/// A person gets a link, and the service repeats it where it should not.
async fn hand_over(scene: &Scene) -> Vec<(&'static str, String)> {
    scene.apply(&scene.by_consent("person", "personOrg")).await;
    scene.unready("Connection", "person", "AwaitingUser", "Reconciling").await;
    let link = scene.link("person").await;
    let failed = json!({"status": "failed", "error": {"id": "echo", "message": format!("nobody opened {link}")}});
    scene.simulator.control("PATCH", "/connections/personOrg", failed).await;
    scene.unready("Connection", "person", "RemoteFailed", "Stalled").await;
    let (path, state) = (CONSENT[0].to_owned(), CONSENT[1].to_owned());
    assert!(link.contains(&path) && link.contains(&state), "otherwise it could not be found: {link}");
    vec![("a link", path), ("the OAuth state of a link", state), ("a link, base64", STANDARD.encode(link))]
}

/// Goes through refusals, outages, success, loss and deletion.
async fn flow(scene: &Scene) {
    let simulator = &scene.simulator;
    let rotated = json!({"addon": "heroku-applink-cubed-1234", "token": ADDON_TOKEN});
    simulator.control("POST", "/tokens", rotated).await;
    for (path, what) in [("/apps/", echo(500)), ("/apps/", html()), ("/sso", echo(401)), ("/authorizations", echo(500))]
    {
        simulator.fault(json!({"pathContains": path, "what": what, "times": 1})).await;
    }
    simulator.fault(json!({"method": "POST", "what": echo(422), "times": 1})).await;
    scene.apply_all(&scene.everything()).await;
    scene.unready("Connection", CONNECTION, "RemoteRejected", "Stalled").await;

    // Another input is tried at once; its response ends early, then the next lists are refused.
    simulator.fault(json!({"method": "POST", "where": "after", "what": "truncate", "times": 1})).await;
    scene.change("Connection", CONNECTION, json!({"spec": {"jwt": {"username": "robot@example.com"}}})).await;
    let seen = scene.ready("Connection", CONNECTION).await;
    let remote = simulator.only_connection().await;
    assert_eq!(
        remote["jwt"]["keyDigest"],
        sha256(&pem(KEY)),
        "otherwise the key was never sent, and the test proves nothing"
    );

    let failed = json!({"status": "failed", "error": {"id": "echo", "message": format!("{} {TOKEN}", pem(KEY))}});
    simulator.control("PATCH", "/connections/productionOrg", failed).await;
    scene.unready("Connection", CONNECTION, "RemoteFailed", "Stalled").await;
    simulator.fault(json!({"method": "DELETE", "what": echo(403), "times": 2})).await;
    scene.delete("Connection", CONNECTION).await;
    let refused = |o: &Value| o["metadata"]["deletionTimestamp"].is_string() && o["status"] != seen["status"];
    scene.wait("Connection", CONNECTION, "says what its deletion waits for", refused).await;
    let used = simulator.requests_since(0).await;
    let applink = used.iter().find(|request| request["api"] == "applink").expect("a call to AppLink");
    assert_eq!(applink["tokenDigest"], sha256(ADDON_TOKEN)[..12], "otherwise the token was never sent");
}

/// Everything that the operator wrote anywhere.
pub async fn written(scene: &Scene, operator: &Operator) -> Vec<(&'static str, String)> {
    let mut all = vec![("log", operator.said()), ("metrics", operator.metrics().await)];
    for kind in ["Connection", "AppLinkAddon", "Event"] {
        all.push((kind, Value::from(scene.list(kind).await).to_string()));
    }
    all
}

/// The token of the operator's service account, from its kubeconfig.
fn account_token(scene: &Scene) -> (&'static str, String) {
    let kubeconfig = std::fs::read_to_string(scene.dir.join("operator-0.kubeconfig")).expect("the kubeconfig");
    let kubeconfig: Value = serde_json::from_str(&kubeconfig).expect("JSON");
    ("the operator's own token", text(&kubeconfig, "/users/0/user/token").to_owned())
}

async fn assert_silent(scene: &Scene, flags: Flags, enough: &[&str]) {
    let operator = scene.operator_with(flags).await;
    flow(scene).await;
    let needles = [needles(), hand_over(scene).await, vec![account_token(scene)]].concat();
    for (place, text) in written(scene, &operator).await {
        for (what, needle) in &needles {
            let found =
                text.find(needle).map(|at| text[at.saturating_sub(300)..].chars().take(600).collect::<String>());
            assert!(found.is_none(), "{what} is in the {place}: ...{}...", found.unwrap_or_default());
        }
    }
    // An empty log would contain no secret, either.
    for piece in enough {
        assert!(operator.said().contains(piece), "no {piece:?} in the log");
    }
}

#[test]
fn no_secret_in_log_event_status_or_metric() {
    e2e("canary", async |scene| {
        assert_silent(scene, Flags::default(), &["RemoteRejected", "connection productionOrg is connected"]).await;
    });
}

#[test]
fn no_secret_in_debug_and_trace_logs() {
    e2e("canary-trace", async |scene| {
        let log = Some("trace");
        assert_silent(scene, Flags { log, json: true, ..Flags::default() }, &["\"level\":\"TRACE\"", "RemoteRejected"])
            .await;
    });
}
