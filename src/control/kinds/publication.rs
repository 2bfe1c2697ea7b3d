//! Publication for the reconciler: reads the ConfigMaps, publishes, and reads what is published then.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt;

use super::connection_child::{self, ConnectionChild};
use super::read::{config_map, version_of};
use super::{Kind, Made, Reference, key, name_claims, unread};
use crate::applink::Upload;
use crate::conditions::ConditionReport;
use crate::control::{Context, Error};
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
    type Inputs = Result<PublicationInputs, ConditionReport>;
    type Snapshot = publication::Snapshot;
    type Payload = PublicationPayload;

    fn status(&self) -> Option<&PublicationStatus> {
        self.status.as_ref()
    }

    fn addon(&self, ctx: &Context) -> Option<Key> {
        connection_child::addon_key(self, ctx)
    }

    fn references(&self) -> Vec<Reference> {
        let maps = self.config_maps().into_iter().map(|at| Reference::config_map(&at.name));
        maps.chain([Reference::to::<Connection>(&self.spec.connection_ref.name)]).collect()
    }

    fn is_affected(&self, ctx: &Context, moved: &BTreeSet<String>) -> bool {
        connection_child::is_affected(self, ctx, moved)
    }

    fn recorded_ids(&self) -> Vec<String> {
        connection_child::recorded_ids(self)
    }

    fn subscribe(&self, ctx: &Context, wanted: &mut Subscription) {
        wanted.publications.extend(connection_child::connection_id(self, ctx));
    }

    fn exclusive_scope(&self, ctx: &Context) -> Option<String> {
        connection_child::connection_id(self, ctx)
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
        Err(unread(Self::KIND))
    }

    async fn payload(&self, ctx: &Context) -> Result<Option<PublicationPayload>, Error> {
        match self.texts(ctx).await? {
            Ok((texts, _)) => Ok(self.pack(texts).await?.ok()),
            Err(_) => Ok(None),
        }
    }

    fn is_passive(&self) -> bool {
        self.spec.handling.is_passive()
    }

    fn snapshot(
        &self,
        ctx: &Context,
        inputs: &Self::Inputs,
        state: ReconcileState,
        now: Timestamp,
    ) -> publication::Snapshot {
        let child = connection_child::child(self, ctx, &state);
        let lookup = match connection_child::place(self, ctx) {
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
            connection: child.parent,
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

    async fn create(&self, ctx: &Context, payload: &PublicationPayload) -> Result<Made, RemoteError> {
        let (addon, now) = connection_child::place(self, ctx).ok_or(RemoteError::Forgotten)?;
        // Whatever the connection is by now: the word was given for that one.
        let connection = connection_child::made_on(self).unwrap_or(now);
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
            let touched = Observation::Written(app.clone());
            ctx.observer.observe(&addon, &CollectionRef::publications(&connection), ctx.clock.now(), touched);
        }
        result?;
        // The answer tells next to nothing; what was published is seen by reading it, by the next pass at the latest.
        if let Err(error) = self.read(ctx, &addon, &connection, &app).await {
            tracing::debug!("cannot read what was published: {error}");
        }
        Ok(Made { id: app, phase: Phase::Ready })
    }

    async fn delete(&self, ctx: &Context, id: &str) -> Result<(), RemoteError> {
        let (addon, connection) = connection_child::place(self, ctx).ok_or(RemoteError::Forgotten)?;
        let result = ctx.observer.api(&addon)?.delete_publication(&connection).await;
        let touched = Observation::Written(id.to_owned());
        ctx.observer.observe(&addon, &CollectionRef::publications(&connection), ctx.clock.now(), touched);
        result?;
        self.read(ctx, &addon, &connection, id).await
    }

    async fn get(&self, ctx: &Context, id: &str) -> Result<(), RemoteError> {
        let (addon, connection) = connection_child::place(self, ctx).ok_or(RemoteError::Forgotten)?;
        self.read(ctx, &addon, &connection, id).await
    }

    fn deprecation(&self) -> Option<String> {
        self.spec.connected_app.as_ref()?;
        let text = "spec.connectedApp: Salesforce has deprecated connected apps, and since Spring '26 no new ones can be \
                    made; move to spec.externalClientApp";
        Some(text.to_owned())
    }

    fn on_observed(&self, ctx: &Context) {
        connection_child::on_observed(self, ctx);
    }

    fn on_reported(&self, ctx: &Context, generation_moved: bool) {
        connection_child::on_reported(ctx, generation_moved);
    }

    fn on_finalizer_removed(&self, ctx: &Context) {
        connection_child::on_finalizer_removed(self, ctx);
    }
}

impl Publication {
    fn config_maps(&self) -> Vec<&ConfigMapKeyRef> {
        let document = self.spec.api_spec.config_map_key_ref.as_ref();
        let metadata = [metadata(&self.spec.permission_set), metadata(&self.spec.connected_app)];
        document.into_iter().chain(metadata.into_iter().flatten()).collect()
    }

    /// Reads the document and the metadata, and tells this version of them from all others.
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

    /// Checks and packs. A document may be large and deep, so this has a thread of its own.
    async fn pack(&self, texts: Texts) -> Result<Result<PublicationPayload, ConditionReport>, Error> {
        let spec = self.spec.clone();
        let pack = move || PublicationPayload::new(&spec, &texts);
        tokio::task::spawn_blocking(pack).await.map_err(|_| Error::Unpacked)
    }

    /// Reads what is published, which is a whole list of it.
    async fn read(&self, ctx: &Context, addon: &Key, connection: &str, app: &str) -> Result<(), RemoteError> {
        let began = ctx.clock.now();
        let listing = ctx.observer.api(addon)?.read_publications(connection).await?;
        let gone = !listing.items.iter().any(|seen| seen.id == app);
        let page =
            ChildListing { connection: connection.to_owned(), began, seen: ChildObservations::Publications(listing) };
        ctx.observer.apply_child_listing(addon, page);
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
