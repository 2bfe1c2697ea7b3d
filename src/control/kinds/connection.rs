//! Connection for the driver: as all granted access, but for what lives on it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt};

use super::org_access::{self, OrgAccessResource};
use super::{Kind, Made, Reference};
use crate::control::stores::key;
use crate::control::{Context, Error, said};
use crate::crd::{
    AuthSpec, Connection, ConnectionStatus, DeletionPolicies, ManagementPolicies, OrgAccessStatus, Provider, Reason,
    annotation,
};
use crate::facts::{ConsentLink, OrgAccessKind, Phase};
use crate::heroku::RemoteError;
use crate::observe::{ChildListing, ChildObservations, CollectionRef, Key, Trigger};
use crate::plan::Plan;
use crate::plan::inputs::OrgAccessPayload;
use crate::plan::kinds::connection;
use crate::plan::state::ReconcileState;

/// What is declared, and what becomes of its namespace.
pub(in crate::control) struct Inputs {
    access: org_access::Inputs,
    namespace_ends: bool,
}

impl OrgAccessResource for Connection {
    const GRANT: OrgAccessKind = OrgAccessKind::Connection;

    fn name(&self) -> &str {
        &self.spec.connection_name
    }
    fn addon_name(&self) -> &str {
        &self.spec.addon_ref.name
    }
    fn spec(&self) -> &AuthSpec {
        &self.spec.access
    }
    fn own_policies(&self) -> (ManagementPolicies, DeletionPolicies) {
        (self.spec.handling, self.spec.ending)
    }
    fn recorded(&self) -> Option<&OrgAccessStatus> {
        self.status.as_ref().map(|status| &status.grant)
    }
    /// Unique, and the same however often it is tried.
    fn alias(&self) -> String {
        format!("applink-operator-{}", self.uid().unwrap_or_default())
    }
}

impl Kind for Connection {
    const KIND: &'static str = "Connection";
    const INITIAL_REASON: Reason = Reason::Creating;
    type Status = ConnectionStatus;
    type Inputs = Inputs;
    type Snapshot = connection::Snapshot;
    type Payload = OrgAccessPayload;

    fn status(&self) -> Option<&ConnectionStatus> {
        self.status.as_ref()
    }

    fn addon(&self, _shell: &Context) -> Option<Key> {
        Some(org_access::addon_key(self))
    }

    fn references(&self) -> Vec<Reference> {
        org_access::references(self)
    }

    fn is_affected(&self, _shell: &Context, moved: &BTreeSet<String>) -> bool {
        org_access::is_affected(self, moved)
    }

    fn remote_name(&self) -> Option<String> {
        Some(self.name().to_owned())
    }

    fn recorded_ids(&self) -> Vec<String> {
        self.recorded().and_then(|status| status.remote.id.clone()).into_iter().collect()
    }

    async fn prepare(&self, ctx: &Context) -> Result<(), Error> {
        org_access::prepare(self, ctx);
        Ok(())
    }

    async fn payload(&self, ctx: &Context) -> Result<Option<OrgAccessPayload>, Error> {
        org_access::payload(self, ctx).await
    }

    async fn gather(&self, ctx: &Context) -> Result<Inputs, Error> {
        Ok(Inputs { access: org_access::gather(self, ctx).await?, namespace_ends: self.namespace_ends(ctx).await })
    }

    async fn gather_without_inputs(&self, ctx: &Context) -> Inputs {
        Inputs { access: org_access::gather_without_inputs(self), namespace_ends: self.namespace_ends(ctx).await }
    }

    fn is_passive(&self) -> bool {
        org_access::is_passive(self)
    }

    fn snapshot(&self, ctx: &Context, inputs: &Inputs, state: ReconcileState, now: Timestamp) -> connection::Snapshot {
        let id = self.recorded().and_then(|status| status.remote.id.as_deref());
        // No other plan needs to know what depends on it.
        let asked = state.deleting || self.spec.access.provider == Provider::DataCloud;
        connection::Snapshot {
            access: org_access::snapshot(self, ctx, &inputs.access, state, now),
            dependents: if asked { ctx.dependents(&key(self)) } else { Vec::new() },
            targets: id.map(|id| ctx.observer.target_listing(&org_access::addon_key(self), id)).unwrap_or_default(),
            namespace_ends: inputs.namespace_ends,
            status: self.status.clone().unwrap_or_default(),
        }
    }

    fn plan(snapshot: &connection::Snapshot) -> Plan<ConnectionStatus> {
        connection::plan(snapshot)
    }

    async fn create(&self, ctx: &Context, payload: &OrgAccessPayload) -> Result<Made, RemoteError> {
        org_access::create(self, ctx, payload).await
    }

    async fn delete(&self, ctx: &Context, id: &str) -> Result<(), RemoteError> {
        let before = self.phase(ctx, id);
        let done = org_access::delete(self, ctx, id).await;
        self.turned(ctx, id, before);
        done
    }

    async fn get(&self, ctx: &Context, id: &str) -> Result<(), RemoteError> {
        let before = self.phase(ctx, id);
        let done = org_access::get(self, ctx, id).await;
        self.turned(ctx, id, before);
        done
    }

    async fn list_targets(&self, ctx: &Context, id: &str) -> Result<(), RemoteError> {
        let addon = org_access::addon_key(self);
        let began = ctx.clock.now();
        let listed = ctx.observer.api(&addon)?.list_targets(id).await?;
        let seen = listed.map_or_else(|| ChildObservations::Each(Vec::new()), ChildObservations::Targets);
        ctx.observer.apply_child_listing(&addon, ChildListing { connection: id.to_owned(), began, seen });
        Ok(())
    }

    fn consent_link(&self, ctx: &Context, id: &str) -> Option<ConsentLink> {
        org_access::consent_link(self, ctx, id)
    }

    fn oauth_secret_name(&self) -> Option<String> {
        Some(org_access::oauth_secret_name(self))
    }

    fn on_observed(&self, ctx: &Context) {
        ctx.trigger(&Trigger::Dependents(key(self)));
    }

    fn on_finalizer_removed(&self, ctx: &Context) {
        // Its name may be free for another, and its add-on for deletion.
        let addon = org_access::addon_key(self);
        ctx.trigger(&Trigger::Changed(addon.clone(), BTreeSet::from([self.spec.connection_name.clone()])));
        ctx.trigger(&Trigger::Object(addon));
    }
}

impl Connection {
    fn phase(&self, ctx: &Context, id: &str) -> Option<Phase> {
        let shelf = CollectionRef::org_access(OrgAccessKind::Connection);
        let seen =
            ctx.observer.lookup(&org_access::addon_key(self), &shelf, Some(id), self.name(), Timestamp::UNIX_EPOCH);
        seen.of_id(id).map(|seen| seen.object.phase)
    }

    /// What lives on it learns by no list what a call of ours showed of it.
    fn turned(&self, ctx: &Context, id: &str, before: Option<Phase>) {
        if self.phase(ctx, id) != before {
            ctx.trigger(&Trigger::Dependents(key(self)));
        }
    }

    /// Whether its namespace is being deleted. Asked only where targets stand between it and its own end; who may not read
    /// that is told no.
    async fn namespace_ends(&self, ctx: &Context) -> bool {
        let leaving = self.metadata.deletion_timestamp.is_some() && self.spec.access.provider == Provider::DataCloud;
        let confirmed = self.annotations().get(annotation::CONFIRM_CASCADE).is_some_and(|word| word == "true");
        let on_it = || ctx.dependents(&key(self)).iter().any(|dependent| dependent.target.is_some());
        if !leaving || confirmed || !on_it() {
            return false;
        }
        let namespaces: Api<Namespace> = Api::all(ctx.client.clone());
        match namespaces.get_metadata(&key(self).namespace).await {
            Ok(namespace) => namespace.metadata.deletion_timestamp.is_some(),
            Err(error) => {
                tracing::debug!(object = %key(self), "cannot read the namespace: {}", said(&error));
                false
            }
        }
    }
}
