//! One access to an org, a connection or an authorization, and its history: dated transitions, those to come included.
//! Its state at any moment is read from them, so nothing has to run for time to pass.
//!
//! Must not know the others. Called by `accesses` and `http::dialect`.

use jiff::Timestamp;
use url::Url;
use uuid::Uuid;

use super::collection::{Collection, Provider};
use super::consent_link::ConsentLink;
use super::salesforce::Org;
use crate::token::sha256_hex;

/// In every access token that an answer carries, so that a leak is easily found.
pub const ACCESS_TOKEN_MARK: &str = "!AQ.canary.";

/// What an add-on may use an org by: a connection or an authorization.
#[derive(Debug, Clone)]
pub struct Access {
    /// Its id.
    pub id: Uuid,
    /// Which of the two it is.
    pub collection: Collection,
    /// Counts creations in its collection.
    pub serial: u64,
    /// Its add-on.
    pub addon: Uuid,
    /// The app on whose behalf it was created.
    pub app: Uuid,
    /// That app's name at the time.
    pub created_via_app: String,
    /// The email address of its creator.
    pub created_by: String,
    /// Its `connection_name` or `developer_name`.
    pub name: String,
    /// What kind of org it leads to.
    pub provider: Provider,
    /// Where the user logs in.
    pub login_url: Url,
    /// How access was granted.
    pub grant: Grant,
    pub(super) link: Option<ConsentLink>,
    pub(super) org: Option<Org>,
    // What the access token lasts for.
    pub(super) session: Uuid,
    pub(super) history: Vec<Transition>,
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

/// The status of an access.
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
    /// The status of a word.
    pub fn of_word(collection: Collection, word: &str) -> Self {
        let known = [Self::Connecting, Self::Connected, Self::Disconnecting, Self::Disconnected, Self::Failed];
        let found = known.into_iter().find(|status| status.word(collection) == word);
        found.unwrap_or_else(|| Self::Other(word.to_owned()))
    }

    /// The word for it, as it goes over the wire.
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
    /// To what; none: the access is gone.
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

impl Access {
    /// The latest transition until `at`; none before it was created.
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

    /// The alias that a JWT's credential has.
    pub fn alias(&self) -> Option<&str> {
        match &self.grant {
            Grant::OAuth => None,
            Grant::Jwt { alias, .. } => Some(alias),
        }
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

    /// The token that answers carry for this org.
    pub fn token_for(&self, org: &Org) -> String {
        format!("{}{ACCESS_TOKEN_MARK}{}", org.id, sha256_hex(self.session.to_string()))
    }

    /// What was to come is off; this comes instead.
    pub(super) fn turn(&mut self, now: Timestamp, course: impl IntoIterator<Item = Transition>) {
        self.history.retain(|t| t.at <= now);
        self.history.extend(course);
    }
}

/// What a POST asks for.
#[derive(Debug, Clone)]
pub struct NewAccess {
    /// Which of the two it shall be.
    pub collection: Collection,
    /// The add-on.
    pub addon: Uuid,
    /// The app on whose behalf.
    pub app: Uuid,
    /// `connection_name` or `developer_name`.
    pub name: String,
    /// What kind of org.
    pub provider: Provider,
    /// Where the user logs in.
    pub login_url: Url,
    /// How access is granted.
    pub grant: Grant,
}

/// What a planted access has beside a POST's inputs.
#[derive(Debug, Clone)]
pub struct Planted {
    /// Its inputs; the rule for names does not hold here.
    pub new: NewAccess,
    /// The status that it keeps until something changes it.
    pub status: Status,
    /// Its error.
    pub error: Option<RemoteError>,
    /// The org that it leads to.
    pub org: Option<Org>,
    /// Who is told to have created it; absent: the account.
    pub created_by: Option<String>,
}
