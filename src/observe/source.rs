//! What a poller polls: an owner of remote objects, whose calls and cache only its source knows.
//!
//! Interfaces only. `addon` is the source for an AppLink add-on.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::trigger::Key;
use crate::budget::{Purpose, Refused};
use crate::conditions::ConditionReport;
use crate::liveness::Pulse;

/// An owner of remote objects, such as an add-on. It makes the calls of a pass and keeps what they show.
pub trait Source: Send + Sync + 'static {
    /// Remote ID of the owner, once it is known.
    fn owner_id(&self) -> Option<String>;
    /// Interval between regular polls.
    fn poll(&self) -> SignedDuration;
    /// Whether enough calls are left for frequent polls.
    fn is_plenty(&self) -> bool;
    /// Makes one pass: a few calls, however many objects there are.
    fn pass(&self, pass: Pass<'_>) -> impl Future<Output = Result<PassResult, PassFailure>> + Send;
}

/// One pass that begins now.
pub struct Pass<'a> {
    /// When it begins.
    pub began: Timestamp,
    /// What it is for.
    pub purpose: Purpose,
    /// The objects that requested it.
    pub requesters: &'a BTreeSet<Key>,
    /// The objects that wait for the service.
    pub waiting: BTreeSet<Key>,
    /// When the last finished pass began.
    pub last: Option<Timestamp>,
    /// The heartbeat of the poller.
    pub pulse: &'a Pulse,
}

/// Result of a successful pass.
#[derive(Debug, Default)]
pub struct PassResult {
    /// Whether all listings were complete.
    pub whole: bool,
    /// Age of the listings, if another poller made them.
    pub age: SignedDuration,
    /// Whether what the resource of the owner reports has changed.
    pub owner_changed: bool,
    /// Whether something has changed that concerns every object of the owner.
    pub all_changed: bool,
    /// IDs and names of the remote objects that changed.
    pub changed_keys: BTreeSet<String>,
}

/// Why a pass failed.
#[derive(Debug)]
pub struct PassFailure {
    /// Conditions to report.
    pub report: ConditionReport,
    /// How long the service asked to wait.
    pub retry_after: Option<Duration>,
    /// Set if the call budget refused the pass.
    pub refused: Option<Refused>,
}
