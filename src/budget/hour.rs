//! The calls of the last hour, as a service counts them.
//!
//! Pure: the caller passes the time. `budget` decides who may make the next call.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

pub(super) const HOUR: Duration = Duration::from_secs(3600);
/// Calls within one second are counted together. They count until the last of them is an hour old.
const TOGETHER: Duration = Duration::from_secs(1);

/// When calls were made, oldest first.
#[derive(Debug, Default)]
pub(super) struct Hour {
    calls: VecDeque<(Instant, u32)>,
    used: u32,
}

impl Hour {
    /// Counts calls that are made now.
    pub(super) fn add(&mut self, now: Instant, calls: u32) {
        self.forget(now);
        self.used += calls;
        match self.calls.back_mut() {
            Some((since, count)) if now < *since + TOGETHER => *count += calls,
            _ => self.calls.push_back((now, calls)),
        }
    }

    /// Calls within the hour that ends now.
    pub(super) fn used(&mut self, now: Instant) -> u32 {
        self.forget(now);
        self.used
    }

    /// How long until the last hour has at most this many calls.
    pub(super) fn until_at_most(&mut self, now: Instant, calls: u32) -> Duration {
        let mut excess = self.used(now).saturating_sub(calls);
        for (since, count) in &self.calls {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(*count);
            if excess == 0 {
                return leaves(*since).saturating_duration_since(now);
            }
        }
        Duration::ZERO
    }

    /// How many calls must be left now to meet a steady need of `an_hour` calls during the next hour. Calls of the last hour
    /// become free again meanwhile.
    pub(super) fn kept_for(&mut self, now: Instant, an_hour: f64) -> u32 {
        self.forget(now);
        let (mut freed, mut most) = (0.0, 0.0_f64);
        for (since, count) in &self.calls {
            let until = leaves(*since).saturating_duration_since(now).min(HOUR);
            most = most.max(an_hour * until.as_secs_f64() / HOUR.as_secs_f64() - freed);
            freed += f64::from(*count);
        }
        // Less than u32::MAX: `an_hour` is at most the limit.
        most.max(an_hour - freed).max(0.0).ceil() as u32
    }

    fn forget(&mut self, now: Instant) {
        while let Some((since, count)) = self.calls.front()
            && leaves(*since) <= now
        {
            self.used -= count;
            self.calls.pop_front();
        }
    }
}

/// When all of the calls that were counted together have left the last hour.
fn leaves(since: Instant) -> Instant {
    since + TOGETHER + HOUR
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls that were made so many seconds ago, and how many.
    type Made = (u64, u32);

    /// An hour with these calls.
    fn hour(now: Instant, made: &[Made]) -> Hour {
        let mut hour = Hour::default();
        made.iter().for_each(|(ago, calls)| hour.add(now - Duration::from_secs(*ago), *calls));
        hour
    }

    fn now() -> Instant {
        Instant::now() + 2 * HOUR
    }

    #[test]
    fn counts_the_calls_of_the_last_hour() {
        let cases: [(&[Made], u32); 5] =
            [(&[], 0), (&[(0, 7)], 7), (&[(3600, 7)], 7), (&[(3601, 7)], 0), (&[(5000, 1), (3000, 2), (10, 4)], 6)];
        for (made, used) in cases {
            assert_eq!(hour(now(), made).used(now()), used, "{made:?}");
        }
    }

    #[test]
    fn waits_for_the_oldest_calls_to_leave() {
        let made = &[(3000, 2), (1000, 4)];
        for (at_most, seconds) in [(6, 0), (5, 601), (4, 601), (3, 2601), (0, 2601)] {
            let (now, wait) = (now(), Duration::from_secs(seconds));
            assert!(hour(now, made).until_at_most(now, at_most).abs_diff(wait) < TOGETHER, "{at_most}");
        }
    }

    #[test]
    fn keeps_what_a_steady_need_cannot_take_from_calls_that_leave() {
        let spread: Vec<_> = (1..=60).rev().map(|minute| (minute * 60, 2)).collect();
        let cases: [(&str, &[Made], f64, u32); 5] = [
            ("nothing leaves", &[], 120.0, 120),
            ("all leaves at the end", &[(1, 4000)], 120.0, 120),
            ("all leaves at once", &[(3600, 4000)], 120.0, 1),
            ("the same need in the last hour", &spread, 120.0, 1),
            ("no need", &[(1, 4000)], 0.0, 0),
        ];
        for (what, made, need, kept) in cases {
            let now = now();
            assert_eq!(hour(now, made).kept_for(now, need), kept, "{what}");
        }
    }
}
