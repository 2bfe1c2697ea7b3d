//! What users write and read: one file per kind, `common` for what they share.
//!
//! Pure: types, schemas, validation rules and accessors. No behaviour, no client, no clock. Everything else reads it;
//! `crds/` is generated from it.

#![deny(clippy::disallowed_methods)]

mod addon;
mod common;
mod connection;
mod reason;
#[cfg(test)]
mod tests;

pub use addon::{AppLinkAddon, AppLinkAddonSpec, AppLinkAddonStatus};
pub use common::{
    AdoptionPolicy, ConditionType, DeletionPolicy, ManagementPolicy, ObjectRef, ReplacePolicy, SecretKeyRef,
    annotation, condition,
};
pub use connection::{Connection, ConnectionSpec, ConnectionStatus, Expect, JwtMethod, OauthMethod, Org, Provider};
pub use reason::Reason;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// Group of every kind.
pub const GROUP: &str = "applink.dev";
/// Finalizer that stands between a resource and the remote object it owns.
pub const FINALIZER: &str = "applink.dev/finalizer";
/// Field manager of every write to Kubernetes.
pub const FIELD_MANAGER: &str = "applink-operator";

/// The definitions of all kinds, in the order a reader meets them.
#[must_use]
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![AppLinkAddon::crd(), Connection::crd()]
}
