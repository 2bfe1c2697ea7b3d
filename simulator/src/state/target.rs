//! A data action target: a webhook of an app that the org of a Data Cloud connection calls.
//!
//! Called by `world` and `targets`.

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

use super::access::RemoteError;
use super::connection_ref::ConnectionRef;

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
    pub(super) tie: ConnectionRef,
    pub(super) history: Vec<TargetTransition>,
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
    pub(super) fn to(at: Timestamp, status: TargetStatus) -> Self {
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

    pub(super) fn turn(&mut self, now: Timestamp, to: Option<TargetStatus>, error: Option<RemoteError>) {
        self.history.retain(|t| t.at <= now);
        self.history.push(TargetTransition { at: now, to, error });
    }
}
