//! The shell: the only writer to AppLink and to Kubernetes.
//!
//! It carries out what `plan` says, one effect at a time, and decides nothing itself. `reconciler` is the way through,
//! `run` wires it up; the rest are the driver's hands.

mod digests;
mod events;
mod execute;
mod fence;
mod forbidden;
mod guarded;
mod health;
mod index;
mod inputs;
mod kinds;
pub mod lease;
mod outcome;
mod owned_secrets;
mod patch;
mod permits;
mod queues;
mod reconcile;
pub mod run;
pub mod scope;
mod slots;
mod source;
mod state_cache;
mod status;
mod stores;
mod unreadable;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::Client;
use kube::core::DeserializeGuard;

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::observe::{Key, Observer, Subscription, Trigger};
use crate::plan::kinds::connection::Dependent;
use crate::transport::AllowedHosts;

use crate::plan::inputs::OrgAccessInputs;
use crate::plan::inputs::publication::PublicationInputs;
use digests::Digests;
use events::Events;
use fence::WriteFence;
use forbidden::ForbiddenReads;
use index::Index;
use kinds::{Kind, Reference};
use permits::Permits;
use slots::Slots;
use stores::{KindStore, Stores};

/// What went wrong on the way to Kubernetes. Trouble with AppLink is no error: it is planned with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to the API server.
    #[error("cannot {what}: {}", said(&**cause))]
    Kube {
        /// What it was for.
        what: String,
        /// What came back.
        cause: Box<kube::Error>,
    },
    /// A document could not be packed, which is a bug.
    #[error("cannot pack what is to be published")]
    Unpacked,
    /// An object that cannot be written as JSON, which is a bug.
    #[error("cannot write {0} as JSON")]
    Json(&'static str),
}

impl Error {
    fn kube(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        move |cause| Self::Kube { what: what.into(), cause: Box::new(cause) }
    }

    /// The object changed since it was read: plan again, soon.
    fn is_conflict(&self) -> bool {
        self.answer().is_some_and(|answer| answer.is_conflict())
    }

    fn is_not_found(&self) -> bool {
        self.answer().is_some_and(|answer| answer.is_not_found())
    }

    /// What the reader can do where the API server refuses a request for good, as far as can be told: nothing where it is
    /// only busy, or was not reached.
    fn remedy(&self) -> Option<&'static str> {
        const AGAIN: &str = "The operator tries again by itself";
        let status = self.answer()?;
        let ends = |cause: &kube::core::response::StatusCause| cause.reason == "NamespaceTerminating";
        match status.code {
            404 | 409 | 429 => None,
            403 if status.details.iter().any(|details| details.causes.iter().any(ends)) => {
                Some("The namespace is being deleted, and Kubernetes creates nothing in it any more")
            }
            // The authorizer's own sentence; admission answers with 403 as well.
            403 if status.message.contains(" cannot ") && status.message.contains(" resource ") => {
                Some("Grant the operator what deploy/ has for it; it goes on by itself then")
            }
            400..500 => Some(
                "An admission policy, a quota or a size limit of the cluster forbids it: change that, or the \
                              object. The operator tries again by itself, at once when applink.dev/requestedAt gets a \
                              new value",
            ),
            _ => Some(AGAIN),
        }
    }

    /// Whether the API server says that it is busy or broken, rather than that the request is.
    fn is_passing(&self) -> bool {
        self.answer().is_none_or(|status| status.code == 429 || status.code >= 500)
    }

    /// What the API server answered, where it did.
    fn answer(&self) -> Option<&kube::core::Status> {
        match self {
            Self::Kube { cause, .. } => match &**cause {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            Self::Json(_) | Self::Unpacked => None,
        }
    }
}

/// What went wrong between us and the API server, in its own words; kube's would repeat the whole answer.
fn said(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let answers = chain.filter_map(|error| match error.downcast_ref() {
        Some(kube::Error::Api(status)) if !status.message.is_empty() => Some(status.message.clone()),
        _ => None,
    });
    answers.last().unwrap_or_else(|| error.to_string())
}

/// What all kinds' drivers share.
pub struct Context {
    client: Client,
    clock: Clock,
    hosts: AllowedHosts,
    observer: Observer,
    stores: Stores,
    index: Arc<Index>,
    permits: Permits,
    slots: Slots,
    fence: WriteFence,
    events: Events,
    org_access_digests: Digests<OrgAccessInputs>,
    publication_digests: Digests<PublicationInputs>,
    denied: ForbiddenReads,
    /// What the objects that this version cannot read refer to, as far as that can be told.
    unreadable_references: Mutex<HashMap<Key, Vec<Reference>>>,
    metrics: Metrics,
}

impl Context {
    /// What `read` finds in the object of this name, where there is one that can be read.
    fn read<K: Kind, T>(&self, key: &Key, read: impl FnOnce(&K) -> T) -> Option<T> {
        self.stores.of::<K>()?.read(key, read)
    }

    /// Whether there is an object of this name that this version cannot read.
    fn is_unreadable<K: Kind>(&self, key: &Key) -> bool {
        self.stores.of::<K>().is_some_and(|store| store.is_unreadable(key))
    }

    /// Every object of a kind that can be read.
    fn all<K: Kind>(&self) -> impl Iterator<Item = Arc<DeserializeGuard<K>>> {
        self.stores.of::<K>().into_iter().flat_map(KindStore::all)
    }

    fn unreadable_references(&self) -> MutexGuard<'_, HashMap<Key, Vec<Reference>>> {
        self.unreadable_references.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has planned again whom a cause concerns.
    fn trigger(&self, cause: &Trigger) {
        self.stores.all().for_each(|store| store.trigger(self, cause));
    }

    /// Has planned again whoever refers to this object.
    fn trigger_users_of(&self, namespace: &str, changed: &Reference) {
        self.stores.all().for_each(|store| store.trigger_users_of(self, namespace, changed));
    }

    /// What lives on this object: on a connection, or on an add-on and all that is on it.
    fn dependents(&self, of: &Key) -> Vec<Dependent> {
        self.stores.all().flat_map(|store| store.dependents(self, of)).collect()
    }

    /// What of an add-on must be listed.
    fn wanted(&self, addon: &Key) -> Subscription {
        let mut wanted = Subscription::default();
        self.stores.all().for_each(|store| store.subscribe(self, addon, &mut wanted));
        wanted
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use kube::core::response::{StatusCause, StatusDetails};

    use super::*;

    #[test]
    fn a_namespace_that_is_being_deleted_is_not_told_as_a_missing_right() {
        let said =
            "secrets \"a\" is forbidden: unable to create new content in namespace crm because it is being terminated";
        let cause =
            StatusCause { reason: "NamespaceTerminating".to_owned(), message: String::new(), field: String::new() };
        let mut details: StatusDetails = serde_json::from_str("{}").expect("no field is required");
        details.causes.push(cause);
        let refused = |message: &str, details: Option<StatusDetails>| {
            let status = Status { code: 403, details, ..Status::failure(message, "Forbidden") };
            Error::kube("create Secret crm/a")(kube::Error::Api(Box::new(status))).remedy().unwrap_or_default()
        };
        assert!(refused(said, Some(details)).starts_with("The namespace is being deleted"));
        let right = r#"User "a" cannot create resource "secrets" in API group "" in the namespace "crm""#;
        assert!(refused(right, None).starts_with("Grant the operator"));
        assert!(refused("denied by policy", None).starts_with("An admission policy"));
    }
}
