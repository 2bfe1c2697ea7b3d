//! The only source of what is live: one poller per add-on lists the collections, however many objects there are.
//!
//! Writes neither to Kubernetes nor to AppLink. `control` tells it what to follow, asks it to look, hands it the
//! answers to its own writes, and is woken when something moved.

mod cache;
mod pass;
mod poller;
mod schedule;
mod shared;
mod trouble;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::applink::AppLink;
use crate::budget::Purpose;
use crate::clock::Clock;
use crate::conditions::ConditionReport;
use crate::crd::AppLinkAddonStatus;
use crate::facts::TargetListing;
use crate::facts::collection::Observation;
use crate::facts::{AddonObservation, Lookup, RemoteObject};
use crate::heroku::{AddonResolver, AddonSelector, RemoteError};
use crate::liveness::{Liveness, Running};
use crate::metrics::Metrics;
use crate::transport::Http;

use poller::{LONGEST_CALLS, Poller};
use schedule::patience;
use shared::Shared;

pub use cache::CollectionRef;
pub use pass::{ChildListing, ChildObservations, Subscription};
pub use trouble::report_for;

/// One object of ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Kind, as in `kind:`.
    pub kind: &'static str,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// Why objects are to be planned again. A cause carries no data: whoever is woken looks for himself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// What is known of this very object changed.
    Object(Key),
    /// What this object is to those who live on it may have changed.
    Dependents(Key),
    /// Every object on the add-on is concerned.
    AllOf(Key),
    /// The remote objects of these ids and names changed; of what lives on a connection, `connection/id`.
    Changed(Key, BTreeSet<String>),
    /// A name may have become free for those who wait for one.
    NameFreed,
    /// These asked for a look, and it was taken.
    Polled(BTreeSet<Key>),
}

/// How the observer asks and tells those whom it works for.
#[derive(Clone)]
pub struct Hooks {
    /// Called with each cause.
    pub wake: Arc<dyn Fn(Trigger) + Send + Sync>,
    /// What of an add-on is to be listed.
    pub subscription: Arc<dyn Fn(&Key) -> Subscription + Send + Sync>,
}

/// How to follow one add-on.
#[derive(Clone, Debug)]
pub struct PollSettings {
    /// Which add-on, and with what token.
    pub selector: AddonSelector,
    /// How often, when nothing happens.
    pub poll: Duration,
    /// What was recorded of it; whatever bears its name now must be the same.
    pub recorded: AppLinkAddonStatus,
}

/// All pollers.
pub struct Observer {
    http: Http,
    clock: Clock,
    metrics: Metrics,
    liveness: Liveness,
    hooks: Hooks,
    pollers: Mutex<HashMap<Key, RunningPoller>>,
    /// What pollers of one add-on share.
    shared: Shared,
    /// Why add-ons cannot be followed, or not in the way that is asked for now.
    triggers: Mutex<HashMap<Key, Unfollowed>>,
}

struct RunningPoller {
    poller: Arc<Poller>,
    _task: Running,
}

/// Why an add-on cannot be followed.
struct Unfollowed {
    report: ConditionReport,
    since: Timestamp,
    /// For how long what was known of it counts.
    patience: SignedDuration,
    stale: bool,
}

impl Observer {
    /// An observer of nothing yet.
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
            triggers: Mutex::default(),
        }
    }

    /// Follows `addon` from now on, in this way. Following it already in the same way changes nothing.
    pub fn follow(&self, addon: &Key, following: PollSettings) {
        let mut pollers = self.pollers();
        let known = pollers.get(addon).map(|f| f.poller.following());
        if known.is_some_and(|k| k.selector.same(&following.selector) && k.poll == following.poll) {
            return;
        }
        let PollSettings { selector, recorded, .. } = following.clone();
        let access = AddonResolver::new(self.http.clone(), self.clock, selector, recorded);
        let link = AppLink::new(Arc::new(access));
        let poller = Poller::new(addon.clone(), following, link, self.clock, self.hooks.clone(), self.shared.clone());
        let poller = Arc::new(poller);
        let name = format!("poller of {addon}");
        let pulse = self.liveness.pulse(&name, LONGEST_CALLS);
        let task = self.liveness.spawn(&name, poller.clone().run(self.metrics.clone(), pulse));
        pollers.insert(addon.clone(), RunningPoller { poller, _task: task });
    }

    /// Forgets `addon`, which is gone.
    pub fn forget(&self, addon: &Key) {
        self.pollers().remove(addon);
        self.triggers().remove(addon);
    }

    /// Stops following `addon`, which is there and cannot be followed now.
    pub fn unfollow(&self, addon: &Key) {
        self.pollers().remove(addon);
    }

    /// Records why `addon`, polled at this pace, cannot be followed, if so, and tells whether that changed.
    pub fn cannot_follow(&self, addon: &Key, trigger: Option<ConditionReport>, poll: Option<Duration>) -> bool {
        let mut triggers = self.triggers();
        let known = triggers.get(addon);
        let changed = known.map(|known| &known.report) != trigger.as_ref();
        match trigger {
            Some(report) => {
                let (since, stale) = known.map_or((self.clock.now(), false), |known| (known.since, known.stale));
                let poll = poll.and_then(|poll| SignedDuration::try_from(poll).ok()).unwrap_or_default();
                triggers.insert(addon.clone(), Unfollowed { report, since, patience: patience(poll), stale });
            }
            None => drop(triggers.remove(addon)),
        }
        changed
    }

    /// Why `addon` cannot be followed, if so, and whether that has lasted for so long that nothing is known any more.
    #[must_use]
    pub fn unfollowed(&self, addon: &Key) -> Option<(ConditionReport, bool)> {
        self.triggers().get(addon).map(|known| (known.report.clone(), known.stale))
    }

    /// The add-ons of which nothing is known any more from now on, since they could not be followed for so long.
    #[must_use]
    pub fn mark_stale(&self) -> Vec<Key> {
        let now = self.clock.now();
        let mut triggers = self.triggers();
        let over =
            triggers.iter_mut().filter(|(_, known)| !known.stale && now.duration_since(known.since) >= known.patience);
        over.map(|(addon, known)| {
            known.stale = true;
            addon.clone()
        })
        .collect()
    }

    /// The add-ons that are followed.
    #[must_use]
    pub fn followed(&self) -> Vec<Key> {
        self.pollers().keys().cloned().collect()
    }

    /// What is known of `addon`; `None` where it is not followed.
    #[must_use]
    pub fn addon(&self, addon: &Key) -> Option<AddonObservation> {
        Some(self.poller(addon)?.addon())
    }

    /// What is known of one remote object; see [`crate::facts::collection::Collection::view`].
    #[must_use]
    pub fn lookup<R: RemoteObject>(
        &self,
        addon: &Key,
        collection: &CollectionRef<R>,
        id: Option<&str>,
        name: &str,
        since: Timestamp,
    ) -> Lookup<R> {
        self.poller(addon).map(|p| p.lookup(collection, id, name, since)).unwrap_or_default()
    }

    /// The remote object of this id as it was last observed, with what a snapshot leaves out.
    #[must_use]
    pub fn object<R: RemoteObject>(&self, addon: &Key, collection: &CollectionRef<R>, id: &str) -> Option<R> {
        self.poller(addon)?.object(collection, id)
    }

    /// Takes in that the object of this id has this name, which lists may not tell.
    pub fn set_name<R: RemoteObject>(&self, addon: &Key, collection: &CollectionRef<R>, id: &str, name: &str) {
        if let Some(poller) = self.poller(addon) {
            poller.set_name(collection, id, name);
        }
    }

    /// What is known of the targets on a connection, whoever made them.
    #[must_use]
    pub fn target_listing(&self, addon: &Key, connection: &str) -> TargetListing {
        self.poller(addon).map(|p| p.target_listing(connection)).unwrap_or_default()
    }

    /// Whether the connection of this id is known to be gone, by a listing that began at `since` or later.
    #[must_use]
    pub fn connection_gone(&self, addon: &Key, connection: &str, since: Timestamp) -> bool {
        self.poller(addon).is_some_and(|p| p.connection_gone(connection, since))
    }

    /// The API of `addon`, for those who write.
    ///
    /// # Errors
    /// [`RemoteError::Forgotten`] where it is not followed.
    pub fn api(&self, addon: &Key) -> Result<AppLink, RemoteError> {
        Ok(self.poller(addon).ok_or(RemoteError::Forgotten)?.link().clone())
    }

    /// Asks for a pass now; `who` is woken after one that began after this.
    pub fn request_poll(&self, addon: &Key, who: Key, purpose: Purpose) {
        if let Some(poller) = self.poller(addon) {
            poller.request_poll(who, purpose);
        }
    }

    /// Says whether `who` waits for the service, which is then looked at often.
    pub fn set_waiting(&self, addon: &Key, who: &Key, waits: bool) {
        if let Some(poller) = self.poller(addon) {
            poller.set_waiting(who, waits);
        }
    }

    /// Takes in what a call of ours that began at `at` told about a remote object.
    pub fn observe<R: RemoteObject>(
        &self,
        addon: &Key,
        collection: &CollectionRef<R>,
        at: Timestamp,
        observation: Observation<R>,
    ) {
        if let Some(poller) = self.poller(addon) {
            poller.observe(collection, at, observation);
        }
    }

    /// Takes in what a call of ours showed to live on a connection.
    pub fn apply_child_listing(&self, addon: &Key, page: ChildListing) {
        if let Some(poller) = self.poller(addon) {
            poller.apply_child_listing(page);
        }
    }

    fn poller(&self, addon: &Key) -> Option<Arc<Poller>> {
        Some(self.pollers().get(addon)?.poller.clone())
    }

    fn triggers(&self) -> MutexGuard<'_, HashMap<Key, Unfollowed>> {
        self.triggers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pollers(&self) -> MutexGuard<'_, HashMap<Key, RunningPoller>> {
        self.pollers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those who wait for something, and since when.
type Waiters = BTreeMap<Key, Timestamp>;
