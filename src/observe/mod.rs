//! The only source of what is live: one poller per add-on lists the collections, however many objects there are.
//!
//! Writes neither to Kubernetes nor to AppLink. `control` tells it what to follow, asks it to look, hands it the
//! answers to its own writes, and is woken when something moved.

mod pass;
mod poller;
mod schedule;
mod shared;
mod shelf;
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
use crate::crd::AppLinkAddonStatus;
use crate::heroku::{Access, AccessError, Target};
use crate::metrics::Metrics;
use crate::plan::collection::Witness;
use crate::plan::diff::connection::Targets;
use crate::plan::live::{AddonLive, Live, RemoteObject};
use crate::plan::verdict::Verdict;
use crate::transport::Http;

use poller::Poller;
use schedule::patience;
use shared::Shared;

pub use pass::{Page, Seen, Wanted};
pub use shelf::Shelf;
pub use trouble::trouble;

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
pub enum Cause {
    /// What is known of this very object changed.
    Object(Key),
    /// What this object is to those who live on it may have changed.
    Dependants(Key),
    /// Every object on the add-on is concerned.
    Everything(Key),
    /// The remote objects of these ids and names changed; of what lives on a connection, `connection/id`.
    Moved(Key, BTreeSet<String>),
    /// A name may have become free for those who wait for one.
    Freed,
    /// These asked for a look, and it was taken.
    Looked(BTreeSet<Key>),
}

/// How the observer asks and tells those whom it works for.
#[derive(Clone)]
pub struct Ask {
    /// Called with each cause.
    pub wake: Arc<dyn Fn(Cause) + Send + Sync>,
    /// What of an add-on is to be listed.
    pub wanted: Arc<dyn Fn(&Key) -> Wanted + Send + Sync>,
}

/// How to follow one add-on.
#[derive(Clone, Debug)]
pub struct Following {
    /// Which add-on, and with what token.
    pub target: Target,
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
    ask: Ask,
    pollers: Mutex<HashMap<Key, Followed>>,
    /// What pollers of one add-on share.
    shared: Shared,
    /// Why add-ons cannot be followed, or not in the way that is asked for now.
    causes: Mutex<HashMap<Key, Unfollowed>>,
}

struct Followed {
    poller: Arc<Poller>,
    task: tokio::task::AbortHandle,
}

/// Why an add-on cannot be followed.
struct Unfollowed {
    verdict: Verdict,
    since: Timestamp,
    /// For how long what was known of it counts.
    patience: SignedDuration,
    silent: bool,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Observer {
    /// An observer of nothing yet.
    #[must_use]
    pub fn new(http: Http, clock: Clock, metrics: Metrics, ask: Ask) -> Self {
        Self {
            http,
            clock,
            metrics,
            ask,
            pollers: Mutex::default(),
            shared: Shared::default(),
            causes: Mutex::default(),
        }
    }

    /// Follows `addon` from now on, in this way. Following it already in the same way changes nothing.
    pub fn follow(&self, addon: &Key, following: Following) {
        let mut pollers = self.pollers();
        let known = pollers.get(addon).map(|f| f.poller.following());
        if known.is_some_and(|k| k.target.same(&following.target) && k.poll == following.poll) {
            return;
        }
        let Following { target, recorded, .. } = following.clone();
        let access = Access::new(self.http.clone(), self.clock, target, recorded);
        let link = AppLink::new(Arc::new(access));
        let poller = Poller::new(addon.clone(), following, link, self.clock, self.ask.clone(), self.shared.clone());
        let poller = Arc::new(poller);
        let task = tokio::spawn(poller.clone().run(self.metrics.clone())).abort_handle();
        pollers.insert(addon.clone(), Followed { poller, task });
    }

    /// Forgets `addon`, which is gone.
    pub fn forget(&self, addon: &Key) {
        self.pollers().remove(addon);
        self.causes().remove(addon);
    }

    /// Stops following `addon`, which is there and cannot be followed now.
    pub fn unfollow(&self, addon: &Key) {
        self.pollers().remove(addon);
    }

    /// Records why `addon`, polled at this pace, cannot be followed, if so, and tells whether that changed.
    pub fn cannot_follow(&self, addon: &Key, cause: Option<Verdict>, poll: Option<Duration>) -> bool {
        let mut causes = self.causes();
        let known = causes.get(addon);
        let changed = known.map(|known| &known.verdict) != cause.as_ref();
        match cause {
            Some(verdict) => {
                let (since, silent) = known.map_or((self.clock.now(), false), |known| (known.since, known.silent));
                let poll = poll.and_then(|poll| SignedDuration::try_from(poll).ok()).unwrap_or_default();
                causes.insert(addon.clone(), Unfollowed { verdict, since, patience: patience(poll), silent });
            }
            None => drop(causes.remove(addon)),
        }
        changed
    }

    /// Why `addon` cannot be followed, if so, and whether that has lasted for so long that nothing is known any more.
    #[must_use]
    pub fn cause(&self, addon: &Key) -> Option<(Verdict, bool)> {
        self.causes().get(addon).map(|known| (known.verdict.clone(), known.silent))
    }

    /// The add-ons of which nothing is known any more from now on, since they could not be followed for so long.
    #[must_use]
    pub fn fall_silent(&self) -> Vec<Key> {
        let now = self.clock.now();
        let mut causes = self.causes();
        let over =
            causes.iter_mut().filter(|(_, known)| !known.silent && now.duration_since(known.since) >= known.patience);
        over.map(|(addon, known)| {
            known.silent = true;
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
    pub fn addon(&self, addon: &Key) -> Option<AddonLive> {
        Some(self.poller(addon)?.addon())
    }

    /// What is known of one remote object; see [`crate::plan::collection::Collection::view`].
    #[must_use]
    pub fn see<R: RemoteObject>(
        &self,
        addon: &Key,
        shelf: &Shelf<R>,
        id: Option<&str>,
        name: &str,
        since: Timestamp,
    ) -> Live<R> {
        self.poller(addon).map(|p| p.see(shelf, id, name, since)).unwrap_or_default()
    }

    /// What is known of the targets on a connection, whoever made them.
    #[must_use]
    pub fn survey(&self, addon: &Key, connection: &str) -> Targets {
        self.poller(addon).map(|p| p.survey(connection)).unwrap_or_default()
    }

    /// Whether the connection of this id is known to be gone, by a listing that began at `since` or later.
    #[must_use]
    pub fn severed(&self, addon: &Key, connection: &str, since: Timestamp) -> bool {
        self.poller(addon).is_some_and(|p| p.severed(connection, since))
    }

    /// The API of `addon`, for those who write.
    ///
    /// # Errors
    /// [`AccessError::Forgotten`] where it is not followed.
    pub fn api(&self, addon: &Key) -> Result<AppLink, AccessError> {
        Ok(self.poller(addon).ok_or(AccessError::Forgotten)?.link().clone())
    }

    /// Asks for a pass now; `who` is woken after one that began after this.
    pub fn look(&self, addon: &Key, who: Key, purpose: Purpose) {
        if let Some(poller) = self.poller(addon) {
            poller.look(who, purpose);
        }
    }

    /// Says whether `who` waits for the service, which is then looked at often.
    pub fn attend(&self, addon: &Key, who: &Key, waits: bool) {
        if let Some(poller) = self.poller(addon) {
            poller.attend(who, waits);
        }
    }

    /// Takes in what a call of ours that began at `at` told about a remote object.
    pub fn witness<R: RemoteObject>(&self, addon: &Key, shelf: &Shelf<R>, at: Timestamp, witness: Witness<R>) {
        if let Some(poller) = self.poller(addon) {
            poller.witness(shelf, at, witness);
        }
    }

    /// Takes in what a call of ours showed to live on a connection.
    pub fn list_page(&self, addon: &Key, page: Page) {
        if let Some(poller) = self.poller(addon) {
            poller.list_page(page);
        }
    }

    fn poller(&self, addon: &Key) -> Option<Arc<Poller>> {
        Some(self.pollers().get(addon)?.poller.clone())
    }

    fn causes(&self) -> MutexGuard<'_, HashMap<Key, Unfollowed>> {
        self.causes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pollers(&self) -> MutexGuard<'_, HashMap<Key, Followed>> {
        self.pollers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those who wait for something, and since when.
type Waiters = BTreeMap<Key, Timestamp>;
