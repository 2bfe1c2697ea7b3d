//! The custom resources that users write and read: one file per kind; `common`, `remote` and `org_access` hold shared fields.
//!
//! Pure: types, schemas, validation rules and accessors. No behaviour, no client, no clock. Every other module may use it;
//! `crds/` is generated from it.

#![deny(clippy::disallowed_methods)]
// Nothing from outside may end the process.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used))]

mod addon;
mod authorization;
mod common;
mod condition;
mod connection;
mod org_access;
mod publication;
mod reason;
mod remote;
mod status;
mod target;
#[cfg(test)]
mod tests;

pub use addon::{AppLinkAddon, AppLinkAddonSpec, AppLinkAddonStatus, poll_interval};
pub use authorization::{Authorization, AuthorizationSpec, AuthorizationStatus};
pub use common::{
    AdoptionPolicy, ConfigMapKeyRef, DeletionPolicy, ManagementPolicy, ObjectRef, ReplacePolicy, SecretKeyRef,
    annotation, is_object_name,
};
pub use condition::{Condition, ConditionType, condition};
pub use connection::{Connection, ConnectionSpec, ConnectionStatus};
pub use org_access::{AuthSpec, Expect, JwtMethod, OauthMethod, OrgAccessStatus, Provider};
pub use publication::{ApiSpec, Named, NamedOrMetadata, Publication, PublicationSpec, PublicationStatus};
pub use reason::Reason;
pub use remote::{DeletionPolicies, ManagementPolicies, Org, RecordsRemote, RemoteStatus};
pub use status::ResourceStatus;
pub use target::{DataActionTarget, DataActionTargetSpec, DataActionTargetStatus, TargetType};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// API group of every kind.
pub const GROUP: &str = "applink.dev";
/// Whether an API group is [`GROUP`] or one of its subgroups, whose kinds this operator manages, too.
#[must_use]
pub fn is_own_group(group: &str) -> bool {
    group.strip_suffix(GROUP).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
}

/// Finalizer that keeps a resource until its remote object is deleted or orphaned.
pub const FINALIZER: &str = "applink.dev/finalizer";
/// Field manager of every write to Kubernetes.
pub const FIELD_MANAGER: &str = "applink-operator";

/// The definitions of all kinds, in the order of the documentation.
#[must_use]
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![AppLinkAddon::crd(), Connection::crd(), Authorization::crd(), Publication::crd(), DataActionTarget::crd()]
}
