//! The API server's audit log: how many requests one account has sent.
//!
//! Read-only. The log is read to its end each time, from where the count began.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// Requests of one account, leases aside.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// Changes of anything but Events.
    pub writes: u64,
    /// Changes that the API server refused, included in `writes`.
    pub refused: u64,
    /// Events created or changed.
    pub events: u64,
    /// GETs of one object.
    pub gets: u64,
    /// Lists and watches.
    pub lists: u64,
    /// All of them, as `verb resource code`.
    pub each: BTreeMap<String, u64>,
}

/// Length of the log now: the place to count from.
pub fn mark(log: &Path) -> u64 {
    std::fs::metadata(log).map_or(0, |file| file.len())
}

/// Requests of this account since the mark.
pub fn requests(log: &Path, since: u64, account: &str) -> Result<Requests> {
    let mut file = std::fs::File::open(log).context("open the audit log")?;
    file.seek(SeekFrom::Start(since))?;
    let mut text = String::new();
    file.read_to_string(&mut text).context("read the audit log")?;
    let mut counted = Requests::default();
    for line in text.lines().filter(|line| line.contains(account)) {
        let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
        if entry["user"]["username"] == account {
            counted.add(&entry);
        }
    }
    Ok(counted)
}

impl Requests {
    fn add(&mut self, entry: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (verb, resource) = (text(&entry["verb"]), text(&entry["objectRef"]["resource"]));
        // A watch is logged when it begins and when it ends.
        if resource.is_empty() || resource == "leases" || (verb == "watch" && entry["stage"] == "ResponseComplete") {
            return;
        }
        let code = entry["responseStatus"]["code"].as_u64().unwrap_or_default();
        match verb.as_str() {
            "get" => self.gets += 1,
            "list" | "watch" => self.lists += 1,
            _ if resource == "events" => self.events += 1,
            _ => {
                self.writes += 1;
                self.refused += u64::from(code >= 400);
            }
        }
        let part = text(&entry["objectRef"]["subresource"]);
        let part = if part.is_empty() { part } else { format!("/{part}") };
        *self.each.entry(format!("{verb} {resource}{part} {code}")).or_default() += 1;
    }
}
