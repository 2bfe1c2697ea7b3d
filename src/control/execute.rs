//! Carries out the first step of a plan: at most one change, in AppLink or in Kubernetes.
//!
//! Decides nothing: the outcome of the step goes into the reconcile state or to the observer, where the next plan reads it.

use std::sync::Arc;

use kube::ResourceExt;
use serde_json::json;

use super::fence::InFlight;
use super::kinds::{Kind, Payload};
use super::outcome::{PendingEvent, delayed, failure, made_event};
use super::owned_secrets::{self, SecretContent};
use super::patch::{Part, patch, preconditions};
use super::permits::Permit;
use super::reconcile::{Gathered, Reconciler};
use super::slots::Slot;
use super::status::{announce, publish_event};
use super::stores::key;
use super::{Context, Error};
use crate::budget::Purpose;
use crate::conditions::StatusUpdate;
use crate::crd::{FINALIZER, Reason, annotation};
use crate::facts::Phase;
use crate::observe::Key;
use crate::plan::state::{CredentialsState, Intent, ReconcileState};
use crate::plan::transition::StepOutcome;
use crate::plan::{Plan, Step};

/// What one reconcile holds from its first effect to its status write: permits to write, and a place within the fence.
#[derive(Default)]
pub(super) struct WriteGuard {
    permit: Option<Permit>,
    /// To be the only writer in a place within the add-on.
    exclusive: Option<Permit>,
    effect: Option<InFlight>,
    /// To work at all: given back while only waiting is to be done.
    pub(super) slot: Option<Slot>,
    /// Events to publish once the status is written.
    events: Vec<PendingEvent>,
}

impl WriteGuard {
    /// Enters the fence where it is not within. Tells whether effects are still allowed.
    pub(super) fn enter(&mut self, ctx: &Context) -> bool {
        if self.effect.is_none() {
            self.effect = ctx.fence.enter();
        }
        self.effect.is_some() && ctx.fence.is_open()
    }

    /// Nothing is left to write to AppLink for now.
    pub(super) fn give_back_permit(&mut self) {
        (self.permit, self.exclusive) = (None, None);
    }

    /// Gives back all that is held, and returns the Events to publish.
    pub(super) fn release(&mut self) -> Vec<PendingEvent> {
        std::mem::take(self).events
    }
}

/// What follows a step.
pub(super) enum Next<K> {
    /// Plan again.
    Plan,
    /// Gather and plan again: this step changed a Secret.
    Gather,
    /// Plan again, with the object as this write left it.
    PlanWith(Arc<K>),
    /// Nothing can be done now: write the status.
    Finish,
    /// Nothing more may be done, or nothing is left.
    Stop,
}

/// Carries out the first step of `plan`.
pub(super) async fn execute<K: Kind>(
    reconciler: &Reconciler<K>,
    object: &Arc<K>,
    read: &mut Gathered<K>,
    state: &ReconcileState,
    plan: &Plan<K::Status>,
    guard: &mut WriteGuard,
) -> Result<Next<K>, Error> {
    let ctx = &*reconciler.ctx;
    let (me, addon) = (key(&**object), object.addon(ctx).unwrap_or_else(|| key(&**object)));
    ctx.observer.set_waiting(&addon, &me, plan.steps.first() == Some(&Step::AwaitRemote));
    let Some(step) = plan.steps.first().filter(|step| **step != Step::AwaitRemote) else {
        return Ok(Next::Finish);
    };
    let urgent = state.deleting || state.requested || !state.is_observed();
    if *step == Step::Poll {
        ctx.observer.request_poll(&addon, me, if urgent { Purpose::UrgentPoll } else { Purpose::Poll });
        return Ok(Next::Finish);
    }
    if step.mutates() && guard.permit.is_none() {
        if plan.steps.iter().any(Step::sends_payload) {
            read.payload = object.payload(ctx).await?;
        }
        guard.slot = None;
        acquire(&**object, ctx, &addon, urgent, guard).await;
        // The world moved while we waited.
        return Ok(Next::Plan);
    }
    if !guard.enter(ctx) {
        return Ok(Next::Stop);
    }
    if matches!(plan.update, StatusUpdate::SetConditions(_)) && state.ready {
        let newer = announce(reconciler, object, state, plan).await?;
        if newer.resource_version() != object.resource_version() {
            return Ok(Next::PlanWith(newer));
        }
    }
    ctx.metrics.step(K::KIND, label(step));
    tracing::info!(object = %me, "{step}");
    match step {
        Step::WriteIntent { intent } => write_intent(reconciler, object, state, step, Some(intent)).await,
        Step::Adopt { intent } => {
            let id = intent.id.as_deref().unwrap_or_default();
            let note = format!("took over {id}, which was there first in AppLink");
            guard.events.push(PendingEvent { warning: false, reason: Reason::Adopted, note });
            write_intent(reconciler, object, state, step, Some(intent)).await
        }
        Step::WriteOAuthSecret { id } => write_oauth_secret(ctx, &**object, id).await.map(|()| Next::Gather),
        Step::DeleteOAuthSecret => delete_oauth_secret(ctx, &**object).await.map(|()| Next::Gather),
        Step::SetSecretOwner { secret } => owned_secrets::take(ctx, &**object, secret).await.map(|()| Next::Gather),
        Step::DeleteCredentialsSecret { secret } => {
            delete_credentials_secret(reconciler, object, state, step, secret).await
        }
        Step::WriteCredentialsSecret { id, secret } => {
            guard.slot = None;
            write_credentials_secret(reconciler, object, state, step, (id, secret)).await
        }
        Step::AddFinalizer => write_intent(reconciler, object, state, step, None).await,
        Step::RemoveFinalizer { orphaned } => remove_finalizer(reconciler, object, orphaned.as_deref()).await,
        Step::Create { .. }
        | Step::Publish { .. }
        | Step::Delete { .. }
        | Step::Get { .. }
        | Step::ListTargets { .. } => call(reconciler, object, read, state, step, guard).await,
        Step::Poll | Step::AwaitRemote => Ok(Next::Finish),
    }
}

/// Waits until the object may write to its add-on.
async fn acquire<K: Kind>(object: &K, ctx: &Context, addon: &Key, urgent: bool, guard: &mut WriteGuard) {
    // Several resources may stand for one add-on.
    let facts = ctx.observer.addon(addon).and_then(|live| live.facts);
    let whole = facts.map_or_else(|| addon.to_string(), |facts| facts.addon_id);
    if let Some(place) = object.exclusive_scope(ctx) {
        guard.exclusive = Some(ctx.permits.acquire_exclusive(&format!("{whole}/{place}"), urgent).await);
    }
    guard.permit = Some(ctx.permits.acquire(&whole, urgent).await);
}

fn label(step: &Step) -> &'static str {
    match step {
        Step::WriteIntent { .. } => "write_intent",
        Step::Adopt { .. } => "adopt",
        Step::WriteOAuthSecret { .. } => "write_oauth_secret",
        Step::DeleteOAuthSecret => "delete_oauth_secret",
        Step::AddFinalizer => "add_finalizer",
        Step::Create { .. } => "create",
        Step::Publish { .. } => "publish",
        Step::ListTargets { .. } => "list_targets",
        Step::WriteCredentialsSecret { .. } => "write_credentials_secret",
        Step::DeleteCredentialsSecret { .. } => "delete_credentials_secret",
        Step::Delete { .. } => "delete",
        Step::Get { .. } => "get",
        Step::SetSecretOwner { .. } => "set_secret_owner",
        Step::Poll => "poll",
        Step::AwaitRemote => "await_remote",
        Step::RemoveFinalizer { .. } => "remove_finalizer",
    }
}

async fn write_oauth_secret<K: Kind>(ctx: &Context, object: &K, id: &str) -> Result<(), Error> {
    let (Some(name), Some(link)) = (object.oauth_secret_name(), object.consent_link(ctx, id)) else { return Ok(()) };
    owned_secrets::write(ctx, object, &name, &SecretContent::consent_link(link.expose(), id)).await
}

async fn delete_oauth_secret<K: Kind>(ctx: &Context, object: &K) -> Result<(), Error> {
    match object.oauth_secret_name() {
        Some(name) => owned_secrets::remove(ctx, object, &name).await,
        None => Ok(()),
    }
}

/// Deletes the Secret that keeps the credential. A deletion of its owner does not wait for a right that is missing: the
/// Secret goes with its owner all the same.
async fn delete_credentials_secret<K: Kind>(
    reconciler: &Reconciler<K>,
    object: &Arc<K>,
    state: &ReconcileState,
    step: &Step,
    secret: &str,
) -> Result<Next<K>, Error> {
    let outcome = match owned_secrets::remove(&reconciler.ctx, &**object, secret).await {
        Err(error) if state.deleting && !error.is_conflict() => {
            tracing::warn!(object = %key(&**object), "{error}; leaving it to Kubernetes, which collects it with its owner");
            StepOutcome::NotDeleted
        }
        result => result.map(|()| StepOutcome::Done)?,
    };
    let after = state.after(step, &outcome, reconciler.ctx.clock.now());
    reconciler.state_cache.store(object, &after);
    Ok(Next::Gather)
}

/// Reads the credential and keeps it, and remembers how that ended apart from how the object's own calls did.
async fn write_credentials_secret<K: Kind>(
    reconciler: &Reconciler<K>,
    object: &Arc<K>,
    state: &ReconcileState,
    step: &Step,
    (id, secret): (&str, &str),
) -> Result<Next<K>, Error> {
    let ctx = &*reconciler.ctx;
    let began = ctx.clock.now();
    let urgent = state.requested || state.credentials.written.is_none();
    let outcome = match object.read_credentials(ctx, id, urgent).await {
        Ok(content) => {
            // What cannot be written is not there, however fresh what was written before.
            let forgotten = ReconcileState { credentials: CredentialsState::default(), ..state.clone() };
            reconciler.state_cache.store(object, &forgotten);
            owned_secrets::write(ctx, &**object, secret, &content).await?;
            StepOutcome::Done
        }
        Err(error) => {
            tracing::warn!(object = %key(&**object), "cannot {step}: {error}");
            StepOutcome::Failed(failure(&error, began))
        }
    };
    reconciler.state_cache.store(object, &state.after(step, &outcome, began));
    Ok(Next::Gather)
}

/// Calls AppLink, and remembers how that ended.
async fn call<K: Kind>(
    reconciler: &Reconciler<K>,
    object: &Arc<K>,
    read: &mut Gathered<K>,
    state: &ReconcileState,
    step: &Step,
    guard: &mut WriteGuard,
) -> Result<Next<K>, Error> {
    let ctx = &*reconciler.ctx;
    if step.sends_payload() && !announced(read, state) {
        // The inputs changed since they were digested.
        return Ok(Next::Gather);
    }
    let began = ctx.clock.now();
    guard.slot = None;
    let result = match step {
        Step::Create { .. } | Step::Publish { .. } => match &read.payload {
            Some(payload) => object.create(ctx, payload).await.map(Some),
            None => return Ok(Next::Gather),
        },
        Step::ListTargets { id } => object.list_targets(ctx, id).await.map(|()| None),
        Step::Delete { id } => object.delete(ctx, id).await.map(|()| None),
        Step::Get { id } => object.get(ctx, id).await.map(|()| None),
        _ => return Ok(Next::Finish),
    };
    let outcome = match result {
        Ok(Some(made)) => StepOutcome::Made { id: made.id, phase: made.phase },
        Ok(None) => StepOutcome::Done,
        Err(error) => {
            tracing::warn!(object = %key(&**object), "cannot {step}: {error}");
            StepOutcome::Failed(failure(&error, began))
        }
    };
    let after = state.after(step, &outcome, ctx.clock.now());
    guard.events.extend(events_of(&**object, step, &outcome, state, &after));
    reconciler.state_cache.store(object, &after);
    Ok(Next::Plan)
}

/// The Events that a call gives rise to. They are published once the status is written: until then, nothing may come
/// between.
fn events_of<K: Kind>(
    object: &K,
    step: &Step,
    outcome: &StepOutcome,
    before: &ReconcileState,
    after: &ReconcileState,
) -> Vec<PendingEvent> {
    match outcome {
        StepOutcome::Made { phase, .. } if *phase != Phase::Deleted || !matches!(step, Step::Create { .. }) => {
            let deprecated = object.deprecation();
            let warning = |note| PendingEvent { warning: true, reason: Reason::Deprecated, note };
            made_event(step).into_iter().chain(deprecated.map(warning)).collect()
        }
        StepOutcome::Failed(_)
            if after.call_failures == 1 && before.call_failures == 0 && before.ready && step.sends_payload() =>
        {
            after.last_outcome.as_ref().and_then(delayed).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Whether the payload is the one that the intent announces.
fn announced<K: Kind>(read: &Gathered<K>, state: &ReconcileState) -> bool {
    let announced = state.intent.as_ref().map(|intent| intent.hash.as_str());
    read.payload.as_ref().map(Payload::hash) == announced
}

/// Writes finalizer and intent in one merge patch that fails on an object that is not the one planned for.
async fn write_intent<K: Kind>(
    reconciler: &Reconciler<K>,
    object: &Arc<K>,
    state: &ReconcileState,
    step: &Step,
    intent: Option<&Intent>,
) -> Result<Next<K>, Error> {
    let mut metadata = preconditions(&**object);
    let mut finalizers = object.finalizers().to_vec();
    if !finalizers.iter().any(|f| f == FINALIZER) {
        finalizers.push(FINALIZER.to_owned());
        metadata["finalizers"] = json!(finalizers);
    }
    if let Some(intent) = intent {
        let text = serde_json::to_string(intent).map_err(|_| Error::Json("intent"))?;
        metadata["annotations"] = json!({ annotation::INTENT: text });
    }
    // Before the patch, since it may take effect without an answer.
    reconciler.state_cache.store(object, &state.after(step, &StepOutcome::Done, reconciler.ctx.clock.now()));
    reconciler.state_cache.writes_intent(object, intent);
    let newer = patch(reconciler, object, Part::Object("write_intent"), json!({ "metadata": metadata })).await?;
    Ok(Next::PlanWith(newer))
}

/// Takes the finalizer off.
async fn remove_finalizer<K: Kind>(
    reconciler: &Reconciler<K>,
    object: &Arc<K>,
    orphaned: Option<&str>,
) -> Result<Next<K>, Error> {
    let ctx = &*reconciler.ctx;
    let event = match orphaned {
        Some(id) => Some(PendingEvent {
            warning: true,
            reason: Reason::Orphaned,
            note: format!("left {id} in AppLink as it is"),
        }),
        None if object.meta().deletion_timestamp.is_some() && reconciler.state_cache.deleted(object) => {
            Some(PendingEvent { warning: false, reason: Reason::Deleted, note: "deleted from AppLink".to_owned() })
        }
        None => None,
    };
    let rest: Vec<_> = object.finalizers().iter().filter(|f| *f != FINALIZER).collect();
    let mut metadata = preconditions(&**object);
    metadata["finalizers"] = json!(rest);
    let newer = patch(reconciler, object, Part::Object("remove_finalizer"), json!({ "metadata": metadata })).await?;
    object.on_finalizer_removed(ctx);
    if let Some(event) = event {
        publish_event(ctx, &key(&**object), &object.object_ref(&()), event).await;
    }
    if object.meta().deletion_timestamp.is_none() {
        return Ok(Next::PlanWith(newer));
    }
    if let Some(addon) = object.addon(ctx) {
        ctx.observer.set_waiting(&addon, &key(&**object), false);
    }
    reconciler.state_cache.forget(&key(&**object));
    Ok(Next::Stop)
}
