//! Authorization: a stored credential of a Salesforce or Data Cloud user.
//!
//! Pure types and rules. `plan` decides from them, `control` reads the spec and writes the status.

// Two columns may have the same type.
#![allow(clippy::duplicated_attributes)]

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::common::{ObjectRef, initial_status};
use super::org_access::{AuthSpec, OrgAccessStatus};
use super::remote::{DeletionPolicies, ManagementPolicies, RecordsRemote, RemoteStatus};

/// A credential of a Salesforce or Data Cloud user, stored in an AppLink add-on. The app acts as that user.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash, KubeSchema)]
#[kube(
    group = "applink.dev",
    version = "v1alpha1",
    kind = "Authorization",
    plural = "authorizations",
    singular = "authorization",
    shortname = "alauth",
    category = "applink",
    namespaced,
    status = "AuthorizationStatus",
    derive = "PartialEq",
    doc = "A credential of a Salesforce or Data Cloud user, stored in a Heroku AppLink add-on. The app acts as that user.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Authorization", type_ = "string", json_path = ".spec.developerName"),
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
    validation = Rule::new("has(self.jwt) != has(self.oauth)").message("set exactly one of jwt (signs in with a key, no browser) and oauth (somebody opens a link)")
)]
pub struct AuthorizationSpec {
    /// AppLinkAddon that this authorization belongs to. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("addonRef is immutable: create another Authorization for another add-on"))]
    pub addon_ref: ObjectRef,

    /// Name of the authorization in AppLink, 3 to 30 characters. The app requests the credential by this name. Immutable.
    #[schemars(length(min = 3, max = 30))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z](_?[A-Za-z0-9])*$')").message("developerName must begin with a letter, end with a letter or digit, and have only letters, digits and single underscores between (AppLink allows no dashes)"),
        validation = Rule::new("self == oldSelf").message("developerName is immutable: create another Authorization for another name")
    )]
    pub developer_name: String,

    /// The org and user of the credential, and how to sign in.
    #[serde(flatten)]
    pub access: AuthSpec,

    /// Name of a Secret that the operator writes the credential to, for workloads in this cluster. Its keys are accessToken, instanceURL, apiVersion, orgID, orgType, userID and username. If unset, the operator stores no credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')").message("credentialsSecretName must be a name that a Secret can have: lower-case letters, digits, '-' and '.'"))]
    pub credentials_secret_name: Option<String>,

    /// The policies.
    #[serde(flatten)]
    pub handling: ManagementPolicies,

    /// The policies for deletion and replacement.
    #[serde(flatten)]
    pub ending: DeletionPolicies,
}

/// The authorization as AppLink reports it, and the conditions.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = initial_status()))]
pub struct AuthorizationStatus {
    /// Fields shared with connections.
    #[serde(flatten)]
    pub grant: OrgAccessStatus,
    /// Name of the Secret that holds the credential, while there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_name: Option<String>,
}

impl RecordsRemote for AuthorizationStatus {
    fn remote(&self) -> &RemoteStatus {
        &self.grant.remote
    }
    fn remote_mut(&mut self) -> &mut RemoteStatus {
        &mut self.grant.remote
    }
}
