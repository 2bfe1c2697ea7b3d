//! Which objects a trigger concerns, who depends on an object, and what to list for the objects of an add-on.
//!
//! Queues objects and changes nothing else. The context asks the store of each kind for this.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::BoxFuture;
use kube::ResourceExt;
use kube::core::DeserializeGuard;

use super::context::{AnyStore, Context};
use super::gather::Gather;
use super::kind::{Kind, Reference, key};
use super::kinds::on_connection;
use super::stores::KindStore;
use crate::crd::{AppLinkAddon, FINALIZER};
use crate::observe::{Key, Subscription, Trigger};
use crate::plan::kinds::connection::Dependent;

impl<K: Gather> AnyStore for KindStore<K> {
    fn trigger(&self, ctx: &Context, trigger: &Trigger) {
        match trigger {
            Trigger::Object(key) => queue_all(self, [key.clone()]),
            Trigger::Dependents(of) => {
                self.trigger_users_of(ctx, &of.namespace, &Reference { kind: of.kind, name: of.name.clone() });
            }
            Trigger::AllOf(addon) => on_addon(self, ctx, addon, key).iter().for_each(|key| self.queue(key)),
            Trigger::Changed(addon, names) => {
                let affected = |object: &K| object.owner(ctx).as_ref() == Some(addon) && object.is_affected(ctx, names);
                let candidates = candidates(ctx, names).into_iter().filter(|key| key.kind == K::KIND);
                candidates.filter(|key| self.read(key, affected) == Some(true)).for_each(|key| self.queue(&key));
            }
            Trigger::NameFreed => queue_all(self, ctx.index.conflicting()),
            Trigger::Polled(keys) => queue_all(self, keys.iter().cloned()),
        }
    }

    fn trigger_users_of(&self, ctx: &Context, namespace: &str, changed: &Reference) {
        let users: Vec<_> = ctx.index.users(namespace, changed).into_iter().filter(|key| key.kind == K::KIND).collect();
        if ["Secret", "ConfigMap"].contains(&changed.kind) {
            self.inputs_changed(&users);
        }
        queue_all(self, users);
    }

    fn on_observed(&self, ctx: &Context, key: &Key) {
        if key.kind != K::KIND {
            return;
        }
        if self.read(key, |object| object.on_observed(ctx)).is_none() {
            // It was deleted, or this version cannot read it any more.
            ctx.trigger(&Trigger::Dependents(key.clone()));
        }
    }

    fn dependents(&self, ctx: &Context, of: &Key) -> Vec<Dependent> {
        let needed = Reference { kind: of.kind, name: of.name.clone() };
        let users = ctx.index.users(&of.namespace, &needed).into_iter().filter(|key| key.kind == K::KIND);
        let mut all: Vec<_> = users.filter_map(|key| self.read(&key, dependent)).collect();
        if of.kind == AppLinkAddon::KIND && K::KIND != of.kind {
            // Objects that are on the add-on through a Connection. Asked only while an add-on is being deleted.
            let indirect = |object: &K| (!object.references().contains(&needed)).then(|| dependent(object));
            all.extend(on_addon(self, ctx, of, indirect).into_iter().flatten());
        }
        all.extend(unreadable_dependents(self, ctx, of, &needed));
        all
    }

    fn subscribe(&self, ctx: &Context, addon: &Key, subscription: &mut Subscription) {
        drop(on_addon(self, ctx, addon, |object| object.subscribe(ctx, subscription)));
    }

    fn complete(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.complete())
    }

    fn complete_in<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(self.complete_in(namespace))
    }
}

fn queue_all<K: Kind>(store: &KindStore<K>, keys: impl IntoIterator<Item = Key>) {
    keys.into_iter().filter(|key| key.kind == K::KIND).for_each(|key| store.queue(&key));
}

/// What `read` makes of each object on an add-on.
fn on_addon<K: Gather, T>(store: &KindStore<K>, ctx: &Context, addon: &Key, mut read: impl FnMut(&K) -> T) -> Vec<T> {
    let on_it = |object: &&K| object.owner(ctx).as_ref() == Some(addon);
    store.all().filter_map(|guard| guard.0.as_ref().ok().filter(on_it).map(&mut read)).collect()
}

fn dependent<K: Kind>(object: &K) -> Dependent {
    Dependent {
        object: format!("{} {}", K::KIND, object.name_any()),
        target: object.target_id(),
        has_finalizer: object.finalizers().iter().any(|finalizer| finalizer == FINALIZER),
        deleting: object.meta().deletion_timestamp.is_some(),
    }
}

/// Objects that this version cannot read, but that are known to refer to `of`.
fn unreadable_dependents<K: Kind>(store: &KindStore<K>, ctx: &Context, of: &Key, needed: &Reference) -> Vec<Dependent> {
    let unreadable_references = ctx.unreadable_references();
    if !unreadable_references.keys().any(|key| key.kind == K::KIND) {
        return Vec::new();
    }
    let refers = |object: &Arc<DeserializeGuard<K>>| {
        let namespace = object.namespace().unwrap_or_default();
        let key = Key { kind: K::KIND, namespace, name: object.name_any() };
        let known = unreadable_references.get(&key);
        key.namespace == of.namespace && known.is_some_and(|references| references.contains(needed))
    };
    let dependent = |object: Arc<DeserializeGuard<K>>| Dependent {
        object: format!("{} {}, which this version of the operator cannot read", K::KIND, object.name_any()),
        target: None,
        has_finalizer: true,
        deleting: kube::Resource::meta(&*object).deletion_timestamp.is_some(),
    };
    store.unreadable().filter(refers).map(dependent).collect()
}

/// Objects that a change of remote objects with these IDs and names may affect. For connection children, a name is
/// `connection/id`.
fn candidates(ctx: &Context, names: &BTreeSet<String>) -> BTreeSet<Key> {
    let of = |name: &String| {
        let connection = name.split_once('/').map_or(name.as_str(), |(connection, _)| connection);
        let named = ctx.index.wanting(name).into_iter().chain(ctx.index.recording(name));
        named.chain(on_connection(ctx, connection)).collect::<Vec<_>>()
    };
    names.iter().flat_map(of).collect()
}

/// Stops polling an add-on whose resource no longer exists, and wakes the objects on it.
pub(super) fn forget_if_deleted(ctx: &Context, addon: Key) {
    let exists = || ctx.read(&addon, |_: &AppLinkAddon| ()).is_some() || ctx.is_unreadable::<AppLinkAddon>(&addon);
    if ctx.observer.addon(&addon).is_some() && !exists() {
        ctx.observer.forget(&addon);
        ctx.trigger(&Trigger::AllOf(addon));
    }
}
