//! The one way to write to a resource: a merge patch that fails if the object is not the one that was planned for.
//!
//! Decides nothing. `execute` writes the finalizer and the intent with it, `status` the status.

use std::sync::Arc;

use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::context::Context;
use super::error::Error;
use super::kind::{Kind, key};
use super::state_cache::StateCache;
use crate::crd::FIELD_MANAGER;

/// The part of the object that is written.
pub(super) enum Part {
    /// The object without its status. The label names the reason in metrics and errors.
    Object(&'static str),
    /// Its status.
    Status,
}

/// Fields that make a patch fail with a conflict if the object is another one, or another version.
pub(super) fn preconditions<K: Kind>(object: &K) -> Value {
    json!({ "uid": object.uid(), "resourceVersion": object.resource_version() })
}

/// The field manager of all writes.
pub(super) fn params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

/// Writes `body`, and returns the new version of the object.
pub(super) async fn patch<K: Kind>(
    ctx: &Context,
    state_cache: &StateCache<K>,
    object: &Arc<K>,
    part: Part,
    body: Value,
) -> Result<Arc<K>, Error> {
    let me = key(&**object);
    let api: Api<K> = Api::namespaced(ctx.client.clone(), &me.namespace);
    let body = Patch::Merge(body);
    let (label, newer) = match part {
        Part::Object(label) => (label, api.patch(&me.name, &params(), &body).await),
        Part::Status => ("status", api.patch_status(&me.name, &params(), &body).await),
    };
    let newer = Arc::new(newer.map_err(Error::kube(format!("patch {me} ({label})")))?);
    ctx.metrics.write(K::KIND, label);
    state_cache.wrote(object, newer.clone());
    Ok(newer)
}
