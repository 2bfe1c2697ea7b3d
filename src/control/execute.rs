//! Executes the first step of a plan: at most one change, in the remote service or in Kubernetes.
//!
//! Decides nothing: the outcome of the step goes into the reconcile state or to the observer, where the next plan reads it.

mod secrets;

use std::sync::Arc;

use kube::ResourceExt;
use serde_json::json;

use super::context::Context;
use super::effects::Effects;
use super::error::Error;
use super::kind::key;
use super::outcome::{PendingEvent, delayed_event, made_event};
use super::patch::{Part, patch, preconditions};
use super::reconciler::{Gathered, Reconciler, WriteGuard};
use super::status::{publish_event, write_conditions_first};
use crate::budget::Purpose;
use crate::conditions::StatusUpdate;
use crate::crd::{FINALIZER, Reason, annotation};
use crate::facts::Phase;
use crate::observe::Wait;
use crate::plan::state::{CallOutcome, Intent, ReconcileState};
use crate::plan::transition::StepOutcome;
use crate::plan::{Plan, Step};

/// What follows a step.
pub(super) enum Next<K> {
    /// Plan again.
    Plan,
    /// Gather and plan again, because the step changed a Secret or the payload is outdated.
    Gather,
    /// Plan again with this version of the object, which the step wrote.
    PlanWith(Arc<K>),
    /// Only waiting is left: write the status.
    Finish,
    /// Nothing may be done any more, or nothing is left.
    Stop,
}

/// One step, and what its execution works with.
struct Execution<'a, K: Effects> {
    reconciler: &'a Reconciler<K>,
    object: &'a Arc<K>,
    state: &'a ReconcileState,
    step: &'a Step,
}

/// Executes the first step of `plan`.
pub(super) async fn execute<K: Effects>(
    reconciler: &Reconciler<K>,
    object: &Arc<K>,
    read: &mut Gathered<K>,
    state: &ReconcileState,
    plan: &Plan<K::Status>,
    guard: &mut WriteGuard,
) -> Result<Next<K>, Error> {
    let ctx = &*reconciler.ctx;
    let (me, poller) = (key(&**object), object.poller(ctx));
    if let Some(poller) = &poller {
        poller.set_waiting(&me, (plan.steps.first() == Some(&Step::AwaitRemote)).then(|| awaited(state)));
    }
    let Some(step) = plan.steps.first().filter(|step| **step != Step::AwaitRemote) else {
        return Ok(Next::Finish);
    };
    let urgent = state.deleting || state.requested.is_some() || !state.is_observed();
    if *step == Step::Poll {
        if let Some(poller) = poller {
            poller.request_poll(me, if urgent { Purpose::UrgentPoll } else { Purpose::Poll });
        }
        return Ok(Next::Finish);
    }
    if step.mutates() && guard.permit.is_none() {
        if plan.steps.iter().any(Step::sends_payload) {
            read.payload = object.payload(ctx).await?;
        }
        guard.slot = None;
        acquire_permit(&**object, ctx, urgent, guard).await;
        // The world may have changed during the wait.
        return Ok(Next::Plan);
    }
    if !guard.enter(ctx) {
        return Ok(Next::Stop);
    }
    if matches!(plan.update, StatusUpdate::SetConditions(_)) && state.ready {
        let newer = write_conditions_first(reconciler, object, plan).await?;
        if newer.resource_version() != object.resource_version() {
            return Ok(Next::PlanWith(newer));
        }
    }
    ctx.metrics.step(K::KIND, step.label());
    tracing::info!(object = %me, "{step}");
    Execution { reconciler, object, state, step }.run(read, guard).await
}

/// What an object waits for while the remote service works.
fn awaited(state: &ReconcileState) -> Wait {
    let deletes = state.deleting || matches!(state.last_outcome, Some(CallOutcome::Deleting { .. }));
    if deletes { Wait::Deletion } else { Wait::Progress }
}

/// Waits for the permit to write to the owner of the object.
async fn acquire_permit<K: Effects>(object: &K, ctx: &Context, urgent: bool, guard: &mut WriteGuard) {
    // Several resources may refer to the same add-on, so its UUID counts, once it is known.
    let owner_id = object.poller(ctx).and_then(|poller| poller.owner_id());
    let owner = owner_id.unwrap_or_else(|| object.owner(ctx).unwrap_or_else(|| key(object)).to_string());
    if let Some(scope) = object.exclusive_scope(ctx) {
        guard.exclusive = Some(ctx.permits.acquire_exclusive(&format!("{owner}/{scope}"), urgent).await);
    }
    guard.permit = Some(ctx.permits.acquire(&owner, urgent).await);
}

impl<K: Effects> Execution<'_, K> {
    async fn run(&self, read: &Gathered<K>, guard: &mut WriteGuard) -> Result<Next<K>, Error> {
        match self.step {
            Step::WriteIntent { intent } => self.write_intent(Some(intent)).await,
            Step::Adopt { intent } => {
                let id = intent.id.as_deref().unwrap_or_default();
                let note = format!("took over {id}, which was there first in AppLink");
                guard.events.push(PendingEvent { warning: false, reason: Reason::Adopted, note });
                self.write_intent(Some(intent)).await
            }
            Step::AddFinalizer => self.write_intent(None).await,
            Step::RemoveFinalizer { orphaned } => self.remove_finalizer(orphaned.as_deref()).await,
            Step::WriteOAuthSecret { id } => self.write_oauth_secret(id).await,
            Step::DeleteOAuthSecret => self.delete_oauth_secret().await,
            Step::SetSecretOwner { secret } => self.set_secret_owner(secret).await,
            Step::DeleteCredentialsSecret { secret } => self.delete_credentials_secret(secret).await,
            Step::WriteCredentialsSecret { id, secret } => {
                guard.slot = None;
                self.write_credentials_secret(id, secret).await
            }
            Step::Create { .. }
            | Step::Publish { .. }
            | Step::Update { .. }
            | Step::Delete { .. }
            | Step::Get { .. }
            | Step::ListTargets { .. } => self.call(read, guard).await,
            Step::Poll | Step::AwaitRemote => Ok(Next::Finish),
        }
    }

    fn ctx(&self) -> &Context {
        &self.reconciler.ctx
    }

    /// Keeps what the outcome of the step does to the reconcile state.
    fn record(&self, outcome: &StepOutcome) -> ReconcileState {
        let after = self.state.after(self.step, outcome, self.ctx().clock.now());
        self.reconciler.state_cache.store(self.object, &after);
        after
    }

    /// Calls the remote service, and records the outcome.
    async fn call(&self, read: &Gathered<K>, guard: &mut WriteGuard) -> Result<Next<K>, Error> {
        let (ctx, object) = (self.ctx(), &**self.object);
        if self.step.needs_intent() && !read.is_announced(self.state) {
            // The inputs changed since they were digested.
            return Ok(Next::Gather);
        }
        let began = ctx.clock.now();
        guard.slot = None;
        let result = match (self.step, &read.payload) {
            (Step::Create { .. } | Step::Publish { .. }, Some(payload)) => object.create(ctx, payload).await.map(Some),
            (Step::Update { id, .. }, Some(payload)) => object.update(ctx, id, payload).await.map(|()| None),
            (Step::ListTargets { id }, _) => object.list_targets(ctx, id).await.map(|()| None),
            (Step::Delete { id }, _) => object.delete(ctx, id).await.map(|()| None),
            (Step::Get { id }, _) => object.get(ctx, id).await.map(|()| None),
            // The inputs have become unusable.
            _ => return Ok(Next::Gather),
        };
        let outcome = match result {
            Ok(Some(made)) => StepOutcome::Made { id: made.id, phase: made.phase },
            Ok(None) => StepOutcome::Done,
            Err(failure) => {
                tracing::warn!(object = %key(object), "cannot {}: {}", self.step, failure.text);
                StepOutcome::Failed { failure, began }
            }
        };
        let after = self.record(&outcome);
        guard.events.extend(self.events(&outcome, &after));
        Ok(Next::Plan)
    }

    /// The Events of a call. They are published after the status write, because nothing may come between the two.
    fn events(&self, outcome: &StepOutcome, after: &ReconcileState) -> Vec<PendingEvent> {
        let (step, before) = (self.step, self.state);
        match outcome {
            StepOutcome::Made { phase, .. } if *phase != Phase::Deleted || !matches!(step, Step::Create { .. }) => {
                let warning = |note| PendingEvent { warning: true, reason: Reason::Deprecated, note };
                made_event(step).into_iter().chain(self.object.deprecation().map(warning)).collect()
            }
            StepOutcome::Failed { .. }
                if after.call_failures == 1 && before.call_failures == 0 && before.ready && step.sends_payload() =>
            {
                after.last_outcome.as_ref().and_then(delayed_event).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Writes the finalizer and the intent in one merge patch. It fails if the object is not the one that was planned for.
    async fn write_intent(&self, intent: Option<&Intent>) -> Result<Next<K>, Error> {
        let object = &**self.object;
        let mut metadata = preconditions(object);
        let mut finalizers = object.finalizers().to_vec();
        if !finalizers.iter().any(|f| f == FINALIZER) {
            finalizers.push(FINALIZER.to_owned());
            metadata["finalizers"] = json!(finalizers);
        }
        if let Some(intent) = intent {
            let text = serde_json::to_string(intent).map_err(|_| Error::Json("intent"))?;
            metadata["annotations"] = json!({ annotation::INTENT: text });
        }
        // Before the patch, which may take effect although its answer is lost.
        self.record(&StepOutcome::Done);
        self.reconciler.state_cache.writes_intent(object, intent);
        Ok(Next::PlanWith(self.patch_metadata("write_intent", metadata).await?))
    }

    async fn remove_finalizer(&self, orphaned: Option<&str>) -> Result<Next<K>, Error> {
        let (ctx, object) = (self.ctx(), &**self.object);
        let deleting = object.meta().deletion_timestamp.is_some();
        let event = match orphaned {
            Some(id) => {
                let note = format!("left {id} in AppLink as it is");
                Some(PendingEvent { warning: true, reason: Reason::Orphaned, note })
            }
            None if deleting && self.reconciler.state_cache.deleted(object) => {
                Some(PendingEvent { warning: false, reason: Reason::Deleted, note: "deleted from AppLink".to_owned() })
            }
            None => None,
        };
        let rest: Vec<_> = object.finalizers().iter().filter(|f| *f != FINALIZER).collect();
        let mut metadata = preconditions(object);
        metadata["finalizers"] = json!(rest);
        let newer = self.patch_metadata("remove_finalizer", metadata).await?;
        object.on_finalizer_removed(ctx);
        if let Some(event) = event {
            publish_event(ctx, &key(object), &object.object_ref(&()), event).await;
        }
        if !deleting {
            return Ok(Next::PlanWith(newer));
        }
        if let Some(poller) = object.poller(ctx) {
            poller.set_waiting(&key(object), None);
        }
        self.reconciler.state_cache.forget(&key(object));
        Ok(Next::Stop)
    }

    async fn patch_metadata(&self, label: &'static str, metadata: serde_json::Value) -> Result<Arc<K>, Error> {
        patch(
            self.ctx(),
            &self.reconciler.state_cache,
            self.object,
            Part::Object(label),
            json!({ "metadata": metadata }),
        )
        .await
    }
}
