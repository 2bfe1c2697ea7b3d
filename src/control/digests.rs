//! Caches the digests of inputs until an input changes, because parsing a key or packing a document takes longer than a plan.
//!
//! Holds no content. The kinds use it while they gather; the key is the version of the inputs.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::conditions::ConditionReport;
use crate::observe::Key;

/// The digests of the inputs of each object, or why they cannot be used. One entry for each object.
pub(super) struct Digests<T>(Mutex<HashMap<Key, Entry<T>>>);

struct Entry<T> {
    version: String,
    inputs: Result<T, ConditionReport>,
}

impl<T> Default for Digests<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Digests<T> {
    /// The digests of this version of the inputs, if they are known.
    pub(super) fn get(&self, object: &Key, version: &str) -> Option<Result<T, ConditionReport>> {
        self.all().get(object).filter(|entry| entry.version == version).map(|entry| entry.inputs.clone())
    }

    /// Keeps the digests of this version, and forgets those of earlier versions.
    pub(super) fn insert(&self, object: Key, version: String, inputs: Result<T, ConditionReport>) {
        self.all().insert(object, Entry { version, inputs });
    }

    /// Forgets an object after its deletion.
    pub(super) fn forget(&self, object: &Key) {
        self.all().remove(object);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Key, Entry<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_version_is_kept() {
        let key = |name: &str| Key { kind: "Publication", namespace: "crm".to_owned(), name: name.to_owned() };
        let digests = Digests::default();
        assert_eq!(digests.get(&key("a"), "1"), None);
        digests.insert(key("a"), "1".to_owned(), Ok(1));
        digests.insert(key("b"), "1".to_owned(), Ok(2));
        digests.insert(key("a"), "2".to_owned(), Ok(3));
        assert_eq!((digests.get(&key("a"), "1"), digests.get(&key("a"), "2")), (None, Some(Ok(3))));
        digests.forget(&key("b"));
        assert_eq!(digests.get(&key("b"), "1"), None);
    }
}
