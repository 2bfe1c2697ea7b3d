//! AppLinkAddon for the driver.
//!
//! Nothing is created or deleted for it in AppLink. Resolving it starts its poller; releasing it ends that.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt;
use kube::core::Duration as GoDuration;
use secrecy::ExposeSecret;

use super::{Kind, Reference, Status, secret};
use crate::control::roster::key;
use crate::control::{Error, Shell};
use crate::crd::{AppLinkAddon, AppLinkAddonStatus, ConditionType, ManagementPolicy, Reason, condition};
use crate::heroku::{AccessError, Target};
use crate::observe::{Cause, Following, Key, trouble};
use crate::plan::Plan;
use crate::plan::diff::addon;
use crate::plan::live::AddonLive;
use crate::plan::memory::Memory;
use crate::plan::remote::Addon;
use crate::plan::verdict::Verdict;

/// What is live of an add-on, and who needs it.
pub(in crate::control) struct Live {
    addon: AddonLive,
    dependants: Vec<String>,
}

impl Kind for AppLinkAddon {
    const KIND: &'static str = "AppLinkAddon";
    const BEGINNING: Reason = Reason::AddonNotReady;
    type Status = AppLinkAddonStatus;
    type Inputs = Result<(), Verdict>;
    type Live = Live;

    fn status(&self) -> Option<&AppLinkAddonStatus> {
        self.status.as_ref()
    }

    fn addon(&self, _shell: &Shell) -> Option<Key> {
        Some(key(self))
    }

    fn references(&self) -> Vec<Reference> {
        vec![Reference::secret(&self.spec.token_secret_ref.name)]
    }

    fn concerned(&self, _shell: &Shell, _moved: &BTreeSet<String>) -> bool {
        false
    }

    async fn resolve(&self, shell: &Shell) -> Result<Result<(), Verdict>, Error> {
        let read = self.following(shell).await;
        let cause = match &read {
            Ok(Ok(_)) => None,
            Ok(Err(verdict)) => Some(verdict.clone()),
            Err(error) => Some(Verdict::waits(Reason::AddonNotReady, error.to_string())),
        };
        self.cannot_follow(shell, cause);
        Ok(read?.map(|following| shell.observer.follow(&key(self), following)))
    }

    async fn without_inputs(&self, shell: &Shell) -> Result<(), Verdict> {
        // What lives on it can be deleted only while it is followed, so that much is tried.
        self.resolve(shell).await.unwrap_or_else(|error| {
            tracing::warn!(object = %key(self), "{error}");
            Err(Verdict::waits(Reason::AddonNotReady, error.to_string()))
        })
    }

    fn is_passive(&self) -> bool {
        false
    }

    fn is_blind(&self, shell: &Shell) -> bool {
        shell.observer.addon(&key(self)).is_none()
    }

    fn live(&self, shell: &Shell, memory: &Memory) -> Live {
        let me = key(self);
        let mut dependants = Vec::new();
        if memory.deleting {
            let all = shell.dependants(&me).into_iter().filter(|dependant| dependant.holds);
            dependants = all.map(|dependant| dependant.object).collect();
            dependants.sort();
        }
        Live { addon: shell.observer.addon(&me).unwrap_or_default(), dependants }
    }

    fn plan(
        &self,
        inputs: &Result<(), Verdict>,
        live: &Live,
        memory: &Memory,
        now: Timestamp,
    ) -> Plan<AppLinkAddonStatus> {
        addon::plan(&addon::Input {
            management: self.spec.management_policy,
            desired: inputs.clone(),
            live: &live.addon,
            dependants: &live.dependants,
            memory,
            status: &self.status.clone().unwrap_or_default(),
            now,
        })
    }

    fn reported(&self, shell: &Shell, generation_moved: bool) {
        if generation_moved {
            shell.wake(&Cause::Everything(key(self)));
        }
    }

    fn released(&self, shell: &Shell) {
        if self.metadata.deletion_timestamp.is_some() {
            shell.observer.forget(&key(self));
        }
        shell.wake(&Cause::Everything(key(self)));
    }
}

impl AppLinkAddon {
    /// Records why it cannot be followed, and wakes those who wait for it where that changed.
    fn cannot_follow(&self, shell: &Shell, cause: Option<Verdict>) {
        let poll = self.spec.poll_interval.parse::<GoDuration>().ok().map(Into::into);
        if shell.observer.cannot_follow(&key(self), cause, poll) {
            shell.wake(&Cause::Everything(key(self)));
        }
    }

    /// How it is to be followed, or what in the spec or its Secret keeps it from that.
    async fn following(&self, shell: &Shell) -> Result<Result<Following, Verdict>, Error> {
        let namespace = self.namespace().unwrap_or_default();
        let invalid = |text: String| Verdict::needs_user(Reason::InvalidSpec, text);
        let poll = match self.spec.poll_interval.parse::<GoDuration>() {
            Ok(poll) => poll.into(),
            Err(error) => return Ok(Err(invalid(format!("spec.pollInterval: {error}")))),
        };
        let allowed = match self.spec.platform_url.parse() {
            Ok(url) => shell.hosts.check(&url).map_err(|error| trouble(&AccessError::Heroku(error))),
            Err(_) => Err(invalid("spec.platformURL is not a URL".to_owned())),
        };
        if let Err(verdict) = allowed {
            shell.observer.unfollow(&key(self));
            return Ok(Err(verdict));
        }
        // Where the Secret is gone, what follows the add-on keeps the token it has: a namespace deleted at once, Secret
        // first, still ends clean.
        let token = match secret(shell, &namespace, "spec.tokenSecretRef", &self.spec.token_secret_ref).await? {
            Ok(token) => token,
            Err(verdict) => return Ok(Err(verdict)),
        };
        if token.expose_secret().trim().chars().any(|c| c.is_control() || !c.is_ascii()) {
            let at = &self.spec.token_secret_ref;
            let text = format!(
                "Secret {}, key {}: not a Heroku API token (it has line breaks or odd characters)",
                at.name, at.key
            );
            return Ok(Err(Verdict::needs_user(Reason::InvalidSecret, text)));
        }
        let target = Target {
            platform_url: self.spec.platform_url.clone(),
            app: self.spec.app.clone(),
            addon: self.spec.addon.clone(),
            token,
        };
        Ok(Ok(Following { target, poll, recorded: self.status.clone().unwrap_or_default() }))
    }
}

/// What is known of an add-on, from its poller, or from its own status where nothing follows it; and the ceiling that it
/// sets to what lives on it.
pub(super) fn seen(shell: &Shell, key: &Key) -> (Addon, ManagementPolicy) {
    let told = |resource: &AppLinkAddon| {
        (resource.spec.management_policy, resource.status.clone().unwrap_or_default(), resource.metadata.generation)
    };
    let Some((ceiling, recorded, generation)) = shell.read(key, told) else {
        let addon = match shell.is_unreadable::<AppLinkAddon>(key) {
            true => Addon::Troubled { id: None, verdict: unreadable(), silent: false },
            false => Addon::Missing,
        };
        return (addon, ManagementPolicy::default());
    };
    let Some(live) = shell.observer.addon(key) else {
        if let Some((verdict, silent)) = shell.observer.cause(key) {
            return (Addon::Troubled { id: recorded.addon_id, verdict, silent }, ceiling);
        }
        let ready = condition(&recorded.conditions, ConditionType::Ready);
        let judged = recorded.memory().observed_generation == generation;
        // That it waits for those who ask here tells them nothing.
        let blocked = Reason::DeletionBlocked.as_str();
        let addon = match ready.filter(|c| judged && c.status != "True" && c.reason != blocked) {
            Some(told) => Addon::Troubled {
                id: recorded.addon_id,
                verdict: Verdict::waits(Reason::parse(&told.reason).unwrap_or(Reason::Pending), told.message.clone()),
                silent: false,
            },
            None => Addon::Unseen,
        };
        return (addon, ceiling);
    };
    let addon = match (live.trouble, live.facts) {
        (Some(verdict), facts) => {
            Addon::Troubled { id: facts.map(|f| f.addon_id).or(recorded.addon_id), verdict, silent: live.silent }
        }
        (None, Some(facts)) => Addon::Ready { id: facts.addon_id },
        (None, None) => Addon::Unseen,
    };
    (addon, ceiling)
}

/// What those who need it are told of an add-on whose resource cannot be read.
fn unreadable() -> Verdict {
    Verdict::needs_user(Reason::InvalidSpec, "this version of the operator cannot read it; its own condition says why")
}

/// Whether both stand for the same add-on, as far as is known.
pub(super) fn same(shell: &Shell, one: &Key, other: &Key) -> bool {
    let id = |key: &Key| shell.observer.addon(key)?.facts.map(|facts| facts.addon_id);
    one == other || id(one).is_some_and(|one| id(other) == Some(one))
}
