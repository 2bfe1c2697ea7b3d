//! A simulator: the simulated world, the faults and the request log behind one lock.
//!
//! Must not know HTTP: `serve` puts it on a port. Called by `http` and the tests.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::faults::Faults;
use crate::requests::RequestLog;
use crate::seed::Seed;
use crate::settings::Settings;
use crate::state::World;

/// The clock of a simulator. Tests on tokio's paused clock pass their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A running simulator. Clones share one world.
#[derive(Clone)]
pub struct Simulator {
    core: Arc<Mutex<Core>>,
    clock: Clock,
}

struct Core {
    world: World,
    faults: Faults,
    requests: RequestLog,
}

impl Simulator {
    /// A simulator that uses the system clock.
    pub fn new(seed: Seed) -> Self {
        Self::with_clock(seed, Arc::new(Timestamp::now))
    }

    /// A simulator that reads the time from `clock`.
    pub fn with_clock(seed: Seed, clock: Clock) -> Self {
        let core = Core { world: World::new(seed), faults: Faults::default(), requests: RequestLog::default() };
        Self { core: Arc::new(Mutex::new(core)), clock }
    }

    /// The current time of this simulator.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Reads or changes the world directly, without a request. The closure must not call this simulator, except for
    /// [`Self::now`].
    pub fn world<R>(&self, act: impl FnOnce(&mut World) -> R) -> R {
        self.with(|core| act(&mut core.world))
    }

    /// Reads or changes the settings.
    pub fn settings<R>(&self, act: impl FnOnce(&mut Settings) -> R) -> R {
        self.with(|core| act(&mut core.world.settings))
    }

    /// Reads or changes the faults.
    pub fn faults<R>(&self, act: impl FnOnce(&mut Faults) -> R) -> R {
        self.with(|core| act(&mut core.faults))
    }

    /// Reads or clears the request log.
    pub fn requests<R>(&self, act: impl FnOnce(&mut RequestLog) -> R) -> R {
        self.with(|core| act(&mut core.requests))
    }

    fn with<R>(&self, act: impl FnOnce(&mut Core) -> R) -> R {
        act(&mut self.core.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
