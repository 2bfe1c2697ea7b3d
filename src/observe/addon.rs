//! The source for an AppLink add-on: makes the list calls of a pass, and keeps what they show.
//!
//! Writes nothing to AppLink. A pass takes a few list calls, however many objects there are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::cache::{AddonCache, CollectionRef, list_problem};
use super::owner::{Hooks, PollSettings};
use super::pass::{self, ChildListing, OrgAccessListings, Subscription};
use super::report::report_for;
use super::schedule::stale_after;
use super::shared::Shared;
use super::source::{Pass, PassFailure, PassResult, Source};
use super::trigger::Key;
use crate::applink::AppLink;
use crate::clock::Clock;
use crate::conditions::ConditionReport;
use crate::crd::Reason;
use crate::facts::collection::Observation;
use crate::facts::{AddonFacts, Lookup, OrgAccessKind, Outage, Phase, RemoteObject, TargetListing};
use crate::heroku::RemoteError;

/// Without a list endpoint, targets are read one by one. This happens less often than a pass by this factor.
const SLOW_FACTOR: i32 = 5;

/// One add-on.
pub(super) struct Addon {
    key: Key,
    settings: PollSettings,
    api: AppLink,
    clock: Clock,
    hooks: Hooks,
    shared: Shared,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    view: View,
    cache: AddonCache,
    /// Failed lists, as already reported to the objects on the add-on.
    outages: Vec<(String, Outage)>,
    /// For connections without a list of targets: when all targets were last read one by one.
    read: BTreeMap<String, Timestamp>,
    /// Look up the app and the add-on again in the next pass.
    resolve_again: bool,
    /// Whether the last pass failed because of an outage.
    in_outage: bool,
}

/// What the resource of the add-on reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    /// Facts of the last successful lookup.
    pub(super) facts: Option<AddonFacts>,
    /// Why one of its lists fails while others succeed.
    pub(super) list_problem: Option<ConditionReport>,
    /// Number of connections.
    pub(super) connections: Option<i64>,
    /// Number of authorizations.
    pub(super) authorizations: Option<i64>,
}

/// A stopped poller must not count as one that shares listings.
impl Drop for Addon {
    fn drop(&mut self) {
        self.shared.remove(&self.key);
    }
}

impl Source for Addon {
    fn owner_id(&self) -> Option<String> {
        self.state().view.facts.as_ref().map(|facts| facts.addon_id.clone())
    }

    fn poll(&self) -> SignedDuration {
        SignedDuration::try_from(self.settings.poll).unwrap_or(SignedDuration::from_mins(1))
    }

    fn is_plenty(&self) -> bool {
        self.api.resolver().is_plenty(self.owner_id().as_deref())
    }

    async fn pass(&self, pass: Pass<'_>) -> Result<PassResult, PassFailure> {
        // The first pass looks the add-on up anyway.
        self.state().resolve_again |= pass.last.is_some() && pass.requesters.contains(&self.key);
        let result = self.list(&pass).await;
        let mut state = self.state();
        let error = match result {
            Ok(result) => {
                state.in_outage = false;
                return Ok(result);
            }
            Err(error) => error,
        };
        let report = report_for(&error);
        let outage = report.reason.is_outage();
        // The add-on may have moved. If the service answered that it is gone, the pass already looked it up again.
        let unavailable = report.reason == Reason::RemoteUnavailable && matches!(error, RemoteError::AppLink(_));
        state.resolve_again |= unavailable && !error.says_gone() && !state.in_outage;
        let retry_after = error.retry_after();
        let refused = if let RemoteError::Budget(refused) = error { Some(refused) } else { None };
        state.in_outage = outage;
        Err(PassFailure { report, retry_after, refused })
    }
}

impl Addon {
    pub(super) fn new(
        key: Key,
        settings: PollSettings,
        api: AppLink,
        clock: Clock,
        hooks: Hooks,
        shared: Shared,
    ) -> Self {
        Self { key, settings, api, clock, hooks, shared, state: Mutex::default() }
    }

    pub(super) fn settings(&self) -> &PollSettings {
        &self.settings
    }

    pub(super) fn api(&self) -> &AppLink {
        &self.api
    }

    pub(super) fn view(&self) -> View {
        self.state().view.clone()
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
        let lookup =
            state.cache.at(&CollectionRef::org_access(OrgAccessKind::Connection)).lookup(Some(connection), "", since);
        let seen = lookup.of_id(connection).map(|seen| seen.object.phase);
        seen == Some(Phase::Deleted)
            || (seen.is_none() && (lookup.complete || lookup.deleted_ids.iter().any(|id| id == connection)))
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

    /// Makes the calls of a pass, and applies what they show.
    async fn list(&self, pass: &Pass<'_>) -> Result<PassResult, RemoteError> {
        let api = self.api.with_purpose(pass.purpose);
        let resolve_again = std::mem::take(&mut self.state().resolve_again);
        if resolve_again {
            api.resolver().forget_addon().await;
        }
        let mut found = api.resolve().await?;
        let mut subscription = (self.hooks.subscription)(&self.key);
        found.budget.affords_pass(subscription.calls(), self.settings.poll, pass.purpose)?;
        let scope = (found.facts.addon_id.clone(), found.facts.app_id.clone());
        let sharing = self.shared.sharing(&self.key, scope, self.clock, self.not_before(pass));
        let org_access = pass::org_access(&api, self.clock, pass.began, &mut found, &sharing).await?;
        let listed = org_access.connections.0;
        let mut whole = org_access.connections.1.whole;
        whole &=
            !subscription.authorizations || org_access.authorizations.as_ref().is_ok_and(|(_, listing)| listing.whole);
        let mut changed_keys = self.apply_org_access(org_access);
        let slow = self.due(&mut subscription);
        let due = |connection: &str, who: &Key| {
            slow.contains(connection) || pass.waiting.contains(who) || pass.requesters.contains(who)
        };
        let children = pass::children(&api, self.clock, &subscription, &sharing, pass.pulse, due).await;
        let now = self.clock.now();
        self.state().cache.apply_subscription(&subscription);
        for listing in children {
            let mut state = self.state();
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
        self.api.resolver().pin(&found.facts);
        // A listing shared by another poller is older. Counting its age makes both poll at the same time, so that only one
        // calls.
        let age = if listed < pass.began { self.clock.now().duration_since(listed) } else { SignedDuration::ZERO };
        Ok(PassResult { whole, age, changed_keys, ..self.update_view(found.facts.clone()) })
    }

    /// Brings the view up to date with the cache. Returns what that changed.
    fn update_view(&self, facts: AddonFacts) -> PassResult {
        let mut state = self.state();
        let outages = state.cache.outages();
        let view = View {
            facts: Some(facts),
            list_problem: outages.first().map(|(what, outage)| list_problem(what, outage)),
            connections: state.cache.count(OrgAccessKind::Connection),
            authorizations: state.cache.count(OrgAccessKind::Authorization),
        };
        let outages_changed = std::mem::replace(&mut state.outages, outages) != state.outages;
        let before = std::mem::replace(&mut state.view, view);
        PassResult {
            owner_changed: before != state.view,
            all_changed: outages_changed || before.facts != state.view.facts,
            ..PassResult::default()
        }
    }

    /// The earliest start of a shared listing that this pass can use: now if an object waits, otherwise the last pass,
    /// or half an interval ago if that is later.
    fn not_before(&self, pass: &Pass<'_>) -> Timestamp {
        let urgent = !pass.requesters.is_empty() || !pass.waiting.is_empty();
        let recent = pass.began.checked_sub(self.poll() / 2).unwrap_or(Timestamp::MIN);
        if urgent { pass.began } else { pass.last.unwrap_or(Timestamp::MIN).max(recent) }
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

    /// The connections whose targets are all read one by one now. Removes connections that are not ready from
    /// `subscription`, because their children cannot be read.
    fn due(&self, subscription: &mut Subscription) -> BTreeSet<String> {
        let now = self.clock.now();
        let state = self.state();
        subscription.publications.retain(|id| state.cache.is_ready(id));
        subscription.targets.retain(|id, _| state.cache.is_ready(id));
        let pace = self.poll() * SLOW_FACTOR;
        let slow = |id: &&String| state.read.get(*id).is_none_or(|at| now.duration_since(*at) >= pace);
        subscription.targets.keys().filter(slow).cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
