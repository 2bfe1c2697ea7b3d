//! Digests of inputs, kept until an input changes: reading a key or packing a document takes much longer than a plan.
//!
//! Holds no content. The kinds ask it while they gather, by the versions of what they read.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::conditions::ConditionReport;
use crate::observe::Key;

/// What was made of the inputs of each object, or why they cannot be used. One entry an object.
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
    /// What is known of this version of the inputs.
    pub(super) fn get(&self, object: &Key, version: &str) -> Option<Result<T, ConditionReport>> {
        self.all().get(object).filter(|entry| entry.version == version).map(|entry| entry.inputs.clone())
    }

    /// Keeps what was made of this version, and forgets the versions before.
    pub(super) fn insert(&self, object: Key, version: String, inputs: Result<T, ConditionReport>) {
        self.all().insert(object, Entry { version, inputs });
    }

    /// The object is gone.
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
    fn only_the_last_version_is_known() {
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
