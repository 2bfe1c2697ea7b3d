//! Carries out the first step of a plan: at most one change, in AppLink or in Kubernetes.
//!
//! Decides nothing: what came of the step goes into memory or to the observer, and the next plan reads it there.

use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::json;

use super::fence::InFlight;
use super::kinds::Kind;
use super::outcome::{Failed, PendingEvent, answer, delayed, news_of, refusals, unread};
use super::owned_secrets::{self, SecretContent};
use super::patch::{Part, patch, preconditions};
use super::permits::Permit;
use super::reconcile::Reconciler;
use super::status::{announce, publish_event};
use super::stores::key;
use super::{Context, Error};
use crate::budget::Purpose;
use crate::conditions::{ConditionReport, StatusUpdate};
use crate::crd::{FINALIZER, Reason, annotation};
use crate::facts::Phase;
use crate::heroku::RemoteError;
use crate::plan::state::{CallOutcome, CredentialsState, Intent, ReconcileState, WrittenSecret};
use crate::plan::{Plan, Step};

/// What is held from the first effect to the report: leave to write, and a place within the gate.
#[derive(Default)]
pub(super) struct WriteGuard {
    permit: Option<Permit>,
    /// To be the only writer in a place within the add-on.
    exclusive: Option<Permit>,
    effect: Option<InFlight>,
    /// What is to be told once it is written down.
    events: Vec<PendingEvent>,
}

impl WriteGuard {
    /// Enters the gate, once. Tells whether effects are still allowed.
    pub(super) fn enter(&mut self, ctx: &Context) -> bool {
        if self.effect.is_none() {
            self.effect = ctx.fence.enter();
        }
        self.effect.is_some()
    }

    /// Gives back what is held, and gives out what is to be told.
    pub(super) fn let_go(&mut self) -> Vec<PendingEvent> {
        std::mem::take(self).events
    }
}

/// What follows a step.
pub(super) enum Next<K> {
    /// Plan again.
    Plan,
    /// Plan again, with the object as this write left it.
    PlanWith(Arc<K>),
    /// Nothing can be done at once: report.
    Finish,
    /// Nothing more may be done, or nothing is left.
    Stop,
}

/// Carries out the first step of `plan`.
pub(super) async fn execute<K: Kind>(
    reconciler: &Reconciler<K>,
    object: &Arc<K>,
    inputs: &K::Inputs,
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
        // Several resources may stand for one add-on.
        let facts = ctx.observer.addon(&addon).and_then(|live| live.facts);
        let whole = facts.map_or_else(|| addon.to_string(), |facts| facts.addon_id);
        if let Some(place) = object.exclusive_scope(ctx) {
            guard.exclusive = Some(ctx.permits.acquire_exclusive(&format!("{whole}/{place}"), urgent).await);
        }
        guard.permit = Some(ctx.permits.acquire(&whole, urgent).await);
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
        Step::WriteIntent { intent } => write_intent(reconciler, object, Some(intent)).await,
        Step::Adopt { intent } => {
            let id = intent.id.as_deref().unwrap_or_default();
            let note = format!("took over {id}, which was there first in AppLink");
            guard.events.push(PendingEvent { warning: false, reason: Reason::Adopted, note });
            write_intent(reconciler, object, Some(intent)).await
        }
        Step::WriteOAuthSecret { id } => write_oauth_secret(ctx, &**object, id).await.map(|()| Next::Plan),
        Step::DeleteOAuthSecret => delete_oauth_secret(ctx, &**object).await.map(|()| Next::Plan),
        Step::SetSecretOwner { secret } => owned_secrets::take(ctx, &**object, secret).await.map(|()| Next::Plan),
        Step::DeleteCredentialsSecret { secret } => delete_credentials_secret(reconciler, object, state, secret).await,
        Step::WriteCredentialsSecret { id, secret } => {
            write_credentials_secret(reconciler, object, state, step, (id, secret)).await
        }
        Step::AddFinalizer => write_intent(reconciler, object, None).await,
        Step::RemoveFinalizer { orphaned } => remove_finalizer(reconciler, object, orphaned.as_deref()).await,
        Step::Create { .. }
        | Step::Publish { .. }
        | Step::Delete { .. }
        | Step::Get { .. }
        | Step::ListTargets { .. } => call(reconciler, object, inputs, state, step, guard).await,
        Step::Poll | Step::AwaitRemote => Ok(Next::Finish),
    }
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
    secret: &str,
) -> Result<Next<K>, Error> {
    let mut credentials = CredentialsState::default();
    match owned_secrets::remove(&reconciler.ctx, &**object, secret).await {
        Err(error) if state.deleting && !error.is_conflict() => {
            tracing::warn!(object = %key(&**object), "{error}; leaving it to Kubernetes, which collects it with its owner");
            credentials.undeletable = state.credentials.undeletable.clone();
            credentials.undeletable.push(secret.to_owned());
        }
        result => result?,
    }
    reconciler.state_cache.set_credentials(object, credentials);
    Ok(Next::Plan)
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
    let now = ctx.clock.now();
    let before = &state.credentials;
    let credentials = match object.read_credentials(ctx, id, state.requested || before.written.is_none()).await {
        Ok(content) => {
            // What cannot be written is not there, however fresh what was written before.
            reconciler.state_cache.set_credentials(object, CredentialsState::default());
            owned_secrets::write(ctx, &**object, secret, &content).await?;
            let written = WrittenSecret { id: id.to_owned(), secret: secret.to_owned(), at: now };
            CredentialsState { written: Some(written), ..CredentialsState::default() }
        }
        Err(error) => {
            tracing::warn!(object = %key(&**object), "cannot {step}: {error}");
            let failure = unread(&error, step, before.failure.as_ref(), now);
            CredentialsState { failure: Some(failure), ..before.clone() }
        }
    };
    reconciler.state_cache.set_credentials(object, credentials);
    Ok(Next::Plan)
}

/// Calls AppLink, and remembers how that ended.
async fn call<K: Kind>(
    reconciler: &Reconciler<K>,
    object: &Arc<K>,
    inputs: &K::Inputs,
    state: &ReconcileState,
    step: &Step,
    guard: &mut WriteGuard,
) -> Result<Next<K>, Error> {
    let ctx = &*reconciler.ctx;
    let began = ctx.clock.now();
    let result = match step {
        Step::Create { .. } | Step::Publish { .. } => object.create(ctx, inputs).await.map(Some),
        Step::ListTargets { id } => object.list_targets(ctx, id).await.map(|()| None),
        Step::Delete { id } => object.delete(ctx, id).await.map(|()| None),
        Step::Get { id } => object.get(ctx, id).await.map(|()| None),
        _ => return Ok(Next::Finish),
    };
    let now = ctx.clock.now();
    let makes = matches!(step, Step::Create { .. } | Step::Publish { .. });
    let attempt = state.intent.as_ref().map(|i| i.attempt).filter(|_| makes);
    let answer = match (&result, step) {
        (Ok(Some(made)), Step::Create { name, .. }) if made.phase == Phase::Deleted => {
            Some(refused_as_deleted(name, &made.id, now, attempt))
        }
        (Ok(made), Step::Create { .. } | Step::Publish { .. }) => {
            // Told once its id is written down: until then, nothing may come between.
            guard.events.extend(news_of(step));
            let deprecated = object.deprecation();
            let warning = |note| PendingEvent { warning: true, reason: Reason::Deprecated, note };
            guard.events.extend(deprecated.map(warning));
            let intent = state.intent.clone();
            made.as_ref().zip(intent).map(|(made, intent)| CallOutcome::Created { id: made.id.clone(), intent })
        }
        (Ok(_), Step::Delete { id }) => Some(CallOutcome::Deleting { id: id.clone(), at: now }),
        (Ok(_), _) => state.last_outcome.clone(),
        (Err(error), _) => {
            // What was not even sent says nothing of how the next call will fare.
            let nth =
                if matches!(error, RemoteError::Budget(_)) { 0 } else { reconciler.state_cache.call_failed(object) };
            if step.mutates()
                && let Some(requests) = refusals(error)
            {
                reconciler.state_cache.refused(object, now, requests);
            }
            let intent = state.intent.as_ref().filter(|_| makes);
            let mut answer = answer(&Failed { error, step, intent, began, nth }, now);
            // A creation that was not carried out is not: another call that fails since does not change that.
            if let (
                CallOutcome::Deferred { attempt: none @ None, .. },
                Some(CallOutcome::Deferred { attempt: not_made, .. }),
            ) = (&mut answer, &state.last_outcome)
            {
                *none = *not_made;
            }
            if nth == 1 && state.ready && makes {
                guard.events.extend(delayed(&answer));
            }
            Some(answer)
        }
    };
    match &result {
        // One that only reads tells nothing of those that write.
        Ok(_) if step.mutates() => reconciler.state_cache.call_worked(object),
        Ok(_) => {}
        Err(error) => tracing::warn!(object = %key(&**object), "cannot {step}: {error}"),
    }
    reconciler.state_cache.set_outcome(object, answer);
    Ok(Next::Plan)
}

/// The outcome of a creation that AppLink answered with a record that is disconnected already.
fn refused_as_deleted(name: &str, id: &str, at: Timestamp, attempt: Option<i64>) -> CallOutcome {
    let text = format!("AppLink answered to the creation of {name} with {id}, which is disconnected");
    let report = ConditionReport::stalled(Reason::RemoteRejected, text);
    CallOutcome::Refused { report, at, attempt, conflict: false }
}

/// Writes finalizer and intent in one merge patch that fails on an object that is not the one planned for.
async fn write_intent<K: Kind>(
    reconciler: &Reconciler<K>,
    object: &Arc<K>,
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
    // From here on no answer of an earlier attempt counts.
    reconciler.state_cache.set_outcome(object, None);
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
    let events = match orphaned {
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
    if let Some(events) = events {
        publish_event(ctx, &key(&**object), &object.object_ref(&()), events).await;
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
