//! A cached value that is fetched once for all concurrent callers.
//!
//! Callers that wait for a fetch share its result, also a failure: ten callers of a service that hangs wait as long as
//! one. [`super::AddonResolver`] caches its lookups in these.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use super::RemoteError;

#[derive(Debug)]
pub(super) struct Slot<T> {
    /// Number of failed fetches.
    failures: AtomicU64,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    value: Option<T>,
    failure: Option<RemoteError>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { failures: AtomicU64::default(), state: Mutex::new(State { value: None, failure: None }) }
    }
}

impl<T: Clone> Slot<T> {
    /// Returns the cached value if it is fresh. Otherwise awaits `fetch`, or a fetch that was under way.
    pub(super) async fn get(
        &self,
        is_fresh: impl Fn(&T) -> bool,
        fetch: impl Future<Output = Result<T, RemoteError>>,
    ) -> Result<T, RemoteError> {
        let failures = self.failures.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        if let Some(value) = state.value.as_ref().filter(|value| is_fresh(value)) {
            return Ok(value.clone());
        }
        if let Some(failure) = state.failure.as_ref().filter(|_| self.failures.load(Ordering::Acquire) > failures) {
            return Err(failure.clone());
        }
        let result = fetch.await;
        match &result {
            Ok(value) => *state = State { value: Some(value.clone()), failure: None },
            // Don't share budget errors: a caller that may use the reserve must not fail because another could not.
            Err(RemoteError::Budget(_)) => {}
            Err(error) => {
                state.failure = Some(error.clone());
                self.failures.fetch_add(1, Ordering::Release);
            }
        }
        result
    }

    /// Drops the cached value if `unwanted` says so.
    pub(super) async fn forget(&self, unwanted: impl Fn(&T) -> bool) {
        let mut state = self.state.lock().await;
        if state.value.as_ref().is_some_and(unwanted) {
            state.value = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::transport::CallError;

    async fn hang(fails: bool) -> Result<u8, RemoteError> {
        tokio::time::sleep(Duration::from_secs(30)).await;
        if fails { Err(CallError::Url("late".to_owned()).into()) } else { Ok(1) }
    }

    #[tokio::test(start_paused = true)]
    async fn concurrent_callers_share_one_fetch() {
        for fails in [true, false] {
            let slot = Slot::default();
            let began = tokio::time::Instant::now();
            let all = futures::future::join_all((0..10).map(|_| slot.get(|_| true, hang(fails)))).await;
            assert_eq!(began.elapsed().as_secs(), 30);
            assert!(all.iter().all(|result| result.is_err() == fails));
            assert_eq!(slot.get(|_| true, async { Ok(2) }).await, Ok(if fails { 2 } else { 1 }));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stale_or_forgotten_value_is_fetched_again() {
        let slot = Slot::default();
        assert_eq!(slot.get(|_| true, async { Ok(1) }).await, Ok(1));
        assert_eq!(slot.get(|_| false, async { Ok(2) }).await, Ok(2));
        slot.forget(|value| *value == 1).await;
        assert_eq!(slot.get(|_| true, async { Ok(3) }).await, Ok(2));
        slot.forget(|value| *value == 2).await;
        assert_eq!(slot.get(|_| true, async { Ok(3) }).await, Ok(3));
    }
}
