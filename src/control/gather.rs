//! How the snapshot of a kind is gathered, and who else must plan again when its objects change.
//!
//! Gathering only reads. What changes something is in `effects`.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::Context;
use super::error::Error;
use super::kind::Kind;
use crate::observe::{Key, OwnerPoller, Subscription};
use crate::plan::Plan;
use crate::plan::state::ReconcileState;

/// A kind whose snapshot can be gathered.
pub(super) trait Gather: Kind {
    /// The results of reading what the spec refers to: digests and the state of Secrets, no content.
    type Inputs: Send + Sync;
    /// Everything that the plan depends on, as plain data.
    type Snapshot: Serialize + DeserializeOwned + PartialEq + Debug + Send + Sync;

    /// The add-on that it stands for, or that its remote object belongs to; `None` if that is unknown.
    fn owner(&self, ctx: &Context) -> Option<Key>;
    /// The poller of its owner, if there is one.
    fn poller(&self, ctx: &Context) -> Option<Arc<dyn OwnerPoller>> {
        ctx.observer.poller_of(&self.owner(ctx)?)
    }
    /// Whether a change of remote objects with these IDs and names concerns it.
    fn is_affected(&self, ctx: &Context, changed: &BTreeSet<String>) -> bool;
    /// Adds what to list on the add-on for it.
    fn subscribe(&self, _ctx: &Context, _subscription: &mut Subscription) {}

    /// Brings the process up to date with the object before its snapshot is gathered: what to poll, and which names it
    /// knows.
    fn prepare(&self, _ctx: &Context) -> impl Future<Output = Result<(), Error>> + Send {
        std::future::ready(Ok(()))
    }
    /// Reads what the spec refers to from the API server.
    fn gather(&self, ctx: &Context) -> impl Future<Output = Result<Self::Inputs, Error>> + Send;
    /// Stands in for the inputs when a plan needs none, for example in a deletion. It cannot fail: an input that is missing,
    /// unreadable or forbidden must not prevent a deletion.
    fn gather_without_inputs(&self, ctx: &Context) -> impl Future<Output = Self::Inputs> + Send;
    /// Whether its state is unknown at the moment, so that it must not stay Ready while an input cannot be read.
    fn is_stale(&self, ctx: &Context) -> bool {
        let Some(addon) = self.owner(ctx) else { return false };
        // An add-on that is still polled keeps working with the token it has.
        let unfollowed = ctx.observer.addon(&addon).is_none();
        unfollowed && ctx.observer.unfollowed(&addon).is_some_and(|(_, stale)| stale)
    }
    /// Combines the inputs with what this process knows. Reads memory only.
    fn snapshot(&self, ctx: &Context, inputs: &Self::Inputs, state: ReconcileState, now: Timestamp) -> Self::Snapshot;
    /// Plans. Pure.
    fn plan(snapshot: &Self::Snapshot) -> Plan<Self::Status>;

    /// Called when a watch shows the object: queues the objects whose snapshots read it.
    fn on_observed(&self, _ctx: &Context) {}
    /// Called after a status write: queues the objects whose snapshots read the status.
    fn on_status_written(&self, _ctx: &Context, _generation_changed: bool) {}
    /// Called after the finalizer is removed: queues the objects that waited for that.
    fn on_finalizer_removed(&self, ctx: &Context);
}
