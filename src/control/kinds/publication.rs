//! Publication for the driver: reads the ConfigMaps, publishes, and reads what came of it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kube::ResourceExt;

use super::connection_child::{self, ChildContext, ConnectionChild};
use super::{Kind, Made, Reference, config_map, key, name_claims, unread};
use crate::applink::Upload;
use crate::conditions::ConditionReport;
use crate::control::{Context, Error};
use crate::crd::{
    ConfigMapKeyRef, Connection, ManagementPolicy, NamedOrMetadata, Provider, Publication, PublicationStatus, Reason,
};
use crate::facts::collection::Observation;
use crate::facts::{self, Phase, RemotePublication};
use crate::heroku::RemoteError;
use crate::observe::{ChildListing, ChildObservations, CollectionRef, Key, Subscription};
use crate::plan::Plan;
use crate::plan::desired::publication::{DesiredPublication, Texts};
use crate::plan::kinds::publication;
use crate::plan::policies::Policies;
use crate::plan::remote::name_claim::NameClaim;
use crate::plan::state::ReconcileState;

/// What is live of a publication and around it.
pub(in crate::control) struct Lookup {
    child: ChildContext,
    remote: facts::Lookup<RemotePublication>,
    name_claims: Vec<NameClaim>,
    none: PublicationStatus,
}

/// The digests of what was found good, by publication: a document is judged once, and not at each plan.
#[derive(Default)]
pub(in crate::control) struct ValidatedDigests(Mutex<HashMap<Key, String>>);

impl ValidatedDigests {
    fn good(&self, publication: &Key) -> Option<String> {
        self.all().get(publication).cloned()
    }

    /// Keeps the digest of this publication, and forgets those of all that are not there any more.
    fn keep(&self, publication: Key, hash: &str, is_there: impl Fn(&Key) -> bool) {
        let mut all = self.all();
        if all.get(&publication).is_none_or(|known| known != hash) {
            all.retain(|known, _| is_there(known));
            all.insert(publication, hash.to_owned());
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Key, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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
    type Inputs = Result<DesiredPublication, ConditionReport>;
    type Lookup = Lookup;

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

    fn subscribe(&self, ctx: &Context, wanted: &mut Subscription) {
        wanted.publications.extend(connection_child::connection_id(self, ctx));
    }

    fn exclusive_scope(&self, ctx: &Context) -> Option<String> {
        connection_child::connection_id(self, ctx)
    }

    async fn resolve(&self, ctx: &Context) -> Result<Self::Inputs, Error> {
        let namespace = self.namespace().unwrap_or_default();
        let mut document = self.spec.api_spec.inline.clone().map(String::into_bytes);
        let (mut permission_set, mut connected_app) = (None, None);
        let sources = [
            ("spec.apiSpec.configMapKeyRef", self.spec.api_spec.config_map_key_ref.as_ref(), &mut document),
            ("spec.permissionSet.metadataConfigMapKeyRef", metadata(&self.spec.permission_set), &mut permission_set),
            ("spec.connectedApp.metadataConfigMapKeyRef", metadata(&self.spec.connected_app), &mut connected_app),
        ];
        for (field, at, text) in sources {
            let Some(at) = at else { continue };
            match config_map(ctx, &namespace, field, at).await? {
                Ok(content) => *text = Some(content),
                Err(report) => return Ok(Err(report)),
            }
        }
        let texts = Texts { document: document.unwrap_or_default(), permission_set, connected_app };
        // A document may be large and deep; it is judged on a stack of its own.
        let (spec, good) = (self.spec.clone(), ctx.judged.good(&key(self)));
        let judge = move || DesiredPublication::new(&spec, &texts, good.as_deref());
        let judged = tokio::task::spawn_blocking(judge).await.map_err(|_| Error::Unjudged)?;
        if let Ok(desired) = &judged {
            ctx.judged.keep(key(self), &desired.hash, |other| ctx.read::<Publication, _>(other, |_| ()).is_some());
        }
        Ok(judged)
    }

    async fn without_inputs(&self, _shell: &Context) -> Self::Inputs {
        Err(unread(Self::KIND))
    }

    fn is_passive(&self) -> bool {
        let handling = self.spec.handling;
        handling.suspend || handling.management_policy == ManagementPolicy::Observe
    }

    fn live(&self, ctx: &Context, state: &ReconcileState) -> Lookup {
        let child = connection_child::child(self, ctx, state);
        let remote = match connection_child::place(self, ctx) {
            Some((addon, id)) => {
                let shelf = CollectionRef::publications(&id);
                ctx.observer.lookup(&addon, &shelf, Some(&child.app), &child.app, state.changed_at)
            }
            None => facts::Lookup::default(),
        };
        let wants = |other: &Publication| {
            other.spec.handling.management_policy != ManagementPolicy::Observe
                && connection_child::same(ctx, self, other)
        };
        Lookup { name_claims: name_claims(self, ctx, wants), child, remote, none: PublicationStatus::default() }
    }

    fn plan(
        &self,
        inputs: &Self::Inputs,
        live: &Lookup,
        state: &ReconcileState,
        now: Timestamp,
    ) -> Plan<PublicationStatus> {
        publication::plan(&publication::Input {
            spec: &self.spec,
            policies: Policies::of(self.spec.handling, self.spec.ending).under(live.child.ceiling),
            owner_name: &live.child.addon_name,
            addon: &live.child.addon,
            app: &live.child.app,
            parent: &live.child.parent,
            connection_gone: live.child.connection_gone,
            desired: inputs,
            live: &live.remote,
            name_claims: &live.name_claims,
            state,
            status: self.status.as_ref().unwrap_or(&live.none),
            now,
        })
    }

    async fn create(&self, ctx: &Context, inputs: &Self::Inputs) -> Result<Made, RemoteError> {
        let (addon, now) = connection_child::place(self, ctx).ok_or(RemoteError::Forgotten)?;
        // Whatever the connection is by now: the word was given for that one.
        let connection = connection_child::made_on(self).unwrap_or(now);
        let Ok(desired) = inputs else { return Err(RemoteError::Forgotten) };
        let api = ctx.observer.api(&addon)?;
        let app = api.found().await?.facts.app_id.clone();
        let upload = Upload {
            archive: &desired.archive,
            client_name: &desired.client_name,
            permission_set: desired.permission_set.as_deref(),
            external_client_app: desired.external_client_app.as_deref(),
            connected_app: desired.connected_app.as_deref(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digest_is_kept_for_as_long_as_the_publication_is_there() {
        let key = |name: &str| Key { kind: Publication::KIND, namespace: "crm".to_owned(), name: name.to_owned() };
        let judged = ValidatedDigests::default();
        assert_eq!(judged.good(&key("a")), None);
        judged.keep(key("a"), "1", |_| true);
        judged.keep(key("b"), "1", |_| true);
        judged.keep(key("a"), "2", |_| true);
        assert_eq!((judged.good(&key("a")).as_deref(), judged.good(&key("b")).as_deref()), (Some("2"), Some("1")));
        judged.keep(key("c"), "3", |known| known.name != "b");
        assert_eq!((judged.good(&key("a")).as_deref(), judged.good(&key("b"))), (Some("2"), None));
    }
}
