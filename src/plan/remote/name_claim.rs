//! Which of several resources a remote name belongs to.
//!
//! Pure. The kinds' plans ask it, `control` looks for the rivals.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Decision, RemoteContext};
use crate::conditions::ConditionReport;
use crate::crd::{Reason, RemoteStatus};
use crate::facts::RemoteObject;
use crate::plan::state::{Intent, ReconcileState};

/// Another resource that wants the same name at the same place.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameClaim {
    /// `namespace/name`
    pub object: String,
    /// Whether it holds the name, by id or by its own intent.
    pub holds: bool,
    /// When it was made.
    pub created: Timestamp,
    /// Its uid.
    pub uid: String,
}

impl NameClaim {
    /// What the object `namespace/name` is to others, by its status and memory.
    #[must_use]
    pub fn new(object: String, status: &RemoteStatus, state: ReconcileState) -> Self {
        Self { object, holds: holds(status, &state), created: state.created, uid: state.uid }
    }

    fn rank(&self) -> (bool, Timestamp, &str) {
        (!self.holds, self.created, self.uid.as_str())
    }
}

/// Whether a resource holds its name: its remote object is its own, or it gave the word to create or adopt one.
#[must_use]
pub fn holds(status: &RemoteStatus, state: &ReconcileState) -> bool {
    let open = |intent: &Intent| status.answered_attempt.is_none_or(|answered| intent.attempt > answered);
    (status.id.is_some() && status.applied_hash.is_some()) || state.intent.as_ref().is_some_and(open)
}

impl<R: RemoteObject> RemoteContext<'_, R> {
    /// Who holds a name keeps it; among those who don't, the older wins, then the smaller uid. `text` tells of the winner,
    /// where that is another than this, what can be done.
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
