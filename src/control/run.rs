//! Puts the operator together, and takes it apart in order.
//!
//! `main` calls [`run`] with what leads outside: the API server's client, the transport, the clock, the signal to stop.
//! Tests call it with the same, in-process.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, FuturesUnordered};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::PartialObjectMeta;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{WatchStreamExt, applier, controller, reflector, watcher};
use kube::{Client, ResourceExt};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::denied::Denied;
use super::driver::{Driver, error_policy, reconcile};
use super::events::Events;
use super::gate::Gate;
use super::health::{Health, Source};
use super::kind::{ForEach, Judged, Kind, each};
use super::lease::{Claim, Lost};
use super::permits::Permits;
use super::recall::Recall;
use super::roster::{Post, Roster, Rosters};
use super::source::{FirstList, apis, served, watched};
use super::{Error, Shell, inputs};
use crate::budget::{Budgets, Limits};
use crate::clock::Clock;
use crate::crd::AppLinkAddon;
use crate::metrics::Metrics;
use crate::observe::{Ask, Cause, Key, Observer, Wanted};
use crate::readiness::Readiness;
use crate::transport::{AllowedHosts, Http, Transport};

/// How long an effect under way may take to end once the process is to stop.
const LAST_EFFECT: Duration = Duration::from_secs(8);
/// How long giving the lease back may take.
const LAST_WORD: Duration = Duration::from_secs(1);
/// How often add-ons that are gone without a word are looked for.
const SWEEP: Duration = Duration::from_secs(30);

/// What the user chooses.
#[derive(Clone, Debug)]
pub struct Options {
    /// Namespaces to watch; none means all.
    pub namespaces: Vec<String>,
    /// Hosts that tokens may be sent to.
    pub hosts: AllowedHosts,
    /// Writers at a time on each add-on.
    pub write_concurrency: usize,
    /// Namespace of the Lease; `None` runs without election.
    pub lease_namespace: Option<String>,
    /// Calls to each add-on, and with each account.
    pub limits: Limits,
}

/// What leads outside.
pub struct Outside {
    /// The API server.
    pub client: Client,
    /// Heroku and AppLink.
    pub transport: Transport,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// Whether the operator is ready, and what keeps it from that.
    pub ready: watch::Sender<Readiness>,
}

/// Runs until `stop` is done.
///
/// # Errors
/// [`Lost`] where another replica took over, or the lease could not be renewed.
pub async fn run(outside: Outside, options: Options, stop: impl Future<Output = ()>) -> Result<(), Lost> {
    let (deadline, until) = watch::channel(None);
    let gate = Gate::new(until);
    let health = Health::new(outside.ready.clone(), outside.metrics.clone());
    let mut claim = None;
    let mut result = Ok(());
    {
        let mut lead = std::pin::pin!(lead(&outside, &options, &gate, &health, deadline, &mut claim));
        tokio::select! {
            () = stop => {}
            lost = &mut lead => result = Err(lost),
        }
        health.stopping();
        tracing::info!("stopping");
        if result.is_ok() {
            // What is under way goes on; nothing new begins.
            tokio::select! {
                () = last_effect(&gate) => {}
                _lost = &mut lead => {}
            }
        }
    }
    if let Some(mut claim) = claim
        && tokio::time::timeout(LAST_WORD, claim.release()).await.is_err()
    {
        tracing::warn!("could not give the lease back: the API server does not answer");
    }
    result
}

/// Shuts the gate, and waits for the effect under way.
async fn last_effect(gate: &Gate) {
    let seconds = LAST_EFFECT.as_secs();
    if !gate.shut(LAST_EFFECT).await {
        tracing::warn!("an effect is still under way after {seconds} s; what came of it is found after the next start");
    }
}

/// Waits for the CRDs and the lease, then works until the lease is lost.
async fn lead(
    outside: &Outside,
    options: &Options,
    gate: &Gate,
    health: &Health,
    deadline: watch::Sender<Option<Instant>>,
    claim: &mut Option<Claim>,
) -> Lost {
    some_namespace_served(outside, options, health).await;
    let Some(namespace) = &options.lease_namespace else {
        let _unlimited = deadline;
        match work(outside, options, gate, health).await {}
    };
    let new = Claim::new(outside.client.clone(), namespace, outside.clock, deadline, health.clone());
    let claim = claim.insert(new);
    claim.acquire().await;
    tokio::select! {
        lost = claim.keep() => lost,
        never = work(outside, options, gate, health) => match never {},
    }
}

/// Waits until every kind can be listed in one of the namespaces. The others may be gone, or lack rights.
async fn some_namespace_served(outside: &Outside, options: &Options, health: &Health) {
    struct Served<'a> {
        client: &'a Client,
        namespace: Option<&'a String>,
        health: &'a Health,
        kinds: Vec<BoxFuture<'a, ()>>,
    }
    impl ForEach for Served<'_> {
        fn kind<K: Kind>(&mut self) {
            self.kinds.push(Box::pin(served::<K>(self.client, self.namespace, self.health)));
        }
    }
    let in_namespace = |namespace| {
        let mut all = Served { client: &outside.client, namespace, health, kinds: Vec::new() };
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

/// All watches, queues and pollers, for ever.
async fn work(outside: &Outside, options: &Options, gate: &Gate, health: &Health) -> Infallible {
    health.working();
    let (touch, touched) = mpsc::unbounded_channel();
    let mut opening = Opening { outside, options, health, touch, rosters: Rosters::default(), starts: Vec::new() };
    each(&mut opening);
    let Opening { rosters, starts, .. } = opening;
    let shell = shell(outside, options, gate, rosters);
    let mut background = JoinSet::new();
    for place in apis::<PartialObjectMeta<Secret>>(&outside.client, &options.namespaces) {
        background.spawn(inputs::watch(shell.clone(), health.clone(), place, "Secret"));
    }
    for place in apis::<PartialObjectMeta<ConfigMap>>(&outside.client, &options.namespaces) {
        background.spawn(inputs::watch(shell.clone(), health.clone(), place, "ConfigMap"));
    }
    background.spawn(sweep(shell.clone()));
    background.spawn(pass_on(shell.clone(), touched));
    let all: FuturesUnordered<_> = starts.into_iter().flat_map(|start| start(&shell)).collect();
    all.for_each(|()| std::future::ready(())).await;
    // The queues end only with the process.
    std::future::pending().await
}

/// What starts the queues of one kind.
type Start = Box<dyn FnOnce(&Arc<Shell>) -> Vec<BoxFuture<'static, ()>> + Send>;

/// Every kind's roster, and what starts its queues.
struct Opening<'a> {
    outside: &'a Outside,
    options: &'a Options,
    health: &'a Health,
    touch: mpsc::UnboundedSender<Key>,
    rosters: Rosters,
    starts: Vec<Start>,
}

impl ForEach for Opening<'_> {
    fn kind<K: Kind>(&mut self) {
        let (roster, queues) = queues::<K>(self.outside, self.options, self.health, &self.touch);
        self.rosters.add(roster);
        self.starts.push(Box::new(move |shell| drive(shell, queues)));
    }
}

fn shell(outside: &Outside, options: &Options, gate: &Gate, rosters: Rosters) -> Arc<Shell> {
    let slot: Arc<OnceLock<Weak<Shell>>> = Arc::default();
    let (woken, asked) = (slot.clone(), slot.clone());
    let ask = Ask {
        wake: Arc::new(move |cause: Cause| {
            if let Some(shell) = woken.get().and_then(Weak::upgrade) {
                shell.wake(&cause);
            }
        }),
        wanted: Arc::new(move |addon: &Key| {
            asked.get().and_then(Weak::upgrade).map_or_else(Wanted::default, |shell| shell.wanted(addon))
        }),
    };
    let budgets = Budgets::new(options.limits);
    outside.metrics.show(budgets.clone());
    let (transport, hosts) = (outside.transport.clone(), options.hosts.clone());
    let http = Http::new(transport, hosts, budgets, outside.clock, outside.metrics.clone());
    let shell = Arc::new(Shell {
        client: outside.client.clone(),
        clock: outside.clock,
        hosts: options.hosts.clone(),
        observer: Observer::new(http, outside.clock, outside.metrics.clone(), ask),
        rosters,
        permits: Permits::new(options.write_concurrency),
        gate: gate.clone(),
        events: Events::new(outside.client.clone()),
        judged: Judged::default(),
        denied: Denied::default(),
        misread: Mutex::default(),
        metrics: outside.metrics.clone(),
    });
    // Set once, here.
    let _ = slot.set(Arc::downgrade(&shell));
    shell
}

/// What fills one store, and the objects it names to be planned.
struct Queue<K: Kind> {
    store: Store<DeserializeGuard<K>>,
    causes: BoxStream<'static, Result<ObjectRef<DeserializeGuard<K>>, watcher::Error>>,
}

/// One watch, one store and one queue for all namespaces, or for each. kube's Controller would do it in one go, but
/// its store wakes one of those who wait for the first list, and here each kind's objects wait for all kinds' stores.
///
/// `touch` is told of each object that a watch shows.
fn queues<K: Kind>(
    outside: &Outside,
    options: &Options,
    health: &Health,
    touch: &mpsc::UnboundedSender<Key>,
) -> (Roster<K>, Vec<Queue<K>>) {
    let places = apis::<DeserializeGuard<K>>(&outside.client, &options.namespaces).into_iter();
    let each = places.map(|(namespace, api)| {
        let (store, writer) = reflector::store();
        let (complete, first) = watch::channel(FirstList::Awaited);
        let (wake, woken) = mpsc::unbounded_channel();
        let touch = touch.clone();
        let source = Source { namespace: namespace.clone(), kind: K::KIND, vital: true };
        let watched = watched(api, watcher::Config::default(), health.clone(), source, complete)
            .reflect(writer)
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
        (Post { namespace, store: store.clone(), first, wake }, Queue { store, causes })
    });
    let (posts, queues) = each.unzip();
    (Roster::new(posts), queues)
}

fn drive<K: Kind>(shell: &Arc<Shell>, queues: Vec<Queue<K>>) -> Vec<BoxFuture<'static, ()>> {
    let driver = Arc::new(Driver { shell: shell.clone(), recall: Recall::<K>::default() });
    let start = |Queue { store, causes }| -> BoxFuture<'static, ()> {
        let reconcile = |object, driver| Box::pin(once_read::<K>(object, driver));
        let results =
            applier(reconcile, error_policy::<K>, driver.clone(), store, causes, controller::Config::default());
        let driver = driver.clone();
        Box::pin(results.for_each(move |result| {
            // The driver's own errors are told by its error policy, those of the watch by `health`.
            if let Err(controller::Error::ObjectNotFound(gone)) = result {
                let (namespace, name) = (gone.namespace.unwrap_or_default(), gone.name);
                is_gone(&driver, Key { kind: K::KIND, namespace, name });
            }
            std::future::ready(())
        }))
    };
    queues.into_iter().map(start).collect()
}

/// Reconciles once all of the object's namespace is read: what it refers to is there, and what depends on it.
async fn once_read<K: Kind>(object: Arc<DeserializeGuard<K>>, driver: Arc<Driver<K>>) -> Result<Action, Error> {
    let namespace = object.namespace().unwrap_or_default();
    for roster in driver.shell.rosters.all() {
        roster.complete_in(&namespace).await;
    }
    reconcile(object, driver).await
}

/// An object is no longer there: those who need it, or made way for it, may go on.
fn is_gone<K: Kind>(driver: &Driver<K>, gone: Key) {
    driver.recall.forget(&gone);
    driver.shell.misread().remove(&gone);
    // Its own last word may have come before the watch had told that it is gone.
    driver.shell.rosters.all().for_each(|roster| roster.wake_leaving(&gone.namespace));
    driver.shell.wake(&Cause::Dependants(gone.clone()));
    driver.shell.wake(&Cause::Freed);
    abandon(&driver.shell, gone);
}

/// Has planned again whom an object concerns that a watch shows: its own report may come before the watch does.
async fn pass_on(shell: Arc<Shell>, mut touched: mpsc::UnboundedReceiver<Key>) {
    while let Some(key) = touched.recv().await {
        shell.rosters.all().for_each(|roster| roster.shown(&shell, &key));
    }
}

/// A deletion may be missed while a watch is down; whoever lived on that add-on must learn of it all the same.
async fn sweep(shell: Arc<Shell>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        shell.observer.followed().into_iter().for_each(|addon| abandon(&shell, addon));
        shell.observer.fall_silent().into_iter().for_each(|addon| shell.wake(&Cause::Everything(addon)));
    }
}

/// Follows an add-on no longer that is no longer there, and tells those who lived on it.
fn abandon(shell: &Shell, gone: Key) {
    let is_there = || shell.read(&gone, |_: &AppLinkAddon| ()).is_some() || shell.is_unreadable::<AppLinkAddon>(&gone);
    if shell.observer.addon(&gone).is_some() && !is_there() {
        shell.observer.forget(&gone);
        shell.wake(&Cause::Everything(gone));
    }
}
