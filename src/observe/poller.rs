//! Polls one owner of remote objects: decides when, and wakes objects.
//!
//! Writes nothing to Kubernetes or a remote service, and knows no service: its source makes the calls. All who request a
//! poll share one pass, so requests are cheap. While the call budget is short, regular passes are deferred; passes that an
//! edit waits for are not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::owner::{OwnerPoller, Wait};
use super::schedule::{Schedule, fast_poll, stale_after};
use super::source::{Pass, PassFailure, PassResult, Source};
use super::trigger::{Key, Trigger};
use crate::budget::{Limit, Purpose, Refused};
use crate::clock::Clock;
use crate::conditions::ConditionReport;
use crate::liveness::Pulse;
use crate::metrics::Metrics;
use crate::timing::{FAST_POLL, FAST_POLL_FOR, FIRST_FAST_POLL, MIN_POLL_GAP, POLLER_HEARTBEAT, POLLER_LATE};

/// Receives triggers.
pub type Wake = Arc<dyn Fn(Trigger) + Send + Sync>;

/// The poller of one owner.
pub struct Poller<S> {
    /// The resource of the owner.
    owner: Key,
    source: S,
    clock: Clock,
    wake: Wake,
    changed: Notify,
    state: Mutex<State>,
}

/// Whether the owner can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reachability {
    /// When the last finished pass began.
    pub(super) at: Option<Timestamp>,
    /// Why the owner is unusable now.
    pub(super) problem: Option<ConditionReport>,
    /// Whether the outage has lasted so long that the state of all its objects is unknown.
    pub(super) stale: bool,
    /// Says that the call budget forces longer poll intervals.
    pub(super) constrained: Option<String>,
}

struct State {
    reachability: Reachability,
    requesters: BTreeSet<Key>,
    /// Purpose of the next pass.
    purpose: Purpose,
    /// Objects that wait for the service, for what, and since when.
    waiters: BTreeMap<Key, (Wait, Timestamp)>,
    schedule: Schedule,
}

impl<S: Source> OwnerPoller for Poller<S> {
    fn owner_id(&self) -> Option<String> {
        self.source.owner_id()
    }

    fn request_poll(&self, who: Key, purpose: Purpose) {
        {
            let mut state = self.state();
            state.requesters.insert(who);
            if purpose == Purpose::UrgentPoll {
                state.purpose = purpose;
            }
        }
        self.changed.notify_one();
    }

    fn set_waiting(&self, who: &Key, wait: Option<Wait>) {
        let now = self.clock.now();
        let mut state = self.state();
        match wait {
            None => drop(state.waiters.remove(who)),
            Some(wait) if state.waiters.get(who).is_none_or(|(known, _)| *known != wait) => {
                state.waiters.insert(who.clone(), (wait, now));
                drop(state);
                self.changed.notify_one();
            }
            Some(_) => {}
        }
    }
}

impl<S: Source> Poller<S> {
    /// A poller of `source`. `owner` is the resource of the owner; it reports problems.
    #[must_use]
    pub fn new(owner: Key, source: S, clock: Clock, wake: Wake) -> Self {
        let now = clock.now();
        let state = State {
            reachability: Reachability::default(),
            requesters: BTreeSet::new(),
            purpose: Purpose::Poll,
            waiters: BTreeMap::new(),
            schedule: Schedule::starting(now),
        };
        Self { owner, source, clock, wake, changed: Notify::new(), state: Mutex::new(state) }
    }

    /// What it polls.
    pub fn source(&self) -> &S {
        &self.source
    }

    pub(super) fn reachability(&self) -> Reachability {
        self.state().reachability.clone()
    }

    /// Runs forever.
    pub async fn run(self: Arc<Self>, metrics: Metrics, pulse: Pulse) {
        loop {
            self.wait(&pulse).await;
            pulse.beat(POLLER_HEARTBEAT);
            let began = self.clock.now();
            let (requesters, purpose) = self.next_pass(began);
            let (waiting, last) = {
                let state = self.state();
                (state.waiters.keys().cloned().collect(), state.reachability.at)
            };
            let pass = Pass { began, purpose, requesters: &requesters, waiting, last, pulse: &pulse };
            let result = self.source.pass(pass).await;
            if let Err(PassFailure { refused: Some(refused), .. }) = &result
                && self.defer(began, refused, &requesters, purpose)
            {
                metrics.pass("deferred");
                continue;
            }
            metrics.pass(if result.is_ok() { "ok" } else { "failed" });
            let triggers = self.apply_result(began, result, requesters);
            triggers.into_iter().for_each(|trigger| (self.wake)(trigger));
        }
    }

    /// Who requested the pass that begins now, and its purpose.
    fn next_pass(&self, now: Timestamp) -> (BTreeSet<Key>, Purpose) {
        let mut state = self.state();
        let requesters = std::mem::take(&mut state.requesters);
        let purpose = std::mem::replace(&mut state.purpose, Purpose::Poll);
        (requesters, if now < self.stale_at(&state) { purpose } else { Purpose::Overdue })
    }

    async fn wait(&self, pulse: &Pulse) {
        loop {
            let (next, stale_at) = self.next();
            if self.clock.until(next).is_zero() {
                return;
            }
            if stale_at.is_some_and(|at| self.clock.until(at).is_zero()) {
                self.mark_stale();
                continue;
            }
            let first = stale_at.map_or(next, |at| at.min(next));
            pulse.beat(self.clock.until(first).saturating_add(POLLER_LATE));
            tokio::select! {
                () = tokio::time::sleep(self.clock.until(first)) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// When to poll next, and when the state becomes stale.
    fn next(&self) -> (Timestamp, Option<Timestamp>) {
        let now = self.clock.now();
        let state = self.state();
        let Schedule { due, not_before, deferred, .. } = state.schedule;
        let began = state.reachability.at;
        let early = if deferred && state.purpose == Purpose::Poll {
            due
        } else if !state.requesters.is_empty() {
            due.min(began.map_or(now, |at| at + MIN_POLL_GAP))
        } else if self.source.is_plenty() {
            due.min(self.next_fast(&state, now).unwrap_or(due))
        } else {
            due
        };
        let unreachable = state.reachability.problem.is_some() && !state.reachability.stale;
        (early.max(not_before), unreachable.then(|| self.stale_at(&state)))
    }

    /// When to poll for the objects that wait for the service: soon at first, less often later.
    fn next_fast(&self, state: &State, now: Timestamp) -> Option<Timestamp> {
        let last = state.reachability.at.unwrap_or(now);
        let since = |wanted| state.waiters.values().filter(move |(wait, _)| *wait == wanted).map(|(_, since)| *since);
        // One poll serves an object that began to wait after the last pass, and those that follow it soon.
        if let Some(since) = since(Wait::Progress).filter(|since| *since >= last).min() {
            return Some(since + FIRST_FAST_POLL);
        }
        let pause = |since: Timestamp, fast| {
            if now.duration_since(since) < FAST_POLL_FOR { fast } else { self.source.poll() }
        };
        let progress = since(Wait::Progress).max().map(|since| pause(since, fast_poll(last.duration_since(since))));
        let deletion = since(Wait::Deletion).max().map(|since| pause(since, FAST_POLL));
        Some(last + progress.into_iter().chain(deletion).min()?)
    }

    fn mark_stale(&self) {
        self.state().reachability.stale = true;
        (self.wake)(Trigger::Object(self.owner.clone()));
        (self.wake)(Trigger::AllOf(self.owner.clone()));
    }

    /// Applies the result of a pass, and returns whom it concerns.
    fn apply_result(
        &self,
        began: Timestamp,
        result: Result<PassResult, PassFailure>,
        requesters: BTreeSet<Key>,
    ) -> Vec<Trigger> {
        let now = self.clock.now();
        let mut state = self.state();
        let before = state.reachability.clone();
        state.reachability.at = Some(began);
        let pass = match result {
            Ok(pass) => {
                (state.reachability.problem, state.reachability.stale) = (None, false);
                state.schedule.succeeded(now, self.source.poll(), pass.whole, pass.age);
                pass
            }
            Err(failure) => {
                self.apply_failure(&mut state, failure, now);
                PassResult::default()
            }
        };
        if self.source.is_plenty() {
            state.reachability.constrained = None;
        }
        let after = &state.reachability;
        let all_changed = pass.all_changed || (&before.problem, before.stale) != (&after.problem, after.stale);
        let owner_changed = all_changed || pass.owner_changed || before.constrained != after.constrained;
        let mut triggers = Vec::new();
        if owner_changed {
            triggers.push(Trigger::Object(self.owner.clone()));
        }
        if all_changed {
            triggers.push(Trigger::AllOf(self.owner.clone()));
        } else if !pass.changed_keys.is_empty() {
            triggers.push(Trigger::Changed(self.owner.clone(), pass.changed_keys));
        }
        if !requesters.is_empty() {
            triggers.push(Trigger::Polled(requesters));
        }
        triggers
    }

    fn apply_failure(&self, state: &mut State, failure: PassFailure, now: Timestamp) {
        let PassFailure { report, retry_after, .. } = failure;
        tracing::warn!(owner = %self.owner, reason = %report.reason, "{}", report.message);
        let outage = report.reason.is_outage();
        // Report an outage once, with its first message, even if the symptom changes.
        if !outage || !state.reachability.problem.as_ref().is_some_and(|known| known.reason.is_outage()) {
            state.reachability.problem = Some(report);
        }
        state.reachability.stale = now >= self.stale_at(state);
        state.schedule.failed(now, self.source.poll(), outage, retry_after);
    }

    /// Defers a pass that the budget refuses, and reports that. Returns false if nothing was observed yet or the state
    /// would become stale: then the pass counts as failed.
    fn defer(&self, began: Timestamp, refused: &Refused, requesters: &BTreeSet<Key>, purpose: Purpose) -> bool {
        if refused.limit == Limit::Paused {
            return false;
        }
        let now = self.clock.now();
        let mut state = self.state();
        let reported = state.reachability.constrained.is_some();
        state.reachability.constrained.get_or_insert_with(|| {
            format!("{refused}; until it recovers, the operator polls less often, and edits go first")
        });
        let stale_at = self.stale_at(&state);
        let waits = self.source.owner_id().is_some() && now < stale_at;
        if waits {
            state.reachability.at = Some(began);
            state.requesters.extend(requesters.iter().cloned());
            if purpose == Purpose::UrgentPoll {
                state.purpose = purpose;
            }
            let due = now + SignedDuration::try_from(refused.wait).unwrap_or(SignedDuration::MAX);
            state.schedule.deferred(due.min(stale_at), purpose);
        }
        drop(state);
        if !reported {
            (self.wake)(Trigger::Object(self.owner.clone()));
        }
        waits
    }

    /// When the state becomes stale without another successful pass.
    fn stale_at(&self, state: &State) -> Timestamp {
        state.schedule.last_success + stale_after(self.source.poll())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
