//! Permits limit the writers to each owner at a time, and let user edits go before the operator's own repairs.
//!
//! kube's queue has no priorities, so they are made here. A reconcile acquires a permit before it changes anything in the
//! remote service, and plans again once it has it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// All queues, one for each owner.
#[derive(Clone, Debug)]
pub(super) struct Permits(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    queues: Mutex<HashMap<String, Queue>>,
}

#[derive(Debug, Default)]
struct Queue {
    out: usize,
    urgent: VecDeque<oneshot::Sender<Permit>>,
    ordinary: VecDeque<oneshot::Sender<Permit>>,
}

/// Permit to write to one owner, until this is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    permits: Option<Permits>,
    owner: String,
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(permits) = self.permits.take() {
            permits.give_back(&self.owner);
        }
    }
}

impl Permits {
    /// Permits for `limit` writers to each owner at a time.
    pub(super) fn new(limit: usize) -> Self {
        Self(Arc::new(Shared { limit: limit.max(1), queues: Mutex::default() }))
    }

    /// Waits for the permit to write to `owner`. Urgent requests go first.
    pub(super) async fn acquire(&self, owner: &str, urgent: bool) -> Permit {
        self.acquire_of(self.0.limit, owner, urgent).await
    }

    /// Waits for the permit to be the only writer to `scope`. Urgent requests go first.
    pub(super) async fn acquire_exclusive(&self, scope: &str, urgent: bool) -> Permit {
        self.acquire_of(1, scope, urgent).await
    }

    async fn acquire_of(&self, limit: usize, owner: &str, urgent: bool) -> Permit {
        let (give, get) = oneshot::channel();
        {
            let mut queues = self.queues();
            let queue = queues.entry(owner.to_owned()).or_default();
            if queue.out < limit {
                queue.out += 1;
                return self.permit(owner);
            }
            if urgent { queue.urgent.push_back(give) } else { queue.ordinary.push_back(give) }
        }
        // The queue keeps the sender until it sends. If the sender were lost, going on is better than waiting forever.
        get.await.unwrap_or_else(|_| Permit { permits: None, owner: owner.to_owned() })
    }

    fn permit(&self, owner: &str) -> Permit {
        Permit { permits: Some(self.clone()), owner: owner.to_owned() }
    }

    fn give_back(&self, owner: &str) {
        let mut unwanted = Vec::new();
        let mut queues = self.queues();
        let Some(queue) = queues.get_mut(owner) else { return };
        loop {
            let Some(next) = queue.urgent.pop_front().or_else(|| queue.ordinary.pop_front()) else {
                queue.out -= 1;
                if queue.out == 0 {
                    queues.remove(owner);
                }
                break;
            };
            match next.send(self.permit(owner)) {
                Ok(()) => break,
                // The receiver is gone. Dropping the permit here would lock the queues again.
                Err(mut permit) => {
                    permit.permits = None;
                    unwanted.push(permit);
                }
            }
        }
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<String, Queue>> {
        self.0.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    #[tokio::test(start_paused = true)]
    async fn urgent_requests_go_first_one_at_a_time() {
        let permits = Permits::new(1);
        let first = permits.acquire("a", false).await;
        let (tx, mut rx) = mpsc::unbounded_channel();
        for (name, urgent) in [("poll1", false), ("poll2", false), ("edit", true)] {
            let (permits, tx) = (permits.clone(), tx.clone());
            tokio::spawn(async move {
                let _permit = permits.acquire("a", urgent).await;
                tx.send(name).unwrap();
            });
            tokio::task::yield_now().await;
        }
        assert!(rx.try_recv().is_err(), "the permit is out");
        drop(first);
        let order = [rx.recv().await.unwrap(), rx.recv().await.unwrap(), rx.recv().await.unwrap()];
        assert_eq!(order, ["edit", "poll1", "poll2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_wants_to_be_alone_is_although_others_need_not() {
        let permits = Permits::new(2);
        let (_one, _other) = (permits.acquire("a", false).await, permits.acquire("a", false).await);
        let first = permits.acquire_exclusive("a/c", false).await;
        let second = tokio::spawn({
            let permits = permits.clone();
            async move { permits.acquire_exclusive("a/c", false).await }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(first);
        second.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_holds_up_nobody_and_add_ons_are_apart() {
        let permits = Permits::new(1);
        let first = permits.acquire("a", false).await;
        let _other = permits.acquire("b", false).await;
        let gone = tokio::spawn({
            let permits = permits.clone();
            async move { permits.acquire("a", true).await }
        });
        tokio::task::yield_now().await;
        gone.abort();
        let _ = gone.await;
        drop(first);
        let _again = permits.acquire("a", false).await;
    }
}
