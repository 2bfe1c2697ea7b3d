//! The API server's audit log: each request of an operator and its result.
//!
//! Read-only. Each operator has its own account, so its requests can be distinguished. `Scene` queries them, and the
//! recorder checks that it missed none.

use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;

/// A request that the API server executed or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// get, list, watch, create, update, patch or delete.
    pub verb: String,
    /// API group; empty for the core group.
    pub group: String,
    /// Plural, with the subresource after a slash.
    pub resource: String,
    /// Namespace; empty for a request across namespaces.
    pub namespace: String,
    /// Object name; empty for a create.
    pub name: String,
    /// HTTP status.
    pub code: u64,
    /// When the request arrived.
    pub at: Timestamp,
}

impl Request {
    /// Whether the request is mutating.
    pub fn writes(&self) -> bool {
        !["get", "list", "watch"].contains(&self.verb.as_str())
    }
}

/// All requests of one user in the order of their responses, except those that concern no resource.
pub fn requests_of(log: &Path, user: &str) -> Vec<Request> {
    let entries = entries(log, user).into_iter().filter(|entry| entry["user"]["username"] == user && counts(entry));
    entries.map(|entry| request(&entry)).collect()
}

/// The least number of states that objects of our kinds in a namespace were in: one for each creation, and one for each
/// write of an operator, which makes no empty writes.
pub fn states_made_in(log: &Path, namespace: &str) -> usize {
    let made = |entry: &&Value| {
        let ours = entry["objectRef"]["apiGroup"] == "applink.dev" && entry["objectRef"]["namespace"] == namespace;
        let operator = super::text(entry, "/user/username").ends_with(":applink-operator");
        let code = &entry["responseStatus"]["code"];
        ours && (*code == 201 || operator && *code == 200 && request(entry).writes())
    };
    entries(log, namespace).iter().filter(made).count()
}

/// Log entries that contain this text.
fn entries(log: &Path, word: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(log).expect("the audit log");
    let lines = text.lines().filter(|line| line.contains(word));
    lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// A watch is logged twice: when it starts, and when it ends.
fn counts(entry: &Value) -> bool {
    entry["objectRef"].is_object() && !(entry["verb"] == "watch" && entry["stage"] == "ResponseComplete")
}

fn request(entry: &Value) -> Request {
    let at = |pointer: &str| super::text(entry, pointer).to_owned();
    let resource = match at("/objectRef/subresource") {
        sub if sub.is_empty() => at("/objectRef/resource"),
        sub => format!("{}/{sub}", at("/objectRef/resource")),
    };
    Request {
        verb: at("/verb"),
        group: at("/objectRef/apiGroup"),
        resource,
        namespace: at("/objectRef/namespace"),
        name: at("/objectRef/name"),
        code: entry["responseStatus"]["code"].as_u64().unwrap_or_default(),
        at: at("/requestReceivedTimestamp").parse().expect("a time"),
    }
}
