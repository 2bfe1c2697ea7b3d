//! The connection of a publication or a data action target. Its remote state counts, not its Ready condition.
//!
//! Pure. `kinds::connection` computes the [`ConnectionState`]; the plans of connection children use it.

use serde::{Deserialize, Serialize};

use super::context::RemoteContext;
use crate::conditions::ConditionReport;
use crate::crd::Reason;
use crate::facts::RemoteObject;
use crate::plan::decision::Decision;
use crate::plan::step::Step;

/// State of the connection that a resource refers to.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// There is no such Connection.
    Missing {
        /// Name of the Connection.
        name: String,
    },
    /// The connection can never be used; the text says why.
    Invalid(String),
    /// The connection cannot be used now; the text says why.
    NotReady(String),
    /// A listing does not show the connection. Its own resource is checking whether it still exists.
    Unconfirmed,
    /// The connection works.
    Ready {
        /// Remote ID.
        id: String,
        /// Name of the Connection.
        name: String,
        /// Whether the Connection is being deleted. Its children stay, but get no new remote objects.
        deleting: bool,
    },
}

impl ConnectionState {
    /// Remote ID, if the connection works.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Ready { id, .. } => Some(id),
            _ => None,
        }
    }
}

impl<R: RemoteObject> RemoteContext<'_, R> {
    /// Check CONNECTION: stops if the Connection does not exist or can never be used.
    #[must_use]
    pub fn connection_error(&self, connection: &ConnectionState) -> Option<Decision> {
        match connection {
            ConnectionState::Missing { name } => {
                let text = format!(
                    "Connection {name} does not exist in this namespace. Create it, or correct spec.connectionRef"
                );
                Some(self.missing_dependency(Reason::DependencyNotFound, text))
            }
            ConnectionState::Invalid(why) => {
                Some(Decision::report(ConditionReport::stalled(Reason::InvalidSpec, why.clone())))
            }
            // Without a readable Connection, the add-on is unknown.
            ConnectionState::NotReady(why) if self.owner_name.is_empty() => {
                Some(self.missing_dependency(Reason::ConnectionNotReady, why.clone()))
            }
            ConnectionState::NotReady(_) | ConnectionState::Unconfirmed | ConnectionState::Ready { .. } => None,
        }
    }

    /// Check CONNECTION_READY: stops while the connection cannot be used.
    #[must_use]
    pub fn connection_not_ready(&self, connection: &ConnectionState) -> Option<Decision> {
        match connection {
            ConnectionState::NotReady(why) => Some(self.missing_dependency(Reason::ConnectionNotReady, why.clone())),
            ConnectionState::Unconfirmed => Some(Decision::unchanged()),
            _ => None,
        }
    }

    /// The decision, unless it would create something on a connection that is being deleted.
    #[must_use]
    pub fn deny_new_if_deleting(&self, connection: &ConnectionState, decision: Decision) -> Decision {
        match connection {
            ConnectionState::Ready { name, deleting: true, .. } if decision.steps.iter().any(Step::mutates) => {
                let text = format!("Connection {name} is being deleted, so the operator creates nothing on it");
                Decision::report(ConditionReport::in_progress(Reason::ConnectionNotReady, text))
            }
            _ => decision,
        }
    }
}
