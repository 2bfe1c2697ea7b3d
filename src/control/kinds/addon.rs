//! The AppLinkAddon kind: starts, changes and stops the poller of an add-on.
//!
//! Creates and deletes nothing in AppLink. Decides nothing.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt;
use secrecy::ExposeSecret;

use super::read::secret;
use crate::conditions::ConditionReport;
use crate::control::context::Context;
use crate::control::effects::Effects;
use crate::control::error::Error;
use crate::control::gather::Gather;
use crate::control::kind::{Kind, Reference, key};
use crate::crd::{
    AppLinkAddon, AppLinkAddonStatus, ConditionType, ManagementPolicy, Reason, ResourceStatus, condition, poll_interval,
};
use crate::heroku::{AddonSelector, RemoteError};
use crate::observe::{Key, PollSettings, Trigger, report_for};
use crate::plan::Plan;
use crate::plan::kinds::addon;
use crate::plan::remote::OwnerState;
use crate::plan::state::ReconcileState;

impl Kind for AppLinkAddon {
    const KIND: &'static str = "AppLinkAddon";
    const INITIAL_REASON: Reason = Reason::AddonNotReady;
    type Status = AppLinkAddonStatus;

    fn status(&self) -> Option<&AppLinkAddonStatus> {
        self.status.as_ref()
    }

    fn references(&self) -> Vec<Reference> {
        vec![Reference::secret(&self.spec.token_secret_ref.name)]
    }
}

impl Gather for AppLinkAddon {
    type Inputs = Result<(), ConditionReport>;
    type Snapshot = addon::Snapshot;

    fn owner(&self, _ctx: &Context) -> Option<Key> {
        Some(key(self))
    }

    fn is_affected(&self, _ctx: &Context, _changed: &BTreeSet<String>) -> bool {
        false
    }

    async fn prepare(&self, ctx: &Context) -> Result<(), Error> {
        let read = self.following(ctx).await;
        let cause = match &read {
            Ok(Ok(_)) => None,
            Ok(Err(report)) => Some(report.clone()),
            Err(error) => Some(ConditionReport::in_progress(Reason::AddonNotReady, error.to_string())),
        };
        self.cannot_follow(ctx, cause);
        if let Ok(following) = read? {
            ctx.observer.follow(&key(self), following);
        }
        Ok(())
    }

    async fn gather(&self, ctx: &Context) -> Result<Self::Inputs, Error> {
        Ok(self.gather_without_inputs(ctx).await)
    }

    async fn gather_without_inputs(&self, ctx: &Context) -> Self::Inputs {
        ctx.observer.unfollowed(&key(self)).map_or(Ok(()), |(report, _)| Err(report))
    }

    fn is_stale(&self, ctx: &Context) -> bool {
        ctx.observer.addon(&key(self)).is_none()
    }

    fn snapshot(&self, ctx: &Context, inputs: &Self::Inputs, state: ReconcileState, now: Timestamp) -> addon::Snapshot {
        let me = key(self);
        let mut dependents = Vec::new();
        if state.deleting {
            let all = ctx.dependents(&me).into_iter().filter(|dependent| dependent.has_finalizer);
            dependents = all.map(|dependent| dependent.object).collect();
            dependents.sort();
        }
        addon::Snapshot {
            management: self.spec.management_policy,
            inputs: inputs.clone(),
            observation: ctx.observer.addon(&me).unwrap_or_default(),
            dependents,
            status: self.status.clone().unwrap_or_default(),
            state,
            now,
        }
    }

    fn plan(snapshot: &addon::Snapshot) -> Plan<AppLinkAddonStatus> {
        addon::plan(snapshot)
    }

    fn on_status_written(&self, ctx: &Context, generation_changed: bool) {
        if generation_changed {
            ctx.trigger(&Trigger::AllOf(key(self)));
        }
    }

    fn on_finalizer_removed(&self, ctx: &Context) {
        if self.metadata.deletion_timestamp.is_some() {
            ctx.observer.forget(&key(self));
        }
        ctx.trigger(&Trigger::AllOf(key(self)));
    }
}

/// It has no remote object of its own.
impl Effects for AppLinkAddon {
    type Payload = String;
}

impl AppLinkAddon {
    /// Records why it cannot be polled. If that changed, queues the objects on it.
    fn cannot_follow(&self, ctx: &Context, cause: Option<ConditionReport>) {
        let poll = poll_interval(&self.spec.poll_interval);
        if ctx.observer.cannot_follow(&key(self), cause, poll) {
            ctx.trigger(&Trigger::AllOf(key(self)));
        }
    }

    /// The settings of its poller, or what is wrong with the spec or the Secret.
    async fn following(&self, ctx: &Context) -> Result<Result<PollSettings, ConditionReport>, Error> {
        let namespace = self.namespace().unwrap_or_default();
        let invalid = |text: String| ConditionReport::stalled(Reason::InvalidSpec, text);
        let Some(poll) = poll_interval(&self.spec.poll_interval) else {
            let text = "spec.pollInterval is not a duration from 10s to 1h. Set one like 60s or 5m";
            return Ok(Err(invalid(text.to_owned())));
        };
        let allowed = match self.spec.platform_url.parse() {
            Ok(url) => ctx.hosts.check(&url).map_err(|error| report_for(&RemoteError::Heroku(error))),
            Err(_) => Err(invalid("spec.platformURL is not a URL".to_owned())),
        };
        if let Err(report) = allowed {
            ctx.observer.unfollow(&key(self));
            return Ok(Err(report));
        }
        // If the Secret is gone, the poller keeps its token, so that a namespace can be deleted with the Secret first.
        let token = match secret(ctx, &namespace, "spec.tokenSecretRef", &self.spec.token_secret_ref).await? {
            Ok(read) => read.content,
            Err(report) => return Ok(Err(report)),
        };
        if token.expose_secret().trim().chars().any(|c| c.is_control() || !c.is_ascii()) {
            let at = &self.spec.token_secret_ref;
            let text = format!(
                "Secret {}, key {}: not a Heroku API token (it has line breaks or odd characters)",
                at.name, at.key
            );
            return Ok(Err(ConditionReport::stalled(Reason::InvalidSecret, text)));
        }
        let selector = AddonSelector {
            platform_url: self.spec.platform_url.clone(),
            app: self.spec.app.clone(),
            addon: self.spec.addon.clone(),
            token,
        };
        Ok(Ok(PollSettings { selector, poll, recorded: self.status.clone().unwrap_or_default() }))
    }
}

/// The state of an add-on, from its poller, or from its status without a poller; and the management policy that limits the
/// objects on it.
pub(super) fn seen(ctx: &Context, key: &Key) -> (OwnerState, ManagementPolicy) {
    let recorded = |resource: &AppLinkAddon| {
        (resource.spec.management_policy, resource.status.clone().unwrap_or_default(), resource.metadata.generation)
    };
    let Some((ceiling, recorded, generation)) = ctx.read(key, recorded) else {
        let addon = match ctx.is_unreadable::<AppLinkAddon>(key) {
            true => OwnerState::Unusable { id: None, report: unreadable(), stale: false },
            false => OwnerState::Missing,
        };
        return (addon, ManagementPolicy::default());
    };
    let Some(live) = ctx.observer.addon(key) else {
        if let Some((report, stale)) = ctx.observer.unfollowed(key) {
            return (OwnerState::Unusable { id: recorded.addon_id, report, stale }, ceiling);
        }
        let ready = condition(&recorded.conditions, ConditionType::Ready);
        let judged = recorded.observed_generation() == generation;
        // The add-on waits for the deletion of the objects that ask here, so that reason would be circular.
        let blocked = Reason::DeletionBlocked.as_str();
        let addon = match ready.filter(|c| judged && c.status != "True" && c.reason != blocked) {
            Some(ready) => OwnerState::Unusable {
                id: recorded.addon_id,
                report: ConditionReport::in_progress(
                    Reason::parse(&ready.reason).unwrap_or(Reason::Pending),
                    ready.message.clone(),
                ),
                stale: false,
            },
            None => OwnerState::Unobserved,
        };
        return (addon, ceiling);
    };
    let addon = match (live.problem, live.facts) {
        (Some(report), facts) => {
            OwnerState::Unusable { id: facts.map(|f| f.addon_id).or(recorded.addon_id), report, stale: live.stale }
        }
        (None, Some(facts)) => OwnerState::Ready { id: facts.addon_id },
        (None, None) => OwnerState::Unobserved,
    };
    (addon, ceiling)
}

/// The report for objects on an add-on whose resource cannot be read.
fn unreadable() -> ConditionReport {
    ConditionReport::stalled(
        Reason::InvalidSpec,
        "this version of the operator cannot read it; its own condition says why",
    )
}

/// Whether both resources refer to the same add-on, as far as is known.
pub(super) fn same(ctx: &Context, one: &Key, other: &Key) -> bool {
    let id = |key: &Key| ctx.observer.addon(key)?.facts.map(|facts| facts.addon_id);
    one == other || id(one).is_some_and(|one| id(other) == Some(one))
}
