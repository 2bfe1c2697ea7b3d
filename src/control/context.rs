//! The context: everything that the reconcilers of all kinds share.
//!
//! Decides nothing. Which objects a trigger concerns is in `triggers`, behind [`AnyStore`].

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use kube::Client;
use kube::core::DeserializeGuard;

use super::digests::Digests;
use super::events::Events;
use super::fence::WriteFence;
use super::forbidden::ForbiddenReads;
use super::index::Index;
use super::kind::{Kind, Reference};
use super::permits::Permits;
use super::slots::Slots;
use super::stores::KindStore;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::observe::{Key, Observer, Subscription, Trigger};
use crate::plan::inputs::OrgAccessInputs;
use crate::plan::inputs::publication::PublicationInputs;
use crate::plan::kinds::connection::Dependent;
use crate::transport::AllowedHosts;

/// Everything that the reconcilers of all kinds share.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) clock: Clock,
    pub(super) hosts: AllowedHosts,
    pub(super) observer: Observer,
    pub(super) stores: Stores,
    pub(super) index: Arc<Index>,
    pub(super) permits: Permits,
    pub(super) slots: Slots,
    pub(super) fence: WriteFence,
    pub(super) events: Events,
    pub(super) org_access_digests: Digests<OrgAccessInputs>,
    pub(super) publication_digests: Digests<PublicationInputs>,
    pub(super) denied: ForbiddenReads,
    /// References of the objects that this version cannot read, as far as they are known.
    pub(super) unreadable_references: Mutex<HashMap<Key, Vec<Reference>>>,
    pub(super) metrics: Metrics,
}

impl Context {
    /// The result of `read` for the object with this key, if it exists and can be read.
    pub(super) fn read<K: Kind, T>(&self, key: &Key, read: impl FnOnce(&K) -> T) -> Option<T> {
        self.stores.of::<K>()?.read(key, read)
    }

    /// Whether an object with this key exists that this version cannot read.
    pub(super) fn is_unreadable<K: Kind>(&self, key: &Key) -> bool {
        self.stores.of::<K>().is_some_and(|store| store.is_unreadable(key))
    }

    /// Every readable object of a kind.
    pub(super) fn all<K: Kind>(&self) -> impl Iterator<Item = Arc<DeserializeGuard<K>>> {
        self.stores.of::<K>().into_iter().flat_map(KindStore::all)
    }

    pub(super) fn unreadable_references(&self) -> MutexGuard<'_, HashMap<Key, Vec<Reference>>> {
        self.unreadable_references.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues the objects that a trigger concerns.
    pub(super) fn trigger(&self, trigger: &Trigger) {
        self.stores.all().for_each(|store| store.trigger(self, trigger));
    }

    /// Queues the objects that refer to `changed`.
    pub(super) fn trigger_users_of(&self, namespace: &str, changed: &Reference) {
        self.stores.all().for_each(|store| store.trigger_users_of(self, namespace, changed));
    }

    /// The objects that depend on this one.
    pub(super) fn dependents(&self, of: &Key) -> Vec<Dependent> {
        self.stores.all().flat_map(|store| store.dependents(self, of)).collect()
    }

    /// What to list on an add-on.
    pub(super) fn subscription(&self, addon: &Key) -> Subscription {
        let mut subscription = Subscription::default();
        self.stores.all().for_each(|store| store.subscribe(self, addon, &mut subscription));
        subscription
    }
}

/// The store of any one kind.
pub(super) trait AnyStore: Any + Send + Sync {
    /// Queues the objects of this kind that a trigger concerns.
    fn trigger(&self, ctx: &Context, trigger: &Trigger);
    /// Queues the objects of this kind that refer to `changed`.
    fn trigger_users_of(&self, ctx: &Context, namespace: &str, changed: &Reference);
    /// Queues the objects whose snapshots read the object with this key, which a watch has shown.
    fn on_observed(&self, ctx: &Context, key: &Key);
    /// The objects of this kind that depend on `of`.
    fn dependents(&self, ctx: &Context, of: &Key) -> Vec<Dependent>;
    /// Adds what to list on an add-on.
    fn subscribe(&self, ctx: &Context, addon: &Key, subscription: &mut Subscription);
    /// Waits until every namespace was listed or refused: resources of other namespaces may claim the same name, but a
    /// namespace that cannot be read must not hold up the others.
    fn complete(&self) -> BoxFuture<'_, ()>;
    /// Waits until this namespace was listed: an earlier plan would take what is not read yet for absent.
    fn complete_in<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, ()>;
}

/// The stores of all kinds.
#[derive(Default)]
pub(super) struct Stores(Vec<Arc<dyn AnyStore>>);

impl Stores {
    pub(super) fn add(&mut self, store: impl AnyStore) {
        self.0.push(Arc::new(store));
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &dyn AnyStore> {
        self.0.iter().map(|store| &**store)
    }

    /// The store of one kind.
    pub(super) fn of<K: Kind>(&self) -> Option<&KindStore<K>> {
        self.all().find_map(|store| (store as &dyn Any).downcast_ref())
    }
}
