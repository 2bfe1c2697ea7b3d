//! Connection for the driver.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt;

use super::{Kind, Made, Status, secret};
use crate::applink::{JwtConnection, OauthConnection};
use crate::control::{Error, Shell, hand_off};
use crate::crd::{AppLinkAddon, ConditionType, Connection, ConnectionStatus, ManagementPolicy, Reason, condition};
use crate::heroku::AccessError;
use crate::observe::{Cause, Key};
use crate::plan::Plan;
use crate::plan::collection::Witness;
use crate::plan::desired::{DesiredConnection, Login};
use crate::plan::diff::connection::{self, Rival};
use crate::plan::live::{self, Link, RemoteConnection};
use crate::plan::memory::Memory;
use crate::plan::policy::Policies;
use crate::plan::remote::{Addon, HandOff};
use crate::plan::verdict::Verdict;

/// What is declared, and where a link that it needs would go.
pub(in crate::control) struct Inputs {
    desired: Result<DesiredConnection, Verdict>,
    secret: String,
    hand_off: HandOff,
}

/// What is live of a connection and around it.
pub(in crate::control) struct Live {
    addon: Addon,
    ceiling: ManagementPolicy,
    remote: live::Live<RemoteConnection>,
    rivals: Vec<Rival>,
}

impl Kind for Connection {
    const KIND: &'static str = "Connection";
    const BEGINNING: Reason = Reason::Creating;
    type Status = ConnectionStatus;
    type Inputs = Inputs;
    type Live = Live;

    fn status(&self) -> Option<&ConnectionStatus> {
        self.status.as_ref()
    }

    fn addon(&self) -> Key {
        Key {
            kind: AppLinkAddon::KIND,
            namespace: self.namespace().unwrap_or_default(),
            name: self.spec.addon_ref.name.clone(),
        }
    }

    fn secrets(&self) -> Vec<String> {
        let key = self.spec.jwt.iter().map(|jwt| jwt.private_key_secret_ref.name.clone());
        key.chain(self.link_secret()).collect()
    }

    fn concerned(&self, moved: &BTreeSet<String>) -> bool {
        let id = self.status.as_ref().and_then(|s| s.id.as_ref());
        moved.contains(&self.spec.connection_name) || id.is_some_and(|id| moved.contains(id))
    }

    async fn resolve(&self, shell: &Shell) -> Result<Inputs, Error> {
        let namespace = self.namespace().unwrap_or_default();
        let secret_name = self.link_secret().unwrap_or_default();
        let desired = match &self.spec.jwt {
            Some(jwt) => {
                let key = secret(shell, &namespace, &jwt.private_key_secret_ref).await?;
                key.and_then(|key| DesiredConnection::by_jwt(&self.spec, jwt, &key))
            }
            None => DesiredConnection::by_oauth(&self.spec, &secret_name),
        };
        // What connected by a key has no link; what never connected may have one from a time when it was to be by OAuth.
        let recorded = self.status.as_ref().is_some_and(|s| s.connected_at.is_some() && s.oauth_secret_name.is_none());
        let hand_off = match &self.spec.jwt {
            Some(_) if recorded => HandOff::Absent,
            _ => hand_off::read(shell, self).await?,
        };
        Ok(Inputs { desired, secret: secret_name, hand_off })
    }

    fn live(&self, shell: &Shell, memory: &Memory) -> Live {
        let addon_key = self.addon();
        let resource = shell.addons.get(&addon_key);
        let id = self.status.as_ref().and_then(|s| s.id.as_deref());
        let addon = addon(shell, &addon_key, resource.as_ref());
        Live {
            rivals: rivals(self, shell, &addon),
            addon,
            ceiling: resource.map(|addon| addon.spec.management_policy).unwrap_or_default(),
            remote: shell.observer.connection(&addon_key, id, &self.spec.connection_name, memory.since),
        }
    }

    fn plan(&self, inputs: &Inputs, live: &Live, memory: &Memory, now: Timestamp) -> Plan<ConnectionStatus> {
        let spec = &self.spec;
        let own = Policies {
            management: spec.management_policy,
            adoption: spec.adoption_policy,
            deletion: spec.deletion_policy,
            replacement: spec.replace_policy,
            suspend: spec.suspend,
        };
        connection::plan(&connection::Input {
            spec,
            policies: own.under(live.ceiling),
            addon: &live.addon,
            desired: &inputs.desired,
            secret: &inputs.secret,
            hand_off: &inputs.hand_off,
            live: &live.remote,
            rivals: &live.rivals,
            memory,
            status: &self.status.clone().unwrap_or_default(),
            now,
        })
    }

    async fn create(&self, shell: &Shell, inputs: &Inputs) -> Result<Made, AccessError> {
        let addon = self.addon();
        let link = shell.observer.link(&addon).ok_or(AccessError::Forgotten)?;
        let Ok(desired) = &inputs.desired else { return Err(AccessError::Forgotten) };
        let (name, login_url) = (desired.name.as_str(), desired.login_url.as_str());
        let result = match &desired.login {
            Login::Jwt { username, client_id, alias, private_key } => {
                // Unique, and the same however often this is tried.
                let own = format!("applink-operator-{}", self.uid().unwrap_or_default());
                let alias = alias.as_deref().unwrap_or(&own);
                let new = JwtConnection { name, login_url, alias, client_id, username, private_key };
                link.create_jwt_connection(&new).await
            }
            Login::Oauth => {
                let provider = desired.provider;
                link.create_oauth_connection(OauthConnection { name, login_url, provider }).await
            }
        };
        let told = match &result {
            Ok(remote) => Some(Witness::Present(remote.clone())),
            // Nothing was sent.
            Err(AccessError::Budget(_)) => None,
            Err(_) => Some(Witness::Touched(name.to_owned())),
        };
        told.into_iter().for_each(|told| shell.observer.witness(&addon, shell.clock.now(), told));
        result.map(|remote| Made { id: remote.id, phase: remote.phase })
    }

    async fn delete(&self, shell: &Shell, id: &str) -> Result<(), AccessError> {
        let addon = self.addon();
        let link = shell.observer.link(&addon).ok_or(AccessError::Forgotten)?;
        let result = link.delete_connection(id).await;
        shell.observer.witness(&addon, shell.clock.now(), Witness::Touched(self.spec.connection_name.clone()));
        result?;
        // Answers to a DELETE differ in code and body; what is left is seen by reading it.
        shell.observer.confirm(&addon, id).await
    }

    async fn confirm(&self, shell: &Shell, id: &str) -> Result<(), AccessError> {
        shell.observer.confirm(&self.addon(), id).await
    }

    fn link(&self, shell: &Shell, id: &str) -> Option<Link> {
        let name = &self.spec.connection_name;
        let seen = shell.observer.connection(&self.addon(), Some(id), name, Timestamp::UNIX_EPOCH);
        seen.of_id(id)?.object.link.clone()
    }

    fn link_secret(&self) -> Option<String> {
        Some(format!("{}-connection-oauth", self.name_any()))
    }

    fn released(&self, shell: &Shell) {
        // Its name may be free for another, and its add-on for deletion.
        let addon = self.addon();
        shell.wake(&Cause::Moved(addon.clone(), BTreeSet::from([self.spec.connection_name.clone()])));
        shell.wake(&Cause::Addon(addon));
    }
}

/// What is known of the add-on: from its poller, or from its own status where nothing follows it.
fn addon(shell: &Shell, key: &Key, resource: Option<&AppLinkAddon>) -> Addon {
    let Some(resource) = resource else { return Addon::Missing };
    let recorded = resource.status.clone().unwrap_or_default();
    let Some(live) = shell.observer.addon(key) else {
        let ready = condition(&recorded.conditions, ConditionType::Ready);
        let judged = recorded.memory().observed_generation == resource.metadata.generation;
        return match ready.filter(|c| judged && c.status != "True") {
            Some(told) => Addon::Troubled {
                id: recorded.addon_id,
                verdict: Verdict::waits(Reason::parse(&told.reason).unwrap_or(Reason::Pending), told.message.clone()),
                silent: false,
            },
            None => Addon::Unseen,
        };
    };
    match (live.trouble, live.facts) {
        (Some(verdict), facts) => {
            Addon::Troubled { id: facts.map(|f| f.addon_id).or(recorded.addon_id), verdict, silent: live.silent }
        }
        (None, Some(facts)) => Addon::Ready { id: facts.addon_id },
        (None, None) => Addon::Unseen,
    }
}

/// Who else wants the name on this add-on. Those who only look want nothing.
fn rivals(me: &Connection, shell: &Shell, addon: &Addon) -> Vec<Rival> {
    let Addon::Ready { id } = addon else { return Vec::new() };
    let same_addon = |other: &Connection| {
        let facts = shell.observer.addon(&other.addon()).and_then(|live| live.facts);
        facts.is_some_and(|facts| facts.addon_id == *id)
    };
    let wants = |other: &Connection| {
        other.spec.connection_name.eq_ignore_ascii_case(&me.spec.connection_name)
            && other.metadata.uid != me.metadata.uid
            && other.spec.management_policy != ManagementPolicy::Observe
    };
    let all = shell.connections.all();
    all.filter_map(|guard| {
        let other = guard.0.as_ref().ok().filter(|other| wants(other) && same_addon(other))?;
        let status = other.status.clone().unwrap_or_default();
        let memory = Memory::read(&other.metadata, status.memory());
        Some(Rival {
            object: format!("{}/{}", other.namespace().unwrap_or_default(), other.name_any()),
            holds: connection::holds(&status, &memory),
            created: memory.created,
            uid: memory.uid,
        })
    })
    .collect()
}
