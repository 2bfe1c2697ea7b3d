//! Connection for the driver: as all granted access, but for what lives on it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::ResourceExt;

use super::grant::{self, Granting};
use super::{Kind, Made, Reference};
use crate::control::roster::key;
use crate::control::{Error, Shell};
use crate::crd::{Access, Connection, ConnectionStatus, Ending, GrantStatus, Handling, Reason};
use crate::heroku::AccessError;
use crate::observe::{Cause, Key, Page, Seen};
use crate::plan::Plan;
use crate::plan::diff::connection::{self, Dependant, Targets};
use crate::plan::live::{GrantKind, Link};
use crate::plan::memory::Memory;

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
    const HAS_DEPENDANTS: bool = true;
    type Status = ConnectionStatus;
    type Inputs = grant::Inputs;
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

    async fn resolve(&self, shell: &Shell) -> Result<grant::Inputs, Error> {
        grant::resolve(self, shell).await
    }

    fn live(&self, shell: &Shell, memory: &Memory) -> Live {
        let id = self.recorded().and_then(|status| status.remote.id.as_deref());
        Live {
            grant: grant::live(self, shell, memory),
            dependants: shell.dependants(&key(self)),
            targets: id.map(|id| shell.observer.survey(&grant::addon_key(self), id)).unwrap_or_default(),
            none: ConnectionStatus::default(),
        }
    }

    fn plan(&self, inputs: &grant::Inputs, live: &Live, memory: &Memory, now: Timestamp) -> Plan<ConnectionStatus> {
        connection::plan(&connection::Input {
            grant: grant::input(self, inputs, &live.grant, memory, now),
            dependants: &live.dependants,
            targets: &live.targets,
            status: self.status.as_ref().unwrap_or(&live.none),
        })
    }

    async fn create(&self, shell: &Shell, inputs: &grant::Inputs) -> Result<Made, AccessError> {
        grant::create(self, shell, inputs).await
    }

    async fn delete(&self, shell: &Shell, id: &str) -> Result<(), AccessError> {
        grant::delete(self, shell, id).await
    }

    async fn confirm(&self, shell: &Shell, id: &str) -> Result<(), AccessError> {
        grant::confirm(self, shell, id).await
    }

    async fn survey(&self, shell: &Shell, id: &str) -> Result<(), AccessError> {
        let addon = grant::addon_key(self);
        let began = shell.clock.now();
        let seen = match shell.observer.api(&addon)?.list_targets(id).await {
            Ok(Some(listing)) => Seen::Targets(listing),
            Ok(None) => Seen::Each(Vec::new()),
            // No document has that list: a service that refuses it has none.
            Err(AccessError::AppLink(call)) if call.status().is_some_and(|s| s.is_client_error() && s != 429) => {
                Seen::Each(Vec::new())
            }
            Err(error) => return Err(error),
        };
        shell.observer.list_page(&addon, Page { connection: id.to_owned(), began, seen });
        Ok(())
    }

    fn link(&self, shell: &Shell, id: &str) -> Option<Link> {
        grant::link(self, shell, id)
    }

    fn link_secret(&self) -> Option<String> {
        Some(grant::link_secret(self))
    }

    fn released(&self, shell: &Shell) {
        // Its name may be free for another, and its add-on for deletion.
        let addon = grant::addon_key(self);
        shell.wake(&Cause::Moved(addon.clone(), BTreeSet::from([self.spec.connection_name.clone()])));
        shell.wake(&Cause::Object(addon));
    }
}
