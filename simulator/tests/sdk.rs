//! The official AppLink SDKs for Python and Node, unmodified, read authorizations from a simulator process.
//!
//! `simulator/tests/sdk/ensure.sh` installs the SDKs and prints the directory for APPLINK_SDKS.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use applink_simulator::{Seed, Token};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Map, Value, json};

const PEM: &str = "-----BEGIN PRIVATE KEY-----\nQ0FOQVJZLUtFWQ==\n-----END PRIVATE KEY-----\n";

/// A simulator and a client. The simulator stops when its standard input ends, so it does not outlive this process.
struct Bench {
    url: String,
    http: reqwest::Client,
    process: Child,
}

impl Drop for Bench {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

impl Bench {
    fn start() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut process = Command::new(env!("CARGO_BIN_EXE_applink-simulator"))
            .args(["--listen", "127.0.0.1:0", "--stop-with-stdin"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a simulator");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("its standard output")).read_line(&mut line).expect("a line");
        let url = line.trim().strip_prefix("listening on ").expect("where it listens").to_owned();
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { url, http, process }
    }

    /// Sends a request, which must succeed.
    async fn ask(&self, method: &str, url: &str, headers: &[(&str, String)], body: Option<Value>) -> Value {
        let mut request = self.http.request(method.parse().expect("a method"), url);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.expect("a body"));
        assert!(status.is_success(), "{method} {url}: {status} {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    async fn control(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        self.ask(method, &format!("{}/_control{path}", self.url), &[], body).await
    }

    async fn platform(&self, path: &str, version: &str) -> Value {
        let headers = [
            ("accept", format!("application/vnd.heroku+json; version={version}")),
            ("authorization", format!("Bearer {}", Seed::HEROKU_TOKEN)),
        ];
        self.ask("GET", &format!("{}/apps/{}{path}", self.url, Seed::APP_NAME), &headers, None).await
    }

    /// The config vars of the app.
    async fn environment(&self) -> BTreeMap<String, String> {
        serde_json::from_value(self.platform("/config-vars", "3").await).expect("config vars")
    }

    /// Creates an authorization like the Heroku CLI.
    async fn authorize(&self, provider: &str, name: &str) {
        let vars = self.environment().await;
        let sso = self.platform(&format!("/addons/{}/sso", Seed::ADDON_ID), "3.sdk").await;
        let headers = [
            ("authorization", format!("Bearer {}", vars["HEROKU_APPLINK_TOKEN"])),
            ("x-addon-sso", BASE64_STANDARD.encode(sso.to_string())),
            ("x-app-uuid", Seed::APP_ID.to_string()),
        ];
        let body = json!({
            "developer_name": name, "alias": alias(name), "client_id": "3MVG9", "username": "ci@example.com",
            "jwt_private_key": PEM,
        });
        let url = format!("{}/authorizations/{provider}/jwt", vars["HEROKU_APPLINK_API_URL"]);
        self.ask("POST", &url, &headers, Some(body)).await;
    }

    /// The authorization as the control API shows it.
    async fn held(&self, name: &str) -> Value {
        self.control("GET", &format!("/authorizations/{name}"), None).await
    }

    /// Runs the script of an SDK with the config vars of the app.
    async fn run(&self, sdk: Sdk, keys: &[&str]) -> Output {
        let script = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(name);
        let mut command = match sdk {
            Sdk::Python => Command::new(sdks().join("python/bin/python")),
            Sdk::Node => Command::new("node"),
        };
        command.arg(script(sdk.reader())).args(keys).env("NODE_PATH", sdks().join("node/node_modules"));
        command.envs(self.environment().await).output().expect("the reader runs")
    }

    /// The result of an SDK for each of these names or aliases.
    async fn read(&self, sdk: Sdk, keys: &[&str]) -> Vec<Map<String, Value>> {
        let output = self.run(sdk, keys).await;
        let (told, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{sdk:?}: {said}");
        told.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}

#[derive(Clone, Copy, Debug)]
enum Sdk {
    Python,
    Node,
}

impl Sdk {
    fn reader(self) -> &'static str {
        match self {
            Self::Python => "read.py",
            Self::Node => "read.mjs",
        }
    }
}

fn sdks() -> PathBuf {
    std::env::var_os("APPLINK_SDKS")
        .expect("APPLINK_SDKS is what simulator/tests/sdk/ensure.sh prints: run `make test-sdk`")
        .into()
}

/// The default alias of the Heroku CLI.
fn alias(name: &str) -> String {
    format!("applink:{name}")
}

fn digest(token: &Value) -> String {
    Token::new(token.as_str().expect("a token")).digest()
}

/// Compares the result of an SDK with the authorization.
fn compare(sdk: Sdk, told: &Map<String, Value>, held: &Value, version: &str) {
    for field in ["orgId", "instanceUrl", "username", "userId"] {
        assert_eq!(told[field], held[field], "{sdk:?}: {field}");
    }
    assert_eq!(digest(&told["accessToken"]), held["accessTokenDigest"], "{sdk:?}");
    assert_eq!(told["apiVersion"], version, "{sdk:?}");
    let is_data_cloud = held["provider"] == "datacloud";
    match sdk {
        Sdk::Python => {
            let kind = if is_data_cloud { "DataCloudOrg" } else { "SalesforceOrg" };
            assert_eq!((&told["type"], &told["name"]), (&json!(kind), &held["name"]));
            assert_eq!((&told["status"], &told["createdBy"]), (&held["status"], &held["createdBy"]));
        }
        Sdk::Node => assert_eq!(told["isDataCloud"], is_data_cloud),
    }
}

#[tokio::test]
async fn both_sdks_read_what_the_simulator_holds_by_name_and_by_alias() {
    for (dialect, version) in [("cli", "64.0"), ("reference", "57.0")] {
        let bench = Bench::start();
        bench.control("PATCH", "/settings", Some(json!({"dialect": dialect, "connectSeconds": 0}))).await;
        for (provider, name) in [("salesforce", "batchUser"), ("datacloud", "cloudUser")] {
            bench.authorize(provider, name).await;
            let held = bench.held(name).await;
            assert_eq!((&held["status"], &held["username"]), (&json!("authorized"), &json!("ci@example.com")));
            for sdk in [Sdk::Python, Sdk::Node] {
                let read = bench.read(sdk, &[name, &alias(name)]).await;
                assert_eq!(read.len(), 2);
                read.iter().for_each(|told| compare(sdk, told, &held, version));
            }
        }
    }
}

#[tokio::test]
async fn both_sdks_read_empty_fields_before_consent() {
    for dialect in ["cli", "reference"] {
        let bench = Bench::start();
        bench.control("PATCH", "/settings", Some(json!({"dialect": dialect}))).await;
        let waiting = json!({"name": "person", "method": "OAuth", "status": "authorizing"});
        bench.control("POST", "/authorizations", Some(waiting)).await;
        for sdk in [Sdk::Python, Sdk::Node] {
            let told = bench.read(sdk, &["person"]).await.remove(0);
            for field in ["orgId", "username", "userId", "accessToken", "apiVersion"] {
                assert_eq!(told[field], "", "{sdk:?} {dialect}: {field}");
            }
        }
    }
}

#[tokio::test]
async fn both_sdks_get_a_new_token_after_expiry() {
    let bench = Bench::start();
    bench.authorize("salesforce", "batchUser").await;
    for sdk in [Sdk::Python, Sdk::Node] {
        let before = bench.held("batchUser").await;
        bench.control("POST", "/authorizations/batchUser/expire", None).await;
        let told = bench.read(sdk, &["batchUser"]).await;
        let held = bench.held("batchUser").await["accessTokenDigest"].clone();
        assert_ne!(held, before["accessTokenDigest"]);
        assert_eq!(digest(&told[0]["accessToken"]), held, "{sdk:?}");
    }
}

#[tokio::test]
async fn both_sdks_report_an_unknown_authorization() {
    let bench = Bench::start();
    bench.control("PATCH", "/settings", Some(json!({"errorShape": "titleDetail"}))).await;
    for (sdk, message) in [(Sdk::Python, "404"), (Sdk::Node, "Not Found - record not found")] {
        let output = bench.run(sdk, &["nobody"]).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(message), "{sdk:?}: {said}");
    }
}
