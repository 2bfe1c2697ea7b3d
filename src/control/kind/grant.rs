//! What connections and authorizations share on their way through the driver.
//!
//! Decides nothing: reads the key and the Secret of the link, and names the endpoints.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt;

use super::{Kind, Made, Reference, addon, made, rivals, secret, unread};
use crate::applink::{NewGrant, NewJwt};
use crate::control::roster::key;
use crate::control::{Error, Shell, owned};
use crate::crd::{Access, AppLinkAddon, Ending, GrantStatus, Handling, ManagementPolicy, RecordsRemote};
use crate::heroku::AccessError;
use crate::observe::{Key, Shelf};
use crate::plan::collection::Witness;
use crate::plan::desired::{DesiredGrant, Login};
use crate::plan::diff::grant;
use crate::plan::live::{self, GrantKind, Link, RemoteGrant};
use crate::plan::memory::Memory;
use crate::plan::policy::Policies;
use crate::plan::remote::name::Rival;
use crate::plan::remote::{Addon, HandOff};
use crate::plan::verdict::Verdict;

/// A kind that grants access.
pub(super) trait Granting: Kind<Status: RecordsRemote> {
    /// Connection or authorization.
    const GRANT: GrantKind;

    /// Remote name.
    fn name(&self) -> &str;
    /// Name of its AppLinkAddon.
    fn addon_name(&self) -> &str;
    /// What the user wrote.
    fn access(&self) -> &Access;
    /// The policies of the spec.
    fn own_policies(&self) -> (Handling, Ending);
    /// What its status records.
    fn recorded(&self) -> Option<&GrantStatus>;
    /// What the credential is called where the user does not say.
    fn alias(&self) -> String;
}

/// What is declared, and where a link that it needs would go.
pub(in crate::control) struct Inputs {
    pub(super) desired: Result<DesiredGrant, Verdict>,
    secret: String,
    hand_off: HandOff,
}

/// What is live of it and around it.
pub(in crate::control) struct Live {
    addon: Addon,
    ceiling: ManagementPolicy,
    remote: live::Live<RemoteGrant>,
    rivals: Vec<Rival>,
    none: GrantStatus,
}

pub(super) fn addon_key<G: Granting>(me: &G) -> Key {
    let namespace = me.namespace().unwrap_or_default();
    Key { kind: AppLinkAddon::KIND, namespace, name: me.addon_name().to_owned() }
}

pub(super) fn references<G: Granting>(me: &G) -> Vec<Reference> {
    let key = me.access().jwt.iter().map(|jwt| Reference::secret(&jwt.private_key_secret_ref.name));
    let link = me.link_secret().map(Reference::secret);
    key.chain(link).chain([Reference::to::<AppLinkAddon>(me.addon_name())]).collect()
}

pub(super) fn concerned<G: Granting>(me: &G, moved: &BTreeSet<String>) -> bool {
    let id = me.recorded().and_then(|status| status.remote.id.as_ref());
    // A name that differs only in case counts as the same, so its going may free this one.
    moved.iter().any(|name| name.eq_ignore_ascii_case(me.name())) || id.is_some_and(|id| moved.contains(id))
}

pub(super) async fn resolve<G: Granting>(me: &G, shell: &Shell) -> Result<Inputs, Error> {
    let namespace = me.namespace().unwrap_or_default();
    let (name, access) = (me.name(), me.access());
    let link_secret = me.link_secret().unwrap_or_default();
    let desired = match &access.jwt {
        Some(jwt) => {
            let key = secret(shell, &namespace, "spec.jwt.privateKeySecretRef", &jwt.private_key_secret_ref).await?;
            key.and_then(|key| DesiredGrant::by_jwt(name, access, jwt, &key))
        }
        None => DesiredGrant::by_oauth(name, access, &link_secret),
    };
    // What connected by a key has no link; what never connected may have one from a time when it was to be by OAuth.
    let done = |s: &GrantStatus| s.remote.established_at.is_some() && s.oauth_secret_name.is_none();
    let hand_off = match &access.jwt {
        Some(_) if me.recorded().is_some_and(done) => HandOff::Absent,
        _ => owned::read(shell, me, &link_secret).await?,
    };
    Ok(Inputs { desired, secret: link_secret, hand_off })
}

pub(super) fn without_inputs<G: Granting>(me: &G) -> Inputs {
    Inputs { desired: Err(unread(G::KIND)), secret: me.link_secret().unwrap_or_default(), hand_off: HandOff::Absent }
}

pub(super) fn is_passive<G: Granting>(me: &G) -> bool {
    let handling = me.own_policies().0;
    handling.suspend || handling.management_policy == ManagementPolicy::Observe
}

pub(super) fn live<G: Granting>(me: &G, shell: &Shell, memory: &Memory) -> Live {
    let addon_key = addon_key(me);
    let id = me.recorded().and_then(|status| status.remote.id.as_deref());
    let (addon, ceiling) = addon::seen(shell, &addon_key);
    let wants = |other: &G| {
        other.name().eq_ignore_ascii_case(me.name())
            && other.own_policies().0.management_policy != ManagementPolicy::Observe
            && addon::same(shell, &addon_key, &self::addon_key(other))
    };
    Live {
        rivals: if matches!(addon, Addon::Ready { .. }) { rivals(me, shell, wants) } else { Vec::new() },
        addon,
        ceiling,
        remote: shell.observer.see(&addon_key, &Shelf::grants(G::GRANT), id, me.name(), memory.since),
        none: GrantStatus::default(),
    }
}

pub(super) fn input<'a, G: Granting>(
    me: &'a G,
    inputs: &'a Inputs,
    live: &'a Live,
    memory: &'a Memory,
    now: Timestamp,
) -> grant::Input<'a> {
    let (handling, ending) = me.own_policies();
    grant::Input {
        kind: G::GRANT,
        name: me.name(),
        addon_name: me.addon_name(),
        access: me.access(),
        policies: Policies::of(handling, ending).under(live.ceiling),
        addon: &live.addon,
        desired: &inputs.desired,
        secret: &inputs.secret,
        hand_off: &inputs.hand_off,
        live: &live.remote,
        rivals: &live.rivals,
        memory,
        status: me.recorded().unwrap_or(&live.none),
        now,
    }
}

pub(super) async fn create<G: Granting>(me: &G, shell: &Shell, inputs: &Inputs) -> Result<Made, AccessError> {
    let addon = addon_key(me);
    let api = shell.observer.api(&addon)?;
    let Ok(desired) = &inputs.desired else { return Err(AccessError::Forgotten) };
    let own = me.alias();
    let jwt = match &desired.login {
        Login::Jwt { username, client_id, alias, private_key } => {
            Some(NewJwt { alias: alias.as_deref().unwrap_or(&own), client_id, username, private_key })
        }
        Login::Oauth => None,
    };
    let (name, provider, login_url) = (desired.name.as_str(), desired.provider, desired.login_url.as_str());
    let result = api.create_grant(G::GRANT, &NewGrant { name, provider, login_url, jwt }).await;
    made(shell, &addon, &Shelf::grants(G::GRANT), name, result)
}

pub(super) async fn delete<G: Granting>(me: &G, shell: &Shell, id: &str) -> Result<(), AccessError> {
    let addon = addon_key(me);
    let result = shell.observer.api(&addon)?.delete_grant(G::GRANT, id).await;
    let touched = Witness::Touched(me.name().to_owned());
    shell.observer.witness(&addon, &Shelf::grants(G::GRANT), shell.clock.now(), touched);
    result?;
    // Answers to a DELETE differ in code and body; what is left is seen by reading it.
    confirm(me, shell, id).await
}

pub(super) async fn confirm<G: Granting>(me: &G, shell: &Shell, id: &str) -> Result<(), AccessError> {
    let addon = addon_key(me);
    let began = shell.clock.now();
    let seen = shell.observer.api(&addon)?.get_grant(G::GRANT, id).await?;
    let absent = || if id == me.name() { Witness::Absent(id.to_owned()) } else { Witness::Gone(id.to_owned()) };
    let told = seen.map_or_else(absent, Witness::Present);
    shell.observer.witness(&addon, &Shelf::grants(G::GRANT), began, told);
    Ok(())
}

pub(super) fn link<G: Granting>(me: &G, shell: &Shell, id: &str) -> Option<Link> {
    let shelf = Shelf::grants(G::GRANT);
    let seen = shell.observer.see(&addon_key(me), &shelf, Some(id), me.name(), Timestamp::UNIX_EPOCH);
    seen.of_id(id)?.object.link.clone()
}

pub(super) fn link_secret<G: Granting>(me: &G) -> String {
    format!("{}-{}-oauth", key(me).name, G::GRANT.noun())
}
