//! What handlers read from a request: its body, its fields, its headers and its origin.
//!
//! Must not quote a body that it cannot read: it may hold a key. Called by every file in this folder.

use bytes::Bytes;
use http::{HeaderMap, Uri, header};
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::Url;

use super::answer::ApiError;
use crate::settings::seconds;
use crate::state::World;

/// Reads a body that must be a JSON object.
pub(super) fn json_object(body: &Bytes) -> Result<Map<String, Value>, ApiError> {
    // serde_json's messages quote no content while the target is any value at all.
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("The body is not JSON: {error}.")))?;
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(ApiError::bad_request("The body must be a JSON object.")),
    }
}

/// A media type without its parameters, in lowercase.
pub(super) fn media_type(kind: &str) -> String {
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The media type of a request. Empty if it has none.
pub(super) fn content_type(headers: &HeaderMap) -> String {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    media_type(kind.unwrap_or_default())
}

/// The origin to which a request was sent.
pub(super) fn request_origin(headers: &HeaderMap, uri: &Uri) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or(uri.authority().map(|authority| authority.as_str()));
    format!("{}://{}", uri.scheme_str().unwrap_or("http"), host.unwrap_or("localhost"))
}

/// Reads a JSON body. An empty body is an empty object.
pub(super) fn parse_json<T: DeserializeOwned>(body: &Bytes) -> Result<T, ApiError> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| ApiError::bad_request(error.to_string()))
}

pub(super) fn json_fields(headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Value>, ApiError> {
    if content_type(headers) != "application/json" {
        return Err(ApiError::unsupported("Content-Type must be application/json."));
    }
    json_object(body)
}

pub(super) fn required_str<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<&'a str, ApiError> {
    match fields.get(name) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
        Some(Value::String(_)) => Err(ApiError::invalid(format!("{name} must not be empty"))),
        Some(_) => Err(ApiError::invalid(format!("{name} must be a string"))),
        None => Err(ApiError::invalid(format!("{name} is required"))),
    }
}

/// `null` is refused: the CLI omits an absent `login_url`.
pub(super) fn login_url(fields: &Map<String, Value>) -> Result<Url, ApiError> {
    let text = match fields.get("login_url") {
        Some(_) => required_str(fields, "login_url")?,
        None => "https://login.salesforce.com",
    };
    let url = Url::parse(text).ok();
    url.filter(|url| matches!(url.scheme(), "https" | "http"))
        .ok_or_else(|| ApiError::invalid("login_url must be an https URL"))
}

/// The bearer token of a request.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The time that lists show.
pub(super) fn list_time(world: &World, now: Timestamp) -> Timestamp {
    let lag = SignedDuration::ZERO - seconds(world.settings.list_lag_seconds);
    now.checked_add(lag).unwrap_or(Timestamp::MIN)
}
