//! Writes the status that a plan has, if it differs, and one Event per transition.
//!
//! Decides nothing, and writes nothing at rest. `reconcile` calls it at the end of each reconcile.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::controller::Action;
use serde_json::{Map, Value, json};

use super::context::Context;
use super::effects::Effects;
use super::error::Error;
use super::kind::{Kind, key};
use super::outcome::PendingEvent;
use super::patch::{Part, patch, preconditions};
use super::reconciler::{Reconciler, WriteGuard};
use crate::crd::{Condition, ConditionType, Reason, ResourceStatus, condition};
use crate::observe::Key;
use crate::plan::Plan;

/// Writes the status of `plan`, and returns when to plan again.
pub(super) async fn write_status<K: Effects>(
    reconciler: &Reconciler<K>,
    object: &Arc<K>,
    plan: Plan<K::Status>,
    guard: &mut WriteGuard,
) -> Result<Action, Error> {
    let ctx = &*reconciler.ctx;
    let (before, after) = (object.status().cloned().unwrap_or_default(), plan.status);
    let written = if after != before && guard.enter(ctx) {
        patch_status(reconciler, object, &before, &after).await.map(Some)
    } else {
        Ok(None)
    };
    // Whoever waits for the permit does not have to wait for Events.
    for event in guard.release() {
        publish_event(ctx, &key(&**object), &object.object_ref(&()), event).await;
    }
    if written?.is_some() {
        publish_transitions(ctx, &**object, before.conditions(), after.conditions()).await;
        object.on_status_written(ctx, before.observed_generation() != after.observed_generation());
    }
    Ok(plan.requeue_after.map_or_else(Action::await_change, Action::requeue))
}

/// Writes the conditions of `plan` before its first step is executed, so that nobody sees Ready True while the step takes
/// away what Ready is about. The status write at the end records what was handled.
pub(super) async fn write_conditions_first<K: Effects>(
    reconciler: &Reconciler<K>,
    object: &Arc<K>,
    plan: &Plan<K::Status>,
) -> Result<Arc<K>, Error> {
    let before = object.status().cloned().unwrap_or_default();
    let mut after = before.clone();
    *after.conditions_mut() = plan.status.conditions().to_vec();
    if after == before {
        return Ok(object.clone());
    }
    let newer = patch_status(reconciler, object, &before, &after).await?;
    publish_transitions(&reconciler.ctx, &**object, before.conditions(), after.conditions()).await;
    Ok(newer)
}

/// Patches the status from `before` to `after`.
async fn patch_status<K: Kind>(
    reconciler: &Reconciler<K>,
    object: &Arc<K>,
    before: &K::Status,
    after: &K::Status,
) -> Result<Arc<K>, Error> {
    let as_json = |status: &K::Status| serde_json::to_value(status).map_err(|_| Error::Json("status"));
    let status = difference(&as_json(before)?, &as_json(after)?);
    let body = json!({ "metadata": preconditions(&**object), "status": status });
    patch(&reconciler.ctx, &reconciler.state_cache, object, Part::Status, body).await
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

/// Publishes an Event for each condition that people watch whose status or reason changed.
async fn publish_transitions<K: Kind>(ctx: &Context, object: &K, before: &[Condition], after: &[Condition]) {
    let mut published: Option<&Condition> = None;
    for kind in [ConditionType::Reachable, ConditionType::Ready] {
        let (old, new) = (condition(before, kind), condition(after, kind));
        let Some(new) =
            new.filter(|new| old.is_none_or(|old| (&old.status, &old.reason) != (&new.status, &new.reason)))
        else {
            continue;
        };
        // That a new add-on is reachable is no news beside its Ready.
        if kind == ConditionType::Reachable && old.is_none() && new.status == "True" {
            continue;
        }
        // Both conditions may have the same cause, which is one Event.
        if published.is_some_and(|one| (&one.reason, &one.message) == (&new.reason, &new.message)) {
            continue;
        }
        published = Some(new);
        let stalled = condition(after, ConditionType::Stalled).is_some();
        let warning = new.status != "True" && (stalled || kind == ConditionType::Reachable);
        if let Some(reason) = Reason::parse(&new.reason) {
            let event = PendingEvent { warning, reason, note: new.message.clone() };
            publish_event(ctx, &key(object), &object.object_ref(&()), event).await;
        }
    }
}

/// Publishes one Event about an object.
pub(super) async fn publish_event(ctx: &Context, who: &Key, object: &ObjectReference, event: PendingEvent) {
    ctx.events.publish(who, object, event, ctx.clock.now()).await;
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
