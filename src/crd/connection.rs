//! Connection: connects an AppLink add-on to a Salesforce or Data Cloud org.
//!
//! Pure types and rules. `plan` decides from them, `control` reads the spec and writes the status.

// Two columns may have the same type.
#![allow(clippy::duplicated_attributes)]

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::common::{ObjectRef, initial_status};
use super::org_access::{AuthSpec, OrgAccessStatus};
use super::remote::{DeletionPolicies, ManagementPolicies, RecordsRemote, RemoteStatus};

/// A connection from an AppLink add-on to a Salesforce or Data Cloud org.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash, KubeSchema)]
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
    validation = Rule::new("has(self.jwt) != has(self.oauth)").message("set exactly one of jwt (signs in with a key, no browser) and oauth (somebody opens a link)"),
    validation = Rule::new("self.provider != 'DataCloud' || !has(self.jwt)").message("AppLink has no JWT route for DataCloud connections: use oauth: {} instead of jwt")
)]
pub struct ConnectionSpec {
    /// AppLinkAddon that this connection belongs to. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("addonRef is immutable: create another Connection for another add-on"))]
    pub addon_ref: ObjectRef,

    /// Name of the connection in AppLink, 3 to 30 characters. Immutable.
    #[schemars(length(min = 3, max = 30))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z](_?[A-Za-z0-9])*$')").message("connectionName must begin with a letter, end with a letter or digit, and have only letters, digits and single underscores between (AppLink allows no dashes)"),
        validation = Rule::new("self == oldSelf").message("connectionName is immutable: create another Connection for another name")
    )]
    pub connection_name: String,

    /// The org to connect to, and how to sign in. DataCloud has no JWT route.
    #[serde(flatten)]
    pub access: AuthSpec,

    /// The policies.
    #[serde(flatten)]
    pub handling: ManagementPolicies,

    /// The policies for deletion and replacement.
    #[serde(flatten)]
    pub ending: DeletionPolicies,
}

/// The connection as AppLink reports it, and the conditions.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = initial_status()))]
pub struct ConnectionStatus {
    /// Fields shared with authorizations.
    #[serde(flatten)]
    pub grant: OrgAccessStatus,
    /// IDs of data action targets that their resources have released.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub released_targets: Vec<String>,
}

impl RecordsRemote for ConnectionStatus {
    fn remote(&self) -> &RemoteStatus {
        &self.grant.remote
    }
    fn remote_mut(&mut self) -> &mut RemoteStatus {
        &mut self.grant.remote
    }
}
