//! Polls one add-on: decides when to list, caches the results, and wakes objects.
//!
//! Writes nothing to Kubernetes or AppLink. A pass takes a few list calls, however many objects there are. All who
//! request a poll share one pass, so requests are cheap. While the call budget is short, regular passes are deferred;
//! passes that an edit waits for are not.

mod result;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::cache::{AddonCache, CollectionRef};
use super::owner::{Hooks, OwnerPoller, PollSettings};
use super::pass::{self, ChildListing, OrgAccessListings, Subscription};
use super::schedule::{Schedule, stale_after};
use super::shared::Shared;
use super::state::{PassResult, PollerState};
use super::trigger::{Key, Trigger};
use crate::applink::AppLink;
use crate::budget::Purpose;
use crate::clock::Clock;
use crate::facts::TargetListing;
use crate::facts::collection::Observation;
use crate::facts::{AddonObservation, Lookup, OrgAccessKind, Phase, RemoteObject};
use crate::heroku::RemoteError;
use crate::liveness::Pulse;
use crate::metrics::Metrics;
use crate::timing::{FAST_POLL, FAST_POLL_FOR, MIN_POLL_GAP, POLLER_HEARTBEAT, POLLER_LATE};

/// Without a list endpoint, targets are read one by one. This happens less often than a pass by this factor.
const SLOW_FACTOR: i32 = 5;

/// The poller of one add-on.
pub(super) struct Poller {
    addon: Key,
    settings: PollSettings,
    api: AppLink,
    clock: Clock,
    hooks: Hooks,
    shared: Shared,
    wake: Notify,
    state: Mutex<PollerState>,
}

/// A stopped poller must not count as one that shares listings.
impl Drop for Poller {
    fn drop(&mut self) {
        self.shared.remove(&self.addon);
    }
}

impl OwnerPoller for Poller {
    fn owner_id(&self) -> Option<String> {
        self.state().live.facts.as_ref().map(|facts| facts.addon_id.clone())
    }

    fn request_poll(&self, who: Key, purpose: Purpose) {
        {
            let mut state = self.state();
            // The first pass looks the add-on up anyway.
            state.resolve_again |= who == self.addon && state.live.at.is_some();
            state.requesters.insert(who);
            if purpose == Purpose::UrgentPoll {
                state.purpose = purpose;
            }
        }
        self.wake.notify_one();
    }

    fn set_waiting(&self, who: &Key, waits: bool) {
        let now = self.clock.now();
        let mut state = self.state();
        if !waits {
            state.waiters.remove(who);
        } else if !state.waiters.contains_key(who) {
            state.waiters.insert(who.clone(), now);
            drop(state);
            self.wake.notify_one();
        }
    }
}

impl Poller {
    pub(super) fn new(
        addon: Key,
        settings: PollSettings,
        api: AppLink,
        clock: Clock,
        hooks: Hooks,
        shared: Shared,
    ) -> Self {
        let now = clock.now();
        let state = PollerState {
            live: AddonObservation::default(),
            cache: AddonCache::default(),
            outages: Vec::new(),
            read: BTreeMap::new(),
            requesters: BTreeSet::new(),
            purpose: Purpose::Poll,
            waiters: BTreeMap::new(),
            resolve_again: false,
            schedule: Schedule { due: now, not_before: now, deferred: false, last_success: now, failures: 0 },
        };
        Self { addon, settings, api, clock, hooks, shared, wake: Notify::new(), state: Mutex::new(state) }
    }

    pub(super) fn settings(&self) -> &PollSettings {
        &self.settings
    }

    pub(super) fn api(&self) -> &AppLink {
        &self.api
    }

    pub(super) fn addon(&self) -> AddonObservation {
        self.state().live.clone()
    }

    pub(super) fn lookup<R: RemoteObject>(
        &self,
        collection: &CollectionRef<R>,
        id: Option<&str>,
        name: &str,
        since: Timestamp,
    ) -> Lookup<R> {
        let state = self.state();
        state.cache.get(collection).map(|collection| collection.lookup(id, name, since)).unwrap_or_default()
    }

    pub(super) fn object<R: RemoteObject>(&self, collection: &CollectionRef<R>, id: &str) -> Option<R> {
        let state = self.state();
        state.cache.get(collection)?.object(id).cloned()
    }

    pub(super) fn set_name<R: RemoteObject>(&self, collection: &CollectionRef<R>, id: &str, name: &str) {
        let mut state = self.state();
        if state.cache.get(collection).is_some() {
            state.cache.at(collection).set_name(id, name);
        }
    }

    pub(super) fn target_listing(&self, connection: &str) -> TargetListing {
        self.state().cache.target_listing(connection)
    }

    /// Whether a listing that began at `since` or later proves that the connection with this ID is gone.
    pub(super) fn connection_gone(&self, connection: &str, since: Timestamp) -> bool {
        let mut state = self.state();
        let live =
            state.cache.at(&CollectionRef::org_access(OrgAccessKind::Connection)).lookup(Some(connection), "", since);
        let seen = live.of_id(connection).map(|seen| seen.object.phase);
        seen == Some(Phase::Deleted)
            || (seen.is_none() && (live.complete || live.deleted_ids.iter().any(|id| id == connection)))
    }

    pub(super) fn apply_child_listing(&self, listing: ChildListing) {
        self.state().cache.apply_child_listing(listing);
    }

    pub(super) fn observe<R: RemoteObject>(
        &self,
        collection: &CollectionRef<R>,
        at: Timestamp,
        observation: Observation<R>,
    ) {
        // The caller plans again anyway. Other objects with this name learn of it in the next pass at the latest.
        self.state().cache.at(collection).observe(at, observation);
    }

    /// Runs forever.
    pub(super) async fn run(self: Arc<Self>, metrics: Metrics, pulse: Pulse) {
        loop {
            self.wait(&pulse).await;
            pulse.beat(POLLER_HEARTBEAT);
            let began = self.clock.now();
            let (requesters, purpose) = self.next_pass(began);
            let result = self.pass(began, purpose, &requesters, &pulse).await;
            if let Err(RemoteError::Budget(refused)) = &result
                && self.deferred(began, refused, &requesters, purpose)
            {
                metrics.pass("deferred");
                continue;
            }
            metrics.pass(if result.is_ok() { "ok" } else { "failed" });
            let triggers = self.apply_result(began, result, requesters);
            triggers.into_iter().for_each(|trigger| (self.hooks.wake)(trigger));
        }
    }

    /// Who requested the pass that begins now, and its purpose.
    fn next_pass(&self, now: Timestamp) -> (BTreeSet<Key>, Purpose) {
        let mut state = self.state();
        let (requesters, wake) =
            (std::mem::take(&mut state.requesters), std::mem::replace(&mut state.purpose, Purpose::Poll));
        (requesters, if now < self.stale_at(&state) { wake } else { Purpose::Overdue })
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
                () = self.wake.notified() => {}
            }
        }
    }

    /// When to list next, and when the state becomes stale.
    fn next(&self) -> (Timestamp, Option<Timestamp>) {
        let now = self.clock.now();
        let state = self.state();
        let Schedule { due, not_before, deferred, .. } = state.schedule;
        let began = state.live.at;
        let early = if deferred && state.purpose == Purpose::Poll {
            due
        } else if !state.requesters.is_empty() {
            due.min(began.map_or(now, |at| at + MIN_POLL_GAP))
        } else if let Some(since) = state.waiters.values().max().filter(|_| self.is_plenty(&state)) {
            let pace = if now.duration_since(*since) < FAST_POLL_FOR { FAST_POLL } else { self.poll() };
            due.min(began.map_or(now, |at| at + pace))
        } else {
            due
        };
        let stale_at = (state.live.problem.is_some() && !state.live.stale).then(|| self.stale_at(&state));
        (early.max(not_before), stale_at)
    }

    fn mark_stale(&self) {
        self.state().live.stale = true;
        (self.hooks.wake)(Trigger::Object(self.addon.clone()));
        (self.hooks.wake)(Trigger::AllOf(self.addon.clone()));
    }

    async fn pass(
        &self,
        began: Timestamp,
        purpose: Purpose,
        requesters: &BTreeSet<Key>,
        pulse: &Pulse,
    ) -> Result<PassResult, RemoteError> {
        let api = self.api.with_purpose(purpose);
        let resolve_again = std::mem::take(&mut self.state().resolve_again);
        if resolve_again {
            api.resolver().forget_addon().await;
        }
        let mut found = api.resolve().await?;
        let mut subscription = (self.hooks.subscription)(&self.addon);
        found.budget.affords(subscription.calls(), purpose)?;
        let urgent = !requesters.is_empty() || !self.state().waiters.is_empty();
        let scope = (found.facts.addon_id.clone(), found.facts.app_id.clone());
        let sharing = self.shared.sharing(&self.addon, scope, self.clock, self.not_before(began, urgent));
        let org_access = pass::org_access(&api, self.clock, began, &mut found, &sharing).await?;
        let listed = org_access.connections.0;
        let mut whole = org_access.connections.1.whole;
        whole &=
            !subscription.authorizations || org_access.authorizations.as_ref().is_ok_and(|(_, listing)| listing.whole);
        let mut changed_keys = self.apply_org_access(org_access);
        let (slow, mut due) = self.due(&mut subscription);
        due.extend(requesters.iter().cloned());
        let is_due = |connection: &str, who: &Key| slow.contains(connection) || due.contains(who);
        let children = pass::children(&api, self.clock, &subscription, &sharing, pulse, is_due).await;
        let now = self.clock.now();
        let mut state = self.state();
        state.cache.apply_subscription(&subscription);
        for listing in children {
            match listing {
                Ok(listing) => {
                    if slow.contains(&listing.connection) {
                        state.read.insert(listing.connection.clone(), now);
                    }
                    changed_keys.extend(state.cache.apply_child_listing(listing));
                }
                // The next pass tries again.
                Err(failed_listing) => {
                    whole = false;
                    state.cache.apply_failure(now, failed_listing, stale_after(self.poll()));
                }
            }
        }
        Ok(PassResult { facts: found.facts.clone(), listed, whole, changed_keys })
    }

    /// The earliest start of a shared listing that this pass can use: now if an object waits, otherwise the last pass,
    /// or half an interval ago if that is later.
    fn not_before(&self, began: Timestamp, urgent: bool) -> Timestamp {
        let last = self.state().live.at.unwrap_or(Timestamp::MIN);
        let recent = began.checked_sub(self.poll() / 2).unwrap_or(Timestamp::MIN);
        if urgent { began } else { last.max(recent) }
    }

    /// Applies the listings of connections and authorizations. Returns what changed.
    fn apply_org_access(&self, org_access: OrgAccessListings) -> BTreeSet<String> {
        let OrgAccessListings { connections: (began, connections), authorizations } = org_access;
        let mut state = self.state();
        let mut changed_keys = state.cache.apply_org_access_listing(OrgAccessKind::Connection, began, connections);
        match authorizations {
            Ok((began, listing)) => {
                changed_keys.extend(state.cache.apply_org_access_listing(OrgAccessKind::Authorization, began, listing))
            }
            Err((began, report)) => state.cache.at(&CollectionRef::org_access(OrgAccessKind::Authorization)).failed(
                began,
                report,
                stale_after(self.poll()),
            ),
        }
        changed_keys
    }

    /// Returns the connections whose targets are all read one by one, and the objects whose targets are read on the
    /// others. Removes connections that are not ready from `subscription`: their children cannot be read.
    fn due(&self, subscription: &mut Subscription) -> (BTreeSet<String>, BTreeSet<Key>) {
        let now = self.clock.now();
        let state = self.state();
        subscription.publications.retain(|id| state.cache.is_ready(id));
        subscription.targets.retain(|id, _| state.cache.is_ready(id));
        let pace = self.poll() * SLOW_FACTOR;
        let slow = |id: &&String| state.read.get(*id).is_none_or(|at| now.duration_since(*at) >= pace);
        (subscription.targets.keys().filter(slow).cloned().collect(), state.waiters.keys().cloned().collect())
    }
}
