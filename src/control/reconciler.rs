//! What the reconcile of one object works with: the reconciler of its kind, its gathered inputs, and what it holds.
//!
//! Calls nothing but the gathering of inputs. `reconcile`, `execute` and `status` share it.

use std::sync::Arc;

use super::context::Context;
use super::effects::Effects;
use super::error::Error;
use super::fence::InFlight;
use super::kind::{Kind, key};
use super::outcome::PendingEvent;
use super::permits::Permit;
use super::slots::Slot;
use super::state_cache::StateCache;
use crate::plan::state::ReconcileState;

/// The reconciler of one kind.
pub(super) struct Reconciler<K> {
    pub(super) ctx: Arc<Context>,
    pub(super) state_cache: StateCache<K>,
}

/// What one reconcile has read from the API server. It stays valid during the reconcile, except after own writes to Secrets.
pub(super) struct Gathered<K: Effects> {
    pub(super) inputs: K::Inputs,
    pub(super) needed: InputsNeeded,
    /// Built before the reconcile waits for a write permit, so that it reads nothing while it holds one.
    pub(super) payload: Option<K::Payload>,
}

/// Which inputs a plan needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InputsNeeded {
    generation: i64,
    needed: bool,
}

impl InputsNeeded {
    pub(super) fn by<K: Kind>(object: &K, state: &ReconcileState) -> Self {
        Self { generation: state.generation, needed: !state.deleting && !object.is_passive() }
    }
}

impl<K: Effects> Gathered<K> {
    pub(super) async fn read(object: &K, ctx: &Context, state: &ReconcileState) -> Result<Self, Error> {
        let needed = InputsNeeded::by(object, state);
        match object.prepare(ctx).await {
            Err(error) if !state.deleting => return Err(error),
            Err(error) => tracing::warn!(object = %key(object), "{error}"),
            Ok(()) => {}
        }
        let inputs = if needed.needed { object.gather(ctx).await? } else { object.gather_without_inputs(ctx).await };
        Ok(Self { inputs, needed, payload: None })
    }

    /// Whether the payload is the one that the intent announces.
    pub(super) fn is_announced(&self, state: &ReconcileState) -> bool {
        let announced = state.intent.as_ref().map(|intent| intent.hash.as_str());
        self.payload.as_ref().map(super::effects::Payload::hash) == announced
    }
}

/// What one reconcile holds until its status write.
#[derive(Default)]
pub(super) struct WriteGuard {
    /// The permit to write to the owner.
    pub(super) permit: Option<Permit>,
    /// The permit to be the only writer to a part of the owner.
    pub(super) exclusive: Option<Permit>,
    in_flight: Option<InFlight>,
    /// The slot of the reconcile. It gives the slot back while it only waits.
    pub(super) slot: Option<Slot>,
    /// Events to publish after the status write.
    pub(super) events: Vec<PendingEvent>,
}

impl WriteGuard {
    /// A reconcile that has this slot, and nothing else yet.
    pub(super) fn in_slot(slot: Slot) -> Self {
        Self { slot: Some(slot), ..Self::default() }
    }

    /// Enters the fence, if the reconcile has not done so. Returns whether writes are still allowed.
    pub(super) fn enter(&mut self, ctx: &Context) -> bool {
        if self.in_flight.is_none() {
            self.in_flight = ctx.fence.enter();
        }
        self.in_flight.is_some() && ctx.fence.is_open()
    }

    /// Gives the permits back, because nothing is left to write for now.
    pub(super) fn give_back_permit(&mut self) {
        (self.permit, self.exclusive) = (None, None);
    }

    /// Gives everything back, and returns the Events to publish.
    pub(super) fn release(&mut self) -> Vec<PendingEvent> {
        std::mem::take(self).events
    }
}
