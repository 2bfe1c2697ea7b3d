//! The plan of a DataActionTarget. AppLink can create one, but can neither change nor delete it.
//!
//! Pure. When the resource is deleted, its Connection records the target as released; AppLink deletes the target together
//! with the connection.

mod conditions;
mod snapshot;

use self::conditions::conditions_for;
pub use self::snapshot::{Snapshot, digest_of};
use crate::conditions::ConditionReport;
use crate::crd::{DataActionTargetStatus, Reason};
use crate::facts::{Phase, RemoteDataActionTarget};
use crate::plan::checks::{Check, apply, first};
use crate::plan::decision::Decision;
use crate::plan::remote::recorded::{
    establish, merge_known, merge_org, own_object, readable, reset_for_id, reset_if_moved, retain_resource_fields,
    take_ownership, with_recorded_outcome,
};
use crate::plan::remote::{ConnectionState, OwnerState, Ownership, RecordedStatus, RemoteContext};
use crate::plan::{Plan, Step};

type Context<'a> = RemoteContext<'a, RemoteDataActionTarget>;
type Run = fn(&Snapshot, &Context<'_>, &mut DataActionTargetStatus) -> Option<Decision>;
type Guard = fn(&Context<'_>, Decision) -> Decision;

/// Checks in order; the first one that decides ends the list.
pub const CHECKS: &[Check<Run>] = &[
    Check::new("DELETING", |snapshot, ctx, status| ctx.state.deleting.then(|| plan_deletion(snapshot, ctx, status))),
    Check::new("RESTORE_METADATA", |_, ctx, _| ctx.restore_metadata()),
    Check::new("SUSPENDED", |_, ctx, _| ctx.suspended()),
    Check::new("RELEASE_OBSERVED", |_, ctx, _| ctx.release_observed()),
    Check::new("CONNECTION", |snapshot, ctx, _| ctx.connection_error(&snapshot.connection)),
    Check::new("OWNER", |_, ctx, _| ctx.owner_error()),
    Check::new("CONNECTION_READY", |snapshot, ctx, _| ctx.connection_not_ready(&snapshot.connection)),
    Check::new("OBSERVED_ONLY", observe),
    Check::new("NAME", |snapshot, ctx, _| conflict(snapshot, ctx)),
    Check::new("BACK_OFF", |_, ctx, _| ctx.after_outcome()),
    Check::new("FOREIGN", |snapshot, ctx, _| {
        Some(ctx.deny_new_if_deleting(&snapshot.connection, adopt(snapshot, ctx)?))
    }),
    Check::new("OWN", own),
    Check::new("ABSENT", |snapshot, ctx, _| {
        Some(ctx.deny_new_if_deleting(&snapshot.connection, ctx.create(&snapshot.hash())))
    }),
];

/// Changes to a decision, in order.
pub const SAFEGUARDS: &[Check<Guard>] = &[Check::new("LIST_OUTAGE", |ctx, decision| ctx.list_outage(decision))];

/// What to do next for a DataActionTarget, and what to report.
#[must_use]
pub fn plan(snapshot: &Snapshot) -> Plan<DataActionTargetStatus> {
    let before = reset_if_moved(
        &snapshot.status,
        snapshot.status.connection_id.as_deref(),
        snapshot.connection.id(),
        &snapshot.state,
    );
    let exists = |id: &str| snapshot.lookup.of_id(id).is_some();
    let mut plan = with_recorded_outcome(&before, &snapshot.state, exists, |recorded, status| {
        let ctx = context(snapshot, recorded);
        let decision = first(CHECKS, |check| check(snapshot, &ctx, status)).unwrap_or_else(Decision::unchanged);
        apply(SAFEGUARDS, decision, |guard, decision| guard(&ctx, decision))
    });
    // The operator cannot replace a target, so applink.dev/replace needs no action.
    if let Some(token) = &snapshot.state.replace {
        plan.status.remote.last_handled_replace = Some(token.clone());
    }
    plan.complete(&snapshot.status, &snapshot.state, snapshot.now)
}

fn context<'a>(snapshot: &'a Snapshot, recorded: &'a RecordedStatus) -> Context<'a> {
    // While the connection is unknown, the intent tells which one it was about.
    let intended = || snapshot.state.intent.as_ref()?.connection_id.as_deref();
    RemoteContext {
        noun: "data action target",
        name: &snapshot.name,
        display_name: &snapshot.name,
        connection_id: snapshot.connection.id().or(snapshot.status.connection_id.as_deref()).or_else(intended),
        owner_name: &snapshot.owner_name,
        policies: snapshot.policies,
        owner: &snapshot.owner,
        lookup: &snapshot.lookup,
        recorded,
        state: &snapshot.state,
        now: snapshot.now,
    }
}

fn ownership<'a>(snapshot: &Snapshot, ctx: &Context<'a>) -> Ownership<'a, RemoteDataActionTarget> {
    ctx.ownership(|remote| mismatch(snapshot, remote).is_none())
}

/// Check FOREIGN: adopts a target that existed before the resource, or reports why not.
fn adopt(snapshot: &Snapshot, ctx: &Context<'_>) -> Option<Decision> {
    let Ownership::Foreign(observed) = ownership(snapshot, ctx) else { return None };
    ctx.adopt(observed, &snapshot.hash(), |observed| mismatch(snapshot, &observed.object))
}

/// Check OWN: records and reports our target.
fn own(snapshot: &Snapshot, ctx: &Context<'_>, status: &mut DataActionTargetStatus) -> Option<Decision> {
    let (observed, applied) = own_object(ctx, ownership(snapshot, ctx), status)?;
    let hash = snapshot.hash();
    record_facts(snapshot, ctx, status, &observed.object);
    status.remote.applied_hash = Some(readable(applied.as_deref(), &hash));
    if ctx.metadata_wiped() {
        return Some(ctx.write_restored_intent(&hash));
    }
    if ctx.outdated(observed) {
        return Some(Decision::step(Step::Poll));
    }
    Some(conditions_for(snapshot, ctx, observed))
}

/// How a remote target differs from the declared one, as far as AppLink reports it.
fn mismatch(snapshot: &Snapshot, remote: &RemoteDataActionTarget) -> Option<String> {
    let differs = |what: &str, actual: Option<&String>, declared: &str| {
        actual.filter(|actual| *actual != declared).map(|actual| format!("its {what} is {actual:?}, not {declared:?}"))
    };
    differs("label", remote.label.as_ref(), &snapshot.label)
        .or_else(|| differs("endpoint", remote.endpoint.as_ref(), &snapshot.endpoint))
        .or_else(|| {
            let kind = remote.kind.as_deref().filter(|kind| !kind.eq_ignore_ascii_case("webhook"))?;
            Some(format!("its type is {kind}, not Webhook"))
        })
}

/// Check NAME.
fn conflict(snapshot: &Snapshot, ctx: &Context<'_>) -> Option<Decision> {
    ctx.conflict(&snapshot.status.remote, &snapshot.name_claims, |winner| {
        format!(
            "DataActionTarget {winner} already has the name {} on this connection; names that differ only in case count as \
             one. Choose another apiName, or delete one of the two",
            ctx.name
        )
    })
}

/// Check OBSERVED_ONLY: reports the target and never touches it.
fn observe(snapshot: &Snapshot, ctx: &Context<'_>, status: &mut DataActionTargetStatus) -> Option<Decision> {
    if !ctx.policies.observes() {
        return None;
    }
    let by_id = status.remote.id.as_deref().and_then(|id| ctx.lookup.of_id(id));
    Some(match by_id.or_else(|| ctx.lookup.of_name(ctx.name).first().copied()) {
        Some(observed) => {
            record_facts(snapshot, ctx, status, &observed.object);
            if ctx.outdated(observed) {
                return Some(Decision::step(Step::Poll));
            }
            conditions_for(snapshot, ctx, observed)
        }
        None if !ctx.lookup.complete => Decision::step(Step::Poll),
        None => {
            *status = retain_resource_fields(status);
            let text = format!(
                "data action target {} does not exist, and managementPolicy is Observe. Create it in AppLink, or set \
                 managementPolicy: Full",
                ctx.name
            );
            Decision::report(ConditionReport::stalled(Reason::RemoteMissing, text))
        }
    })
}

/// Check DELETING: removes the finalizer once the Connection has recorded that the target is released.
fn plan_deletion(snapshot: &Snapshot, ctx: &Context<'_>, status: &mut DataActionTargetStatus) -> Decision {
    let release =
        |orphaned: Option<&str>| Decision::step(Step::RemoveFinalizer { orphaned: orphaned.map(str::to_owned) });
    if let Some(decision) = ctx.deletion_shortcut() {
        return decision;
    }
    let id = ctx.recorded.id.as_deref();
    if snapshot.connection_gone {
        return release(None);
    }
    let created = match id {
        Some(_) => None,
        None if ctx.create_intent().is_none() => return release(None),
        // Find out what the open intent created. If the operator cannot find out, it leaves the target behind.
        None => match (ownership(snapshot, ctx), &snapshot.owner) {
            (Ownership::Recorded(observed) | Ownership::Intended(observed), _) => Some(observed),
            (Ownership::Foreign(_), _) => return release(None),
            (Ownership::Unclaimed, OwnerState::Unobserved) => return Decision::unchanged(),
            (Ownership::Unclaimed, _) if snapshot.connection == ConnectionState::Unconfirmed => {
                return Decision::unchanged();
            }
            (Ownership::Unclaimed, _) if snapshot.connection.id().is_none() => return release(Some(ctx.name)),
            (Ownership::Unclaimed, _) => return wait_for_lost_call(ctx, release(None)),
        },
    };
    if let Some(observed) = created {
        // The Connection reads the ID from this status.
        *status = take_ownership(status, ctx.open_intent());
        record_facts(snapshot, ctx, status, &observed.object);
    }
    if snapshot.released {
        return release(id.or_else(|| Some(&created?.object.id)));
    }
    let text = format!("waiting for the Connection to record that data action target {} is released", ctx.name);
    Decision::report(ConditionReport::in_progress(Reason::Deleting, text))
}

/// Waits until it is certain that a lost POST created nothing; then `release`.
fn wait_for_lost_call(ctx: &Context<'_>, release: Decision) -> Decision {
    let text = format!("checking whether data action target {} was created", ctx.name);
    match ctx.lost_call_wait() {
        Some(wait) => Decision::await_remote(ConditionReport::in_progress(Reason::Deleting, text)).requeue_after(wait),
        None if ctx.lookup.complete => release,
        None => Decision::step(Step::Poll),
    }
}

/// Writes the remote facts to the status.
fn record_facts(
    snapshot: &Snapshot,
    ctx: &Context<'_>,
    status: &mut DataActionTargetStatus,
    observed: &RemoteDataActionTarget,
) {
    reset_for_id(status, &observed.id);
    status.connection_id = snapshot.connection.id().map(str::to_owned).or_else(|| status.connection_id.take());
    let remote = &mut status.remote;
    remote.addon_id = ctx.owner_id().map(str::to_owned).or_else(|| remote.addon_id.take());
    remote.remote_status = Some(observed.status.clone());
    merge_known(observed.created_at.as_ref(), &mut remote.created_at);
    merge_known(observed.created_by.as_ref(), &mut remote.created_by);
    merge_org(&observed.org, &mut remote.org);
    if observed.phase == Phase::Ready {
        establish(remote, ctx.now);
    }
}
