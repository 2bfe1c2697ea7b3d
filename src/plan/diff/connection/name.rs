//! Which of several Connections a remote name belongs to.
//!
//! Pure. `diff::connection` asks it, `control` looks for the rivals.

use jiff::Timestamp;

use super::Input;
use crate::crd::{ConnectionStatus, Reason};
use crate::plan::live::RemoteConnection;
use crate::plan::memory::{Intent, Memory};
use crate::plan::remote::{Case, Course};
use crate::plan::verdict::Verdict;

/// Another Connection that wants the same name on the same add-on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival {
    /// `namespace/name`
    pub object: String,
    /// Whether it holds the name, by id or by its own intent.
    pub holds: bool,
    /// When it was made.
    pub created: Timestamp,
    /// Its uid.
    pub uid: String,
}

/// Whether a Connection holds its name: its remote object is its own, or it gave the word to create or adopt one.
#[must_use]
pub fn holds(status: &ConnectionStatus, memory: &Memory) -> bool {
    let open = |intent: &Intent| status.answered_attempt.is_none_or(|answered| intent.attempt > answered);
    (status.id.is_some() && status.applied_hash.is_some()) || memory.intent.as_ref().is_some_and(open)
}

/// Who holds a name keeps it; among those who don't, the older wins, then the smaller uid.
pub(super) fn conflict(input: &Input<'_>, case: &Case<'_, RemoteConnection>) -> Option<Course> {
    let rank = (!holds(input.status, input.memory), case.memory.created, case.memory.uid.as_str());
    let winner = input.rivals.iter().min_by_key(|r| (!r.holds, r.created, r.uid.as_str()))?;
    if rank < (!winner.holds, winner.created, winner.uid.as_str()) {
        return None;
    }
    let text = format!(
        "Connection {} holds the name {} on this add-on (names that differ only in case count as one): choose another \
         connectionName, or delete one of the two",
        winner.object, case.name
    );
    Some(Course::say(Verdict::needs_user(Reason::NameConflict, text)))
}
