//! The simulated world: one Heroku account, its apps and add-ons, and AppLink's connections and
//! authorizations.
//!
//! Must not read a clock or do I/O: every operation that depends on time is given it. Ids and
//! tokens are drawn at random, as the service's are. Called by `http` and, through
//! `Simulator::world`, by the tests.
//!
//! - `account`: tokens and the rate limit. `budget`: what is left of such a limit. `places`: apps, add-ons and their config vars.
//! - `sso`: the `x-addon-sso` payload. `collection`: connections or authorizations. `access`: one of either, and its
//!   history. `accesses`: what can be done to them. `consent`: who is asked for it, and what comes of it.
//! - `publications`, `targets`: what hangs on connections. `ties`: by what. `uploads`: what is published.
//! - `names`: who holds one. `salesforce`: made-up orgs.

mod access;
mod accesses;
mod account;
mod budget;
mod collection;
mod consent;
mod names;
mod places;
mod publications;
mod salesforce;
mod sso;
mod targets;
#[cfg(test)]
mod tests;
mod ties;
mod uploads;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use thiserror::Error;
use uuid::Uuid;

use self::budget::Budget;
use super::seed::Seed;
use super::settings::Settings;

pub use self::access::{ACCESS_TOKEN_MARK, Access, Grant, Provider, RemoteError, Status, Transition};
pub use self::accesses::{NewAccess, Planted};
pub use self::account::Account;
pub use self::collection::Collection;
pub use self::consent::CONSENT_MARKS;
pub(super) use self::consent::DeadLink;
pub(super) use self::places::is_id;
pub use self::places::{Addon, AddonState, App, Attachment};
pub use self::publications::{Edition, NewPublication, Publication};
pub use self::salesforce::Org;
pub(super) use self::salesforce::SOMEBODY;
pub(super) use self::sso::Sso;
pub use self::targets::{NewTarget, Target, TargetKind, TargetStatus, TargetTransition};
pub use self::uploads::{Archive, ArchiveEntry, Upload, UploadError};

/// Everything there is. `Debug` shows tokens as digests.
#[derive(Debug)]
pub struct World {
    /// The switches.
    pub settings: Settings,
    /// The Heroku account.
    pub account: Account,
    /// Its apps.
    pub apps: Vec<App>,
    /// Its add-ons.
    pub addons: Vec<Addon>,
    accesses: Vec<Access>,
    // How many were ever made.
    created: BTreeMap<Collection, u64>,
    publications: Vec<Publication>,
    published: u64,
    targets: Vec<Target>,
    targeted: u64,
    // Of AppLink's own limit, by add-on.
    budgets: BTreeMap<Uuid, Budget>,
    // Differs from world to world, so that an SSO payload of another one is refused.
    sso_salt: Uuid,
}

impl World {
    /// The world of a seed.
    pub fn new(seed: Seed) -> Self {
        Self {
            settings: seed.settings,
            account: Account::new(seed.email, seed.heroku_tokens),
            apps: seed.apps,
            addons: seed.addons,
            accesses: Vec::new(),
            created: BTreeMap::new(),
            publications: Vec::new(),
            published: 0,
            targets: Vec::new(),
            targeted: 0,
            budgets: BTreeMap::new(),
            sso_salt: Uuid::new_v4(),
        }
    }
}

/// Why something was refused. The texts are what the service answers.
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
    /// The connection is not in working order.
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
    /// Nobody is asked to consent.
    #[error("it does not wait for somebody's consent by OAuth")]
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
        /// Until it has one again.
        wait: SignedDuration,
    },
    /// The `x-addon-sso` payload cannot be decoded.
    #[error("x-addon-sso is not the Base64 of a whole answer of the SSO route")]
    SsoUnreadable,
    /// The `x-addon-sso` payload was not issued for this add-on.
    #[error("x-addon-sso was not issued for this add-on")]
    SsoForeign,
    /// The `x-addon-sso` payload is too old.
    #[error("x-addon-sso is {age} s old, more than {window} s")]
    SsoStale {
        /// Its age in seconds.
        age: i64,
        /// How old it may be.
        window: i64,
    },
}
