//! The time of day on tokio's clock, so that a whole operator can live through days in a test.
//!
//! It never goes backwards, whatever is done to the machine's clock: what began later has the later time. Every room
//! that does I/O reads it; the pure ones are handed its values.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// A clock that began at some time of day.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
    began_at: Timestamp,
}

impl Clock {
    /// A clock that shows `at` now.
    #[must_use]
    pub fn starting_at(at: Timestamp) -> Self {
        Self { began: Instant::now(), began_at: at }
    }

    /// A clock that shows the machine's time of day.
    #[must_use]
    pub fn system() -> Self {
        Self::starting_at(Timestamp::now())
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.began_at.checked_add(self.began.elapsed()).unwrap_or(Timestamp::MAX)
    }

    /// How long it is until `at`; nothing where that is past.
    #[must_use]
    pub fn until(&self, at: Timestamp) -> Duration {
        Duration::try_from(at.duration_since(self.now())).unwrap_or_default()
    }
}
