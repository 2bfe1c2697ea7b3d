//! All objects of one kind as the watches show them, and the way to have one planned again.
//!
//! Reads only. One store per watched namespace, since two watches into one store lose objects.

use std::any::Any;
use std::sync::Arc;

use futures::future::BoxFuture;
use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::Shell;
use super::kind::{Kind, Reference, Status};
use super::source::FirstList;
use crate::crd::{AppLinkAddon, ConditionType, FINALIZER, Reason, condition};
use crate::observe::{Cause, Key, Wanted};
use crate::plan::diff::connection::Dependant;

/// One kind in one namespace, or in all.
pub(super) struct Post<K: Kind> {
    pub(super) namespace: Option<String>,
    pub(super) store: Store<DeserializeGuard<K>>,
    /// Whether the store has had its first list.
    pub(super) first: watch::Receiver<FirstList>,
    pub(super) wake: UnboundedSender<ObjectRef<DeserializeGuard<K>>>,
}

impl<K: Kind> Post<K> {
    fn covers(&self, namespace: &str) -> bool {
        self.namespace.as_ref().is_none_or(|ns| ns == namespace)
    }

    async fn first_list(&self, wanted: impl Fn(FirstList) -> bool) {
        // The sender is dropped only while the process stops.
        let _ = self.first.clone().wait_for(|first| wanted(*first)).await;
    }
}

/// One kind, wherever it is watched.
pub(super) struct Roster<K: Kind> {
    posts: Vec<Post<K>>,
}

impl<K: Kind> Roster<K> {
    pub(super) fn new(posts: Vec<Post<K>>) -> Self {
        Self { posts }
    }

    /// What `read` finds in the object of this name, where there is one that can be read.
    pub(super) fn read<T>(&self, key: &Key, read: impl FnOnce(&K) -> T) -> Option<T> {
        let wanted = ObjectRef::new(&key.name).within(&key.namespace);
        let found = self.posts.iter().find_map(|post| post.store.get(&wanted))?;
        found.0.as_ref().ok().map(read)
    }

    /// Whether there is an object of this name that cannot be read.
    pub(super) fn is_unreadable(&self, key: &Key) -> bool {
        let wanted = ObjectRef::new(&key.name).within(&key.namespace);
        self.posts.iter().any(|post| post.store.get(&wanted).is_some_and(|object| object.0.is_err()))
    }

    /// Every object that cannot be read and bears our finalizer.
    fn unreadable(&self) -> impl Iterator<Item = Arc<DeserializeGuard<K>>> + '_ {
        let held = |object: &Arc<DeserializeGuard<K>>| {
            object.0.is_err() && object.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
        };
        self.posts.iter().flat_map(|post| post.store.state()).filter(held)
    }

    /// Every object that can be read.
    pub(super) fn all(&self) -> impl Iterator<Item = Arc<DeserializeGuard<K>>> + '_ {
        self.posts.iter().flat_map(|post| post.store.state()).filter(|object| object.0.is_ok())
    }

    fn wake_where(&self, concerned: impl Fn(&K) -> bool) {
        for object in self.all() {
            if let Ok(object) = &object.0
                && concerned(object)
            {
                self.wake_one(&key(object));
            }
        }
    }

    fn wake_one(&self, key: &Key) {
        if let Some(post) = self.posts.iter().find(|post| post.covers(&key.namespace)) {
            // Nobody listens any more only while the process stops.
            let _ = post.wake.send(ObjectRef::new(&key.name).within(&key.namespace));
        }
    }
}

/// A roster of whatever kind.
pub(super) trait AnyRoster: Any + Send + Sync {
    fn wake(&self, shell: &Shell, cause: &Cause);
    fn wake_users_of(&self, namespace: &str, changed: &Reference);
    /// Has planned again whom an object concerns that a watch has shown.
    fn shown(&self, shell: &Shell, key: &Key);
    /// Has planned again whatever is being deleted in this namespace: what it waited for may be gone.
    fn wake_leaving(&self, namespace: &str);
    /// What lives on this object.
    fn dependants(&self, shell: &Shell, of: &Key) -> Vec<Dependant>;
    /// Adds what of an add-on must be listed.
    fn want(&self, shell: &Shell, addon: &Key, wanted: &mut Wanted);
    /// Done once every store has its first list, or was refused it: resources of other namespaces may claim the same name,
    /// but one that cannot be read must not hold up the rest.
    fn complete(&self) -> BoxFuture<'_, ()>;
    /// Done once all of this namespace is read: a plan made earlier would take what is not read yet for absent.
    fn complete_in<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, ()>;
}

impl<K: Kind> AnyRoster for Roster<K> {
    fn wake(&self, shell: &Shell, cause: &Cause) {
        match cause {
            Cause::Object(key) if key.kind == K::KIND => self.wake_one(key),
            Cause::Object(_) => {}
            Cause::Dependants(of) => {
                self.wake_users_of(&of.namespace, &Reference { kind: of.kind, name: of.name.clone() });
            }
            Cause::Everything(addon) => self.wake_where(|object| object.addon(shell).as_ref() == Some(addon)),
            Cause::Moved(addon, names) => {
                self.wake_where(|object| object.addon(shell).as_ref() == Some(addon) && object.concerned(shell, names))
            }
            Cause::Freed => self.wake_where(|object| reason(object) == Some(Reason::NameConflict)),
            Cause::Looked(keys) => keys.iter().filter(|key| key.kind == K::KIND).for_each(|key| self.wake_one(key)),
        }
    }

    fn wake_users_of(&self, namespace: &str, changed: &Reference) {
        self.wake_where(|object| {
            object.namespace().as_deref() == Some(namespace) && object.references().contains(changed)
        });
    }

    fn shown(&self, shell: &Shell, key: &Key) {
        if key.kind != K::KIND {
            return;
        }
        if self.read(key, |object| object.shown(shell)).is_none() {
            // It went, or cannot be read any more.
            shell.wake(&Cause::Dependants(key.clone()));
        }
    }

    fn wake_leaving(&self, namespace: &str) {
        self.wake_where(|object| {
            object.namespace().as_deref() == Some(namespace) && object.meta().deletion_timestamp.is_some()
        });
    }

    fn dependants(&self, shell: &Shell, of: &Key) -> Vec<Dependant> {
        let needed = Reference { kind: of.kind, name: of.name.clone() };
        let needs = |object: &K| {
            let near = object.namespace().as_ref() == Some(&of.namespace) && object.references().contains(&needed);
            let on_it = || of.kind == AppLinkAddon::KIND && object.addon(shell).as_ref() == Some(of);
            near || (K::KIND != of.kind && on_it())
        };
        let dependant = |object: &K| Dependant {
            object: format!("{} {}", K::KIND, object.name_any()),
            target: object.target(),
            holds: object.finalizers().iter().any(|finalizer| finalizer == FINALIZER),
            leaving: object.meta().deletion_timestamp.is_some(),
        };
        let each = self.all().filter_map(|guard| guard.0.as_ref().ok().filter(|object| needs(object)).map(dependant));
        let misread = shell.misread();
        let refers = |object: &Arc<DeserializeGuard<K>>| {
            let namespace = object.namespace().unwrap_or_default();
            let known = misread.get(&Key { kind: K::KIND, namespace: namespace.clone(), name: object.name_any() });
            namespace == of.namespace && known.is_some_and(|references| references.contains(&needed))
        };
        let unreadable = self.unreadable().filter(refers).map(|object| Dependant {
            object: format!("{} {}, which this version of the operator cannot read", K::KIND, object.name_any()),
            target: None,
            holds: true,
            leaving: kube::Resource::meta(&*object).deletion_timestamp.is_some(),
        });
        each.chain(unreadable).collect()
    }

    fn want(&self, shell: &Shell, addon: &Key, wanted: &mut Wanted) {
        for guard in self.all() {
            if let Ok(object) = &guard.0
                && object.addon(shell).as_ref() == Some(addon)
            {
                object.want(shell, wanted);
            }
        }
    }

    fn complete(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            for post in &self.posts {
                post.first_list(|first| first != FirstList::Awaited).await;
            }
        })
    }

    fn complete_in<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for post in self.posts.iter().filter(|post| post.covers(namespace)) {
                post.first_list(|first| first == FirstList::Read).await;
            }
        })
    }
}

/// Why the object is Ready or not.
fn reason<K: Kind>(object: &K) -> Option<Reason> {
    Reason::parse(&condition(object.status()?.memory().conditions, ConditionType::Ready)?.reason)
}

/// The rosters of all kinds.
#[derive(Default)]
pub(super) struct Rosters(Vec<Arc<dyn AnyRoster>>);

impl Rosters {
    pub(super) fn add<K: Kind>(&mut self, roster: Roster<K>) {
        self.0.push(Arc::new(roster));
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &dyn AnyRoster> {
        self.0.iter().map(|roster| &**roster)
    }

    /// That of one kind.
    pub(super) fn of<K: Kind>(&self) -> Option<&Roster<K>> {
        self.all().find_map(|roster| (roster as &dyn Any).downcast_ref())
    }
}

/// The key of an object.
pub(super) fn key<K: Kind>(object: &K) -> Key {
    Key { kind: K::KIND, namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
}
