//! What connections and authorizations share on their way through the driver.
//!
//! Decides nothing: reads the key and the Secret of the link, and names the endpoints.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt;

use super::{Kind, Made, Reference, addon, made, name_claims, secret, unread};
use crate::applink::{NewJwt, NewOrgAccess};
use crate::conditions::ConditionReport;
use crate::control::stores::key;
use crate::control::{Context, Error, owned_secrets};
use crate::crd::{
    AppLinkAddon, AuthSpec, DeletionPolicies, ManagementPolicies, ManagementPolicy, OrgAccessStatus, RecordsRemote,
};
use crate::facts::collection::Observation;
use crate::facts::{self, ConsentLink, OrgAccessKind, RemoteOrgAccess};
use crate::heroku::RemoteError;
use crate::observe::{CollectionRef, Key};
use crate::plan::desired::{AuthInputs, DesiredOrgAccess};
use crate::plan::kinds::org_access;
use crate::plan::policies::Policies;
use crate::plan::remote::name_claim::NameClaim;
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
    fn access(&self) -> &AuthSpec;
    /// The policies of the spec.
    fn own_policies(&self) -> (ManagementPolicies, DeletionPolicies);
    /// What its status records.
    fn recorded(&self) -> Option<&OrgAccessStatus>;
    /// What the credential is called where the user does not say.
    fn alias(&self) -> String;
}

/// What is declared, and where a link that it needs would go.
pub(in crate::control) struct Inputs {
    pub(super) desired: Result<DesiredOrgAccess, ConditionReport>,
    secret: String,
    oauth_secret_state: OwnedSecret,
}

/// What is live of it and around it.
pub(in crate::control) struct Lookup {
    addon: OwnerState,
    ceiling: ManagementPolicy,
    remote: facts::Lookup<RemoteOrgAccess>,
    name_claims: Vec<NameClaim>,
    none: OrgAccessStatus,
}

pub(super) fn addon_key<G: OrgAccessResource>(me: &G) -> Key {
    let namespace = me.namespace().unwrap_or_default();
    Key { kind: AppLinkAddon::KIND, namespace, name: me.addon_name().to_owned() }
}

pub(super) fn references<G: OrgAccessResource>(me: &G) -> Vec<Reference> {
    let key = me.access().jwt.iter().map(|jwt| Reference::secret(&jwt.private_key_secret_ref.name));
    let link = me.oauth_secret_name().map(Reference::secret);
    key.chain(link).chain([Reference::to::<AppLinkAddon>(me.addon_name())]).collect()
}

pub(super) fn is_affected<G: OrgAccessResource>(me: &G, moved: &BTreeSet<String>) -> bool {
    let id = me.recorded().and_then(|status| status.remote.id.as_ref());
    // A name that differs only in case counts as the same, so its going may free this one.
    moved.iter().any(|name| name.eq_ignore_ascii_case(me.name())) || id.is_some_and(|id| moved.contains(id))
}

pub(super) async fn resolve<G: OrgAccessResource>(me: &G, ctx: &Context) -> Result<Inputs, Error> {
    let namespace = me.namespace().unwrap_or_default();
    let (name, access) = (me.name(), me.access());
    let oauth_secret_name = me.oauth_secret_name().unwrap_or_default();
    let desired = match &access.jwt {
        Some(jwt) => {
            let key = secret(ctx, &namespace, "spec.jwt.privateKeySecretRef", &jwt.private_key_secret_ref).await?;
            key.and_then(|key| DesiredOrgAccess::by_jwt(name, access, jwt, &key))
        }
        None => DesiredOrgAccess::by_oauth(name, access, &oauth_secret_name),
    };
    // What connected by a key has no link; what never connected may have one from a time when it was to be by OAuth.
    let done = |s: &OrgAccessStatus| s.remote.established_at.is_some() && s.oauth_secret_name.is_none();
    let oauth_secret_state = match &access.jwt {
        Some(_) if me.recorded().is_some_and(done) => OwnedSecret::Absent,
        _ => owned_secrets::read(ctx, me, &oauth_secret_name).await?,
    };
    Ok(Inputs { desired, secret: oauth_secret_name, oauth_secret_state })
}

pub(super) fn without_inputs<G: OrgAccessResource>(me: &G) -> Inputs {
    Inputs {
        desired: Err(unread(G::KIND)),
        secret: me.oauth_secret_name().unwrap_or_default(),
        oauth_secret_state: OwnedSecret::Absent,
    }
}

pub(super) fn is_passive<G: OrgAccessResource>(me: &G) -> bool {
    let handling = me.own_policies().0;
    handling.suspend || handling.management_policy == ManagementPolicy::Observe
}

pub(super) fn live<G: OrgAccessResource>(me: &G, ctx: &Context, state: &ReconcileState) -> Lookup {
    let addon_key = addon_key(me);
    let id = me.recorded().and_then(|status| status.remote.id.as_deref());
    let (addon, ceiling) = addon::seen(ctx, &addon_key);
    let wants = |other: &G| {
        other.name().eq_ignore_ascii_case(me.name())
            && other.own_policies().0.management_policy != ManagementPolicy::Observe
            && addon::same(ctx, &addon_key, &self::addon_key(other))
    };
    Lookup {
        name_claims: if matches!(addon, OwnerState::Ready { .. }) { name_claims(me, ctx, wants) } else { Vec::new() },
        addon,
        ceiling,
        remote: ctx.observer.lookup(&addon_key, &CollectionRef::org_access(G::GRANT), id, me.name(), state.changed_at),
        none: OrgAccessStatus::default(),
    }
}

pub(super) fn input<'a, G: OrgAccessResource>(
    me: &'a G,
    inputs: &'a Inputs,
    live: &'a Lookup,
    state: &'a ReconcileState,
    now: Timestamp,
) -> org_access::Input<'a> {
    let (handling, ending) = me.own_policies();
    org_access::Input {
        kind: G::GRANT,
        name: me.name(),
        owner_name: me.addon_name(),
        access: me.access(),
        policies: Policies::of(handling, ending).under(live.ceiling),
        addon: &live.addon,
        desired: &inputs.desired,
        secret: &inputs.secret,
        oauth_secret_state: &inputs.oauth_secret_state,
        live: &live.remote,
        name_claims: &live.name_claims,
        state,
        status: me.recorded().unwrap_or(&live.none),
        now,
    }
}

pub(super) async fn create<G: OrgAccessResource>(me: &G, ctx: &Context, inputs: &Inputs) -> Result<Made, RemoteError> {
    let addon = addon_key(me);
    let api = ctx.observer.api(&addon)?;
    let Ok(desired) = &inputs.desired else { return Err(RemoteError::Forgotten) };
    let own = me.alias();
    let jwt = match &desired.login {
        AuthInputs::Jwt { username, client_id, alias, private_key } => {
            Some(NewJwt { alias: alias.as_deref().unwrap_or(&own), client_id, username, private_key })
        }
        AuthInputs::OAuth => None,
    };
    let (name, provider, login_url) = (desired.name.as_str(), desired.provider, desired.login_url.as_str());
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
    let shelf = CollectionRef::org_access(G::GRANT);
    let seen = ctx.observer.lookup(&addon_key(me), &shelf, Some(id), me.name(), Timestamp::UNIX_EPOCH);
    seen.of_id(id)?.object.link.clone()
}

pub(super) fn oauth_secret_name<G: OrgAccessResource>(me: &G) -> String {
    format!("{}-{}-oauth", key(me).name, G::GRANT.noun())
}
