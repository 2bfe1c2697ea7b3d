//! Why the simulated service refuses something.

use jiff::SignedDuration;
use thiserror::Error;

use super::collection::Collection;
use super::org_access::Status;
use super::uploads::UploadError;

/// Why a request was refused. The texts are those of the service.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StateError {
    /// The name breaks the rule for names.
    #[error(
        "Invalid {field} format: {1:?} must start with a letter, end with a letter or \
         digit, have 3 to 30 characters, and only letters, digits and single underscores",
        field = .0.name_field().replace('_', " ")
    )]
    InvalidName(Collection, String),
    /// A connection or an authorization of that name exists.
    #[error("{noun} already exists: {1}", noun = .0.noun())]
    NameTaken(Collection, String),
    /// A connection or an authorization with that alias exists.
    #[error("Alias already exists")]
    AliasTaken,
    /// A record with that value of a field exists.
    #[error("{0} has already been taken")]
    NotUnique(&'static str),
    /// The JWT was refused.
    #[error("JWT authentication failed")]
    KeyRefused,
    /// The key is not a key.
    #[error("jwt_private_key is not a usable private key")]
    KeyUnusable,
    /// There is no such record.
    #[error("record not found")]
    NoRecord,
    /// The connection is not connected.
    #[error("The connection is {status}, not connected", status = .0.word(Collection::Connections))]
    NotConnected(Status),
    /// A client name breaks the rule.
    #[error(
        "Invalid client_name: {0:?} must start with a letter, end with a letter or digit, and have only letters, \
         digits and single underscores"
    )]
    InvalidClientName(String),
    /// An upload is not acceptable.
    #[error("{0}")]
    Upload(#[from] UploadError),
    /// The app is published through this connection.
    #[error("The app is already published to this connection")]
    AlreadyPublished,
    /// The API name of a data action target breaks the rule.
    #[error(
        "Invalid api_name: {0:?} must start with a letter, end with a letter or digit, have 3 to 30 characters, and only \
         letters, digits and single underscores"
    )]
    InvalidApiName(String),
    /// A data action target of that API name exists.
    #[error("Data action target already exists: {0}")]
    TargetTaken(String),
    /// It does not wait for consent.
    #[error("it does not wait for consent")]
    NotAwaitingConsent,
    /// There is no such app or add-on.
    #[error("Couldn't find that {0}.")]
    NotFound(&'static str),
    /// An app, add-on or connection of that name or id exists.
    #[error("there is already {0}")]
    Exists(String),
    /// The account has no requests left.
    #[error("Your account reached the API rate limit. Please wait a few minutes.")]
    RateLimited,
    /// The add-on has no requests left.
    #[error("The add-on reached its API rate limit. Please wait a few minutes.")]
    AddonRateLimited {
        /// How long until it has one again.
        wait: SignedDuration,
    },
    /// The `x-addon-sso` payload cannot be decoded.
    #[error("x-addon-sso is not the Base64 of a whole answer of the SSO route")]
    SsoUnreadable,
    /// The `x-addon-sso` payload was not issued for this add-on.
    #[error("x-addon-sso was not issued for this add-on")]
    SsoOtherAddon,
    /// The `x-addon-sso` payload is too old.
    #[error("x-addon-sso is {age} s old, more than {window} s")]
    SsoStale {
        /// Its age in seconds.
        age: i64,
        /// The maximum age in seconds.
        window: i64,
    },
}
