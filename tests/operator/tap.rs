//! Intercepts the requests of one operator to AppLink and to the API server: counts them, tracks which are concurrent,
//! can cut the operator off, and can kill it at any request.
//!
//! Changes no request and no response. `World` adds one to each operator that it starts.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::sync::{Arc, Mutex, MutexGuard};

use applink_operator::transport::Transport;
use bytes::Bytes;
use http::{Method, Request};
use kube::Client;
use kube::client::Body;
use tokio::sync::Notify;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt, service_fn};

/// Interceptor of one operator. Clones share it.
#[derive(Clone, Default)]
pub struct Tap(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    died: Notify,
}

#[derive(Default)]
struct State {
    /// How often each point was passed since the last `die_at`, and the order of the first passes.
    passed: BTreeMap<String, usize>,
    trace: Vec<Point>,
    die_at: Option<Point>,
    dead: bool,
    link: Link,
    /// Mutating AppLink calls in flight, by add-on.
    now: BTreeMap<String, usize>,
    /// The most concurrent calls, by add-on and in total.
    most: BTreeMap<String, usize>,
    most_at_all: usize,
    /// Number of reads from the API server, by object.
    reads: BTreeMap<String, usize>,
    /// Called with the method before each call to AppLink or Heroku is sent.
    hook: Option<Hook>,
}

type Hook = Arc<dyn Fn(&Method) + Send + Sync>;

/// A point in an operator's life: the n-th occurrence of a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub what: String,
    pub nth: usize,
}

/// State of the connection to the API server.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Link {
    #[default]
    Up,
    /// Every request fails at once.
    Refused,
    /// No request arrives or is answered.
    Silent,
}

impl Tap {
    /// Kills the operator at this point, counted from now. Every request to AppLink or Heroku and every write to the
    /// API server has a point before it is sent. Mutating ones have another point after they are executed.
    pub fn die_at(&self, point: Option<Point>) {
        let mut state = self.state();
        state.passed.clear();
        state.trace.clear();
        state.die_at = point;
    }

    /// The points passed since the last `die_at`, in order.
    pub fn trace(&self) -> Vec<Point> {
        self.state().trace.clone()
    }

    pub fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// Waits until the operator is dead.
    pub async fn death(&self) {
        self.0.died.notified().await;
    }

    /// Changes the connection to the API server. Open watches continue.
    pub fn link(&self, link: Link) {
        self.state().link = link;
    }

    /// The most concurrent mutating calls on one add-on.
    pub fn most_on_one_addon(&self) -> usize {
        self.state().most.values().copied().max().unwrap_or_default()
    }

    /// The most concurrent mutating calls on all add-ons together.
    pub fn most_at_all(&self) -> usize {
        self.state().most_at_all
    }

    /// How often this was read from the API server.
    pub fn passed(&self, what: &str) -> usize {
        self.state().reads.get(what).copied().unwrap_or_default()
    }

    /// Calls `hook` with the method before each call to AppLink or Heroku is sent.
    pub fn on_call(&self, hook: impl Fn(&Method) + Send + Sync + 'static) {
        self.state().hook = Some(Arc::new(hook));
    }

    /// `transport` with this interceptor.
    pub fn transport(&self, transport: Transport) -> Transport {
        let tap = self.clone();
        BoxCloneSyncService::new(service_fn(move |request: Request<Bytes>| {
            let (tap, transport) = (tap.clone(), transport.clone());
            async move {
                let hook = tap.state().hook.clone();
                hook.iter().for_each(|hook| hook(request.method()));
                let what = name(request.method(), request.uri().path());
                let addon = request.uri().path().split('/').nth(2).unwrap_or_default().to_owned();
                let _under_way = (!request.method().is_safe()).then(|| UnderWay::new(tap.clone(), addon));
                let reads = request.method().is_safe();
                tap.pass(&what, reads, transport.oneshot(request)).await
            }
        }))
    }

    /// `client` with this interceptor.
    pub fn client(&self, client: Client) -> Client {
        let tap = self.clone();
        let service = service_fn(move |request: Request<Body>| {
            let (tap, client) = (tap.clone(), client.clone());
            async move {
                let link = tap.state().link;
                match link {
                    Link::Up => {}
                    Link::Refused => {
                        return Err(BoxError::from("connection refused: the test has cut the operator off"));
                    }
                    Link::Silent => pending().await,
                }
                let what = name(request.method(), request.uri().path());
                let reads = request.method().is_safe();
                let sent = async { client.send(request).await.map_err(BoxError::from) };
                *tap.state().reads.entry(what.clone()).or_default() += usize::from(reads);
                if reads { tap.unless_dead(sent).await } else { tap.pass(&what, false, sent).await }
            }
        });
        Client::new(service, "default")
    }

    async fn pass<T>(&self, what: &str, reads: bool, send: impl Future<Output = T>) -> T {
        self.point(&format!("before {what}")).await;
        let answer = send.await;
        if !reads {
            self.point(&format!("after {what}")).await;
        }
        answer
    }

    async fn unless_dead<T>(&self, send: impl Future<Output = T>) -> T {
        if self.is_dead() {
            pending().await
        }
        send.await
    }

    async fn point(&self, what: &str) {
        let dead = {
            let mut guard = self.state();
            let state = &mut *guard;
            let nth = state.passed.entry(what.to_owned()).or_default();
            *nth += 1;
            let here = Point { what: what.to_owned(), nth: *nth };
            if !state.dead && state.die_at.as_ref() == Some(&here) {
                state.dead = true;
                self.0.died.notify_one();
            }
            state.trace.push(here);
            state.dead
        };
        if dead {
            pending().await
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no test panics while it holds the state")
    }
}

/// Names a request, without IDs that the service or the clock puts into its path.
fn name(method: &Method, path: &str) -> String {
    let mut segments: Vec<&str> = path.split('/').collect();
    for at in 1..segments.len() {
        let of_service = !path.starts_with("/apis/") && segments[at].len() == 36;
        if of_service || segments[at - 1] == "events" {
            segments[at] = "*";
        }
    }
    format!("{method} {}", segments.join("/"))
}

/// A mutating call in flight, until dropped.
struct UnderWay {
    tap: Tap,
    addon: String,
}

impl UnderWay {
    fn new(tap: Tap, addon: String) -> Self {
        let mut guard = tap.state();
        let state = &mut *guard;
        let now = state.now.entry(addon.clone()).or_default();
        *now += 1;
        let most = state.most.entry(addon.clone()).or_default();
        *most = (*most).max(*now);
        state.most_at_all = state.most_at_all.max(state.now.values().sum());
        drop(guard);
        Self { tap, addon }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(now) = self.tap.state().now.get_mut(&self.addon) {
            *now -= 1;
        }
    }
}
