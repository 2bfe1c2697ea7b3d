//! Keys of Kubernetes objects, and the triggers that queue them.
//!
//! Plain data. A trigger says which objects a change concerns, and carries nothing of the change.

use std::collections::BTreeSet;
use std::fmt;

/// Identifies one Kubernetes object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Kind, as in `kind:`.
    pub kind: &'static str,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// Why objects are queued. A trigger carries no data: the reconcile reads the state itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The state of this object changed.
    Object(Key),
    /// The state that dependents of this object read may have changed.
    Dependents(Key),
    /// Concerns every object on the add-on.
    AllOf(Key),
    /// Remote objects with these IDs or names changed. For connection children: `connection/id`.
    Changed(Key, BTreeSet<String>),
    /// A name may have become free for the objects that wait for it.
    NameFreed,
    /// The poll that these objects requested is done.
    Polled(BTreeSet<Key>),
}
