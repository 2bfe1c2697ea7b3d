//! What settings change in the body of a connection or an authorization, in every dialect.
//!
//! Must not depend on the dialect: it changes the body that `dialect` wrote. Called by `dialect`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::settings::{ListedAddonId, NamePlace, Omitted, OmittedAs, PendingOrg, Settings, StatusKey, StatusWords};
use crate::state::{DEFAULT_USERNAME, Org, OrgAccess, Status};

/// The response that a body is for. In the reference dialect, each has other fields.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// A POST's.
    Created,
    /// The list by add-on.
    Listed,
    /// The list by app.
    ListedByApp,
    /// A GET of one.
    Detail,
    /// A DELETE's.
    Deleted,
}

/// The org in a response.
pub(super) fn shown_org(settings: &Settings, access: &OrgAccess, at: Timestamp, org: Option<Org>) -> Option<Org> {
    let guessed = is_pending(access, at) && settings.pending_org == PendingOrg::Filled;
    org.or_else(|| guessed.then(|| Org::of(DEFAULT_USERNAME)))
}

/// Changes a body as the settings say.
pub(super) fn apply_overrides(
    settings: &Settings,
    access: &OrgAccess,
    at: Timestamp,
    view: View,
    body: &mut Map<String, Value>,
) {
    if is_pending(access, at) {
        empty_org(settings.pending_org, access, body);
    }
    place_name(settings.name_place, access, body);
    for omitted in &settings.omitted {
        for path in paths(*omitted) {
            omit(body, path, settings.omitted_as);
        }
    }
    if view == View::Listed && settings.listed_addon_id == ListedAddonId::Foreign {
        let other = Uuid::from_u128(!access.addon.as_u128());
        body.insert("addon_id".to_owned(), json!(other.to_string()));
    }
    if let Some(Value::String(status)) = body.remove("status") {
        let key = match settings.status_key {
            StatusKey::Status => "status",
            StatusKey::State => "state",
        };
        body.insert(key.to_owned(), json!(word(settings.status_words, &status)));
    }
}

fn is_pending(access: &OrgAccess, at: Timestamp) -> bool {
    access.status_at(at) == Some(&Status::Connecting)
}

fn empty_org(shape: PendingOrg, access: &OrgAccess, body: &mut Map<String, Value>) {
    // The response to a DELETE may have none.
    let Some(org) = body.get_mut("org") else { return };
    match shape {
        PendingOrg::Dialect | PendingOrg::Filled => {}
        PendingOrg::Null => *org = Value::Null,
        PendingOrg::Empty => *org = json!({}),
        PendingOrg::Nulls => {
            let (name_field, name) = (access.collection.name_field(), &access.name);
            *org = json!({"id": null, (name_field): name, "instance_url": null, "type": org["type"]});
        }
        PendingOrg::Absent => {
            body.remove("org");
        }
    }
}

fn place_name(place: NamePlace, access: &OrgAccess, body: &mut Map<String, Value>) {
    if place == NamePlace::Org {
        return;
    }
    let name_field = access.collection.name_field();
    if place == NamePlace::Top {
        omit(body, &["org", name_field], OmittedAs::Absent);
    }
    body.insert(name_field.to_owned(), json!(access.name));
}

fn paths(omitted: Omitted) -> &'static [&'static [&'static str]] {
    match omitted {
        Omitted::Provenance => {
            &[&["created_at"], &["created_by"], &["created_via_app"], &["last_modified_at"], &["last_modified_by"]]
        }
        Omitted::Method => &[&["connection_method"]],
        Omitted::OrgType => &[&["org", "type"]],
        Omitted::User => &[&["org", "username"], &["org", "user_id"], &["org", "user_auth"]],
        Omitted::AccessToken => &[&["org", "access_token"], &["org", "user_auth", "access_token"]],
    }
}

/// Removes a field if it is there.
pub(super) fn omit(fields: &mut Map<String, Value>, path: &[&str], how: OmittedAs) {
    match path {
        [] => {}
        [name] => match how {
            OmittedAs::Absent => {
                fields.remove(*name);
            }
            OmittedAs::Null => {
                fields.entry(*name).and_modify(|value| *value = Value::Null);
            }
        },
        [outer, inner @ ..] => {
            if let Some(Value::Object(fields)) = fields.get_mut(*outer) {
                omit(fields, inner, how);
            }
        }
    }
}

/// An unknown status is unchanged.
fn word(words: StatusWords, status: &str) -> String {
    let renamed = match (words, status) {
        (StatusWords::Older, "failed") => "error",
        (StatusWords::Pilot, "connecting" | "authorizing") => "authenticating",
        (StatusWords::Pilot, "connected" | "authorized") => "authenticated",
        (StatusWords::Pilot, "failed") => "authentication_failed",
        (_, status) => status,
    };
    match (words, renamed.chars().next()) {
        (StatusWords::Capitalised, Some(first)) => {
            format!("{}{}", first.to_uppercase(), &renamed[first.len_utf8()..])
        }
        _ => renamed.to_owned(),
    }
}
