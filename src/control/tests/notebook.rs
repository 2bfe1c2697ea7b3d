//! The service of the made-up backend, and the source that observes it by key: one packed read for all notes that are asked
//! for, instead of a list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::clock::Clock;
use crate::facts::collection::{Collection, Observation};
use crate::facts::{Phase, RemoteObject};
use crate::observe::{Pass, PassFailure, PassResult, Poller, Source};

/// A note in the service.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RemoteNote {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) text: String,
}

impl RemoteObject for RemoteNote {
    fn id(&self) -> &str {
        &self.id
    }
    fn name(&self) -> Option<&str> {
        Some(&self.title)
    }
    fn phase(&self) -> Phase {
        Phase::Ready
    }
    fn created(&self) -> Option<Timestamp> {
        None
    }
    fn set_name(&mut self, _name: &str) {}
}

/// The service. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Service(Arc<Mutex<Shelf>>, Arc<watch::Sender<()>>);

#[derive(Default)]
struct Shelf {
    notes: BTreeMap<String, RemoteNote>,
    writes: Vec<String>,
    reads: usize,
}

impl Service {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().expect("not poisoned")
    }

    /// Waits until a note has this text.
    pub(super) async fn until(&self, title: &str, text: &str) {
        let mut changes = self.1.subscribe();
        while self.text(title).as_deref() != Some(text) {
            changes.changed().await.expect("the service holds the sender");
        }
    }

    pub(super) fn writes(&self) -> Vec<String> {
        self.shelf().writes.clone()
    }

    pub(super) fn reads(&self) -> usize {
        self.shelf().reads
    }

    pub(super) fn text(&self, title: &str) -> Option<String> {
        self.shelf().notes.get(title).map(|note| note.text.clone())
    }

    /// Somebody else changes a note.
    pub(super) fn edit(&self, title: &str, text: &str) {
        self.shelf().notes.get_mut(title).expect("a note").text = text.to_owned();
    }

    pub(super) fn create(&self, title: &str, text: &str) -> RemoteNote {
        let mut shelf = self.shelf();
        shelf.writes.push(format!("create {title}"));
        let note =
            RemoteNote { id: format!("note-{}", shelf.writes.len()), title: title.to_owned(), text: text.to_owned() };
        shelf.notes.insert(title.to_owned(), note.clone());
        note
    }

    pub(super) fn update(&self, id: &str, text: &str) -> Option<RemoteNote> {
        let mut shelf = self.shelf();
        shelf.writes.push(format!("update text of {id}"));
        let note = shelf.notes.values_mut().find(|note| note.id == id)?;
        note.text = text.to_owned();
        self.1.send_replace(());
        Some(note.clone())
    }

    pub(super) fn delete(&self, id: &str) {
        let mut shelf = self.shelf();
        shelf.writes.push(format!("delete {id}"));
        shelf.notes.retain(|_, note| note.id != id);
    }

    /// One call, however many notes it asks for.
    fn read(&self, titles: &BTreeSet<String>) -> BTreeMap<String, Option<RemoteNote>> {
        let mut shelf = self.shelf();
        shelf.reads += 1;
        titles.iter().map(|title| (title.clone(), shelf.notes.get(title).cloned())).collect()
    }
}

/// The notebook as its poller observes it.
pub(super) struct Notebook {
    pub(super) service: Service,
    clock: Clock,
    /// The notes that are asked for.
    pub(super) titles: Mutex<BTreeSet<String>>,
    pub(super) notes: Mutex<Collection<RemoteNote>>,
}

impl Notebook {
    pub(super) fn new(service: Service, clock: Clock) -> Self {
        Self { service, clock, titles: Mutex::default(), notes: Mutex::default() }
    }

    pub(super) fn observe(&self, observation: Observation<RemoteNote>) {
        self.notes.lock().expect("not poisoned").observe(self.clock.now(), observation);
    }
}

impl Source for Notebook {
    fn owner_id(&self) -> Option<String> {
        Some("notebook-1".to_owned())
    }
    fn poll(&self) -> SignedDuration {
        SignedDuration::from_mins(1)
    }
    fn is_plenty(&self) -> bool {
        true
    }
    async fn pass(&self, pass: Pass<'_>) -> Result<PassResult, PassFailure> {
        let titles = self.titles.lock().expect("not poisoned").clone();
        let mut notes = self.notes.lock().expect("not poisoned");
        let mut changed_keys = BTreeSet::new();
        for (title, seen) in self.service.read(&titles) {
            let known = notes.objects().find(|note| note.title == title).cloned();
            if known != seen {
                changed_keys.insert(title.clone());
            }
            notes.observe(pass.began, seen.map_or_else(|| Observation::Absent(title), Observation::Present));
        }
        Ok(PassResult { whole: true, changed_keys, ..PassResult::default() })
    }
}

thread_local! {
    /// A backend of the operator would be part of the context.
    static POLLER: Mutex<Option<Arc<Poller<Notebook>>>> = const { Mutex::new(None) };
}

pub(super) fn register(poller: &Arc<Poller<Notebook>>) {
    POLLER.with(|all| *all.lock().expect("not poisoned") = Some(poller.clone()));
}

pub(super) fn poller() -> Arc<Poller<Notebook>> {
    POLLER.with(|all| all.lock().expect("not poisoned").clone()).expect("registered first")
}
