//! The observer: starts and stops the pollers of add-ons, and answers from what they observed.
//!
//! Writes neither to Kubernetes nor to AppLink.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::addon::{Addon, View};
use super::cache::CollectionRef;
use super::owner::{Hooks, OwnerPoller, PollSettings};
use super::pass::ChildListing;
use super::poller::{Poller, Reachability};
use super::schedule::stale_after;
use super::shared::Shared;
use super::trigger::Key;
use crate::applink::AppLink;
use crate::clock::Clock;
use crate::conditions::ConditionReport;
use crate::facts::collection::Observation;
use crate::facts::{AddonObservation, Lookup, RemoteObject, TargetListing};
use crate::heroku::{AddonResolver, RemoteError};
use crate::liveness::{Liveness, Running};
use crate::metrics::Metrics;
use crate::timing::POLLER_HEARTBEAT;
use crate::transport::Http;

/// All pollers.
pub struct Observer {
    http: Http,
    clock: Clock,
    metrics: Metrics,
    liveness: Liveness,
    hooks: Hooks,
    pollers: Mutex<HashMap<Key, RunningPoller>>,
    /// Listings shared by pollers of the same add-on.
    shared: Shared,
    /// Add-ons that cannot be polled, or not with the settings of their spec.
    problems: Mutex<HashMap<Key, PollProblem>>,
}

struct RunningPoller {
    poller: Arc<Poller<Addon>>,
    _task: Running,
}

/// Why an add-on cannot be polled.
struct PollProblem {
    report: ConditionReport,
    since: Timestamp,
    /// How long earlier observations stay valid.
    stale_after: SignedDuration,
    stale: bool,
}

impl Observer {
    /// An observer without pollers.
    #[must_use]
    pub fn new(http: Http, clock: Clock, metrics: Metrics, liveness: Liveness, hooks: Hooks) -> Self {
        Self {
            http,
            clock,
            metrics,
            liveness,
            hooks,
            pollers: Mutex::default(),
            shared: Shared::default(),
            problems: Mutex::default(),
        }
    }

    /// Starts a poller for `addon`, or replaces it if the settings changed.
    pub fn follow(&self, addon: &Key, settings: PollSettings) {
        let mut pollers = self.pollers();
        let known = pollers.get(addon).map(|f| f.poller.source().settings());
        if known.is_some_and(|k| k.selector.same(&settings.selector) && k.poll == settings.poll) {
            return;
        }
        let PollSettings { selector, recorded, .. } = settings.clone();
        let resolver = AddonResolver::new(self.http.clone(), self.clock, selector, recorded);
        let api = AppLink::new(Arc::new(resolver));
        let source = Addon::new(addon.clone(), settings, api, self.clock, self.hooks.clone(), self.shared.clone());
        let poller = Arc::new(Poller::new(addon.clone(), source, self.clock, self.hooks.wake.clone()));
        let name = format!("poller of {addon}");
        let pulse = self.liveness.pulse(&name, POLLER_HEARTBEAT);
        let task = self.liveness.spawn(&name, poller.clone().run(self.metrics.clone(), pulse));
        pollers.insert(addon.clone(), RunningPoller { poller, _task: task });
    }

    /// Forgets `addon` after its deletion.
    pub fn forget(&self, addon: &Key) {
        self.pollers().remove(addon);
        self.problems().remove(addon);
    }

    /// Stops the poller of `addon`, which still exists.
    pub fn unfollow(&self, addon: &Key) {
        self.pollers().remove(addon);
    }

    /// Records why `addon` cannot be polled, or that it can. Returns whether that changed. `poll` is its interval.
    pub fn cannot_follow(&self, addon: &Key, problem: Option<ConditionReport>, poll: Option<Duration>) -> bool {
        let mut problems = self.problems();
        let known = problems.get(addon);
        let changed = known.map(|known| &known.report) != problem.as_ref();
        match problem {
            Some(report) => {
                let (since, stale) = known.map_or((self.clock.now(), false), |known| (known.since, known.stale));
                let poll = poll.and_then(|poll| SignedDuration::try_from(poll).ok()).unwrap_or_default();
                problems.insert(addon.clone(), PollProblem { report, since, stale_after: stale_after(poll), stale });
            }
            None => drop(problems.remove(addon)),
        }
        changed
    }

    /// Why `addon` cannot be polled, if so, and whether its state is stale.
    #[must_use]
    pub fn unfollowed(&self, addon: &Key) -> Option<(ConditionReport, bool)> {
        self.problems().get(addon).map(|known| (known.report.clone(), known.stale))
    }

    /// Marks add-ons as stale that could not be polled for too long. Returns the newly marked ones.
    #[must_use]
    pub fn mark_stale(&self) -> Vec<Key> {
        let now = self.clock.now();
        let mut problems = self.problems();
        let newly_stale = problems
            .iter_mut()
            .filter(|(_, known)| !known.stale && now.duration_since(known.since) >= known.stale_after);
        newly_stale
            .map(|(addon, known)| {
                known.stale = true;
                addon.clone()
            })
            .collect()
    }

    /// The add-ons that have a poller.
    #[must_use]
    pub fn followed(&self) -> Vec<Key> {
        self.pollers().keys().cloned().collect()
    }

    /// The state of `addon`; `None` without a poller.
    #[must_use]
    pub fn addon(&self, addon: &Key) -> Option<AddonObservation> {
        let poller = self.poller(addon)?;
        let Reachability { at, problem, stale, constrained } = poller.reachability();
        let View { facts, list_problem, connections, authorizations } = poller.source().view();
        Some(AddonObservation { facts, problem, list_problem, stale, constrained, connections, authorizations, at })
    }

    /// Looks up one remote object; see [`crate::facts::collection::Collection::lookup`].
    #[must_use]
    pub fn lookup<R: RemoteObject>(
        &self,
        addon: &Key,
        collection: &CollectionRef<R>,
        id: Option<&str>,
        name: &str,
        since: Timestamp,
    ) -> Lookup<R> {
        self.poller(addon).map(|p| p.source().lookup(collection, id, name, since)).unwrap_or_default()
    }

    /// The last observation of the object with this ID, including the parts that a snapshot leaves out.
    #[must_use]
    pub fn object<R: RemoteObject>(&self, addon: &Key, collection: &CollectionRef<R>, id: &str) -> Option<R> {
        self.poller(addon)?.source().object(collection, id)
    }

    /// Records the name of the object with this ID, which lists may leave out.
    pub fn set_name<R: RemoteObject>(&self, addon: &Key, collection: &CollectionRef<R>, id: &str, name: &str) {
        if let Some(poller) = self.poller(addon) {
            poller.source().set_name(collection, id, name);
        }
    }

    /// All targets on a connection, also those of other owners.
    #[must_use]
    pub fn target_listing(&self, addon: &Key, connection: &str) -> TargetListing {
        self.poller(addon).map(|p| p.source().target_listing(connection)).unwrap_or_default()
    }

    /// Whether a listing that began at `since` or later proves that the connection with this ID is gone.
    #[must_use]
    pub fn connection_gone(&self, addon: &Key, connection: &str, since: Timestamp) -> bool {
        self.poller(addon).is_some_and(|p| p.source().connection_gone(connection, since))
    }

    /// The API client of `addon`, for writes.
    ///
    /// # Errors
    /// [`RemoteError::Forgotten`] without a poller.
    pub fn api(&self, addon: &Key) -> Result<AppLink, RemoteError> {
        Ok(self.poller(addon).ok_or(RemoteError::Forgotten)?.source().api().clone())
    }

    /// The poller of `addon`, if it has one.
    #[must_use]
    pub fn poller_of(&self, addon: &Key) -> Option<Arc<dyn OwnerPoller>> {
        Some(self.poller(addon)?)
    }

    /// Records what a call that began at `at` showed about a remote object.
    pub fn observe<R: RemoteObject>(
        &self,
        addon: &Key,
        collection: &CollectionRef<R>,
        at: Timestamp,
        observation: Observation<R>,
    ) {
        if let Some(poller) = self.poller(addon) {
            poller.source().observe(collection, at, observation);
        }
    }

    /// Records what a call showed about the children of a connection.
    pub fn apply_child_listing(&self, addon: &Key, listing: ChildListing) {
        if let Some(poller) = self.poller(addon) {
            poller.source().apply_child_listing(listing);
        }
    }

    fn poller(&self, addon: &Key) -> Option<Arc<Poller<Addon>>> {
        Some(self.pollers().get(addon)?.poller.clone())
    }

    fn problems(&self) -> MutexGuard<'_, HashMap<Key, PollProblem>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pollers(&self) -> MutexGuard<'_, HashMap<Key, RunningPoller>> {
        self.pollers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
