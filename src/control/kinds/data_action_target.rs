//! The DataActionTarget kind. All of its inputs are in the spec.
//!
//! Decides nothing. AppLink has no call that deletes a target.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::answer::created;
use super::connection_child::{self, ConnectionChild, connection_child_gather};
use super::name_claims::name_claims;
use crate::applink::NewDataActionTarget;
use crate::control::context::Context;
use crate::control::effects::{Effects, Made};
use crate::control::error::Error;
use crate::control::gather::Gather;
use crate::control::kind::{Kind, Reference, key};
use crate::crd::{
    Connection, DataActionTarget, DataActionTargetStatus, DeletionPolicies, ManagementPolicy, Provider, Reason,
};
use crate::facts::Lookup;
use crate::facts::collection::Observation;
use crate::heroku::RemoteError;
use crate::observe::{CollectionRef, Key, Subscription};
use crate::plan::Plan;
use crate::plan::kinds::data_action_target;
use crate::plan::policies::Policies;
use crate::plan::state::ReconcileState;
use crate::plan::transition::CallFailure;

impl ConnectionChild for DataActionTarget {
    const NEEDS: (&'static str, Provider) = ("DataActionTarget", Provider::DataCloud);

    fn connection_name(&self) -> &str {
        &self.spec.connection_ref.name
    }
    fn recorded_connection(&self) -> Option<&str> {
        self.status.as_ref()?.connection_id.as_deref()
    }
}

impl Kind for DataActionTarget {
    const KIND: &'static str = "DataActionTarget";
    const INITIAL_REASON: Reason = Reason::Creating;
    type Status = DataActionTargetStatus;

    fn status(&self) -> Option<&DataActionTargetStatus> {
        self.status.as_ref()
    }

    fn references(&self) -> Vec<Reference> {
        vec![Reference::to::<Connection>(&self.spec.connection_ref.name)]
    }

    fn remote_name(&self) -> Option<String> {
        Some(self.spec.name())
    }

    fn recorded_ids(&self) -> Vec<String> {
        let id = self.status.as_ref().and_then(|status| status.remote.id.clone());
        connection_child::recorded_ids(self).into_iter().chain(id).collect()
    }

    fn target_id(&self) -> Option<Option<String>> {
        Some(self.status.as_ref().and_then(|status| status.remote.id.clone()))
    }
}

impl Gather for DataActionTarget {
    type Inputs = ();
    type Snapshot = data_action_target::Snapshot;

    connection_child_gather!();

    fn subscribe(&self, ctx: &Context, subscription: &mut Subscription) {
        if let Some(id) = connection_child::connection_id(self, ctx) {
            subscription.targets.entry(id).or_default().insert(self.spec.name(), key(self));
        }
    }

    async fn prepare(&self, ctx: &Context) -> Result<(), Error> {
        let id = self.status.as_ref().and_then(|status| status.remote.id.as_deref());
        if let Some(((addon, connection), id)) = connection_child::call_target(self, ctx).zip(id) {
            ctx.observer.set_name(&addon, &CollectionRef::targets(&connection), id, &self.spec.name());
        }
        Ok(())
    }

    async fn gather(&self, _ctx: &Context) -> Result<(), Error> {
        Ok(())
    }

    async fn gather_without_inputs(&self, _ctx: &Context) {}

    fn snapshot(
        &self,
        ctx: &Context,
        _inputs: &(),
        state: ReconcileState,
        now: Timestamp,
    ) -> data_action_target::Snapshot {
        let name = self.spec.name();
        let id = self.status.as_ref().and_then(|status| status.remote.id.as_deref());
        let lookup = match connection_child::call_target(self, ctx) {
            Some((addon, connection)) => {
                ctx.observer.lookup(&addon, &CollectionRef::targets(&connection), id, &name, state.changed_at)
            }
            None => Lookup::default(),
        };
        // Apps that share an add-on have targets of their own.
        let app = |target: &DataActionTarget| Some(ctx.observer.addon(&target.owner(ctx)?)?.facts?.app_id);
        let wants = |other: &DataActionTarget| {
            other.spec.handling.management_policy != ManagementPolicy::Observe
                && other.spec.name().eq_ignore_ascii_case(&name)
                && connection_child::same(ctx, self, other)
                && app(other) == app(self)
        };
        let knows = |connection: &Connection| {
            let released = connection.status.iter().flat_map(|status| &status.released_targets);
            !connection_child::has_finalizer(connection)
                || id.is_some_and(|id| released.into_iter().any(|known| known == id))
        };
        let mut child = connection_child::context(self, ctx, &state);
        let established = self.status.as_ref().and_then(|status| status.remote.established_at);
        child.connection_gone |= established.is_some_and(|since| connection_child::outlived(self, ctx, since));
        data_action_target::Snapshot {
            label: self.spec.label.clone(),
            endpoint: self.spec.target_endpoint.clone(),
            policies: Policies::of(self.spec.handling, DeletionPolicies::default()).under(child.ceiling),
            owner_name: child.owner_name,
            owner: child.addon,
            connection: child.connection,
            app_id_set: child.app_id_set,
            released: connection_child::connection(self, ctx, knows).unwrap_or(true),
            connection_gone: child.connection_gone,
            lookup,
            name_claims: name_claims(self, ctx, ctx.index.wanting(&name), wants),
            status: self.status.clone().unwrap_or_default(),
            name,
            state,
            now,
        }
    }

    fn plan(snapshot: &data_action_target::Snapshot) -> Plan<DataActionTargetStatus> {
        data_action_target::plan(snapshot)
    }
}

impl Effects for DataActionTarget {
    type Payload = String;

    async fn payload(&self, _ctx: &Context) -> Result<Option<String>, Error> {
        Ok(Some(data_action_target::digest_of(&self.spec.label, &self.spec.name(), &self.spec.target_endpoint)))
    }

    async fn create(&self, ctx: &Context, _payload: &String) -> Result<Made, CallFailure> {
        let (addon, connection) = connection_child::call_target(self, ctx).ok_or(RemoteError::Forgotten)?;
        let name = &self.spec.name();
        let new = NewDataActionTarget { label: &self.spec.label, api_name: name, endpoint: &self.spec.target_endpoint };
        let result = ctx.observer.api(&addon)?.create_target(&connection, &new).await;
        created(ctx, &addon, &CollectionRef::targets(&connection), name, result)
    }

    async fn get(&self, ctx: &Context, id: &str) -> Result<(), CallFailure> {
        let (addon, connection) = connection_child::call_target(self, ctx).ok_or(RemoteError::Forgotten)?;
        let began = ctx.clock.now();
        let seen = ctx.observer.api(&addon)?.get_target(&connection, id).await?;
        let observation = seen.map_or_else(|| Observation::Deleted(id.to_owned()), Observation::Present);
        ctx.observer.observe(&addon, &CollectionRef::targets(&connection), began, observation);
        Ok(())
    }
}
