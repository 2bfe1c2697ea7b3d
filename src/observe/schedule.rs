//! When an add-on is listed next.
//!
//! Pure: the poller asks, and tells how it went.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::budget::Purpose;

/// The pace while somebody waits for the service, and the first pause after a failure.
pub(super) const FAST: SignedDuration = SignedDuration::from_secs(5);

/// Nothing counts as silent before this.
const SILENCE: SignedDuration = SignedDuration::from_mins(5);

/// For how long something may go unseen where the add-on is polled at this pace.
pub(super) fn patience(poll: SignedDuration) -> SignedDuration {
    SILENCE.max(poll * 3)
}

/// When to list next.
pub(super) struct Schedule {
    pub(super) due: Timestamp,
    /// Nobody's asking brings a pass nearer than this.
    pub(super) not_before: Timestamp,
    /// Whether the next one was put off to spare the budget: only an edit brings it nearer.
    pub(super) deferred: bool,
    pub(super) last_good: Timestamp,
    /// Failed passes in a row, or passes in a row that did not show the whole.
    pub(super) failures: u32,
}

impl Schedule {
    /// A pass was carried out; `whole` tells whether it proves what it does not show, `age` how old it was already.
    pub(super) fn good(&mut self, now: Timestamp, poll: SignedDuration, whole: bool, age: SignedDuration) {
        let jitter = jitter(now, poll);
        // Whoever waits for a list that proves something asks again at once; one that proved nothing slows that down.
        let failures = if whole { 0 } else { self.failures.saturating_add(1) };
        let not_before = if whole { now } else { now + backoff(failures, poll) };
        *self = Self {
            due: now + (poll + jitter - age).max(SignedDuration::ZERO),
            not_before,
            deferred: false,
            last_good: now,
            failures,
        };
    }

    /// A pass was put off to spare the budget.
    pub(super) fn deferred(&mut self, due: Timestamp, purpose: Purpose) {
        self.due = due;
        self.deferred = true;
        if purpose == Purpose::UrgentPoll {
            self.not_before = due;
        }
    }

    /// A pass failed.
    pub(super) fn bad(&mut self, now: Timestamp, poll: SignedDuration, outage: bool, retry_after: Option<Duration>) {
        self.failures = self.failures.saturating_add(1);
        self.deferred = false;
        let asked = retry_after.and_then(|wait| SignedDuration::try_from(wait).ok());
        self.due = now + asked.unwrap_or(if outage { backoff(self.failures, poll) } else { poll });
        self.not_before = if outage { self.due } else { now + FAST };
    }
}

/// Up to a tenth more, so that many add-ons do not poll in step. By the moment and not by chance: on a clock that is set, the
/// same passes come at the same times again.
fn jitter(now: Timestamp, poll: SignedDuration) -> SignedDuration {
    let mut hasher = DefaultHasher::new();
    now.hash(&mut hasher);
    poll / 1000 * i32::try_from(hasher.finish() % 100).unwrap_or_default()
}

/// 5 s, 10 s, 20 s … up to the poll interval.
fn backoff(failures: u32, poll: SignedDuration) -> SignedDuration {
    (FAST * 2_i32.saturating_pow(failures.clamp(1, 10) - 1)).min(poll)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn jitter_is_less_than_a_tenth_and_spreads() {
        let poll = SignedDuration::from_secs(60);
        let all: BTreeSet<_> = (0..100).map(|ms| jitter(Timestamp::from_millisecond(ms).unwrap(), poll)).collect();
        assert!(all.len() > 50, "{all:?}");
        assert!(all.iter().all(|jitter| !jitter.is_negative() && *jitter < poll / 10), "{all:?}");
    }
}
