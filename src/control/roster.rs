//! All objects of one kind as the watches show them, and the way to have one planned again.
//!
//! Reads only. One store per watched namespace, since two watches into one store lose objects.

use std::sync::Arc;

use futures::future::BoxFuture;
use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::kind::Kind;
use crate::observe::{Cause, Key};

/// One kind in one namespace, or in all.
pub(super) struct Post<K: Kind> {
    pub(super) namespace: Option<String>,
    pub(super) store: Store<DeserializeGuard<K>>,
    /// Whether the store has had its first list.
    pub(super) complete: watch::Receiver<bool>,
    pub(super) wake: UnboundedSender<ObjectRef<DeserializeGuard<K>>>,
}

/// One kind, wherever it is watched.
pub(super) struct Roster<K: Kind> {
    posts: Vec<Post<K>>,
}

impl<K: Kind> Roster<K> {
    pub(super) fn new(posts: Vec<Post<K>>) -> Self {
        Self { posts }
    }

    pub(super) fn get(&self, key: &Key) -> Option<K> {
        let wanted = ObjectRef::new(&key.name).within(&key.namespace);
        let found = self.posts.iter().find_map(|post| post.store.get(&wanted))?;
        found.0.as_ref().ok().cloned()
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
        let here = |post: &&Post<K>| post.namespace.as_ref().is_none_or(|ns| *ns == key.namespace);
        if let Some(post) = self.posts.iter().find(here) {
            // Nobody listens any more only while the process stops.
            let _ = post.wake.send(ObjectRef::new(&key.name).within(&key.namespace));
        }
    }
}

/// A roster of whatever kind.
pub(super) trait AnyRoster: Send + Sync {
    fn wake(&self, cause: &Cause);
    fn wake_users_of(&self, namespace: &str, secret: &str);
    /// Has planned again whatever is being deleted in this namespace: what it waited for may be gone.
    fn wake_leaving(&self, namespace: &str);
    /// Done once every store has its first list: a plan made earlier would take what is not read yet for absent.
    fn complete(&self) -> BoxFuture<'_, ()>;
}

impl<K: Kind> AnyRoster for Roster<K> {
    fn wake(&self, cause: &Cause) {
        match cause {
            Cause::Addon(addon) if addon.kind == K::KIND => self.wake_one(addon),
            Cause::Addon(_) => {}
            Cause::Everything(addon) => self.wake_where(|object| object.addon() == *addon),
            Cause::Moved(addon, names) => {
                self.wake_where(|object| object.addon() == *addon && object.concerned(names));
            }
            Cause::Looked(keys) => keys.iter().filter(|key| key.kind == K::KIND).for_each(|key| self.wake_one(key)),
        }
    }

    fn wake_users_of(&self, namespace: &str, secret: &str) {
        self.wake_where(|object| {
            object.namespace().as_deref() == Some(namespace) && object.secrets().iter().any(|name| name == secret)
        });
    }

    fn wake_leaving(&self, namespace: &str) {
        self.wake_where(|object| {
            object.namespace().as_deref() == Some(namespace) && object.meta().deletion_timestamp.is_some()
        });
    }

    fn complete(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            for post in &self.posts {
                // The writer is dropped only while the process stops.
                let _ = post.complete.clone().wait_for(|complete| *complete).await;
            }
        })
    }
}

/// The key of an object.
pub(super) fn key<K: Kind>(object: &K) -> Key {
    Key { kind: K::KIND, namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
}
