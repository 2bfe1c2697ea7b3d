//! Decodes the few fields of the Heroku Platform API that lead to an add-on.
//!
//! Pure. Reads config vars one by one, so that the others never leave the body.

use secrecy::SecretString;
use serde_json::Value;

use super::{Unreadable, json, text};

/// An add-on of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addon {
    /// UUID, or another form of ID.
    pub id: String,
    /// Name, unique on Heroku.
    pub name: String,
    /// Slug of its service, like `heroku-applink`.
    pub service: String,
    /// Heroku is still setting it up.
    pub provisioning: bool,
    /// Heroku has removed it.
    pub deprovisioned: bool,
}

/// The attachment of an add-on to an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Name, which is the prefix of the config vars.
    pub name: String,
    /// UUID of the add-on.
    pub addon_id: String,
}

/// The UUID of an app.
///
/// # Errors
/// The body has no ID.
pub fn app_id(body: &[u8]) -> Result<String, Unreadable> {
    text(&json(body)?, &["id"]).ok_or(Unreadable("an app without id"))
}

/// The name of an app, if the body has one.
#[must_use]
pub fn app_name(body: &[u8]) -> Option<String> {
    text(&json(body).ok()?, &["name"])
}

/// The add-ons of an app.
///
/// # Errors
/// The body is not a list.
pub fn addons(body: &[u8]) -> Result<Vec<Addon>, Unreadable> {
    let read = |item: &Value| {
        let state = text(item, &["state"]);
        Some(Addon {
            id: text(item, &["id"])?,
            name: text(item, &["name"])?,
            service: text(item.get("addon_service")?, &["name"])?,
            provisioning: state.as_deref() == Some("provisioning"),
            deprovisioned: state.as_deref() == Some("deprovisioned"),
        })
    };
    Ok(list(body)?.iter().filter_map(read).collect())
}

/// The attachments of an app.
///
/// # Errors
/// The body is not a list.
pub fn attachments(body: &[u8]) -> Result<Vec<Attachment>, Unreadable> {
    let read =
        |item: &Value| Some(Attachment { name: text(item, &["name"])?, addon_id: text(item.get("addon")?, &["id"])? });
    Ok(list(body)?.iter().filter_map(read).collect())
}

/// One config var of an app.
///
/// # Errors
/// The body is not a JSON object.
pub fn config_var(body: &[u8], name: &str) -> Result<Option<SecretString>, Unreadable> {
    match json(body)? {
        object @ Value::Object(_) => Ok(text(&object, &[name]).map(SecretString::from)),
        _ => Err(Unreadable("config vars that are not an object")),
    }
}

fn list(body: &[u8]) -> Result<Vec<Value>, Unreadable> {
    match json(body)? {
        Value::Array(all) => Ok(all),
        _ => Err(Unreadable("not a list")),
    }
}
