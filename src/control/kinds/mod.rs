//! What the driver needs to know of a kind: one file each, and nothing that decides. [`each`] lists them all.
//!
//! A kind's file resolves its inputs, reads its live state, hands both to the kind's plan, and names the endpoints that
//! create and delete it. `grant` and `lodger` are what some of them share.

mod addon;
mod authorization;
mod connection;
mod connection_child;
mod data_action_target;
mod org_access;
mod publication;
mod read;

use std::collections::BTreeSet;
use std::fmt::Debug;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::owned_secrets::SecretContent;
use super::stores::key;
use super::{Context, Error};
use crate::conditions::ConditionReport;
use crate::crd::{
    AppLinkAddon, AppLinkAddonStatus, Authorization, Condition, Connection, DataActionTarget, Publication, Reason,
    RecordsRemote,
};
use crate::facts::collection::Observation;
use crate::facts::{ConsentLink, Phase, RemoteObject};
use crate::heroku::RemoteError;
use crate::observe::{CollectionRef, Key, Subscription};
use crate::plan::Plan;
use crate::plan::inputs::OrgAccessPayload;
use crate::plan::inputs::publication::PublicationPayload;
use crate::plan::remote::name_claim::NameClaim;
use crate::plan::state::{ReconcileState, StatusFields};

pub(super) use connection_child::on_connection;

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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    const INITIAL_REASON: Reason;
    /// Its status.
    type Status: Status;
    /// What was read of all that the spec refers to.
    type Inputs: Send + Sync;
    /// What the plan depends on, as plain data.
    type Snapshot: Serialize + DeserializeOwned + PartialEq + Debug + Send + Sync;
    /// What a create or publish sends.
    type Payload: Payload;

    /// The status, if it has one yet.
    fn status(&self) -> Option<&Self::Status>;
    /// The add-on that it is, or lives on; nothing where the way to it is missing.
    fn addon(&self, ctx: &Context) -> Option<Key>;
    /// What it refers to.
    fn references(&self) -> Vec<Reference>;
    /// Whether remote objects of these ids and names concern it.
    fn is_affected(&self, ctx: &Context, moved: &BTreeSet<String>) -> bool;
    /// Remote name that it wants, where names are what resources of the kind compete for.
    fn remote_name(&self) -> Option<String> {
        None
    }
    /// Ids that it records: of its remote object, and of the connection that this is on.
    fn recorded_ids(&self) -> Vec<String> {
        Vec::new()
    }
    /// Adds what of the add-on must be listed for it.
    fn subscribe(&self, _shell: &Context, _wanted: &mut Subscription) {}
    /// A place within the add-on that takes one writer at a time, whatever the add-on takes.
    fn exclusive_scope(&self, _shell: &Context) -> Option<String> {
        None
    }
    /// Where it stands for a data action target: the target's id, once it is known.
    fn target(&self) -> Option<Option<String>> {
        None
    }

    /// Brings the process up to date with the object before its snapshot is gathered: what to poll, and which names it
    /// knows. Gathering itself only reads.
    fn prepare(&self, _ctx: &Context) -> impl Future<Output = Result<(), Error>> + Send {
        std::future::ready(Ok(()))
    }
    /// Reads what the spec refers to from the API server: digests and the state of Secrets, no content.
    fn gather(&self, ctx: &Context) -> impl Future<Output = Result<Self::Inputs, Error>> + Send;
    /// What takes the place of the inputs where a plan needs none, as in a deletion. It cannot fail: nothing that is
    /// missing, unreadable or forbidden may keep an object from being deleted.
    fn gather_without_inputs(&self, ctx: &Context) -> impl Future<Output = Self::Inputs> + Send;
    /// Builds what a create or publish sends. `None` where the inputs cannot be used any more.
    fn payload(&self, _ctx: &Context) -> impl Future<Output = Result<Option<Self::Payload>, Error>> + Send {
        std::future::ready(Ok(None))
    }
    /// Whether the spec itself says that nothing is to be created or changed, so that no input is needed.
    fn is_passive(&self) -> bool;
    /// Whether nothing is known of it now, so that it must not stay Ready where an input cannot be read.
    fn is_stale(&self, ctx: &Context) -> bool {
        let Some(addon) = self.addon(ctx) else { return false };
        // One that is followed works on with the token it has.
        let unfollowed = ctx.observer.addon(&addon).is_none();
        unfollowed && ctx.observer.unfollowed(&addon).is_some_and(|(_, stale)| stale)
    }
    /// All that the plan depends on: the inputs, and what this process knows. Reads memory only.
    fn snapshot(&self, ctx: &Context, inputs: &Self::Inputs, state: ReconcileState, now: Timestamp) -> Self::Snapshot;
    /// Plans. Pure.
    fn plan(snapshot: &Self::Snapshot) -> Plan<Self::Status>;
    /// Creates the remote object, or writes it over, hands the answer to the observer, and gives what was made. Kinds that stand
    /// for nothing remote are never asked for this or the next ones.
    fn create(
        &self,
        _shell: &Context,
        _payload: &Self::Payload,
    ) -> impl Future<Output = Result<Made, RemoteError>> + Send {
        std::future::ready(Err(RemoteError::Forgotten))
    }
    /// Deletes the remote object of this id, and hands what comes of it to the observer.
    fn delete(&self, _shell: &Context, _id: &str) -> impl Future<Output = Result<(), RemoteError>> + Send {
        std::future::ready(Err(RemoteError::Forgotten))
    }
    /// Reads the remote object of this id, and hands it to the observer.
    fn get(&self, _shell: &Context, _id: &str) -> impl Future<Output = Result<(), RemoteError>> + Send {
        std::future::ready(Err(RemoteError::Forgotten))
    }
    /// Lists what would go with the remote object of this id, and hands it to the observer.
    fn list_targets(&self, _shell: &Context, _id: &str) -> impl Future<Output = Result<(), RemoteError>> + Send {
        std::future::ready(Err(RemoteError::Forgotten))
    }
    /// Reads the credential that the remote object of this id gives; `urgent` where somebody waits for it.
    fn read_credentials(
        &self,
        _shell: &Context,
        _id: &str,
        _urgent: bool,
    ) -> impl Future<Output = Result<SecretContent, RemoteError>> + Send {
        std::future::ready(Err(RemoteError::Forgotten))
    }
    /// Where a person's consent to the remote object of this id is given, if it is known.
    fn consent_link(&self, _shell: &Context, _id: &str) -> Option<ConsentLink> {
        None
    }
    /// Name of the Secret by which such a link is handed over, where the kind has links.
    fn oauth_secret_name(&self) -> Option<String> {
        None
    }
    /// What to tell of a deprecated field that is used.
    fn deprecation(&self) -> Option<String> {
        None
    }
    /// Has planned again those who plan with what its resource says, which a watch has just shown.
    fn on_observed(&self, _shell: &Context) {}
    /// Has planned again whoever depends on what a report of this object changed.
    fn on_reported(&self, _shell: &Context, _generation_moved: bool) {}
    /// The finalizer is off.
    fn on_finalizer_removed(&self, ctx: &Context);
}

/// What a create or publish sends.
pub(super) trait Payload: Send + Sync {
    /// Digest of the inputs that it was built from: that of the intent that announces it.
    fn hash(&self) -> &str;
}

impl Payload for OrgAccessPayload {
    fn hash(&self) -> &str {
        &self.hash
    }
}

impl Payload for PublicationPayload {
    fn hash(&self) -> &str {
        &self.hash
    }
}

/// The payload of a kind that needs nothing but its digest.
impl Payload for String {
    fn hash(&self) -> &str {
        self
    }
}

/// What a creation was answered with.
pub(super) struct Made {
    pub(super) id: String,
    pub(super) phase: Phase,
}

/// What every status has.
pub(super) trait Status: Clone + Default + PartialEq + Serialize + Send + Sync {
    fn state(&self) -> StatusFields<'_>;
    fn conditions(&mut self) -> &mut Vec<Condition>;
    fn set_observed_generation(&mut self, generation: i64);
    fn set_handled_request(&mut self, token: String);
}

impl Status for AppLinkAddonStatus {
    fn state(&self) -> StatusFields<'_> {
        StatusFields {
            observed_generation: self.observed_generation,
            conditions: &self.conditions,
            handled_request: self.last_handled_reconcile_at.as_deref(),
            handled_replace: self.last_handled_replace.as_deref(),
        }
    }
    fn conditions(&mut self) -> &mut Vec<Condition> {
        &mut self.conditions
    }
    fn set_observed_generation(&mut self, generation: i64) {
        self.observed_generation = Some(generation);
    }
    fn set_handled_request(&mut self, token: String) {
        self.last_handled_reconcile_at = Some(token);
    }
}

impl<S: RecordsRemote + Serialize + Send + Sync> Status for S {
    fn state(&self) -> StatusFields<'_> {
        let remote = self.remote();
        StatusFields {
            observed_generation: remote.observed_generation,
            conditions: &remote.conditions,
            handled_request: remote.last_handled_reconcile_at.as_deref(),
            handled_replace: remote.last_handled_replace.as_deref(),
        }
    }
    fn conditions(&mut self) -> &mut Vec<Condition> {
        &mut self.remote_mut().conditions
    }
    fn set_observed_generation(&mut self, generation: i64) {
        self.remote_mut().observed_generation = Some(generation);
    }
    fn set_handled_request(&mut self, token: String) {
        self.remote_mut().last_handled_reconcile_at = Some(token);
    }
}

/// Hands the answer to a creation to the observer, and gives what was made.
fn made<R: RemoteObject>(
    ctx: &Context,
    addon: &Key,
    shelf: &CollectionRef<R>,
    name: &str,
    result: Result<R, RemoteError>,
) -> Result<Made, RemoteError> {
    let told = match &result {
        Ok(remote) => Some(Observation::Present(remote.clone())),
        // Nothing was sent.
        Err(RemoteError::Budget(_)) => None,
        Err(_) => Some(Observation::Written(name.to_owned())),
    };
    told.into_iter().for_each(|told| ctx.observer.observe(addon, shelf, ctx.clock.now(), told));
    result.map(|remote| Made { id: remote.id().to_owned(), phase: remote.phase() })
}

/// Those of these objects that want what `me` wants. Those who only look want nothing.
fn name_claims<K: Kind>(
    me: &K,
    ctx: &Context,
    candidates: impl IntoIterator<Item = Key>,
    wants: impl Fn(&K) -> bool,
) -> Vec<NameClaim>
where
    K::Status: RecordsRemote,
{
    let claim = |other: &K| {
        if other.meta().uid == me.meta().uid || !wants(other) {
            return None;
        }
        let status = other.status().cloned().unwrap_or_default();
        let state = ReconcileState::read(other.meta(), status.state());
        let named = key(other);
        Some(NameClaim::new(format!("{}/{}", named.namespace, named.name), status.remote(), state))
    };
    let of_kind = candidates.into_iter().filter(|key| key.kind == K::KIND);
    of_kind.filter_map(|key| ctx.read(&key, claim).flatten()).collect()
}

/// What an input is where none was read.
fn unread(kind: &'static str) -> ConditionReport {
    ConditionReport::in_progress(
        Reason::Pending,
        format!("the inputs of this {kind} are not needed now, and were not read"),
    )
}
