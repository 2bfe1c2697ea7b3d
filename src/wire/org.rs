//! The org that an object of AppLink leads to, and the error that it may hold, in every spelling.
//!
//! Pure. The decoders of this room share it.

use serde_json::Value;

use super::{redact, secrets_of, text};
use crate::facts::{Org, Provider};

/// The org of an object; empty where it tells none. Access tokens stay behind.
pub(super) fn org(object: &Value) -> Org {
    let org = &object["org"];
    Org {
        id: text(org, &["id"]),
        instance_url: text(org, &["instance_url"]),
        kind: text(org, &["type"]).map(|kind| kind_name(&kind)),
        api_version: text(org, &["api_version", "api_verion"]).map(|v| v.trim_start_matches('v').to_owned()),
        username: user(org, "username"),
        user_id: user(org, "user_id"),
    }
}

/// What is told of the user of an org: nested, or flat.
pub(super) fn user(org: &Value, key: &str) -> Option<String> {
    text(&org["user_auth"], &[key]).or_else(|| text(org, &[key]))
}

/// Which service an org is of.
pub(super) fn provider(kind: &str) -> Option<Provider> {
    match kind.to_ascii_lowercase().as_str() {
        "salesforceorg" | "salesforce" => Some(Provider::Salesforce),
        "datacloudorg" | "datacloud" => Some(Provider::DataCloud),
        _ => None,
    }
}

/// One spelling for one thing, or the status would change with the server's mood.
fn kind_name(kind: &str) -> String {
    match provider(kind) {
        Some(Provider::Salesforce) => "SalesforceOrg".to_owned(),
        Some(Provider::DataCloud) => "DataCloudOrg".to_owned(),
        None => kind.to_owned(),
    }
}

/// The error of an object in one line, redacted; `known` are the secrets of the call, and the object's own count, too.
pub(super) fn fault(object: &Value, known: &[&str]) -> Option<String> {
    let error = object.get("error")?;
    let known = [known, &secrets_of(object)].concat();
    let clean = |told: String| redact(&told, &known);
    match error {
        Value::String(message) if !message.is_empty() => Some(clean(message.clone())),
        _ => match (text(error, &["id"]).map(clean), text(error, &["message", "detail"]).map(clean)) {
            (Some(id), Some(message)) => Some(format!("{id}: {message}")),
            (one, other) => one.or(other),
        },
    }
}
