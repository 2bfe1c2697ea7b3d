//! State of the add-on that a remote object belongs to.
//!
//! Pure data.

use serde::{Deserialize, Serialize};

use crate::conditions::ConditionReport;

/// State of the add-on that an object belongs to.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub enum OwnerState {
    /// There is no such AppLinkAddon.
    Missing,
    /// This process has not finished the first poll.
    Unobserved,
    /// The add-on is unusable, permanently or for now.
    Unusable {
        /// UUID, if an earlier poll found it.
        id: Option<String>,
        /// What is wrong.
        report: ConditionReport,
        /// Whether the outage has lasted so long that the state of all remote objects is unknown.
        stale: bool,
    },
    /// The add-on answers.
    Ready {
        /// UUID.
        id: String,
    },
}

impl OwnerState {
    /// UUID of the add-on, if known.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Ready { id } => Some(id),
            Self::Unusable { id, .. } => id.as_deref(),
            Self::Missing | Self::Unobserved => None,
        }
    }
}
