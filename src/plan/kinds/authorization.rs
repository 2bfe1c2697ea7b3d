//! The plan of one Authorization: that of granted access, and the Secret that keeps its credential where the user asks
//! for one.
//!
//! Pure. The credential itself never comes here: the plan sees whose the Secret is, and when it was last written.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::org_access;
use crate::conditions::{ConditionReport, ReadyStatus, StatusUpdate};
use crate::crd::{AuthorizationStatus, OrgAccessStatus, Reason};
use crate::facts::Phase;
use crate::plan::inputs::{Match, compare};
use crate::plan::remote::{OwnedSecret, elapsed};
use crate::plan::state::{ReadFailure, ReconcileState};
use crate::plan::{Plan, Step};

/// Salesforce ends a session after 15 minutes without use at the earliest; by then it has been read three times.
const REFRESH: SignedDuration = SignedDuration::from_mins(5);

/// The Secret of a credential.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CredentialsSecret {
    /// Its name.
    pub secret: String,
    /// What stands under that name.
    pub there: OwnedSecret,
    /// Whether that name is for what the operator reads, or hands over.
    pub reserved: bool,
}

/// All that an Authorization's plan depends on.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// What connections have, too.
    pub access: org_access::Snapshot,
    /// The Secret that the spec names for the credential.
    pub wanted: Option<CredentialsSecret>,
    /// The Secret that the status records.
    pub kept: Option<CredentialsSecret>,
    /// The status as it is.
    pub status: AuthorizationStatus,
}

/// What to do next for an Authorization, and what to say of it.
#[must_use]
pub fn plan(snapshot: &Snapshot) -> Plan<AuthorizationStatus> {
    let plan = org_access::plan(&snapshot.access);
    // What is said is said of what the new status records; until then the old one counts.
    let standing = match &plan.update {
        StatusUpdate::SetConditions(said) if matches!(said.reason, Reason::AdoptionRefused | Reason::NameConflict) => {
            Some(false)
        }
        StatusUpdate::SetConditions(_) => standing(snapshot, &plan.status),
        _ => standing(snapshot, &snapshot.status.grant),
    };
    if let Some(secret) = superfluous(snapshot, &plan, standing) {
        let steps = vec![Step::DeleteCredentialsSecret { secret: secret.to_owned() }];
        return Plan { steps, update: StatusUpdate::Unchanged, requeue_after: None, status: snapshot.status.clone() };
    }
    let good = match &plan.update {
        StatusUpdate::SetConditions(said) => {
            said.ready == ReadyStatus::True || said.reason == Reason::ReplacementRequired
        }
        _ => false,
    };
    let id = plan.status.remote.id.clone();
    match (&snapshot.wanted, id) {
        (Some(wanted), Some(id)) if good && plan.steps.is_empty() && standing == Some(true) => {
            keep(snapshot, wanted, &id, plan)
        }
        _ => done(plan, snapshot.kept.as_ref()),
    }
}

/// The plan, with what its status says of the Secret: that it keeps the credential, where it does.
fn done(plan: Plan<OrgAccessStatus>, kept: Option<&CredentialsSecret>) -> Plan<AuthorizationStatus> {
    // What cannot be read stays recorded.
    let stays = |kept: &&CredentialsSecret| {
        is_ours(kept) || matches!(kept.there, OwnedSecret::NoOwner | OwnedSecret::Unreadable)
    };
    let secret = kept.filter(stays).map(|kept| kept.secret.clone());
    let status = AuthorizationStatus { grant: plan.status, credentials_secret_name: secret };
    Plan { steps: plan.steps, update: plan.update, requeue_after: plan.requeue_after, status }
}

fn is_ours(kept: &CredentialsSecret) -> bool {
    matches!(kept.there, OwnedSecret::Owned { .. })
}

/// A Secret of ours with a credential that is to be kept in it no longer.
fn superfluous<'a>(snapshot: &'a Snapshot, plan: &Plan<OrgAccessStatus>, standing: Option<bool>) -> Option<&'a str> {
    let ends = snapshot.access.state.deleting
        && plan.steps.iter().any(|step| matches!(step, Step::Delete { .. } | Step::RemoveFinalizer { .. }));
    let is_over = |kept: &CredentialsSecret| {
        let elsewhere = snapshot.wanted.as_ref().is_none_or(|wanted| wanted.secret != kept.secret);
        ends || !snapshot.access.policies.suspend && (elsewhere || standing == Some(false))
    };
    // One that was written may not be recorded yet.
    let both = [&snapshot.kept, &snapshot.wanted].into_iter().flatten();
    let removable = |kept: &&CredentialsSecret| {
        (is_ours(kept) || kept.there == OwnedSecret::NoOwner) && !left_behind(snapshot, &kept.secret)
    };
    let mut over =
        both.filter(|kept| removable(kept) && kept.secret != snapshot.access.oauth_secret_name && is_over(kept));
    over.next().map(|kept| kept.secret.as_str()).or_else(|| renamed(snapshot))
}

/// The Secret that was written under a name that is wanted no longer, and that no status came to record.
fn renamed(snapshot: &Snapshot) -> Option<&str> {
    let state = &snapshot.access.state;
    let written = &state.credentials.written.as_ref()?.secret;
    let known = |kept: &CredentialsSecret| kept.secret == *written;
    let is_known = snapshot.kept.as_ref().is_some_and(known) || snapshot.wanted.as_ref().is_some_and(known);
    (!is_known && !snapshot.access.policies.suspend && !left_behind(snapshot, written)).then_some(written.as_str())
}

/// Whether the Secret could not be deleted, and the deletion of its owner must not wait for that.
fn left_behind(snapshot: &Snapshot, secret: &str) -> bool {
    let state = &snapshot.access.state;
    state.deleting && state.credentials.undeletable.iter().any(|left| left == secret)
}

/// Whether what this status records is authorized, and for whom it is to be; nothing where that is not known.
fn standing(snapshot: &Snapshot, status: &OrgAccessStatus) -> Option<bool> {
    let (status, live) = (&status.remote, &snapshot.access.lookup);
    let Some(id) = status.id.as_ref() else { return live.complete.then_some(false) };
    // The silence of a list is not the end of it.
    let Some(seen) = live.of_id(id) else { return live.deleted_ids.contains(id).then_some(false) };
    let org = status.org.clone().unwrap_or_else(|| seen.object.org.clone());
    let expected = !matches!(compare(&org, snapshot.access.spec.expect.as_ref()), Match::Differs(_));
    Some(seen.object.phase == Phase::Ready && expected)
}

/// How to keep the credential of what is authorized.
fn keep(
    snapshot: &Snapshot,
    wanted: &CredentialsSecret,
    id: &str,
    plan: Plan<OrgAccessStatus>,
) -> Plan<AuthorizationStatus> {
    let (state, now) = (&snapshot.access.state, snapshot.access.now);
    if wanted.there == OwnedSecret::NoOwner && !wanted.reserved {
        let steps = vec![Step::SetSecretOwner { secret: wanted.secret.clone() }];
        return Plan { steps, update: StatusUpdate::Unchanged, requeue_after: None, status: snapshot.status.clone() };
    }
    let say = |report: ConditionReport| Plan { update: report.into(), ..plan.clone() };
    if let Some(report) = no_place(wanted) {
        return done(say(report), None);
    }
    let kept = state.credentials.written.as_ref().filter(|kept| kept.id == id).map(|kept| kept.at);
    let fresh = kept
        .filter(|at| !state.requested || *at >= state.changed_at)
        .map(|at| REFRESH.saturating_sub(elapsed(at, now)));
    if let Some(left) = fresh.filter(|left| left.is_positive() && is_ours(wanted)) {
        return done(sooner(plan, left), Some(wanted));
    }
    let Some(failure) = state.credentials.failure.as_ref().filter(|failure| rests(failure, state, now)) else {
        let steps = vec![Step::WriteCredentialsSecret { id: id.to_owned(), secret: wanted.secret.clone() }];
        return Plan { steps, update: StatusUpdate::Unchanged, requeue_after: None, status: snapshot.status.clone() };
    };
    let update = untouched(snapshot, wanted, &plan.update, failure);
    done(sooner(Plan { update, ..plan }, elapsed(now, failure.until)), Some(wanted))
}

/// Why no credential can be kept in that Secret, if so.
fn no_place(wanted: &CredentialsSecret) -> Option<ConditionReport> {
    let secret = &wanted.secret;
    if wanted.reserved {
        let text = format!(
            "credentialsSecretName is {secret}, the Secret from which a token or key is read, or in which a link is handed over: \
             choose another one"
        );
        return Some(ConditionReport::stalled(Reason::InvalidSpec, text));
    }
    match wanted.there {
        OwnedSecret::Foreign => {
            let text = format!(
                "the credential belongs into Secret {secret}, but a Secret of that name exists that is not this resource's: \
                 delete or rename it, or choose another credentialsSecretName"
            );
            Some(ConditionReport::stalled(Reason::InvalidSpec, text))
        }
        OwnedSecret::OwnedByOther(ref owner) => {
            let text = format!(
                "credentialsSecretName is {secret}, but that is a Secret of {owner}: choose another credentialsSecretName"
            );
            Some(ConditionReport::stalled(Reason::InvalidSpec, text))
        }
        OwnedSecret::StaleOwner => {
            let text = format!(
                "Secret {secret} belongs to an earlier resource of this name; waiting until Kubernetes removes it"
            );
            Some(ConditionReport::in_progress(Reason::Creating, text))
        }
        OwnedSecret::Absent | OwnedSecret::Owned { .. } | OwnedSecret::NoOwner | OwnedSecret::Unreadable => None,
    }
}

/// Whether the credential is not asked for again yet, since it could not be read. An edit or a request ends that, but for
/// a limit of calls.
fn rests(failure: &ReadFailure, state: &ReconcileState, now: Timestamp) -> bool {
    now < failure.until && (failure.at >= state.changed_at || failure.report.reason == Reason::RateLimited)
}

/// What to say while the credential cannot be read: what was Ready stays so, and tells what is wrong where nobody else
/// does.
fn untouched(
    snapshot: &Snapshot,
    wanted: &CredentialsSecret,
    said: &StatusUpdate,
    failure: &ReadFailure,
) -> StatusUpdate {
    let (state, trouble) = (&snapshot.access.state, &failure.report);
    let StatusUpdate::SetConditions(said) = said else { return said.clone() };
    if said.ready != ReadyStatus::True {
        return said.clone().into();
    }
    if !state.ready {
        return trouble.clone().into();
    }
    // An outage is the add-on's to tell.
    if trouble.reason.is_outage() && elapsed(failure.since, snapshot.access.now) < REFRESH {
        return if state.is_observed() { said.clone().into() } else { StatusUpdate::Unchanged };
    }
    let what = if is_ours(wanted) { "may be out of date" } else { "is missing" };
    let text = format!("{}; but Secret {} {what}: {}", said.message, wanted.secret, trouble.message);
    ConditionReport { message: text, ..said.clone() }.into()
}

/// The same plan, made again after `left` at the latest.
fn sooner(plan: Plan<OrgAccessStatus>, left: SignedDuration) -> Plan<OrgAccessStatus> {
    let left = Duration::try_from(left).unwrap_or_default();
    Plan { requeue_after: Some(plan.requeue_after.map_or(left, |again| again.min(left))), ..plan }
}
