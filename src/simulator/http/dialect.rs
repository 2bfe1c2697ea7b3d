//! How a connection is spelled: as the Dev Center article does, or as the Heroku CLI plugin's types
//! and fixtures do.
//!
//! Must not tidy up: the misspellings and gaps are the point. Called by `connections`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::settings::{Dialect, LinkServed, Settings};
use super::super::state::{Connection, Grant, Org, Provider, Status, World};
use super::answer::stamp;

/// The answer that a connection appears in; the reference's fields differ from one to the other.
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

/// A connection as it was at a moment.
pub(super) fn connection_body(world: &World, connection: &Connection, at: Timestamp, view: View) -> Value {
    match world.settings.dialect_of(connection.serial) {
        Dialect::Reference => reference(&world.settings, connection, at, view),
        Dialect::Cli | Dialect::Mixed => cli(&world.settings, connection, at, view),
    }
}

fn status(connection: &Connection, at: Timestamp) -> &str {
    // One that a DELETE has removed at once.
    (connection.status_at(at)).map_or("disconnected", Status::as_str)
}

fn reference(settings: &Settings, connection: &Connection, at: Timestamp, view: View) -> Value {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("id", json!(connection.id.to_string()));
    put("status", json!(status(connection, at)));
    if view == View::Deleted {
        return body.into();
    }
    put("org", reference_org(connection, at, view));
    put("addon_id", json!(connection.addon.to_string()));
    put("connection_method", json!(connection.grant.method()));
    let served = settings.link_served.unwrap_or(LinkServed::Once);
    if let Some(link) = link(served, connection, at, view) {
        put("redirect_uri", json!(link));
    }
    if view != View::Listed {
        put("app_id", json!(connection.app.to_string()));
        put("created_at", json!(connection.created_at().map(stamp)));
    }
    if matches!(view, View::ListedByApp | View::Detail) {
        let modified_at = connection.modified_at(at).map(stamp);
        put("last_modified_at", json!(modified_at));
    }
    if view == View::Detail {
        put("created_by", json!(connection.created_by));
        put("last_modified_by", json!(connection.created_by));
        put("created_via_app", json!(connection.created_via_app));
    }
    body.into()
}

fn reference_org(connection: &Connection, at: Timestamp, view: View) -> Value {
    let kind = match connection.provider {
        Provider::Salesforce => "SalesforceOrg",
        // The article's list has the older spelling.
        Provider::DataCloud if view == View::Listed => "DatacloudOrg",
        Provider::DataCloud => "DataCloudOrg",
    };
    match connection.org_at(at) {
        None => json!({"connection_name": connection.name, "type": kind}),
        Some(org) => json!({
            "id": org.id,
            "connection_name": connection.name,
            "instance_url": org.instance_url,
            "type": kind,
            "api_verion": "57.0",
            "user_auth": {
                "username": org.username,
                "user_id": org.user_id,
                "access_token": org.access_token(),
            },
        }),
    }
}

fn cli(settings: &Settings, connection: &Connection, at: Timestamp, view: View) -> Value {
    let kind = match connection.provider {
        Provider::Salesforce => "SalesforceOrg",
        Provider::DataCloud => "DataCloudOrg",
    };
    let org = connection.org_at(at);
    let text = |get: fn(&Org) -> &str| org.map_or("", get);
    let mut body = json!({
        "id": connection.id.to_string(),
        "status": status(connection, at),
        "org": {
            "id": text(|org| &org.id),
            "instance_url": text(|org| &org.instance_url),
            "connection_name": connection.name,
            "type": kind,
        },
        "created_at": connection.created_at().map(stamp),
        "created_by": connection.created_by,
        "last_modified_at": connection.modified_at(at).map(stamp),
        "last_modified_by": connection.created_by,
        "created_via_app": connection.created_via_app,
    });
    if let Some(org) = org {
        body["org"]["username"] = json!(org.username);
        body["org"]["user_id"] = json!(org.user_id);
        body["org"]["api_version"] = json!("v64.0");
        body["org"]["access_token"] = json!(org.access_token());
    }
    if let Some(error) = connection.error_at(at) {
        body["error"] = json!({"id": error.id, "message": error.message});
    }
    match connection.grant {
        Grant::OAuth => {
            let served = settings.link_served.unwrap_or(LinkServed::Always);
            body["redirect_uri"] = json!(link(served, connection, at, view));
        }
        // Only the type of this one answer has these.
        Grant::Jwt { .. } if view == View::Created => {
            body["app_id"] = json!(connection.app.to_string());
            body["addon_id"] = json!(connection.addon.to_string());
            body["connection_method"] = json!("JWT");
        }
        Grant::Jwt { .. } => {}
    }
    body
}

/// Where a person is asked for consent, in the answers that have it.
fn link(served: LinkServed, connection: &Connection, at: Timestamp, view: View) -> Option<String> {
    let waits = connection.status_at(at) == Some(&Status::Connecting);
    let shown = match served {
        LinkServed::Once => waits && view == View::Created,
        LinkServed::Always => waits,
        LinkServed::Forever => true,
    };
    connection.consent_url().filter(|_| shown)
}
