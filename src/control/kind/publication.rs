//! Publication for the driver: reads the ConfigMaps, publishes, and reads what came of it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kube::ResourceExt;

use super::lodger::{self, Home, Lodger};
use super::{Kind, Made, Reference, config_map, key, rivals, unread};
use crate::applink::Upload;
use crate::control::{Error, Shell};
use crate::crd::{
    ConfigMapKeyRef, Connection, ManagementPolicy, NamedOrMetadata, Provider, Publication, PublicationStatus, Reason,
};
use crate::heroku::AccessError;
use crate::observe::{Key, Page, Seen, Shelf, Wanted};
use crate::plan::Plan;
use crate::plan::collection::Witness;
use crate::plan::desired::publication::{DesiredPublication, Texts};
use crate::plan::diff::publication;
use crate::plan::live::{self, Phase, RemotePublication};
use crate::plan::memory::Memory;
use crate::plan::policy::Policies;
use crate::plan::remote::name::Rival;
use crate::plan::verdict::Verdict;

/// What is live of a publication and around it.
pub(in crate::control) struct Live {
    home: Home,
    remote: live::Live<RemotePublication>,
    rivals: Vec<Rival>,
    none: PublicationStatus,
}

/// The digests of what was found good, by publication: a document is judged once, and not at each plan.
#[derive(Default)]
pub(in crate::control) struct Judged(Mutex<HashMap<Key, String>>);

impl Judged {
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

impl Lodger for Publication {
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
    const BEGINNING: Reason = Reason::Publishing;
    type Status = PublicationStatus;
    type Inputs = Result<DesiredPublication, Verdict>;
    type Live = Live;

    fn status(&self) -> Option<&PublicationStatus> {
        self.status.as_ref()
    }

    fn addon(&self, shell: &Shell) -> Option<Key> {
        lodger::addon_key(self, shell)
    }

    fn references(&self) -> Vec<Reference> {
        let maps = self.config_maps().into_iter().map(|at| Reference::config_map(&at.name));
        maps.chain([Reference::to::<Connection>(&self.spec.connection_ref.name)]).collect()
    }

    fn concerned(&self, shell: &Shell, moved: &BTreeSet<String>) -> bool {
        lodger::concerned(self, shell, moved)
    }

    fn want(&self, shell: &Shell, wanted: &mut Wanted) {
        wanted.publications.extend(lodger::connection_id(self, shell));
    }

    fn writes_alone_to(&self, shell: &Shell) -> Option<String> {
        lodger::connection_id(self, shell)
    }

    async fn resolve(&self, shell: &Shell) -> Result<Self::Inputs, Error> {
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
            match config_map(shell, &namespace, field, at).await? {
                Ok(content) => *text = Some(content),
                Err(verdict) => return Ok(Err(verdict)),
            }
        }
        let texts = Texts { document: document.unwrap_or_default(), permission_set, connected_app };
        // A document may be large and deep; it is judged on a stack of its own.
        let (spec, good) = (self.spec.clone(), shell.judged.good(&key(self)));
        let judge = move || DesiredPublication::new(&spec, &texts, good.as_deref());
        let judged = tokio::task::spawn_blocking(judge).await.map_err(|_| Error::Unjudged)?;
        if let Ok(desired) = &judged {
            shell.judged.keep(key(self), &desired.hash, |other| shell.read::<Publication, _>(other, |_| ()).is_some());
        }
        Ok(judged)
    }

    async fn without_inputs(&self, _shell: &Shell) -> Self::Inputs {
        Err(unread(Self::KIND))
    }

    fn is_passive(&self) -> bool {
        let handling = self.spec.handling;
        handling.suspend || handling.management_policy == ManagementPolicy::Observe
    }

    fn live(&self, shell: &Shell, memory: &Memory) -> Live {
        let home = lodger::home(self, shell, memory);
        let remote = match lodger::place(self, shell) {
            Some((addon, id)) => {
                let shelf = Shelf::publications(&id);
                shell.observer.see(&addon, &shelf, Some(&home.app), &home.app, memory.since)
            }
            None => live::Live::default(),
        };
        let wants = |other: &Publication| {
            other.spec.handling.management_policy != ManagementPolicy::Observe && lodger::same(shell, self, other)
        };
        Live { rivals: rivals(self, shell, wants), home, remote, none: PublicationStatus::default() }
    }

    fn plan(&self, inputs: &Self::Inputs, live: &Live, memory: &Memory, now: Timestamp) -> Plan<PublicationStatus> {
        publication::plan(&publication::Input {
            spec: &self.spec,
            policies: Policies::of(self.spec.handling, self.spec.ending).under(live.home.ceiling),
            addon_name: &live.home.addon_name,
            addon: &live.home.addon,
            app: &live.home.app,
            parent: &live.home.parent,
            severed: live.home.severed,
            desired: inputs,
            live: &live.remote,
            rivals: &live.rivals,
            memory,
            status: self.status.as_ref().unwrap_or(&live.none),
            now,
        })
    }

    async fn create(&self, shell: &Shell, inputs: &Self::Inputs) -> Result<Made, AccessError> {
        let (addon, now) = lodger::place(self, shell).ok_or(AccessError::Forgotten)?;
        // Whatever the connection is by now: the word was given for that one.
        let connection = lodger::made_on(self).unwrap_or(now);
        let Ok(desired) = inputs else { return Err(AccessError::Forgotten) };
        let api = shell.observer.api(&addon)?;
        let app = api.found().await?.facts.app_id.clone();
        let upload = Upload {
            archive: &desired.archive,
            client_name: &desired.client_name,
            permission_set: desired.permission_set.as_deref(),
            external_client_app: desired.external_client_app.as_deref(),
            connected_app: desired.connected_app.as_deref(),
        };
        let result = api.publish(&connection, &upload).await;
        if !matches!(result, Err(AccessError::Budget(_))) {
            let touched = Witness::Touched(app.clone());
            shell.observer.witness(&addon, &Shelf::publications(&connection), shell.clock.now(), touched);
        }
        result?;
        // The answer tells next to nothing; what was published is seen by reading it, by the next pass at the latest.
        if let Err(error) = self.read(shell, &addon, &connection, &app).await {
            tracing::debug!("cannot read what was published: {error}");
        }
        Ok(Made { id: app, phase: Phase::Up })
    }

    async fn delete(&self, shell: &Shell, id: &str) -> Result<(), AccessError> {
        let (addon, connection) = lodger::place(self, shell).ok_or(AccessError::Forgotten)?;
        let result = shell.observer.api(&addon)?.delete_publication(&connection).await;
        let touched = Witness::Touched(id.to_owned());
        shell.observer.witness(&addon, &Shelf::publications(&connection), shell.clock.now(), touched);
        result?;
        self.read(shell, &addon, &connection, id).await
    }

    async fn confirm(&self, shell: &Shell, id: &str) -> Result<(), AccessError> {
        let (addon, connection) = lodger::place(self, shell).ok_or(AccessError::Forgotten)?;
        self.read(shell, &addon, &connection, id).await
    }

    fn deprecation(&self) -> Option<String> {
        self.spec.connected_app.as_ref()?;
        let text = "spec.connectedApp: Salesforce has deprecated connected apps, and since Spring '26 no new ones can be \
                    made; move to spec.externalClientApp";
        Some(text.to_owned())
    }

    fn shown(&self, shell: &Shell) {
        lodger::shown(self, shell);
    }

    fn reported(&self, shell: &Shell, generation_moved: bool) {
        lodger::reported(shell, generation_moved);
    }

    fn released(&self, shell: &Shell) {
        lodger::released(self, shell);
    }
}

impl Publication {
    fn config_maps(&self) -> Vec<&ConfigMapKeyRef> {
        let document = self.spec.api_spec.config_map_key_ref.as_ref();
        let metadata = [metadata(&self.spec.permission_set), metadata(&self.spec.connected_app)];
        document.into_iter().chain(metadata.into_iter().flatten()).collect()
    }

    /// Reads what is published, which is a whole list of it.
    async fn read(&self, shell: &Shell, addon: &Key, connection: &str, app: &str) -> Result<(), AccessError> {
        let began = shell.clock.now();
        let listing = shell.observer.api(addon)?.read_publications(connection).await?;
        let gone = !listing.items.iter().any(|seen| seen.id == app);
        let page = Page { connection: connection.to_owned(), began, seen: Seen::Publications(listing) };
        shell.observer.list_page(addon, page);
        if gone {
            let gone = Witness::Gone(app.to_owned());
            shell.observer.witness(addon, &Shelf::publications(connection), began, gone);
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
        let judged = Judged::default();
        assert_eq!(judged.good(&key("a")), None);
        judged.keep(key("a"), "1", |_| true);
        judged.keep(key("b"), "1", |_| true);
        judged.keep(key("a"), "2", |_| true);
        assert_eq!((judged.good(&key("a")).as_deref(), judged.good(&key("b")).as_deref()), (Some("2"), Some("1")));
        judged.keep(key("c"), "3", |known| known.name != "b");
        assert_eq!((judged.good(&key("a")).as_deref(), judged.good(&key("b"))), (Some("2"), None));
    }
}
