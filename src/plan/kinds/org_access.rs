//! The plan of granted access: what connections and authorizations have in common, which is nearly all.
//!
//! Pure. The create-intent protocol is `plan::remote`'s; here is what only granted access knows: what can be its own, what a
//! changed input means, and what to say of each phase. `connection` and `authorization` add what is theirs.

mod conditions;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use self::conditions::judge;
use crate::conditions::{ConditionReport, ReadyStatus, StatusUpdate};
use crate::crd::{AuthSpec, OrgAccessStatus, Reason, ReplacePolicy};
use crate::facts::{AuthMethod, Lookup, Observed, OrgAccessKind, Phase, RemoteOrgAccess};
use crate::plan::inputs::{MatchCriteria, OrgAccessInputs, changed};
use crate::plan::policies::Policies;
use crate::plan::remote::name_claim::NameClaim;
use crate::plan::remote::recorded::{
    establish, merge_known, merge_org, readable, reset_for_id, retain_resource_fields, take_ownership,
    with_recorded_outcome,
};
use crate::plan::remote::{Decision, OwnedSecret, OwnerState, Ownership, RecordedStatus, RemoteContext, elapsed};
use crate::plan::state::ReconcileState;
use crate::plan::{Plan, Step};

/// Something that is connecting is looked at once more before it is deleted, unless it was just now.
const GLANCE: SignedDuration = SignedDuration::from_secs(2);

/// All that the plan of a connection or an authorization depends on.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// Connection or authorization.
    pub kind: OrgAccessKind,
    /// Remote name.
    pub name: String,
    /// Name of the AppLinkAddon.
    pub owner_name: String,
    /// Provider, auth method and expected org, as in the spec.
    pub spec: AuthSpec,
    /// The policies of the spec, under the add-on's ceiling.
    pub policies: Policies,
    /// The add-on.
    pub owner: OwnerState,
    /// Digest of the inputs, or why they cannot be used.
    pub inputs: Result<OrgAccessInputs, ConditionReport>,
    /// Name of the Secret for a consent link.
    pub oauth_secret_name: String,
    /// State of that Secret.
    pub oauth_secret: OwnedSecret,
    /// What is known under the recorded id and the name.
    pub lookup: Lookup<RemoteOrgAccess>,
    /// Other resources that want the name.
    pub name_claims: Vec<NameClaim>,
    /// What the object and this process remember.
    pub state: ReconcileState,
    /// The status as it is.
    pub status: OrgAccessStatus,
    /// The time.
    pub now: Timestamp,
}

/// What to do next for a connection or an authorization, and what to say of it.
#[must_use]
pub fn plan(snapshot: &Snapshot) -> Plan<OrgAccessStatus> {
    let lives = |id: &str| snapshot.lookup.of_id(id).is_some();
    with_recorded_outcome(&up_to_date(snapshot), &snapshot.state, lives, |recorded, status| {
        let ctx = ctx(snapshot, recorded);
        ctx.list_outage(decide(snapshot, &ctx, status))
    })
}

/// The status, with a digest of the former kind brought up to date where it speaks of the inputs that there are.
fn up_to_date(snapshot: &Snapshot) -> OrgAccessStatus {
    let mut status = snapshot.status.clone();
    if let Ok(inputs) = &snapshot.inputs
        && status.remote.applied_hash.as_ref() == Some(&inputs.former_hash)
    {
        status.remote.applied_hash = Some(inputs.hash.clone());
    }
    status
}

fn ctx<'a>(snapshot: &'a Snapshot, recorded: &'a RecordedStatus) -> RemoteContext<'a, RemoteOrgAccess> {
    RemoteContext {
        noun: snapshot.kind.noun(),
        name: &snapshot.name,
        display_name: &snapshot.name,
        parent: None,
        owner_name: &snapshot.owner_name,
        policies: snapshot.policies,
        owner: &snapshot.owner,
        lookup: &snapshot.lookup,
        recorded,
        state: &snapshot.state,
        now: snapshot.now,
    }
}

fn decide(snapshot: &Snapshot, ctx: &RemoteContext<'_, RemoteOrgAccess>, status: &mut OrgAccessStatus) -> Decision {
    let like = MatchCriteria::of(&snapshot.spec);
    let fits = |remote: &RemoteOrgAccess| fits(&like, remote);
    if ctx.state.deleting {
        return ctx.plan_deletion(fits);
    }
    if let Some(hash) =
        ctx.recorded.applied_hash.as_deref().filter(|_| !ctx.policies.observes() && ctx.metadata_wiped())
    {
        return Decision::steps(vec![Step::WriteIntent { intent: ctx.restored_intent(hash) }]);
    }
    if ctx.policies.suspend {
        return Decision::suspended();
    }
    if ctx.policies.observes() {
        return observe(snapshot, ctx, status);
    }
    let inputs = match &snapshot.inputs {
        Ok(inputs) => inputs,
        Err(report) => return unusable(snapshot, ctx, report, status),
    };
    if let Some(decision) = ctx.owner_error().or_else(|| conflict(snapshot, ctx)).or_else(|| ctx.after_outcome()) {
        return decision;
    }
    let (seen, applied) = match ctx.ownership(fits) {
        Ownership::Recorded(seen) => (seen, status.remote.applied_hash.take()),
        Ownership::Intended(seen) => {
            let intent = ctx.open_intent();
            *status = take_ownership(status, intent);
            (seen, intent.map(|intent| intent.hash.clone()))
        }
        Ownership::Foreign(seen) => {
            if let Some(decision) = ctx.adopt(seen, &inputs.hash, |seen| ctx.adoption_mismatch(seen, &like)) {
                return decision;
            }
            *status = take_ownership(status, ctx.open_intent());
            (seen, None)
        }
        Ownership::Unclaimed => return vacant(snapshot, ctx, inputs, status),
    };
    record_ownership(status, &seen.object, ctx, applied.as_deref(), &inputs.hash);
    keep(snapshot, ctx, seen, inputs, status)
}

/// What to say where an input cannot be used: that, and that what was made from an earlier one has failed, if so.
fn unusable(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemoteOrgAccess>,
    report: &ConditionReport,
    status: &mut OrgAccessStatus,
) -> Decision {
    let decision = match report.reason {
        Reason::SecretNotFound => ctx.missing_dependency(report.reason, report.message.clone()),
        _ => Decision::report(report.clone()),
    };
    let Ownership::Recorded(seen) = ctx.ownership(|_| false) else { return decision };
    if seen.object.phase != Phase::Failed
        || decision.steps.is_empty() && matches!(decision.update, StatusUpdate::Unchanged)
    {
        return decision;
    }
    facts(status, &seen.object, ctx);
    let StatusUpdate::SetConditions(failed) = judge(snapshot, ctx, seen, status).update else { return decision };
    // What never connected needs a usable input, and no more; what worked once has a cause of its own.
    let (first, second) = if ctx.recorded.was_ready { (failed, report) } else { (report.clone(), &failed) };
    let text = format!("{}. Also, {}", first.message.trim_end_matches('.'), second.message);
    Decision::report(ConditionReport { message: text, ..first })
}

/// Whether what bears the name can be what our intent announced.
fn fits(like: &MatchCriteria<'_>, remote: &RemoteOrgAccess) -> bool {
    let user = remote.org.username.as_deref();
    let same_user = like.username.is_none_or(|wanted| user.is_none_or(|told| told.eq_ignore_ascii_case(wanted)));
    let same_method = remote.method.is_none_or(|method| method == like.method);
    remote.provider.is_none_or(|provider| provider == like.provider) && same_method && same_user
}

/// What to do where nothing bears the name.
fn vacant(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemoteOrgAccess>,
    inputs: &OrgAccessInputs,
    status: &mut OrgAccessStatus,
) -> Decision {
    if inputs.auth_method == AuthMethod::OAuth {
        if let Some(decision) = ctx.secret_conflict(&snapshot.oauth_secret_name, &snapshot.oauth_secret) {
            return decision;
        }
        // A link is asked for once; what was begun with it and went away unused is for the user to begin anew.
        let unused = ctx.recorded.id.is_some() && !ctx.recorded.was_ready && ctx.open_intent().is_none();
        let same = !changed(ctx.recorded.applied_hash.as_deref(), &inputs.hash);
        if unused && same && !ctx.requested() && ctx.lookup.complete && ctx.unconfirmed().is_none() {
            if withdrawable(snapshot) {
                return Decision::steps(vec![Step::DeleteOAuthSecret]);
            }
            status.oauth_secret_name = None;
            return ctx.consent_target_gone();
        }
    }
    ctx.create(&inputs.hash)
}

fn withdrawable(snapshot: &Snapshot) -> bool {
    matches!(snapshot.oauth_secret, OwnedSecret::Owned { .. } | OwnedSecret::NoOwner)
}

/// What to do with one that is ours.
fn keep(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemoteOrgAccess>,
    seen: &Observed<RemoteOrgAccess>,
    inputs: &OrgAccessInputs,
    status: &mut OrgAccessStatus,
) -> Decision {
    let remote = &seen.object;
    if ctx.metadata_wiped() {
        return Decision::steps(vec![Step::WriteIntent { intent: ctx.restored_intent(&inputs.hash) }]);
    }
    if ctx.create_intent().is_some_and(|intent| ctx.recorded.id.is_some() && !ctx.observed_since(seen, intent)) {
        return Decision::steps(vec![Step::Get { id: remote.id.clone() }]);
    }
    let text = format!("{} {} is being replaced: waiting until the old one is gone", ctx.noun, ctx.name);
    let replaced = ConditionReport::in_progress(Reason::Creating, text);
    if let Some(decision) = ctx.await_own_deletion(seen, &replaced) {
        return decision;
    }
    if remote.phase == Phase::Deleting && ctx.replacement_intent(&remote.id).is_some() {
        return Decision::await_remote(replaced);
    }
    if remote.phase == Phase::Deleting {
        let text = format!("{} {} is being disconnected by somebody else; it will be created anew", ctx.noun, ctx.name);
        return Decision::await_remote(ConditionReport::in_progress(Reason::Creating, text));
    }
    if withdrawable(snapshot) && !consents(remote, inputs, status) {
        return Decision::steps(vec![Step::DeleteOAuthSecret]);
    }
    if let Some(decision) = replace(snapshot, ctx, seen, inputs, status, &replaced) {
        return decision;
    }
    if consents(remote, inputs, status) {
        // Who asks wants to know whether it still waits.
        if ctx.outdated(seen) && ctx.state.requested {
            return Decision::steps(vec![Step::Poll]);
        }
        let handed = snapshot.oauth_secret == OwnedSecret::Owned { id: Some(remote.id.clone()) };
        status.oauth_secret_name = handed.then(|| snapshot.oauth_secret_name.to_owned());
        return ctx.await_consent(seen, &snapshot.oauth_secret_name, &snapshot.oauth_secret, &inputs.hash);
    }
    status.oauth_secret_name = None;
    let replaceable = changed(status.remote.applied_hash.as_deref(), &inputs.hash);
    if ctx.outdated(seen) && !replaceable {
        return Decision::steps(vec![Step::Poll]);
    }
    let decision = judge(snapshot, ctx, seen, status);
    if replaceable { replacement_required(ctx, seen.object.phase, decision) } else { decision }
}

/// What to say of one that was made with other inputs than there are now: that, and whether it works on meanwhile. One that
/// is not in working order says what is wrong, for which the new inputs may be the remedy.
fn replacement_required(ctx: &RemoteContext<'_, RemoteOrgAccess>, phase: Phase, decision: Decision) -> Decision {
    let StatusUpdate::SetConditions(said) = &decision.update else { return decision };
    let (noun, name) = (ctx.noun, ctx.name);
    let ways = "Change them back, set a new value of applink.dev/replace to delete it and create it anew once, or set \
                replacePolicy: DeleteAndRecreate";
    let changed = "key, user, client, alias, method or login URL changed since";
    let text = match said.ready {
        ReadyStatus::True => format!(
            "{changed} {noun} {name} was made, and AppLink cannot update it; it works on with the old ones. {ways}"
        ),
        _ => format!("{}. Also, {changed} it was made. {ways}", said.message.trim_end_matches('.')),
    };
    if phase == Phase::Ready {
        return Decision::report(ConditionReport::stalled(Reason::ReplacementRequired, text));
    }
    Decision { update: ConditionReport { message: text, ..said.clone() }.into(), ..decision }
}

/// Whether a person's consent is waited for.
fn consents(remote: &RemoteOrgAccess, inputs: &OrgAccessInputs, status: &OrgAccessStatus) -> bool {
    remote.phase == Phase::Pending && inputs.auth_method == AuthMethod::OAuth && status.remote.established_at.is_none()
}

/// AppLink has no update. What once connected is taken away for a changed input only where the user says so; what never
/// did is made anew.
fn replace(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemoteOrgAccess>,
    seen: &Observed<RemoteOrgAccess>,
    inputs: &OrgAccessInputs,
    status: &OrgAccessStatus,
    replaced: &ConditionReport,
) -> Option<Decision> {
    let remote = &seen.object;
    let changed = changed(status.remote.applied_hash.as_deref(), &inputs.hash);
    let begun = ctx.replacement_intent(&remote.id).is_some_and(|intent| intent.hash == inputs.hash);
    let wanted = if status.remote.established_at.is_some() {
        changed && ctx.policies.replacement == ReplacePolicy::DeleteAndRecreate
    } else {
        let over = consents(remote, inputs, status) && ctx.consent_expired();
        changed || begun || (over && ctx.state.requested)
    };
    if wanted || ctx.replacement_requested() {
        // It may have connected a moment ago.
        if remote.phase == Phase::Pending && elapsed(seen.at, ctx.now) > GLANCE {
            return Some(Decision::steps(vec![Step::Get { id: remote.id.clone() }]));
        }
        let blocked = (inputs.auth_method == AuthMethod::OAuth)
            .then(|| ctx.secret_conflict(&snapshot.oauth_secret_name, &snapshot.oauth_secret));
        return Some(blocked.flatten().unwrap_or_else(|| ctx.replace(&remote.id, &inputs.hash, replaced)));
    }
    None
}

/// What is watched and never touched.
fn observe(snapshot: &Snapshot, ctx: &RemoteContext<'_, RemoteOrgAccess>, status: &mut OrgAccessStatus) -> Decision {
    if ctx.state.finalizer {
        return Decision::steps(vec![Step::RemoveFinalizer { orphaned: None }]);
    }
    if let Some(decision) = ctx.owner_error() {
        return decision;
    }
    let by_id =
        status.remote.id.as_deref().and_then(|id| ctx.lookup.of_id(id)).filter(|s| s.object.phase != Phase::Deleted);
    match by_id.or_else(|| ctx.lookup.of_name(ctx.name).first().copied()) {
        Some(seen) => {
            facts(status, &seen.object, ctx);
            if ctx.outdated(seen) {
                return Decision::steps(vec![Step::Poll]);
            }
            judge(snapshot, ctx, seen, status)
        }
        None if !ctx.lookup.complete => Decision::steps(vec![Step::Poll]),
        None => {
            *status = retain_resource_fields(status);
            let text = format!("no {} {} exists, and managementPolicy Observe creates none", ctx.noun, ctx.name);
            Decision::report(ConditionReport::stalled(Reason::RemoteMissing, text))
        }
    }
}

/// Another resource holds the name.
fn conflict(snapshot: &Snapshot, ctx: &RemoteContext<'_, RemoteOrgAccess>) -> Option<Decision> {
    let (kind, field) = match snapshot.kind {
        OrgAccessKind::Connection => ("Connection", "connectionName"),
        OrgAccessKind::Authorization => ("Authorization", "developerName"),
    };
    ctx.conflict(&snapshot.status.remote, &snapshot.name_claims, |winner| {
        format!(
            "{kind} {winner} holds the name {} on this add-on (names that differ only in case count as one): choose another \
             {field}, or delete one of the two",
            ctx.name
        )
    })
}

/// Writes the remote facts into the status of a resource that owns them.
fn record_ownership(
    status: &mut OrgAccessStatus,
    remote: &RemoteOrgAccess,
    ctx: &RemoteContext<'_, RemoteOrgAccess>,
    applied: Option<&str>,
    wanted: &str,
) {
    facts(status, remote, ctx);
    status.remote.applied_hash = Some(readable(applied, wanted));
}

/// Writes the remote facts into the status.
fn facts(status: &mut OrgAccessStatus, seen: &RemoteOrgAccess, ctx: &RemoteContext<'_, RemoteOrgAccess>) {
    reset_for_id(status, &seen.id);
    let remote = &mut status.remote;
    remote.addon_id = ctx.owner_id().map(str::to_owned).or_else(|| remote.addon_id.take());
    remote.remote_status = Some(seen.status.clone());
    merge_known(seen.created_at.as_ref(), &mut remote.created_at);
    merge_known(seen.created_by.as_ref(), &mut remote.created_by);
    merge_known(seen.created_via_app.as_ref(), &mut remote.created_via_app);
    merge_org(&seen.org, &mut remote.org);
    if seen.phase == Phase::Ready {
        establish(remote, ctx.now);
    }
}
