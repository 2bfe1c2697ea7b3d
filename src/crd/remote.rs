//! Fields that all kinds with a remote object share: the policies in the spec, and the record in the status.
//!
//! Pure types. The kinds embed them; `plan` reads and writes them.

use jiff::Timestamp;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{AdoptionPolicy, DeletionPolicy, ManagementPolicy, ReplacePolicy};
use super::condition::{Condition, conditions_schema, time_schema};

/// The policies for a remote object.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagementPolicies {
    /// Full creates, maintains and deletes the remote object. Observe only shows it.
    #[serde(default)]
    pub management_policy: ManagementPolicy,

    /// What to do with a remote object of this name that existed before the resource.
    #[serde(default)]
    pub adoption_policy: AdoptionPolicy,

    /// true pauses all work on the remote object, including its deletion.
    #[serde(default)]
    pub suspend: bool,
}

impl ManagementPolicies {
    /// Whether the spec says that nothing is to be created or changed, so that no input is needed.
    #[must_use]
    pub fn is_passive(&self) -> bool {
        self.suspend || self.management_policy == ManagementPolicy::Observe
    }
}

/// The policies for a remote object that AppLink can delete.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletionPolicies {
    /// What happens to the remote object when this resource is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// What to do when an input changes that AppLink cannot update in the remote object.
    #[serde(default)]
    pub replace_policy: ReplacePolicy,
}

/// The remote object as last seen. Fields that the service does not report are absent.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemoteStatus {
    /// Generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready. Reconciling and Stalled appear only while they are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// Last value of applink.dev/requestedAt that the operator acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// Last value of applink.dev/replace that the operator acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_replace: Option<String>,
    /// ID of the remote object in AppLink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// UUID of the add-on that the ID belongs to.
    #[serde(rename = "addonID", default, skip_serializing_if = "Option::is_none")]
    pub addon_id: Option<String>,
    /// Status of the remote object, as the service reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_status: Option<String>,
    /// Digest of the write-only inputs that the remote object was created with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_hash: Option<String>,
    /// When the operator first saw the remote object work. Absent if it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time_schema")]
    pub established_at: Option<Timestamp>,
    /// Last attempt of applink.dev/intent whose outcome is recorded: either the ID of the new object, or a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_attempt: Option<i64>,
    /// When the remote object was created, as the service reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// Heroku user who created the remote object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Heroku app that the remote object was created through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_via_app: Option<String>,
    /// The org, as far as the service reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<Org>,
}

/// A connected org, as far as the service reports it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Org {
    /// Org ID, 18 characters.
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
    /// Salesforce user that signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// ID of that user.
    #[serde(rename = "userID", default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

/// A status that records a remote object.
pub trait RecordsRemote: Clone + Default + PartialEq {
    /// The record.
    fn remote(&self) -> &RemoteStatus;
    /// The record, to write to.
    fn remote_mut(&mut self) -> &mut RemoteStatus;
}
