//! What connections and authorizations share on their way through the driver.
//!
//! Decides nothing: reads the key and the Secret of the link, and names the endpoints.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt;

use secrecy::SecretString;

use super::read::{Read, secret, version_of};
use super::{Kind, Made, Reference, addon, made, name_claims, unread};
use crate::applink::{NewJwt, NewOrgAccess};
use crate::conditions::ConditionReport;
use crate::control::stores::key;
use crate::control::{Context, Error, owned_secrets};
use crate::crd::{
    AppLinkAddon, AuthSpec, DeletionPolicies, JwtMethod, ManagementPolicies, ManagementPolicy, OrgAccessStatus,
    RecordsRemote,
};
use crate::facts::collection::Observation;
use crate::facts::{ConsentLink, OrgAccessKind};
use crate::heroku::RemoteError;
use crate::observe::{CollectionRef, Key};
use crate::plan::inputs::{AuthPayload, OrgAccessInputs, OrgAccessPayload};
use crate::plan::kinds::org_access;
use crate::plan::policies::Policies;
use crate::plan::remote::{OwnedSecret, OwnerState};
use crate::plan::state::ReconcileState;

/// A kind that grants access.
pub(super) trait OrgAccessResource: Kind<Status: RecordsRemote> {
    /// Connection or authorization.
    const GRANT: OrgAccessKind;

    /// Remote name.
    fn name(&self) -> &str;
    /// Name of its AppLinkAddon.
    fn addon_name(&self) -> &str;
    /// What the user wrote.
    fn spec(&self) -> &AuthSpec;
    /// The policies of the spec.
    fn own_policies(&self) -> (ManagementPolicies, DeletionPolicies);
    /// What its status records.
    fn recorded(&self) -> Option<&OrgAccessStatus>;
    /// What the credential is called where the user does not say.
    fn alias(&self) -> String;
}

/// What was read of the inputs, and of the Secret for a consent link.
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

pub(super) fn is_affected<G: OrgAccessResource>(me: &G, moved: &BTreeSet<String>) -> bool {
    let id = me.recorded().and_then(|status| status.remote.id.as_ref());
    // A name that differs only in case counts as the same, so its going may free this one.
    moved.iter().any(|name| name.eq_ignore_ascii_case(me.name())) || id.is_some_and(|id| moved.contains(id))
}

/// Lets the observer know which name the recorded id has, where lists do not tell.
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
    // What connected by a key has no link; what never connected may have one from a time when it was to be by OAuth.
    let done = |s: &OrgAccessStatus| s.remote.established_at.is_some() && s.oauth_secret_name.is_none();
    let oauth_secret = match &me.spec().jwt {
        Some(_) if me.recorded().is_some_and(done) => OwnedSecret::Absent,
        _ => owned_secrets::read(ctx, me, &oauth_secret_name).await?,
    };
    Ok(Inputs { inputs, oauth_secret_name, oauth_secret })
}

/// The digest of the private key and the fields beside it. A key is parsed once for each of its versions.
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
        inputs: Err(unread(G::KIND)),
        oauth_secret_name: me.oauth_secret_name().unwrap_or_default(),
        oauth_secret: OwnedSecret::Absent,
    }
}

pub(super) fn is_passive<G: OrgAccessResource>(me: &G) -> bool {
    me.own_policies().0.is_passive()
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
) -> Result<Made, RemoteError> {
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
    made(ctx, &addon, &CollectionRef::org_access(G::GRANT), name, result)
}

pub(super) async fn delete<G: OrgAccessResource>(me: &G, ctx: &Context, id: &str) -> Result<(), RemoteError> {
    let addon = addon_key(me);
    let result = ctx.observer.api(&addon)?.delete_org_access(G::GRANT, id).await;
    let touched = Observation::Written(me.name().to_owned());
    ctx.observer.observe(&addon, &CollectionRef::org_access(G::GRANT), ctx.clock.now(), touched);
    result?;
    // Answers to a DELETE differ in code and body; what is left is seen by reading it.
    get(me, ctx, id).await
}

pub(super) async fn get<G: OrgAccessResource>(me: &G, ctx: &Context, id: &str) -> Result<(), RemoteError> {
    let addon = addon_key(me);
    let began = ctx.clock.now();
    let seen = ctx.observer.api(&addon)?.get_org_access(G::GRANT, id).await?;
    let absent =
        || if id == me.name() { Observation::Absent(id.to_owned()) } else { Observation::Deleted(id.to_owned()) };
    let told = seen.map_or_else(absent, Observation::Present);
    ctx.observer.observe(&addon, &CollectionRef::org_access(G::GRANT), began, told);
    Ok(())
}

pub(super) fn consent_link<G: OrgAccessResource>(me: &G, ctx: &Context, id: &str) -> Option<ConsentLink> {
    ctx.observer.object(&addon_key(me), &CollectionRef::org_access(G::GRANT), id)?.link
}

pub(super) fn oauth_secret_name<G: OrgAccessResource>(me: &G) -> String {
    format!("{}-{}-oauth", key(me).name, G::GRANT.noun())
}
