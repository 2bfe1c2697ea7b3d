//! The state of a poller between passes, and the result of a pass.
//!
//! Data only: the poller reads and writes it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::cache::AddonCache;
use super::schedule::Schedule;
use super::trigger::Key;
use crate::budget::Purpose;
use crate::facts::{AddonFacts, AddonObservation, Outage};

/// State of one add-on.
pub(super) struct PollerState {
    pub(super) live: AddonObservation,
    pub(super) cache: AddonCache,
    /// Failed lists, as already reported to the objects on the add-on.
    pub(super) outages: Vec<(String, Outage)>,
    /// For connections without a list of targets: when all targets were last read one by one.
    pub(super) read: BTreeMap<String, Timestamp>,
    pub(super) requesters: BTreeSet<Key>,
    /// Purpose of the next pass.
    pub(super) purpose: Purpose,
    /// Objects that wait for the service, and since when.
    pub(super) waiters: BTreeMap<Key, Timestamp>,
    /// Look up the app and the add-on again in the next pass.
    pub(super) resolve_again: bool,
    pub(super) schedule: Schedule,
}

/// Result of a successful pass.
pub(super) struct PassResult {
    pub(super) facts: AddonFacts,
    /// When the listing of connections began, perhaps by another poller.
    pub(super) listed: Timestamp,
    /// Whether all listings were complete.
    pub(super) whole: bool,
    pub(super) changed_keys: BTreeSet<String>,
}
