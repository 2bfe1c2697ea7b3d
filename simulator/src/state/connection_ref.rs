//! What a publication or a data action target remembers of its connection.
//!
//! Called by `publication`, `target` and `children`.

use jiff::Timestamp;
use uuid::Uuid;

use super::org_access::OrgAccess;

/// A reference of a publication or a data action target to its connection. It breaks for good when the connection
/// disconnects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectionRef {
    pub(super) connection: Uuid,
    // How many transitions the connection had when this was created.
    pub(super) since: usize,
}

impl OrgAccess {
    /// A new reference to it.
    pub(super) fn connection_ref(&self, now: Timestamp) -> ConnectionRef {
        let since = self.history().iter().filter(|t| t.at <= now).count();
        ConnectionRef { connection: self.id, since }
    }
}
