//! When to poll an owner next.
//!
//! Pure. The poller asks it, and reports each result.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::budget::Purpose;
use crate::timing::{FAST_POLL, FIRST_FAST_POLL, MIN_STALE_AFTER, doubling};

/// The pause until the next poll for an object that has waited this long: short at first, later half of the time waited.
pub(super) fn fast_poll(waited: SignedDuration) -> SignedDuration {
    (waited / 2).clamp(FIRST_FAST_POLL, FAST_POLL)
}

/// How long the state stays valid without a successful poll.
pub(super) fn stale_after(poll: SignedDuration) -> SignedDuration {
    MIN_STALE_AFTER.max(poll * 3)
}

/// State of the schedule.
pub(super) struct Schedule {
    pub(super) due: Timestamp,
    /// Requests do not start a pass before this.
    pub(super) not_before: Timestamp,
    /// The next pass is deferred to save calls. Only an edit can start it earlier.
    pub(super) deferred: bool,
    pub(super) last_success: Timestamp,
    /// Consecutive passes that failed or gave an incomplete listing.
    pub(super) failures: u32,
}

impl Schedule {
    /// The schedule of a new poller, which polls immediately.
    pub(super) fn starting(now: Timestamp) -> Self {
        Self { due: now, not_before: now, deferred: false, last_success: now, failures: 0 }
    }

    /// A pass succeeded. `whole` says whether its listings were complete, `age` how old they were.
    pub(super) fn succeeded(&mut self, now: Timestamp, poll: SignedDuration, whole: bool, age: SignedDuration) {
        let jitter = jitter(now, poll);
        // Objects that wait for a complete listing request the next pass at once, so back off while listings are
        // incomplete.
        let failures = if whole { 0 } else { self.failures.saturating_add(1) };
        let not_before = if whole { now } else { now + backoff(failures, poll) };
        *self = Self {
            due: now + (poll + jitter - age).max(SignedDuration::ZERO),
            not_before,
            deferred: false,
            last_success: now,
            failures,
        };
    }

    /// A pass was deferred to save calls.
    pub(super) fn deferred(&mut self, due: Timestamp, purpose: Purpose) {
        self.due = due;
        self.deferred = true;
        if purpose == Purpose::UrgentPoll {
            self.not_before = due;
        }
    }

    /// A pass failed.
    pub(super) fn failed(&mut self, now: Timestamp, poll: SignedDuration, outage: bool, retry_after: Option<Duration>) {
        self.failures = self.failures.saturating_add(1);
        self.deferred = false;
        let asked = retry_after.and_then(|wait| SignedDuration::try_from(wait).ok());
        self.due = now + asked.unwrap_or(if outage { backoff(self.failures, poll) } else { poll });
        self.not_before = if outage { self.due } else { now + FAST_POLL };
    }
}

/// Adds up to a tenth, so that add-ons don't poll in lockstep. Derived from the time instead of a random number, which
/// keeps tests on a paused clock reproducible.
fn jitter(now: Timestamp, poll: SignedDuration) -> SignedDuration {
    let mut hasher = DefaultHasher::new();
    now.hash(&mut hasher);
    poll / 1000 * i32::try_from(hasher.finish() % 100).unwrap_or_default()
}

/// 5 s, 10 s, 20 s and so on, up to the poll interval.
fn backoff(failures: u32, poll: SignedDuration) -> SignedDuration {
    doubling(FAST_POLL, failures, poll)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn fast_polls_become_rarer_the_longer_an_object_waits() {
        let (mut waited, mut polls) = (FIRST_FAST_POLL, Vec::new());
        while waited < SignedDuration::from_secs(30) {
            polls.push(waited.as_millis());
            waited += fast_poll(waited);
        }
        assert_eq!(polls[..6], [500, 1000, 1500, 2250, 3375, 5062]);
        assert_eq!(polls.len(), 11, "{polls:?}");
    }

    #[test]
    fn jitter_is_less_than_a_tenth_and_spread() {
        let poll = SignedDuration::from_secs(60);
        let all: BTreeSet<_> = (0..100).map(|ms| jitter(Timestamp::from_millisecond(ms).unwrap(), poll)).collect();
        assert!(all.len() > 50, "{all:?}");
        assert!(all.iter().all(|jitter| !jitter.is_negative() && *jitter < poll / 10), "{all:?}");
    }
}
