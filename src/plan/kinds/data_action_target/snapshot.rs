//! The snapshot of a DataActionTarget: the input of its plan.
//!
//! Pure data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::crd::DataActionTargetStatus;
use crate::facts::{Lookup, RemoteDataActionTarget};
use crate::plan::inputs::digest;
use crate::plan::policies::Policies;
use crate::plan::remote::name_claim::NameClaim;
use crate::plan::remote::{ConnectionState, OwnerState};
use crate::plan::state::ReconcileState;

/// Everything that the plan of a DataActionTarget depends on.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// Remote name.
    pub name: String,
    /// `spec.label`
    pub label: String,
    /// `spec.targetEndpoint`
    pub endpoint: String,
    /// Effective policies.
    pub policies: Policies,
    /// Name of the AppLinkAddon.
    pub owner_name: String,
    /// The add-on.
    pub owner: OwnerState,
    /// The connection.
    pub connection: ConnectionState,
    /// Whether the app has config var `HEROKU_APP_ID`, as far as it is known.
    pub app_id_set: bool,
    /// Whether the Connection has recorded that the target is released, or need not record it.
    pub released: bool,
    /// Whether the connection that it was created on is proved gone, and the target with it.
    pub connection_gone: bool,
    /// Observations under the recorded ID and the name.
    pub lookup: Lookup<RemoteDataActionTarget>,
    /// Other resources that want the name.
    pub name_claims: Vec<NameClaim>,
    /// What the object and this process remember.
    pub state: ReconcileState,
    /// Current status.
    pub status: DataActionTargetStatus,
    /// Time of the plan.
    pub now: Timestamp,
}

impl Snapshot {
    /// Digest of the declared inputs.
    pub(super) fn hash(&self) -> String {
        digest_of(&self.label, &self.name, &self.endpoint)
    }
}

/// Digest of everything that a creation sends.
#[must_use]
pub fn digest_of(label: &str, name: &str, endpoint: &str) -> String {
    digest(&["target", label, name, endpoint, "webhook"])
}
