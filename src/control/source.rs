//! Watches: one for each kind and namespace, or one for all namespaces.
//!
//! Each watch fails and recovers on its own, and pauses longer the longer it fails. `queues` and `inputs` start them, and they
//! report to `health`.

use std::fmt::Debug;
use std::time::Duration;

use futures::Stream;
use futures::stream::{self, BoxStream, StreamExt};
use kube::api::{ListParams, PartialObjectMeta};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::error::said;
use super::health::{Health, Source};
use super::kind::Kind;
use crate::liveness::{Liveness, Pulse};
use crate::timing::{
    CRD_RECHECK, FIRST_LIST_LIMIT, FIRST_WATCH_PAUSE, MAX_WATCH_PAUSE, WATCH_HEARTBEAT, WATCH_OPEN_AFTER,
    WATCH_STUCK_AFTER, doubling,
};

/// The API of a kind: one for all namespaces, or one for each.
pub(super) fn apis<K>(client: &Client, namespaces: &[String]) -> Vec<(Option<String>, Api<K>)>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    if namespaces.is_empty() {
        return vec![(None, Api::all(client.clone()))];
    }
    namespaces.iter().map(|ns| (Some(ns.clone()), Api::namespaced(client.clone(), ns))).collect()
}

/// The state of the first list of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstList {
    /// Not answered yet.
    Awaited,
    /// The API server refused it; the watch tries again. For example, the namespace does not exist, or a right is missing.
    Refused,
    /// Complete.
    Read,
}

/// Waits until the API server lets the operator list a kind.
pub(super) async fn served<K: Kind>(client: &Client, namespace: Option<&String>, health: &Health) {
    // Only metadata, because one unreadable object must not hold up the others.
    let namespaces: Vec<_> = namespace.cloned().into_iter().collect();
    let (namespace, api) = apis::<PartialObjectMeta<K>>(client, &namespaces).swap_remove(0);
    let source = Source { namespace, kind: K::KIND, vital: true };
    let mut pauses = Pauses::default();
    loop {
        match api.list(&ListParams::default().limit(1)).await {
            Ok(_) => return health.reads(&source),
            Err(error) => {
                health.fails(&source, &cause(&error, true));
                sleep(if code(&error) == Some(404) { CRD_RECHECK } else { pauses.next() }).await;
            }
        }
    }
}

/// A watch that never ends. The stream has events only; errors go to `health` and `first`.
pub(super) fn watched<K>(
    api: Api<K>,
    config: watcher::Config,
    (health, liveness): (Health, Liveness),
    source: Source,
    first: watch::Sender<FirstList>,
) -> impl Stream<Item = Result<Event<K>, watcher::Error>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    health.awaits(&source);
    let pulse = liveness.pulse(&format!("watch of {source}"), WATCH_STUCK_AFTER);
    let events = watcher(api, config).boxed();
    let (listed, failing_since, pauses) = (false, None, Pauses::default());
    let start = Watch { events, health, source, first, pulse, listed, failing_since, pauses };
    stream::unfold(start, |mut watch| async move { watch.next().await.map(|event| (Ok(event), watch)) })
}

struct Watch<K> {
    events: BoxStream<'static, Result<Event<K>, watcher::Error>>,
    health: Health,
    source: Source,
    first: watch::Sender<FirstList>,
    pulse: Pulse,
    /// Whether the list is complete, so that only the watch itself must be opened.
    listed: bool,
    failing_since: Option<Instant>,
    pauses: Pauses,
}

impl<K> Watch<K> {
    async fn next(&mut self) -> Option<Event<K>> {
        loop {
            self.pulse.beat(WATCH_STUCK_AFTER);
            let next = if self.listed && self.failing_since.is_some() {
                let Ok(next) = timeout(WATCH_OPEN_AFTER, self.events.next()).await else {
                    self.works();
                    continue;
                };
                next
            } else {
                // The timeout shows that the task still runs, even if the watch is quiet.
                let Ok(next) = timeout(WATCH_HEARTBEAT, self.events.next()).await else { continue };
                next
            };
            match next? {
                Ok(event) => {
                    match event {
                        // A list is about to begin; it may still be refused.
                        Event::Init => self.listed = false,
                        Event::InitApply(_) => {}
                        Event::InitDone => {
                            self.listed = true;
                            self.first.send_replace(FirstList::Read);
                            self.works();
                        }
                        Event::Apply(_) | Event::Delete(_) => self.works(),
                    }
                    return Some(event);
                }
                Err(error) => {
                    self.fails(&error);
                    sleep(self.pauses.next()).await;
                }
            }
        }
    }

    fn works(&mut self) {
        self.failing_since = None;
        self.pauses = Pauses::default();
        self.health.reads(&self.source);
    }

    fn fails(&mut self, error: &watcher::Error) {
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        let error = match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => error,
            // The resourceVersion is too old; a new list follows.
            watcher::Error::WatchError(status) if status.code == 410 => return,
            other => return self.health.fails(&self.source, &said(other)),
        };
        self.health.fails(&self.source, &cause(error, self.source.vital));
        let refused = match code(error) {
            Some(403 | 404) => true,
            Some(_) => since.elapsed() >= FIRST_LIST_LIMIT,
            // No answer. That concerns all namespaces, so all of them wait.
            None => false,
        };
        self.first.send_if_modified(|first| {
            let newly = refused && *first == FirstList::Awaited;
            if newly {
                *first = FirstList::Refused;
            }
            newly
        });
    }
}

fn code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

/// Why a watch fails, and what the user can do.
fn cause(error: &kube::Error, ours: bool) -> String {
    match code(error) {
        // If the API server knows the group but not the kind, it does not answer with a Status.
        Some(404) if ours => "the API server does not know this kind: install the CRDs with `applink-operator crds | \
                              kubectl apply --server-side -f -`"
            .to_owned(),
        Some(403) => format!(
            "{}. Grant the operator what deploy/ has for it, or take the namespace out of --namespace",
            said(error)
        ),
        _ => said(error),
    }
}

/// The pauses after failures in a row.
#[derive(Default)]
struct Pauses(u32);

impl Pauses {
    fn next(&mut self) -> Duration {
        self.0 = self.0.saturating_add(1);
        doubling(FIRST_WATCH_PAUSE, self.0, MAX_WATCH_PAUSE).unsigned_abs()
    }
}
