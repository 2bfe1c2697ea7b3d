//! What a kind is: its names, its status, and what one of its objects refers to, wants and records.
//!
//! Reads one object and nothing else. How its snapshot is gathered is `gather`; what its effects call is `effects`.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::crd::{Reason, ResourceStatus};
use crate::observe::Key;

/// A kind of resource that the operator reconciles.
pub(super) trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// As in `kind:`.
    const KIND: &'static str;
    /// The reason of Ready while the remote object is being created.
    const INITIAL_REASON: Reason;
    /// Its status.
    type Status: ResourceStatus + Serialize + Send + Sync;

    /// The status, if the operator has written one.
    fn status(&self) -> Option<&Self::Status>;
    /// The objects that it refers to.
    fn references(&self) -> Vec<Reference>;
    /// The remote name that it wants, if resources of its kind compete for names.
    fn remote_name(&self) -> Option<String> {
        None
    }
    /// The remote IDs that it records: its own, and that of the connection it is on.
    fn recorded_ids(&self) -> Vec<String> {
        Vec::new()
    }
    /// For a data action target: its remote ID, once it has one. `None` for every other kind.
    fn target_id(&self) -> Option<Option<String>> {
        None
    }
    /// Whether the spec itself says that the operator creates and changes nothing, so that no input is needed.
    fn is_passive(&self) -> bool {
        false
    }
    /// Name of the Secret that hands a consent link over, if the kind has consent links.
    fn oauth_secret_name(&self) -> Option<String> {
        None
    }
    /// What to say about a deprecated field that the spec uses.
    fn deprecation(&self) -> Option<String> {
        None
    }
}

/// An object of the same namespace that another object refers to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reference {
    /// As in `kind:`.
    pub(super) kind: &'static str,
    /// Its name.
    pub(super) name: String,
}

impl Reference {
    pub(super) fn secret(name: impl Into<String>) -> Self {
        Self { kind: "Secret", name: name.into() }
    }

    pub(super) fn config_map(name: impl Into<String>) -> Self {
        Self { kind: "ConfigMap", name: name.into() }
    }

    pub(super) fn to<K: Kind>(name: impl Into<String>) -> Self {
        Self { kind: K::KIND, name: name.into() }
    }
}

/// The key of an object.
pub(super) fn key<K: Kind>(object: &K) -> Key {
    Key { kind: K::KIND, namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
}
