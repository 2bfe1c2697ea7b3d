//! The Connection kind: what it shares with authorizations, and what depends on it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt};

use super::org_access::{self, OrgAccessResource, org_access_effects, org_access_gather, org_access_kind};
use crate::control::context::Context;
use crate::control::effects::{Effects, Made};
use crate::control::error::{Error, said};
use crate::control::gather::Gather;
use crate::control::kind::{Kind, Reference, key};
use crate::crd::{
    AuthSpec, Connection, ConnectionStatus, DeletionPolicies, ManagementPolicies, OrgAccessStatus, Provider, Reason,
    annotation,
};
use crate::facts::{ConsentLink, OrgAccessKind};
use crate::observe::{ChildListing, ChildObservations, Key, Trigger};
use crate::plan::Plan;
use crate::plan::inputs::OrgAccessPayload;
use crate::plan::kinds::connection;
use crate::plan::state::ReconcileState;
use crate::plan::transition::CallFailure;

/// The inputs, and whether its namespace is being deleted.
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
    fn on_phase_changed(&self, ctx: &Context) {
        ctx.trigger(&Trigger::Dependents(key(self)));
    }
}

impl Kind for Connection {
    const KIND: &'static str = "Connection";
    const INITIAL_REASON: Reason = Reason::Creating;
    type Status = ConnectionStatus;

    fn status(&self) -> Option<&ConnectionStatus> {
        self.status.as_ref()
    }

    fn references(&self) -> Vec<Reference> {
        org_access::references(self)
    }

    org_access_kind!();
}

impl Gather for Connection {
    type Inputs = Inputs;
    type Snapshot = connection::Snapshot;

    org_access_gather!();

    async fn gather(&self, ctx: &Context) -> Result<Inputs, Error> {
        Ok(Inputs { access: org_access::gather(self, ctx).await?, namespace_ends: self.namespace_ends(ctx).await })
    }

    async fn gather_without_inputs(&self, ctx: &Context) -> Inputs {
        Inputs { access: org_access::gather_without_inputs(self), namespace_ends: self.namespace_ends(ctx).await }
    }

    fn snapshot(&self, ctx: &Context, inputs: &Inputs, state: ReconcileState, now: Timestamp) -> connection::Snapshot {
        let id = self.recorded().and_then(|status| status.remote.id.as_deref());
        // Other plans do not read the dependents.
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

    fn on_observed(&self, ctx: &Context) {
        ctx.trigger(&Trigger::Dependents(key(self)));
    }
}

impl Effects for Connection {
    org_access_effects!();

    async fn list_targets(&self, ctx: &Context, id: &str) -> Result<(), CallFailure> {
        let addon = org_access::addon_key(self);
        let began = ctx.clock.now();
        let listed = ctx.observer.api(&addon)?.list_targets(id).await?;
        let seen = listed.map_or_else(|| ChildObservations::Each(Vec::new()), ChildObservations::Targets);
        ctx.observer.apply_child_listing(&addon, ChildListing { connection: id.to_owned(), began, seen });
        Ok(())
    }
}

impl Connection {
    /// Whether its namespace is being deleted. Asked only if targets block its own deletion; without the right to read
    /// namespaces, the answer is no.
    async fn namespace_ends(&self, ctx: &Context) -> bool {
        let deleting = self.metadata.deletion_timestamp.is_some() && self.spec.access.provider == Provider::DataCloud;
        let confirmed = self.annotations().get(annotation::CONFIRM_CASCADE).is_some_and(|word| word == "true");
        let on_it = || ctx.dependents(&key(self)).iter().any(|dependent| dependent.target.is_some());
        if !deleting || confirmed || !on_it() {
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
