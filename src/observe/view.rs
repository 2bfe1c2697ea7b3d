//! What a poller knows of its add-on between two passes, and what a pass brings.
//!
//! Data only: the poller reads and writes it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::cache::AddonCache;
use super::schedule::Schedule;
use super::{Key, Waiters};
use crate::budget::Purpose;
use crate::facts::{AddonFacts, AddonObservation, Outage};

/// What is known.
pub(super) struct PollerState {
    pub(super) live: AddonObservation,
    pub(super) cache: AddonCache,
    /// Which lists did not come, as those who live on the add-on were told.
    pub(super) outages: Vec<(String, Outage)>,
    /// When the targets of a connection that has no list of them were last read one by one, all of them.
    pub(super) read: BTreeMap<String, Timestamp>,
    pub(super) requesters: BTreeSet<Key>,
    /// What the next pass is for.
    pub(super) purpose: Purpose,
    pub(super) waiters: Waiters,
    /// Whether the next pass is to resolve app and add-on anew: the add-on itself asked, or may not be where it was.
    pub(super) anew: bool,
    pub(super) schedule: Schedule,
}

/// What came of a pass that was carried out.
pub(super) struct PassResult {
    pub(super) facts: AddonFacts,
    /// When the listing of connections began: another poller may have made it.
    pub(super) listed: Timestamp,
    /// Whether it proves what it does not show.
    pub(super) whole: bool,
    pub(super) changed_keys: BTreeSet<String>,
}
