//! Slots limit how many reconciles run at a time, over all kinds.
//!
//! A reconcile that waits for a permit or for AppLink gives its slot back, so that a hanging add-on does not hold up others.
//! The deadlines of requests to the API server bound the work in a slot.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::liveness::{Liveness, Pulse};
use crate::timing::RECONCILE_LIMIT;

/// The slots of one operator.
#[derive(Debug)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    liveness: Liveness,
}

/// One slot, until this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    _permit: Option<OwnedSemaphorePermit>,
    _pulse: Pulse,
}

impl Slots {
    pub(super) fn new(count: usize, liveness: Liveness) -> Self {
        Self { free: Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS))), liveness }
    }

    /// Waits for a slot for the reconcile of this object.
    pub(super) async fn take(&self, object: &impl std::fmt::Display) -> Slot {
        // The semaphore is never closed.
        let permit = self.free.clone().acquire_owned().await.ok();
        Slot { _permit: permit, _pulse: self.liveness.pulse(&format!("reconcile of {object}"), RECONCILE_LIMIT) }
    }
}
