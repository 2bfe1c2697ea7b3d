//! Access to an org: a connection or an authorization, with its history of dated transitions, past and future. The state
//! at any time is read from the history, so no task has to run.
//!
//! Must not use the world. Called by `org_accesses` and `http::dialect`.

use jiff::Timestamp;
use url::Url;
use uuid::Uuid;

use super::collection::{Collection, Provider};
use super::consent_link::ConsentLink;
use super::salesforce::Org;
use crate::token::sha256_hex;

/// Part of every access token, so that tests find a leaked one.
pub const ACCESS_TOKEN_MARK: &str = "!AQ.canary.";

/// Access to an org: a connection or an authorization.
#[derive(Debug, Clone)]
pub struct OrgAccess {
    pub id: Uuid,
    /// Whether it is a connection or an authorization.
    pub collection: Collection,
    /// Its number in its collection, in the order of creation.
    pub serial: u64,
    pub addon: Uuid,
    /// The app that created it.
    pub app: Uuid,
    /// The name of the app when it was created.
    pub created_via_app: String,
    /// The email address of its creator.
    pub created_by: String,
    /// Its `connection_name` or `developer_name`.
    pub name: String,
    /// The type of the org.
    pub provider: Provider,
    /// The login URL of the user.
    pub login_url: Url,
    /// How it authenticates.
    pub auth_method: AuthMethod,
    pub(super) link: Option<ConsentLink>,
    pub(super) org: Option<Org>,
    // The access token changes with it.
    pub(super) session: Uuid,
    pub(super) history: Vec<Transition>,
}

/// How an org access authenticates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthMethod {
    /// With consent in a browser.
    OAuth,
    /// With the JWT bearer flow.
    Jwt {
        /// The credential's name on AppLink's side.
        alias: String,
        client_id: String,
        /// The user to act as.
        username: String,
        /// SHA-256 of the trimmed PEM text in hex. None if the text is not a private key.
        key_digest: Option<String>,
    },
}

impl AuthMethod {
    /// `connection_method`.
    pub fn method(&self) -> &'static str {
        match self {
            Self::OAuth => "OAuth",
            Self::Jwt { .. } => "JWT",
        }
    }
}

/// The status of an org access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Connecting, or waiting for consent.
    Connecting,
    /// Usable.
    Connected,
    /// Being deleted.
    Disconnecting,
    /// A tombstone.
    Disconnected,
    /// It could not connect, or lost its connection.
    Failed,
    /// A value that the documentation does not list.
    Other(String),
}

impl Status {
    /// Parses a status.
    pub fn of_word(collection: Collection, word: &str) -> Self {
        let known = [Self::Connecting, Self::Connected, Self::Disconnecting, Self::Disconnected, Self::Failed];
        let found = known.into_iter().find(|status| status.word(collection) == word);
        found.unwrap_or_else(|| Self::Other(word.to_owned()))
    }

    /// The value in responses.
    pub fn word(&self, collection: Collection) -> &str {
        match (self, collection) {
            (Self::Connecting, Collection::Connections) => "connecting",
            (Self::Connecting, Collection::Authorizations) => "authorizing",
            (Self::Connected, Collection::Connections) => "connected",
            (Self::Connected, Collection::Authorizations) => "authorized",
            (Self::Disconnecting, _) => "disconnecting",
            (Self::Disconnected, _) => "disconnected",
            (Self::Failed, _) => "failed",
            (Self::Other(word), _) => word,
        }
    }
}

/// The `error` in a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteError {
    pub id: String,
    pub message: String,
}

impl RemoteError {
    /// An error of this id and message.
    pub fn new(id: &str, message: &str) -> Self {
        Self { id: id.to_owned(), message: message.to_owned() }
    }
}

/// A change of the state at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    pub at: Timestamp,
    /// The new status. None: it is gone.
    pub to: Option<Status>,
    pub error: Option<RemoteError>,
}

impl Transition {
    /// A change to a status, without an error.
    pub fn to(at: Timestamp, status: Status) -> Self {
        Self { at, to: Some(status), error: None }
    }

    /// The end.
    pub fn gone(at: Timestamp) -> Self {
        Self { at, to: None, error: None }
    }

    /// Adds an error.
    pub fn with_error(mut self, error: RemoteError) -> Self {
        self.error = Some(error);
        self
    }
}

impl OrgAccess {
    /// The latest transition until `at`. None before it was created.
    fn last_at(&self, at: Timestamp) -> Option<&Transition> {
        self.history.iter().rev().find(|t| t.at <= at)
    }

    /// The status at some time. None if it does not exist then.
    pub fn status_at(&self, at: Timestamp) -> Option<&Status> {
        self.last_at(at)?.to.as_ref()
    }

    /// The error at some time.
    pub fn error_at(&self, at: Timestamp) -> Option<&RemoteError> {
        self.last_at(at)?.error.as_ref()
    }

    /// The org. None before somebody consented.
    pub fn org_at(&self, at: Timestamp) -> Option<&Org> {
        let awaits_consent = self.auth_method == AuthMethod::OAuth && self.status_at(at) == Some(&Status::Connecting);
        self.org.as_ref().filter(|_| !awaits_consent)
    }

    /// The alias of a JWT credential.
    pub fn alias(&self) -> Option<&str> {
        match &self.auth_method {
            AuthMethod::OAuth => None,
            AuthMethod::Jwt { alias, .. } => Some(alias),
        }
    }

    pub fn created_at(&self) -> Option<Timestamp> {
        self.history.first().map(|t| t.at)
    }

    /// The time of the last change until `at`.
    pub fn modified_at(&self, at: Timestamp) -> Option<Timestamp> {
        self.last_at(at).map(|t| t.at)
    }

    /// Its transitions, including future ones.
    pub fn history(&self) -> &[Transition] {
        &self.history
    }

    /// Changes its org or its user.
    pub fn set_org(&mut self, org: Org) {
        self.org = Some(org);
    }

    /// The access token for this org.
    pub fn token_for(&self, org: &Org) -> String {
        format!("{}{ACCESS_TOKEN_MARK}{}", org.id, sha256_hex(self.session.to_string()))
    }

    /// Replaces the future transitions.
    pub(super) fn replace_future(&mut self, now: Timestamp, transitions: impl IntoIterator<Item = Transition>) {
        self.history.retain(|t| t.at <= now);
        self.history.extend(transitions);
    }
}

/// The inputs of a POST.
#[derive(Debug, Clone)]
pub struct NewOrgAccess {
    /// Whether to create a connection or an authorization.
    pub collection: Collection,
    pub addon: Uuid,
    /// The app that sends the request.
    pub app: Uuid,
    /// `connection_name` or `developer_name`.
    pub name: String,
    /// The type of the org.
    pub provider: Provider,
    /// The login URL of the user.
    pub login_url: Url,
    /// How it authenticates.
    pub auth_method: AuthMethod,
}

/// The inputs of an object that a test plants.
#[derive(Debug, Clone)]
pub struct Planted {
    /// Its inputs. Any name is allowed.
    pub new: NewOrgAccess,
    /// Its status, until something changes it.
    pub status: Status,
    pub error: Option<RemoteError>,
    /// Its org.
    pub org: Option<Org>,
    /// Its creator. Absent: the account.
    pub created_by: Option<String>,
}
