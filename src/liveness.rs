//! Notices tasks that end and loops that are stuck.
//!
//! Knows nothing of what they do. A loop that fails and tries again is alive, so an unreachable API server or service makes
//! nothing stuck. `observe` and `control` report, `run` ends when a task ended, and `/healthz` names what is stuck.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// All tasks and loops of one operator; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Liveness(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The first task that ended.
    ended: watch::Sender<Option<Ended>>,
    loops: Mutex<Loops>,
}

#[derive(Debug, Default)]
struct Loops {
    /// Bounded by the existing pulses: each removes its entry when it is dropped.
    due: BTreeMap<u64, (String, Instant)>,
    count: u64,
}

/// A task ended that must run as long as the process.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {task} ended, which it never should: {how}")]
pub struct Ended {
    task: String,
    how: String,
}

/// A running task. It is aborted when this is dropped.
#[derive(Debug)]
pub struct Running(AbortHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The heartbeat of one loop, until this is dropped.
#[derive(Debug)]
pub struct Pulse {
    liveness: Liveness,
    id: u64,
}

impl Pulse {
    /// The loop is alive, and beats again within this time.
    pub fn beat(&self, within: Duration) {
        let due = Instant::now().checked_add(within);
        let mut loops = self.liveness.loops();
        if let (Some(known), Some(due)) = (loops.due.get_mut(&self.id), due) {
            known.1 = due;
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.liveness.loops().due.remove(&self.id);
    }
}

impl Liveness {
    /// Starts a task that runs as long as the returned value exists.
    #[must_use]
    pub fn spawn(&self, name: &str, task: impl Future<Output = ()> + Send + 'static) -> Running {
        let (liveness, task_name) = (self.clone(), name.to_owned());
        let watched = async move {
            let how = match AssertUnwindSafe(task).catch_unwind().await {
                Ok(()) => "it returned".to_owned(),
                Err(panic) => format!("it panicked: {}", said(&*panic)),
            };
            liveness.has_ended(Ended { task: task_name, how });
        };
        Running(tokio::spawn(watched).abort_handle())
    }

    /// Waits until a task has ended.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.0.ended.subscribe();
        match ended.wait_for(Option::is_some).await.ok().and_then(|ended| ended.clone()) {
            Some(ended) => ended,
            // The sender lives as long as `self`.
            None => std::future::pending().await,
        }
    }

    /// Reports that something ended that must not.
    pub fn has_ended(&self, ended: Ended) {
        self.0.ended.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(ended);
            is_first
        });
    }

    /// The heartbeat of a loop that beats within this time, whatever happens outside.
    #[must_use]
    pub fn pulse(&self, name: &str, within: Duration) -> Pulse {
        let mut loops = self.loops();
        loops.count = loops.count.wrapping_add(1);
        let id = loops.count;
        let now = Instant::now();
        loops.due.insert(id, (name.to_owned(), now.checked_add(within).unwrap_or(now)));
        drop(loops);
        Pulse { liveness: self.clone(), id }
    }

    /// The loops that are stuck, and since when their heartbeat is overdue.
    #[must_use]
    pub fn stalled(&self) -> Vec<String> {
        let now = Instant::now();
        let loops = self.loops();
        let late = loops.due.values().filter(|(_, due)| now >= *due);
        late.map(|(name, due)| format!("the {name} stands still: {} s overdue", (now - *due).as_secs())).collect()
    }

    fn loops(&self) -> MutexGuard<'_, Loops> {
        self.0.loops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ended {
    /// The task returned.
    #[must_use]
    pub fn returned(task: &str) -> Self {
        Self { task: task.to_owned(), how: "it returned".to_owned() }
    }
}

/// The message of a panic.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_task_that_returns_or_panics_is_named() {
        let liveness = Liveness::default();
        let _watch = liveness.spawn("watch of Secrets", std::future::pending());
        drop(liveness.spawn("poller that is no longer needed", std::future::pending()));
        tokio::time::sleep(SECOND).await;
        assert!(liveness.ended().now_or_never().is_none(), "none has ended by itself");
        let _sweep = liveness.spawn("sweep", async { panic!("out of {}", "brooms") });
        let said = liveness.ended().await.to_string();
        assert_eq!(said, "the sweep ended, which it never should: it panicked: out of brooms");
        let liveness = Liveness::default();
        let _sweep = liveness.spawn("sweep", async {});
        assert_eq!(liveness.ended().await, Ended::returned("sweep"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_does_not_come_round_again_stands_still() {
        let liveness = Liveness::default();
        let pulse = liveness.pulse("poller of add-on crm/orders", 10 * SECOND);
        let other = liveness.pulse("watch of Secrets", 100 * SECOND);
        tokio::time::advance(9 * SECOND).await;
        assert_eq!(liveness.stalled(), Vec::<String>::new());
        pulse.beat(20 * SECOND);
        tokio::time::advance(19 * SECOND).await;
        assert_eq!(liveness.stalled(), Vec::<String>::new());
        tokio::time::advance(6 * SECOND).await;
        assert_eq!(liveness.stalled(), ["the poller of add-on crm/orders stands still: 5 s overdue"]);
        pulse.beat(SECOND);
        assert_eq!(liveness.stalled(), Vec::<String>::new(), "it has come round");
        tokio::time::advance(SECOND).await;
        drop((pulse, other));
        assert_eq!(liveness.stalled(), Vec::<String>::new(), "nothing is expected of what is gone");
    }
}
