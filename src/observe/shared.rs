//! Listings that several AppLinkAddons of one add-on share, so that it is polled once and not once for each of them.
//!
//! Calls nothing itself. Every poller passes its list calls through here, after it has found the add-on with a token of its
//! own; where it is the only one on the add-on, nothing is kept.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::Key;
use crate::clock::Clock;
use crate::heroku::RemoteError;

/// How long to wait for the listing of another before making one's own: whatever holds up its poller must not hold up this.
const PATIENCE: Duration = Duration::from_secs(5);

/// The UUIDs of add-on and app: what lists show depends on both.
pub(super) type Place = (String, String);

/// The last listing of its name, while a call for it may be under way.
type Slot = Arc<tokio::sync::Mutex<Option<(Timestamp, Box<dyn Any + Send>)>>>;

/// Listings of late.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    pollers: HashMap<Place, BTreeSet<Key>>,
    listings: BTreeMap<(Place, String), Slot>,
}

/// Where one pass looks.
#[derive(Clone)]
pub(super) struct Sharing {
    shared: Shared,
    place: Place,
    clock: Clock,
    /// A listing that began earlier is of no use to the pass.
    not_before: Timestamp,
}

impl Shared {
    /// What a pass of the poller of `addon` at `place` shares.
    pub(super) fn sharing(&self, addon: &Key, place: Place, clock: Clock, not_before: Timestamp) -> Sharing {
        {
            let mut state = self.state();
            let elsewhere = state.pollers.iter().any(|(known, all)| *known != place && all.contains(addon));
            if elsewhere {
                leave(&mut state, addon);
            }
            state.pollers.entry(place.clone()).or_default().insert(addon.clone());
        }
        Sharing { shared: self.clone(), place, clock, not_before }
    }

    /// `addon` is polled no longer.
    pub(super) fn leave(&self, addon: &Key) {
        leave(&mut self.state(), addon);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn leave(state: &mut State, addon: &Key) {
    state.pollers.retain(|_, all| {
        all.remove(addon);
        !all.is_empty()
    });
    let pollers = &state.pollers;
    state.listings.retain(|(place, _), _| pollers.get(place).is_some_and(|all| all.len() > 1));
}

impl Sharing {
    /// The listing of this name, and when it began: one that another poller made, or the one that `list` makes.
    ///
    /// # Errors
    /// That of `list`; it is not shared.
    pub(super) async fn listing<T: Clone + Send + 'static>(
        &self,
        name: &str,
        list: impl Future<Output = Result<T, RemoteError>>,
    ) -> Result<(Timestamp, T), RemoteError> {
        let slot = self.slot(name);
        let held = match &slot {
            Some(slot) => tokio::time::timeout(PATIENCE, slot.lock()).await.ok(),
            None => None,
        };
        let Some(mut known) = held else {
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

    /// Where the listing is kept, if others may want it.
    fn slot(&self, name: &str) -> Option<Slot> {
        let mut state = self.shared.state();
        let shared = state.pollers.get(&self.place).is_some_and(|all| all.len() > 1);
        shared.then(|| state.listings.entry((self.place.clone(), name.to_owned())).or_default().clone())
    }
}
