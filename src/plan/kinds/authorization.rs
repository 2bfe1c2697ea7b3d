//! The plan of an Authorization: the plan of org access, and the Secret that holds its credential.
//!
//! Pure. The plan never sees the credential, only the state of the Secret and when the operator last wrote it.

mod credentials;

use serde::{Deserialize, Serialize};

pub use self::credentials::{CREDENTIALS_CHECKS, CredentialsSecret};
use self::credentials::{Credentials, with_secret_name};
use super::org_access;
use crate::conditions::StatusUpdate;
use crate::crd::{AuthorizationStatus, OrgAccessStatus, Reason};
use crate::facts::Phase;
use crate::plan::Plan;
use crate::plan::checks::first;
use crate::plan::inputs::{Match, compare};

/// Everything that the plan of an Authorization depends on.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// The part that connections and authorizations share.
    pub access: org_access::Snapshot,
    /// The Secret that the spec names for the credential.
    pub wanted: Option<CredentialsSecret>,
    /// The Secret that the status records.
    pub recorded: Option<CredentialsSecret>,
    /// Current status.
    pub status: AuthorizationStatus,
}

/// What to do next for an Authorization, and what to report.
#[must_use]
pub fn plan(snapshot: &Snapshot) -> Plan<AuthorizationStatus> {
    let plan = org_access::plan(&snapshot.access);
    let credentials = Credentials {
        access: &snapshot.access,
        status: &snapshot.status,
        wanted: snapshot.wanted.as_ref(),
        recorded: snapshot.recorded.as_ref(),
        authorized: authorized(snapshot, &plan),
        plan: &plan,
    };
    first(CREDENTIALS_CHECKS, |check| check(&credentials))
        .unwrap_or_else(|| with_secret_name(plan.clone(), snapshot.recorded.as_ref()))
        .complete(&snapshot.status, &snapshot.access.state, snapshot.access.now)
}

/// Whether the authorization works and belongs to the expected org; `None` if that is unknown. Until the plan reports
/// conditions, the current status counts.
fn authorized(snapshot: &Snapshot, plan: &Plan<OrgAccessStatus>) -> Option<bool> {
    match &plan.update {
        StatusUpdate::SetConditions(report)
            if matches!(report.reason, Reason::AdoptionRefused | Reason::NameConflict) =>
        {
            Some(false)
        }
        StatusUpdate::SetConditions(_) => authorized_by(snapshot, &plan.status),
        _ => authorized_by(snapshot, &snapshot.status.grant),
    }
}

fn authorized_by(snapshot: &Snapshot, status: &OrgAccessStatus) -> Option<bool> {
    let (status, lookup) = (&status.remote, &snapshot.access.lookup);
    let Some(id) = status.id.as_ref() else { return lookup.complete.then_some(false) };
    // A listing alone does not prove that the authorization is gone.
    let Some(observed) = lookup.of_id(id) else { return lookup.deleted_ids.contains(id).then_some(false) };
    let org = status.org.clone().unwrap_or_else(|| observed.object.org.clone());
    let expected = !matches!(compare(&org, snapshot.access.spec.expect.as_ref()), Match::Differs(_));
    Some(observed.object.phase == Phase::Ready && expected)
}
