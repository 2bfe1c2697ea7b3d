//! What connections and authorizations share: the inputs, the snapshot, and the calls.
//!
//! Decides nothing: reads the key and the OAuth Secret, and names the endpoints.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt;
use secrecy::SecretString;

use super::addon;
use super::answer::created;
use super::name_claims::name_claims;
use super::read::{Read, not_needed, secret, version_of};
use crate::applink::{NewJwt, NewOrgAccess};
use crate::conditions::ConditionReport;
use crate::control::context::Context;
use crate::control::effects::Made;
use crate::control::error::Error;
use crate::control::kind::{Kind, Reference, key};
use crate::control::owned_secrets;
use crate::crd::{
    AppLinkAddon, AuthSpec, DeletionPolicies, JwtMethod, ManagementPolicies, ManagementPolicy, OrgAccessStatus,
    RecordsRemote,
};
use crate::facts::collection::Observation;
use crate::facts::{ConsentLink, OrgAccessKind};
use crate::observe::{CollectionRef, Key, Trigger};
use crate::plan::inputs::{AuthPayload, OrgAccessInputs, OrgAccessPayload};
use crate::plan::kinds::org_access;
use crate::plan::policies::Policies;
use crate::plan::remote::{OwnedSecret, OwnerState};
use crate::plan::state::ReconcileState;
use crate::plan::transition::CallFailure;

/// A kind that gives access to an org.
pub(super) trait OrgAccessResource: Kind<Status: RecordsRemote> {
    /// Connection or authorization.
    const GRANT: OrgAccessKind;

    /// Remote name.
    fn name(&self) -> &str;
    /// Name of its AppLinkAddon.
    fn addon_name(&self) -> &str;
    /// How it authenticates.
    fn spec(&self) -> &AuthSpec;
    /// The policies of the spec.
    fn own_policies(&self) -> (ManagementPolicies, DeletionPolicies);
    /// What its status records.
    fn recorded(&self) -> Option<&OrgAccessStatus>;
    /// Name of the credential, if the spec sets none.
    fn alias(&self) -> String;
    /// Called when a call shows that the phase of the remote object has changed.
    fn on_phase_changed(&self, _ctx: &Context) {}
}

/// The digest of the inputs, and the state of the OAuth Secret.
pub(in crate::control) struct Inputs {
    inputs: Result<OrgAccessInputs, ConditionReport>,
    oauth_secret_name: String,
    oauth_secret: OwnedSecret,
}

pub(super) fn addon_key<G: OrgAccessResource>(me: &G) -> Key {
    let namespace = me.namespace().unwrap_or_default();
    Key { kind: AppLinkAddon::KIND, namespace, name: me.addon_name().to_owned() }
}

pub(super) fn references<G: OrgAccessResource>(me: &G) -> Vec<Reference> {
    let key = me.spec().jwt.iter().map(|jwt| Reference::secret(&jwt.private_key_secret_ref.name));
    let link = me.oauth_secret_name().map(Reference::secret);
    key.chain(link).chain([Reference::to::<AppLinkAddon>(me.addon_name())]).collect()
}

pub(super) fn is_affected<G: OrgAccessResource>(me: &G, changed: &BTreeSet<String>) -> bool {
    let id = me.recorded().and_then(|status| status.remote.id.as_ref());
    // Names that differ only in case count as the same, so the deletion of one may free the other.
    changed.iter().any(|name| name.eq_ignore_ascii_case(me.name())) || id.is_some_and(|id| changed.contains(id))
}

/// Tells the observer which name the recorded ID has, because lists may leave it out.
pub(super) fn prepare<G: OrgAccessResource>(me: &G, ctx: &Context) {
    if let Some(id) = me.recorded().and_then(|status| status.remote.id.as_deref()) {
        ctx.observer.set_name(&addon_key(me), &CollectionRef::org_access(G::GRANT), id, me.name());
    }
}

pub(super) async fn gather<G: OrgAccessResource>(me: &G, ctx: &Context) -> Result<Inputs, Error> {
    let oauth_secret_name = me.oauth_secret_name().unwrap_or_default();
    let inputs = match &me.spec().jwt {
        Some(jwt) => jwt_inputs(me, ctx, jwt).await?,
        None => OrgAccessPayload::by_oauth(me.name(), me.spec(), &oauth_secret_name).map(|payload| payload.inputs()),
    };
    // A connection that was made with a key has no link. One that never connected may have a link from before its spec
    // changed from OAuth to JWT.
    let done = |s: &OrgAccessStatus| s.remote.established_at.is_some() && s.oauth_secret_name.is_none();
    let oauth_secret = match &me.spec().jwt {
        Some(_) if me.recorded().is_some_and(done) => OwnedSecret::Absent,
        _ => owned_secrets::read(ctx, me, &oauth_secret_name).await?,
    };
    Ok(Inputs { inputs, oauth_secret_name, oauth_secret })
}

/// The digest of the private key and the other fields. Each version of a key is parsed once.
async fn jwt_inputs<G: OrgAccessResource>(
    me: &G,
    ctx: &Context,
    jwt: &JwtMethod,
) -> Result<Result<OrgAccessInputs, ConditionReport>, Error> {
    let read = match read_key(me, ctx, jwt).await? {
        Ok(read) => read,
        Err(report) => return Ok(Err(report)),
    };
    let version = format!("{}:{}", version_of(me.meta()), read.version);
    if let Some(known) = ctx.org_access_digests.get(&key(me), &version) {
        return Ok(known);
    }
    let payload = OrgAccessPayload::by_jwt(me.name(), me.spec(), jwt, &read.content);
    let inputs = payload.map(|payload| payload.inputs());
    ctx.org_access_digests.insert(key(me), version, inputs.clone());
    Ok(inputs)
}

async fn read_key<G: OrgAccessResource>(
    me: &G,
    ctx: &Context,
    jwt: &JwtMethod,
) -> Result<Result<Read<SecretString>, ConditionReport>, Error> {
    let namespace = me.namespace().unwrap_or_default();
    secret(ctx, &namespace, "spec.jwt.privateKeySecretRef", &jwt.private_key_secret_ref).await
}

pub(super) async fn payload<G: OrgAccessResource>(me: &G, ctx: &Context) -> Result<Option<OrgAccessPayload>, Error> {
    let payload = match &me.spec().jwt {
        Some(jwt) => {
            let key = read_key(me, ctx, jwt).await?;
            key.and_then(|read| OrgAccessPayload::by_jwt(me.name(), me.spec(), jwt, &read.content))
        }
        None => OrgAccessPayload::by_oauth(me.name(), me.spec(), &me.oauth_secret_name().unwrap_or_default()),
    };
    Ok(payload.ok())
}

pub(super) fn gather_without_inputs<G: OrgAccessResource>(me: &G) -> Inputs {
    Inputs {
        inputs: Err(not_needed(G::KIND)),
        oauth_secret_name: me.oauth_secret_name().unwrap_or_default(),
        oauth_secret: OwnedSecret::Absent,
    }
}

pub(super) fn snapshot<G: OrgAccessResource>(
    me: &G,
    ctx: &Context,
    inputs: &Inputs,
    state: ReconcileState,
    now: Timestamp,
) -> org_access::Snapshot {
    let addon_key = addon_key(me);
    let id = me.recorded().and_then(|status| status.remote.id.as_deref());
    let (owner, ceiling) = addon::seen(ctx, &addon_key);
    let wants = |other: &G| {
        other.name().eq_ignore_ascii_case(me.name())
            && other.own_policies().0.management_policy != ManagementPolicy::Observe
            && addon::same(ctx, &addon_key, &self::addon_key(other))
    };
    let (handling, ending) = me.own_policies();
    org_access::Snapshot {
        kind: G::GRANT,
        name: me.name().to_owned(),
        owner_name: me.addon_name().to_owned(),
        spec: me.spec().clone(),
        policies: Policies::of(handling, ending).under(ceiling),
        name_claims: if matches!(owner, OwnerState::Ready { .. }) {
            name_claims(me, ctx, ctx.index.wanting(me.name()), wants)
        } else {
            Vec::new()
        },
        owner,
        inputs: inputs.inputs.clone(),
        oauth_secret_name: inputs.oauth_secret_name.clone(),
        oauth_secret: inputs.oauth_secret.clone(),
        lookup: ctx.observer.lookup(&addon_key, &CollectionRef::org_access(G::GRANT), id, me.name(), state.changed_at),
        status: me.recorded().cloned().unwrap_or_default(),
        state,
        now,
    }
}

pub(super) async fn create<G: OrgAccessResource>(
    me: &G,
    ctx: &Context,
    payload: &OrgAccessPayload,
) -> Result<Made, CallFailure> {
    let addon = addon_key(me);
    let api = ctx.observer.api(&addon)?;
    let own = me.alias();
    let jwt = match &payload.login {
        AuthPayload::Jwt { username, client_id, alias, private_key } => {
            Some(NewJwt { alias: alias.as_deref().unwrap_or(&own), client_id, username, private_key })
        }
        AuthPayload::OAuth => None,
    };
    let (name, provider, login_url) = (payload.name.as_str(), payload.provider, payload.login_url.as_str());
    let result = api.create_org_access(G::GRANT, &NewOrgAccess { name, provider, login_url, jwt }).await;
    created(ctx, &addon, &CollectionRef::org_access(G::GRANT), name, result)
}

pub(super) async fn delete<G: OrgAccessResource>(me: &G, ctx: &Context, id: &str) -> Result<(), CallFailure> {
    observing_phase(me, ctx, id, async {
        let addon = addon_key(me);
        let result = ctx.observer.api(&addon)?.delete_org_access(G::GRANT, id).await;
        let written = Observation::Written(me.name().to_owned());
        ctx.observer.observe(&addon, &CollectionRef::org_access(G::GRANT), ctx.clock.now(), written);
        result?;
        // Services answer a DELETE in different ways, so read the object.
        read(me, ctx, id).await
    })
    .await
}

pub(super) async fn get<G: OrgAccessResource>(me: &G, ctx: &Context, id: &str) -> Result<(), CallFailure> {
    observing_phase(me, ctx, id, read(me, ctx, id)).await
}

async fn read<G: OrgAccessResource>(me: &G, ctx: &Context, id: &str) -> Result<(), CallFailure> {
    let addon = addon_key(me);
    let began = ctx.clock.now();
    let seen = ctx.observer.api(&addon)?.get_org_access(G::GRANT, id).await?;
    let absent =
        || if id == me.name() { Observation::Absent(id.to_owned()) } else { Observation::Deleted(id.to_owned()) };
    let observation = seen.map_or_else(absent, Observation::Present);
    ctx.observer.observe(&addon, &CollectionRef::org_access(G::GRANT), began, observation);
    Ok(())
}

/// Awaits `call`, and tells the resource if that changed the observed phase: no list will report the change.
async fn observing_phase<G: OrgAccessResource, T>(me: &G, ctx: &Context, id: &str, call: impl Future<Output = T>) -> T {
    let phase = || {
        let collection = CollectionRef::org_access(G::GRANT);
        let seen = ctx.observer.lookup(&addon_key(me), &collection, Some(id), me.name(), Timestamp::UNIX_EPOCH);
        seen.of_id(id).map(|seen| seen.object.phase)
    };
    let before = phase();
    let result = call.await;
    if phase() != before {
        me.on_phase_changed(ctx);
    }
    result
}

pub(super) fn consent_link<G: OrgAccessResource>(me: &G, ctx: &Context, id: &str) -> Option<ConsentLink> {
    ctx.observer.object(&addon_key(me), &CollectionRef::org_access(G::GRANT), id)?.link
}

pub(super) fn oauth_secret_name<G: OrgAccessResource>(me: &G) -> String {
    format!("{}-{}-oauth", key(me).name, G::GRANT.noun())
}

/// Queues the objects that may want the name now, and the add-on, which may be waiting for its deletion.
pub(super) fn on_finalizer_removed<G: OrgAccessResource>(me: &G, ctx: &Context) {
    let addon = addon_key(me);
    ctx.trigger(&Trigger::Changed(addon.clone(), BTreeSet::from([me.name().to_owned()])));
    ctx.trigger(&Trigger::Object(addon));
}

/// The methods of `Kind` that connections and authorizations share.
macro_rules! org_access_kind {
    () => {
        fn remote_name(&self) -> Option<String> {
            Some(self.name().to_owned())
        }
        fn recorded_ids(&self) -> Vec<String> {
            self.recorded().and_then(|status| status.remote.id.clone()).into_iter().collect()
        }
        fn is_passive(&self) -> bool {
            self.own_policies().0.is_passive()
        }
        fn oauth_secret_name(&self) -> Option<String> {
            Some(org_access::oauth_secret_name(self))
        }
    };
}

/// The methods of `Gather` that connections and authorizations share.
macro_rules! org_access_gather {
    () => {
        fn owner(&self, _ctx: &Context) -> Option<Key> {
            Some(org_access::addon_key(self))
        }
        fn is_affected(&self, _ctx: &Context, changed: &BTreeSet<String>) -> bool {
            org_access::is_affected(self, changed)
        }
        async fn prepare(&self, ctx: &Context) -> Result<(), Error> {
            org_access::prepare(self, ctx);
            Ok(())
        }
        fn on_finalizer_removed(&self, ctx: &Context) {
            org_access::on_finalizer_removed(self, ctx);
        }
    };
}

/// The methods of `Effects` that connections and authorizations share.
macro_rules! org_access_effects {
    () => {
        type Payload = OrgAccessPayload;

        async fn payload(&self, ctx: &Context) -> Result<Option<OrgAccessPayload>, Error> {
            org_access::payload(self, ctx).await
        }
        async fn create(&self, ctx: &Context, payload: &OrgAccessPayload) -> Result<Made, CallFailure> {
            org_access::create(self, ctx, payload).await
        }
        async fn delete(&self, ctx: &Context, id: &str) -> Result<(), CallFailure> {
            org_access::delete(self, ctx, id).await
        }
        async fn get(&self, ctx: &Context, id: &str) -> Result<(), CallFailure> {
            org_access::get(self, ctx, id).await
        }
        fn consent_link(&self, ctx: &Context, id: &str) -> Option<ConsentLink> {
            org_access::consent_link(self, ctx, id)
        }
    };
}

pub(super) use {org_access_effects, org_access_gather, org_access_kind};
