//! What the operator can read in which namespace, whether it can use its Lease, and therefore whether it is ready.
//!
//! The watches and the lease report here. It logs each change once, and acts on nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::metrics::Metrics;
use crate::readiness::Readiness;

/// The health of one operator; clones share it.
#[derive(Clone)]
pub(super) struct Health(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    ready: watch::Sender<Readiness>,
    metrics: Metrics,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// Why the operator cannot use the Lease.
    lease: Option<String>,
    sources: BTreeMap<Source, SourceState>,
}

/// What the operator is doing.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// Waiting until a namespace can be read.
    #[default]
    Starting,
    /// Waiting for the Lease; its holder is not known yet.
    Electing,
    /// Another replica holds the Lease.
    StandingBy,
    Working,
    Stopping,
}

/// Something that the operator watches: one kind, in one namespace or in all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    pub(super) namespace: Option<String>,
    pub(super) kind: &'static str,
    /// Whether the operator can do nothing in the namespace without it. Without another source it only notices changes late.
    pub(super) vital: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum SourceState {
    Awaited,
    Good,
    Failing(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s in ", self.kind)?;
        match &self.namespace {
            Some(namespace) => write!(f, "namespace {namespace}"),
            None => f.write_str("all namespaces"),
        }
    }
}

impl Source {
    fn problem(&self, cause: &str) -> String {
        match self.vital {
            true => format!("cannot read {self}: {cause}"),
            false => format!("cannot watch {self}, so a change in one acts late: {cause}"),
        }
    }
}

impl Health {
    pub(super) fn new(ready: watch::Sender<Readiness>, metrics: Metrics) -> Self {
        let health = Self(Arc::new(Inner { state: Mutex::default(), ready, metrics }));
        health.change(|_| {});
        health
    }

    /// The operator waits for the Lease, and reads nothing until then.
    pub(super) fn electing(&self) {
        self.change(|state| *state = State { phase: Phase::Electing, ..State::default() });
    }

    /// Another replica holds the Lease.
    pub(super) fn standing_by(&self) {
        self.change(|state| (state.phase, state.lease) = (Phase::StandingBy, None));
    }

    /// This replica holds the Lease.
    pub(super) fn holds_lease(&self) {
        self.change(|state| state.lease = None);
    }

    /// The operator can neither read nor write the Lease.
    pub(super) fn lease_fails(&self, problem: String) {
        self.change(|state| state.lease = Some(problem));
    }

    /// The operator begins to watch.
    pub(super) fn working(&self) {
        self.change(|state| (state.phase, state.sources) = (Phase::Working, BTreeMap::new()));
    }

    pub(super) fn stopping(&self) {
        self.change(|state| state.phase = Phase::Stopping);
    }

    /// The operator begins to watch this source.
    pub(super) fn awaits(&self, source: &Source) {
        self.change(|state| drop(state.sources.insert(source.clone(), SourceState::Awaited)));
    }

    /// This source can be read.
    pub(super) fn reads(&self, source: &Source) {
        if let Some(SourceState::Failing(_)) = self.set(source, SourceState::Good) {
            tracing::info!(kind = source.kind, "can read {source} again");
        }
    }

    /// This source cannot be read.
    pub(super) fn fails(&self, source: &Source, cause: &str) {
        let failing = SourceState::Failing(cause.to_owned());
        if self.set(source, failing.clone()) != Some(failing) {
            tracing::warn!(kind = source.kind, "{}", source.problem(cause));
        }
    }

    /// Sets the state of a source, and returns the state before.
    fn set(&self, source: &Source, state_now: SourceState) -> Option<SourceState> {
        let mut before = None;
        self.change(|state| before = state.sources.insert(source.clone(), state_now));
        before
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        self.0.metrics.unreadable_namespaces(state.unreadable());
        let readiness = state.readiness();
        self.0.ready.send_if_modified(|known| {
            let changed = *known != readiness;
            *known = readiness;
            changed
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The states of the vital sources, by namespace.
    fn namespaces(&self) -> BTreeMap<&Option<String>, Vec<&SourceState>> {
        let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (source, reading) in self.sources.iter().filter(|(source, _)| source.vital) {
            all.entry(&source.namespace).or_default().push(reading);
        }
        all
    }

    /// Number of namespaces in which a vital source cannot be read.
    fn unreadable(&self) -> usize {
        let failing = |readings: &&Vec<&SourceState>| readings.iter().any(|r| matches!(r, SourceState::Failing(_)));
        self.namespaces().values().filter(failing).count()
    }

    /// Ready means that every readable namespace was read and that there is one, or that another replica leads.
    fn readiness(&self) -> Readiness {
        let namespaces = self.namespaces();
        let awaited = namespaces.values().flatten().any(|reading| **reading == SourceState::Awaited);
        let good = namespaces.values().any(|readings| readings.iter().all(|reading| **reading == SourceState::Good));
        let (ready, waiting) = match self.phase {
            Phase::Starting => (false, Some("starting: no namespace has been read yet")),
            Phase::Electing => (false, Some("waiting for the Lease")),
            Phase::StandingBy => (true, Some("standing by: another replica holds the Lease")),
            Phase::Working if awaited => (false, Some("reading what there is")),
            Phase::Working => (good, (!good).then_some("there is no namespace that can be read")),
            Phase::Stopping => (false, Some("stopping")),
        };
        let failing = self.sources.iter().filter_map(|(source, reading)| match reading {
            SourceState::Failing(cause) => Some(source.problem(cause)),
            _ => None,
        });
        let waiting = waiting.map(str::to_owned).into_iter();
        let notes = waiting.chain(self.lease.clone()).chain(failing).collect();
        Readiness { ready: ready && self.lease.is_none(), notes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(namespace: &str, kind: &'static str) -> Source {
        Source { namespace: Some(namespace.to_owned()), kind, vital: kind != "Secret" }
    }

    fn health() -> (Health, watch::Receiver<Readiness>) {
        let (ready, is_ready) = watch::channel(Readiness::default());
        (Health::new(ready, Metrics::default()), is_ready)
    }

    #[test]
    fn ready_once_every_namespace_is_read_or_known_to_be_unreadable() {
        let (health, ready) = health();
        health.working();
        for namespace in ["crm", "sales"] {
            health.awaits(&source(namespace, "Connection"));
            health.awaits(&source(namespace, "Secret"));
        }
        health.reads(&source("sales", "Connection"));
        assert!(!ready.borrow().ready, "crm is still awaited");
        health.fails(&source("crm", "Connection"), "it is forbidden");
        assert_eq!(ready.borrow().to_string(), "ok\ncannot read Connections in namespace crm: it is forbidden\n");
        assert!(health.0.metrics.text().contains("applink_unreadable_namespaces 1\n"));
        health.fails(&source("sales", "Connection"), "it is forbidden, too");
        assert!(!ready.borrow().ready, "none can be read");
        health.reads(&source("crm", "Connection"));
        health.reads(&source("sales", "Connection"));
        assert_eq!(ready.borrow().to_string(), "ok\n");
        assert!(health.0.metrics.text().contains("applink_unreadable_namespaces 0\n"));
    }

    #[test]
    fn secrets_that_cannot_be_watched_are_named_and_keep_nothing_from_being_ready() {
        let (health, ready) = health();
        health.working();
        health.reads(&source("crm", "Connection"));
        health.fails(&source("crm", "Secret"), "it is forbidden");
        let said = "ok\ncannot watch Secrets in namespace crm, so a change in one acts late: it is forbidden\n";
        assert_eq!(ready.borrow().to_string(), said);
        assert!(health.0.metrics.text().contains("applink_unreadable_namespaces 0\n"));
    }

    #[test]
    fn a_lease_that_cannot_be_used_is_not_ready_and_one_that_another_holds_is() {
        let (health, ready) = health();
        assert!(!ready.borrow().ready);
        health.electing();
        assert!(!ready.borrow().ready, "nobody knows yet");
        health.standing_by();
        assert!(ready.borrow().ready);
        health.lease_fails("cannot read the Lease".to_owned());
        assert!(!ready.borrow().ready);
        assert!(ready.borrow().to_string().contains("cannot read the Lease"));
        health.standing_by();
        assert!(ready.borrow().ready);
        health.stopping();
        assert!(!ready.borrow().ready);
    }
}
