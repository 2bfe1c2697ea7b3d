//! The body of a connection or an authorization in each dialect: that of the Dev Center article, and that of the types and
//! fixtures of the Heroku CLI plugin.
//!
//! Must not correct misspellings or fill gaps: clients have to cope with them. Called by `org_accesses`.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::mixed::{body_in_dialect, timestamp_in};
use super::overrides;
use super::overrides::View;
use crate::settings::{DeleteStatus, Dialect, LinkServed, Settings};
use crate::state::{AuthMethod, Collection, Org, OrgAccess, Provider, RemoteError, Status, World};

/// The fields to drop from an object with some keys of each dialect.
const DROPPED_IN_CROSSED: [&[&str]; 4] =
    [&["org", "api_verion"], &["org", "user_auth", "username"], &["org", "user_id"], &["org", "access_token"]];

/// The body of a connection or an authorization as it was at some time.
pub(super) fn org_access_body(world: &World, access: &OrgAccess, at: Timestamp, view: View) -> Value {
    let settings = &world.settings;
    let org = access.org_at(at).cloned();
    let writer = BodyWriter { settings, access, at, view, org: overrides::shown_org(settings, access, at, org) };
    let mut body =
        body_in_dialect(settings, access.serial, || writer.reference(), || writer.cli(), &DROPPED_IN_CROSSED);
    if access.collection == Collection::Authorizations && view == View::Detail {
        writer.add_what_sdks_read(&mut body);
    }
    overrides::apply_overrides(settings, access, at, view, &mut body);
    body.into()
}

/// Writes a body in each dialect.
struct BodyWriter<'a> {
    settings: &'a Settings,
    access: &'a OrgAccess,
    at: Timestamp,
    view: View,
    org: Option<Org>,
}

impl BodyWriter<'_> {
    fn reference(&self) -> Map<String, Value> {
        let Self { access, at, view, .. } = *self;
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        put("id", json!(access.id.to_string()));
        put("status", json!(self.status()));
        if view == View::Deleted {
            return body;
        }
        put("org", self.reference_org());
        if let Some(link) = self.link() {
            put("redirect_uri", json!(link));
        }
        let authorization = access.collection == Collection::Authorizations;
        if !authorization {
            put("addon_id", json!(access.addon.to_string()));
            put("connection_method", json!(access.auth_method.method()));
        }
        if !authorization && view != View::Listed {
            put("app_id", json!(access.app.to_string()));
        }
        if authorization && view != View::Created {
            put("app_name", json!(access.created_via_app));
        }
        if authorization || view != View::Listed {
            put("created_at", json!(self.timestamp(access.created_at())));
        }
        let whole = view == View::Detail || (authorization && view == View::Listed);
        if whole || view == View::ListedByApp {
            put("last_modified_at", json!(self.timestamp(access.modified_at(at))));
        }
        if whole {
            put("created_by", json!(access.created_by));
            put("last_modified_by", json!(access.created_by));
        }
        if view == View::Detail {
            put("created_via_app", json!(access.created_via_app));
        }
        body
    }

    fn reference_org(&self) -> Value {
        let (name_field, name) = (self.access.collection.name_field(), &self.access.name);
        let kind = match self.access.provider {
            Provider::Salesforce => "SalesforceOrg",
            // The article's list has an older spelling.
            Provider::DataCloud if self.view == View::Listed => "DatacloudOrg",
            Provider::DataCloud => "DataCloudOrg",
        };
        match &self.org {
            None => json!({(name_field): name, "type": kind}),
            Some(org) => json!({
                "id": org.id,
                (name_field): name,
                "instance_url": org.instance_url,
                "type": kind,
                "api_verion": self.api_version(),
                "user_auth": self.user_auth(org),
            }),
        }
    }

    fn cli(&self) -> Map<String, Value> {
        let Self { access, at, view, .. } = *self;
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
        put("id", json!(access.id.to_string()));
        put("status", json!(self.status()));
        put("org", self.cli_org());
        put("created_at", json!(self.timestamp(access.created_at())));
        put("created_by", json!(access.created_by));
        put("last_modified_at", json!(self.timestamp(access.modified_at(at))));
        put("last_modified_by", json!(access.created_by));
        put("created_via_app", json!(access.created_via_app));
        if let Some(error) = self.error() {
            put("error", json!({"id": error.id, "message": error.message}));
        }
        match access.auth_method {
            AuthMethod::OAuth => {
                put("redirect_uri", json!(self.link()));
            }
            // Only the type of this response has these.
            AuthMethod::Jwt { .. } if view == View::Created => {
                put("app_id", json!(access.app.to_string()));
                put("addon_id", json!(access.addon.to_string()));
                put("connection_method", json!("JWT"));
            }
            AuthMethod::Jwt { .. } => {}
        }
        body
    }

    fn cli_org(&self) -> Value {
        let kind = match self.access.provider {
            Provider::Salesforce => "SalesforceOrg",
            Provider::DataCloud => "DataCloudOrg",
        };
        let (name_field, name) = (self.access.collection.name_field(), &self.access.name);
        match &self.org {
            None => json!({"id": "", "instance_url": "", (name_field): name, "type": kind}),
            Some(org) => json!({
                "id": org.id,
                "instance_url": org.instance_url,
                (name_field): name,
                "type": kind,
                "username": org.username,
                "user_id": org.user_id,
                "api_version": format!("v{}", self.api_version()),
                "access_token": self.access.token_for(org),
            }),
        }
    }

    fn user_auth(&self, org: &Org) -> Value {
        json!({"username": org.username, "user_id": org.user_id, "access_token": self.access.token_for(org)})
    }

    /// Adds the fields without which the SDKs fail, in every dialect. They are empty before somebody consents. The Python
    /// SDK adds the `v` of the version itself.
    fn add_what_sdks_read(&self, body: &mut Map<String, Value>) {
        let Some(Value::Object(shown)) = body.get_mut("org") else { return };
        let (user_auth, api_version) = match &self.org {
            Some(org) => (self.user_auth(org), self.api_version()),
            None => (json!({"username": "", "user_id": "", "access_token": ""}), ""),
        };
        shown.insert("user_auth".to_owned(), user_auth);
        shown.insert("api_version".to_owned(), json!(api_version));
        for field in ["id", "instance_url"] {
            shown.entry(field).or_insert_with(|| json!(""));
        }
    }

    /// The sources of the dialects describe different releases.
    fn api_version(&self) -> &'static str {
        match self.settings.dialect_of(self.access.serial) {
            Dialect::Reference => "57.0",
            Dialect::Cli | Dialect::Mixed => "64.0",
        }
    }

    fn timestamp(&self, at: Option<Timestamp>) -> Option<String> {
        at.map(|at| timestamp_in(self.settings.dialect, at))
    }

    fn status(&self) -> &str {
        let actual = match self.settings.delete_status {
            DeleteStatus::Disconnected if self.view == View::Deleted => None,
            DeleteStatus::Actual | DeleteStatus::Disconnected => self.access.status_at(self.at),
        };
        // An object that a DELETE removed at once is shown as disconnected.
        actual.unwrap_or(&Status::Disconnected).word(self.access.collection)
    }

    /// In the fixtures, a disconnected authorization has an error.
    fn error(&self) -> Option<RemoteError> {
        let actual = self.access.error_at(self.at).cloned();
        let disconnected = self.access.status_at(self.at) == Some(&Status::Disconnected);
        let broken = self.access.collection == Collection::Authorizations && disconnected;
        actual.or_else(|| broken.then(|| RemoteError::new("org_connection_failed", "The org is disconnected.")))
    }

    /// The consent link, if this response has it.
    fn link(&self) -> Option<String> {
        let default = match self.settings.dialect_of(self.access.serial) {
            Dialect::Reference => LinkServed::Once,
            Dialect::Cli | Dialect::Mixed => LinkServed::Always,
        };
        let waits = self.access.status_at(self.at) == Some(&Status::Connecting);
        let shown = match self.settings.link_served.unwrap_or(default) {
            LinkServed::Once => waits && self.view == View::Created,
            LinkServed::Always => waits,
            LinkServed::Forever => true,
        };
        self.access.consent_url().filter(|_| shown)
    }
}
