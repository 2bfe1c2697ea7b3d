//! The plan of a Publication: publishes the app's API to an org, and publishes it again when an input changes.
//!
//! Pure. There is one publication for each connection and app, so the app's UUID identifies it on a connection. AppLink does
//! not return the content, only when it was modified.

mod facts;
mod snapshot;

use self::facts::{record_facts, wait_to_appear};
pub use self::snapshot::Snapshot;
use crate::conditions::{ConditionReport, StatusUpdate};
use crate::crd::{AdoptionPolicy, PublicationStatus, Reason, ReplacePolicy};
use crate::facts::{Observed, RemoteObject, RemotePublication};
use crate::plan::checks::{Check, apply, first};
use crate::plan::decision::Decision;
use crate::plan::inputs::changed;
use crate::plan::inputs::publication::PublicationInputs;
use crate::plan::remote::recorded::{
    readable, reset_if_moved, retain_resource_fields, take_ownership, with_recorded_outcome,
};
use crate::plan::remote::{RecordedStatus, RemoteContext};
use crate::plan::state::CallOutcome;
use crate::plan::step::PublishReason;
use crate::plan::{Plan, Step};
use crate::timing::{PUBLISH_LAG, remaining};

type Context<'a> = RemoteContext<'a, RemotePublication>;
type Run = fn(&Snapshot, &Context<'_>, &mut PublicationStatus) -> Option<Decision>;
type Guard = fn(&Context<'_>, Decision) -> Decision;

/// Checks in order; the first one that decides ends the list.
pub const CHECKS: &[Check<Run>] = &[
    Check::new("DELETING", |snapshot, ctx, status| ctx.state.deleting.then(|| plan_deletion(snapshot, ctx, status))),
    Check::new("RESTORE_METADATA", |_, ctx, _| ctx.restore_metadata()),
    Check::new("SUSPENDED", |_, ctx, _| ctx.suspended()),
    Check::new("RELEASE_OBSERVED", |_, ctx, _| ctx.release_observed()),
    Check::new("CONNECTION", |snapshot, ctx, _| ctx.connection_error(&snapshot.connection)),
    Check::new("INPUTS", unusable_inputs),
    Check::new("OWNER", |_, ctx, _| ctx.owner_error()),
    Check::new("CONNECTION_READY", |snapshot, ctx, _| ctx.connection_not_ready(&snapshot.connection)),
    Check::new("OBSERVED_ONLY", observe),
    Check::new("NAME", |snapshot, ctx, _| conflict(snapshot, ctx)),
    Check::new("BACK_OFF", |_, ctx, _| ctx.after_outcome()),
    Check::new("OWN", |snapshot, ctx, status| {
        Some(ctx.deny_new_if_deleting(&snapshot.connection, reconcile_existing(snapshot, ctx, status)?))
    }),
    Check::new("ABSENT", |snapshot, ctx, status| {
        Some(ctx.deny_new_if_deleting(&snapshot.connection, create(snapshot, ctx, status)?))
    }),
];

/// Changes to a decision, in order.
pub const SAFEGUARDS: &[Check<Guard>] = &[Check::new("LIST_OUTAGE", |ctx, decision| ctx.list_outage(decision))];

/// What to do next for a Publication, and what to report.
#[must_use]
pub fn plan(snapshot: &Snapshot) -> Plan<PublicationStatus> {
    let before = reset_if_moved(
        &snapshot.status,
        snapshot.status.connection_id.as_deref(),
        snapshot.connection.id(),
        &snapshot.state,
    );
    let exists = |id: &str| snapshot.lookup.of_id(id).is_some();
    with_recorded_outcome(&before, &snapshot.state, exists, |recorded, status| {
        if recorded.id.is_none() && matches!(snapshot.state.last_outcome, Some(CallOutcome::Refused { .. })) {
            // AppLink may have refused the call because the connection is gone. If the publication outlived it, its
            // modification time identifies it on the next connection.
            status.modified_at.clone_from(&before.modified_at);
        }
        let ctx = context(snapshot, recorded);
        let decision = first(CHECKS, |check| check(snapshot, &ctx, status)).unwrap_or_else(Decision::unchanged);
        apply(SAFEGUARDS, decision, |guard, decision| guard(&ctx, decision))
    })
    .complete(&snapshot.status, &snapshot.state, snapshot.now)
}

fn context<'a>(snapshot: &'a Snapshot, recorded: &'a RecordedStatus) -> Context<'a> {
    RemoteContext {
        noun: "publication",
        name: &snapshot.app,
        display_name: &snapshot.client_name,
        connection_id: connection_id(snapshot),
        owner_name: &snapshot.owner_name,
        policies: snapshot.policies,
        owner: &snapshot.owner,
        lookup: &snapshot.lookup,
        recorded,
        state: &snapshot.state,
        now: snapshot.now,
    }
}

/// ID of the connection that the plan is about. A deletion is about the connection of the last publish call.
fn connection_id(snapshot: &Snapshot) -> Option<&str> {
    let recorded = snapshot.status.connection_id.as_deref();
    let intended = snapshot.state.intent.as_ref().and_then(|intent| intent.connection_id.as_deref());
    if snapshot.state.deleting {
        intended.or(recorded).or(snapshot.connection.id())
    } else {
        snapshot.connection.id().or(recorded)
    }
}

/// Check INPUTS. A resource that only observes needs none.
fn unusable_inputs(snapshot: &Snapshot, ctx: &Context<'_>, _: &mut PublicationStatus) -> Option<Decision> {
    let report = snapshot.inputs.as_ref().err().filter(|_| !ctx.policies.observes())?;
    Some(match report.reason {
        Reason::ConfigMapNotFound => ctx.missing_dependency(report.reason, report.message.clone()),
        _ => Decision::report(report.clone()),
    })
}

/// Check OWN: reconciles an existing publication. There is only one for each connection and app, so it is ours, or the
/// operator adopts it by publishing over it.
fn reconcile_existing(snapshot: &Snapshot, ctx: &Context<'_>, status: &mut PublicationStatus) -> Option<Decision> {
    let observed = ctx.lookup.of_name(ctx.name).first().copied()?;
    let inputs = snapshot.inputs.as_ref().ok()?;
    let took_effect = ctx.create_intent().filter(|intent| ctx.took_effect(observed, intent));
    let recorded = ctx.recorded.applied_hash.is_some() && ctx.recorded.id.as_deref() == Some(observed.object.id());
    let applied = if let Some(intent) = took_effect {
        *status = take_ownership(status, Some(intent));
        Some(intent.hash.clone())
    } else if recorded {
        status.remote.applied_hash.take()
    } else {
        return Some(adopt(snapshot, ctx, observed, &inputs.hash));
    };
    let drifted = record_facts(snapshot, ctx, status, observed);
    let unreadable = applied.as_deref() != Some(readable(applied.as_deref(), &inputs.hash).as_str());
    status.remote.applied_hash = applied;
    let findings = Findings {
        changed: unreadable || changed(status.remote.applied_hash.as_deref(), &inputs.hash),
        drifted,
        unanswered: took_effect.is_none() && ctx.create_intent().is_some(),
    };
    let decision = reconcile_owned(ctx, observed, inputs, status, findings);
    if took_effect.is_some() && decision.steps.iter().any(Step::mutates) {
        // Record that the publication is ours before acting on it.
        return Some(Decision { update: StatusUpdate::FactsOnly, ..Decision::unchanged() });
    }
    Some(decision)
}

/// Adopts a publication that existed before the resource. Its content is unreadable, so the operator publishes over it.
fn adopt(snapshot: &Snapshot, ctx: &Context<'_>, observed: &Observed<RemotePublication>, hash: &str) -> Decision {
    // Some versions of AppLink keep a publication whose connection is deleted, and show it on the next connection.
    let known = &snapshot.status.remote;
    let ours = known.applied_hash.is_some() || known.answered_attempt.is_some();
    if ours && snapshot.status.modified_at.is_some() && snapshot.status.modified_at == observed.object.modified_at {
        return ctx.publish(observed, hash, PublishReason::Moved);
    }
    let begun = ctx.create_intent().is_some();
    if !begun && ctx.outdated(observed) {
        return Decision::step(Step::Poll);
    }
    if !begun && ctx.policies.adoption == AdoptionPolicy::Never {
        let text = "the app's API is already published on this connection, and adoptionPolicy is Never. To continue, \
                    delete that publication in AppLink, or set adoptionPolicy: IfMatching";
        return Decision::report(ConditionReport::stalled(Reason::AdoptionRefused, text));
    }
    ctx.publish(observed, hash, PublishReason::Adopted)
}

/// Check ABSENT: publishes for the first time, or waits until AppLink shows the publication.
fn create(snapshot: &Snapshot, ctx: &Context<'_>, status: &mut PublicationStatus) -> Option<Decision> {
    let inputs = snapshot.inputs.as_ref().ok()?;
    Some(match wait_to_appear(ctx, status) {
        Some(left) if !changed(ctx.recorded.applied_hash.as_deref(), &inputs.hash) => {
            let text = "the API is published; waiting until AppLink shows it";
            Decision::await_remote(ConditionReport::in_progress(Reason::Publishing, text)).requeue_after(left)
        }
        _ => ctx.create(&inputs.hash),
    })
}

/// How our publication differs from what it should be.
#[derive(Clone, Copy)]
struct Findings {
    /// The inputs differ from the recorded digest, or the digest is unreadable.
    changed: bool,
    /// Somebody else published.
    drifted: bool,
    /// A publish call has no known outcome.
    unanswered: bool,
}

/// What to do with a publication that is ours.
fn reconcile_owned(
    ctx: &Context<'_>,
    observed: &Observed<RemotePublication>,
    inputs: &PublicationInputs,
    status: &PublicationStatus,
    Findings { changed, drifted, unanswered }: Findings,
) -> Decision {
    if ctx.metadata_wiped() {
        return ctx.write_restored_intent(&inputs.hash);
    }
    let replacing = ConditionReport::in_progress(
        Reason::Publishing,
        "replacing the publication: waiting until the old one is deleted",
    );
    if let Some(decision) = ctx.await_own_deletion(observed, &replacing) {
        return decision;
    }
    if ctx.replacement_requested() || ctx.replacement_intent(observed.object.id()).is_some() {
        return ctx.replace(observed.object.id(), &inputs.hash, &replacing);
    }
    if changed || drifted || unanswered {
        let conflict = matches!(&ctx.state.last_outcome, Some(CallOutcome::Refused { conflict: true, .. }));
        if conflict && ctx.policies.replacement == ReplacePolicy::DeleteAndRecreate {
            return ctx.replace(observed.object.id(), &inputs.hash, &replacing);
        }
        let reason = if drifted && !changed { PublishReason::Drifted } else { PublishReason::Changed };
        return ctx.publish(observed, &inputs.hash, reason);
    }
    if ctx.outdated(observed) {
        return Decision::step(Step::Poll);
    }
    let report = ConditionReport::ready(Reason::Published, format!("the API is published as {}", ctx.display_name));
    poll_until_visible(ctx, observed, status, Decision::report(report))
}

/// Polls once more if AppLink does not show our last publish call yet.
fn poll_until_visible(
    ctx: &Context<'_>,
    observed: &Observed<RemotePublication>,
    status: &PublicationStatus,
    decision: Decision,
) -> Decision {
    let awaited = status.modified_at.is_none() && observed.object.modified_at.is_some();
    let Some(at) = status.last_published_at.as_ref().filter(|_| awaited) else { return decision };
    match remaining(PUBLISH_LAG, *at, ctx.now) {
        Some(left) => decision.requeue_after(left),
        None => Decision { steps: vec![Step::Poll], ..decision },
    }
}

/// Check NAME.
fn conflict(snapshot: &Snapshot, ctx: &Context<'_>) -> Option<Decision> {
    ctx.conflict(&snapshot.status.remote, &snapshot.name_claims, |winner| {
        format!(
            "Publication {winner} already publishes this app on this connection, and AppLink allows only one publication for \
             both. Delete one of the two"
        )
    })
}

/// Check OBSERVED_ONLY: reports the publication and never touches it.
fn observe(snapshot: &Snapshot, ctx: &Context<'_>, status: &mut PublicationStatus) -> Option<Decision> {
    if !ctx.policies.observes() {
        return None;
    }
    Some(match ctx.lookup.of_name(ctx.name).first() {
        Some(observed) => {
            record_facts(snapshot, ctx, status, observed);
            if ctx.outdated(observed) {
                return Some(Decision::step(Step::Poll));
            }
            let text = "the API is published; managementPolicy is Observe, so the operator changes nothing";
            Decision::report(ConditionReport::ready(Reason::Published, text))
        }
        None if !ctx.lookup.complete => Decision::step(Step::Poll),
        None => {
            *status = retain_resource_fields(status);
            let text = "the API is not published on this connection, and managementPolicy is Observe. Publish it by other \
                        means, or set managementPolicy: Full";
            Decision::report(ConditionReport::stalled(Reason::RemoteMissing, text))
        }
    })
}

/// Check DELETING: deletes the publication by connection and app. If the connection is gone, so is the publication.
fn plan_deletion(snapshot: &Snapshot, ctx: &Context<'_>, status: &mut PublicationStatus) -> Decision {
    let active = ctx.state.finalizer && !ctx.state.force_orphan && !ctx.policies.suspend;
    if active && snapshot.connection_gone {
        return Decision::remove_finalizer();
    }
    let existing = ctx.lookup.of_name(ctx.name).first().copied();
    let created = ctx.create_intent().filter(|intent| existing.is_some_and(|seen| ctx.took_effect(seen, intent)));
    if let Some(intent) = created {
        // The open intent created it, so it is ours, although the status does not record it yet.
        let (id, hash) = (Some(ctx.name.to_owned()), Some(intent.hash.clone()));
        let recorded =
            RecordedStatus { id, applied_hash: hash, answered_attempt: Some(intent.attempt), ..ctx.recorded.clone() };
        return RemoteContext { recorded: &recorded, ..ctx.clone() }.plan_deletion(|_| true);
    }
    let decision = ctx.plan_deletion(|_| false);
    let deleted = matches!(ctx.state.last_outcome, Some(CallOutcome::Deleting { .. }));
    let shown = existing.is_some() || deleted;
    match (decision.steps.first(), wait_to_appear(ctx, status)) {
        (Some(Step::RemoveFinalizer { orphaned: None }), Some(left)) if active && !shown => {
            let text = format!(
                "publication {} is not visible in AppLink yet; waiting until the operator can delete it",
                ctx.display_name
            );
            Decision::await_remote(ConditionReport::in_progress(Reason::Deleting, text)).requeue_after(left)
        }
        // A poll skips connections that do not work, so read the publication itself.
        (Some(Step::Poll), _) if snapshot.connection.id() != ctx.connection_id => {
            Decision { steps: vec![Step::Get { id: ctx.name.to_owned() }], ..decision }
        }
        _ => decision,
    }
}
