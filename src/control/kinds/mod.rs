//! Every kind, one file each. [`each`] lists them all.
//!
//! A kind's file says what it refers to, gathers its snapshot, and names the endpoints that its steps call. `org_access` and
//! `connection_child` are what several kinds share. Nothing here decides.

mod addon;
mod answer;
mod authorization;
mod connection;
mod connection_child;
mod data_action_target;
mod name_claims;
mod org_access;
mod publication;
mod read;

use super::effects::Effects;
use crate::crd::{AppLinkAddon, Authorization, Connection, DataActionTarget, Publication};

pub(super) use connection_child::on_connection;

/// Does the same for every kind.
pub(super) trait ForEach {
    /// Does it for one kind.
    fn kind<K: Effects>(&mut self);
}

/// Visits every kind. A kind is registered here.
pub(super) fn each(visitor: &mut impl ForEach) {
    visitor.kind::<AppLinkAddon>();
    visitor.kind::<Connection>();
    visitor.kind::<Authorization>();
    visitor.kind::<Publication>();
    visitor.kind::<DataActionTarget>();
}
