//! How a connection is spelled: as the Dev Center article does, or as the Heroku CLI plugin's types
//! and fixtures do.
//!
//! Must not tidy up: the misspellings and gaps are the point. Called by `connections`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::super::settings::{DeleteStatus, Dialect, LinkServed, Settings};
use super::super::state::{Connection, Grant, Org, Provider, Status, World};
use super::answer::stamp;
use super::spelling;

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
    let settings = &world.settings;
    let org = connection.org_at(at).cloned();
    let picture = Picture { settings, connection, at, view, org: spelling::shown_org(settings, connection, at, org) };
    let mut body = match settings.dialect_of(connection.serial) {
        Dialect::Reference => picture.reference(),
        Dialect::Cli | Dialect::Mixed => picture.cli(),
    };
    spelling::respell(settings, connection, at, view, &mut body);
    body.into()
}

/// What an answer shows, before it is spelled.
struct Picture<'a> {
    settings: &'a Settings,
    connection: &'a Connection,
    at: Timestamp,
    view: View,
    org: Option<Org>,
}

impl Picture<'_> {
    fn reference(&self) -> Map<String, Value> {
        let Self { connection, at, view, .. } = *self;
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        put("id", json!(connection.id.to_string()));
        put("status", json!(self.status()));
        if view == View::Deleted {
            return body;
        }
        put("org", self.reference_org());
        put("addon_id", json!(connection.addon.to_string()));
        put("connection_method", json!(connection.grant.method()));
        if let Some(link) = self.link(LinkServed::Once) {
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
        body
    }

    fn reference_org(&self) -> Value {
        let name = &self.connection.name;
        let kind = match self.connection.provider {
            Provider::Salesforce => "SalesforceOrg",
            // The article's list has the older spelling.
            Provider::DataCloud if self.view == View::Listed => "DatacloudOrg",
            Provider::DataCloud => "DataCloudOrg",
        };
        match &self.org {
            None => json!({"connection_name": name, "type": kind}),
            Some(org) => json!({
                "id": org.id,
                "connection_name": name,
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

    fn cli(&self) -> Map<String, Value> {
        let Self { connection, at, view, .. } = *self;
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        put("id", json!(connection.id.to_string()));
        put("status", json!(self.status()));
        put("org", self.cli_org());
        put("created_at", json!(connection.created_at().map(stamp)));
        put("created_by", json!(connection.created_by));
        put("last_modified_at", json!(connection.modified_at(at).map(stamp)));
        put("last_modified_by", json!(connection.created_by));
        put("created_via_app", json!(connection.created_via_app));
        if let Some(error) = connection.error_at(at) {
            put("error", json!({"id": error.id, "message": error.message}));
        }
        match connection.grant {
            Grant::OAuth => {
                put("redirect_uri", json!(self.link(LinkServed::Always)));
            }
            // Only the type of this one answer has these.
            Grant::Jwt { .. } if view == View::Created => {
                put("app_id", json!(connection.app.to_string()));
                put("addon_id", json!(connection.addon.to_string()));
                put("connection_method", json!("JWT"));
            }
            Grant::Jwt { .. } => {}
        }
        body
    }

    fn cli_org(&self) -> Value {
        let kind = match self.connection.provider {
            Provider::Salesforce => "SalesforceOrg",
            Provider::DataCloud => "DataCloudOrg",
        };
        let name = &self.connection.name;
        match &self.org {
            None => json!({"id": "", "instance_url": "", "connection_name": name, "type": kind}),
            Some(org) => json!({
                "id": org.id,
                "instance_url": org.instance_url,
                "connection_name": name,
                "type": kind,
                "username": org.username,
                "user_id": org.user_id,
                "api_version": "v64.0",
                "access_token": org.access_token(),
            }),
        }
    }

    fn status(&self) -> &str {
        if self.view == View::Deleted && self.settings.delete_status == DeleteStatus::Disconnected {
            return Status::Disconnected.as_str();
        }
        // One that a DELETE has removed at once.
        self.connection.status_at(self.at).unwrap_or(&Status::Disconnected).as_str()
    }

    /// Where a person is asked for consent, in the answers that have it.
    fn link(&self, default: LinkServed) -> Option<String> {
        let waits = self.connection.status_at(self.at) == Some(&Status::Connecting);
        let shown = match self.settings.link_served.unwrap_or(default) {
            LinkServed::Once => waits && self.view == View::Created,
            LinkServed::Always => waits,
            LinkServed::Forever => true,
        };
        self.connection.consent_url().filter(|_| shown)
    }
}
