//! Data action targets: create, find; and for tests: plant one, set its status, remove it.
//!
//! Must not use HTTP or wait: changes that take time are recorded as future transitions. AppLink neither changes nor
//! removes a target while its connection exists. Called by `http::targets`, the control API and the tests.

use jiff::Timestamp;
use uuid::Uuid;

use super::addon::is_id;
use super::names::is_short_identifier;
use super::target::{NewTarget, Target, TargetStatus, TargetTransition};
use super::{OrgAccess, Provider, RemoteError, StateError, World};
use crate::settings::{NameRule, TakenByAnotherApp, TakenTarget, seconds};

impl World {
    /// The targets that exist at some time, oldest first.
    pub fn targets(&self, at: Timestamp) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(move |t| t.status_at(at).is_some() && self.is_intact(t.connection_ref, at))
    }

    /// The targets of a connection, of all apps.
    pub fn targets_of(&self, connection: &OrgAccess, at: Timestamp) -> impl Iterator<Item = &Target> {
        self.targets(at).filter(|t| t.connection() == connection.id)
    }

    /// The target of this id.
    pub fn target(&self, id: Uuid, now: Timestamp) -> Result<&Target, StateError> {
        self.targets(now).find(|t| t.id == id).ok_or(StateError::NoRecord)
    }

    /// The target with this id, else one with this name, preferably the app's own.
    pub fn find_target(
        &self,
        connection: &OrgAccess,
        key: &str,
        app: Uuid,
        now: Timestamp,
    ) -> Result<&Target, StateError> {
        let mut found: Vec<_> =
            self.targets_of(connection, now).filter(|t| is_id(t.id, key) || t.api_name == key).collect();
        found.sort_by_key(|t| (!is_id(t.id, key), t.app != app));
        found.first().copied().ok_or(StateError::NoRecord)
    }

    /// A POST: creates a target, or does what `taken` says. Returns its id.
    pub fn create_target(&mut self, new: NewTarget, now: Timestamp) -> Result<Uuid, StateError> {
        let connection = self.connected(new.connection, Provider::DataCloud, now)?;
        if self.settings.name_rule == NameRule::Enforced && !is_short_identifier(&new.api_name) {
            return Err(StateError::InvalidApiName(new.api_name));
        }
        let settings = &self.settings.data_action_targets;
        let (own, others): (Vec<_>, Vec<_>) =
            self.targets_of(connection, now).filter(|t| t.api_name == new.api_name).partition(|t| t.app == new.app);
        let elsewhere = !others.is_empty() && settings.taken_by_another_app == TakenByAnotherApp::Conflict;
        match (own.first(), settings.taken) {
            (None, _) if elsewhere => return Err(StateError::TargetTaken(new.api_name)),
            (None, _) | (_, TakenTarget::Second) => {}
            (Some(_), TakenTarget::Conflict) => return Err(StateError::TargetTaken(new.api_name)),
            (Some(target), TakenTarget::Existing) => return Ok(target.id),
        }
        let transitions = self.target_transitions(now);
        self.record_target(new, transitions, now)
    }

    /// Adds a target that somebody else created, in any state of the connection. Returns its id.
    pub fn plant_target(
        &mut self,
        new: NewTarget,
        status: TargetStatus,
        error: Option<RemoteError>,
        now: Timestamp,
    ) -> Result<Uuid, StateError> {
        self.record_target(new, vec![TargetTransition { at: now, to: Some(status), error }], now)
    }

    /// Sets the status of a target, whatever it was.
    pub fn set_target_status(
        &mut self,
        id: Uuid,
        status: TargetStatus,
        error: Option<RemoteError>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        self.target_mut(id, now)?.replace_future(now, Some(status), error);
        Ok(())
    }

    /// Removes a target, as if somebody had deleted it in Data Cloud.
    pub fn remove_target(&mut self, id: Uuid, now: Timestamp) -> Result<(), StateError> {
        self.target_mut(id, now)?.replace_future(now, None, None);
        Ok(())
    }

    fn target_mut(&mut self, id: Uuid, now: Timestamp) -> Result<&mut Target, StateError> {
        self.target(id, now)?;
        self.targets.iter_mut().find(|t| t.id == id).ok_or(StateError::NoRecord)
    }

    /// The transitions of a new target.
    fn target_transitions(&self, now: Timestamp) -> Vec<TargetTransition> {
        let settings = &self.settings.data_action_targets;
        let after = |part: f64| now.checked_add(seconds(settings.seconds * part)).unwrap_or(Timestamp::MAX);
        let mut transitions = vec![
            TargetTransition::to(now, TargetStatus::Pending),
            TargetTransition::to(after(1.0 / 3.0), TargetStatus::Creating),
            TargetTransition::to(after(2.0 / 3.0), TargetStatus::GeneratingSigningKey),
        ];
        let end = match &settings.failure {
            None => TargetTransition::to(after(1.0), TargetStatus::Created),
            Some(failure) => {
                // A failed target never generates a key.
                transitions.truncate(2);
                let error = Some(RemoteError::new(&failure.id, &failure.message));
                TargetTransition { at: after(1.0), to: Some(TargetStatus::CreationFailed), error }
            }
        };
        transitions.push(end);
        transitions
    }

    fn record_target(
        &mut self,
        new: NewTarget,
        history: Vec<TargetTransition>,
        now: Timestamp,
    ) -> Result<Uuid, StateError> {
        let connection = self.org_access(new.connection)?;
        let target = Target {
            id: Uuid::new_v4(),
            serial: self.targets_created,
            addon: connection.addon,
            app: new.app,
            app_name: self.app_name(new.app),
            label: new.label,
            api_name: new.api_name,
            endpoint: new.endpoint,
            kind: new.kind,
            connection_ref: connection.connection_ref(now),
            history,
        };
        let id = target.id;
        // Drops targets that no list can show any more.
        let mut targets = std::mem::take(&mut self.targets);
        targets.retain(|t| self.org_access(t.connection()).is_ok());
        targets.push(target);
        self.targets = targets;
        self.targets_created += 1;
        Ok(id)
    }
}
