//! Data action targets: webhooks of an app that a Data Cloud connection's org calls; how one comes to be, and what tests
//! do behind everyone's back.
//!
//! Must not know HTTP or wait: a course that takes time is written down as transitions to come. AppLink neither changes
//! nor removes a target while its connection stands. Called by `http::targets`, the control API and the tests.

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

use super::names::is_short_identifier;
use super::places::is_id;
use super::ties::Tie;
use super::{Access, Provider, RemoteError, StateError, World};
use crate::settings::{NameRule, TakenByAnotherApp, TakenTarget, seconds};

/// A data action target.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its id.
    pub id: Uuid,
    /// Counts creations.
    pub serial: u64,
    /// Its add-on.
    pub addon: Uuid,
    /// The app that is called.
    pub app: Uuid,
    /// That app's name at the time.
    pub app_name: String,
    /// Its label.
    pub label: String,
    /// Its name in Data Cloud.
    pub api_name: String,
    /// The path on the app.
    pub endpoint: String,
    /// What it is.
    pub kind: TargetKind,
    tie: Tie,
    history: Vec<TargetTransition>,
}

/// What a data action target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// A webhook.
    Webhook,
    /// A platform event.
    Event,
}

impl TargetKind {
    /// The kind of a word, in any case.
    pub fn of_word(word: &str) -> Option<Self> {
        match word.to_lowercase().as_str() {
            "webhook" => Some(Self::Webhook),
            "event" => Some(Self::Event),
            _ => None,
        }
    }
}

/// A target's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetStatus {
    /// Asked for.
    Pending,
    /// On its way.
    Creating,
    /// Almost there.
    GeneratingSigningKey,
    /// In working order.
    Created,
    /// Broken.
    CreationFailed,
    /// One that today's documentation does not know.
    Other(String),
}

impl TargetStatus {
    /// As it goes over the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::Creating => "creating",
            Self::GeneratingSigningKey => "generating_signing_key",
            Self::Created => "created",
            Self::CreationFailed => "creation_failed",
            Self::Other(text) => text,
        }
    }
}

impl From<&str> for TargetStatus {
    fn from(text: &str) -> Self {
        match text {
            "pending" => Self::Pending,
            "creating" => Self::Creating,
            "generating_signing_key" => Self::GeneratingSigningKey,
            "created" => Self::Created,
            "creation_failed" => Self::CreationFailed,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for TargetStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A change of a target's state at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetTransition {
    /// When.
    pub at: Timestamp,
    /// To what; none: it is gone, as nothing in AppLink lets it be.
    pub to: Option<TargetStatus>,
    /// With what error.
    pub error: Option<RemoteError>,
}

impl TargetTransition {
    /// To a status, without an error.
    fn to(at: Timestamp, status: TargetStatus) -> Self {
        Self { at, to: Some(status), error: None }
    }
}

/// What a POST asks for.
#[derive(Debug, Clone)]
pub struct NewTarget {
    /// The connection.
    pub connection: Uuid,
    /// The app on whose behalf.
    pub app: Uuid,
    /// Its label.
    pub label: String,
    /// Its name in Data Cloud.
    pub api_name: String,
    /// The path on the app.
    pub endpoint: String,
    /// What it shall be.
    pub kind: TargetKind,
}

impl Target {
    /// Its connection.
    pub fn connection(&self) -> Uuid {
        self.tie.connection
    }

    /// The latest transition until a moment.
    fn last_at(&self, at: Timestamp) -> Option<&TargetTransition> {
        self.history.iter().rev().find(|t| t.at <= at)
    }

    /// The status at a moment, whatever became of the connection; none when it does not exist then.
    pub fn status_at(&self, at: Timestamp) -> Option<&TargetStatus> {
        self.last_at(at)?.to.as_ref()
    }

    /// The error at a moment.
    pub fn error_at(&self, at: Timestamp) -> Option<&RemoteError> {
        self.last_at(at)?.error.as_ref()
    }

    /// Its transitions, those to come included.
    pub fn history(&self) -> &[TargetTransition] {
        &self.history
    }

    /// When it was asked for.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.history.first().map(|t| t.at)
    }

    fn turn(&mut self, now: Timestamp, to: Option<TargetStatus>, error: Option<RemoteError>) {
        self.history.retain(|t| t.at <= now);
        self.history.push(TargetTransition { at: now, to, error });
    }
}

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
