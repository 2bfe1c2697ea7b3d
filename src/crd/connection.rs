//! Connection: from an AppLink add-on to a Salesforce or Data Cloud org.
//!
//! Pure types and rules. `plan::diff::connection` decides with it, `control` resolves and reports by it.

// Two columns may have the same type.
#![allow(clippy::duplicated_attributes)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{
    AdoptionPolicy, DeletionPolicy, ManagementPolicy, ObjectRef, ReplacePolicy, SecretKeyRef, conditions_schema,
    initial_status, url_form, url_scheme,
};

/// A connection from an AppLink add-on to a Salesforce or Data Cloud org.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, PartialEq, KubeSchema)]
#[kube(
    group = "applink.dev",
    version = "v1alpha1",
    kind = "Connection",
    plural = "connections",
    singular = "connection",
    shortname = "alc",
    category = "applink",
    namespaced,
    status = "ConnectionStatus",
    derive = "PartialEq",
    doc = "A connection from a Heroku AppLink add-on to a Salesforce or Data Cloud org.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Connection", type_ = "string", json_path = ".spec.connectionName"),
    printcolumn(name = "Provider", type_ = "string", json_path = ".spec.provider"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "ID", type_ = "string", json_path = ".status.id", priority = "1"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, kube(cel))]
#[x_kube(
    validation = Rule::new("has(self.jwt) != has(self.oauth)").message("set exactly one of jwt (a robot, no browser) and oauth (someone opens a link)"),
    validation = Rule::new("self.provider != 'DataCloud' || !has(self.jwt)").message("AppLink has no JWT route for DataCloud connections: use oauth: {} instead of jwt")
)]
pub struct ConnectionSpec {
    /// The AppLinkAddon that this connection belongs to. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("addonRef is immutable: create another Connection for another add-on"))]
    pub addon_ref: ObjectRef,

    /// Name of the connection in AppLink, 3 to 30 characters. Immutable.
    #[schemars(length(min = 3, max = 30))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z](_?[A-Za-z0-9])*$')").message("connectionName must begin with a letter, end with a letter or digit, and have only letters, digits and single underscores between (AppLink allows no dashes)"),
        validation = Rule::new("self == oldSelf").message("connectionName is immutable: create another Connection for another name")
    )]
    pub connection_name: String,

    /// What is connected: a Salesforce org or a Data Cloud org. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("provider is immutable: create another Connection for another provider"))]
    pub provider: Provider,

    /// Salesforce login URL; sandboxes have test.salesforce.com in place of login.salesforce.com.
    #[serde(rename = "loginURL", default = "default_login_url")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = url_form("loginURL"), validation = url_scheme("loginURL"))]
    pub login_url: String,

    /// Connect as a robot with a JWT: no browser. Salesforce only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<JwtMethod>,

    /// Connect as a person: someone opens a link in a browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth: Option<OauthMethod>,

    /// The org and user that must be connected, since the person who consents picks them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,

    /// Full creates, keeps and deletes the remote connection; Observe only looks.
    #[serde(default)]
    pub management_policy: ManagementPolicy,

    /// What to do with a connection of this name that was there first.
    #[serde(default)]
    pub adoption_policy: AdoptionPolicy,

    /// What becomes of the remote connection when this resource is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// What to do when key, user or login URL change on a connection that once connected.
    #[serde(default)]
    pub replace_policy: ReplacePolicy,

    /// true stops all work on this connection; a deletion waits, too.
    #[serde(default)]
    pub suspend: bool,
}

/// What is connected.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, JsonSchema)]
pub enum Provider {
    /// A Salesforce org.
    Salesforce,
    /// A Data Cloud org.
    DataCloud,
}

/// How a robot connects: the OAuth 2.0 JWT bearer flow of a Salesforce connected app or external client app.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct JwtMethod {
    /// Consumer key of the connected app or external client app.
    #[serde(rename = "clientID")]
    #[schemars(length(min = 1, max = 512))]
    pub client_id: String,
    /// Salesforce user to connect as.
    #[schemars(length(min = 1, max = 255))]
    pub username: String,
    /// Secret that holds the private key, PEM encoded.
    pub private_key_secret_ref: SecretKeyRef,
    /// Name of the credential in AppLink's store. Default: one derived from this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub alias: Option<String>,
}

/// How a person connects; it has no settings.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub struct OauthMethod {}

/// The org and user that must be connected.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.orgID) || has(self.username)").message("expect needs orgID, username or both"))]
pub struct Expect {
    /// Salesforce org id, 15 or 18 characters.
    #[serde(rename = "orgID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 18))]
    #[x_kube(validation = Rule::new("self.matches('^([A-Za-z0-9]{15}|[A-Za-z0-9]{18})$')").message("orgID must have 15 or 18 letters and digits, like 00DSG000007a3BZ2AY"))]
    pub org_id: Option<String>,
    /// Salesforce user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub username: Option<String>,
}

fn default_login_url() -> String {
    "https://login.salesforce.com".to_owned()
}

/// What AppLink says of the connection, and how it goes.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = initial_status()))]
pub struct ConnectionStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready; Reconciling and Stalled while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The last value of applink.dev/requestedAt that was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// The last value of applink.dev/replace that was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_replace: Option<String>,
    /// Id of the connection in AppLink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// UUID of the add-on that the id belongs to.
    #[serde(rename = "addonID", default, skip_serializing_if = "Option::is_none")]
    pub addon_id: Option<String>,
    /// Status of the connection, as the service says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_status: Option<String>,
    /// Digest of the write-only inputs that the connection was created with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_hash: Option<String>,
    /// When this connection was first seen connected; absent while it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected_at: Option<Time>,
    /// The last attempt of applink.dev/intent whose outcome is recorded here: its id, or that it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_attempt: Option<i64>,
    /// When the connection was created, as the service says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// Heroku user who created the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Heroku app that the connection was created through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_via_app: Option<String>,
    /// The connected org, as far as the service tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<Org>,
    /// Secret that holds the link to open, key `url`, while one waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth_secret_name: Option<String>,
    /// Ids of data action targets that were let go of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub released_targets: Vec<String>,
}

/// A connected org, as far as the service tells it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Org {
    /// Org id, 18 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// URL of the org's instance.
    #[serde(rename = "instanceURL", default, skip_serializing_if = "Option::is_none")]
    pub instance_url: Option<String>,
    /// SalesforceOrg or DataCloudOrg.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// API version, without a leading v.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Salesforce user who is connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Id of that user.
    #[serde(rename = "userID", default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}
