//! The Secret of a credential: when to write, keep and delete it.
//!
//! Pure. These checks run after the plan of org access, and decide about its result.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::conditions::{ConditionReport, ReadyStatus, StatusUpdate};
use crate::crd::{AuthorizationStatus, OrgAccessStatus, Reason};
use crate::plan::checks::Check;
use crate::plan::kinds::org_access;
use crate::plan::remote::OwnedSecret;
use crate::plan::state::{ReadFailure, ReconcileState};
use crate::plan::{Plan, Step};
use crate::timing::{CREDENTIALS_REFRESH, elapsed, remaining};

/// The Secret of a credential.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CredentialsSecret {
    /// Name of the Secret.
    pub secret: String,
    /// Its state.
    pub state: OwnedSecret,
    /// Whether the operator uses this name for another purpose: it reads a token or key from the Secret, or writes a consent
    /// link to it.
    pub reserved: bool,
}

impl CredentialsSecret {
    fn is_owned(&self) -> bool {
        matches!(self.state, OwnedSecret::Owned { .. })
    }
}

/// Everything that decides about the Secret.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// Snapshot of the authorization.
    pub(super) access: &'a org_access::Snapshot,
    /// Current status.
    pub(super) status: &'a AuthorizationStatus,
    /// The Secret that the spec names.
    pub(super) wanted: Option<&'a CredentialsSecret>,
    /// The Secret that the status records.
    pub(super) recorded: Option<&'a CredentialsSecret>,
    /// Whether the authorization works; `None` if unknown.
    pub(super) authorized: Option<bool>,
    /// Plan of org access.
    pub(super) plan: &'a Plan<OrgAccessStatus>,
}

type Run = fn(&Credentials<'_>) -> Option<Plan<AuthorizationStatus>>;

/// Checks in order; the first one that decides ends the list.
pub const CREDENTIALS_CHECKS: &[Check<Run>] = &[
    Check::new("DELETE_SECRET", |c| {
        Some(c.step(Step::DeleteCredentialsSecret { secret: c.secret_to_delete()?.to_owned() }))
    }),
    Check::new("NOT_NEEDED", |c| c.target().is_none().then(|| with_secret_name(c.plan.clone(), c.recorded))),
    Check::new("SECRET_OWNER", |c| {
        let (wanted, _) = c.target()?;
        let lost_owner = wanted.state == OwnedSecret::NoOwner && !wanted.reserved;
        lost_owner.then(|| c.step(Step::SetSecretOwner { secret: wanted.secret.clone() }))
    }),
    Check::new("SECRET_CONFLICT", |c| {
        let report = secret_conflict(c.wanted?)?;
        Some(with_secret_name(Plan { update: report.into(), ..c.plan.clone() }, None))
    }),
    Check::new("FRESH", keep_fresh),
    Check::new("READ", |c| {
        let (wanted, id) = c.target()?;
        let read = || c.step(Step::WriteCredentialsSecret { id: id.to_owned(), secret: wanted.secret.clone() });
        c.backing_off().is_none().then(read)
    }),
    Check::new("BACK_OFF", |c| {
        let failure = c.backing_off()?;
        let update = report_read_failure(c, c.wanted?, failure);
        let plan = requeue_within(Plan { update, ..c.plan.clone() }, elapsed(c.access.now, failure.until));
        Some(with_secret_name(plan, c.wanted))
    }),
];

impl<'a> Credentials<'a> {
    /// One step; the plan after it reports.
    fn step(&self, step: Step) -> Plan<AuthorizationStatus> {
        let status = self.status.clone();
        Plan { steps: vec![step], update: StatusUpdate::Unchanged, requeue_after: None, status }
    }

    /// The wanted Secret and the ID of the authorization, if the Secret should contain the credential now.
    fn target(&self) -> Option<(&'a CredentialsSecret, &'a str)> {
        let works = match &self.plan.update {
            StatusUpdate::SetConditions(report) => {
                report.ready == ReadyStatus::True || report.reason == Reason::ReplacementRequired
            }
            _ => false,
        };
        let settled = works && self.plan.steps.is_empty() && self.authorized == Some(true);
        self.wanted.zip(self.plan.status.remote.id.as_deref()).filter(|_| settled)
    }

    /// Name of our Secret, if it should no longer contain the credential.
    fn secret_to_delete(&self) -> Option<&'a str> {
        let deletes = self.access.state.deleting
            && self.plan.steps.iter().any(|step| matches!(step, Step::Delete { .. } | Step::RemoveFinalizer { .. }));
        let obsolete = |secret: &CredentialsSecret| {
            let moved = self.wanted.is_none_or(|wanted| wanted.secret != secret.secret);
            deletes || !self.access.policies.suspend && (moved || self.authorized == Some(false))
        };
        let deletable = |secret: &CredentialsSecret| {
            (secret.is_owned() || secret.state == OwnedSecret::NoOwner) && !self.is_undeletable(&secret.secret)
        };
        // The status may not record the wanted Secret yet.
        let mut all = [self.recorded, self.wanted].into_iter().flatten();
        all.find(|secret| deletable(secret) && secret.secret != self.access.oauth_secret_name && obsolete(secret))
            .map(|secret| secret.secret.as_str())
            .or_else(|| self.unrecorded_secret())
    }

    /// Name of a Secret that this process wrote, that the spec no longer names, and that no status records.
    fn unrecorded_secret(&self) -> Option<&'a str> {
        let written = &self.access.state.credentials.written.as_ref()?.secret;
        let known = [self.recorded, self.wanted].into_iter().flatten().any(|secret| secret.secret == *written);
        (!known && !self.access.policies.suspend && !self.is_undeletable(written)).then_some(written.as_str())
    }

    /// Whether the operator failed to delete the Secret, so that the deletion of its owner must not wait for it.
    fn is_undeletable(&self, secret: &str) -> bool {
        let state = &self.access.state;
        state.deleting && state.credentials.undeletable.iter().any(|undeletable| undeletable == secret)
    }

    /// The failure after which the operator does not read the credential again yet.
    fn backing_off(&self) -> Option<&'a ReadFailure> {
        let (state, now) = (&self.access.state, self.access.now);
        state.credentials.failure.as_ref().filter(|failure| is_backing_off(failure, state, now))
    }
}

/// An edit or a request ends the back-off, except one that limits the number of calls.
fn is_backing_off(failure: &ReadFailure, state: &ReconcileState, now: Timestamp) -> bool {
    now < failure.until && (failure.at >= state.changed_at || failure.report.reason == Reason::RateLimited)
}

/// Keeps a Secret that the operator wrote recently.
fn keep_fresh(c: &Credentials<'_>) -> Option<Plan<AuthorizationStatus>> {
    let ((wanted, id), state) = (c.target()?, &c.access.state);
    let written = state.credentials.written.as_ref().filter(|written| written.id == id)?.at;
    let requested = state.requested.is_some() && written < state.changed_at;
    let left = remaining(CREDENTIALS_REFRESH, written, c.access.now).filter(|_| !requested && wanted.is_owned())?;
    Some(with_secret_name(requeue_within(c.plan.clone(), left), Some(wanted)))
}

/// The plan, with the name of the Secret in its status if the Secret contains the credential.
pub(super) fn with_secret_name(
    plan: Plan<OrgAccessStatus>,
    secret: Option<&CredentialsSecret>,
) -> Plan<AuthorizationStatus> {
    // A Secret that is unreadable stays recorded.
    let stays = |secret: &&CredentialsSecret| {
        secret.is_owned() || matches!(secret.state, OwnedSecret::NoOwner | OwnedSecret::Unreadable)
    };
    let name = secret.filter(stays).map(|secret| secret.secret.clone());
    let status = AuthorizationStatus { grant: plan.status, credentials_secret_name: name };
    Plan { steps: plan.steps, update: plan.update, requeue_after: plan.requeue_after, status }
}

/// Why the operator cannot write the credential to this Secret.
fn secret_conflict(wanted: &CredentialsSecret) -> Option<ConditionReport> {
    let secret = &wanted.secret;
    if wanted.reserved {
        let text = format!(
            "credentialsSecretName is {secret}, but the operator reads a token or key from that Secret, or writes a consent \
             link to it. Choose another credentialsSecretName"
        );
        return Some(ConditionReport::stalled(Reason::InvalidSpec, text));
    }
    match &wanted.state {
        OwnedSecret::Foreign => {
            let text = format!(
                "cannot write the credential: Secret {secret} exists and is not owned by this resource. To continue, delete \
                 or rename it, or choose another credentialsSecretName"
            );
            Some(ConditionReport::stalled(Reason::InvalidSpec, text))
        }
        OwnedSecret::OwnedByOther(owner) => {
            let text = format!(
                "cannot write the credential: Secret {secret} belongs to {owner}. Choose another credentialsSecretName"
            );
            Some(ConditionReport::stalled(Reason::InvalidSpec, text))
        }
        OwnedSecret::StaleOwner => {
            let text = format!(
                "Secret {secret} belongs to an earlier resource of this name; waiting until Kubernetes deletes it"
            );
            Some(ConditionReport::in_progress(Reason::Creating, text))
        }
        OwnedSecret::Absent | OwnedSecret::Owned { .. } | OwnedSecret::NoOwner | OwnedSecret::Unreadable => None,
    }
}

/// What to report while the credential is unreadable. A Ready authorization stays Ready, and its message names the cause
/// unless the add-on already reports it.
fn report_read_failure(c: &Credentials<'_>, wanted: &CredentialsSecret, failure: &ReadFailure) -> StatusUpdate {
    let (state, cause) = (&c.access.state, &failure.report);
    let StatusUpdate::SetConditions(report) = &c.plan.update else { return c.plan.update.clone() };
    if report.ready != ReadyStatus::True {
        return report.clone().into();
    }
    if !state.ready {
        return cause.clone().into();
    }
    // The AppLinkAddon reports a short outage.
    if cause.reason.is_outage() && elapsed(failure.since, c.access.now) < CREDENTIALS_REFRESH {
        return if state.is_observed() { report.clone().into() } else { StatusUpdate::Unchanged };
    }
    let what = if wanted.is_owned() { "may be out of date" } else { "is missing" };
    let message = format!("{}, but Secret {} {what}: {}", report.message, wanted.secret, cause.message);
    ConditionReport { message, ..report.clone() }.into()
}

/// The plan, repeated after `left` at the latest.
fn requeue_within(plan: Plan<OrgAccessStatus>, left: SignedDuration) -> Plan<OrgAccessStatus> {
    let left = Duration::try_from(left).unwrap_or_default();
    Plan { requeue_after: Some(plan.requeue_after.map_or(left, |other| other.min(left))), ..plan }
}
