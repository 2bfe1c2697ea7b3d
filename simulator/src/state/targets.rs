//! Data action targets: webhooks of an app that a Data Cloud connection's org calls; how one comes to be, and what tests
//! do behind everyone's back.
//!
//! Must not know HTTP or wait: a course that takes time is written down as transitions to come. AppLink neither changes
//! nor removes a target while its connection stands. Called by `http::targets`, the control API and the tests.

use jiff::Timestamp;
use uuid::Uuid;

use super::addon::is_id;
use super::names::is_short_identifier;
use super::target::{NewTarget, Target, TargetStatus, TargetTransition};
use super::{Access, Provider, RemoteError, StateError, World};
use crate::settings::{NameRule, TakenByAnotherApp, TakenTarget, seconds};

impl World {
    /// The targets that exist at a moment, oldest first.
    pub fn targets(&self, at: Timestamp) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(move |t| t.status_at(at).is_some() && self.holds(t.tie, at))
    }

    /// Those of a connection, whichever app they call.
    pub fn targets_of(&self, connection: &Access, at: Timestamp) -> impl Iterator<Item = &Target> {
        self.targets(at).filter(|t| t.connection() == connection.id)
    }

    /// The target of this id.
    pub fn target(&self, id: Uuid, now: Timestamp) -> Result<&Target, StateError> {
        self.targets(now).find(|t| t.id == id).ok_or(StateError::NoRecord)
    }

    /// The target that a path segment means: the one of this id, else one of this name, an app's own before others.
    pub fn find_target(
        &self,
        connection: &Access,
        key: &str,
        app: Uuid,
        now: Timestamp,
    ) -> Result<&Target, StateError> {
        let mut found: Vec<_> =
            self.targets_of(connection, now).filter(|t| is_id(t.id, key) || t.api_name == key).collect();
        found.sort_by_key(|t| (!is_id(t.id, key), t.app != app));
        found.first().copied().ok_or(StateError::NoRecord)
    }

    /// A POST: creates a target, or does what `taken` says, and returns its id.
    pub fn create_target(&mut self, new: NewTarget, now: Timestamp) -> Result<Uuid, StateError> {
        let connection = self.working(new.connection, Provider::DataCloud, now)?;
        if self.settings.name_rule == NameRule::Enforced && !is_short_identifier(&new.api_name) {
            return Err(StateError::InvalidApiName(new.api_name));
        }
        let switches = &self.settings.data_action_targets;
        let (own, others): (Vec<_>, Vec<_>) =
            self.targets_of(connection, now).filter(|t| t.api_name == new.api_name).partition(|t| t.app == new.app);
        let elsewhere = !others.is_empty() && switches.taken_by_another_app == TakenByAnotherApp::Conflict;
        match (own.first(), switches.taken) {
            (None, _) if elsewhere => return Err(StateError::TargetTaken(new.api_name)),
            (None, _) | (_, TakenTarget::Second) => {}
            (Some(_), TakenTarget::Conflict) => return Err(StateError::TargetTaken(new.api_name)),
            (Some(target), TakenTarget::Existing) => return Ok(target.id),
        }
        let course = self.target_course(now);
        self.record_target(new, course, now)
    }

    /// Plants a target as if somebody else had made it, whatever the state of the connection, and returns its id.
    pub fn plant_target(
        &mut self,
        new: NewTarget,
        status: TargetStatus,
        error: Option<RemoteError>,
        now: Timestamp,
    ) -> Result<Uuid, StateError> {
        self.record_target(new, vec![TargetTransition { at: now, to: Some(status), error }], now)
    }

    /// Sets a target's status, whatever it was.
    pub fn set_target_status(
        &mut self,
        id: Uuid,
        status: TargetStatus,
        error: Option<RemoteError>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        self.target_mut(id, now)?.turn(now, Some(status), error);
        Ok(())
    }

    /// Makes a target vanish, as if somebody had deleted it in Data Cloud.
    pub fn remove_target(&mut self, id: Uuid, now: Timestamp) -> Result<(), StateError> {
        self.target_mut(id, now)?.turn(now, None, None);
        Ok(())
    }

    fn target_mut(&mut self, id: Uuid, now: Timestamp) -> Result<&mut Target, StateError> {
        self.target(id, now)?;
        self.targets.iter_mut().find(|t| t.id == id).ok_or(StateError::NoRecord)
    }

    /// What becomes of a new target as time passes.
    fn target_course(&self, now: Timestamp) -> Vec<TargetTransition> {
        let switches = &self.settings.data_action_targets;
        let after = |part: f64| now.checked_add(seconds(switches.seconds * part)).unwrap_or(Timestamp::MAX);
        let mut course = vec![
            TargetTransition::to(now, TargetStatus::Pending),
            TargetTransition::to(after(1.0 / 3.0), TargetStatus::Creating),
            TargetTransition::to(after(2.0 / 3.0), TargetStatus::GeneratingSigningKey),
        ];
        let end = match &switches.failure {
            None => TargetTransition::to(after(1.0), TargetStatus::Created),
            Some(failure) => {
                // It never came to a key.
                course.truncate(2);
                let error = Some(RemoteError::new(&failure.id, &failure.message));
                TargetTransition { at: after(1.0), to: Some(TargetStatus::CreationFailed), error }
            }
        };
        course.push(end);
        course
    }

    fn record_target(
        &mut self,
        new: NewTarget,
        history: Vec<TargetTransition>,
        now: Timestamp,
    ) -> Result<Uuid, StateError> {
        let connection = self.access(new.connection)?;
        let target = Target {
            id: Uuid::new_v4(),
            serial: self.targeted,
            addon: connection.addon,
            app: new.app,
            app_name: self.app_name(new.app),
            label: new.label,
            api_name: new.api_name,
            endpoint: new.endpoint,
            kind: new.kind,
            tie: connection.tie(now),
            history,
        };
        let id = target.id;
        // Those whose connection nobody remembers are in no list, however much it lags.
        let mut targets = std::mem::take(&mut self.targets);
        targets.retain(|t| self.access(t.connection()).is_ok());
        targets.push(target);
        self.targets = targets;
        self.targeted += 1;
        Ok(id)
    }
}
