//! What the driver needs to know of a kind: one file each, and nothing that decides.
//!
//! A kind's file resolves its inputs, reads its live state, hands both to the kind's plan, and names the endpoints that
//! create and delete it.

mod addon;
mod connection;

use std::collections::BTreeSet;
use std::fmt::Debug;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Api, Resource};
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Error, Shell};
use crate::crd::{AppLinkAddonStatus, ConnectionStatus, Reason, SecretKeyRef};
use crate::heroku::AccessError;
use crate::observe::Key;
use crate::plan::Plan;
use crate::plan::live::{Link, Phase};
use crate::plan::memory::{Memory, StatusMemory};
use crate::plan::verdict::Verdict;

/// A kind that the driver can drive.
pub(super) trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// As in `kind:`.
    const KIND: &'static str;
    /// What is said of it while it is being brought about.
    const BEGINNING: Reason;
    /// Its status.
    type Status: Status;
    /// What is declared, with all that it refers to.
    type Inputs: Send + Sync;
    /// What is live of it.
    type Live: Send + Sync;

    /// The status, if it has one yet.
    fn status(&self) -> Option<&Self::Status>;
    /// The add-on that it is, or lives on.
    fn addon(&self) -> Key;
    /// Names of the Secrets that it refers to.
    fn secrets(&self) -> Vec<String>;
    /// Whether remote objects of these ids and names concern it.
    fn concerned(&self, moved: &BTreeSet<String>) -> bool;

    /// Reads what the spec refers to. I/O.
    fn resolve(&self, shell: &Shell) -> impl Future<Output = Result<Self::Inputs, Error>> + Send;
    /// Reads what is live. No I/O.
    fn live(&self, shell: &Shell, memory: &Memory) -> Self::Live;
    /// Plans. Pure.
    fn plan(&self, inputs: &Self::Inputs, live: &Self::Live, memory: &Memory, now: Timestamp) -> Plan<Self::Status>;
    /// Creates the remote object, hands the answer to the observer, and gives what was made. Kinds that stand for nothing remote
    /// are never asked for this or the next two.
    fn create(&self, _shell: &Shell, _inputs: &Self::Inputs) -> impl Future<Output = Result<Made, AccessError>> + Send {
        std::future::ready(Err(AccessError::Forgotten))
    }
    /// Deletes the remote object of this id, and hands what comes of it to the observer.
    fn delete(&self, _shell: &Shell, _id: &str) -> impl Future<Output = Result<(), AccessError>> + Send {
        std::future::ready(Err(AccessError::Forgotten))
    }
    /// Reads the remote object of this id, and hands it to the observer.
    fn confirm(&self, _shell: &Shell, _id: &str) -> impl Future<Output = Result<(), AccessError>> + Send {
        std::future::ready(Err(AccessError::Forgotten))
    }
    /// Where a person's consent to the remote object of this id is given, if it is known.
    fn link(&self, _shell: &Shell, _id: &str) -> Option<Link> {
        None
    }
    /// Name of the Secret by which such a link is handed over, where the kind has links.
    fn link_secret(&self) -> Option<String> {
        None
    }
    /// Has planned again whoever depends on what a report of this object changed.
    fn reported(&self, _shell: &Shell, _generation_moved: bool) {}
    /// The finalizer is off.
    fn released(&self, shell: &Shell);
}

/// What a creation was answered with.
pub(super) struct Made {
    pub(super) id: String,
    pub(super) phase: Phase,
}

/// What every status has.
pub(super) trait Status: Clone + Default + PartialEq + Serialize + Send + Sync {
    fn memory(&self) -> StatusMemory<'_>;
    fn conditions(&mut self) -> &mut Vec<Condition>;
    fn judge(&mut self, generation: i64);
    fn handle_request(&mut self, token: String);
}

macro_rules! status {
    ($($status:ty),+) => {$(
        impl Status for $status {
            fn memory(&self) -> StatusMemory<'_> {
                StatusMemory {
                    observed_generation: self.observed_generation,
                    conditions: &self.conditions,
                    handled_request: self.last_handled_reconcile_at.as_deref(),
                    handled_replace: self.last_handled_replace.as_deref(),
                }
            }
            fn conditions(&mut self) -> &mut Vec<Condition> {
                &mut self.conditions
            }
            fn judge(&mut self, generation: i64) {
                self.observed_generation = Some(generation);
            }
            fn handle_request(&mut self, token: String) {
                self.last_handled_reconcile_at = Some(token);
            }
        }
    )+};
}

status!(AppLinkAddonStatus, ConnectionStatus);

/// Reads one key of a Secret, now: Secrets are never kept.
async fn secret(shell: &Shell, namespace: &str, at: &SecretKeyRef) -> Result<Result<SecretString, Verdict>, Error> {
    let api: Api<Secret> = Api::namespaced(shell.client.clone(), namespace);
    let found = api.get_opt(&at.name).await.map_err(Error::kube(format!("get Secret {namespace}/{}", at.name)))?;
    let missing = |what: String| Ok(Err(Verdict::waits(Reason::SecretNotFound, what)));
    let Some(found) = found else {
        return missing(format!("Secret {} does not exist in this namespace; waiting for it", at.name));
    };
    let Some(value) = found.data.unwrap_or_default().remove(&at.key) else {
        return missing(format!("Secret {} has no key {}; waiting for it", at.name, at.key));
    };
    let invalid = |why: &str| {
        let text = format!("Secret {}, key {}: {why}", at.name, at.key);
        Ok(Err(Verdict::needs_user(Reason::InvalidSecret, text)))
    };
    match String::from_utf8(value.0) {
        Ok(text) if text.trim().is_empty() => invalid("empty"),
        Ok(text) => Ok(Ok(SecretString::from(text))),
        Err(_) => invalid("not text"),
    }
}
