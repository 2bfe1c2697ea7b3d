//! Starts the parts of the operator, and stops them in order.
//!
//! `main` calls [`run`] with the ways to the outside: the API client, the transport, the clock, the stop signal. Tests call it
//! with in-process versions of the same.

use std::sync::{Arc, Mutex, OnceLock, Weak};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Client;
use kube::api::PartialObjectMeta;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::context::{Context, Stores};
use super::digests::Digests;
use super::effects::Effects;
use super::events::Events;
use super::fence::WriteFence;
use super::forbidden::ForbiddenReads;
use super::health::Health;
use super::index::Index;
use super::kinds::{ForEach, each};
use super::lease::{Election, LeaderLease, Lost};
use super::permits::Permits;
use super::queues::{queues, start};
use super::slots::Slots;
use super::source::{apis, served};
use super::triggers::forget_if_deleted;
use super::{guarded, inputs};
use crate::budget::Budgets;
use crate::liveness::Ended;
use crate::observe::{Hooks, Key, Observer, Subscription, Trigger};
use crate::timing::{DRAIN_LIMIT, STOP_LIMIT, SWEEP_INTERVAL};
use crate::transport::Http;

pub use super::setup::{Dependencies, Options};

/// Why [`run`] ended without a stop signal.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Another replica took over, or the lease could not be renewed.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// A part ended that the operator cannot work without.
    #[error(transparent)]
    Ended(#[from] Ended),
}

/// Runs until `stop` is done.
///
/// # Errors
/// [`Failure`] if the operator cannot continue.
pub async fn run(dependencies: Dependencies, options: Options, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let fence = WriteFence::new(dependencies.clock);
    let health = Health::new(dependencies.ready.clone(), dependencies.metrics.clone());
    // The lease opens the fence, so its own writes do not pass the fence.
    let lease_client = guarded::client(dependencies.client.clone(), None);
    let dependencies = Dependencies {
        client: guarded::client(dependencies.client, Some(fence.clone())),
        transport: guarded::transport(dependencies.transport, fence.clone()),
        ..dependencies
    };
    let mut election = None;
    let mut result = Ok(());
    let stopped_by = {
        let lead = lead(&dependencies, &options, &fence, &health, lease_client, &mut election);
        let mut lead = std::pin::pin!(lead);
        tokio::select! {
            () = stop => {}
            failure = &mut lead => result = Err(failure),
        }
        health.stopping();
        tracing::info!("stopping");
        let stopped_by = Instant::now() + STOP_LIMIT;
        if result.is_ok() {
            // Reconciles with a call in flight finish; no new ones begin.
            tokio::select! {
                () = drain(&fence) => {}
                _failure = &mut lead => {}
            }
        }
        stopped_by
    };
    if let Some(election) = election
        && tokio::time::timeout_at(stopped_by, election.give_back()).await.is_err()
    {
        tracing::warn!("could not give the lease back: the API server does not answer");
    }
    fence.close();
    result
}

/// Waits until the calls in flight have finished.
async fn drain(fence: &WriteFence) {
    let seconds = DRAIN_LIMIT.as_secs();
    if !fence.drain(DRAIN_LIMIT).await {
        tracing::warn!("a call is still in flight after {seconds} s; its outcome is found after the next start");
    }
}

/// Waits for the CRDs and the lease, then works until the lease is lost or a part ends.
async fn lead(
    dependencies: &Dependencies,
    options: &Options,
    fence: &WriteFence,
    health: &Health,
    lease_client: Client,
    election: &mut Option<Election>,
) -> Failure {
    let clock = dependencies.clock;
    let lease = options.lease_namespace.as_ref().map(|namespace| {
        fence.close();
        LeaderLease::new(lease_client, namespace, clock, fence.clone(), health.clone())
    });
    some_namespace_served(dependencies, options, health).await;
    let Some(lease) = lease else { return work(dependencies, options, fence, health).await.into() };
    health.electing();
    let election = election.insert(Election::start(lease));
    election.held().await;
    tokio::select! {
        lost = election.lost() => lost.into(),
        ended = work(dependencies, options, fence, health) => ended.into(),
    }
}

/// Waits until every kind can be listed in one of the namespaces. Others may not exist, or the operator may lack rights there.
async fn some_namespace_served(dependencies: &Dependencies, options: &Options, health: &Health) {
    struct Served<'a> {
        client: &'a Client,
        namespace: Option<&'a String>,
        health: &'a Health,
        kinds: Vec<BoxFuture<'a, ()>>,
    }
    impl ForEach for Served<'_> {
        fn kind<K: Effects>(&mut self) {
            self.kinds.push(Box::pin(served::<K>(self.client, self.namespace, self.health)));
        }
    }
    let in_namespace = |namespace| {
        let mut all = Served { client: &dependencies.client, namespace, health, kinds: Vec::new() };
        each(&mut all);
        futures::future::join_all(all.kinds)
    };
    match options.namespaces.as_slice() {
        [] => drop(in_namespace(None).await),
        several => {
            let mut each: FuturesUnordered<_> = several.iter().map(|one| in_namespace(Some(one))).collect();
            each.next().await;
        }
    }
}

/// Runs all watches, queues and pollers. None of them ends unless something is broken.
async fn work(dependencies: &Dependencies, options: &Options, fence: &WriteFence, health: &Health) -> Ended {
    health.working();
    // Unbounded, because a watch cannot wait. `notify_dependents` takes each key immediately, so the channel holds no more than
    // one list, which is in the stores anyway.
    let (observed, observations) = mpsc::unbounded_channel();
    let index = Arc::<Index>::default();
    let stores = Stores::default();
    let mut startup =
        Startup { dependencies, options, health, observed, index: index.clone(), stores, starts: Vec::new() };
    each(&mut startup);
    let Startup { stores, starts, .. } = startup;
    let ctx = context(dependencies, options, fence, (stores, index));
    let liveness = &dependencies.liveness;
    let mut running = Vec::new();
    for place in apis::<PartialObjectMeta<Secret>>(&dependencies.client, &options.namespaces) {
        running.push(liveness.spawn(
            "watch of Secrets",
            inputs::watch(ctx.clone(), (health.clone(), liveness.clone()), place, "Secret"),
        ));
    }
    for place in apis::<PartialObjectMeta<ConfigMap>>(&dependencies.client, &options.namespaces) {
        let watch = inputs::watch(ctx.clone(), (health.clone(), liveness.clone()), place, "ConfigMap");
        running.push(liveness.spawn("watch of ConfigMaps", watch));
    }
    running.push(liveness.spawn("sweep of deleted add-ons", sweep(ctx.clone())));
    running.push(liveness.spawn("notification of dependents", notify_dependents(ctx.clone(), observations)));
    let mut queues: FuturesUnordered<_> = starts.into_iter().flat_map(|start| start(&ctx)).collect();
    tokio::select! {
        ended = liveness.ended() => ended,
        Some(kind) = queues.next() => Ended::returned(&format!("queue of {kind}s")),
    }
}

/// Starts the queues of one kind.
type Start = Box<dyn FnOnce(&Arc<Context>) -> Vec<BoxFuture<'static, &'static str>> + Send>;

/// The stores of all kinds, and the functions that start their queues.
struct Startup<'a> {
    dependencies: &'a Dependencies,
    options: &'a Options,
    health: &'a Health,
    observed: mpsc::UnboundedSender<Key>,
    index: Arc<Index>,
    stores: Stores,
    starts: Vec<Start>,
}

impl ForEach for Startup<'_> {
    fn kind<K: Effects>(&mut self) {
        let (store, queues) = queues::<K>(self.dependencies, self.options, self.health, &self.observed, &self.index);
        self.stores.add(store);
        self.starts.push(Box::new(move |ctx| start(ctx, queues)));
    }
}

/// The context, connected with the observer that wakes its objects.
pub(super) fn context(
    dependencies: &Dependencies,
    options: &Options,
    fence: &WriteFence,
    (stores, index): (Stores, Arc<Index>),
) -> Arc<Context> {
    let slot: Arc<OnceLock<Weak<Context>>> = Arc::default();
    let (woken, asked) = (slot.clone(), slot.clone());
    let hooks = Hooks {
        wake: Arc::new(move |trigger: Trigger| {
            if let Some(ctx) = woken.get().and_then(Weak::upgrade) {
                ctx.trigger(&trigger);
            }
        }),
        subscription: Arc::new(move |addon: &Key| {
            asked.get().and_then(Weak::upgrade).map_or_else(Subscription::default, |ctx| ctx.subscription(addon))
        }),
    };
    let budgets = Budgets::new(options.limits);
    dependencies.metrics.export_budgets(budgets.clone());
    let (transport, hosts) = (dependencies.transport.clone(), options.hosts.clone());
    let liveness = dependencies.liveness.clone();
    let http = Http::new(transport, hosts, budgets, dependencies.clock, dependencies.metrics.clone());
    let ctx = Arc::new(Context {
        client: dependencies.client.clone(),
        clock: dependencies.clock,
        hosts: options.hosts.clone(),
        observer: Observer::new(http, dependencies.clock, dependencies.metrics.clone(), liveness, hooks),
        stores,
        index,
        permits: Permits::new(options.write_concurrency),
        slots: Slots::new(options.reconcile_concurrency, dependencies.liveness.clone()),
        fence: fence.clone(),
        events: Events::new(dependencies.client.clone()),
        org_access_digests: Digests::default(),
        publication_digests: Digests::default(),
        denied: ForbiddenReads::default(),
        unreadable_references: Mutex::default(),
        metrics: dependencies.metrics.clone(),
    });
    // This is the only place that sets it.
    let _ = slot.set(Arc::downgrade(&ctx));
    ctx
}

/// Queues the objects that depend on an object that a watch shows. The trigger of its status write may come before the watch
/// shows the new status.
async fn notify_dependents(ctx: Arc<Context>, mut observations: mpsc::UnboundedReceiver<Key>) {
    while let Some(key) = observations.recv().await {
        ctx.stores.all().for_each(|store| store.on_observed(&ctx, &key));
    }
}

/// Finds add-ons whose deletion no watch has shown, and add-ons whose state has become stale.
async fn sweep(ctx: Arc<Context>) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        ctx.observer.followed().into_iter().for_each(|addon| forget_if_deleted(&ctx, addon));
        ctx.observer.mark_stale().into_iter().for_each(|addon| ctx.trigger(&Trigger::AllOf(addon)));
    }
}
