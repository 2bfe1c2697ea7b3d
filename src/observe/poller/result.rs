//! Takes in how a pass ended: updates what is known of the add-on, and says whom to reconcile.
//!
//! Calls nothing. The poller runs the passes.

use super::*;

impl Poller {
    pub(super) fn take_in(
        &self,
        began: Timestamp,
        result: Result<PassResult, RemoteError>,
        requesters: BTreeSet<Key>,
    ) -> Vec<Trigger> {
        let now = self.clock.now();
        let mut view = self.view();
        let before = view.live.clone();
        let mut changed_keys = BTreeSet::new();
        view.live.at = Some(began);
        match result {
            Ok(pass) => {
                changed_keys = pass.changed_keys;
                self.link.access().keep(&pass.facts);
                view.live.facts = Some(pass.facts);
                view.live.problem = None;
                view.live.stale = false;
                view.live.connections = view.cache.count(OrgAccessKind::Connection);
                view.live.authorizations = view.cache.count(OrgAccessKind::Authorization);
                // What another poller listed a while ago is that much older: so both soon poll at the same time, and only one does.
                let age = if pass.listed < began { now.duration_since(pass.listed) } else { SignedDuration::ZERO };
                view.schedule.good(now, self.poll(), pass.whole, age);
            }
            Err(error) => self.failed(&mut view, &error, now),
        }
        if self.is_plenty(&view) {
            view.live.constrained = None;
        }
        let mut triggers = Vec::new();
        let outages = view.cache.outages();
        if view.live.problem.is_none() {
            view.live.list_problem = outages.first().map(|(what, outage)| list_problem(what, outage));
        }
        let list_problem = std::mem::replace(&mut view.outages, outages) != view.outages;
        let turned =
            before.problem != view.live.problem || before.stale != view.live.stale || before.facts != view.live.facts;
        if turned || (AddonObservation { at: None, ..before }) != (AddonObservation { at: None, ..view.live.clone() }) {
            triggers.push(Trigger::Object(self.addon.clone()));
        }
        if turned || list_problem {
            triggers.push(Trigger::AllOf(self.addon.clone()));
        } else if !changed_keys.is_empty() {
            triggers.push(Trigger::Changed(self.addon.clone(), changed_keys));
        }
        if !requesters.is_empty() {
            triggers.push(Trigger::Polled(requesters));
        }
        triggers
    }

    /// Puts a pass off that the budget forbids now, and tells so. Not where nothing was ever seen, or not for so long that
    /// nothing is known any more: then it counts as failed.
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
        let mut view = self.view();
        let told = view.live.constrained.is_some();
        view.live.constrained.get_or_insert_with(|| {
            format!("{refused}: what is live is read less often until that has recovered, and edits go first")
        });
        let stale_at = self.stale_at(&view);
        let waits = view.live.facts.is_some() && now < stale_at;
        if waits {
            view.live.at = Some(began);
            view.requesters.extend(requesters.iter().cloned());
            if purpose == Purpose::UrgentPoll {
                view.purpose = purpose;
            }
            let due = now + SignedDuration::try_from(refused.wait).unwrap_or(SignedDuration::MAX);
            view.schedule.deferred(due.min(stale_at), purpose);
        }
        drop(view);
        if !told {
            (self.hooks.wake)(Trigger::Object(self.addon.clone()));
        }
        waits
    }

    pub(super) fn failed(&self, view: &mut PollerState, error: &RemoteError, now: Timestamp) {
        let report = report_for(error);
        tracing::warn!(addon = %self.addon, reason = %report.reason, "{}", report.message);
        let outage = report.reason.is_outage();
        // One outage is told once, in the words it began with, whatever face it shows next.
        if !outage || !view.live.problem.as_ref().is_some_and(|known| known.reason.is_outage()) {
            // It may answer elsewhere by now. Where it said that it is gone, that was looked into at once.
            let unavailable = report.reason == Reason::RemoteUnavailable && matches!(error, RemoteError::AppLink(_));
            view.anew |= unavailable && !error.says_gone();
            view.live.problem = Some(report);
        }
        view.live.stale = now >= self.stale_at(view);
        view.schedule.bad(now, self.poll(), outage, error.retry_after());
    }

    pub(super) fn poll(&self) -> SignedDuration {
        SignedDuration::try_from(self.following.poll).unwrap_or(SignedDuration::from_mins(1))
    }

    pub(super) fn is_plenty(&self, view: &PollerState) -> bool {
        let addon_id = view.live.facts.as_ref().map(|facts| facts.addon_id.as_str());
        self.link.access().is_plenty(addon_id)
    }

    /// From when on nothing counts as known, unless something is seen.
    pub(super) fn stale_at(&self, view: &PollerState) -> Timestamp {
        view.schedule.last_good + patience(self.poll())
    }

    pub(super) fn view(&self) -> MutexGuard<'_, PollerState> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
