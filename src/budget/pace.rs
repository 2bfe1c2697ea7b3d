//! A token bucket.
//!
//! Pure: the caller passes the time. One bucket spreads polls out; another one follows what Heroku reports for an account.

use std::time::Duration;

use tokio::time::Instant;

/// Stored as the time at which it will be full. That is exact and needs no refill timer.
#[derive(Debug)]
pub(super) struct Pace {
    size: u32,
    /// Time in which one token is refilled.
    interval: Duration,
    full_at: Instant,
}

impl Pace {
    /// A full bucket.
    pub(super) fn new(now: Instant, size: u32, interval: Duration) -> Self {
        Self { size, interval, full_at: now }
    }

    /// The tokens in it.
    pub(super) fn left(&self, now: Instant) -> u32 {
        let missing = self.full_at.saturating_duration_since(now).as_nanos().div_ceil(self.interval.as_nanos());
        self.size.saturating_sub(u32::try_from(missing).unwrap_or(u32::MAX))
    }

    /// How long until it has this many tokens, or until it is full if it is smaller.
    pub(super) fn until(&self, now: Instant, wanted: u32) -> Duration {
        let enough = self.interval * self.size.saturating_sub(wanted);
        self.full_at.saturating_duration_since(now).saturating_sub(enough)
    }

    /// Takes tokens, even if it does not have them.
    pub(super) fn take(&mut self, now: Instant, count: u32) {
        self.full_at = self.full_at.max(now) + self.interval * count;
    }

    /// Lowers the tokens to at most this many.
    pub(super) fn lower(&mut self, now: Instant, left: u32) {
        self.full_at = self.full_at.max(now + self.interval * self.size.saturating_sub(left));
    }

    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}
