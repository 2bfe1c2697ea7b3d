//! What this process remembers of each object of one kind between reconciles.
//!
//! Correctness does not depend on it: it saves waiting, and hides that a watch lags behind our own writes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::kind::{Kind, key};
use crate::crd::annotation;
use crate::observe::Key;
use crate::plan::state::{CallOutcome, CredentialsState, Intent, ReconcileState};
use crate::timing::{FIRST_ERROR_PAUSE, MAX_ERROR_PAUSE, doubling};

/// The cache of one kind.
pub(super) struct StateCache<K> {
    objects: Mutex<HashMap<Key, CachedState<K>>>,
    /// Errors in a row, also of objects that are not in `objects`.
    failures: Mutex<HashMap<Key, Failures>>,
}

/// Errors in a row, and when the pause after the last one ends.
#[derive(Clone, Copy, Default)]
struct Failures {
    count: u32,
    until: Timestamp,
}

struct CachedState<K> {
    uid: String,
    version: Version,
    first_seen: Timestamp,
    changed_at: Timestamp,
    last_outcome: Option<CallOutcome>,
    credentials: CredentialsState,
    call_failures: u32,
    refusals: Vec<Timestamp>,
    /// The last refusal of the API server that only an Event could report.
    refusal: Option<String>,
    /// Attempt and time of the last intent that this process wrote or tried to write.
    intent: Option<(i64, Timestamp)>,
    /// The version that our last write returned, and the older versions that our writes replaced.
    newest: Option<(Arc<K>, Vec<String>)>,
}

/// Annotations that request something. A change of one is an edit, as a new generation is.
const REQUESTS: [&str; 3] = [annotation::REQUESTED_AT, annotation::REPLACE, annotation::CONFIRM_CASCADE];
type Version = (i64, [Option<String>; 3]);

impl<K> Default for StateCache<K> {
    fn default() -> Self {
        Self { objects: Mutex::default(), failures: Mutex::default() }
    }
}

impl<K: Kind> StateCache<K> {
    /// The newest version of the object: the one that was read, or the one that our last write returned if the watch lags.
    pub(super) fn newest(&self, read: Arc<K>) -> Arc<K> {
        let mut all = self.all();
        let Some(known) = all.get_mut(&key(&*read)).filter(|k| Some(&k.uid) == read.meta().uid.as_ref()) else {
            return read;
        };
        match &known.newest {
            Some((newest, superseded)) if read.resource_version().is_some_and(|v| superseded.contains(&v)) => {
                newest.clone()
            }
            _ => {
                known.newest = None;
                read
            }
        }
    }

    /// Records that our write turned `before` into `after`.
    pub(super) fn wrote(&self, before: &K, after: Arc<K>) {
        if before.resource_version() == after.resource_version() {
            return;
        }
        let mut all = self.all();
        let Some(known) = all.get_mut(&key(before)) else { return };
        let mut superseded = known.newest.take().map(|(_, versions)| versions).unwrap_or_default();
        superseded.extend(before.resource_version());
        known.newest = Some((after, superseded));
    }

    /// What the object and this process remember of earlier reconciles.
    pub(super) fn state(&self, object: &K, now: Timestamp) -> ReconcileState {
        let meta = object.meta();
        let value = |key: &str| object.annotations().get(key).cloned();
        let version = (meta.generation.unwrap_or_default(), REQUESTS.map(value));
        let uid = meta.uid.clone().unwrap_or_default();
        let mut all = self.all();
        let fresh = || CachedState {
            uid: uid.clone(),
            version: version.clone(),
            first_seen: now,
            changed_at: now,
            last_outcome: None,
            credentials: CredentialsState::default(),
            call_failures: 0,
            refusals: Vec::new(),
            refusal: None,
            intent: None,
            newest: None,
        };
        let known = all.entry(key(object)).or_insert_with(fresh);
        if known.uid != uid {
            *known = fresh();
        } else if known.version != version {
            known.version = version;
            known.changed_at = now;
        }
        let none = K::Status::default();
        let status = object.status().unwrap_or(&none);
        let mut read = ReconcileState::read(meta, status);
        // The clock of the process that wrote it may be ahead of ours. By our clock, it wrote the intent before we saw it.
        if let Some(intent) = read.intent.as_mut().filter(|intent| known.intent != Some((intent.attempt, intent.at))) {
            let before = known.first_seen.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MIN);
            intent.at = intent.at.min(before);
        }
        ReconcileState {
            first_seen: known.first_seen,
            changed_at: known.changed_at,
            last_outcome: known.last_outcome.clone(),
            credentials: known.credentials.clone(),
            call_failures: known.call_failures,
            refusals: known.refusals.clone(),
            ..read
        }
    }

    /// Records that this process is about to write this intent.
    pub(super) fn writes_intent(&self, object: &K, intent: Option<&Intent>) {
        if let Some(known) = self.all().get_mut(&key(object)) {
            known.intent = intent.map(|intent| (intent.attempt, intent.at)).or(known.intent);
        }
    }

    /// Stores what this process remembers of the object after a step.
    pub(super) fn store(&self, object: &K, state: &ReconcileState) {
        if let Some(known) = self.all().get_mut(&key(object)) {
            known.last_outcome.clone_from(&state.last_outcome);
            known.credentials.clone_from(&state.credentials);
            known.call_failures = state.call_failures;
            known.refusals.clone_from(&state.refusals);
        }
    }

    /// Whether the service accepted a deletion of the remote object.
    pub(super) fn deleted(&self, object: &K) -> bool {
        self.all()
            .get(&key(object))
            .is_some_and(|known| matches!(known.last_outcome, Some(CallOutcome::Deleting { .. })))
    }

    /// Records an error, and returns how long to pause. An error during a pause, after something triggered the object, does not
    /// count, because otherwise a few edits would make the pause very long.
    pub(super) fn failed(&self, key: &Key, now: Timestamp) -> Duration {
        let mut failures = self.failures();
        let known = failures.entry(key.clone()).or_default();
        if now < known.until {
            return known.until.duration_since(now).unsigned_abs();
        }
        known.count = known.count.saturating_add(1);
        let pause = doubling(FIRST_ERROR_PAUSE, known.count, MAX_ERROR_PAUSE);
        known.until = now.checked_add(pause).unwrap_or(now);
        pause.unsigned_abs()
    }

    /// Number of errors in a row.
    pub(super) fn failures_of(&self, key: &Key) -> u32 {
        self.failures().get(key).map_or(0, |known| known.count)
    }

    /// Records a refusal of the API server. Returns whether it was not the last one already.
    pub(super) fn refusal_is_new(&self, object: &K, text: &str) -> bool {
        let mut all = self.all();
        let Some(known) = all.get_mut(&key(object)) else { return true };
        known.refusal.replace(text.to_owned()).as_deref() != Some(text)
    }

    /// Records a reconcile without an error.
    pub(super) fn succeeded(&self, key: &Key) {
        self.failures().remove(key);
    }

    /// Forgets an object after its deletion.
    pub(super) fn forget(&self, key: &Key) {
        self.all().remove(key);
        self.failures().remove(key);
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<Key, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Key, CachedState<K>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
