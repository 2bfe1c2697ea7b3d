//! References, policies, conditions and annotations that all kinds share.
//!
//! Pure, no behaviour beyond accessors. Used by every kind's file and by `plan`.

use kube::KubeSchema;
use kube::core::Rule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Keys of the operator's annotations.
pub mod annotation {
    /// A new value requests a reconcile now.
    pub const REQUESTED_AT: &str = "applink.dev/requestedAt";
    /// A new value deletes the remote object and creates it again, once.
    pub const REPLACE: &str = "applink.dev/replace";
    /// `"true"` on a deleted object removes the finalizer at once and orphans the remote object.
    pub const FORCE_ORPHAN: &str = "applink.dev/force-orphan";
    /// `"true"` allows the deletion or replacement of a Data Cloud connection, which also deletes its targets.
    pub const CONFIRM_CASCADE: &str = "applink.dev/confirm-cascade";
    /// The intent: what the operator is about to create. Written before the call.
    pub const INTENT: &str = "applink.dev/intent";
    /// On a Secret that the operator owns: ID of the remote object that its link is for.
    pub const LINK_FOR: &str = "applink.dev/link-for";
}

/// Reference to another object in the same namespace.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash, KubeSchema)]
pub struct ObjectRef {
    /// Name of the object, in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = object_name("an object"))]
    pub name: String,
}

/// Reference to one key of a Secret in the same namespace.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash, KubeSchema)]
pub struct SecretKeyRef {
    /// Name of the Secret, in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = object_name("a Secret"))]
    pub name: String,
    /// Key in the Secret.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$')").message("key must be one that a Secret can have: only letters, digits, '-', '_' and '.'"))]
    pub key: String,
}

/// Reference to one key of a ConfigMap in the same namespace.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash, KubeSchema)]
pub struct ConfigMapKeyRef {
    /// Name of the ConfigMap, in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = object_name("a ConfigMap"))]
    pub name: String,
    /// Key in the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$')").message("key must be one that a ConfigMap can have: only letters, digits, '-', '_' and '.'"))]
    pub key: String,
}

/// Whether the operator may change the remote object.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema)]
pub enum ManagementPolicy {
    /// Creates, maintains and deletes the remote object.
    #[default]
    Full,
    /// Never creates, changes or deletes.
    Observe,
}

/// What to do with a remote object of this name that existed before the resource.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, JsonSchema)]
pub enum AdoptionPolicy {
    /// Adopt it if its attributes match.
    #[default]
    IfMatching,
    /// Do not adopt it.
    Never,
}

/// What happens to the remote object when the resource is deleted.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, JsonSchema)]
pub enum DeletionPolicy {
    /// Delete it.
    #[default]
    Delete,
    /// Leave it in place.
    Orphan,
}

/// What to do when a write-only input changes. AppLink has no update.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, JsonSchema)]
pub enum ReplacePolicy {
    /// Report the change, and leave the remote object as it is.
    #[default]
    Never,
    /// Delete the remote object and create it again.
    DeleteAndRecreate,
}

/// The default status. Without it, kstatus reports a new object as finished before the operator has looked at it.
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

/// Rule for a field that holds the name of an object. The operator could not even look up a name that Kubernetes does not
/// allow: a blank in it breaks the URL of the request.
pub(super) fn object_name(what: &str) -> Rule {
    Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')").message(
        format!(
            "name must be one that {what} can have: lower-case letters, digits, '-' and '.', beginning and ending with a \
             letter or digit, and no blanks"
        )
        .as_str(),
    )
}

/// Whether Kubernetes allows this name for a Secret, a ConfigMap or one of our kinds: a DNS-1123 subdomain.
#[must_use]
pub fn is_object_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let label = |label: &str| {
        !label.is_empty() && label.chars().all(allowed) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// Rule for a field that must not begin or end with blanks: a YAML block scalar ends with a line break.
pub(super) fn trimmed(field: &str) -> Rule {
    Rule::new(r"self.matches('^\\S(.*\\S)?$')").message(
        format!(
            "{field} must not begin or end with blanks, nor contain a line break: write it on one line, without a block \
             scalar (|)"
        )
        .as_str(),
    )
}

/// Rule for a field that holds an absolute URL without credentials.
pub(super) fn url_form(field: &str) -> Rule {
    Rule::new("isURL(self) && !self.contains('@') && url(self).getHostname() != ''")
        .message(format!("{field} must be an absolute URL without user or password, like https://example.com").as_str())
}

/// Rule for a field that holds an https URL, or an http URL of a loopback host.
pub(super) fn url_scheme(field: &str) -> Rule {
    Rule::new(
        "!isURL(self) || url(self).getScheme() == 'https' || (url(self).getScheme() == 'http' && \
         url(self).getHostname() in ['localhost', '127.0.0.1', '::1', '[::1]'])",
    )
    .message(format!("{field} must begin with https:// (http:// only for localhost)").as_str())
}
