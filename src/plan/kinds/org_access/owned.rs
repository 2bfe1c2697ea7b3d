//! What to do with a connection or an authorization that is ours: hand out its link, replace it, or report its phase.
//!
//! Pure. Check OWN of `kinds::org_access` calls it once the status records the object.

use super::conditions::conditions_for;
use super::snapshot::Snapshot;
use crate::conditions::{ConditionReport, ReadyStatus, StatusUpdate};
use crate::crd::{OrgAccessStatus, Reason, ReplacePolicy};
use crate::facts::{AuthMethod, Observed, Phase, RemoteOrgAccess};
use crate::plan::Step;
use crate::plan::checks::{Check, first};
use crate::plan::decision::Decision;
use crate::plan::inputs::{OrgAccessInputs, changed};
use crate::plan::remote::{OwnedSecret, RemoteContext};
use crate::timing::{MAX_AGE_BEFORE_WRITE, elapsed};

/// Our object and everything that decides about it.
struct Own<'a> {
    snapshot: &'a Snapshot,
    ctx: &'a RemoteContext<'a, RemoteOrgAccess>,
    observed: &'a Observed<RemoteOrgAccess>,
    inputs: &'a OrgAccessInputs,
    /// Conditions to report while the operator replaces the object.
    replacing: ConditionReport,
}

type Run = fn(&Own<'_>, &mut OrgAccessStatus) -> Option<Decision>;

/// Checks of an object that is ours, in order; the first one that decides ends the list.
const OWN_CHECKS: &[Check<Run>] = &[
    Check::new("RESTORE_METADATA", |own, _| {
        own.ctx.metadata_wiped().then(|| own.ctx.write_restored_intent(&own.inputs.hash))
    }),
    Check::new("OPEN_INTENT", confirm_open_intent),
    Check::new("OWN_DELETION", |own, _| own.ctx.await_own_deletion(own.observed, &own.replacing)),
    Check::new("DELETING_REMOTE", await_deletion),
    Check::new("STALE_LINK", |own, status| {
        let stale = own.snapshot.has_oauth_secret() && !own.awaits_consent(status);
        stale.then(|| Decision::step(Step::DeleteOAuthSecret))
    }),
    Check::new("REPLACE", replace),
    Check::new("CONSENT", await_consent),
    Check::new("CONDITIONS", report),
];

/// What to do next with our object. The status already contains its facts.
pub(super) fn reconcile_owned(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemoteOrgAccess>,
    observed: &Observed<RemoteOrgAccess>,
    inputs: &OrgAccessInputs,
    status: &mut OrgAccessStatus,
) -> Decision {
    let text = format!("replacing {} {}: waiting until the old one is deleted", ctx.noun, ctx.name);
    let replacing = ConditionReport::in_progress(Reason::Creating, text);
    let own = Own { snapshot, ctx, observed, inputs, replacing };
    first(OWN_CHECKS, |check| check(&own, status)).unwrap_or_else(Decision::unchanged)
}

impl Own<'_> {
    /// Whether the object waits for a person's consent.
    fn awaits_consent(&self, status: &OrgAccessStatus) -> bool {
        self.observed.object.phase == Phase::Pending
            && self.inputs.auth_method == AuthMethod::OAuth
            && status.remote.established_at.is_none()
    }

    /// Whether the declared inputs differ from those that the object was created with.
    fn inputs_changed(&self, status: &OrgAccessStatus) -> bool {
        changed(status.remote.applied_hash.as_deref(), &self.inputs.hash)
    }

    fn get(&self) -> Decision {
        Decision::step(Step::Get { id: self.observed.object.id.clone() })
    }
}

/// Reads the object if an open intent may have created it again under the same ID.
fn confirm_open_intent(own: &Own<'_>, _: &mut OrgAccessStatus) -> Option<Decision> {
    let intent = own.ctx.create_intent()?;
    (own.ctx.recorded.id.is_some() && !own.ctx.observed_since(own.observed, intent)).then(|| own.get())
}

/// Waits while AppLink deletes the object, at our request or somebody else's.
fn await_deletion(own: &Own<'_>, _: &mut OrgAccessStatus) -> Option<Decision> {
    let (ctx, remote) = (own.ctx, &own.observed.object);
    if remote.phase != Phase::Deleting {
        return None;
    }
    if ctx.replacement_intent(&remote.id).is_some() {
        return Some(Decision::await_remote(own.replacing.clone()));
    }
    let text = format!("somebody else is disconnecting {} {}; the operator will recreate it", ctx.noun, ctx.name);
    Some(Decision::await_remote(ConditionReport::in_progress(Reason::Creating, text)))
}

/// Replaces the object. If it once worked, a changed input replaces it only with the user's permission.
fn replace(own: &Own<'_>, status: &mut OrgAccessStatus) -> Option<Decision> {
    let (snapshot, ctx, remote) = (own.snapshot, own.ctx, &own.observed.object);
    let changed = own.inputs_changed(status);
    let begun = ctx.replacement_intent(&remote.id).is_some_and(|intent| intent.hash == own.inputs.hash);
    let wanted = if status.remote.established_at.is_some() {
        changed && ctx.policies.replacement == ReplacePolicy::DeleteAndRecreate
    } else {
        let expired = own.awaits_consent(status) && ctx.consent_expired();
        changed || begun || (expired && ctx.state.requested.is_some())
    };
    if !wanted && !ctx.replacement_requested() {
        return None;
    }
    // A pending object may have connected a moment ago.
    if remote.phase == Phase::Pending && elapsed(own.observed.at, ctx.now) > MAX_AGE_BEFORE_WRITE {
        return Some(own.get());
    }
    let conflict = (own.inputs.auth_method == AuthMethod::OAuth)
        .then(|| ctx.secret_conflict(&snapshot.oauth_secret_name, &snapshot.oauth_secret));
    Some(conflict.flatten().unwrap_or_else(|| ctx.replace(&remote.id, &own.inputs.hash, &own.replacing)))
}

/// Hands out the consent link and waits.
fn await_consent(own: &Own<'_>, status: &mut OrgAccessStatus) -> Option<Decision> {
    let (snapshot, ctx) = (own.snapshot, own.ctx);
    if !own.awaits_consent(status) {
        status.oauth_secret_name = None;
        return None;
    }
    // The user asks whether the object still waits.
    if ctx.outdated(own.observed) && ctx.state.requested.is_some() {
        return Some(Decision::step(Step::Poll));
    }
    let written = snapshot.oauth_secret == OwnedSecret::Owned { id: Some(own.observed.object.id.clone()) };
    status.oauth_secret_name = written.then(|| snapshot.oauth_secret_name.clone());
    Some(ctx.await_consent(own.observed, &snapshot.oauth_secret_name, &snapshot.oauth_secret, &own.inputs.hash))
}

/// Reports the phase of the object, and that a replacement is required if an input changed.
fn report(own: &Own<'_>, status: &mut OrgAccessStatus) -> Option<Decision> {
    let replaceable = own.inputs_changed(status);
    if own.ctx.outdated(own.observed) && !replaceable {
        return Some(Decision::step(Step::Poll));
    }
    let decision = conditions_for(own.snapshot, own.ctx, own.observed, status);
    Some(if replaceable { replacement_required(own, decision) } else { decision })
}

/// Reports that an input changed. If the object does not work, the report keeps its cause, because the new input may be the
/// remedy.
fn replacement_required(own: &Own<'_>, decision: Decision) -> Decision {
    let StatusUpdate::SetConditions(report) = &decision.update else { return decision };
    let (noun, name) = (own.ctx.noun, own.ctx.name);
    let remedy = "Change it back, set applink.dev/replace to a new value to replace the object once, or set \
                  replacePolicy: DeleteAndRecreate";
    let inputs = "key, user, client ID, alias, method or login URL";
    let message = match report.ready {
        ReadyStatus::True => format!(
            "{inputs} changed after {noun} {name} was created, and AppLink cannot update it. It keeps working with the old \
             one. {remedy}"
        ),
        _ => format!("{}. Also, {inputs} changed after it was created. {remedy}", report.message.trim_end_matches('.')),
    };
    if own.observed.object.phase == Phase::Ready {
        return Decision::report(ConditionReport::stalled(Reason::ReplacementRequired, message));
    }
    Decision { update: ConditionReport { message, ..report.clone() }.into(), ..decision }
}
