//! A token bucket: so many at once, and the rest one after another.
//!
//! Pure: whoever asks says what time it is. Polls are spread out by one; another is the account as Heroku describes it.

use std::time::Duration;

use tokio::time::Instant;

/// Stored as the time at which it will be full. That is exact and needs no refill timer.
#[derive(Debug)]
pub(super) struct Pace {
    size: u32,
    /// Time in which one is refilled.
    interval: Duration,
    full_at: Instant,
}

impl Pace {
    /// A full bucket.
    pub(super) fn new(now: Instant, size: u32, interval: Duration) -> Self {
        Self { size, interval, full_at: now }
    }

    /// What is in it.
    pub(super) fn left(&self, now: Instant) -> u32 {
        let missing = self.full_at.saturating_duration_since(now).as_nanos().div_ceil(self.interval.as_nanos());
        self.size.saturating_sub(u32::try_from(missing).unwrap_or(u32::MAX))
    }

    /// How long until so many are in it; for more than its size, until it is full.
    pub(super) fn until(&self, now: Instant, wanted: u32) -> Duration {
        let enough = self.interval * self.size.saturating_sub(wanted);
        self.full_at.saturating_duration_since(now).saturating_sub(enough)
    }

    /// Takes so many, also if they are not in it.
    pub(super) fn take(&mut self, now: Instant, count: u32) {
        self.full_at = self.full_at.max(now) + self.interval * count;
    }

    /// At most so many are left.
    pub(super) fn lower(&mut self, now: Instant, left: u32) {
        self.full_at = self.full_at.max(now + self.interval * self.size.saturating_sub(left));
    }

    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}
