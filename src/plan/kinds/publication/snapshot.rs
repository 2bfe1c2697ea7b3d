//! The snapshot of a Publication: the input of its plan.
//!
//! Pure data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::conditions::ConditionReport;
use crate::crd::PublicationStatus;
use crate::facts::{Lookup, RemotePublication};
use crate::plan::inputs::publication::PublicationInputs;
use crate::plan::policies::Policies;
use crate::plan::remote::name_claim::NameClaim;
use crate::plan::remote::{ConnectionState, OwnerState};
use crate::plan::state::ReconcileState;

/// Everything that the plan of a Publication depends on.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// `spec.clientName`
    pub client_name: String,
    /// Effective policies.
    pub policies: Policies,
    /// Name of the AppLinkAddon.
    pub owner_name: String,
    /// The add-on.
    pub owner: OwnerState,
    /// UUID of the app, once it is known.
    pub app: String,
    /// The connection.
    pub connection: ConnectionState,
    /// Whether the connection that it was published on is proved gone, and the publication with it.
    pub connection_gone: bool,
    /// Digest of the inputs, or why they are unusable.
    pub inputs: Result<PublicationInputs, ConditionReport>,
    /// Observations of the app's publication on the connection.
    pub lookup: Lookup<RemotePublication>,
    /// Other resources that publish the same app on the same connection.
    pub name_claims: Vec<NameClaim>,
    /// What the object and this process remember.
    pub state: ReconcileState,
    /// Current status.
    pub status: PublicationStatus,
    /// Time of the plan.
    pub now: Timestamp,
}
