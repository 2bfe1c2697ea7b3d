//! The one way through, the same for every kind: gather, snapshot, plan, execute the first step, plan again, and write the
//! status once nothing is left but to wait.
//!
//! Holds no knowledge of any kind and takes no decision. `run` calls [`reconcile`] for each queue entry.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;

use super::execute::{Next, WriteGuard, execute};
use super::kinds::Kind;
use super::outcome::PendingEvent;
use super::state_cache::StateCache;
use super::status::{publish_event, write_status};
use super::stores::key;
use super::unreadable::report_unreadable;
use super::{Context, Error};
use crate::crd::Reason;
use crate::observe::Key;
use crate::plan::state::ReconcileState;
use crate::plan::{ConditionReport, Plan, Step};

/// A plan has fewer steps than this; whoever takes more goes in circles, and comes back later.
const STEPS: usize = 16;

/// Failures in a row before it is said that the API server is busy or broken.
const PATIENCE: u32 = 3;

/// The reconciler of one kind.
pub(super) struct Reconciler<K> {
    pub(super) ctx: Arc<Context>,
    pub(super) state_cache: StateCache<K>,
}

/// Brings one object a step nearer to what it declares, until it must wait for something.
pub(super) async fn reconcile<K: Kind>(
    object: Arc<DeserializeGuard<K>>,
    reconciler: Arc<Reconciler<K>>,
) -> Result<Action, Error> {
    let ctx = &reconciler.ctx;
    for store in ctx.stores.all() {
        store.complete().await;
    }
    let read = match &object.0 {
        Ok(object) => Arc::new(object.clone()),
        Err(error) => return report_unreadable::<K>(ctx, &error.metadata, &error.error).await,
    };
    let who = key(&*read);
    ctx.unreadable_references().remove(&who);
    let result = reconcile_object(&reconciler, read).await;
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

async fn reconcile_object<K: Kind>(reconciler: &Reconciler<K>, read: Arc<K>) -> Result<Action, Error> {
    let mut object = reconciler.state_cache.newest(read);
    let mut begun = false;
    let result = run_steps(reconciler, &mut object, &mut begun).await;
    if let Err(error) = &result {
        report_refusal(reconciler, &object, error, begun).await;
    }
    result
}

/// What one reconcile has read from the API server. It holds while the reconcile lasts, but for its own writes to Secrets.
pub(super) struct Gathered<K: Kind> {
    pub(super) inputs: K::Inputs,
    /// The generation that they are for, and whether it needs any.
    needed: (i64, bool),
    /// Built before the permit to write is waited for, so that nothing reads while it is held.
    pub(super) payload: Option<K::Payload>,
}

impl<K: Kind> Gathered<K> {
    async fn of(object: &K, ctx: &Context, state: &ReconcileState) -> Result<Self, Error> {
        let needed = needed(object, state);
        match object.prepare(ctx).await {
            Err(error) if !state.deleting => return Err(error),
            Err(error) => tracing::warn!(object = %key(object), "{error}"),
            Ok(()) => {}
        }
        let inputs = if needed.1 { object.gather(ctx).await? } else { object.gather_without_inputs(ctx).await };
        Ok(Self { inputs, needed, payload: None })
    }
}

/// The generation that inputs are read for, and whether it needs any.
fn needed<K: Kind>(object: &K, state: &ReconcileState) -> (i64, bool) {
    (state.generation, !state.deleting && !object.is_passive())
}

/// `object` is kept as our own writes leave it; `begun` tells whether a step was to be carried out.
async fn run_steps<K: Kind>(
    reconciler: &Reconciler<K>,
    object: &mut Arc<K>,
    begun: &mut bool,
) -> Result<Action, Error> {
    let ctx = &*reconciler.ctx;
    let mut guard = WriteGuard::default();
    let me = key(&**object);
    let in_use = ctx.stores.of::<K>().map(|store| store.inputs_of(&me));
    let mut gathered: Option<Gathered<K>> = None;
    for _ in 0..STEPS {
        if guard.slot.is_none() {
            guard.slot = Some(ctx.slots.take(&me).await);
        }
        let state = reconciler.state_cache.state(object, ctx.clock.now());
        let changed = in_use.as_ref().is_none_or(|inputs| inputs.changed());
        let mut read = match gathered.take().filter(|read| read.needed == needed(&**object, &state) && !changed) {
            Some(read) => read,
            None => {
                // Nobody waits for the API server while others wait for the permit.
                guard.give_back_permit();
                in_use.iter().for_each(|inputs| inputs.reads());
                Gathered::of(&**object, ctx, &state).await?
            }
        };
        let snapshot = object.snapshot(ctx, &read.inputs, state.clone(), ctx.clock.now());
        let plan = K::plan(&snapshot);
        if !plan.steps.first().is_some_and(calls_applink) {
            guard.give_back_permit();
        }
        *begun = plan.steps.first().is_some_and(|step| !step.waits());
        match execute(reconciler, object, &mut read, &state, &plan, &mut guard).await? {
            Next::Plan => gathered = Some(read),
            Next::Gather => {}
            Next::PlanWith(newer) => {
                gathered = Some(read);
                *object = newer;
            }
            Next::Finish => return write_status(reconciler, object, &state, plan, &mut guard).await,
            Next::Stop => return Ok(Action::await_change()),
        }
    }
    tracing::warn!(object = %key(&**object), "went in circles; trying again later");
    Ok(Action::requeue(Duration::from_secs(60)))
}

/// Whether a step calls AppLink, or writes what such a call needs.
fn calls_applink(step: &Step) -> bool {
    step.mutates() || matches!(step, Step::Get { .. } | Step::ListTargets { .. })
}

/// Says in the object's condition what the API server refuses, whatever its code: nobody reads the log of the operator
/// first. What is Ready stays so, unless a step was to be carried out or an edit waits. An API server that is only busy is given time.
async fn report_refusal<K: Kind>(reconciler: &Reconciler<K>, object: &Arc<K>, error: &Error, begun: bool) {
    let ctx = &*reconciler.ctx;
    let Some(remedy) = error.remedy() else { return };
    if error.is_passing() && reconciler.state_cache.failures_of(&key(&**object)) < PATIENCE {
        return;
    }
    let state = reconciler.state_cache.state(object, ctx.clock.now());
    if state.ready && !begun && state.is_observed() && !object.is_stale(ctx) {
        return;
    }
    let reason = if state.deleting { Reason::Deleting } else { K::INITIAL_REASON };
    let mut text = format!("{error}. {remedy}");
    if state.deleting {
        text.push_str("; to delete without it, set applink.dev/force-orphan: \"true\"");
    }
    let said = Plan {
        steps: Vec::new(),
        update: ConditionReport::in_progress(reason, text.clone()).into(),
        requeue_after: None,
        status: object.status().cloned().unwrap_or_default(),
    };
    if let Err(error) = write_status(reconciler, object, &state, said, &mut WriteGuard::default()).await
        && !error.is_conflict()
        && reconciler.state_cache.refusal_is_new(object, &text)
    {
        // Where the status may not be written either, an Event is the last way to say it.
        publish_event(
            ctx,
            &key(&**object),
            &object.object_ref(&()),
            PendingEvent { warning: true, reason, note: text },
        )
        .await;
    }
}

/// How long to pause after an error.
pub(super) fn error_policy<K: Kind>(
    object: Arc<DeserializeGuard<K>>,
    error: &Error,
    reconciler: Arc<Reconciler<K>>,
) -> Action {
    let who = Key { kind: K::KIND, namespace: object.namespace().unwrap_or_default(), name: object.name_any() };
    if error.is_conflict() {
        tracing::debug!(object = %who, "changed meanwhile; planning again");
        return Action::requeue(Duration::from_millis(200));
    }
    if error.is_not_found() {
        reconciler.state_cache.forget(&who);
        return Action::await_change();
    }
    let pause = reconciler.state_cache.failed(&who, reconciler.ctx.clock.now());
    tracing::warn!(object = %who, "{error}; trying again in {} s", pause.as_secs());
    Action::requeue(pause)
}
