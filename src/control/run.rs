//! Puts the operator together, and takes it apart in order.
//!
//! `main` calls [`run`] with what leads outside: the API server's client, the transport, the clock, the signal to stop.
//! Tests call it with the same, in-process.

use std::sync::{Arc, Mutex, OnceLock, Weak};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Client;
use kube::api::PartialObjectMeta;
use tokio::sync::mpsc;

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
use crate::timing::{DRAIN_LIMIT, LEASE_RELEASE_DEADLINE, SWEEP_INTERVAL};
use crate::transport::Http;

pub use super::setup::{Dependencies, Options};

/// Why [`run`] ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Another replica took over, or the lease could not be renewed.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// A part of it ended, without which it would do half of its work.
    #[error(transparent)]
    Ended(#[from] Ended),
}

/// Runs until `stop` is done.
///
/// # Errors
/// [`Failure`] where the operator cannot go on.
pub async fn run(dependencies: Dependencies, options: Options, stop: impl Future<Output = ()>) -> Result<(), Failure> {
    let fence = WriteFence::new(dependencies.clock);
    let health = Health::new(dependencies.ready.clone(), dependencies.metrics.clone());
    // The lease is what opens the fence, and is no write that it holds up.
    let lease_client = guarded::client(dependencies.client.clone(), None);
    let dependencies = Dependencies {
        client: guarded::client(dependencies.client, Some(fence.clone())),
        transport: guarded::transport(dependencies.transport, fence.clone()),
        ..dependencies
    };
    let mut election = None;
    let mut result = Ok(());
    {
        let lead = lead(&dependencies, &options, &fence, &health, lease_client, &mut election);
        let mut lead = std::pin::pin!(lead);
        tokio::select! {
            () = stop => {}
            failure = &mut lead => result = Err(failure),
        }
        health.stopping();
        tracing::info!("stopping");
        if result.is_ok() {
            // What is under way goes on; nothing new begins.
            tokio::select! {
                () = last_effect(&fence) => {}
                _failure = &mut lead => {}
            }
        }
    }
    if let Some(election) = election
        && tokio::time::timeout(LEASE_RELEASE_DEADLINE, election.give_back()).await.is_err()
    {
        tracing::warn!("could not give the lease back: the API server does not answer");
    }
    fence.close();
    result
}

/// Shuts the fence, and waits for the effect under way.
async fn last_effect(fence: &WriteFence) {
    let seconds = DRAIN_LIMIT.as_secs();
    if !fence.shut(DRAIN_LIMIT).await {
        tracing::warn!("an effect is still under way after {seconds} s; what came of it is found after the next start");
    }
}

/// Waits for the CRDs and the lease, then works until the lease is lost, or something ends that must not.
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

/// Waits until every kind can be listed in one of the namespaces. The others may be gone, or lack rights.
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

/// All watches, queues and pollers, until one of them ends, which none should.
async fn work(dependencies: &Dependencies, options: &Options, fence: &WriteFence, health: &Health) -> Ended {
    health.working();
    // Not bounded, since a watch cannot wait: `pass_on` takes what comes without waiting for anything, so that it holds no
    // more than one list brings, which is in the stores anyway.
    let (touch, touched) = mpsc::unbounded_channel();
    let index = Arc::<Index>::default();
    let stores = Stores::default();
    let mut startup =
        Startup { dependencies, options, health, touch, index: index.clone(), stores, starts: Vec::new() };
    each(&mut startup);
    let Startup { stores, starts, .. } = startup;
    let ctx = ctx(dependencies, options, fence, (stores, index));
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
    running.push(liveness.spawn("sweep of add-ons that are gone", sweep(ctx.clone())));
    running.push(liveness.spawn("pass-on of what the watches show", pass_on(ctx.clone(), touched)));
    let mut queues: FuturesUnordered<_> = starts.into_iter().flat_map(|start| start(&ctx)).collect();
    tokio::select! {
        ended = liveness.ended() => ended,
        Some(kind) = queues.next() => Ended::returned(&format!("queue of {kind}s")),
    }
}

/// What starts the queues of one kind.
type Start = Box<dyn FnOnce(&Arc<Context>) -> Vec<BoxFuture<'static, &'static str>> + Send>;

/// Every kind's roster, and what starts its queues.
struct Startup<'a> {
    dependencies: &'a Dependencies,
    options: &'a Options,
    health: &'a Health,
    touch: mpsc::UnboundedSender<Key>,
    index: Arc<Index>,
    stores: Stores,
    starts: Vec<Start>,
}

impl ForEach for Startup<'_> {
    fn kind<K: Effects>(&mut self) {
        let (store, queues) = queues::<K>(self.dependencies, self.options, self.health, &self.touch, &self.index);
        self.stores.add(store);
        self.starts.push(Box::new(move |ctx| start(ctx, queues)));
    }
}

fn ctx(
    dependencies: &Dependencies,
    options: &Options,
    fence: &WriteFence,
    (stores, index): (Stores, Arc<Index>),
) -> Arc<Context> {
    let slot: Arc<OnceLock<Weak<Context>>> = Arc::default();
    let (woken, asked) = (slot.clone(), slot.clone());
    let ask = Hooks {
        wake: Arc::new(move |cause: Trigger| {
            if let Some(ctx) = woken.get().and_then(Weak::upgrade) {
                ctx.trigger(&cause);
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
        observer: Observer::new(http, dependencies.clock, dependencies.metrics.clone(), liveness, ask),
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
    // Set once, here.
    let _ = slot.set(Arc::downgrade(&ctx));
    ctx
}

/// Has planned again whom an object concerns that a watch shows: its own report may come before the watch does.
async fn pass_on(ctx: Arc<Context>, mut touched: mpsc::UnboundedReceiver<Key>) {
    while let Some(key) = touched.recv().await {
        ctx.stores.all().for_each(|store| store.on_observed(&ctx, &key));
    }
}

/// A deletion may be missed while a watch is down; whoever lived on that add-on must learn of it all the same.
async fn sweep(ctx: Arc<Context>) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        ctx.observer.followed().into_iter().for_each(|addon| forget_if_deleted(&ctx, addon));
        ctx.observer.mark_stale().into_iter().for_each(|addon| ctx.trigger(&Trigger::AllOf(addon)));
    }
}
