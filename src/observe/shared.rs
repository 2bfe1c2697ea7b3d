//! Shares listings between AppLinkAddons that refer to the same add-on, so that it is polled once.
//!
//! Calls nothing itself. Each poller first finds the add-on with its own token, then makes its list calls through this.
//! Nothing is kept for an add-on with one poller.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::trigger::Key;
use crate::clock::Clock;
use crate::heroku::RemoteError;
use crate::timing::SHARED_LISTING_WAIT;

/// UUIDs of the add-on and the app. Listings depend on both.
pub(super) type ListingScope = (String, String);

/// The last listing with its start. The lock is held during a call.
type Slot = Arc<tokio::sync::Mutex<Option<(Timestamp, Box<dyn Any + Send>)>>>;

/// Recent listings of all add-ons.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    pollers: HashMap<ListingScope, BTreeSet<Key>>,
    listings: BTreeMap<(ListingScope, String), Slot>,
}

/// Shared listings, as one pass uses them.
#[derive(Clone)]
pub(super) struct Sharing {
    shared: Shared,
    scope: ListingScope,
    clock: Clock,
    /// The pass cannot use a listing that began earlier.
    not_before: Timestamp,
}

impl Shared {
    /// Registers the poller of `addon` at `scope`, and returns the sharing for one pass.
    pub(super) fn sharing(&self, addon: &Key, scope: ListingScope, clock: Clock, not_before: Timestamp) -> Sharing {
        {
            let mut state = self.state();
            let moved = state.pollers.iter().any(|(known, all)| *known != scope && all.contains(addon));
            if moved {
                remove(&mut state, addon);
            }
            state.pollers.entry(scope.clone()).or_default().insert(addon.clone());
        }
        Sharing { shared: self.clone(), scope, clock, not_before }
    }

    /// Removes the poller of `addon`.
    pub(super) fn remove(&self, addon: &Key) {
        remove(&mut self.state(), addon);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remove(state: &mut State, addon: &Key) {
    state.pollers.retain(|_, all| {
        all.remove(addon);
        !all.is_empty()
    });
    let pollers = &state.pollers;
    state.listings.retain(|(scope, _), _| pollers.get(scope).is_some_and(|all| all.len() > 1));
}

impl Sharing {
    /// Returns another poller's listing with this name, or awaits `list`. Also returns when the listing began.
    ///
    /// # Errors
    /// The error of `list`. Errors are not shared.
    pub(super) async fn listing<T: Clone + Send + 'static>(
        &self,
        name: &str,
        list: impl Future<Output = Result<T, RemoteError>>,
    ) -> Result<(Timestamp, T), RemoteError> {
        let slot = self.slot(name);
        let lock = match &slot {
            Some(slot) => tokio::time::timeout(SHARED_LISTING_WAIT, slot.lock()).await.ok(),
            None => None,
        };
        let Some(mut known) = lock else {
            let began = self.clock.now();
            return Ok((began, list.await?));
        };
        if let Some((began, listing)) = &*known
            && *began >= self.not_before
            && let Some(listing) = listing.downcast_ref::<T>()
        {
            return Ok((*began, listing.clone()));
        }
        let began = self.clock.now();
        let listing = list.await?;
        *known = Some((began, Box::new(listing.clone())));
        Ok((began, listing))
    }

    /// The slot of the listing, if another poller may want it.
    fn slot(&self, name: &str) -> Option<Slot> {
        let mut state = self.shared.state();
        let shared = state.pollers.get(&self.scope).is_some_and(|all| all.len() > 1);
        shared.then(|| state.listings.entry((self.scope.clone(), name.to_owned())).or_default().clone())
    }
}
