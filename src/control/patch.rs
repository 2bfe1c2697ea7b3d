//! The one way to write to an object of ours: a merge patch that fails where the object is not the one planned for.
//!
//! Decides nothing. `apply` writes finalizer and intent with it, `report` the status.

use std::sync::Arc;

use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::Error;
use super::kinds::Kind;
use super::reconcile::Reconciler;
use super::stores::key;
use crate::crd::FIELD_MANAGER;

/// What is written to.
pub(super) enum Part {
    /// The object, for the reason given.
    Object(&'static str),
    /// Its status.
    Status,
}

/// What makes a patch fail with a conflict where the object is another one, or another version.
pub(super) fn preconditions<K: Kind>(object: &K) -> Value {
    json!({ "uid": object.uid(), "resourceVersion": object.resource_version() })
}

/// As the field manager that all writes of ours have.
pub(super) fn params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

/// Writes `body`, and remembers what the object is after it.
pub(super) async fn patch<K: Kind>(
    reconciler: &Reconciler<K>,
    object: &Arc<K>,
    part: Part,
    body: Value,
) -> Result<Arc<K>, Error> {
    let ctx = &*reconciler.ctx;
    let me = key(&**object);
    let api: Api<K> = Api::namespaced(ctx.client.clone(), &me.namespace);
    let body = Patch::Merge(body);
    let (label, newer) = match part {
        Part::Object(label) => (label, api.patch(&me.name, &params(), &body).await),
        Part::Status => ("status", api.patch_status(&me.name, &params(), &body).await),
    };
    let newer = Arc::new(newer.map_err(Error::kube(format!("patch {me} ({label})")))?);
    ctx.metrics.write(K::KIND, label);
    reconciler.state_cache.wrote(object, newer.clone());
    Ok(newer)
}
