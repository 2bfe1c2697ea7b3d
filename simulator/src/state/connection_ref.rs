//! What a publication or a data action target remembers of its connection.
//!
//! Called by `publication`, `target` and `children`.

use jiff::Timestamp;
use uuid::Uuid;

use super::access::Access;

/// What ties a publication or a data action target to its connection: broken once that disconnects or goes, and for
/// good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectionRef {
    pub(super) connection: Uuid,
    // How many transitions the connection had behind it.
    pub(super) since: usize,
}

impl Access {
    /// Ties something to it.
    pub(super) fn tie(&self, now: Timestamp) -> ConnectionRef {
        let since = self.history().iter().filter(|t| t.at <= now).count();
        ConnectionRef { connection: self.id, since }
    }
}
