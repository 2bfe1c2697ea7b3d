//! A simulator of Heroku and AppLink as a process, with its control API.
//!
//! Asserts nothing. Each `Scene` has one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use http::StatusCode;
use serde_json::{Value, json};

use super::process::Process;
use super::{PATIENCE, text, until};

const BUILD: &str = "make build-simulator";

/// The Heroku token that it accepts.
pub const TOKEN: &str = "HRKU-e2e-canary-token";

/// The simulator's binary. Cargo puts it beside the operator's, but does not build it for the operator's tests.
fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_applink-operator")).with_file_name("applink-simulator");
    let built = program.metadata().and_then(|file| file.modified());
    let built = built.unwrap_or_else(|error| panic!("{}: {error}; run `{BUILD}`", program.display()));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("simulator/src");
    if let Some(newer) = changed_since(&source, built) {
        panic!("{} is newer than {}; run `{BUILD}`", newer.display(), program.display());
    }
    program
}

/// A source file that changed after this time. Unit tests are not part of the program.
fn changed_since(dir: &Path, built: SystemTime) -> Option<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| !path.ends_with("tests")).find_map(|path| {
        if path.is_dir() {
            return changed_since(&path, built);
        }
        let changed = path.metadata().and_then(|file| file.modified()).expect("when it changed");
        (changed > built).then_some(path)
    })
}

/// A simulator process.
pub struct Simulator {
    /// Base URL of both APIs and of the control API.
    pub url: String,
    http: reqwest::Client,
    _process: Process,
}

impl Simulator {
    pub fn start(dir: &Path) -> Self {
        let mut command = Command::new(program());
        command.args(["--listen", "127.0.0.1:0", "--stop-with-stdin", "--heroku-token", TOKEN]);
        let mut process = Process::stops_with_stdin(&mut command, &dir.join("simulator.log"));
        let line = process.first_line(PATIENCE);
        let url = line.strip_prefix("listening on ").expect("where it listens").to_owned();
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        Self { url, http, _process: process }
    }

    /// Another simulator for the same test. All start with the same add-on, so this one gets another.
    pub async fn beside(dir: &Path, name: &str) -> Self {
        let dir = dir.join(name);
        std::fs::create_dir(&dir).expect("a directory");
        let simulator = Self::start(&dir);
        simulator.control("DELETE", "/addons/heroku-applink-cubed-1234", Value::Null).await;
        let own = json!({"name": name, "attachments": [{"app": "orders-prod", "name": "HEROKU_APPLINK"}]});
        simulator.control("POST", "/addons", own).await;
        simulator
    }

    /// Calls the control API; the call must succeed.
    pub async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, body) = self.call(method, path, body).await;
        assert!(status.is_success(), "{path}: {status} {body}");
        if body.is_empty() { Value::Null } else { serde_json::from_str(&body).expect("JSON") }
    }

    /// Calls the control API. Returns null if it refuses.
    pub async fn try_control(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, body) = self.call(method, path, body).await;
        serde_json::from_str(&body).ok().filter(|_| status.is_success()).unwrap_or_default()
    }

    /// Somebody consents to the connection with this ID, if it still waits for consent.
    pub async fn consent(&self, id: &str) {
        self.call("POST", &format!("/connections/{id}/consent"), json!({})).await;
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (StatusCode, String) {
        let url = format!("{}/_control{path}", self.url);
        let method = method.parse().expect("a method");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.http.request(method, url).header("content-type", "application/json").body(body);
        let answer = answer.send().await.expect("the simulator answers");
        (answer.status(), answer.text().await.expect("a body"))
    }

    /// All connections.
    pub async fn connections(&self) -> Vec<Value> {
        let list = self.control("GET", "/connections", Value::Null).await;
        list.as_array().expect("a list").clone()
    }

    /// The only connection.
    pub async fn only_connection(&self) -> Value {
        let mut all = self.connections().await;
        assert_eq!(all.len(), 1, "not exactly one connection in AppLink: {all:#?}");
        all.remove(0)
    }

    /// Changes settings.
    pub async fn settings(&self, patch: Value) {
        self.control("PATCH", "/settings", patch).await;
    }

    /// Adds a fault.
    pub async fn fault(&self, fault: Value) {
        self.control("POST", "/faults", fault).await;
    }

    pub async fn clear_faults(&self) {
        self.control("DELETE", "/faults", Value::Null).await;
    }

    /// Requests to both APIs after the one with this number.
    pub async fn requests_since(&self, seq: u64) -> Vec<Value> {
        let list = self.control("GET", &format!("/requests?since={seq}"), Value::Null).await;
        list.as_array().expect("a list").clone()
    }

    /// Number of the last request.
    pub async fn last_request(&self) -> u64 {
        self.requests_since(0).await.last().map_or(0, |request| request["seq"].as_u64().expect("a number"))
    }

    /// Mutating AppLink requests as `METHOD /path`, without the add-on.
    pub async fn mutating(&self) -> Vec<String> {
        let all = self.requests_since(0).await;
        all.iter().filter(|request| request["mutating"] == json!(true)).map(line).collect()
    }

    /// Waits until the requests after this number satisfy `enough`. Returns them.
    pub async fn until_requests(&self, seq: u64, what: &str, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let look = async || Some(self.requests_since(seq).await).filter(|asked| enough(asked));
        let explain = async || self.requests_since(seq).await.iter().map(|r| line(r) + "\n").collect();
        until(what, PATIENCE, look, explain).await
    }

    /// Waits for a logged request that `wanted` accepts.
    pub async fn wait_request(&self, what: &str, wanted: impl Fn(&Value) -> bool) {
        let look = async || self.requests_since(0).await.iter().any(&wanted).then_some(());
        let explain = async || self.requests_since(0).await.iter().map(|r| line(r) + "\n").collect();
        until(what, PATIENCE, look, explain).await;
    }
}

fn line(request: &Value) -> String {
    let path = text(request, "/path");
    let path = path.strip_prefix("/addons/").and_then(|rest| rest.split_once('/')).map_or(path, |(_, rest)| rest);
    format!("{} {path}", text(request, "/method"))
}
