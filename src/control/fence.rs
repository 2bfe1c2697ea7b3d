//! The gate that every effect passes: shut once the process is to stop, or may no longer write.
//!
//! Knows nothing of what passes. The driver enters it, `run` shuts it and waits for those within.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Counts those within, and lets nobody in once shut.
#[derive(Clone, Debug)]
pub(super) struct WriteFence {
    inside: Arc<watch::Sender<Inside>>,
    /// Until when this process may write; `None` where it need not be elected.
    deadline: watch::Receiver<Option<Instant>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Inside {
    count: usize,
    shut: bool,
}

/// One effect under way; done when dropped.
#[derive(Debug)]
pub(super) struct InFlight(WriteFence);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.inside.send_modify(|inside| inside.count -= 1);
    }
}

impl WriteFence {
    pub(super) fn new(deadline: watch::Receiver<Option<Instant>>) -> Self {
        Self { inside: Arc::new(watch::Sender::default()), deadline }
    }

    /// A pass for one effect, unless the process stops or its lease is about to run out.
    pub(super) fn enter(&self) -> Option<InFlight> {
        if self.deadline.borrow().is_some_and(|deadline| Instant::now() >= deadline) {
            return None;
        }
        let mut entered = false;
        self.inside.send_modify(|inside| {
            entered = !inside.shut;
            inside.count += usize::from(entered);
        });
        entered.then(|| InFlight(self.clone()))
    }

    /// Lets nobody in any more, and waits at most this long for those within. Tells whether all came out.
    pub(super) async fn shut(&self, at_most: Duration) -> bool {
        self.inside.send_modify(|inside| inside.shut = true);
        let mut inside = self.inside.subscribe();
        tokio::time::timeout(at_most, inside.wait_for(|inside| inside.count == 0)).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn shut_waits_for_those_within_and_lets_nobody_in() {
        let fence = WriteFence::new(watch::channel(None).1);
        let within = fence.enter().expect("open");
        let other = fence.clone();
        let shut = tokio::spawn(async move { other.shut(Duration::from_secs(8)).await });
        tokio::task::yield_now().await;
        assert!(fence.enter().is_none());
        drop(within);
        assert!(shut.await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn shut_does_not_wait_for_ever() {
        let fence = WriteFence::new(watch::channel(None).1);
        let _within = fence.enter().expect("open");
        assert!(!fence.shut(Duration::from_secs(8)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_enters_past_the_lease() {
        let (tx, rx) = watch::channel(Some(Instant::now() + Duration::from_secs(10)));
        let fence = WriteFence::new(rx);
        assert!(fence.enter().is_some());
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(fence.enter().is_none());
        tx.send(Some(Instant::now() + Duration::from_secs(1))).unwrap();
        assert!(fence.enter().is_some());
    }
}
