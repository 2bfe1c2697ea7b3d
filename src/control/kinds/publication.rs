//! The Publication kind: reads the document and the metadata, publishes, and reads what is published then.
//!
//! Decides nothing.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt;

use super::connection_child::{self, ConnectionChild, connection_child_gather};
use super::name_claims::name_claims;
use super::read::{config_map, not_needed, version_of};
use crate::applink::Upload;
use crate::conditions::ConditionReport;
use crate::control::context::Context;
use crate::control::effects::{Effects, Made};
use crate::control::error::Error;
use crate::control::gather::Gather;
use crate::control::kind::{Kind, Reference, key};
use crate::crd::{
    ConfigMapKeyRef, Connection, ManagementPolicy, NamedOrMetadata, Provider, Publication, PublicationStatus, Reason,
};
use crate::facts::collection::Observation;
use crate::facts::{Lookup, Phase};
use crate::heroku::RemoteError;
use crate::observe::{ChildListing, ChildObservations, CollectionRef, Key, Subscription};
use crate::plan::Plan;
use crate::plan::inputs::publication::{PublicationInputs, PublicationPayload, Texts};
use crate::plan::kinds::publication;
use crate::plan::policies::Policies;
use crate::plan::state::ReconcileState;
use crate::plan::transition::CallFailure;

impl ConnectionChild for Publication {
    const NEEDS: (&'static str, Provider) = ("Publication", Provider::Salesforce);

    fn connection_name(&self) -> &str {
        &self.spec.connection_ref.name
    }
    fn recorded_connection(&self) -> Option<&str> {
        self.status.as_ref()?.connection_id.as_deref()
    }
}

impl Kind for Publication {
    const KIND: &'static str = "Publication";
    const INITIAL_REASON: Reason = Reason::Publishing;
    type Status = PublicationStatus;

    fn status(&self) -> Option<&PublicationStatus> {
        self.status.as_ref()
    }

    fn references(&self) -> Vec<Reference> {
        let maps = self.config_maps().into_iter().map(|at| Reference::config_map(&at.name));
        maps.chain([Reference::to::<Connection>(&self.spec.connection_ref.name)]).collect()
    }

    fn recorded_ids(&self) -> Vec<String> {
        connection_child::recorded_ids(self)
    }

    fn is_passive(&self) -> bool {
        self.spec.handling.is_passive()
    }

    fn deprecation(&self) -> Option<String> {
        self.spec.connected_app.as_ref()?;
        let text = "spec.connectedApp: Salesforce has deprecated connected apps, and since Spring '26 no new ones can be \
                    made; move to spec.externalClientApp";
        Some(text.to_owned())
    }
}

impl Gather for Publication {
    type Inputs = Result<PublicationInputs, ConditionReport>;
    type Snapshot = publication::Snapshot;

    connection_child_gather!();

    fn subscribe(&self, ctx: &Context, subscription: &mut Subscription) {
        subscription.publications.extend(connection_child::connection_id(self, ctx));
    }

    async fn gather(&self, ctx: &Context) -> Result<Self::Inputs, Error> {
        let (texts, version) = match self.texts(ctx).await? {
            Ok(read) => read,
            Err(report) => return Ok(Err(report)),
        };
        if let Some(known) = ctx.publication_digests.get(&key(self), &version) {
            return Ok(known);
        }
        let inputs = self.pack(texts).await?.map(|payload| payload.inputs());
        ctx.publication_digests.insert(key(self), version, inputs.clone());
        Ok(inputs)
    }

    async fn gather_without_inputs(&self, _ctx: &Context) -> Self::Inputs {
        Err(not_needed(Self::KIND))
    }

    fn snapshot(
        &self,
        ctx: &Context,
        inputs: &Self::Inputs,
        state: ReconcileState,
        now: Timestamp,
    ) -> publication::Snapshot {
        let child = connection_child::context(self, ctx, &state);
        let lookup = match connection_child::call_target(self, ctx) {
            Some((addon, id)) => {
                let collection = CollectionRef::publications(&id);
                ctx.observer.lookup(&addon, &collection, Some(&child.app), &child.app, state.changed_at)
            }
            None => Lookup::default(),
        };
        let wants = |other: &Publication| {
            other.spec.handling.management_policy != ManagementPolicy::Observe
                && connection_child::same(ctx, self, other)
        };
        publication::Snapshot {
            client_name: self.spec.client_name.clone(),
            policies: Policies::of(self.spec.handling, self.spec.ending).under(child.ceiling),
            owner_name: child.owner_name,
            owner: child.addon,
            app: child.app,
            connection: child.connection,
            connection_gone: child.connection_gone,
            inputs: inputs.clone(),
            lookup,
            name_claims: name_claims(self, ctx, connection_child::siblings(self, ctx), wants),
            status: self.status.clone().unwrap_or_default(),
            state,
            now,
        }
    }

    fn plan(snapshot: &publication::Snapshot) -> Plan<PublicationStatus> {
        publication::plan(snapshot)
    }
}

impl Effects for Publication {
    type Payload = PublicationPayload;

    fn exclusive_scope(&self, ctx: &Context) -> Option<String> {
        connection_child::connection_id(self, ctx)
    }

    async fn payload(&self, ctx: &Context) -> Result<Option<PublicationPayload>, Error> {
        match self.texts(ctx).await? {
            Ok((texts, _)) => Ok(self.pack(texts).await?.ok()),
            Err(_) => Ok(None),
        }
    }

    async fn create(&self, ctx: &Context, payload: &PublicationPayload) -> Result<Made, CallFailure> {
        let (addon, now) = connection_child::call_target(self, ctx).ok_or(RemoteError::Forgotten)?;
        // The intent names the connection, whatever the connection is by now.
        let connection = connection_child::created_on(self).unwrap_or(now);
        let api = ctx.observer.api(&addon)?;
        let app = api.resolve().await?.facts.app_id.clone();
        let upload = Upload {
            archive: &payload.archive,
            client_name: &payload.client_name,
            permission_set: payload.permission_set.as_deref(),
            external_client_app: payload.external_client_app.as_deref(),
            connected_app: payload.connected_app.as_deref(),
        };
        let result = api.publish(&connection, &upload).await;
        if !matches!(result, Err(RemoteError::Budget(_))) {
            let written = Observation::Written(app.clone());
            ctx.observer.observe(&addon, &CollectionRef::publications(&connection), ctx.clock.now(), written);
        }
        result?;
        // The answer says almost nothing, so read the publication. If that fails, the next poll does it.
        if let Err(error) = self.read(ctx, &addon, &connection, &app).await {
            tracing::debug!("cannot read what was published: {}", error.text);
        }
        Ok(Made { id: app, phase: Phase::Ready })
    }

    async fn delete(&self, ctx: &Context, id: &str) -> Result<(), CallFailure> {
        let (addon, connection) = connection_child::call_target(self, ctx).ok_or(RemoteError::Forgotten)?;
        let result = ctx.observer.api(&addon)?.delete_publication(&connection).await;
        let written = Observation::Written(id.to_owned());
        ctx.observer.observe(&addon, &CollectionRef::publications(&connection), ctx.clock.now(), written);
        result?;
        self.read(ctx, &addon, &connection, id).await
    }

    async fn get(&self, ctx: &Context, id: &str) -> Result<(), CallFailure> {
        let (addon, connection) = connection_child::call_target(self, ctx).ok_or(RemoteError::Forgotten)?;
        self.read(ctx, &addon, &connection, id).await
    }
}

impl Publication {
    fn config_maps(&self) -> Vec<&ConfigMapKeyRef> {
        let document = self.spec.api_spec.config_map_key_ref.as_ref();
        let metadata = [metadata(&self.spec.permission_set), metadata(&self.spec.connected_app)];
        document.into_iter().chain(metadata.into_iter().flatten()).collect()
    }

    /// Reads the document and the metadata, with a text that identifies their version.
    async fn texts(&self, ctx: &Context) -> Result<Result<(Texts, String), ConditionReport>, Error> {
        let namespace = self.namespace().unwrap_or_default();
        let mut document = self.spec.api_spec.inline.clone().map(String::into_bytes);
        let (mut permission_set, mut connected_app) = (None, None);
        let mut version = version_of(&self.metadata);
        let sources = [
            ("spec.apiSpec.configMapKeyRef", self.spec.api_spec.config_map_key_ref.as_ref(), &mut document),
            ("spec.permissionSet.metadataConfigMapKeyRef", metadata(&self.spec.permission_set), &mut permission_set),
            ("spec.connectedApp.metadataConfigMapKeyRef", metadata(&self.spec.connected_app), &mut connected_app),
        ];
        for (field, at, text) in sources {
            let Some(at) = at else { continue };
            match config_map(ctx, &namespace, field, at).await? {
                Ok(read) => {
                    *text = Some(read.content);
                    version = format!("{version}:{}", read.version);
                }
                Err(report) => return Ok(Err(report)),
            }
        }
        Ok(Ok((Texts { document: document.unwrap_or_default(), permission_set, connected_app }, version)))
    }

    /// Checks and packs the document on a thread of its own, because it may be large.
    async fn pack(&self, texts: Texts) -> Result<Result<PublicationPayload, ConditionReport>, Error> {
        let spec = self.spec.clone();
        let pack = move || PublicationPayload::new(&spec, &texts);
        tokio::task::spawn_blocking(pack).await.map_err(|_| Error::Unpacked)
    }

    /// Lists what is published on the connection.
    async fn read(&self, ctx: &Context, addon: &Key, connection: &str, app: &str) -> Result<(), CallFailure> {
        let began = ctx.clock.now();
        let listing = ctx.observer.api(addon)?.read_publications(connection).await?;
        let gone = !listing.items.iter().any(|seen| seen.id == app);
        let children =
            ChildListing { connection: connection.to_owned(), began, seen: ChildObservations::Publications(listing) };
        ctx.observer.apply_child_listing(addon, children);
        if gone {
            let gone = Observation::Deleted(app.to_owned());
            ctx.observer.observe(addon, &CollectionRef::publications(connection), began, gone);
        }
        Ok(())
    }
}

fn metadata(of: &Option<NamedOrMetadata>) -> Option<&ConfigMapKeyRef> {
    of.as_ref().and_then(NamedOrMetadata::metadata)
}
