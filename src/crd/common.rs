//! References, policies, conditions and annotations that all kinds share.
//!
//! Pure, no behaviour beyond accessors. Used by every kind's file and by `plan`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use kube::core::Rule;
use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};

/// Annotation keys, all of them ours.
pub mod annotation {
    /// A new value asks for a reconcile now.
    pub const REQUESTED_AT: &str = "applink.dev/requestedAt";
    /// A new value has the remote object deleted and created anew, once.
    pub const REPLACE: &str = "applink.dev/replace";
    /// `"true"` on a deleted object lets go of the remote object at once.
    pub const FORCE_ORPHAN: &str = "applink.dev/force-orphan";
    /// `"true"` lets a Data Cloud connection be deleted or replaced although that deletes its targets.
    pub const CONFIRM_CASCADE: &str = "applink.dev/confirm-cascade";
    /// What the operator was about to create; written before the call.
    pub const INTENT: &str = "applink.dev/intent";
    /// On a Secret of ours: the remote object that its link is for.
    pub const LINK_FOR: &str = "applink.dev/link-for";
}

/// Names another object of the same namespace.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
pub struct ObjectRef {
    /// Name of the object, in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = object_name("an object"))]
    pub name: String,
}

/// Names one key of a Secret of the same namespace.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
pub struct SecretKeyRef {
    /// Name of the Secret, in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = object_name("a Secret"))]
    pub name: String,
    /// Key within the Secret.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$')").message("a Secret's key has only letters, digits, '-', '_' and '.'"))]
    pub key: String,
}

/// Names one key of a ConfigMap of the same namespace.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
pub struct ConfigMapKeyRef {
    /// Name of the ConfigMap, in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = object_name("a ConfigMap"))]
    pub name: String,
    /// Key within the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$')").message("a ConfigMap's key has only letters, digits, '-', '_' and '.'"))]
    pub key: String,
}

/// Whether the operator may change what it looks at.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
pub enum ManagementPolicy {
    /// Creates, keeps and deletes the remote object.
    #[default]
    Full,
    /// Never creates, changes or deletes.
    Observe,
}

/// What to do with a remote object of this name that was there first.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum AdoptionPolicy {
    /// Take it over where its attributes match.
    #[default]
    IfMatching,
    /// Refuse it.
    Never,
}

/// What becomes of the remote object when the resource is deleted.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum DeletionPolicy {
    /// Delete it too.
    #[default]
    Delete,
    /// Leave it.
    Orphan,
}

/// What to do when a write-only input changes, since AppLink has no update.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum ReplacePolicy {
    /// Say so, and leave the remote object.
    #[default]
    Never,
    /// Delete it and create it anew.
    DeleteAndRecreate,
}

/// Condition types of every kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionType {
    /// The remote object was seen in its wanted state.
    Ready,
    /// Work is under way; present only while true.
    Reconciling,
    /// Nothing more will happen without somebody's action; present only while true.
    Stalled,
    /// An add-on's AppLink answers.
    Reachable,
}

impl ConditionType {
    /// The type as written in `status.conditions`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::Reachable => "Reachable",
        }
    }
}

/// The condition of this type, if there is one.
#[must_use]
pub fn condition(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|c| c.type_ == kind.as_str())
}

/// Where a status has a default, kstatus does not take a new object for a finished one before anybody looked at it.
#[must_use]
pub(super) fn initial_status() -> serde_json::Value {
    serde_json::json!({
        "observedGeneration": -1,
        "conditions": [{
            "type": "Ready",
            "status": "Unknown",
            "reason": "Pending",
            "message": "waiting for the operator",
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        }],
    })
}

/// Schema of `status.conditions`: merged by type, so that two writers do not wipe each other's.
pub(super) fn conditions_schema(generator: &mut schemars::SchemaGenerator) -> Schema {
    let item = generator.subschema_for::<Condition>();
    json_schema!({
        "type": "array",
        "items": item,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    })
}

/// The rule that a field holds a name that Kubernetes allows for such an object. A name that is none cannot even be looked
/// up: a blank in it breaks the URL of the request.
pub(super) fn object_name(what: &str) -> Rule {
    Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')").message(
        format!(
            "name must be one that {what} can have: lower case letters, digits, '-' and '.', beginning and ending with a \
             letter or digit, and no blanks"
        )
        .as_str(),
    )
}

/// Whether Kubernetes allows this name for a Secret, a ConfigMap or an object of ours: a DNS-1123 subdomain.
#[must_use]
pub fn is_object_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let label = |label: &str| {
        !label.is_empty() && label.chars().all(allowed) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// The rule that a field neither begins nor ends with blanks: a YAML block scalar ends with a line break.
pub(super) fn trimmed(field: &str) -> Rule {
    Rule::new(r"self.matches('^\\S(.*\\S)?$')").message(
        format!(
            "{field} must not begin or end with blanks, nor contain a line break: write it on one line, without a block \
             scalar (|)"
        )
        .as_str(),
    )
}

/// The rule that a field holds an absolute URL without credentials.
pub(super) fn url_form(field: &str) -> Rule {
    Rule::new("isURL(self) && !self.contains('@') && url(self).getHostname() != ''")
        .message(format!("{field} must be an absolute URL without user or password, like https://example.com").as_str())
}

/// The rule that a field holds a URL over TLS, or to this very machine.
pub(super) fn url_scheme(field: &str) -> Rule {
    Rule::new(
        "!isURL(self) || url(self).getScheme() == 'https' || (url(self).getScheme() == 'http' && \
         url(self).getHostname() in ['localhost', '127.0.0.1', '::1', '[::1]'])",
    )
    .message(format!("{field} must begin with https:// (http:// only for localhost)").as_str())
}
