//! What a connection is to those who live on it: what counts is its remote state, not its Ready.
//!
//! Pure. `diff::connection` judges it, the plans of publications and targets wait for it.

use super::{Decision, RemoteContext};
use crate::conditions::ConditionReport;
use crate::crd::Reason;
use crate::facts::RemoteObject;
use crate::plan::Step;
use serde::{Deserialize, Serialize};

/// The connection that a resource refers to.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// There is no such Connection.
    Missing {
        /// Its name.
        name: String,
    },
    /// It can never serve: why.
    Invalid(String),
    /// It cannot serve now: why.
    NotReady(String),
    /// Only a list's silence speaks against it; its own resource is finding out.
    Unconfirmed,
    /// It is connected.
    Ready {
        /// Its id in AppLink.
        id: String,
        /// Its name.
        name: String,
        /// Whether its resource is being deleted: what lives on it stays, but nothing new comes.
        deleting: bool,
    },
}

impl ConnectionState {
    /// Its id, where it is connected.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Ready { id, .. } => Some(id),
            _ => None,
        }
    }
}

impl<R: RemoteObject> RemoteContext<'_, R> {
    /// What to say where there is no such Connection, or it can never serve.
    #[must_use]
    pub fn connection_error(&self, parent: &ConnectionState) -> Option<Decision> {
        match parent {
            ConnectionState::Missing { name } => {
                let text = format!("Connection {name} does not exist in this namespace; waiting for it");
                Some(self.missing_dependency(Reason::DependencyNotFound, text))
            }
            ConnectionState::Invalid(why) => {
                Some(Decision::report(ConditionReport::stalled(Reason::InvalidSpec, why.clone())))
            }
            // Without its Connection, nobody knows its add-on.
            ConnectionState::NotReady(why) if self.owner_name.is_empty() => {
                Some(self.missing_dependency(Reason::ConnectionNotReady, why.clone()))
            }
            ConnectionState::NotReady(_) | ConnectionState::Unconfirmed | ConnectionState::Ready { .. } => None,
        }
    }

    /// What to say while it cannot serve.
    #[must_use]
    pub fn connection_not_ready(&self, parent: &ConnectionState) -> Option<Decision> {
        match parent {
            ConnectionState::NotReady(why) => Some(self.missing_dependency(Reason::ConnectionNotReady, why.clone())),
            ConnectionState::Unconfirmed => Some(Decision::unchanged()),
            _ => None,
        }
    }

    /// The course, unless it would make something on a connection that is about to go.
    #[must_use]
    pub fn deny_new_if_deleting(&self, parent: &ConnectionState, decision: Decision) -> Decision {
        match parent {
            ConnectionState::Ready { name, deleting: true, .. } if decision.steps.iter().any(Step::mutates) => {
                let text = format!("Connection {name} is being deleted; nothing is made on it any more");
                Decision::report(ConditionReport::in_progress(Reason::ConnectionNotReady, text))
            }
            _ => decision,
        }
    }
}
