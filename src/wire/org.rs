//! Decodes the org and the error of an AppLink object in all spellings.
//!
//! Pure. The other decoders share it.

use serde_json::Value;

use super::{redact, secrets_of, text};
use crate::facts::{Org, Provider};

/// Decodes the org of an object, without access tokens. Empty if the object has none.
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

/// A field of the org's user: nested in `user_auth`, or flat.
pub(super) fn user(org: &Value, key: &str) -> Option<String> {
    text(&org["user_auth"], &[key]).or_else(|| text(org, &[key]))
}

/// Provider of an org type.
pub(super) fn provider(kind: &str) -> Option<Provider> {
    match kind.to_ascii_lowercase().as_str() {
        "salesforceorg" | "salesforce" => Some(Provider::Salesforce),
        "datacloudorg" | "datacloud" => Some(Provider::DataCloud),
        _ => None,
    }
}

/// Normalises the spelling. Otherwise the status would change whenever the service changes it.
fn kind_name(kind: &str) -> String {
    match provider(kind) {
        Some(Provider::Salesforce) => "SalesforceOrg".to_owned(),
        Some(Provider::DataCloud) => "DataCloudOrg".to_owned(),
        None => kind.to_owned(),
    }
}

/// Decodes the error of an object into one redacted line. `known` are the secrets of the call; those in the object are
/// redacted, too.
pub(super) fn error_line(object: &Value, known: &[&str]) -> Option<String> {
    let error = object.get("error")?;
    let known = [known, &secrets_of(object)].concat();
    let clean = |value: String| redact(&value, &known);
    match error {
        Value::String(message) if !message.is_empty() => Some(clean(message.clone())),
        _ => match (text(error, &["id"]).map(clean), text(error, &["message", "detail"]).map(clean)) {
            (Some(id), Some(message)) => Some(format!("{id}: {message}")),
            (one, other) => one.or(other),
        },
    }
}
