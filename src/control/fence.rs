//! The fence that every write passes. It closes when the process stops or loses the lease.
//!
//! A reconcile enters it before its first write, `run` drains it, and `guarded` asks it before each request that changes
//! something.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::Clock;

/// Counts the reconciles inside, and admits none while it drains.
#[derive(Clone, Debug)]
pub(super) struct WriteFence {
    inside: Arc<watch::Sender<Inside>>,
    clock: Clock,
}

#[derive(Clone, Copy, Debug, Default)]
struct Inside {
    count: usize,
    draining: bool,
    /// Until when this process may write; `None` without leader election.
    deadline: Option<Deadline>,
}

/// A moment on two clocks, of which the earlier one counts: the monotonic clock may stop while the machine is suspended, and
/// somebody may set the wall clock back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    monotonic: Instant,
    wall: Timestamp,
}

impl Deadline {
    pub(super) fn now(clock: &Clock) -> Self {
        Self { monotonic: Instant::now(), wall: clock.now() }
    }

    /// The moment this long after.
    pub(super) fn after(self, time: Duration) -> Self {
        Self { monotonic: self.monotonic + time, wall: self.wall.checked_add(time).unwrap_or(Timestamp::MAX) }
    }

    pub(super) fn has_passed(&self, clock: &Clock) -> bool {
        Instant::now() >= self.monotonic || clock.now() >= self.wall
    }

    /// When it passes on the monotonic clock.
    pub(super) fn monotonic(&self) -> Instant {
        self.monotonic
    }
}

/// One reconcile inside the fence, until this is dropped.
#[derive(Debug)]
pub(super) struct InFlight(WriteFence);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.inside.send_modify(|inside| inside.count = inside.count.saturating_sub(1));
    }
}

impl WriteFence {
    /// A fence that is open until somebody sets a deadline.
    pub(super) fn new(clock: Clock) -> Self {
        Self { inside: Arc::default(), clock }
    }

    /// Allows writes until this moment.
    pub(super) fn open_until(&self, deadline: Deadline) {
        self.inside.send_modify(|inside| inside.deadline = Some(deadline));
    }

    /// Allows no more writes.
    pub(super) fn close(&self) {
        self.open_until(Deadline::now(&self.clock));
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.inside.borrow().deadline
    }

    /// Whether a reconcile inside may write.
    pub(super) fn is_open(&self) -> bool {
        !self.deadline().is_some_and(|deadline| deadline.has_passed(&self.clock))
    }

    /// Admits one reconcile, unless the process stops or may no longer write.
    pub(super) fn enter(&self) -> Option<InFlight> {
        if !self.is_open() {
            return None;
        }
        let mut entered = false;
        self.inside.send_modify(|inside| {
            entered = !inside.draining;
            inside.count = inside.count.saturating_add(usize::from(entered));
        });
        entered.then(|| InFlight(self.clone()))
    }

    /// Admits no more reconciles, and waits at most this long for those inside. Returns whether all have left.
    pub(super) async fn drain(&self, at_most: Duration) -> bool {
        self.inside.send_modify(|inside| inside.draining = true);
        let mut inside = self.inside.subscribe();
        tokio::time::timeout(at_most, inside.wait_for(|inside| inside.count == 0)).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use jiff::SignedDuration;

    use super::*;

    fn fence() -> WriteFence {
        WriteFence::new(Clock::starting_at(Timestamp::UNIX_EPOCH))
    }

    #[tokio::test(start_paused = true)]
    async fn drain_waits_for_reconciles_inside_and_admits_no_more() {
        let fence = fence();
        let within = fence.enter().expect("open");
        let other = fence.clone();
        let drained = tokio::spawn(async move { other.drain(Duration::from_secs(8)).await });
        tokio::task::yield_now().await;
        assert!(fence.enter().is_none());
        assert!(fence.is_open(), "reconciles inside may finish");
        drop(within);
        assert!(drained.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn drain_gives_up_in_the_end() {
        let fence = fence();
        let _within = fence.enter().expect("open");
        assert!(!fence.drain(Duration::from_secs(8)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn no_reconcile_enters_after_the_deadline() {
        let fence = fence();
        fence.open_until(Deadline::now(&fence.clock).after(Duration::from_secs(10)));
        assert!(fence.enter().is_some());
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(fence.enter().is_none());
        fence.open_until(Deadline::now(&fence.clock).after(Duration::from_secs(1)));
        assert!(fence.enter().is_some());
        fence.close();
        assert!(!fence.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn the_earlier_of_two_clocks_counts() {
        let base = Clock::starting_at(Timestamp::UNIX_EPOCH);
        let was_suspended: &AtomicBool = Box::leak(Box::default());
        let clock = Clock::following(move || {
            let ahead = if was_suspended.load(Ordering::Relaxed) { 60 } else { 0 };
            base.now() + SignedDuration::from_secs(ahead)
        });
        let fence = WriteFence::new(clock);
        fence.open_until(Deadline::now(&clock).after(Duration::from_secs(10)));
        assert!(fence.is_open());
        was_suspended.store(true, Ordering::Relaxed);
        assert!(!fence.is_open(), "the monotonic clock has stood still meanwhile");
    }
}
