//! The plan of one DataActionTarget: made once, never changed, and let go of in the end, since AppLink cannot delete one.
//!
//! Pure. The create-intent protocol is `plan::remote`'s; here is what only a target knows. It goes only after its connection
//! has put down that it was let go of.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::conditions::ConditionReport;
use crate::crd::{DataActionTargetStatus, Reason};
use crate::facts::{Lookup, Observed, Phase, RemoteDataActionTarget};
use crate::plan::inputs::digest;
use crate::plan::policies::Policies;
use crate::plan::remote::name_claim::NameClaim;
use crate::plan::remote::recorded::{
    establish, merge_known, merge_org, readable, reset_for_id, reset_if_moved, retain_resource_fields, take_ownership,
    with_recorded_outcome,
};
use crate::plan::remote::{ConnectionState, Decision, OwnerState, Ownership, RecordedStatus, RemoteContext};
use crate::plan::state::ReconcileState;
use crate::plan::{Plan, Step};

/// What Heroku asks for before a target is made, and takes one without, as far as anybody knows.
const APP_ID_UNSET: &str = "config var HEROKU_APP_ID is not set on the app, which AppLink and its SDKs ask for: set it with \
                            heroku config:set HEROKU_APP_ID=<the app's UUID>";

/// All that a DataActionTarget's plan depends on.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// Name of the target in AppLink.
    pub name: String,
    /// `spec.label`
    pub label: String,
    /// `spec.targetEndpoint`
    pub endpoint: String,
    /// The policies of the spec, under the add-on's ceiling.
    pub policies: Policies,
    /// Name of the AppLinkAddon.
    pub owner_name: String,
    /// The add-on.
    pub owner: OwnerState,
    /// The connection.
    pub connection: ConnectionState,
    /// Whether config var `HEROKU_APP_ID` of the app is set, as far as is known.
    pub app_id_set: bool,
    /// Whether the Connection has recorded that the target is released, or need not record it.
    pub released: bool,
    /// Whether the connection that it was made on is known to be gone, and the target with it.
    pub connection_gone: bool,
    /// What is known under the recorded id and the name.
    pub lookup: Lookup<RemoteDataActionTarget>,
    /// Other resources that want the name.
    pub name_claims: Vec<NameClaim>,
    /// What the object and this process remember.
    pub state: ReconcileState,
    /// The status as it is.
    pub status: DataActionTargetStatus,
    /// The time.
    pub now: Timestamp,
}

/// Digest of what a creation sends.
#[must_use]
pub fn digest_of(label: &str, name: &str, endpoint: &str) -> String {
    digest(&["target", label, name, endpoint, "webhook"])
}

/// What to do next for a DataActionTarget, and what to say of it.
#[must_use]
pub fn plan(snapshot: &Snapshot) -> Plan<DataActionTargetStatus> {
    let before = reset_if_moved(
        &snapshot.status,
        snapshot.status.connection_id.as_deref(),
        snapshot.connection.id(),
        &snapshot.state,
    );
    let lives = |id: &str| snapshot.lookup.of_id(id).is_some();
    let mut plan = with_recorded_outcome(&before, &snapshot.state, lives, |recorded, status| {
        let ctx = ctx(snapshot, recorded);
        ctx.list_outage(decide(snapshot, &ctx, status))
    });
    // There is nothing that could be replaced.
    if let Some(token) = &snapshot.state.replace {
        plan.status.remote.last_handled_replace = Some(token.clone());
    }
    plan
}

fn ctx<'a>(snapshot: &'a Snapshot, recorded: &'a RecordedStatus) -> RemoteContext<'a, RemoteDataActionTarget> {
    // While the connection is out of sight, the word that was given tells which one it spoke of.
    let intended = || snapshot.state.intent.as_ref()?.parent.as_deref();
    RemoteContext {
        noun: "data action target",
        name: &snapshot.name,
        display_name: &snapshot.name,
        parent: snapshot.connection.id().or(snapshot.status.connection_id.as_deref()).or_else(intended),
        owner_name: &snapshot.owner_name,
        policies: snapshot.policies,
        owner: &snapshot.owner,
        lookup: &snapshot.lookup,
        recorded,
        state: &snapshot.state,
        now: snapshot.now,
    }
}

fn decide(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemoteDataActionTarget>,
    status: &mut DataActionTargetStatus,
) -> Decision {
    let fits = |remote: &RemoteDataActionTarget| unlike(snapshot, remote).is_none();
    if ctx.state.deleting {
        return plan_deletion(snapshot, ctx, fits, status);
    }
    let hash = digest_of(&snapshot.label, &snapshot.name, &snapshot.endpoint);
    if ctx.recorded.applied_hash.is_some() && !ctx.policies.observes() && ctx.metadata_wiped() {
        return Decision::steps(vec![Step::WriteIntent { intent: ctx.restored_intent(&hash) }]);
    }
    if ctx.policies.suspend {
        return Decision::suspended();
    }
    if ctx.policies.observes() && ctx.state.finalizer {
        return Decision::steps(vec![Step::RemoveFinalizer { orphaned: None }]);
    }
    if let Some(decision) = ctx
        .connection_error(&snapshot.connection)
        .or_else(|| ctx.owner_error())
        .or_else(|| ctx.connection_not_ready(&snapshot.connection))
    {
        return decision;
    }
    if ctx.policies.observes() {
        return observe(snapshot, ctx, status);
    }
    if let Some(decision) = conflict(snapshot, ctx).or_else(|| ctx.after_outcome()) {
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
            if let Some(decision) = ctx.adopt(seen, &hash, |seen| unlike(snapshot, &seen.object)) {
                return ctx.deny_new_if_deleting(&snapshot.connection, decision);
            }
            *status = take_ownership(status, ctx.open_intent());
            (seen, None)
        }
        Ownership::Unclaimed => return ctx.deny_new_if_deleting(&snapshot.connection, ctx.create(&hash)),
    };
    facts(snapshot, ctx, status, &seen.object);
    status.remote.applied_hash = Some(readable(applied.as_deref(), &hash));
    if ctx.metadata_wiped() {
        return Decision::steps(vec![Step::WriteIntent { intent: ctx.restored_intent(&hash) }]);
    }
    if ctx.outdated(seen) {
        return Decision::steps(vec![Step::Poll]);
    }
    judge(snapshot, ctx, seen)
}

/// In what a remote target differs from the declared one, as far as the service tells.
fn unlike(snapshot: &Snapshot, remote: &RemoteDataActionTarget) -> Option<String> {
    let differs = |what: &str, told: Option<&String>, wanted: &str| {
        told.filter(|told| *told != wanted).map(|told| format!("its {what} is {told:?}, not {wanted:?}"))
    };
    differs("label", remote.label.as_ref(), &snapshot.label)
        .or_else(|| differs("endpoint", remote.endpoint.as_ref(), &snapshot.endpoint))
        .or_else(|| {
            let kind = remote.kind.as_deref().filter(|kind| !kind.eq_ignore_ascii_case("webhook"))?;
            Some(format!("its type is {kind}, not Webhook"))
        })
}

fn conflict(snapshot: &Snapshot, ctx: &RemoteContext<'_, RemoteDataActionTarget>) -> Option<Decision> {
    ctx.conflict(&snapshot.status.remote, &snapshot.name_claims, |winner| {
        format!(
            "DataActionTarget {winner} holds the name {} on this connection (names that differ only in case count as one): \
             choose another apiName, or delete one of the two",
            ctx.name
        )
    })
}

fn observe(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemoteDataActionTarget>,
    status: &mut DataActionTargetStatus,
) -> Decision {
    let by_id = status.remote.id.as_deref().and_then(|id| ctx.lookup.of_id(id));
    match by_id.or_else(|| ctx.lookup.of_name(ctx.name).first().copied()) {
        Some(seen) => {
            facts(snapshot, ctx, status, &seen.object);
            if ctx.outdated(seen) {
                return Decision::steps(vec![Step::Poll]);
            }
            judge(snapshot, ctx, seen)
        }
        None if !ctx.lookup.complete => Decision::steps(vec![Step::Poll]),
        None => {
            *status = retain_resource_fields(status);
            let text = format!("no data action target {} exists, and managementPolicy Observe creates none", ctx.name);
            Decision::report(ConditionReport::stalled(Reason::RemoteMissing, text))
        }
    }
}

/// How to let go of a target: there is no call that deletes one. Its connection may take it along once it knows.
fn plan_deletion(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemoteDataActionTarget>,
    fits: impl Fn(&RemoteDataActionTarget) -> bool,
    status: &mut DataActionTargetStatus,
) -> Decision {
    let release =
        |orphaned: Option<&str>| Decision::steps(vec![Step::RemoveFinalizer { orphaned: orphaned.map(str::to_owned) }]);
    if let Some(decision) = ctx.deletion_shortcut() {
        return decision;
    }
    let id = ctx.recorded.id.as_deref();
    if snapshot.connection_gone {
        return release(None);
    }
    let seen = match id {
        Some(_) => None,
        None if ctx.create_intent().is_none() => return release(None),
        // What the last word may have brought about is looked for; where nobody can look, it may be left behind.
        None => match (ctx.ownership(fits), &snapshot.owner) {
            (Ownership::Recorded(seen) | Ownership::Intended(seen), _) => Some(seen),
            (Ownership::Foreign(_), _) => return release(None),
            (Ownership::Unclaimed, OwnerState::Unobserved) => return Decision::unchanged(),
            (Ownership::Unclaimed, _) if snapshot.connection == ConnectionState::Unconfirmed => {
                return Decision::unchanged();
            }
            (Ownership::Unclaimed, _) if snapshot.connection.id().is_none() => return release(Some(ctx.name)),
            (Ownership::Unclaimed, _) => return unmade(ctx, release(None)),
        },
    };
    if let Some(seen) = seen {
        // Its connection learns of it by the status.
        *status = take_ownership(status, ctx.open_intent());
        facts(snapshot, ctx, status, &seen.object);
    }
    if snapshot.released {
        return release(id.or_else(|| Some(&seen?.object.id)));
    }
    let text = format!("letting go of data action target {}: its connection is to put that down first", ctx.name);
    Decision::report(ConditionReport::in_progress(Reason::Deleting, text))
}

/// Whether the POST whose answer is not known made nothing.
fn unmade(ctx: &RemoteContext<'_, RemoteDataActionTarget>, release: Decision) -> Decision {
    let text = format!("looking whether data action target {} was created", ctx.name);
    match ctx.lost_call_wait() {
        Some(wait) => Decision::await_remote(ConditionReport::in_progress(Reason::Deleting, text)).requeue_after(wait),
        None if ctx.lookup.complete => release,
        None => Decision::steps(vec![Step::Poll]),
    }
}

fn judge(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemoteDataActionTarget>,
    seen: &Observed<RemoteDataActionTarget>,
) -> Decision {
    let (name, remote) = (ctx.name, &seen.object);
    match remote.phase {
        Phase::Ready => {
            let but = if snapshot.app_id_set { String::new() } else { format!("; but {APP_ID_UNSET}") };
            Decision::report(ConditionReport::ready(
                Reason::Created,
                format!("data action target {name} is created{but}"),
            ))
        }
        Phase::Failed => {
            let cause = remote.error.as_deref().unwrap_or("AppLink gives no cause");
            let first = if snapshot.app_id_set {
                "check that config var HEROKU_APP_ID is the app's UUID"
            } else {
                APP_ID_UNSET
            };
            let text = format!(
                "AppLink says that data action target {name} failed: {cause}. It can neither be tried again nor deleted: \
                 {first}, then create another DataActionTarget with another apiName, or have the connection replaced, with \
                 which all its targets go"
            );
            Decision::report(ConditionReport::stalled(Reason::RemoteFailed, text))
        }
        Phase::Pending => {
            let remedy = "ask Heroku support, or create another DataActionTarget with another apiName";
            ctx.in_progress(Reason::Creating, &remote.status, remedy)
        }
        Phase::Deleting | Phase::Deleted => {
            let text = format!("data action target {name} is being deleted");
            Decision::await_remote(ConditionReport::in_progress(Reason::Deleting, text))
        }
    }
}

/// Writes the remote facts into the status.
fn facts(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemoteDataActionTarget>,
    status: &mut DataActionTargetStatus,
    seen: &RemoteDataActionTarget,
) {
    reset_for_id(status, &seen.id);
    status.connection_id = snapshot.connection.id().map(str::to_owned).or_else(|| status.connection_id.take());
    let remote = &mut status.remote;
    remote.addon_id = ctx.owner_id().map(str::to_owned).or_else(|| remote.addon_id.take());
    remote.remote_status = Some(seen.status.clone());
    merge_known(seen.created_at.as_ref(), &mut remote.created_at);
    merge_known(seen.created_by.as_ref(), &mut remote.created_by);
    merge_org(&seen.org, &mut remote.org);
    if seen.phase == Phase::Ready {
        establish(remote, ctx.now);
    }
}
