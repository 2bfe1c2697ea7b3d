//! Tolerant decoding of both remote APIs into facts. Secrets stay behind.
//!
//! Pure: bytes in, facts out, no HTTP. Where sources disagree about a spelling, it reads both. `heroku` and `applink`
//! call it.

#![deny(clippy::disallowed_methods)]
// Nothing from outside may end the process.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used))]

mod credentials;
mod data_action_target;
mod error;
mod org;
mod org_access;
mod platform;
mod publication;
mod redact;

pub use credentials::credentials;
pub use data_action_target::{data_action_target, data_action_targets};
pub use error::{ErrorText, error_text};
pub use org_access::{org_access, org_access_list};
pub use platform::{Addon, Attachment, addons, app_id, app_name, attachments, config_var};
pub use publication::publications;
pub use redact::redact;

use redact::secrets_of;
use serde_json::Value;

/// A body without the required content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unexpected response: {0}")]
pub struct Unreadable(pub &'static str);

fn json(body: &[u8]) -> Result<Value, Unreadable> {
    serde_json::from_slice(body).map_err(|_| Unreadable("not JSON"))
}

/// The first non-empty string under one of these keys.
fn text(value: &Value, keys: &[&str]) -> Option<String> {
    keys.iter().filter_map(|key| value.get(key)?.as_str()).find(|s| !s.is_empty()).map(str::to_owned)
}

/// The first ID under one of these keys. Some services write it as a number.
fn id(value: &Value, keys: &[&str]) -> Option<String> {
    let number = |key: &&str| value.get(key).filter(|id| id.is_i64() || id.is_u64()).map(Value::to_string);
    text(value, keys).or_else(|| keys.iter().find_map(number))
}
