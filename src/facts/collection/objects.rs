//! The objects of a collection by ID and by name, so that a lookup costs the same however many there are.
//!
//! Pure. It knows nothing of listings and absence: `collection` does.

use std::collections::{BTreeMap, HashMap};

use crate::facts::{Observed, RemoteObject};

/// Objects by ID; their names point back to them.
#[derive(Clone, Debug)]
pub(super) struct Objects<R> {
    by_id: BTreeMap<String, Observed<R>>,
    by_name: HashMap<String, Vec<String>>,
    nameless: usize,
}

impl<R> Default for Objects<R> {
    fn default() -> Self {
        Self { by_id: BTreeMap::new(), by_name: HashMap::new(), nameless: 0 }
    }
}

impl<R: RemoteObject> FromIterator<Observed<R>> for Objects<R> {
    fn from_iter<I: IntoIterator<Item = Observed<R>>>(all: I) -> Self {
        let mut objects = Self::default();
        all.into_iter().for_each(|observed| objects.insert(observed));
        objects
    }
}

impl<R: RemoteObject> Objects<R> {
    pub(super) fn get(&self, id: &str) -> Option<&Observed<R>> {
        self.by_id.get(id)
    }

    /// All of them, by ID.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Observed<R>> {
        self.by_id.values()
    }

    /// Those of this name, and that of this ID.
    pub(super) fn of(&self, id: Option<&str>, name: &str) -> Vec<&Observed<R>> {
        let mut ids: Vec<_> = self.by_name.get(name).into_iter().flatten().map(String::as_str).chain(id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().filter_map(|id| self.by_id.get(id)).collect()
    }

    /// Whether each has a name.
    pub(super) fn all_named(&self) -> bool {
        self.nameless == 0
    }

    pub(super) fn insert(&mut self, observed: Observed<R>) {
        let id = observed.object.id().to_owned();
        self.remove(&id);
        match observed.object.name() {
            Some(name) => self.by_name.entry(name.to_owned()).or_default().push(id.clone()),
            None => self.nameless = self.nameless.saturating_add(1),
        }
        self.by_id.insert(id, observed);
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Observed<R>> {
        let removed = self.by_id.remove(id)?;
        let Some(name) = removed.object.name() else {
            self.nameless = self.nameless.saturating_sub(1);
            return Some(removed);
        };
        if let Some(ids) = self.by_name.get_mut(name) {
            ids.retain(|known| known != id);
            if ids.is_empty() {
                self.by_name.remove(name);
            }
        }
        Some(removed)
    }

    pub(super) fn remove_named(&mut self, name: &str) {
        for id in self.by_name.remove(name).unwrap_or_default() {
            self.by_id.remove(&id);
        }
    }

    /// Changes the object with this ID; its name may change.
    pub(super) fn change(&mut self, id: &str, change: impl FnOnce(&mut R)) -> bool {
        let Some(mut observed) = self.remove(id) else { return false };
        change(&mut observed.object);
        self.insert(observed);
        true
    }
}
