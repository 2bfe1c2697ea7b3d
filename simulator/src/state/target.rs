//! A data action target: a webhook of an app that the org of a Data Cloud connection calls.
//!
//! Called by `world` and `targets`.

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

use super::connection_ref::ConnectionRef;
use super::org_access::RemoteError;

/// A data action target.
#[derive(Debug, Clone)]
pub struct Target {
    pub id: Uuid,
    /// Its number in the order of creation.
    pub serial: u64,
    pub addon: Uuid,
    /// The app that Data Cloud calls.
    pub app: Uuid,
    /// The name of the app when it was created.
    pub app_name: String,
    pub label: String,
    /// Its name in Data Cloud.
    pub api_name: String,
    /// The path on the app.
    pub endpoint: String,
    /// What it is.
    pub kind: TargetKind,
    pub(super) connection_ref: ConnectionRef,
    pub(super) history: Vec<TargetTransition>,
}

/// A kind of data action target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// A webhook.
    Webhook,
    /// A platform event.
    Event,
}

impl TargetKind {
    /// Parses a kind, in any case.
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
    /// Requested.
    Pending,
    /// Being created.
    Creating,
    /// Its last step before `Created`.
    GeneratingSigningKey,
    /// Usable.
    Created,
    /// It could not be created.
    CreationFailed,
    /// A value that the documentation does not list.
    Other(String),
}

impl TargetStatus {
    /// The value in responses.
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
    pub at: Timestamp,
    /// To what; none: it is gone, as nothing in AppLink lets it be.
    pub to: Option<TargetStatus>,
    pub error: Option<RemoteError>,
}

impl TargetTransition {
    /// A change to a status, without an error.
    pub(super) fn to(at: Timestamp, status: TargetStatus) -> Self {
        Self { at, to: Some(status), error: None }
    }
}

/// The inputs of a POST.
#[derive(Debug, Clone)]
pub struct NewTarget {
    pub connection: Uuid,
    /// The app that sends the request.
    pub app: Uuid,
    pub label: String,
    /// Its name in Data Cloud.
    pub api_name: String,
    /// The path on the app.
    pub endpoint: String,
    pub kind: TargetKind,
}

impl Target {
    pub fn connection(&self) -> Uuid {
        self.connection_ref.connection
    }

    /// The latest transition until a moment.
    fn last_at(&self, at: Timestamp) -> Option<&TargetTransition> {
        self.history.iter().rev().find(|t| t.at <= at)
    }

    /// The status at a moment, whatever became of the connection; none when it does not exist then.
    pub fn status_at(&self, at: Timestamp) -> Option<&TargetStatus> {
        self.last_at(at)?.to.as_ref()
    }

    /// The error at some time.
    pub fn error_at(&self, at: Timestamp) -> Option<&RemoteError> {
        self.last_at(at)?.error.as_ref()
    }

    /// Its transitions, including future ones.
    pub fn history(&self) -> &[TargetTransition] {
        &self.history
    }

    /// When it was requested.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.history.first().map(|t| t.at)
    }

    pub(super) fn replace_future(&mut self, now: Timestamp, to: Option<TargetStatus>, error: Option<RemoteError>) {
        self.history.retain(|t| t.at <= now);
        self.history.push(TargetTransition { at: now, to, error });
    }
}
