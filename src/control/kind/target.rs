//! DataActionTarget for the driver.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::lodger::{self, Home, Lodger};
use super::{Kind, Made, Reference, made, rivals};
use crate::applink::NewTarget;
use crate::control::Shell;
use crate::control::roster::key;
use crate::crd::{Connection, DataActionTarget, DataActionTargetStatus, Ending, ManagementPolicy, Provider, Reason};
use crate::heroku::AccessError;
use crate::observe::{Key, Shelf, Wanted};
use crate::plan::Plan;
use crate::plan::collection::Witness;
use crate::plan::diff::target;
use crate::plan::live::{self, RemoteTarget};
use crate::plan::memory::Memory;
use crate::plan::policy::Policies;
use crate::plan::remote::name::Rival;

/// What is live of a target and around it.
pub(in crate::control) struct Live {
    home: Home,
    released: bool,
    remote: live::Live<RemoteTarget>,
    rivals: Vec<Rival>,
    none: DataActionTargetStatus,
}

impl Lodger for DataActionTarget {
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
    const BEGINNING: Reason = Reason::Creating;
    type Status = DataActionTargetStatus;
    /// Name of the target in AppLink.
    type Inputs = String;
    type Live = Live;

    fn status(&self) -> Option<&DataActionTargetStatus> {
        self.status.as_ref()
    }

    fn addon(&self, shell: &Shell) -> Option<Key> {
        lodger::addon_key(self, shell)
    }

    fn references(&self) -> Vec<Reference> {
        vec![Reference::to::<Connection>(&self.spec.connection_ref.name)]
    }

    fn concerned(&self, shell: &Shell, moved: &BTreeSet<String>) -> bool {
        lodger::concerned(self, shell, moved)
    }

    fn want(&self, shell: &Shell, wanted: &mut Wanted) {
        if let Some(id) = lodger::connection_id(self, shell) {
            wanted.targets.entry(id).or_default().insert(self.spec.name(), key(self));
        }
    }

    fn target(&self) -> Option<Option<String>> {
        Some(self.status.as_ref().and_then(|status| status.remote.id.clone()))
    }

    async fn resolve(&self, _shell: &Shell) -> Result<String, crate::control::Error> {
        Ok(self.spec.name())
    }

    async fn without_inputs(&self, _shell: &Shell) -> String {
        self.spec.name()
    }

    fn is_passive(&self) -> bool {
        // Its inputs are all in the spec.
        false
    }

    fn live(&self, shell: &Shell, memory: &Memory) -> Live {
        let name = self.spec.name();
        let id = self.status.as_ref().and_then(|status| status.remote.id.as_deref());
        let remote = match lodger::place(self, shell) {
            Some((addon, connection)) => {
                shell.observer.see(&addon, &Shelf::targets(&connection), id, &name, memory.since)
            }
            None => live::Live::default(),
        };
        // Apps that share an add-on have targets of their own.
        let app = |target: &DataActionTarget| Some(shell.observer.addon(&target.addon(shell)?)?.facts?.app_id);
        let wants = |other: &DataActionTarget| {
            other.spec.handling.management_policy != ManagementPolicy::Observe
                && other.spec.name().eq_ignore_ascii_case(&name)
                && lodger::same(shell, self, other)
                && app(other) == app(self)
        };
        let knows = |connection: &Connection| {
            let released = connection.status.iter().flat_map(|status| &status.released_targets);
            !lodger::heeds(connection) || id.is_some_and(|id| released.into_iter().any(|known| known == id))
        };
        let mut home = lodger::home(self, shell, memory);
        let established = self.status.as_ref().and_then(|status| status.remote.established_at.clone());
        home.severed |= established.is_some_and(|since| lodger::outlived(self, shell, since.0));
        Live {
            home,
            released: lodger::connection(self, shell, knows).unwrap_or(true),
            remote,
            rivals: rivals(self, shell, wants),
            none: DataActionTargetStatus::default(),
        }
    }

    fn plan(&self, name: &String, live: &Live, memory: &Memory, now: Timestamp) -> Plan<DataActionTargetStatus> {
        target::plan(&target::Input {
            spec: &self.spec,
            name,
            policies: Policies::of(self.spec.handling, Ending::default()).under(live.home.ceiling),
            addon_name: &live.home.addon_name,
            addon: &live.home.addon,
            parent: &live.home.parent,
            app_id_set: live.home.app_id_set,
            released: live.released,
            severed: live.home.severed,
            live: &live.remote,
            rivals: &live.rivals,
            memory,
            status: self.status.as_ref().unwrap_or(&live.none),
            now,
        })
    }

    async fn create(&self, shell: &Shell, name: &String) -> Result<Made, AccessError> {
        let (addon, connection) = lodger::place(self, shell).ok_or(AccessError::Forgotten)?;
        let new = NewTarget { label: &self.spec.label, api_name: name, endpoint: &self.spec.target_endpoint };
        let result = shell.observer.api(&addon)?.create_target(&connection, &new).await;
        made(shell, &addon, &Shelf::targets(&connection), name, result)
    }

    async fn confirm(&self, shell: &Shell, id: &str) -> Result<(), AccessError> {
        let (addon, connection) = lodger::place(self, shell).ok_or(AccessError::Forgotten)?;
        let began = shell.clock.now();
        let seen = shell.observer.api(&addon)?.get_target(&connection, id).await?;
        let told = seen.map_or_else(|| Witness::Gone(id.to_owned()), Witness::Present);
        shell.observer.witness(&addon, &Shelf::targets(&connection), began, told);
        Ok(())
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
