//! The API server's audit log: every write, by whom, and of what.
//!
//! Reads only. Each operator has a user name of its own, so its writes can be told from all others.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// One write that the API server carried out or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// create, update, patch, delete.
    pub verb: String,
    /// Plural of the kind, and the subresource after a slash where there is one.
    pub resource: String,
    /// Name of the object; empty for what is created.
    pub name: String,
    /// HTTP status of the answer.
    pub code: u64,
}

/// All writes of one user.
pub fn writes_of(log: &Path, user: &str) -> Vec<Write> {
    let text = std::fs::read_to_string(log).expect("the audit log");
    let lines = text.lines().filter(|line| line.contains(user));
    let entries = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    entries.filter(|entry| entry["impersonatedUser"]["username"] == user).map(|entry| write(&entry)).collect()
}

fn write(entry: &Value) -> Write {
    let at = |pointer: &str| super::text(entry, pointer).to_owned();
    let resource = match at("/objectRef/subresource") {
        sub if sub.is_empty() => at("/objectRef/resource"),
        sub => format!("{}/{sub}", at("/objectRef/resource")),
    };
    let code = entry["responseStatus"]["code"].as_u64().unwrap_or_default();
    Write { verb: at("/verb"), resource, name: at("/objectRef/name"), code }
}

/// Waits until a write of this name is in the log: then all that was written before it is, too.
pub async fn caught_up(log: &Path, name: &str) {
    let there = async || std::fs::read_to_string(log).expect("the audit log").contains(name).then_some(());
    super::until("the audit log has caught up", Duration::from_secs(20), there, async || String::new()).await;
}
