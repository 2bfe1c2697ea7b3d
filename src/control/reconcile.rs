//! The one way through, the same for every kind: gather, snapshot, plan, execute the first step, plan again, and write the
//! status when only waiting is left.
//!
//! Knows no kind and decides nothing. `queues` calls [`reconcile`] for each queue entry.

use std::sync::Arc;

use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;

use super::effects::Effects;
use super::error::Error;
use super::execute::{Next, execute};
use super::kind::key;
use super::outcome::PendingEvent;
use super::reconciler::{Gathered, InputsNeeded, Reconciler, WriteGuard};
use super::slots::Slot;
use super::status::{publish_event, write_status};
use super::unreadable::report_unreadable;
use crate::observe::Key;
use crate::plan::refusal::{Refusal, report_of};
use crate::plan::{Plan, Step};
use crate::timing::{CIRCLE_PAUSE, CONFLICT_PAUSE};

/// Steps of one reconcile. A plan has fewer; a reconcile that takes more goes in circles, and tries again later.
const MAX_STEPS: usize = 16;

/// Brings one object nearer to what it declares, until it has to wait for something. Begins in `slot`.
pub(super) async fn reconcile<K: Effects>(
    object: Arc<DeserializeGuard<K>>,
    reconciler: Arc<Reconciler<K>>,
    slot: Slot,
) -> Result<Action, Error> {
    let ctx = &reconciler.ctx;
    let read = match &object.0 {
        Ok(object) => Arc::new(object.clone()),
        Err(error) => return report_unreadable::<K>(ctx, &error.metadata, &error.error).await,
    };
    let who = key(&*read);
    ctx.unreadable_references().remove(&who);
    let result = reconcile_object(&reconciler, read, slot).await;
    let outcome = match &result {
        Ok(_) => "ok",
        Err(error) if error.is_conflict() => "conflict",
        Err(_) => "error",
    };
    ctx.metrics.reconcile(K::KIND, outcome);
    if result.is_ok() {
        reconciler.state_cache.succeeded(&who);
    }
    result
}

async fn reconcile_object<K: Effects>(reconciler: &Reconciler<K>, read: Arc<K>, slot: Slot) -> Result<Action, Error> {
    let mut object = reconciler.state_cache.newest(read);
    let mut during_step = false;
    let result = run_steps(reconciler, &mut object, &mut during_step, slot).await;
    if let Err(error) = &result {
        report_refusal(reconciler, &object, error, during_step).await;
    }
    result
}

/// Plans and executes until only waiting is left. Keeps `object` as our own writes leave it, and `during_step` true while it
/// executes a step that does not only wait.
async fn run_steps<K: Effects>(
    reconciler: &Reconciler<K>,
    object: &mut Arc<K>,
    during_step: &mut bool,
    slot: Slot,
) -> Result<Action, Error> {
    let ctx = &*reconciler.ctx;
    let mut guard = WriteGuard::in_slot(slot);
    let me = key(&**object);
    let in_use = ctx.stores.of::<K>().map(|store| store.inputs_of(&me));
    let mut gathered: Option<Gathered<K>> = None;
    for _ in 0..MAX_STEPS {
        if guard.slot.is_none() {
            guard.slot = Some(ctx.slots.take(&me).await);
        }
        let state = reconciler.state_cache.state(object, ctx.clock.now());
        let changed = in_use.as_ref().is_none_or(|inputs| inputs.changed());
        let mut read =
            match gathered.take().filter(|read| read.needed == InputsNeeded::by(&**object, &state) && !changed) {
                Some(read) => read,
                None => {
                    // Nothing waits for the API server while it holds a permit.
                    guard.give_back_permit();
                    in_use.iter().for_each(|inputs| inputs.reads());
                    Gathered::read(&**object, ctx, &state).await?
                }
            };
        let snapshot = object.snapshot(ctx, &read.inputs, state.clone(), ctx.clock.now());
        let plan = K::plan(&snapshot);
        if !plan.steps.first().is_some_and(Step::calls_remote) {
            guard.give_back_permit();
        }
        *during_step = plan.steps.first().is_some_and(|step| !step.waits());
        match execute(reconciler, object, &mut read, &state, &plan, &mut guard).await? {
            Next::Plan => gathered = Some(read),
            Next::Gather => {}
            Next::PlanWith(newer) => {
                gathered = Some(read);
                *object = newer;
            }
            Next::Finish => return write_status(reconciler, object, plan, &mut guard).await,
            Next::Stop => return Ok(Action::await_change()),
        }
    }
    tracing::warn!(object = %me, "the reconcile goes in circles; trying again later");
    Ok(Action::requeue(CIRCLE_PAUSE))
}

/// Reports a request that the API server refused. If the status cannot be written either, an Event says it.
async fn report_refusal<K: Effects>(reconciler: &Reconciler<K>, object: &Arc<K>, error: &Error, during_step: bool) {
    let ctx = &*reconciler.ctx;
    let (me, now) = (key(&**object), ctx.clock.now());
    let Some(remedy) = error.remedy() else { return };
    let refusal = Refusal {
        error: error.to_string(),
        remedy,
        passing: error.is_passing(),
        failures: reconciler.state_cache.failures_of(&me),
        during_step,
        stale: object.is_stale(ctx),
    };
    let state = reconciler.state_cache.state(object, now);
    let Some(report) = report_of(&refusal, &state, K::INITIAL_REASON) else { return };
    let plan = Plan::report(report.clone(), &object.status().cloned().unwrap_or_default(), &state, now);
    if let Err(error) = write_status(reconciler, object, plan, &mut WriteGuard::default()).await
        && !error.is_conflict()
        && reconciler.state_cache.refusal_is_new(object, &report.message)
    {
        let event = PendingEvent { warning: true, reason: report.reason, note: report.message };
        publish_event(ctx, &me, &object.object_ref(&()), event).await;
    }
}

/// How long to pause after an error.
pub(super) fn error_policy<K: Effects>(
    object: Arc<DeserializeGuard<K>>,
    error: &Error,
    reconciler: Arc<Reconciler<K>>,
) -> Action {
    let who = Key { kind: K::KIND, namespace: object.namespace().unwrap_or_default(), name: object.name_any() };
    if error.is_conflict() {
        tracing::debug!(object = %who, "the object changed in the meantime; planning again");
        return Action::requeue(CONFLICT_PAUSE);
    }
    if error.is_not_found() {
        reconciler.state_cache.forget(&who);
        return Action::await_change();
    }
    let pause = reconciler.state_cache.failed(&who, reconciler.ctx.clock.now());
    tracing::warn!(object = %who, "{error}; trying again in {} s", pause.as_secs());
    Action::requeue(pause)
}
