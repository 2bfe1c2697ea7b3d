//! Name claims: which of several resources a remote name belongs to.
//!
//! Pure. `control` collects the claims of other resources.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::context::RemoteContext;
use crate::conditions::ConditionReport;
use crate::crd::{Reason, RemoteStatus};
use crate::facts::RemoteObject;
use crate::plan::decision::Decision;
use crate::plan::state::{Intent, ReconcileState};

/// Another resource that wants the same name on the same add-on or connection.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameClaim {
    /// `namespace/name`
    pub object: String,
    /// Whether the resource holds the name, by its remote object or by its own intent.
    pub holds: bool,
    /// `metadata.creationTimestamp`
    pub created: Timestamp,
    /// `metadata.uid`
    pub uid: String,
}

impl NameClaim {
    /// Claim of the object `namespace/name`, from its status and reconcile state.
    #[must_use]
    pub fn new(object: String, status: &RemoteStatus, state: ReconcileState) -> Self {
        Self { object, holds: holds(status, &state), created: state.created, uid: state.uid }
    }

    fn rank(&self) -> (bool, Timestamp, &str) {
        (!self.holds, self.created, self.uid.as_str())
    }
}

/// Whether a resource holds its name: it owns the remote object, or it wrote an intent to create or adopt one.
#[must_use]
pub fn holds(status: &RemoteStatus, state: &ReconcileState) -> bool {
    let open = |intent: &Intent| status.answered_attempt.is_none_or(|answered| intent.attempt > answered);
    (status.id.is_some() && status.applied_hash.is_some()) || state.intent.as_ref().is_some_and(open)
}

impl<R: RemoteObject> RemoteContext<'_, R> {
    /// Check NAME: stops if the name belongs to another resource. The holder keeps a name; otherwise the older resource
    /// gets it, then the one with the smaller UID. `text` makes the message from the name of that resource.
    pub fn conflict(
        &self,
        status: &RemoteStatus,
        name_claims: &[NameClaim],
        text: impl FnOnce(&str) -> String,
    ) -> Option<Decision> {
        let rank = (!holds(status, self.state), self.state.created, self.state.uid.as_str());
        let winner = name_claims.iter().min_by(|a, b| a.rank().cmp(&b.rank()))?;
        (rank >= winner.rank())
            .then(|| Decision::report(ConditionReport::stalled(Reason::NameConflict, text(&winner.object))))
    }
}
