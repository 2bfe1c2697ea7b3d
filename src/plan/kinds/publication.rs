//! The plan of one Publication: the app's API, published to an org, and published again when what it is made from changes.
//!
//! Pure. Its identity is (connection, app), so its id within a connection is the app's. What is published cannot be read;
//! that it was modified can, and whether by us.

mod modified;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::conditions::{ConditionReport, StatusUpdate, whole_seconds};
use crate::crd::{AdoptionPolicy, PublicationStatus, Reason, ReplacePolicy};
use crate::facts::{Lookup, Observed, RemoteObject, RemotePublication};
use crate::plan::inputs::changed;
use crate::plan::inputs::publication::PublicationInputs;
use crate::plan::policies::Policies;
use crate::plan::remote::name_claim::NameClaim;
use crate::plan::remote::recorded::{
    establish, merge_known, readable, reset_if_moved, retain_resource_fields, take_ownership, with_recorded_outcome,
};
use crate::plan::remote::{
    ConnectionState, Decision, OwnerState, PublishReason, RecordedStatus, RemoteContext, elapsed,
};
use crate::plan::state::{CallOutcome, ReconcileState};
use crate::plan::{Plan, Step};
use modified::facts;

/// A service may show only after so long that it was published to.
const LAG: SignedDuration = SignedDuration::from_mins(5);
/// What is published has no status of its own.
const THERE: &str = "published";

/// All that a Publication's plan depends on.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// `spec.clientName`
    pub client_name: String,
    /// The policies of the spec, under the add-on's ceiling.
    pub policies: Policies,
    /// Name of the AppLinkAddon.
    pub owner_name: String,
    /// The add-on.
    pub owner: OwnerState,
    /// UUID of the app, once it is known.
    pub app: String,
    /// The connection.
    pub connection: ConnectionState,
    /// Whether the connection that it was published through is known to be gone, and the publication with it.
    pub connection_gone: bool,
    /// Digest of the inputs, or why they cannot be used.
    pub inputs: Result<PublicationInputs, ConditionReport>,
    /// What is known of the app's publication on the connection.
    pub lookup: Lookup<RemotePublication>,
    /// Other resources that publish the app there.
    pub name_claims: Vec<NameClaim>,
    /// What the object and this process remember.
    pub state: ReconcileState,
    /// The status as it is.
    pub status: PublicationStatus,
    /// The time.
    pub now: Timestamp,
}

/// What to do next for a Publication, and what to say of it.
#[must_use]
pub fn plan(snapshot: &Snapshot) -> Plan<PublicationStatus> {
    let before = reset_if_moved(
        &snapshot.status,
        snapshot.status.connection_id.as_deref(),
        snapshot.connection.id(),
        &snapshot.state,
    );
    let lives = |id: &str| snapshot.lookup.of_id(id).is_some();
    with_recorded_outcome(&before, &snapshot.state, lives, |recorded, status| {
        if recorded.id.is_none() && matches!(snapshot.state.last_outcome, Some(CallOutcome::Refused { .. })) {
            // It may have been refused since the connection is gone; what outlived that is known by this on the next one.
            status.modified_at.clone_from(&before.modified_at);
        }
        let ctx = ctx(snapshot, recorded);
        ctx.list_outage(decide(snapshot, &ctx, status))
    })
}

fn ctx<'a>(snapshot: &'a Snapshot, recorded: &'a RecordedStatus) -> RemoteContext<'a, RemotePublication> {
    RemoteContext {
        noun: "publication",
        name: &snapshot.app,
        display_name: &snapshot.client_name,
        parent: connection(snapshot),
        owner_name: &snapshot.owner_name,
        policies: snapshot.policies,
        owner: &snapshot.owner,
        lookup: &snapshot.lookup,
        recorded,
        state: &snapshot.state,
        now: snapshot.now,
    }
}

/// The connection that is spoken of: on the way out, the one that it was last to be published through.
fn connection(snapshot: &Snapshot) -> Option<&str> {
    let recorded = snapshot.status.connection_id.as_deref();
    let given = snapshot.state.intent.as_ref().and_then(|intent| intent.parent.as_deref());
    if snapshot.state.deleting {
        given.or(recorded).or(snapshot.connection.id())
    } else {
        snapshot.connection.id().or(recorded)
    }
}

fn decide(snapshot: &Snapshot, ctx: &RemoteContext<'_, RemotePublication>, status: &mut PublicationStatus) -> Decision {
    if ctx.state.deleting {
        return plan_deletion(snapshot, ctx, status);
    }
    if let Some(hash) =
        ctx.recorded.applied_hash.as_deref().filter(|_| !ctx.policies.observes() && ctx.metadata_wiped())
    {
        return Decision::steps(vec![Step::WriteIntent { intent: ctx.restored_intent(hash) }]);
    }
    if ctx.policies.suspend {
        return Decision::suspended();
    }
    if ctx.policies.observes() && ctx.state.finalizer {
        return Decision::steps(vec![Step::RemoveFinalizer { orphaned: None }]);
    }
    if let Some(decision) = ctx.connection_error(&snapshot.connection) {
        return decision;
    }
    let inputs = match &snapshot.inputs {
        _ if ctx.policies.observes() => None,
        Ok(inputs) => Some(inputs),
        Err(report) if report.reason == Reason::ConfigMapNotFound => {
            return ctx.missing_dependency(report.reason, report.message.clone());
        }
        Err(report) => return Decision::report(report.clone()),
    };
    if let Some(decision) = ctx.owner_error().or_else(|| ctx.connection_not_ready(&snapshot.connection)) {
        return decision;
    }
    let Some(inputs) = inputs else { return observe(snapshot, ctx, status) };
    if let Some(decision) = conflict(snapshot, ctx).or_else(|| ctx.after_outcome()) {
        return decision;
    }
    let decision = match ctx.lookup.of_name(ctx.name).first() {
        Some(seen) => present(snapshot, ctx, seen, inputs, status),
        None => vacant(ctx, inputs, status),
    };
    ctx.deny_new_if_deleting(&snapshot.connection, decision)
}

/// What to do where something is published.
fn present(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemotePublication>,
    seen: &Observed<RemotePublication>,
    inputs: &PublicationInputs,
    status: &mut PublicationStatus,
) -> Decision {
    let took_effect = ctx.create_intent().filter(|intent| ctx.took_effect(seen, intent));
    let recorded = ctx.recorded.applied_hash.is_some() && ctx.recorded.id.as_deref() == Some(seen.object.id());
    let applied = if let Some(intent) = took_effect {
        *status = take_ownership(status, Some(intent));
        Some(intent.hash.clone())
    } else if recorded {
        status.remote.applied_hash.take()
    } else {
        return adopt(snapshot, ctx, seen, &inputs.hash);
    };
    let drifted = facts(snapshot, ctx, status, seen);
    let failure = applied.as_deref() != Some(readable(applied.as_deref(), &inputs.hash).as_str());
    status.remote.applied_hash = applied;
    let unanswered = took_effect.is_none() && ctx.create_intent().is_some();
    let decision = keep(ctx, seen, inputs, status, (failure, drifted, unanswered));
    if took_effect.is_some() && decision.steps.iter().any(Step::mutates) {
        // That it is ours is put down before anything is done on the strength of it.
        return Decision { update: StatusUpdate::FactsOnly, ..Decision::unchanged() };
    }
    decision
}

/// What was there first cannot be read, so it is published over once.
fn adopt(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemotePublication>,
    seen: &Observed<RemotePublication>,
    hash: &str,
) -> Decision {
    // Some services keep what is published when its connection goes, and show it on the next one.
    let known = &snapshot.status.remote;
    let ours = known.applied_hash.is_some() || known.answered_attempt.is_some();
    if ours && snapshot.status.modified_at.is_some() && snapshot.status.modified_at == seen.object.modified_at {
        return ctx.publish(seen, hash, PublishReason::Moved);
    }
    let begun = ctx.create_intent().is_some();
    if !begun && ctx.outdated(seen) {
        return Decision::steps(vec![Step::Poll]);
    }
    if !begun && ctx.policies.adoption == AdoptionPolicy::Never {
        let text = "the app's API was published over this connection before, and adoptionPolicy is Never: delete that \
                    publication in AppLink, or let it be taken over";
        return Decision::report(ConditionReport::stalled(Reason::AdoptionRefused, text));
    }
    ctx.publish(seen, hash, PublishReason::Adopted)
}

/// What to do where nothing is published.
fn vacant(
    ctx: &RemoteContext<'_, RemotePublication>,
    inputs: &PublicationInputs,
    status: &mut PublicationStatus,
) -> Decision {
    match unseen(ctx, status) {
        Some(left) if !changed(ctx.recorded.applied_hash.as_deref(), &inputs.hash) => {
            let text = "published; waiting until AppLink shows it";
            Decision::await_remote(ConditionReport::in_progress(Reason::Publishing, text)).requeue_after(left)
        }
        _ => ctx.create(&inputs.hash),
    }
}

/// For how long what was published, and was never seen since, may yet show.
fn unseen(ctx: &RemoteContext<'_, RemotePublication>, status: &mut PublicationStatus) -> Option<SignedDuration> {
    // An answer of old may speak of another connection.
    ctx.recorded.applied_hash.as_ref()?;
    if matches!(ctx.state.last_outcome, Some(CallOutcome::Created { .. })) && ctx.create_intent().is_none() {
        status.last_published_at.get_or_insert_with(|| whole_seconds(ctx.now));
    }
    let at = status.last_published_at.as_ref().filter(|_| status.remote.remote_status.is_none())?;
    Some(LAG.saturating_sub(elapsed(*at, ctx.now))).filter(SignedDuration::is_positive)
}

/// What to do with a publication that is ours.
fn keep(
    ctx: &RemoteContext<'_, RemotePublication>,
    seen: &Observed<RemotePublication>,
    inputs: &PublicationInputs,
    status: &PublicationStatus,
    (failure, drifted, unanswered): (bool, bool, bool),
) -> Decision {
    if ctx.metadata_wiped() {
        return Decision::steps(vec![Step::WriteIntent { intent: ctx.restored_intent(&inputs.hash) }]);
    }
    let replaced =
        ConditionReport::in_progress(Reason::Publishing, "being replaced: waiting until the old one is gone");
    if let Some(decision) = ctx.await_own_deletion(seen, &replaced) {
        return decision;
    }
    let changed = failure || changed(status.remote.applied_hash.as_deref(), &inputs.hash);
    if ctx.replacement_requested() || ctx.replacement_intent(seen.object.id()).is_some() {
        return ctx.replace(seen.object.id(), &inputs.hash, &replaced);
    }
    if changed || drifted || unanswered {
        let conflicts = matches!(&ctx.state.last_outcome, Some(CallOutcome::Refused { conflict: true, .. }));
        if conflicts && ctx.policies.replacement == ReplacePolicy::DeleteAndRecreate {
            return ctx.replace(seen.object.id(), &inputs.hash, &replaced);
        }
        let again = if drifted && !changed { PublishReason::Drifted } else { PublishReason::Changed };
        return ctx.publish(seen, &inputs.hash, again);
    }
    if ctx.outdated(seen) {
        return Decision::steps(vec![Step::Poll]);
    }
    let said = ConditionReport::ready(Reason::Published, format!("the API is published as {}", ctx.display_name));
    poll_until_visible(seen, status, Decision::report(said), ctx.now)
}

/// Sees to it that it is looked at once more where the service does not show yet that it was published to.
fn poll_until_visible(
    seen: &Observed<RemotePublication>,
    status: &PublicationStatus,
    said: Decision,
    now: Timestamp,
) -> Decision {
    let awaited = status.modified_at.is_none() && seen.object.modified_at.is_some();
    let Some(at) = status.last_published_at.as_ref().filter(|_| awaited) else { return said };
    let left = LAG.saturating_sub(elapsed(*at, now));
    if left.is_positive() { said.requeue_after(left) } else { Decision { steps: vec![Step::Poll], ..said } }
}

fn conflict(snapshot: &Snapshot, ctx: &RemoteContext<'_, RemotePublication>) -> Option<Decision> {
    ctx.conflict(&snapshot.status.remote, &snapshot.name_claims, |winner| {
        format!(
            "Publication {winner} publishes the same app over the same connection, and AppLink keeps one for the two of \
             them: delete one of the two"
        )
    })
}

fn observe(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemotePublication>,
    status: &mut PublicationStatus,
) -> Decision {
    match ctx.lookup.of_name(ctx.name).first() {
        Some(seen) => {
            facts(snapshot, ctx, status, seen);
            if ctx.outdated(seen) {
                return Decision::steps(vec![Step::Poll]);
            }
            Decision::report(ConditionReport::ready(
                Reason::Published,
                "the API is published; managementPolicy Observe only looks",
            ))
        }
        None if !ctx.lookup.complete => Decision::steps(vec![Step::Poll]),
        None => {
            *status = retain_resource_fields(status);
            let text = "the API is not published over this connection, and managementPolicy Observe publishes none";
            Decision::report(ConditionReport::stalled(Reason::RemoteMissing, text))
        }
    }
}

/// A publication is deleted by its connection and its app; one whose connection is gone cannot be, and is gone with it.
fn plan_deletion(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemotePublication>,
    status: &mut PublicationStatus,
) -> Decision {
    let bound = ctx.state.finalizer && !ctx.state.force_orphan && !ctx.policies.suspend;
    if bound && snapshot.connection_gone {
        return Decision::steps(vec![Step::RemoveFinalizer { orphaned: None }]);
    }
    let there = ctx.lookup.of_name(ctx.name).first().copied();
    let made = ctx.create_intent().filter(|intent| there.is_some_and(|seen| ctx.took_effect(seen, intent)));
    if let Some(intent) = made {
        // What the word brought about is ours, although nothing records it yet.
        let (id, hash) = (Some(ctx.name.to_owned()), Some(intent.hash.clone()));
        let recorded =
            RecordedStatus { id, applied_hash: hash, answered_attempt: Some(intent.attempt), ..ctx.recorded.clone() };
        return RemoteContext { recorded: &recorded, ..ctx.clone() }.plan_deletion(|_| true);
    }
    let decision = ctx.plan_deletion(|_| false);
    let shown = there.is_some() || deleted(ctx);
    match (decision.steps.first(), unseen(ctx, status)) {
        (Some(Step::RemoveFinalizer { orphaned: None }), Some(left)) if bound && !shown => {
            let text =
                format!("published as {} a moment ago; waiting until AppLink shows it, to delete it", ctx.display_name);
            Decision::await_remote(ConditionReport::in_progress(Reason::Deleting, text)).requeue_after(left)
        }
        // A pass leaves out connections that are not in working order.
        (Some(Step::Poll), _) if snapshot.connection.id() != ctx.parent => {
            Decision { steps: vec![Step::Get { id: ctx.name.to_owned() }], ..decision }
        }
        _ => decision,
    }
}

fn deleted(ctx: &RemoteContext<'_, RemotePublication>) -> bool {
    matches!(ctx.state.last_outcome, Some(CallOutcome::Deleting { .. }))
}
