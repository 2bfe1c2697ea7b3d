//! One connection and its history: dated transitions, those to come included. Its state at any
//! moment is read from them, so nothing has to run for time to pass.
//!
//! Must not know other connections. Called by `connections` and `http::dialect`.

use std::fmt;

use jiff::Timestamp;
use url::Url;
use uuid::Uuid;

use super::Org;
use super::consent::ConsentLink;

/// A connection between an add-on and an org.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Its id.
    pub id: Uuid,
    /// Counts creations.
    pub serial: u64,
    /// Its add-on.
    pub addon: Uuid,
    /// The app on whose behalf it was created.
    pub app: Uuid,
    /// That app's name at the time.
    pub created_via_app: String,
    /// The email address of its creator.
    pub created_by: String,
    /// Its `connection_name`.
    pub name: String,
    /// What kind of org it leads to.
    pub provider: Provider,
    /// Where the user logs in.
    pub login_url: Url,
    /// How access was granted.
    pub grant: Grant,
    pub(super) link: Option<ConsentLink>,
    pub(super) org: Option<Org>,
    pub(super) history: Vec<Transition>,
}

/// What kind of org a connection leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// A Salesforce org.
    Salesforce,
    /// A Data Cloud org.
    DataCloud,
}

impl Provider {
    /// The provider of a path segment.
    pub fn of_segment(segment: &str) -> Option<Self> {
        match segment {
            "salesforce" => Some(Self::Salesforce),
            "datacloud" => Some(Self::DataCloud),
            _ => None,
        }
    }

    /// Its path segment.
    pub fn segment(self) -> &'static str {
        match self {
            Self::Salesforce => "salesforce",
            Self::DataCloud => "datacloud",
        }
    }
}

/// How access was granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// By somebody's consent in a browser.
    OAuth,
    /// By a signed JWT.
    Jwt {
        /// The credential's name on AppLink's side.
        alias: String,
        /// The consumer key.
        client_id: String,
        /// The user to act as.
        username: String,
        /// SHA-256 of the trimmed PEM text in hex; none where the text was no private key.
        key_digest: Option<String>,
    },
}

impl Grant {
    /// `connection_method`.
    pub fn method(&self) -> &'static str {
        match self {
            Self::OAuth => "OAuth",
            Self::Jwt { .. } => "JWT",
        }
    }
}

/// A connection's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// On its way, or waiting for consent.
    Connecting,
    /// In working order.
    Connected,
    /// On its way out.
    Disconnecting,
    /// A tombstone.
    Disconnected,
    /// Broken: never connected, or no longer.
    Failed,
    /// One that today's documentation does not know.
    Other(String),
}

impl Status {
    /// As it goes over the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Disconnecting => "disconnecting",
            Self::Disconnected => "disconnected",
            Self::Failed => "failed",
            Self::Other(text) => text,
        }
    }
}

impl From<&str> for Status {
    fn from(text: &str) -> Self {
        match text {
            "connecting" => Self::Connecting,
            "connected" => Self::Connected,
            "disconnecting" => Self::Disconnecting,
            "disconnected" => Self::Disconnected,
            "failed" => Self::Failed,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The `error` in a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteError {
    /// Its `id`.
    pub id: String,
    /// Its `message`.
    pub message: String,
}

impl RemoteError {
    /// An error of this id and message.
    pub fn new(id: &str, message: &str) -> Self {
        Self { id: id.to_owned(), message: message.to_owned() }
    }
}

/// A change of state at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// When.
    pub at: Timestamp,
    /// To what; none: the connection is gone.
    pub to: Option<Status>,
    /// With what error.
    pub error: Option<RemoteError>,
}

impl Transition {
    /// To a status, without an error.
    pub fn to(at: Timestamp, status: Status) -> Self {
        Self { at, to: Some(status), error: None }
    }

    /// Out of this world.
    pub fn gone(at: Timestamp) -> Self {
        Self { at, to: None, error: None }
    }

    /// The same with an error.
    pub fn with_error(mut self, error: RemoteError) -> Self {
        self.error = Some(error);
        self
    }
}

impl Connection {
    /// The latest transition until `at`; none before the connection was created.
    fn last_at(&self, at: Timestamp) -> Option<&Transition> {
        self.history.iter().rev().find(|t| t.at <= at)
    }

    /// The status at a moment; none when it does not exist then.
    pub fn status_at(&self, at: Timestamp) -> Option<&Status> {
        self.last_at(at)?.to.as_ref()
    }

    /// The error at a moment.
    pub fn error_at(&self, at: Timestamp) -> Option<&RemoteError> {
        self.last_at(at)?.error.as_ref()
    }

    /// The org, once the service can know it: not while somebody's consent is waited for.
    pub fn org_at(&self, at: Timestamp) -> Option<&Org> {
        let waits = self.grant == Grant::OAuth && self.status_at(at) == Some(&Status::Connecting);
        self.org.as_ref().filter(|_| !waits)
    }

    /// When it was created.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.history.first().map(|t| t.at)
    }

    /// When it last changed, seen from a moment.
    pub fn modified_at(&self, at: Timestamp) -> Option<Timestamp> {
        self.last_at(at).map(|t| t.at)
    }

    /// Its transitions, those to come included.
    pub fn history(&self) -> &[Transition] {
        &self.history
    }

    /// Leads it to another org, or to the same one through another user.
    pub fn set_org(&mut self, org: Org) {
        self.org = Some(org);
    }

    /// What was to come is off; this comes instead.
    pub(super) fn turn(&mut self, now: Timestamp, course: impl IntoIterator<Item = Transition>) {
        self.history.retain(|t| t.at <= now);
        self.history.extend(course);
    }
}
