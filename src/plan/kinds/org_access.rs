//! The plan that connections and authorizations share.
//!
//! Pure. `plan::remote` has the protocol. This file knows which objects may be ours, what a changed input means, and what to
//! report. `connection` and `authorization` add their own checks.

mod conditions;
mod owned;
mod snapshot;

use self::conditions::conditions_for;
use self::owned::reconcile_owned;
pub use self::snapshot::Snapshot;
use crate::conditions::{ConditionReport, StatusUpdate};
use crate::crd::{OrgAccessStatus, Reason};
use crate::facts::{AuthMethod, OrgAccessKind, Phase, RemoteOrgAccess};
use crate::plan::checks::{Check, apply, first};
use crate::plan::decision::Decision;
use crate::plan::inputs::{MatchCriteria, changed};
use crate::plan::remote::recorded::{
    establish, merge_known, merge_org, own_object, readable, reset_for_id, retain_resource_fields,
    with_recorded_outcome,
};
use crate::plan::remote::{Ownership, RecordedStatus, RemoteContext};
use crate::plan::{Plan, Step};

type Context<'a> = RemoteContext<'a, RemoteOrgAccess>;
type Run = fn(&Snapshot, &Context<'_>, &mut OrgAccessStatus) -> Option<Decision>;
type Guard = fn(&Context<'_>, Decision) -> Decision;

/// Checks in order; the first one that decides ends the list.
pub const CHECKS: &[Check<Run>] = &[
    Check::new("DELETING", |snapshot, ctx, _| {
        let criteria = MatchCriteria::of(&snapshot.spec);
        ctx.state.deleting.then(|| ctx.plan_deletion(|remote| may_be_ours(&criteria, remote)))
    }),
    Check::new("RESTORE_METADATA", |_, ctx, _| ctx.restore_metadata()),
    Check::new("SUSPENDED", |_, ctx, _| ctx.suspended()),
    Check::new("OBSERVED_ONLY", observe),
    Check::new("INPUTS", unusable_inputs),
    Check::new("OWNER", |_, ctx, _| ctx.owner_error()),
    Check::new("NAME", |snapshot, ctx, _| conflict(snapshot, ctx)),
    Check::new("BACK_OFF", |_, ctx, _| ctx.after_outcome()),
    Check::new("FOREIGN", adopt),
    Check::new("OWN", own),
    Check::new("ABSENT", create),
];

/// Changes to a decision, in order.
pub const SAFEGUARDS: &[Check<Guard>] = &[Check::new("LIST_OUTAGE", |ctx, decision| ctx.list_outage(decision))];

/// What to do next for a connection or an authorization, and what to report.
#[must_use]
pub fn plan(snapshot: &Snapshot) -> Plan<OrgAccessStatus> {
    let exists = |id: &str| snapshot.lookup.of_id(id).is_some();
    with_recorded_outcome(&with_current_digest(snapshot), &snapshot.state, exists, |recorded, status| {
        let ctx = context(snapshot, recorded);
        let decision = first(CHECKS, |check| check(snapshot, &ctx, status)).unwrap_or_else(Decision::unchanged);
        apply(SAFEGUARDS, decision, |guard, decision| guard(&ctx, decision))
    })
}

/// The status with the current digest, if it records the digest that earlier versions computed for the same inputs.
fn with_current_digest(snapshot: &Snapshot) -> OrgAccessStatus {
    let mut status = snapshot.status.clone();
    if let Ok(inputs) = &snapshot.inputs
        && status.remote.applied_hash.as_ref() == Some(&inputs.former_hash)
    {
        status.remote.applied_hash = Some(inputs.hash.clone());
    }
    status
}

fn context<'a>(snapshot: &'a Snapshot, recorded: &'a RecordedStatus) -> Context<'a> {
    RemoteContext {
        noun: snapshot.kind.noun(),
        name: &snapshot.name,
        display_name: &snapshot.name,
        connection_id: None,
        owner_name: &snapshot.owner_name,
        policies: snapshot.policies,
        owner: &snapshot.owner,
        lookup: &snapshot.lookup,
        recorded,
        state: &snapshot.state,
        now: snapshot.now,
    }
}

/// Check INPUTS: reports an unusable input, and also a failure of the object that an earlier input created.
fn unusable_inputs(snapshot: &Snapshot, ctx: &Context<'_>, status: &mut OrgAccessStatus) -> Option<Decision> {
    let report = snapshot.inputs.as_ref().err()?;
    let decision = match report.reason {
        Reason::SecretNotFound => ctx.missing_dependency(report.reason, report.message.clone()),
        _ => Decision::report(report.clone()),
    };
    let Ownership::Recorded(observed) = ctx.ownership(|_| false) else { return Some(decision) };
    let waits = decision.steps.is_empty() && decision.update == StatusUpdate::Unchanged;
    if observed.object.phase != Phase::Failed || waits {
        return Some(decision);
    }
    record_facts(status, &observed.object, ctx);
    let StatusUpdate::SetConditions(failed) = conditions_for(snapshot, ctx, observed, status).update else {
        return Some(decision);
    };
    // If the object never worked, a usable input is enough. If it did, its failure has another cause.
    let (first, second) = if ctx.recorded.was_ready { (failed, report) } else { (report.clone(), &failed) };
    let message = format!("{}. Also, {}", first.message.trim_end_matches('.'), second.message);
    Some(Decision::report(ConditionReport { message, ..first }))
}

/// Whether an object with our name may be the one that our intent announced.
fn may_be_ours(criteria: &MatchCriteria<'_>, remote: &RemoteOrgAccess) -> bool {
    let user = remote.org.username.as_deref();
    let same_user =
        criteria.username.is_none_or(|expected| user.is_none_or(|actual| actual.eq_ignore_ascii_case(expected)));
    let same_method = remote.method.is_none_or(|method| method == criteria.method);
    remote.provider.is_none_or(|provider| provider == criteria.provider) && same_method && same_user
}

fn ownership<'a>(snapshot: &Snapshot, ctx: &Context<'a>) -> Ownership<'a, RemoteOrgAccess> {
    let criteria = MatchCriteria::of(&snapshot.spec);
    ctx.ownership(|remote| may_be_ours(&criteria, remote))
}

/// Check FOREIGN: adopts an object that existed before the resource, or reports why not.
fn adopt(snapshot: &Snapshot, ctx: &Context<'_>, _: &mut OrgAccessStatus) -> Option<Decision> {
    let (Ownership::Foreign(observed), Ok(inputs)) = (ownership(snapshot, ctx), &snapshot.inputs) else { return None };
    let criteria = MatchCriteria::of(&snapshot.spec);
    ctx.adopt(observed, &inputs.hash, |observed| ctx.adoption_mismatch(observed, &criteria))
}

/// Check OWN: reconciles our object.
fn own(snapshot: &Snapshot, ctx: &Context<'_>, status: &mut OrgAccessStatus) -> Option<Decision> {
    let inputs = snapshot.inputs.as_ref().ok()?;
    let (observed, applied) = own_object(ctx, ownership(snapshot, ctx), status)?;
    record_facts(status, &observed.object, ctx);
    status.remote.applied_hash = Some(readable(applied.as_deref(), &inputs.hash));
    Some(reconcile_owned(snapshot, ctx, observed, inputs, status))
}

/// Check ABSENT: creates the object.
fn create(snapshot: &Snapshot, ctx: &Context<'_>, status: &mut OrgAccessStatus) -> Option<Decision> {
    let inputs = snapshot.inputs.as_ref().ok()?;
    if inputs.auth_method == AuthMethod::OAuth {
        if let Some(decision) = ctx.secret_conflict(&snapshot.oauth_secret_name, &snapshot.oauth_secret) {
            return Some(decision);
        }
        // The operator requests only one link. If it expires unused, the user must request the next one.
        let unused = ctx.recorded.id.is_some() && !ctx.recorded.was_ready && ctx.open_intent().is_none();
        let same = !changed(ctx.recorded.applied_hash.as_deref(), &inputs.hash);
        if unused && same && !ctx.requested() && ctx.lookup.complete && ctx.unconfirmed().is_none() {
            if snapshot.has_oauth_secret() {
                return Some(Decision::step(Step::DeleteOAuthSecret));
            }
            status.oauth_secret_name = None;
            return Some(ctx.consent_target_gone());
        }
    }
    Some(ctx.create(&inputs.hash))
}

/// Check OBSERVED_ONLY: reports the object and never touches it.
fn observe(snapshot: &Snapshot, ctx: &Context<'_>, status: &mut OrgAccessStatus) -> Option<Decision> {
    if !ctx.policies.observes() {
        return None;
    }
    if let Some(decision) = ctx.release_observed().or_else(|| ctx.owner_error()) {
        return Some(decision);
    }
    let by_id =
        status.remote.id.as_deref().and_then(|id| ctx.lookup.of_id(id)).filter(|s| s.object.phase != Phase::Deleted);
    Some(match by_id.or_else(|| ctx.lookup.of_name(ctx.name).first().copied()) {
        Some(observed) => {
            record_facts(status, &observed.object, ctx);
            if ctx.outdated(observed) {
                return Some(Decision::step(Step::Poll));
            }
            conditions_for(snapshot, ctx, observed, status)
        }
        None if !ctx.lookup.complete => Decision::step(Step::Poll),
        None => {
            *status = retain_resource_fields(status);
            let text = format!(
                "{} {} does not exist, and managementPolicy is Observe. Create it in AppLink, or set managementPolicy: Full",
                ctx.noun, ctx.name
            );
            Decision::report(ConditionReport::stalled(Reason::RemoteMissing, text))
        }
    })
}

/// Check NAME.
fn conflict(snapshot: &Snapshot, ctx: &Context<'_>) -> Option<Decision> {
    let (kind, field) = match snapshot.kind {
        OrgAccessKind::Connection => ("Connection", "connectionName"),
        OrgAccessKind::Authorization => ("Authorization", "developerName"),
    };
    ctx.conflict(&snapshot.status.remote, &snapshot.name_claims, |winner| {
        format!(
            "{kind} {winner} already has the name {} on this add-on; names that differ only in case count as one. Choose \
             another {field}, or delete one of the two",
            ctx.name
        )
    })
}

/// Writes the remote facts to the status.
fn record_facts(status: &mut OrgAccessStatus, observed: &RemoteOrgAccess, ctx: &Context<'_>) {
    reset_for_id(status, &observed.id);
    let remote = &mut status.remote;
    remote.addon_id = ctx.owner_id().map(str::to_owned).or_else(|| remote.addon_id.take());
    remote.remote_status = Some(observed.status.clone());
    merge_known(observed.created_at.as_ref(), &mut remote.created_at);
    merge_known(observed.created_by.as_ref(), &mut remote.created_by);
    merge_known(observed.created_via_app.as_ref(), &mut remote.created_via_app);
    merge_org(&observed.org, &mut remote.org);
    if observed.phase == Phase::Ready {
        establish(remote, ctx.now);
    }
}
