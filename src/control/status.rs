//! Writes what a plan says: the status where it differs, and one Event per transition.
//!
//! Decides nothing, and writes nothing at rest. `reconciler` calls it at the end of each way through.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use serde_json::{Map, Value, json};

use super::execute::WriteGuard;
use super::kinds::{Kind, Status};
use super::outcome::PendingEvent;
use super::patch::{Part, patch, preconditions};
use super::reconcile::Reconciler;
use super::stores::key;
use super::{Context, Error};
use crate::conditions::{StatusUpdate, conditions};
use crate::crd::{Condition, ConditionType, Reason, annotation, condition};
use crate::observe::Key;
use crate::plan::Plan;
use crate::plan::state::ReconcileState;

/// Writes the status where `plan` changes it, and tells when to plan again.
pub(super) async fn write_status<K: Kind>(
    reconciler: &Reconciler<K>,
    object: &Arc<K>,
    state: &ReconcileState,
    plan: Plan<K::Status>,
    guard: &mut WriteGuard,
) -> Result<Action, Error> {
    let ctx = &*reconciler.ctx;
    let before = object.status().cloned().unwrap_or_default();
    let mut after = plan.status;
    let generation = state.generation;
    *after.conditions() = conditions(after.conditions(), &plan.update, generation, ctx.clock.now());
    if plan.update == StatusUpdate::Unchanged {
        after = before.clone();
    } else if plan.update != StatusUpdate::FactsOnly {
        after.set_observed_generation(generation);
        if let Some(token) = object.annotations().get(annotation::REQUESTED_AT) {
            after.set_handled_request(token.clone());
        }
    }
    let written = if after != before && guard.enter(ctx) {
        write(reconciler, object, &before, &after).await.map(Some)
    } else {
        Ok(None)
    };
    // Whoever waits for leave to write need not wait for Events.
    for events in guard.release() {
        publish_event(ctx, &key(&**object), &object.object_ref(&()), events).await;
    }
    if written?.is_some() {
        transitions(ctx, &**object, before.state().conditions, after.state().conditions).await;
        object.on_reported(ctx, before.state().observed_generation != after.state().observed_generation);
    }
    Ok(plan.requeue_after.map_or_else(Action::await_change, Action::requeue))
}

/// Writes what the conditions must say before the first step of `plan` is carried out: nobody is to see Ready True while the
/// step takes away what it speaks of. That a request or this generation was handled is for the report at the end.
pub(super) async fn announce<K: Kind>(
    reconciler: &Reconciler<K>,
    object: &Arc<K>,
    state: &ReconcileState,
    plan: &Plan<K::Status>,
) -> Result<Arc<K>, Error> {
    let ctx = &*reconciler.ctx;
    let before = object.status().cloned().unwrap_or_default();
    let mut after = before.clone();
    *after.conditions() = conditions(before.state().conditions, &plan.update, state.generation, ctx.clock.now());
    if after == before {
        return Ok(object.clone());
    }
    let newer = write(reconciler, object, &before, &after).await?;
    transitions(ctx, &**object, before.state().conditions, after.state().conditions).await;
    Ok(newer)
}

/// Patches the status from `before` to `after`.
async fn write<K: Kind>(
    reconciler: &Reconciler<K>,
    object: &Arc<K>,
    before: &K::Status,
    after: &K::Status,
) -> Result<Arc<K>, Error> {
    let as_json = |status: &K::Status| serde_json::to_value(status).map_err(|_| Error::Json("status"));
    let status = difference(&as_json(before)?, &as_json(after)?);
    let body = json!({ "metadata": preconditions(&**object), "status": status });
    patch(reconciler, object, Part::Status, body).await
}

/// The merge patch that turns `before` into `after`.
fn difference(before: &Value, after: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (before, after) else { return after.clone() };
    let mut patch: Map<String, Value> = new
        .iter()
        .filter(|(field, value)| old.get(*field) != Some(value))
        .map(|(field, value)| (field.clone(), difference(old.get(field).unwrap_or(&Value::Null), value)))
        .collect();
    patch.extend(old.keys().filter(|field| !new.contains_key(*field)).map(|field| (field.clone(), Value::Null)));
    Value::Object(patch)
}

/// One Event for each of the conditions that people watch, where its status or reason moved.
async fn transitions<K: Kind>(ctx: &Context, object: &K, before: &[Condition], after: &[Condition]) {
    let mut told: Option<&Condition> = None;
    for kind in [ConditionType::Reachable, ConditionType::Ready] {
        let (old, new) = (condition(before, kind), condition(after, kind));
        let Some(new) =
            new.filter(|new| old.is_none_or(|old| (&old.status, &old.reason) != (&new.status, &new.reason)))
        else {
            continue;
        };
        // The first good word of an add-on's service is no news beside the add-on's own.
        if kind == ConditionType::Reachable && old.is_none() && new.status == "True" {
            continue;
        }
        // Both may have the same cause, which is one thing to say.
        if told.is_some_and(|told| (&told.reason, &told.message) == (&new.reason, &new.message)) {
            continue;
        }
        told = Some(new);
        let stalled = condition(after, ConditionType::Stalled).is_some();
        let warning = new.status != "True" && (stalled || kind == ConditionType::Reachable);
        if let Some(reason) = Reason::parse(&new.reason) {
            let events = PendingEvent { warning, reason, note: new.message.clone() };
            publish_event(ctx, &key(object), &object.object_ref(&()), events).await;
        }
    }
}

/// Publishes one Event about an object.
pub(super) async fn publish_event(ctx: &Context, who: &Key, object: &ObjectReference, events: PendingEvent) {
    ctx.events.publish(who, object, events, ctx.clock.now()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_what_changed_and_nulls_what_went() {
        let before = json!({"id": "a", "org": {"id": "1", "type": "x"}, "gone": 1, "conditions": [1]});
        let after = json!({"id": "a", "org": {"id": "2", "type": "x"}, "conditions": [1, 2]});
        assert_eq!(difference(&before, &after), json!({"org": {"id": "2"}, "gone": null, "conditions": [1, 2]}));
        assert_eq!(difference(&before, &before), json!({}));
        assert_eq!(difference(&json!({}), &json!({"org": {"id": "1"}})), json!({"org": {"id": "1"}}));
    }
}
