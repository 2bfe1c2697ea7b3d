//! What the driver needs to know of a kind: one file each, and nothing that decides. [`each`] lists them all.
//!
//! A kind's file resolves its inputs, reads its live state, hands both to the kind's plan, and names the endpoints that
//! create and delete it. `grant` and `lodger` are what some of them share.

mod addon;
mod authorization;
mod connection;
mod grant;
mod lodger;
mod publication;
mod target;

use std::collections::BTreeSet;
use std::fmt::Debug;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Api, Resource};
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::owned::Content;
use super::roster::key;
use super::{Error, Shell};
use crate::crd::{
    AppLinkAddon, AppLinkAddonStatus, Authorization, ConfigMapKeyRef, Connection, DataActionTarget, Publication,
    Reason, RecordsRemote, SecretKeyRef, is_object_name,
};
use crate::heroku::AccessError;
use crate::observe::{Key, Shelf, Wanted};
use crate::plan::Plan;
use crate::plan::collection::Witness;
use crate::plan::live::{Link, Phase, RemoteObject};
use crate::plan::memory::{Memory, StatusMemory};
use crate::plan::remote::name::Rival;
use crate::plan::verdict::Verdict;

pub(super) use publication::Judged;

/// Does the same for every kind.
pub(super) trait ForEach {
    /// For this one.
    fn kind<K: Kind>(&mut self);
}

/// Every kind, one line each: this is where a kind is registered.
pub(super) fn each(visitor: &mut impl ForEach) {
    visitor.kind::<AppLinkAddon>();
    visitor.kind::<Connection>();
    visitor.kind::<Authorization>();
    visitor.kind::<Publication>();
    visitor.kind::<DataActionTarget>();
}

/// An object of the same namespace that another refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    /// As in `kind:`.
    pub(super) kind: &'static str,
    /// Its name.
    pub(super) name: String,
}

impl Reference {
    pub(super) fn secret(name: impl Into<String>) -> Self {
        Self { kind: "Secret", name: name.into() }
    }

    pub(super) fn config_map(name: impl Into<String>) -> Self {
        Self { kind: "ConfigMap", name: name.into() }
    }

    pub(super) fn to<K: Kind>(name: impl Into<String>) -> Self {
        Self { kind: K::KIND, name: name.into() }
    }
}

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
    /// The add-on that it is, or lives on; nothing where the way to it is missing.
    fn addon(&self, shell: &Shell) -> Option<Key>;
    /// What it refers to.
    fn references(&self) -> Vec<Reference>;
    /// Whether remote objects of these ids and names concern it.
    fn concerned(&self, shell: &Shell, moved: &BTreeSet<String>) -> bool;
    /// Adds what of the add-on must be listed for it.
    fn want(&self, _shell: &Shell, _wanted: &mut Wanted) {}
    /// A place within the add-on that takes one writer at a time, whatever the add-on takes.
    fn writes_alone_to(&self, _shell: &Shell) -> Option<String> {
        None
    }
    /// Where it stands for a data action target: the target's id, once it is known.
    fn target(&self) -> Option<Option<String>> {
        None
    }

    /// Reads what the spec refers to. I/O.
    fn resolve(&self, shell: &Shell) -> impl Future<Output = Result<Self::Inputs, Error>> + Send;
    /// What the plan of an object gets that needs no input, as one that is being deleted. It cannot fail: whatever is
    /// missing, unreadable or forbidden must not keep an object from being deleted.
    fn without_inputs(&self, shell: &Shell) -> impl Future<Output = Self::Inputs> + Send;
    /// Whether the spec itself says that nothing is to be created or changed, so that no input is needed.
    fn is_passive(&self) -> bool;
    /// Whether nothing is known of it now, so that it must not stay Ready where an input cannot be read.
    fn is_blind(&self, shell: &Shell) -> bool {
        let Some(addon) = self.addon(shell) else { return false };
        // One that is followed works on with the token it has.
        let unfollowed = shell.observer.addon(&addon).is_none();
        unfollowed && shell.observer.cause(&addon).is_some_and(|(_, silent)| silent)
    }
    /// Reads what is live. No I/O.
    fn live(&self, shell: &Shell, memory: &Memory) -> Self::Live;
    /// Plans. Pure.
    fn plan(&self, inputs: &Self::Inputs, live: &Self::Live, memory: &Memory, now: Timestamp) -> Plan<Self::Status>;
    /// Creates the remote object, or writes it over, hands the answer to the observer, and gives what was made. Kinds that stand
    /// for nothing remote are never asked for this or the next ones.
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
    /// Lists what would go with the remote object of this id, and hands it to the observer.
    fn survey(&self, _shell: &Shell, _id: &str) -> impl Future<Output = Result<(), AccessError>> + Send {
        std::future::ready(Err(AccessError::Forgotten))
    }
    /// Reads the credential that the remote object of this id gives; `urgent` where somebody waits for it.
    fn credentials(
        &self,
        _shell: &Shell,
        _id: &str,
        _urgent: bool,
    ) -> impl Future<Output = Result<Content, AccessError>> + Send {
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
    /// What to tell of a deprecated field that is used.
    fn deprecation(&self) -> Option<String> {
        None
    }
    /// Has planned again those who plan with what its resource says, which a watch has just shown.
    fn shown(&self, _shell: &Shell) {}
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

impl Status for AppLinkAddonStatus {
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

impl<S: RecordsRemote + Serialize + Send + Sync> Status for S {
    fn memory(&self) -> StatusMemory<'_> {
        let remote = self.remote();
        StatusMemory {
            observed_generation: remote.observed_generation,
            conditions: &remote.conditions,
            handled_request: remote.last_handled_reconcile_at.as_deref(),
            handled_replace: remote.last_handled_replace.as_deref(),
        }
    }
    fn conditions(&mut self) -> &mut Vec<Condition> {
        &mut self.remote_mut().conditions
    }
    fn judge(&mut self, generation: i64) {
        self.remote_mut().observed_generation = Some(generation);
    }
    fn handle_request(&mut self, token: String) {
        self.remote_mut().last_handled_reconcile_at = Some(token);
    }
}

/// Hands the answer to a creation to the observer, and gives what was made.
fn made<R: RemoteObject>(
    shell: &Shell,
    addon: &Key,
    shelf: &Shelf<R>,
    name: &str,
    result: Result<R, AccessError>,
) -> Result<Made, AccessError> {
    let told = match &result {
        Ok(remote) => Some(Witness::Present(remote.clone())),
        // Nothing was sent.
        Err(AccessError::Budget(_)) => None,
        Err(_) => Some(Witness::Touched(name.to_owned())),
    };
    told.into_iter().for_each(|told| shell.observer.witness(addon, shelf, shell.clock.now(), told));
    result.map(|remote| Made { id: remote.id().to_owned(), phase: remote.phase() })
}

/// Others of its kind that want what `me` wants. Those who only look want nothing.
fn rivals<K: Kind>(me: &K, shell: &Shell, wants: impl Fn(&K) -> bool) -> Vec<Rival>
where
    K::Status: RecordsRemote,
{
    let rival = |other: &K| {
        let status = other.status().cloned().unwrap_or_default();
        let memory = Memory::read(other.meta(), status.memory());
        let named = key(other);
        Rival::new(format!("{}/{}", named.namespace, named.name), status.remote(), memory)
    };
    let all = shell.all::<K>();
    all.filter_map(|guard| {
        let other = guard.0.as_ref().ok()?;
        (other.meta().uid != me.meta().uid && wants(other)).then(|| rival(other))
    })
    .collect()
}

/// Why nothing can be read under this name, if so: it is none that Kubernetes allows. `field` names it in the spec.
fn unusable_name(kind: &str, field: &str, name: &str) -> Option<Verdict> {
    let text = || {
        format!(
            "{field}.name is {name:?}, which cannot be the name of a {kind}: use lower case letters, digits, '-' and '.', \
             without blanks"
        )
    };
    (!is_object_name(name)).then(|| Verdict::needs_user(Reason::InvalidSpec, text()))
}

/// What an input is where none was read.
fn unread(kind: &'static str) -> Verdict {
    Verdict::waits(Reason::Pending, format!("the inputs of this {kind} are not needed now, and were not read"))
}

/// Reads one key of the ConfigMap that `field` of the spec names, now.
async fn config_map(
    shell: &Shell,
    namespace: &str,
    field: &str,
    at: &ConfigMapKeyRef,
) -> Result<Result<Vec<u8>, Verdict>, Error> {
    if let Some(verdict) = unusable_name("ConfigMap", field, &at.name) {
        return Ok(Err(verdict));
    }
    let api: Api<ConfigMap> = Api::namespaced(shell.client.clone(), namespace);
    let found = shell.denied.read(namespace, ("configmaps", &at.name), shell.clock.now(), api.get_opt(&at.name)).await;
    let found = found.map_err(Error::kube(format!("get ConfigMap {namespace}/{}", at.name)))?;
    let missing = |what: String| Ok(Err(Verdict::waits(Reason::ConfigMapNotFound, what)));
    let Some(found) = found else {
        return missing(format!("ConfigMap {} does not exist in this namespace; waiting for it", at.name));
    };
    let text = found.data.unwrap_or_default().remove(&at.key).map(String::into_bytes);
    match text.or_else(|| Some(found.binary_data?.remove(&at.key)?.0)) {
        Some(content) => Ok(Ok(content)),
        None => missing(format!("ConfigMap {} has no key {}; waiting for it", at.name, at.key)),
    }
}

/// Reads one key of the Secret that `field` of the spec names, now: Secrets are never kept.
async fn secret(
    shell: &Shell,
    namespace: &str,
    field: &str,
    at: &SecretKeyRef,
) -> Result<Result<SecretString, Verdict>, Error> {
    if let Some(verdict) = unusable_name("Secret", field, &at.name) {
        return Ok(Err(verdict));
    }
    let api: Api<Secret> = Api::namespaced(shell.client.clone(), namespace);
    let found = shell.denied.read(namespace, ("secrets", &at.name), shell.clock.now(), api.get_opt(&at.name)).await;
    let found = found.map_err(Error::kube(format!("get Secret {namespace}/{}", at.name)))?;
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
