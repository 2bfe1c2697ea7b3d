//! All objects of one kind, as the watches show them.
//!
//! Reads and queues only. One store per watched namespace, because two watches into one store lose objects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::index::Entry;
use super::kind::Kind;
use super::source::FirstList;
use crate::crd::{ConditionType, FINALIZER, Reason, ResourceStatus, condition};
use crate::observe::Key;

/// One kind in one namespace, or in all.
pub(super) struct NamespaceStore<K: Kind> {
    pub(super) namespace: Option<String>,
    pub(super) store: Store<DeserializeGuard<K>>,
    /// The state of the store's first list.
    pub(super) first: watch::Receiver<FirstList>,
    pub(super) wake: UnboundedSender<ObjectRef<DeserializeGuard<K>>>,
}

impl<K: Kind> NamespaceStore<K> {
    fn covers(&self, namespace: &str) -> bool {
        self.namespace.as_ref().is_none_or(|ns| ns == namespace)
    }

    async fn first_list(&self, wanted: impl Fn(FirstList) -> bool) {
        // The sender is dropped only while the process stops.
        let _ = self.first.clone().wait_for(|first| wanted(*first)).await;
    }
}

/// One kind, in all watched namespaces.
pub(super) struct KindStore<K: Kind> {
    namespaces: Vec<NamespaceStore<K>>,
    /// Objects whose inputs a running reconcile has read, and whether one of these inputs changed since. Bounded by the
    /// running reconciles.
    in_use: Mutex<HashMap<Key, bool>>,
}

/// The inputs of one object, which its reconcile uses until this is dropped.
pub(super) struct InUse<'a, K: Kind> {
    store: &'a KindStore<K>,
    key: Key,
}

impl<K: Kind> InUse<'_, K> {
    /// Records that the inputs are being read now.
    pub(super) fn reads(&self) {
        self.store.in_use().insert(self.key.clone(), false);
    }

    /// Whether an input changed since it was read.
    pub(super) fn changed(&self) -> bool {
        self.store.in_use().get(&self.key).copied().unwrap_or(true)
    }
}

impl<K: Kind> Drop for InUse<'_, K> {
    fn drop(&mut self) {
        self.store.in_use().remove(&self.key);
    }
}

impl<K: Kind> KindStore<K> {
    pub(super) fn new(namespaces: Vec<NamespaceStore<K>>) -> Self {
        Self { namespaces, in_use: Mutex::default() }
    }

    /// For the reconcile of this object. An object has one reconcile at a time.
    pub(super) fn inputs_of(&self, key: &Key) -> InUse<'_, K> {
        InUse { store: self, key: key.clone() }
    }

    /// Records that inputs of these objects changed.
    pub(super) fn inputs_changed<'a>(&self, keys: impl IntoIterator<Item = &'a Key>) {
        let mut in_use = self.in_use();
        keys.into_iter().for_each(|key| drop(in_use.entry(key.clone()).and_modify(|changed| *changed = true)));
    }

    fn in_use(&self) -> MutexGuard<'_, HashMap<Key, bool>> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The result of `read` for the object with this key, if it exists and can be read.
    pub(super) fn read<T>(&self, key: &Key, read: impl FnOnce(&K) -> T) -> Option<T> {
        let wanted = ObjectRef::new(&key.name).within(&key.namespace);
        let found = self.namespaces.iter().find_map(|one| one.store.get(&wanted))?;
        found.0.as_ref().ok().map(read)
    }

    /// Whether an object with this key exists that this version cannot read.
    pub(super) fn is_unreadable(&self, key: &Key) -> bool {
        let wanted = ObjectRef::new(&key.name).within(&key.namespace);
        self.namespaces.iter().any(|one| one.store.get(&wanted).is_some_and(|object| object.0.is_err()))
    }

    /// Every object that has our finalizer, and that this version cannot read.
    pub(super) fn unreadable(&self) -> impl Iterator<Item = Arc<DeserializeGuard<K>>> + '_ {
        let held = |object: &Arc<DeserializeGuard<K>>| {
            object.0.is_err() && object.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
        };
        self.namespaces.iter().flat_map(|one| one.store.state()).filter(held)
    }

    /// Every readable object.
    pub(super) fn all(&self) -> impl Iterator<Item = Arc<DeserializeGuard<K>>> + '_ {
        self.namespaces.iter().flat_map(|one| one.store.state()).filter(|object| object.0.is_ok())
    }

    /// Queues the object with this key.
    pub(super) fn queue(&self, key: &Key) {
        if let Some(one) = self.namespaces.iter().find(|one| one.covers(&key.namespace)) {
            // The receiver is dropped only while the process stops.
            let _ = one.wake.send(ObjectRef::new(&key.name).within(&key.namespace));
        }
    }

    /// Waits until every namespace was listed or refused.
    pub(super) async fn complete(&self) {
        for one in &self.namespaces {
            one.first_list(|first| first != FirstList::Awaited).await;
        }
    }

    /// Waits until this namespace was listed.
    pub(super) async fn complete_in(&self, namespace: &str) {
        for one in self.namespaces.iter().filter(|one| one.covers(namespace)) {
            one.first_list(|first| first == FirstList::Read).await;
        }
    }
}

/// What the index keeps of an object.
pub(super) fn entry<K: Kind>(object: &K) -> Entry {
    Entry {
        references: object.references(),
        name: object.remote_name(),
        ids: object.recorded_ids(),
        conflicts: ready_reason(object) == Some(Reason::NameConflict),
        deleting: object.meta().deletion_timestamp.is_some(),
    }
}

fn ready_reason<K: Kind>(object: &K) -> Option<Reason> {
    Reason::parse(&condition(object.status()?.conditions(), ConditionType::Ready)?.reason)
}
