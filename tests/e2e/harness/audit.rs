//! The API server's audit log: each request of an operator, and what became of it.
//!
//! Reads only. Each operator has an account of its own, so its requests can be told from all others. `Scene` asks for
//! those, and the recorder counts what it may not have missed.

use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;

/// One request that the API server carried out or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// get, list, watch, create, update, patch, delete.
    pub verb: String,
    /// Group of the kind; empty for the core's.
    pub group: String,
    /// Plural of the kind, and the subresource after a slash where there is one.
    pub resource: String,
    /// Namespace of the object; empty for a request that is about all.
    pub namespace: String,
    /// Name of the object; empty for what is created.
    pub name: String,
    /// HTTP status of the answer.
    pub code: u64,
    /// When it arrived.
    pub at: Timestamp,
}

impl Request {
    /// Whether it asked for a change.
    pub fn writes(&self) -> bool {
        !["get", "list", "watch"].contains(&self.verb.as_str())
    }
}

/// All requests of one user, in the order of their answers. Those for nothing of a kind's are left out.
pub fn requests_of(log: &Path, user: &str) -> Vec<Request> {
    let entries = entries(log, user).into_iter().filter(|entry| entry["user"]["username"] == user && counts(entry));
    entries.map(|entry| request(&entry)).collect()
}

/// In how many states requests put objects of our kinds in a namespace, at the least: each creation in one, and each
/// write of an operator, which writes nothing that changes nothing.
pub fn states_made_in(log: &Path, namespace: &str) -> usize {
    let made = |entry: &&Value| {
        let ours = entry["objectRef"]["apiGroup"] == "applink.dev" && entry["objectRef"]["namespace"] == namespace;
        let operator = super::text(entry, "/user/username").ends_with(":applink-operator");
        let code = &entry["responseStatus"]["code"];
        ours && (*code == 201 || operator && *code == 200 && request(entry).writes())
    };
    entries(log, namespace).iter().filter(made).count()
}

/// The lines with this word in them.
fn entries(log: &Path, word: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(log).expect("the audit log");
    let lines = text.lines().filter(|line| line.contains(word));
    lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// A watch is written down twice: when it is answered, and when it ends.
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
