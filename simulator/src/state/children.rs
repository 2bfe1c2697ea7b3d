//! What hangs on a connection: which connection a path means, and whether the tie to it still holds.
//!
//! Must not know what hangs there. Called by `publications`, `targets` and their files in `http`.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection_ref::ConnectionRef;
use super::{Access, Collection, Provider, StateError, Status, Transition, World};

impl World {
    /// The connection that a path means below the segment of this provider, whatever its status.
    pub fn connection_to(
        &self,
        provider: Provider,
        addon: Uuid,
        key: &str,
        now: Timestamp,
    ) -> Result<&Access, StateError> {
        let found = match provider {
            Provider::Salesforce => self.find_called(Collection::Connections, addon, key, now),
            // Only here an org id will do.
            Provider::DataCloud => self.find(Collection::Connections, addon, key, now),
        };
        found.into_iter().find(|c| c.provider == provider).ok_or(StateError::NoRecord)
    }

    /// The connection of this id, for what needs it in working order.
    pub(super) fn working(&self, id: Uuid, provider: Provider, now: Timestamp) -> Result<&Access, StateError> {
        let connection = self.access(id)?;
        let of_kind = connection.collection == Collection::Connections && connection.provider == provider;
        match connection.status_at(now).filter(|_| of_kind) {
            None => Err(StateError::NoRecord),
            Some(Status::Connected) => Ok(connection),
            Some(status) => Err(StateError::NotConnected(status.clone())),
        }
    }

    /// Whether a tie holds at a moment.
    pub(super) fn holds(&self, tie: ConnectionRef, at: Timestamp) -> bool {
        let ends = |t: &Transition| matches!(t.to, None | Some(Status::Disconnected));
        let connection = self.access(tie.connection);
        connection.is_ok_and(|c| !c.history().iter().skip(tie.since).any(|t| t.at <= at && ends(t)))
    }

    /// The name of an app, as far as it is known.
    pub(super) fn app_name(&self, id: Uuid) -> String {
        let app = self.apps.iter().find(|app| app.id == id);
        app.map(|app| app.name.clone()).unwrap_or_default()
    }
}
