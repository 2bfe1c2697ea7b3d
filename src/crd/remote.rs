//! What all resources share that stand for something in AppLink: the policies of a spec, and what a status records.
//!
//! Pure types. The kinds' files embed them; `plan` reads and writes them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{AdoptionPolicy, DeletionPolicy, ManagementPolicy, ReplacePolicy, conditions_schema};

/// What the operator may do about a remote object.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagementPolicies {
    /// Full creates and keeps the remote object; Observe only looks.
    #[serde(default)]
    pub management_policy: ManagementPolicy,

    /// What to do with a remote object of this name that was there first.
    #[serde(default)]
    pub adoption_policy: AdoptionPolicy,

    /// true stops all work on the remote object; a deletion waits, too.
    #[serde(default)]
    pub suspend: bool,
}

/// What the operator may do about a remote object that can be deleted.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletionPolicies {
    /// What becomes of the remote object when this resource is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// What to do where an input changed that AppLink cannot update in the remote object.
    #[serde(default)]
    pub replace_policy: ReplacePolicy,
}

/// What a status records of the remote object, each where the service tells it.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemoteStatus {
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
    /// Id of the remote object in AppLink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// UUID of the add-on that the id belongs to.
    #[serde(rename = "addonID", default, skip_serializing_if = "Option::is_none")]
    pub addon_id: Option<String>,
    /// Status of the remote object, as the service says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_status: Option<String>,
    /// Digest of the write-only inputs that the remote object was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_hash: Option<String>,
    /// When the remote object was first seen in working order; absent while it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub established_at: Option<Time>,
    /// The last attempt of applink.dev/intent whose outcome is recorded here: its id, or that it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_attempt: Option<i64>,
    /// When the remote object was created, as the service says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// Heroku user who created the remote object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Heroku app that the remote object was created through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_via_app: Option<String>,
    /// The org behind it, as far as the service tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<Org>,
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

/// A status that records a remote object.
pub trait RecordsRemote: Clone + Default + PartialEq {
    /// What it records.
    fn remote(&self) -> &RemoteStatus;
    /// The same, to be written.
    fn remote_mut(&mut self) -> &mut RemoteStatus;
}
