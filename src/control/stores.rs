//! All objects of one kind as the watches show them, and the triggers that queue them.
//!
//! Reads only. One store per watched namespace, since two watches into one store lose objects.

use std::any::Any;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::Context;
use super::index::Entry;
use super::kinds::{Kind, Reference, Status, on_connection};
use super::source::FirstList;
use crate::crd::{AppLinkAddon, ConditionType, FINALIZER, Reason, condition};
use crate::observe::{Key, Subscription, Trigger};
use crate::plan::kinds::connection::Dependent;

/// One kind in one namespace, or in all.
pub(super) struct NamespaceStore<K: Kind> {
    pub(super) namespace: Option<String>,
    pub(super) store: Store<DeserializeGuard<K>>,
    /// Whether the store has had its first list.
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

/// One kind, wherever it is watched.
pub(super) struct KindStore<K: Kind> {
    namespaces: Vec<NamespaceStore<K>>,
    /// Whose inputs a reconcile has read and may still use, and whether one of them changed since. Bounded by the
    /// reconciles under way.
    in_use: Mutex<HashMap<Key, bool>>,
}

/// The inputs of one object, in use by its reconcile until this is dropped.
pub(super) struct InUse<'a, K: Kind> {
    store: &'a KindStore<K>,
    key: Key,
}

impl<K: Kind> InUse<'_, K> {
    /// They are read now.
    pub(super) fn reads(&self) {
        self.store.in_use().insert(self.key.clone(), false);
    }

    /// Whether one of them changed since they were read.
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

    /// For the reconcile of this object, which runs once at a time.
    pub(super) fn inputs_of(&self, key: &Key) -> InUse<'_, K> {
        InUse { store: self, key: key.clone() }
    }

    fn in_use(&self) -> MutexGuard<'_, HashMap<Key, bool>> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `read` finds in the object of this name, where there is one that can be read.
    pub(super) fn read<T>(&self, key: &Key, read: impl FnOnce(&K) -> T) -> Option<T> {
        let wanted = ObjectRef::new(&key.name).within(&key.namespace);
        let found = self.namespaces.iter().find_map(|post| post.store.get(&wanted))?;
        found.0.as_ref().ok().map(read)
    }

    /// Whether there is an object of this name that cannot be read.
    pub(super) fn is_unreadable(&self, key: &Key) -> bool {
        let wanted = ObjectRef::new(&key.name).within(&key.namespace);
        self.namespaces.iter().any(|post| post.store.get(&wanted).is_some_and(|object| object.0.is_err()))
    }

    /// Every object that cannot be read and bears our finalizer.
    fn unreadable(&self) -> impl Iterator<Item = Arc<DeserializeGuard<K>>> + '_ {
        let held = |object: &Arc<DeserializeGuard<K>>| {
            object.0.is_err() && object.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
        };
        self.namespaces.iter().flat_map(|post| post.store.state()).filter(held)
    }

    /// Every object that can be read.
    pub(super) fn all(&self) -> impl Iterator<Item = Arc<DeserializeGuard<K>>> + '_ {
        self.namespaces.iter().flat_map(|post| post.store.state()).filter(|object| object.0.is_ok())
    }

    fn trigger_where(&self, is_affected: impl Fn(&K) -> bool) {
        for object in self.all() {
            if let Ok(object) = &object.0
                && is_affected(object)
            {
                self.trigger_one(&key(object));
            }
        }
    }

    fn trigger_each(&self, keys: impl IntoIterator<Item = Key>) {
        keys.into_iter().filter(|key| key.kind == K::KIND).for_each(|key| self.trigger_one(&key));
    }

    fn trigger_one(&self, key: &Key) {
        if let Some(post) = self.namespaces.iter().find(|post| post.covers(&key.namespace)) {
            // Nobody listens any more only while the process stops.
            let _ = post.wake.send(ObjectRef::new(&key.name).within(&key.namespace));
        }
    }
}

/// The store of any one kind.
pub(super) trait AnyStore: Any + Send + Sync {
    fn trigger(&self, ctx: &Context, cause: &Trigger);
    fn trigger_users_of(&self, ctx: &Context, namespace: &str, changed: &Reference);
    /// Has planned again whom an object concerns that a watch has shown.
    fn on_observed(&self, ctx: &Context, key: &Key);
    /// What lives on this object.
    fn dependents(&self, ctx: &Context, of: &Key) -> Vec<Dependent>;
    /// Adds what of an add-on must be listed.
    fn subscribe(&self, ctx: &Context, addon: &Key, wanted: &mut Subscription);
    /// Done once every store has its first list, or was refused it: resources of other namespaces may claim the same name,
    /// but one that cannot be read must not hold up the rest.
    fn complete(&self) -> BoxFuture<'_, ()>;
    /// Done once all of this namespace is read: a plan made earlier would take what is not read yet for absent.
    fn complete_in<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, ()>;
}

impl<K: Kind> AnyStore for KindStore<K> {
    fn trigger(&self, ctx: &Context, cause: &Trigger) {
        match cause {
            Trigger::Object(key) if key.kind == K::KIND => self.trigger_one(key),
            Trigger::Object(_) => {}
            Trigger::Dependents(of) => {
                self.trigger_users_of(ctx, &of.namespace, &Reference { kind: of.kind, name: of.name.clone() });
            }
            Trigger::AllOf(addon) => self.trigger_where(|object| object.addon(ctx).as_ref() == Some(addon)),
            Trigger::Changed(addon, names) => {
                let affected = |object: &K| object.addon(ctx).as_ref() == Some(addon) && object.is_affected(ctx, names);
                let candidates = candidates(ctx, names).into_iter().filter(|key| key.kind == K::KIND);
                candidates.filter(|key| self.read(key, affected) == Some(true)).for_each(|key| self.trigger_one(&key));
            }
            Trigger::NameFreed => self.trigger_each(ctx.index.conflicting()),
            Trigger::Polled(keys) => {
                keys.iter().filter(|key| key.kind == K::KIND).for_each(|key| self.trigger_one(key))
            }
        }
    }

    fn trigger_users_of(&self, ctx: &Context, namespace: &str, changed: &Reference) {
        let users: Vec<_> = ctx.index.users(namespace, changed).into_iter().filter(|key| key.kind == K::KIND).collect();
        if ["Secret", "ConfigMap"].contains(&changed.kind) {
            let mut in_use = self.in_use();
            users.iter().for_each(|key| drop(in_use.entry(key.clone()).and_modify(|changed| *changed = true)));
        }
        self.trigger_each(users);
    }

    fn on_observed(&self, ctx: &Context, key: &Key) {
        if key.kind != K::KIND {
            return;
        }
        if self.read(key, |object| object.on_observed(ctx)).is_none() {
            // It went, or cannot be read any more.
            ctx.trigger(&Trigger::Dependents(key.clone()));
        }
    }

    fn dependents(&self, ctx: &Context, of: &Key) -> Vec<Dependent> {
        let needed = Reference { kind: of.kind, name: of.name.clone() };
        let dependent = |object: &K| Dependent {
            object: format!("{} {}", K::KIND, object.name_any()),
            target: object.target(),
            has_finalizer: object.finalizers().iter().any(|finalizer| finalizer == FINALIZER),
            deleting: object.meta().deletion_timestamp.is_some(),
        };
        let users = ctx.index.users(&of.namespace, &needed).into_iter().filter(|key| key.kind == K::KIND);
        let mut all: Vec<_> = users.filter_map(|key| self.read(&key, dependent)).collect();
        if of.kind == AppLinkAddon::KIND && K::KIND != of.kind {
            // What is on an add-on by way of a Connection. Asked for only while an add-on is being deleted.
            let on_it = |object: &&K| !object.references().contains(&needed) && object.addon(ctx).as_ref() == Some(of);
            all.extend(self.all().filter_map(|guard| guard.0.as_ref().ok().filter(on_it).map(dependent)));
        }
        let unreadable_references = ctx.unreadable_references();
        if !unreadable_references.keys().any(|key| key.kind == K::KIND) {
            return all;
        }
        let refers = |object: &Arc<DeserializeGuard<K>>| {
            let namespace = object.namespace().unwrap_or_default();
            let known = unreadable_references.get(&Key {
                kind: K::KIND,
                namespace: namespace.clone(),
                name: object.name_any(),
            });
            namespace == of.namespace && known.is_some_and(|references| references.contains(&needed))
        };
        let unreadable = self.unreadable().filter(refers).map(|object| Dependent {
            object: format!("{} {}, which this version of the operator cannot read", K::KIND, object.name_any()),
            target: None,
            has_finalizer: true,
            deleting: kube::Resource::meta(&*object).deletion_timestamp.is_some(),
        });
        all.extend(unreadable);
        all
    }

    fn subscribe(&self, ctx: &Context, addon: &Key, wanted: &mut Subscription) {
        for guard in self.all() {
            if let Ok(object) = &guard.0
                && object.addon(ctx).as_ref() == Some(addon)
            {
                object.subscribe(ctx, wanted);
            }
        }
    }

    fn complete(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            for post in &self.namespaces {
                post.first_list(|first| first != FirstList::Awaited).await;
            }
        })
    }

    fn complete_in<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for post in self.namespaces.iter().filter(|post| post.covers(namespace)) {
                post.first_list(|first| first == FirstList::Read).await;
            }
        })
    }
}

/// Objects that may be affected where remote objects of these ids and names changed: ids and names of their own, and
/// `connection/id` of connection children.
fn candidates(ctx: &Context, names: &BTreeSet<String>) -> BTreeSet<Key> {
    let of = |name: &String| {
        let connection = name.split_once('/').map_or(name.as_str(), |(connection, _)| connection);
        let named = ctx.index.wanting(name).into_iter().chain(ctx.index.recording(name));
        named.chain(on_connection(ctx, connection)).collect::<Vec<_>>()
    };
    names.iter().flat_map(of).collect()
}

/// What the index keeps of an object.
pub(super) fn entry<K: Kind>(object: &K) -> Entry {
    Entry {
        references: object.references(),
        name: object.remote_name(),
        ids: object.recorded_ids(),
        conflicts: reason(object) == Some(Reason::NameConflict),
        deleting: object.meta().deletion_timestamp.is_some(),
    }
}

/// Why the object is Ready or not.
fn reason<K: Kind>(object: &K) -> Option<Reason> {
    Reason::parse(&condition(object.status()?.state().conditions, ConditionType::Ready)?.reason)
}

/// The stores of all kinds.
#[derive(Default)]
pub(super) struct Stores(Vec<Arc<dyn AnyStore>>);

impl Stores {
    pub(super) fn add<K: Kind>(&mut self, store: KindStore<K>) {
        self.0.push(Arc::new(store));
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &dyn AnyStore> {
        self.0.iter().map(|store| &**store)
    }

    /// That of one kind.
    pub(super) fn of<K: Kind>(&self) -> Option<&KindStore<K>> {
        self.all().find_map(|store| (store as &dyn Any).downcast_ref())
    }
}

/// The key of an object.
pub(super) fn key<K: Kind>(object: &K) -> Key {
    Key { kind: K::KIND, namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
}
