//! Applies the result of a pass: updates the state of the add-on and returns the triggers.
//!
//! Calls nothing. The poller runs the passes.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::Poller;
use crate::budget::{Limit, Purpose, Refused};
use crate::crd::Reason;
use crate::facts::{AddonObservation, OrgAccessKind};
use crate::heroku::RemoteError;
use crate::observe::cache::list_problem;
use crate::observe::report::report_for;
use crate::observe::schedule::stale_after;
use crate::observe::state::{PassResult, PollerState};
use crate::observe::trigger::{Key, Trigger};

impl Poller {
    pub(super) fn apply_result(
        &self,
        began: Timestamp,
        result: Result<PassResult, RemoteError>,
        requesters: BTreeSet<Key>,
    ) -> Vec<Trigger> {
        let now = self.clock.now();
        let mut state = self.state();
        let before = state.live.clone();
        let mut changed_keys = BTreeSet::new();
        state.live.at = Some(began);
        match result {
            Ok(pass) => {
                changed_keys = pass.changed_keys;
                self.api.resolver().pin(&pass.facts);
                state.live.facts = Some(pass.facts);
                state.live.problem = None;
                state.live.stale = false;
                state.live.connections = state.cache.count(OrgAccessKind::Connection);
                state.live.authorizations = state.cache.count(OrgAccessKind::Authorization);
                // A listing shared by another poller is older. Counting its age makes both poll at the same time, so
                // that only one calls.
                let age = if pass.listed < began { now.duration_since(pass.listed) } else { SignedDuration::ZERO };
                state.schedule.succeeded(now, self.poll(), pass.whole, age);
            }
            Err(error) => self.failed(&mut state, &error, now),
        }
        if self.is_plenty(&state) {
            state.live.constrained = None;
        }
        let mut triggers = Vec::new();
        let outages = state.cache.outages();
        if state.live.problem.is_none() {
            state.live.list_problem = outages.first().map(|(what, outage)| list_problem(what, outage));
        }
        let list_problem = std::mem::replace(&mut state.outages, outages) != state.outages;
        let health_changed = before.problem != state.live.problem
            || before.stale != state.live.stale
            || before.facts != state.live.facts;
        if health_changed
            || (AddonObservation { at: None, ..before }) != (AddonObservation { at: None, ..state.live.clone() })
        {
            triggers.push(Trigger::Object(self.addon.clone()));
        }
        if health_changed || list_problem {
            triggers.push(Trigger::AllOf(self.addon.clone()));
        } else if !changed_keys.is_empty() {
            triggers.push(Trigger::Changed(self.addon.clone(), changed_keys));
        }
        if !requesters.is_empty() {
            triggers.push(Trigger::Polled(requesters));
        }
        triggers
    }

    /// Defers a pass that the budget refuses, and reports that. Returns false if nothing was observed yet or the state
    /// would become stale: then the pass counts as failed.
    pub(super) fn deferred(
        &self,
        began: Timestamp,
        refused: &Refused,
        requesters: &BTreeSet<Key>,
        purpose: Purpose,
    ) -> bool {
        if refused.limit == Limit::Paused {
            return false;
        }
        let now = self.clock.now();
        let mut state = self.state();
        let reported = state.live.constrained.is_some();
        state.live.constrained.get_or_insert_with(|| {
            format!("{refused}; until it recovers, the operator polls less often, and edits go first")
        });
        let stale_at = self.stale_at(&state);
        let waits = state.live.facts.is_some() && now < stale_at;
        if waits {
            state.live.at = Some(began);
            state.requesters.extend(requesters.iter().cloned());
            if purpose == Purpose::UrgentPoll {
                state.purpose = purpose;
            }
            let due = now + SignedDuration::try_from(refused.wait).unwrap_or(SignedDuration::MAX);
            state.schedule.deferred(due.min(stale_at), purpose);
        }
        drop(state);
        if !reported {
            (self.hooks.wake)(Trigger::Object(self.addon.clone()));
        }
        waits
    }

    pub(super) fn failed(&self, state: &mut PollerState, error: &RemoteError, now: Timestamp) {
        let report = report_for(error);
        tracing::warn!(addon = %self.addon, reason = %report.reason, "{}", report.message);
        let outage = report.reason.is_outage();
        // Report an outage once, with its first message, even if the symptom changes.
        if !outage || !state.live.problem.as_ref().is_some_and(|known| known.reason.is_outage()) {
            // The add-on may have moved. If the service answered that it is gone, the pass already looked it up again.
            let unavailable = report.reason == Reason::RemoteUnavailable && matches!(error, RemoteError::AppLink(_));
            state.resolve_again |= unavailable && !error.says_gone();
            state.live.problem = Some(report);
        }
        state.live.stale = now >= self.stale_at(state);
        state.schedule.failed(now, self.poll(), outage, error.retry_after());
    }

    pub(super) fn poll(&self) -> SignedDuration {
        SignedDuration::try_from(self.settings.poll).unwrap_or(SignedDuration::from_mins(1))
    }

    pub(super) fn is_plenty(&self, state: &PollerState) -> bool {
        let addon_id = state.live.facts.as_ref().map(|facts| facts.addon_id.as_str());
        self.api.resolver().is_plenty(addon_id)
    }

    /// When the state becomes stale without another successful pass.
    pub(super) fn stale_at(&self, state: &PollerState) -> Timestamp {
        state.schedule.last_success + stale_after(self.poll())
    }

    pub(super) fn state(&self) -> MutexGuard<'_, PollerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
