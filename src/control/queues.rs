//! One watch, one store and one queue for each kind and namespace, and what keeps the index up to date.
//!
//! Decides nothing. `run` starts them; `reconcile` is what they call.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{WatchStreamExt, applier, controller, reflector, watcher};
use tokio::sync::{mpsc, watch};

use super::health::{Health, Source};
use super::index::{Entry, Index};
use super::kinds::Kind;
use super::reconcile::{Reconciler, error_policy, reconcile};
use super::run::{Dependencies, Options, abandon};
use super::source::{FirstList, apis, watched};
use super::state_cache::StateCache;
use super::stores::{KindStore, NamespaceStore, entry};
use super::{Context, Error};
use crate::crd::AppLinkAddon;
use crate::observe::{Key, Trigger};

/// What fills one store, and the objects it names to be planned.
pub(super) struct Queue<K: Kind> {
    store: Store<DeserializeGuard<K>>,
    causes: BoxStream<'static, Result<ObjectRef<DeserializeGuard<K>>, watcher::Error>>,
}

/// One watch, one store and one queue for all namespaces, or for each. kube's Controller would do it in one go, but
/// its store wakes one of those who wait for the first list, and here each kind's objects wait for all kinds' stores.
///
/// `touch` is told of each object that a watch shows.
pub(super) fn queues<K: Kind>(
    dependencies: &Dependencies,
    options: &Options,
    health: &Health,
    touch: &mpsc::UnboundedSender<Key>,
    index: &Arc<Index>,
) -> (KindStore<K>, Vec<Queue<K>>) {
    let places = apis::<DeserializeGuard<K>>(&dependencies.client, &options.namespaces).into_iter();
    let each = places.map(|(namespace, api)| {
        let (store, writer) = reflector::store();
        let (complete, first) = watch::channel(FirstList::Awaited);
        // Not bounded, since whoever wakes an object must not wait for its queue, which may wait for him. The queue takes
        // what comes at once, and keeps one entry an object.
        let (wake, woken) = mpsc::unbounded_channel();
        let touch = touch.clone();
        let source = Source { namespace: namespace.clone(), kind: K::KIND, vital: true };
        let health = (health.clone(), dependencies.liveness.clone());
        let watched = watched(api, watcher::Config::default(), health, source, complete)
            .reflect(writer)
            .inspect_ok(indexed(index.clone(), namespace.clone()))
            .touched_objects()
            .map_ok(move |object| {
                let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
                // Nobody listens any more only while the process stops.
                let _ = touch.send(Key { kind: K::KIND, namespace, name });
                ObjectRef::from_obj(&object)
            });
        let woken =
            futures::stream::unfold(woken, |mut woken| async { woken.recv().await.map(|who| (Ok(who), woken)) });
        let causes = futures::stream::select(watched, woken).boxed();
        (NamespaceStore { namespace, store: store.clone(), first, wake }, Queue { store, causes })
    });
    let (namespaces, queues) = each.unzip();
    (KindStore::new(namespaces), queues)
}

/// Keeps the index as the events of one watch have it.
fn indexed<K: Kind>(index: Arc<Index>, namespace: Option<String>) -> impl FnMut(&watcher::Event<DeserializeGuard<K>>) {
    let mut listed = HashSet::new();
    move |event| match event {
        watcher::Event::Init => listed.clear(),
        watcher::Event::Apply(object) => drop(put(&index, object)),
        watcher::Event::InitApply(object) => drop(listed.insert(put(&index, object))),
        watcher::Event::InitDone => index.retain(K::KIND, namespace.as_deref(), &std::mem::take(&mut listed)),
        watcher::Event::Delete(object) => index.remove(&key_of::<K>(object)),
    }
}

/// Takes an object into the index; of one that this version cannot read, only that it is there.
fn put<K: Kind>(index: &Index, object: &DeserializeGuard<K>) -> Key {
    let key = key_of::<K>(object);
    index.insert(key.clone(), object.0.as_ref().map_or_else(|_| Entry::default(), entry));
    key
}

fn key_of<K: Kind>(object: &DeserializeGuard<K>) -> Key {
    Key { kind: K::KIND, namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
}

pub(super) fn drive<K: Kind>(ctx: &Arc<Context>, queues: Vec<Queue<K>>) -> Vec<BoxFuture<'static, &'static str>> {
    let reconciler = Arc::new(Reconciler { ctx: ctx.clone(), state_cache: StateCache::<K>::default() });
    let start = |Queue { store, causes }| -> BoxFuture<'static, &'static str> {
        let reconcile = |object, reconciler| Box::pin(once_read::<K>(object, reconciler));
        let results =
            applier(reconcile, error_policy::<K>, reconciler.clone(), store, causes, controller::Config::default());
        let reconciler = reconciler.clone();
        let done = results.for_each(move |result| {
            // The driver's own errors are told by its error policy, those of the watch by `health`.
            if let Err(controller::Error::ObjectNotFound(gone)) = result {
                let (namespace, name) = (gone.namespace.unwrap_or_default(), gone.name);
                is_gone(&reconciler, Key { kind: K::KIND, namespace, name });
            }
            std::future::ready(())
        });
        Box::pin(done.map(|()| K::KIND))
    };
    queues.into_iter().map(start).collect()
}

/// Reconciles once all of the object's namespace is read: what it refers to is there, and what depends on it.
async fn once_read<K: Kind>(object: Arc<DeserializeGuard<K>>, reconciler: Arc<Reconciler<K>>) -> Result<Action, Error> {
    let namespace = object.namespace().unwrap_or_default();
    for store in reconciler.ctx.stores.all() {
        store.complete_in(&namespace).await;
    }
    reconcile(object, reconciler).await
}

/// An object is no longer there: those who need it, or made way for it, may go on.
fn is_gone<K: Kind>(reconciler: &Reconciler<K>, gone: Key) {
    reconciler.state_cache.forget(&gone);
    reconciler.ctx.unreadable_references().remove(&gone);
    reconciler.ctx.org_access_digests.forget(&gone);
    reconciler.ctx.publication_digests.forget(&gone);
    // Its own last word may have come before the watch had told that it is gone.
    for reference in reconciler.ctx.index.departed(&gone) {
        let key = Key { kind: reference.kind, namespace: gone.namespace.clone(), name: reference.name };
        reconciler.ctx.trigger(&Trigger::Object(key));
    }
    let addons = reconciler.ctx.index.deleting(AppLinkAddon::KIND, &gone.namespace);
    addons.into_iter().for_each(|addon| reconciler.ctx.trigger(&Trigger::Object(addon)));
    reconciler.ctx.trigger(&Trigger::Dependents(gone.clone()));
    reconciler.ctx.trigger(&Trigger::NameFreed);
    abandon(&reconciler.ctx, gone);
}
