//! What publications and data action targets need of their connection.
//!
//! Called by `publications`, `targets` and their files in `http`.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection_ref::ConnectionRef;
use super::{Collection, OrgAccess, Provider, StateError, Status, Transition, World};

impl World {
    /// The connection that a path segment names, in any status.
    pub fn connection_to(
        &self,
        provider: Provider,
        addon: Uuid,
        key: &str,
        now: Timestamp,
    ) -> Result<&OrgAccess, StateError> {
        let found = match provider {
            Provider::Salesforce => self.find_called(Collection::Connections, addon, key, now),
            // Only these routes accept an org id.
            Provider::DataCloud => self.find(Collection::Connections, addon, key, now),
        };
        found.into_iter().find(|c| c.provider == provider).ok_or(StateError::NoRecord)
    }

    /// The connection of this id, if it is connected.
    pub(super) fn connected(&self, id: Uuid, provider: Provider, now: Timestamp) -> Result<&OrgAccess, StateError> {
        let connection = self.org_access(id)?;
        let of_kind = connection.collection == Collection::Connections && connection.provider == provider;
        match connection.status_at(now).filter(|_| of_kind) {
            None => Err(StateError::NoRecord),
            Some(Status::Connected) => Ok(connection),
            Some(status) => Err(StateError::NotConnected(status.clone())),
        }
    }

    /// Whether a reference is not broken at some time.
    pub(super) fn is_intact(&self, connection_ref: ConnectionRef, at: Timestamp) -> bool {
        let breaks = |t: &Transition| matches!(t.to, None | Some(Status::Disconnected));
        let connection = self.org_access(connection_ref.connection);
        connection.is_ok_and(|c| !c.history().iter().skip(connection_ref.since).any(|t| t.at <= at && breaks(t)))
    }

    /// The name of an app. Empty if there is no such app.
    pub(super) fn app_name(&self, id: Uuid) -> String {
        let app = self.apps.iter().find(|app| app.id == id);
        app.map(|app| app.name.clone()).unwrap_or_default()
    }
}
