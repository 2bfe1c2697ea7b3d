//! The rest of a rate limit: a token bucket.
//!
//! Must not depend on who is limited. Called by `account` and, for AppLink's own limit, by `apps`.

use jiff::{SignedDuration, Timestamp};

use crate::settings::seconds;

/// A limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    /// The size of the bucket.
    pub(super) limit: u32,
    /// Requests regained per minute.
    pub(super) per_minute: u32,
}

/// Requests left, and at which time. None before the first request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Budget(Option<(f64, Timestamp)>);

impl Budget {
    /// How many requests are left.
    pub(super) fn remaining(self, rate: Rate, now: Timestamp) -> u32 {
        self.refilled(rate, now) as u32
    }

    /// Spends one request, or returns how long to wait for one.
    pub(super) fn spend(&mut self, rate: Rate, now: Timestamp) -> Result<(), SignedDuration> {
        let left = self.refilled(rate, now);
        if left < 1.0 {
            return Err(seconds((1.0 - left) * 60.0 / f64::from(rate.per_minute)));
        }
        self.0 = Some((left - 1.0, now));
        Ok(())
    }

    fn refilled(self, rate: Rate, now: Timestamp) -> f64 {
        let full = f64::from(rate.limit);
        let Some((left, at)) = self.0 else {
            return full;
        };
        let minutes = now.duration_since(at).as_secs_f64().max(0.0) / 60.0;
        (left + minutes * f64::from(rate.per_minute)).min(full)
    }
}
