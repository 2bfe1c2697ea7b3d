//! An index of references, remote names, IDs and states. The watches keep it up to date, so that the cost of an event depends
//! on the objects that it concerns, not on the number of all objects.
//!
//! Holds keys only. Callers filter the candidates by the objects themselves.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::kind::Reference;
use crate::observe::Key;

/// The entry of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Objects of its namespace that it refers to.
    pub(super) references: Vec<Reference>,
    /// The remote name that it wants. Names that differ only in case count as one.
    pub(super) name: Option<String>,
    /// The remote IDs that it records.
    pub(super) ids: Vec<String>,
    /// Whether it waits for a name that another resource has.
    pub(super) conflicts: bool,
    /// Whether it is being deleted.
    pub(super) deleting: bool,
}

/// The index of all kinds.
#[derive(Debug, Default)]
pub(super) struct Index(RwLock<Maps>);

#[derive(Debug, Default)]
struct Maps {
    entries: HashMap<Key, Entry>,
    users: HashMap<(String, Reference), BTreeSet<Key>>,
    names: HashMap<String, BTreeSet<Key>>,
    ids: HashMap<String, BTreeSet<Key>>,
    conflicts: BTreeSet<Key>,
    deleting: BTreeSet<Key>,
    /// References of deleted objects, until their queue asks for them.
    references_of_deleted: HashMap<Key, Vec<Reference>>,
}

impl Index {
    /// Adds or updates an object that a watch shows.
    pub(super) fn insert(&self, key: Key, entry: Entry) {
        let mut maps = self.write();
        if maps.entries.get(&key) == Some(&entry) {
            return;
        }
        maps.remove(&key);
        maps.references_of_deleted.remove(&key);
        maps.insert(key, entry);
    }

    /// Removes an object whose deletion a watch shows.
    pub(super) fn remove(&self, key: &Key) {
        let mut maps = self.write();
        if let Some(entry) = maps.remove(key) {
            maps.references_of_deleted.insert(key.clone(), entry.references);
        }
    }

    /// The references of a deleted object. Its queue asks once.
    pub(super) fn references_of_deleted(&self, key: &Key) -> Vec<Reference> {
        self.write().references_of_deleted.remove(key).unwrap_or_default()
    }

    /// Removes the objects of a kind that a complete list did not show, in one namespace or in all.
    pub(super) fn retain(&self, kind: &str, namespace: Option<&str>, shown: &HashSet<Key>) {
        let mut maps = self.write();
        let covered = |key: &&Key| key.kind == kind && namespace.is_none_or(|namespace| key.namespace == namespace);
        let gone: Vec<_> = maps.entries.keys().filter(covered).filter(|key| !shown.contains(*key)).cloned().collect();
        gone.iter().for_each(|key| drop(maps.remove(key)));
    }

    /// Objects of this namespace that refer to `to`.
    pub(super) fn users(&self, namespace: &str, to: &Reference) -> Vec<Key> {
        found(&self.read().users, &(namespace.to_owned(), to.clone()))
    }

    /// Objects that want this remote name, in any case.
    pub(super) fn wanting(&self, name: &str) -> Vec<Key> {
        found(&self.read().names, &name.to_ascii_lowercase())
    }

    /// Objects that record this ID.
    pub(super) fn recording(&self, id: &str) -> Vec<Key> {
        found(&self.read().ids, &id.to_owned())
    }

    /// Objects that wait for a name that another resource has.
    pub(super) fn conflicting(&self) -> Vec<Key> {
        self.read().conflicts.iter().cloned().collect()
    }

    /// Objects of this kind and namespace that are being deleted.
    pub(super) fn deleting(&self, kind: &str, namespace: &str) -> Vec<Key> {
        let of = |key: &&Key| key.kind == kind && key.namespace == namespace;
        self.read().deleting.iter().filter(of).cloned().collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Maps> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Maps> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maps {
    fn insert(&mut self, key: Key, entry: Entry) {
        for reference in &entry.references {
            self.users.entry((key.namespace.clone(), reference.clone())).or_default().insert(key.clone());
        }
        if let Some(name) = &entry.name {
            self.names.entry(name.to_ascii_lowercase()).or_default().insert(key.clone());
        }
        for id in &entry.ids {
            self.ids.entry(id.clone()).or_default().insert(key.clone());
        }
        if entry.conflicts {
            self.conflicts.insert(key.clone());
        }
        if entry.deleting {
            self.deleting.insert(key.clone());
        }
        self.entries.insert(key, entry);
    }

    fn remove(&mut self, key: &Key) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        for reference in &entry.references {
            drop_from(&mut self.users, &(key.namespace.clone(), reference.clone()), key);
        }
        if let Some(name) = &entry.name {
            drop_from(&mut self.names, &name.to_ascii_lowercase(), key);
        }
        entry.ids.iter().for_each(|id| drop_from(&mut self.ids, id, key));
        self.conflicts.remove(key);
        self.deleting.remove(key);
        Some(entry)
    }
}

fn found<K: Eq + Hash>(map: &HashMap<K, BTreeSet<Key>>, of: &K) -> Vec<Key> {
    map.get(of).into_iter().flatten().cloned().collect()
}

fn drop_from<K: Eq + Hash>(map: &mut HashMap<K, BTreeSet<Key>>, of: &K, key: &Key) {
    if let Some(keys) = map.get_mut(of) {
        keys.remove(key);
        if keys.is_empty() {
            map.remove(of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key { kind: "Connection", namespace: "crm".to_owned(), name: name.to_owned() }
    }

    fn entry(secret: &str, name: &str, id: &str) -> Entry {
        let references = vec![Reference::secret(secret)];
        Entry { references, name: Some(name.to_owned()), ids: vec![id.to_owned()], ..Entry::default() }
    }

    #[test]
    fn finds_objects_by_what_they_refer_to_want_and_record() {
        let index = Index::default();
        index.insert(key("a"), entry("key", "Prod", "1"));
        index.insert(key("b"), entry("key", "prod", "2"));
        assert_eq!(index.users("crm", &Reference::secret("key")), [key("a"), key("b")]);
        assert_eq!(index.users("other", &Reference::secret("key")), []);
        assert_eq!(index.wanting("PROD"), [key("a"), key("b")], "names that differ only in case count as one");
        assert_eq!(index.recording("2"), [key("b")]);
    }

    #[test]
    fn forgets_what_an_object_no_longer_says() {
        let index = Index::default();
        index.insert(key("a"), Entry { conflicts: true, deleting: true, ..entry("key", "prod", "1") });
        assert_eq!((index.conflicting(), index.deleting("Connection", "crm")), (vec![key("a")], vec![key("a")]));
        index.insert(key("a"), entry("other", "prod", "1"));
        assert_eq!((index.conflicting(), index.deleting("Connection", "crm")), (vec![], vec![]));
        assert_eq!(index.users("crm", &Reference::secret("key")), []);
        index.remove(&key("a"));
        assert_eq!(index.references_of_deleted(&key("a")), [Reference::secret("other")]);
        assert!(index.read().users.is_empty() && index.read().names.is_empty() && index.read().ids.is_empty());
        assert_eq!(index.references_of_deleted(&key("a")), [], "asked once");
    }

    #[test]
    fn a_whole_list_tells_what_is_gone() {
        let index = Index::default();
        index.insert(key("a"), entry("key", "prod", "1"));
        index.insert(key("b"), entry("key", "prod", "2"));
        index.retain("Publication", None, &HashSet::new());
        index.retain("Connection", Some("other"), &HashSet::new());
        assert_eq!(index.wanting("prod").len(), 2);
        index.retain("Connection", Some("crm"), &HashSet::from([key("b")]));
        assert_eq!(index.wanting("prod"), [key("b")]);
    }

    /// Prints the time of one event and of one question among so many objects:
    /// `cargo test --release --lib -- --ignored --nocapture time_per_event`.
    #[test]
    #[ignore = "a benchmark: it asserts nothing"]
    fn time_per_event() {
        for count in [100, 1_000, 10_000] {
            let index = Index::default();
            let name = |n: usize| format!("c{n}");
            let put = |n: usize, id: &str| index.insert(key(&name(n)), entry(&name(n), &name(n), id));
            (0..count).for_each(|n| put(n, "1"));
            let began = std::time::Instant::now();
            (0..1_000).for_each(|n| put(n % count, &format!("{n}")));
            let event = began.elapsed() / 1_000;
            let began = std::time::Instant::now();
            let ask = |n: usize| {
                index.users("crm", &Reference::secret(name(n % count))).len() + index.wanting(&name(n)).len()
            };
            let found: usize = (0..1_000).map(ask).sum();
            println!("{count} objects: {event:?} an event, {:?} a question ({found} found)", began.elapsed() / 1_000);
        }
    }
}
