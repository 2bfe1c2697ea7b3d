//! The time of day: the machine's clock in production, tokio's paused clock in tests that cover days.
//!
//! It follows the machine's clock when somebody sets it or the machine was suspended, and never runs backwards. Rooms that do
//! I/O read it; pure rooms receive its values.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// The source of the time of day.
#[derive(Clone, Copy)]
pub struct Clock(Source);

#[derive(Clone, Copy)]
enum Source {
    /// Starts at some time of day, and advances with tokio's clock.
    Tokio { began: Instant, began_at: Timestamp },
    /// A wall clock, which somebody may set.
    Wall(&'static Wall),
}

struct Wall {
    read: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// The last reading, and when it was taken.
    last: Mutex<(Timestamp, Instant)>,
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

impl Clock {
    /// A clock that shows `at` now, and advances with tokio's clock.
    #[must_use]
    pub fn starting_at(at: Timestamp) -> Self {
        Self(Source::Tokio { began: Instant::now(), began_at: at })
    }

    /// A clock that follows a wall clock. A process creates one, which exists as long as the process.
    #[must_use]
    pub fn following(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let last = Mutex::new((read(), Instant::now()));
        Self(Source::Wall(Box::leak(Box::new(Wall { read: Box::new(read), last }))))
    }

    /// A clock that shows the machine's time of day.
    #[must_use]
    pub fn system() -> Self {
        Self::following(Timestamp::now)
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self.0 {
            Source::Tokio { began, began_at } => began_at.checked_add(began.elapsed()).unwrap_or(Timestamp::MAX),
            Source::Wall(wall) => {
                let mut last = wall.last.lock().unwrap_or_else(PoisonError::into_inner);
                *last = (forward(last.0, last.1.elapsed(), (wall.read)()), Instant::now());
                last.0
            }
        }
    }

    /// Time until `at`; zero if that has passed.
    #[must_use]
    pub fn until(&self, at: Timestamp) -> Duration {
        Duration::try_from(at.duration_since(self.now())).unwrap_or_default()
    }
}

/// The time of day this long after it was `last`. If the wall clock was set back, time runs at half speed until the wall clock
/// has caught up. So it never runs backwards, and nothing waits forever.
fn forward(last: Timestamp, elapsed: Duration, wall: Timestamp) -> Timestamp {
    wall.max(last.checked_add(elapsed / 2).unwrap_or(last))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A clock, and what its wall clock is ahead of tokio's by, in seconds.
    fn settable() -> (Clock, Arc<AtomicI64>) {
        let (ahead, base) = (Arc::new(AtomicI64::new(0)), Clock::starting_at(Timestamp::UNIX_EPOCH));
        let shown = ahead.clone();
        let clock =
            Clock::following(move || base.now() + jiff::SignedDuration::from_secs(shown.load(Ordering::Relaxed)));
        (clock, ahead)
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_is_set_forward_is_followed_at_once() {
        let (clock, ahead) = settable();
        tokio::time::advance(10 * SECOND).await;
        assert_eq!(clock.now().as_second(), 10);
        ahead.store(3600, Ordering::Relaxed);
        assert_eq!(clock.now().as_second(), 3610);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_is_set_back_slows_time_down_until_it_has_caught_up() {
        let (clock, ahead) = settable();
        tokio::time::advance(100 * SECOND).await;
        assert_eq!(clock.now().as_second(), 100);
        ahead.store(-40, Ordering::Relaxed);
        let mut last = clock.now();
        assert_eq!(last.as_second(), 100);
        for (passed, shown) in [(20, 110), (40, 120), (60, 130), (80, 140), (100, 160)] {
            tokio::time::advance(20 * SECOND).await;
            let now = clock.now();
            assert!(now > last, "{now} follows {last}");
            assert_eq!(now.as_second(), shown, "{passed} s after it was set back");
            last = now;
        }
    }
}
