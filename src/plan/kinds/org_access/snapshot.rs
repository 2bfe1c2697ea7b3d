//! The snapshot of a connection or an authorization: the input of its plan.
//!
//! Pure data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::conditions::ConditionReport;
use crate::crd::{AuthSpec, OrgAccessStatus};
use crate::facts::{Lookup, OrgAccessKind, RemoteOrgAccess};
use crate::plan::inputs::OrgAccessInputs;
use crate::plan::policies::Policies;
use crate::plan::remote::name_claim::NameClaim;
use crate::plan::remote::{OwnedSecret, OwnerState};
use crate::plan::state::ReconcileState;

/// Everything that the plan of a connection or an authorization depends on.
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
    /// Effective policies.
    pub policies: Policies,
    /// The add-on.
    pub owner: OwnerState,
    /// Digest of the inputs, or why they are unusable.
    pub inputs: Result<OrgAccessInputs, ConditionReport>,
    /// Name of the OAuth Secret.
    pub oauth_secret_name: String,
    /// State of the OAuth Secret.
    pub oauth_secret: OwnedSecret,
    /// Observations under the recorded ID and the name.
    pub lookup: Lookup<RemoteOrgAccess>,
    /// Other resources that want the name.
    pub name_claims: Vec<NameClaim>,
    /// What the object and this process remember.
    pub state: ReconcileState,
    /// Current status.
    pub status: OrgAccessStatus,
    /// Time of the plan.
    pub now: Timestamp,
}

impl Snapshot {
    /// Whether there is an OAuth Secret that the operator may delete.
    pub(super) fn has_oauth_secret(&self) -> bool {
        matches!(self.oauth_secret, OwnedSecret::Owned { .. } | OwnedSecret::NoOwner)
    }
}
