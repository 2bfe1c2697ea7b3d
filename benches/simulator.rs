//! The simulator of Heroku and AppLink as a process, with its control API.
//!
//! Decides nothing. Each `World` has one.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::process::Process;

/// The Heroku token that it accepts.
pub const TOKEN: &str = "HRKU-bench-token";

/// A simulator process.
pub struct Simulator {
    /// Base URL of both APIs and of the control API.
    pub url: String,
    /// The process.
    pub process: Process,
    http: reqwest::Client,
}

/// Calls to AppLink, as the simulator counts them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calls {
    /// POSTs.
    pub posts: u64,
    /// DELETEs.
    pub deletes: u64,
    /// GETs of one object.
    pub gets: u64,
    /// Lists.
    pub lists: u64,
}

impl Calls {
    /// All of them.
    pub fn all(&self) -> u64 {
        self.posts + self.deletes + self.gets + self.lists
    }
}

impl Simulator {
    /// Starts one that answers each call after `latency`.
    pub async fn start(program: &Path, dir: &Path, latency: Duration) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0", "--stop-with-stdin", "--heroku-token", TOKEN]);
        let mut process = Process::start(&mut command, &dir.join("simulator.log"))?;
        let line = process.first_line().await?;
        let url = line.strip_prefix("listening on ").context("where the simulator listens")?.to_owned();
        let http = reqwest::Client::builder().no_proxy().build()?;
        let simulator = Self { url, process, http };
        let delay = json!({"where": "before", "what": {"delay": {"ms": latency.as_millis()}}});
        simulator.control("POST", "/faults", delay).await?;
        // The floor and the naive controller send no SSO parameters.
        simulator.control("PATCH", "/settings", json!({"ssoCheck": "never"})).await?;
        Ok(simulator)
    }

    /// Calls the control API.
    pub async fn control(&self, method: &str, path: &str, body: Value) -> Result<Value> {
        let request = self.http.request(method.parse()?, format!("{}/_control{path}", self.url));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = request.header("content-type", "application/json").body(body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("{method} {path}: {status} {text}");
        }
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }

    /// Starts to count afresh. The simulator keeps a limited number of records.
    pub async fn clear_calls(&self) -> Result<()> {
        self.control("DELETE", "/requests", Value::Null).await.map(drop)
    }

    /// Calls to AppLink since [`Self::clear_calls`].
    pub async fn calls(&self) -> Result<Calls> {
        let mut calls = Calls::default();
        for request in self.requests().await? {
            // /addons/{add-on}/authorizations/{id}, and /addons/{add-on}/connections/datacloud/{id}/data_action_targets/{name}
            let parts: Vec<_> = request["path"].as_str().unwrap_or_default().split('/').skip(3).collect();
            let of_one = parts.len() == 2 || (parts.len() == 5 && parts[3] == "data_action_targets");
            match request["method"].as_str().unwrap_or_default() {
                "POST" => calls.posts += 1,
                "DELETE" => calls.deletes += 1,
                _ if of_one => calls.gets += 1,
                _ => calls.lists += 1,
            }
        }
        Ok(calls)
    }

    /// The requests to AppLink since [`Self::clear_calls`].
    pub async fn requests(&self) -> Result<Vec<Value>> {
        let all = self.control("GET", "/requests?since=0", Value::Null).await?;
        let all = all.as_array().context("a list of requests")?.clone();
        // Both APIs are served at one port.
        let applink = |request: &Value| request["path"].as_str().is_some_and(|path| path.starts_with("/addons/"));
        Ok(all.into_iter().filter(applink).collect())
    }

    /// What AppLink has in a collection.
    pub async fn objects(&self, collection: &str) -> Result<Vec<Value>> {
        let all = self.control("GET", &format!("/{collection}"), Value::Null).await?;
        Ok(all.as_array().context("a list")?.clone())
    }
}
