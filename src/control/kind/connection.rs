//! Connection for the driver: as all granted access, but for what lives on it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt};

use super::grant::{self, Granting};
use super::{Kind, Made, Reference};
use crate::control::roster::key;
use crate::control::{Error, Shell, said};
use crate::crd::{Access, Connection, ConnectionStatus, Ending, GrantStatus, Handling, Provider, Reason, annotation};
use crate::heroku::AccessError;
use crate::observe::{Cause, Key, Page, Seen, Shelf};
use crate::plan::Plan;
use crate::plan::diff::connection::{self, Dependant, Targets};
use crate::plan::live::{GrantKind, Link, Phase};
use crate::plan::memory::Memory;

/// What is declared, and what becomes of its namespace.
pub(in crate::control) struct Inputs {
    grant: grant::Inputs,
    namespace_ends: bool,
}

/// What is live of a connection, and on it.
pub(in crate::control) struct Live {
    grant: grant::Live,
    dependants: Vec<Dependant>,
    targets: Targets,
    none: ConnectionStatus,
}

impl Granting for Connection {
    const GRANT: GrantKind = GrantKind::Connection;

    fn name(&self) -> &str {
        &self.spec.connection_name
    }
    fn addon_name(&self) -> &str {
        &self.spec.addon_ref.name
    }
    fn access(&self) -> &Access {
        &self.spec.access
    }
    fn own_policies(&self) -> (Handling, Ending) {
        (self.spec.handling, self.spec.ending)
    }
    fn recorded(&self) -> Option<&GrantStatus> {
        self.status.as_ref().map(|status| &status.grant)
    }
    /// Unique, and the same however often it is tried.
    fn alias(&self) -> String {
        format!("applink-operator-{}", self.uid().unwrap_or_default())
    }
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

    fn addon(&self, _shell: &Shell) -> Option<Key> {
        Some(grant::addon_key(self))
    }

    fn references(&self) -> Vec<Reference> {
        grant::references(self)
    }

    fn concerned(&self, _shell: &Shell, moved: &BTreeSet<String>) -> bool {
        grant::concerned(self, moved)
    }

    async fn resolve(&self, shell: &Shell) -> Result<Inputs, Error> {
        Ok(Inputs { grant: grant::resolve(self, shell).await?, namespace_ends: self.namespace_ends(shell).await })
    }

    async fn without_inputs(&self, shell: &Shell) -> Inputs {
        Inputs { grant: grant::without_inputs(self), namespace_ends: self.namespace_ends(shell).await }
    }

    fn is_passive(&self) -> bool {
        grant::is_passive(self)
    }

    fn live(&self, shell: &Shell, memory: &Memory) -> Live {
        let id = self.recorded().and_then(|status| status.remote.id.as_deref());
        // Nobody else is to know who lives on it.
        let asked = memory.deleting || self.spec.access.provider == Provider::DataCloud;
        Live {
            grant: grant::live(self, shell, memory),
            dependants: if asked { shell.dependants(&key(self)) } else { Vec::new() },
            targets: id.map(|id| shell.observer.survey(&grant::addon_key(self), id)).unwrap_or_default(),
            none: ConnectionStatus::default(),
        }
    }

    fn plan(&self, inputs: &Inputs, live: &Live, memory: &Memory, now: Timestamp) -> Plan<ConnectionStatus> {
        connection::plan(&connection::Input {
            grant: grant::input(self, &inputs.grant, &live.grant, memory, now),
            dependants: &live.dependants,
            targets: &live.targets,
            namespace_ends: inputs.namespace_ends,
            status: self.status.as_ref().unwrap_or(&live.none),
        })
    }

    async fn create(&self, shell: &Shell, inputs: &Inputs) -> Result<Made, AccessError> {
        grant::create(self, shell, &inputs.grant).await
    }

    async fn delete(&self, shell: &Shell, id: &str) -> Result<(), AccessError> {
        let before = self.phase(shell, id);
        let done = grant::delete(self, shell, id).await;
        self.turned(shell, id, before);
        done
    }

    async fn confirm(&self, shell: &Shell, id: &str) -> Result<(), AccessError> {
        let before = self.phase(shell, id);
        let done = grant::confirm(self, shell, id).await;
        self.turned(shell, id, before);
        done
    }

    async fn survey(&self, shell: &Shell, id: &str) -> Result<(), AccessError> {
        let addon = grant::addon_key(self);
        let began = shell.clock.now();
        let listed = shell.observer.api(&addon)?.list_targets(id).await?;
        let seen = listed.map_or_else(|| Seen::Each(Vec::new()), Seen::Targets);
        shell.observer.list_page(&addon, Page { connection: id.to_owned(), began, seen });
        Ok(())
    }

    fn link(&self, shell: &Shell, id: &str) -> Option<Link> {
        grant::link(self, shell, id)
    }

    fn link_secret(&self) -> Option<String> {
        Some(grant::link_secret(self))
    }

    fn shown(&self, shell: &Shell) {
        shell.wake(&Cause::Dependants(key(self)));
    }

    fn released(&self, shell: &Shell) {
        // Its name may be free for another, and its add-on for deletion.
        let addon = grant::addon_key(self);
        shell.wake(&Cause::Moved(addon.clone(), BTreeSet::from([self.spec.connection_name.clone()])));
        shell.wake(&Cause::Object(addon));
    }
}

impl Connection {
    fn phase(&self, shell: &Shell, id: &str) -> Option<Phase> {
        let shelf = Shelf::grants(GrantKind::Connection);
        let seen = shell.observer.see(&grant::addon_key(self), &shelf, Some(id), self.name(), Timestamp::UNIX_EPOCH);
        seen.of_id(id).map(|seen| seen.object.phase)
    }

    /// What lives on it learns by no list what a call of ours showed of it.
    fn turned(&self, shell: &Shell, id: &str, before: Option<Phase>) {
        if self.phase(shell, id) != before {
            shell.wake(&Cause::Dependants(key(self)));
        }
    }

    /// Whether its namespace is being deleted. Asked only where targets stand between it and its own end; who may not read
    /// that is told no.
    async fn namespace_ends(&self, shell: &Shell) -> bool {
        let leaving = self.metadata.deletion_timestamp.is_some() && self.spec.access.provider == Provider::DataCloud;
        let confirmed = self.annotations().get(annotation::CONFIRM_CASCADE).is_some_and(|word| word == "true");
        let on_it = || shell.dependants(&key(self)).iter().any(|dependant| dependant.target.is_some());
        if !leaving || confirmed || !on_it() {
            return false;
        }
        let namespaces: Api<Namespace> = Api::all(shell.client.clone());
        match namespaces.get_metadata(&key(self).namespace).await {
            Ok(namespace) => namespace.metadata.deletion_timestamp.is_some(),
            Err(error) => {
                tracing::debug!(object = %key(self), "cannot read the namespace: {}", said(&error));
                false
            }
        }
    }
}
