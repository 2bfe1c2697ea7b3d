//! Handles objects that this version cannot read: reports that in their conditions, and honours a forced orphan.
//!
//! Never touches AppLink or the spec. `reconcile` calls it instead of gathering and planning.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{ApiResource, DynamicObject, Patch};
use kube::core::ObjectMeta;
use kube::runtime::controller::Action;
use kube::{Api, Resource, ResourceExt};
use serde_json::{Value, json};

use super::context::Context;
use super::error::Error;
use super::kind::{Kind, Reference};
use super::outcome::PendingEvent;
use super::patch::params;
use super::status::publish_event;
use crate::conditions::conditions;
use crate::crd::{AppLinkAddon, Connection, FINALIZER, Reason, ResourceStatus, annotation};
use crate::observe::Key;
use crate::plan::ConditionReport;

/// Reports what is wrong with an object that this version cannot read, and otherwise leaves it alone. The metadata is enough
/// for a forced orphan.
///
/// The Event is published even if the status cannot be written. If the status itself was unreadable, writing it repairs it.
pub(super) async fn report_unreadable<K: Kind>(ctx: &Context, meta: &ObjectMeta, error: &str) -> Result<Action, Error> {
    let (namespace, name) = (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default());
    tracing::warn!(kind = K::KIND, %namespace, %name, "cannot be read: {error}");
    let resource = ApiResource::erase::<K>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(ctx.client.clone(), &namespace, &resource);
    let known = api.get_opt(&name).await.map_err(Error::kube(format!("get {} {namespace}/{name}", K::KIND)))?;
    let Some(known) = known else { return Ok(Action::await_change()) };
    let who = Key { kind: K::KIND, namespace, name };
    ctx.unreadable_references().insert(who.clone(), references(&known.data));
    let deleting = known.metadata.deletion_timestamp.is_some();
    let held = known.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    if deleting && held && known.annotations().get(annotation::FORCE_ORPHAN).is_some_and(|value| value == "true") {
        return orphan(ctx, &api, &who, &known).await;
    }
    let generation = known.metadata.generation.unwrap_or_default();
    let way_out = match deleting && held {
        true => {
            ". Correct the field so that it can be deleted, or set applink.dev/force-orphan: \"true\" to delete the \
                 object alone and leave what it stands for in AppLink"
        }
        false => "",
    };
    let note = format!("this version of the operator cannot read the object: {error}{way_out}");
    let observed = known.data.pointer("/status/observedGeneration").and_then(Value::as_i64) == Some(generation);
    let conditions_now = known.data.pointer("/status/conditions").and_then(Value::as_array);
    if observed && conditions_now.is_some_and(|all| all.iter().any(|one| one["message"] == note)) {
        return Ok(Action::await_change());
    }
    let report = ConditionReport::stalled(Reason::InvalidSpec, note.clone());
    let mut raw = K::Status::default();
    *raw.conditions_mut() = conditions(&[], &report.into(), generation, ctx.clock.now());
    raw.set_observed_generation(generation);
    let body = json!({ "metadata": { "resourceVersion": known.resource_version() }, "status": raw });
    let done = api.patch_status(&who.name, &params(), &Patch::Merge(body)).await;
    let event = PendingEvent { warning: true, reason: Reason::InvalidSpec, note };
    publish_event(ctx, &who, &known.object_ref(&resource), event).await;
    done.map_err(Error::kube(format!("patch the status of {who}")))?;
    Ok(Action::await_change())
}

/// Removes the finalizer of an object that cannot be read, because the user requests it.
async fn orphan(ctx: &Context, api: &Api<DynamicObject>, who: &Key, known: &DynamicObject) -> Result<Action, Error> {
    let rest: Vec<_> = known.finalizers().iter().filter(|finalizer| *finalizer != FINALIZER).collect();
    let metadata = json!({ "uid": known.uid(), "resourceVersion": known.resource_version(), "finalizers": rest });
    let done = api.patch(&who.name, &params(), &Patch::Merge(json!({ "metadata": metadata }))).await;
    done.map_err(Error::kube(format!("patch {who} (remove_finalizer)")))?;
    let id = known.data.pointer("/status/id").and_then(Value::as_str).unwrap_or("what it stands for");
    let note = format!("left {id} in AppLink as it is");
    let reference = ObjectReference {
        api_version: known.types.as_ref().map(|types| types.api_version.clone()),
        kind: Some(who.kind.to_owned()),
        name: Some(who.name.clone()),
        namespace: Some(who.namespace.clone()),
        uid: known.uid(),
        ..ObjectReference::default()
    };
    publish_event(ctx, who, &reference, PendingEvent { warning: true, reason: Reason::Orphaned, note }).await;
    Ok(Action::await_change())
}

/// The objects that an unreadable object refers to, as far as its spec shows.
fn references(data: &Value) -> Vec<Reference> {
    let name = |field: &str| Some(data.pointer(field)?.as_str()?.to_owned());
    let addon = name("/spec/addonRef/name").map(Reference::to::<AppLinkAddon>);
    let connection = name("/spec/connectionRef/name").map(Reference::to::<Connection>);
    addon.into_iter().chain(connection).collect()
}
