//! Slots for reconciles: so many work at a time, over all kinds.
//!
//! One that waits for a permit or for AppLink gives its slot back meanwhile, so that an add-on that hangs holds up no
//! other. What is done in a slot is bounded by the deadlines of the calls to the API server.

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

/// One slot, given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    _permit: Option<OwnedSemaphorePermit>,
    _pulse: Pulse,
}

impl Slots {
    pub(super) fn new(count: usize, liveness: Liveness) -> Self {
        Self { free: Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS))), liveness }
    }

    /// Waits for a slot to work on this object.
    pub(super) async fn take(&self, object: &impl std::fmt::Display) -> Slot {
        // Nobody closes the semaphore.
        let permit = self.free.clone().acquire_owned().await.ok();
        Slot { _permit: permit, _pulse: self.liveness.pulse(&format!("reconcile of {object}"), RECONCILE_LIMIT) }
    }
}
