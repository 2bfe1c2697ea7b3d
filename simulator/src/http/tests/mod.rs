//! Tests over HTTP: in-process through the router, on a clock that the tests advance, and some on a socket.

mod applink;
mod authorizations;
mod consent;
mod control;
mod door;
mod faults;
mod mixed;
mod overrides;
mod platform;
mod publications;
mod reference;
mod shape;
mod targets;
mod tls;
mod uploads;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::{Body, to_bytes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Request, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use crate::{App, Attachment, Seed, Simulator};

const PEM: &str = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0IGNhbmFyeSBrZXk=\n-----END PRIVATE KEY-----\n";

/// What came back.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Reply {
    /// Status and error id, which tell one refusal from another.
    fn refusal(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["id"].as_str().unwrap_or(""))
    }
}

/// A simulator, its clock, and a client that knows how to authenticate.
struct Bench {
    simulator: Simulator,
    clock: Arc<AtomicI64>,
    // The headers of an AppLink request; tests spoil them one by one.
    headers: Vec<(&'static str, String)>,
}

impl Bench {
    async fn new() -> Self {
        let clock = Arc::new(AtomicI64::new(1_750_000_000_000));
        let time = clock.clone();
        let now = move || {
            let millis = time.load(Ordering::SeqCst);
            Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH)
        };
        let mut bench =
            Self { simulator: Simulator::with_clock(Seed::default(), Arc::new(now)), clock, headers: Vec::new() };
        bench.headers = vec![
            ("authorization", format!("Bearer {}", Seed::ADDON_TOKEN)),
            ("x-addon-sso", bench.sso().await),
            ("x-app-uuid", Seed::APP_ID.to_string()),
        ];
        bench
    }

    fn advance(&self, millis: i64) {
        self.clock.fetch_add(millis, Ordering::SeqCst);
    }

    fn set(&self, settings: Value) {
        let Value::Object(patch) = settings else { panic!("not an object") };
        self.simulator.settings(|s| *s = s.merged(patch).expect("good settings"));
    }

    async fn sso(&self) -> String {
        let path = format!("/apps/orders-prod/addons/{}/sso", Seed::ADDON_ID);
        let reply = self.platform(&path, "3.sdk").await;
        assert_eq!(reply.status, StatusCode::OK);
        STANDARD.encode(reply.body.to_string())
    }

    async fn platform(&self, path: &str, version: &str) -> Reply {
        let accept = format!("application/vnd.heroku+json; version={version}");
        let token = format!("Bearer {}", Seed::HEROKU_TOKEN);
        let headers = [("accept", accept), ("authorization", token)];
        self.send("GET", path, &headers, None).await
    }

    /// A request below the add-on.
    async fn applink(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let path = format!("/addons/{}{path}", Seed::ADDON_ID);
        self.send(method, &path, &self.headers, body).await
    }

    async fn list(&self) -> Vec<Value> {
        let reply = self.applink("GET", "/connections", None).await;
        assert_eq!(reply.status, StatusCode::OK);
        reply.body.as_array().expect("an array").clone()
    }

    async fn post_jwt(&self, name: &str) -> Reply {
        let path = "/connections/salesforce/jwt";
        self.applink("POST", path, Some(jwt(name))).await
    }

    /// Attaches another app to the add-on, and returns its id.
    fn attach(&self, name: &str) -> Uuid {
        let id = Uuid::new_v4();
        self.simulator.world(|world| {
            let app = App { id, name: name.to_owned(), config_vars: BTreeMap::new() };
            world.add_app(app).expect("a new app");
            let attachment = Attachment { id: Uuid::new_v4(), app: id, name: "HEROKU_APPLINK".to_owned() };
            world.addon_mut(Seed::ADDON_NAME).expect("the add-on").attachments.push(attachment);
        });
        id
    }

    async fn control(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let path = format!("/_control{path}");
        self.send(method, &path, &[], body).await
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&'static str, String)], body: Option<Value>) -> Reply {
        let reply = self.try_send(method, path, headers, body).await;
        reply.expect("a whole answer")
    }

    async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&'static str, String)],
        body: Option<Value>,
    ) -> Result<Reply, axum::Error> {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("host", "sim.test:8080");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.exchange(request.body(body).expect("a request")).await
    }

    async fn exchange(&self, request: Request<Body>) -> Result<Reply, axum::Error> {
        let answer = self.simulator.router().oneshot(request).await;
        let answer = answer.expect("a router cannot fail");
        let (parts, body) = answer.into_parts();
        let bytes = to_bytes(body, usize::MAX).await?;
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        Ok(Reply {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_else(|_| text()),
        })
    }
}

fn jwt(name: &str) -> Value {
    json!({
        "connection_name": name,
        "alias": "alias",
        "client_id": "3MVG9",
        "username": "ci@example.com",
        "jwt_private_key": PEM,
    })
}
