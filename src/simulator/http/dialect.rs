//! How a connection is spelled: as the Dev Center article does, or as the Heroku CLI plugin's types
//! and fixtures do.
//!
//! Must not tidy up: the misspellings and gaps are the point. Called by `connections`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::settings::Dialect;
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
        Dialect::Reference => reference(connection, at, view),
        Dialect::Cli | Dialect::Mixed => cli(connection, at, view),
    }
}

fn status(connection: &Connection, at: Timestamp) -> &str {
    // One that a DELETE has removed at once.
    (connection.status_at(at)).map_or("disconnected", Status::as_str)
}

fn reference(connection: &Connection, at: Timestamp, view: View) -> Value {
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
    if view == View::Created && connection.grant == Grant::OAuth {
        put("redirect_uri", json!(redirect_uri(connection)));
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

fn cli(connection: &Connection, at: Timestamp, view: View) -> Value {
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
            let waits = connection.status_at(at) == Some(&Status::Connecting);
            body["redirect_uri"] = json!(waits.then(|| redirect_uri(connection)));
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

/// Where a human gives consent.
fn redirect_uri(connection: &Connection) -> String {
    let state = json!({"connection": connection.id.to_string(), "nonce": connection.serial});
    let mut url = connection.login_url.clone();
    url.set_path("/services/oauth2/authorize");
    url.query_pairs_mut()
        .clear()
        .append_pair("client_id", "3MVG9AppLinkSimulator")
        .append_pair("redirect_uri", "https://applink.heroku.com/salesforce/oauth/callback")
        .append_pair("response_type", "code")
        .append_pair("state", &STANDARD.encode(state.to_string()));
    url.into()
}
