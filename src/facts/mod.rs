//! Facts: what AppLink and Heroku returned, when, and without secrets.
//!
//! Pure. `wire` decodes them, `observe` is the only writer, and `plan` reads them. An object is present, absent or unknown;
//! it is absent only if that is proved.

// Nothing from outside may end the process.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::unwrap_used))]

pub mod collection;
mod credentials;
mod data_action_target;
mod publication;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::hash::{Hash, Hasher};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::conditions::ConditionReport;
pub use crate::crd::{Org, Provider};
pub use credentials::Credentials;
pub use data_action_target::{RemoteDataActionTarget, TargetListing};
pub use publication::RemotePublication;

/// Phase of a remote object. An unknown status of AppLink counts as `Pending`.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// AppLink is setting it up.
    Pending,
    /// It works.
    Ready,
    /// AppLink reports that it failed.
    Failed,
    /// AppLink is deleting it.
    Deleting,
    /// It is deleted, although AppLink still lists it.
    Deleted,
}

/// How the operator or a person signed in.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthMethod {
    /// With a private key, without a browser.
    Jwt,
    /// By a person in a browser.
    OAuth,
}

/// A link that a person opens to consent. Anyone who has it can connect an org, so `Debug` does not print it.
#[derive(Clone, Debug)]
pub struct ConsentLink(SecretString);

impl ConsentLink {
    /// A placeholder that only says that there is a link. Snapshots contain it.
    #[must_use]
    pub fn redacted() -> Self {
        Self(SecretString::from(String::new()))
    }

    /// The link, for the OAuth Secret.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for ConsentLink {
    fn from(url: String) -> Self {
        Self(url.into())
    }
}

impl PartialEq for ConsentLink {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for ConsentLink {}

impl Hash for ConsentLink {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expose().hash(state);
    }
}

/// Writes a placeholder, never the link.
impl Serialize for ConsentLink {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for ConsentLink {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let _ = serde::de::IgnoredAny::deserialize(deserializer)?;
        Ok(Self::redacted())
    }
}

/// A remote object of any kind.
pub trait RemoteObject: Clone + PartialEq {
    /// Whether AppLink can delete such an object.
    const DELETABLE: bool = true;

    /// ID, unique on the add-on.
    fn id(&self) -> &str;
    /// Name, if AppLink returns it.
    fn name(&self) -> Option<&str>;
    /// Phase.
    fn phase(&self) -> Phase;
    /// When it was created, if AppLink returns it.
    fn created(&self) -> Option<Timestamp>;
    /// Sets the name if AppLink does not return one.
    fn set_name(&mut self, name: &str);
    /// Text that changes with each modification, for objects that the operator can overwrite. It is empty if AppLink returns
    /// no modification time.
    fn modified_marker(&self) -> Option<&str> {
        None
    }
    /// Replaces secrets by placeholders, for a snapshot.
    fn redact(&mut self) {}
    /// Takes over fields of an older observation that AppLink returns only once.
    fn merge_older(&mut self, _older: &Self) {}
}

/// Connection or authorization.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrgAccessKind {
    /// A connection: the org may call the app.
    Connection,
    /// An authorization: the app may act in the org.
    Authorization,
}

impl OrgAccessKind {
    /// Name in messages, in lower case.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Authorization => "authorization",
        }
    }
}

/// A connection or an authorization as AppLink returns it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteOrgAccess {
    /// Remote ID.
    pub id: String,
    /// `connection_name` or `developer_name`.
    pub name: Option<String>,
    /// Status as AppLink writes it.
    pub status: String,
    /// Phase that the status means.
    pub phase: Phase,
    /// Salesforce or Data Cloud.
    pub provider: Option<Provider>,
    /// JWT or OAuth.
    pub method: Option<AuthMethod>,
    /// The org that it is connected to.
    pub org: Org,
    /// Consent link. Some versions of AppLink return it only once, in the answer to the POST.
    pub link: Option<ConsentLink>,
    /// Error ID and text of AppLink, redacted.
    pub error: Option<String>,
    /// When it was created, as AppLink writes it.
    pub created_at: Option<String>,
    /// Heroku user who created it.
    pub created_by: Option<String>,
    /// Heroku app that it was created through.
    pub created_via_app: Option<String>,
}

impl RemoteObject for RemoteOrgAccess {
    fn id(&self) -> &str {
        &self.id
    }
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
    fn phase(&self) -> Phase {
        self.phase
    }
    fn created(&self) -> Option<Timestamp> {
        self.created_at.as_deref()?.parse().ok()
    }
    fn set_name(&mut self, name: &str) {
        self.name.get_or_insert_with(|| name.to_owned());
    }
    fn redact(&mut self) {
        self.link = self.link.take().map(|_| ConsentLink::redacted());
    }
    fn merge_older(&mut self, older: &Self) {
        if self.phase == Phase::Pending && self.link.is_none() {
            self.link.clone_from(&older.link);
        }
    }
}

/// A remote object, and when the operator observed it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Observed<R> {
    /// The object.
    pub object: R,
    /// When the call that returned it began.
    pub at: Timestamp,
    /// Whether a GET or a write returned it in its current phase. A listing may lack fields.
    pub detailed: bool,
}

/// A failing list, while the add-on answers other calls.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outage {
    /// Report of the first failure.
    pub report: ConditionReport,
    /// Whether the outage has lasted so long that the state of the objects is unknown.
    pub stale: bool,
}

/// Everything observed under one ID and name, and whether more objects may exist.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lookup<R> {
    /// Observed objects.
    pub observed: Vec<Observed<R>>,
    /// Whether a recent complete listing, or a GET by name, proves that there are no other objects.
    pub complete: bool,
    /// Whether a recent complete listing proves it.
    pub listed: bool,
    /// Whether a GET by name since the last write to the name found nothing.
    pub absent_by_get: bool,
    /// IDs that a recent GET or DELETE found absent, and that no listing since has shown.
    pub deleted_ids: Vec<String>,
    /// Why the list calls fail now.
    pub outage: Option<Outage>,
}

impl<R> Default for Lookup<R> {
    fn default() -> Self {
        Self {
            observed: Vec::new(),
            complete: false,
            listed: false,
            absent_by_get: false,
            deleted_ids: Vec::new(),
            outage: None,
        }
    }
}

impl<R: RemoteObject> Lookup<R> {
    /// The object with this ID.
    #[must_use]
    pub fn of_id(&self, id: &str) -> Option<&Observed<R>> {
        self.observed.iter().find(|s| s.object.id() == id)
    }

    /// The objects with this name, the newest last. A deleted object that AppLink still lists does not count.
    pub fn of_name(&self, name: &str) -> Vec<&Observed<R>> {
        let holds = |s: &&Observed<R>| s.object.name() == Some(name) && s.object.phase() != Phase::Deleted;
        let mut found: Vec<_> = self.observed.iter().filter(holds).collect();
        found.sort_by_key(|s| s.object.created());
        found
    }
}

/// An add-on as Heroku returns it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct AddonFacts {
    /// App UUID.
    pub app_id: String,
    /// Current name of the app, if no app has the name in the spec any more.
    pub renamed_to: Option<String>,
    /// Add-on UUID.
    pub addon_id: String,
    /// Add-on name.
    pub addon_name: String,
    /// Base URL of its AppLink API.
    pub api_url: String,
    /// Whether the app has config var `HEROKU_APP_ID`.
    pub app_id_set: bool,
}

impl AddonFacts {
    /// Whether the names now belong to another app or add-on than the recorded UUIDs.
    #[must_use]
    pub fn identity_change(&self, app_id: Option<&str>, addon_id: Option<&str>) -> Option<IdentityChange> {
        let changed = |what, recorded: Option<&str>, found: &str| {
            let recorded = recorded.filter(|recorded| *recorded != found)?.to_owned();
            Some(IdentityChange { what, recorded, found: found.to_owned() })
        };
        changed("app", app_id, &self.app_id).or_else(|| changed("add-on", addon_id, &self.addon_id))
    }
}

/// A name that now belongs to another app or add-on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityChange {
    /// "app" or "add-on".
    pub what: &'static str,
    /// UUID recorded earlier.
    pub recorded: String,
    /// UUID found now.
    pub found: String,
}

impl fmt::Display for IdentityChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, recorded, found } = self;
        write!(
            f,
            "the {what} of this name was {recorded}, but is now {found}. The operator changes neither. Create another \
             AppLinkAddon for the new one, or restore the old one on Heroku"
        )
    }
}

/// Everything observed of an add-on.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AddonObservation {
    /// Facts of the last successful lookup.
    pub facts: Option<AddonFacts>,
    /// Why the add-on is unusable now.
    pub problem: Option<ConditionReport>,
    /// Why one of its lists fails while others succeed.
    pub list_problem: Option<ConditionReport>,
    /// Whether the outage has lasted so long that the state of all its objects is unknown.
    pub stale: bool,
    /// Message for condition Reachable while the call budget forces longer poll intervals.
    pub constrained: Option<String>,
    /// Number of connections.
    pub connections: Option<i64>,
    /// Number of authorizations.
    pub authorizations: Option<i64>,
    /// When the last finished poll began.
    pub at: Option<Timestamp>,
}
