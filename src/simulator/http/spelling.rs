//! What the switches change in a connection's spelling, whatever its dialect: words, gaps, and where things stand.
//!
//! Must not know the dialects: it changes what `dialect` wrote. Called by `dialect`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::settings::{
    ListedAddonId, NamePlace, Omitted, OmittedAs, PendingOrg, Settings, StatusKey, StatusWords,
};
use super::super::state::{Connection, Org, SOMEBODY, Status};
use super::dialect::View;

/// The org that an answer shows.
pub(super) fn shown_org(settings: &Settings, connection: &Connection, at: Timestamp, org: Option<Org>) -> Option<Org> {
    let guessed = is_pending(connection, at) && settings.pending_org == PendingOrg::Filled;
    org.or_else(|| guessed.then(|| Org::of(SOMEBODY)))
}

/// Changes the body of a connection as the switches say.
pub(super) fn respell(
    settings: &Settings,
    connection: &Connection,
    at: Timestamp,
    view: View,
    body: &mut Map<String, Value>,
) {
    if is_pending(connection, at) {
        empty_org(settings.pending_org, connection, body);
    }
    place_name(settings.name_place, connection, body);
    for omitted in &settings.omitted {
        for path in paths(*omitted) {
            omit(body, path, settings.omitted_as);
        }
    }
    if view == View::Listed && settings.listed_addon_id == ListedAddonId::Foreign {
        let other = Uuid::from_u128(!connection.addon.as_u128());
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

fn is_pending(connection: &Connection, at: Timestamp) -> bool {
    connection.status_at(at) == Some(&Status::Connecting)
}

fn empty_org(shape: PendingOrg, connection: &Connection, body: &mut Map<String, Value>) {
    // The answer to a DELETE may have none.
    let Some(org) = body.get_mut("org") else { return };
    match shape {
        PendingOrg::Dialect | PendingOrg::Filled => {}
        PendingOrg::Null => *org = Value::Null,
        PendingOrg::Empty => *org = json!({}),
        PendingOrg::Nulls => {
            let name = &connection.name;
            *org = json!({"id": null, "connection_name": name, "instance_url": null, "type": org["type"]});
        }
        PendingOrg::Absent => {
            body.remove("org");
        }
    }
}

fn place_name(place: NamePlace, connection: &Connection, body: &mut Map<String, Value>) {
    if place == NamePlace::Org {
        return;
    }
    if place == NamePlace::Top {
        omit(body, &["org", "connection_name"], OmittedAs::Absent);
    }
    body.insert("connection_name".to_owned(), json!(connection.name));
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

/// Takes away a field, where it is.
fn omit(fields: &mut Map<String, Value>, path: &[&str], how: OmittedAs) {
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

/// One that is not of today stays as it was planted.
fn word(words: StatusWords, status: &str) -> String {
    let spelled = match (words, status) {
        (StatusWords::Older, "failed") => "error",
        (StatusWords::Pilot, "connecting") => "authenticating",
        (StatusWords::Pilot, "connected") => "authenticated",
        (StatusWords::Pilot, "failed") => "authentication_failed",
        (_, status) => status,
    };
    match (words, spelled.chars().next()) {
        (StatusWords::Capitalised, Some(first)) => format!("{}{}", first.to_uppercase(), &spelled[first.len_utf8()..]),
        _ => spelled.to_owned(),
    }
}
