//! One watch, one store and one queue for each kind and namespace, and what keeps the index up to date.
//!
//! Decides nothing. `run` starts the queues; each queue entry is a call of `reconcile`.

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

use super::context::Context;
use super::effects::Effects;
use super::error::Error;
use super::health::{Health, Source};
use super::index::{Entry, Index};
use super::kind::Kind;
use super::reconcile::{error_policy, reconcile};
use super::reconciler::Reconciler;
use super::setup::{Dependencies, Options};
use super::source::{FirstList, apis, watched};
use super::state_cache::StateCache;
use super::stores::{KindStore, NamespaceStore, entry};
use super::triggers::forget_if_deleted;
use crate::crd::AppLinkAddon;
use crate::observe::{Key, Trigger};

/// One store, and the stream of its objects that must be reconciled.
pub(super) struct Queue<K: Kind> {
    store: Store<DeserializeGuard<K>>,
    triggered: BoxStream<'static, Result<ObjectRef<DeserializeGuard<K>>, watcher::Error>>,
}

/// Prepares one watch, one store and one queue for all namespaces, or for each. kube's Controller does this in one call,
/// but its store wakes only one of the tasks that wait for the first list, and here the objects of each kind wait for the
/// stores of all kinds.
///
/// Sends the key of each object that a watch shows to `observed`.
pub(super) fn queues<K: Kind>(
    dependencies: &Dependencies,
    options: &Options,
    health: &Health,
    observed: &mpsc::UnboundedSender<Key>,
    index: &Arc<Index>,
) -> (KindStore<K>, Vec<Queue<K>>) {
    let places = apis::<DeserializeGuard<K>>(&dependencies.client, &options.namespaces).into_iter();
    let each = places.map(|(namespace, api)| {
        let (store, writer) = reflector::store();
        let (complete, first) = watch::channel(FirstList::Awaited);
        // Unbounded, because a reconcile that queues an object must not wait for the queue, which may wait for the reconcile.
        // The queue takes entries immediately and keeps one for each object.
        let (wake, woken) = mpsc::unbounded_channel();
        let observed = observed.clone();
        let source = Source { namespace: namespace.clone(), kind: K::KIND, vital: true };
        let health = (health.clone(), dependencies.liveness.clone());
        let watched = watched(api, watcher::Config::default(), health, source, complete)
            // Nothing reads managedFields, which are almost half of an object's size.
            .modify(|object| object.managed_fields_mut().clear())
            .reflect(writer)
            .inspect_ok(indexed(index.clone(), namespace.clone()))
            .touched_objects()
            .map_ok(move |object| {
                let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
                // The receiver is dropped only while the process stops.
                let _ = observed.send(Key { kind: K::KIND, namespace, name });
                ObjectRef::from_obj(&object)
            });
        let woken =
            futures::stream::unfold(woken, |mut woken| async { woken.recv().await.map(|who| (Ok(who), woken)) });
        let triggered = futures::stream::select(watched, woken).boxed();
        (NamespaceStore { namespace, store: store.clone(), first, wake }, Queue { store, triggered })
    });
    let (namespaces, queues) = each.unzip();
    (KindStore::new(namespaces), queues)
}

/// Applies the events of one watch to the index.
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

/// Adds an object to the index. Of an object that this version cannot read, the index keeps only the key.
fn put<K: Kind>(index: &Index, object: &DeserializeGuard<K>) -> Key {
    let key = key_of::<K>(object);
    index.insert(key.clone(), object.0.as_ref().map_or_else(|_| Entry::default(), entry));
    key
}

fn key_of<K: Kind>(object: &DeserializeGuard<K>) -> Key {
    Key { kind: K::KIND, namespace: object.namespace().unwrap_or_default(), name: object.name_any() }
}

/// Starts the queues of one kind. A queue ends only if something is broken; it returns the kind then.
pub(super) fn start<K: Effects>(ctx: &Arc<Context>, queues: Vec<Queue<K>>) -> Vec<BoxFuture<'static, &'static str>> {
    let reconciler = Arc::new(Reconciler { ctx: ctx.clone(), state_cache: StateCache::<K>::default() });
    let start = |Queue { store, triggered }| -> BoxFuture<'static, &'static str> {
        let reconcile = |object, reconciler| Box::pin(reconcile_once_listed::<K>(object, reconciler));
        let results =
            applier(reconcile, error_policy::<K>, reconciler.clone(), store, triggered, controller::Config::default());
        let reconciler = reconciler.clone();
        let done = results.for_each(move |result| {
            // The error policy reports errors of reconciles, and `health` those of watches.
            if let Err(controller::Error::ObjectNotFound(gone)) = result {
                let (namespace, name) = (gone.namespace.unwrap_or_default(), gone.name);
                on_gone(&reconciler, Key { kind: K::KIND, namespace, name });
            }
            std::future::ready(())
        });
        Box::pin(done.map(|()| K::KIND))
    };
    queues.into_iter().map(start).collect()
}

/// Reconciles when the object's namespace is listed completely, so that the stores have what it refers to and what depends
/// on it, and when every other namespace is listed or refused. After a start, thousands of objects wait here and for a slot,
/// so the future of the reconcile itself is made only then.
async fn reconcile_once_listed<K: Effects>(
    object: Arc<DeserializeGuard<K>>,
    reconciler: Arc<Reconciler<K>>,
) -> Result<Action, Error> {
    let ctx = &reconciler.ctx;
    for store in ctx.stores.all() {
        store.complete_in(&object.namespace().unwrap_or_default()).await;
        store.complete().await;
    }
    let slot = ctx.slots.take(&key_of::<K>(&object)).await;
    Box::pin(reconcile(object, reconciler, slot)).await
}

/// Forgets a deleted object, and queues the objects that its deletion may let continue.
fn on_gone<K: Kind>(reconciler: &Reconciler<K>, gone: Key) {
    reconciler.state_cache.forget(&gone);
    reconciler.ctx.unreadable_references().remove(&gone);
    reconciler.ctx.org_access_digests.forget(&gone);
    reconciler.ctx.publication_digests.forget(&gone);
    // Its last reconcile may have queued them before the watch showed that it is gone.
    for reference in reconciler.ctx.index.references_of_deleted(&gone) {
        let key = Key { kind: reference.kind, namespace: gone.namespace.clone(), name: reference.name };
        reconciler.ctx.trigger(&Trigger::Object(key));
    }
    let addons = reconciler.ctx.index.deleting(AppLinkAddon::KIND, &gone.namespace);
    addons.into_iter().for_each(|addon| reconciler.ctx.trigger(&Trigger::Object(addon)));
    reconciler.ctx.trigger(&Trigger::Dependents(gone.clone()));
    reconciler.ctx.trigger(&Trigger::NameFreed);
    forget_if_deleted(&reconciler.ctx, gone);
}
