//! The poller of one add-on: when to list, what to keep, whom to wake.
//!
//! Writes nothing anywhere. A pass is a few list calls, however many objects there are; asking for one early is cheap,
//! since all who ask share it. Where the budget of calls is short, passes are put off, but not those that an edit waits for.

mod result;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use super::cache::{AddonCache, CollectionRef, list_problem};
use super::pass::{self, ChildListing, OrgAccessListings, Subscription};
use super::schedule::{FAST, Schedule, patience};
use super::shared::Shared;
use super::view::{PassResult, PollerState};
use super::{Hooks, Key, PollSettings, Trigger, Waiters, report_for};
use crate::applink::AppLink;
use crate::budget::{Limit, Purpose, Refused};
use crate::clock::Clock;
use crate::crd::Reason;
use crate::facts::TargetListing;
use crate::facts::collection::Observation;
use crate::facts::{AddonObservation, Lookup, OrgAccessKind, Phase, RemoteObject};
use crate::heroku::RemoteError;
use crate::liveness::Pulse;
use crate::metrics::Metrics;

/// Passes begin no closer together than this, however many ask.
const GAP: SignedDuration = SignedDuration::from_millis(500);
/// Whoever waits for the service waits at that pace for so long: a person takes a few minutes to consent, or many.
const FRESH: SignedDuration = SignedDuration::from_mins(5);
/// Targets that the service does not list are read one by one, at a pace slower by this factor.
const SLOWER: i32 = 5;

/// The calls of a pass that follow each other, each with a deadline of half a minute, take no longer before it shows that
/// it goes on.
pub(super) const LONGEST_CALLS: Duration = Duration::from_secs(30 * 60);
/// A poller wakes up no later after the moment that it waits for.
const LATE: Duration = Duration::from_secs(15 * 60);

/// One add-on, followed.
pub(super) struct Poller {
    addon: Key,
    following: PollSettings,
    link: AppLink,
    clock: Clock,
    hooks: Hooks,
    shared: Shared,
    asked: Notify,
    view: Mutex<PollerState>,
}

/// What it shared is of no use to itself any more.
impl Drop for Poller {
    fn drop(&mut self) {
        self.shared.leave(&self.addon);
    }
}

impl Poller {
    pub(super) fn new(
        addon: Key,
        following: PollSettings,
        link: AppLink,
        clock: Clock,
        hooks: Hooks,
        shared: Shared,
    ) -> Self {
        let now = clock.now();
        let view = PollerState {
            live: AddonObservation::default(),
            cache: AddonCache::default(),
            outages: Vec::new(),
            read: BTreeMap::new(),
            requesters: BTreeSet::new(),
            purpose: Purpose::Poll,
            waiters: Waiters::new(),
            anew: false,
            schedule: Schedule { due: now, not_before: now, deferred: false, last_good: now, failures: 0 },
        };
        Self { addon, following, link, clock, hooks, shared, asked: Notify::new(), view: Mutex::new(view) }
    }

    pub(super) fn following(&self) -> &PollSettings {
        &self.following
    }

    pub(super) fn link(&self) -> &AppLink {
        &self.link
    }

    pub(super) fn addon(&self) -> AddonObservation {
        self.view().live.clone()
    }

    pub(super) fn lookup<R: RemoteObject>(
        &self,
        collection: &CollectionRef<R>,
        id: Option<&str>,
        name: &str,
        since: Timestamp,
    ) -> Lookup<R> {
        let view = self.view();
        view.cache.get(collection).map(|collection| collection.lookup(id, name, since)).unwrap_or_default()
    }

    pub(super) fn object<R: RemoteObject>(&self, collection: &CollectionRef<R>, id: &str) -> Option<R> {
        let view = self.view();
        view.cache.get(collection)?.object(id).cloned()
    }

    pub(super) fn set_name<R: RemoteObject>(&self, collection: &CollectionRef<R>, id: &str, name: &str) {
        let mut view = self.view();
        if view.cache.get(collection).is_some() {
            view.cache.at(collection).set_name(id, name);
        }
    }

    pub(super) fn target_listing(&self, connection: &str) -> TargetListing {
        self.view().cache.target_listing(connection)
    }

    /// Whether the connection of this id is known to be gone, by a listing that began at `since` or later.
    pub(super) fn connection_gone(&self, connection: &str, since: Timestamp) -> bool {
        let mut view = self.view();
        let live =
            view.cache.at(&CollectionRef::org_access(OrgAccessKind::Connection)).lookup(Some(connection), "", since);
        let seen = live.of_id(connection).map(|seen| seen.object.phase);
        seen == Some(Phase::Deleted)
            || (seen.is_none() && (live.complete || live.deleted_ids.iter().any(|id| id == connection)))
    }

    pub(super) fn apply_child_listing(&self, page: ChildListing) {
        self.view().cache.apply_child_listing(page);
    }

    pub(super) fn request_poll(&self, who: Key, purpose: Purpose) {
        {
            let mut view = self.view();
            // The first pass resolves anyway.
            view.anew |= who == self.addon && view.live.at.is_some();
            view.requesters.insert(who);
            if purpose == Purpose::UrgentPoll {
                view.purpose = purpose;
            }
        }
        self.asked.notify_one();
    }

    pub(super) fn set_waiting(&self, who: &Key, waits: bool) {
        let now = self.clock.now();
        let mut view = self.view();
        if !waits {
            view.waiters.remove(who);
        } else if !view.waiters.contains_key(who) {
            view.waiters.insert(who.clone(), now);
            drop(view);
            self.asked.notify_one();
        }
    }

    pub(super) fn observe<R: RemoteObject>(
        &self,
        collection: &CollectionRef<R>,
        at: Timestamp,
        observation: Observation<R>,
    ) {
        // Whoever made the call plans again anyway; others of the name learn it by the next pass at the latest.
        self.view().cache.at(collection).observe(at, observation);
    }

    /// Lists for ever.
    pub(super) async fn run(self: Arc<Self>, metrics: Metrics, pulse: Pulse) {
        loop {
            self.wait(&pulse).await;
            pulse.beat(LONGEST_CALLS);
            let began = self.clock.now();
            let (requesters, purpose) = self.next_pass(began);
            let result = self.pass(began, purpose, &requesters, &pulse).await;
            if let Err(RemoteError::Budget(refused)) = &result
                && self.deferred(began, refused, &requesters, purpose)
            {
                metrics.pass("put_off");
                continue;
            }
            metrics.pass(if result.is_ok() { "ok" } else { "failed" });
            let triggers = self.take_in(began, result, requesters);
            triggers.into_iter().for_each(|trigger| (self.hooks.wake)(trigger));
        }
    }

    /// Who asked for the pass that begins now, and what it is for.
    fn next_pass(&self, now: Timestamp) -> (BTreeSet<Key>, Purpose) {
        let mut view = self.view();
        let (requesters, asked) =
            (std::mem::take(&mut view.requesters), std::mem::replace(&mut view.purpose, Purpose::Poll));
        (requesters, if now < self.stale_at(&view) { asked } else { Purpose::Overdue })
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
            pulse.beat(self.clock.until(first).saturating_add(LATE));
            tokio::select! {
                () = tokio::time::sleep(self.clock.until(first)) => {}
                () = self.asked.notified() => {}
            }
        }
    }

    /// When to list next, and when what is known becomes too old.
    fn next(&self) -> (Timestamp, Option<Timestamp>) {
        let now = self.clock.now();
        let view = self.view();
        let Schedule { due, not_before, deferred, .. } = view.schedule;
        let began = view.live.at;
        let early = if deferred && view.purpose == Purpose::Poll {
            due
        } else if !view.requesters.is_empty() {
            due.min(began.map_or(now, |at| at + GAP))
        } else if let Some(since) = view.waiters.values().max().filter(|_| self.is_plenty(&view)) {
            let pace = if now.duration_since(*since) < FRESH { FAST } else { self.poll() };
            due.min(began.map_or(now, |at| at + pace))
        } else {
            due
        };
        let stale_at = (view.live.problem.is_some() && !view.live.stale).then(|| self.stale_at(&view));
        (early.max(not_before), stale_at)
    }

    fn mark_stale(&self) {
        self.view().live.stale = true;
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
        let link = self.link.with_purpose(purpose);
        let anew = std::mem::take(&mut self.view().anew);
        if anew {
            link.access().forget_found().await;
        }
        let mut found = link.found().await?;
        let mut subscription = (self.hooks.subscription)(&self.addon);
        found.budget.affords(subscription.calls(), purpose)?;
        let urgent = !requesters.is_empty() || !self.view().waiters.is_empty();
        let place = (found.facts.addon_id.clone(), found.facts.app_id.clone());
        let sharing = self.shared.sharing(&self.addon, place, self.clock, self.not_before(began, urgent));
        let org_access = pass::org_access(&link, self.clock, began, &mut found, &sharing).await?;
        let listed = org_access.connections.0;
        let mut whole = org_access.connections.1.whole;
        whole &=
            !subscription.authorizations || org_access.authorizations.as_ref().is_ok_and(|(_, listing)| listing.whole);
        let mut changed_keys = self.shelve(org_access);
        let (slow, mut due) = self.due(&mut subscription);
        due.extend(requesters.iter().cloned());
        let is_due = |connection: &str, who: &Key| slow.contains(connection) || due.contains(who);
        let pages = pass::pages(&link, self.clock, &subscription, &sharing, pulse, is_due).await;
        let now = self.clock.now();
        let mut view = self.view();
        view.cache.asked_for(&subscription);
        for page in pages {
            match page {
                Ok(page) => {
                    if slow.contains(&page.connection) {
                        view.read.insert(page.connection.clone(), now);
                    }
                    changed_keys.extend(view.cache.apply_child_listing(page));
                }
                // It is tried again at the next pass.
                Err(failed_listing) => {
                    whole = false;
                    view.cache.miss(now, failed_listing, patience(self.poll()));
                }
            }
        }
        Ok(PassResult { facts: found.facts.clone(), listed, whole, changed_keys })
    }

    /// When a listing must have begun to serve a pass that begins at `began`: now where somebody waits for it, else after the
    /// last pass, and not long ago.
    fn not_before(&self, began: Timestamp, urgent: bool) -> Timestamp {
        let last = self.view().live.at.unwrap_or(Timestamp::MIN);
        let recent = began.checked_sub(self.poll() / 2).unwrap_or(Timestamp::MIN);
        if urgent { began } else { last.max(recent) }
    }

    /// Takes in what lives on the add-on itself, and gives what moved.
    fn shelve(&self, org_access: OrgAccessListings) -> BTreeSet<String> {
        let OrgAccessListings { connections: (began, connections), authorizations } = org_access;
        let mut view = self.view();
        let mut changed_keys = view.cache.apply_org_access_listing(OrgAccessKind::Connection, began, connections);
        match authorizations {
            Ok((began, listing)) => {
                changed_keys.extend(view.cache.apply_org_access_listing(OrgAccessKind::Authorization, began, listing))
            }
            Err((began, report)) => view.cache.at(&CollectionRef::org_access(OrgAccessKind::Authorization)).failed(
                began,
                report,
                patience(self.poll()),
            ),
        }
        changed_keys
    }

    /// On which of the connections targets are to be read one by one, all of them, and for whom on the others. What lives
    /// on a connection that is not in working order cannot be read.
    fn due(&self, subscription: &mut Subscription) -> (BTreeSet<String>, BTreeSet<Key>) {
        let now = self.clock.now();
        let view = self.view();
        subscription.publications.retain(|id| view.cache.is_up(id));
        subscription.targets.retain(|id, _| view.cache.is_up(id));
        let pace = self.poll() * SLOWER;
        let slow = |id: &&String| view.read.get(*id).is_none_or(|at| now.duration_since(*at) >= pace);
        (subscription.targets.keys().filter(slow).cloned().collect(), view.waiters.keys().cloned().collect())
    }
}
