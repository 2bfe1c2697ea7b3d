//! What the service was seen to hold: plain facts, secrets left out, and when they were seen.
//!
//! Pure. `wire` decodes into it, `observe` is the only writer, `diff` reads. A key is present, absent or unknown, and
//! absent only on proof.

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

/// Where a remote object stands. Words the service uses that we do not know count as `Pending`.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Being set up.
    Pending,
    /// In working order.
    Ready,
    /// Failed, by the service's own word.
    Failed,
    /// Being taken away.
    Deleting,
    /// Taken away, although still listed.
    Deleted,
}

/// How access was granted.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthMethod {
    /// By a robot.
    Jwt,
    /// By a person.
    OAuth,
}

/// A link that a person opens to consent. Whoever has it can connect an org of theirs, so it is never printed.
#[derive(Clone, Debug)]
pub struct ConsentLink(SecretString);

impl ConsentLink {
    /// What stands for a link where only its presence counts: in a snapshot, and in what was read back from one.
    #[must_use]
    pub fn redacted() -> Self {
        Self(SecretString::from(String::new()))
    }

    /// The link, to be handed over.
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

/// Only that there is a link, never the link itself.
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
    /// Whether the service lets anybody delete one.
    const DELETABLE: bool = true;

    /// Its id, unique on the add-on.
    fn id(&self) -> &str;
    /// Its name, where the service tells it.
    fn name(&self) -> Option<&str>;
    /// Where it stands.
    fn phase(&self) -> Phase;
    /// When it was created, where the service tells it.
    fn created(&self) -> Option<Timestamp>;
    /// Takes the name that it is known to have, where the service does not tell it.
    fn set_name(&mut self, name: &str);
    /// What the service says of its last modification, for what can be written over: empty where it says nothing.
    fn modified_marker(&self) -> Option<&str> {
        None
    }
    /// Takes out what must not leave the process: a snapshot says that there is a secret, not which.
    fn redact(&mut self) {}
    /// Takes over what an older sighting told that this one cannot know.
    fn merge_older(&mut self, _older: &Self) {}
}

/// Which of the two kinds of granted access.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrgAccessKind {
    /// A connection: the org may call the app.
    Connection,
    /// An authorization: the app may act in the org.
    Authorization,
}

impl OrgAccessKind {
    /// As written for people.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Authorization => "authorization",
        }
    }
}

/// One connection or authorization as the service tells it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteOrgAccess {
    /// Id.
    pub id: String,
    /// `connection_name` or `developer_name`.
    pub name: Option<String>,
    /// Status in the service's own word.
    pub status: String,
    /// Status as we understand it.
    pub phase: Phase,
    /// Salesforce or Data Cloud.
    pub provider: Option<Provider>,
    /// JWT or OAuth.
    pub method: Option<AuthMethod>,
    /// The org that it leads to.
    pub org: Org,
    /// Where consent is given; some services tell it once, in the answer to the POST.
    pub link: Option<ConsentLink>,
    /// The service's own error id and text, redacted.
    pub error: Option<String>,
    /// When it was created.
    pub created_at: Option<String>,
    /// Who created it.
    pub created_by: Option<String>,
    /// Through which app it was created.
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

/// A remote object, and when it was seen.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Observed<R> {
    /// What was seen.
    pub object: R,
    /// When the call that showed it began.
    pub at: Timestamp,
    /// Whether an answer about it alone was had while it stood where it stands: a list may tell less.
    pub detailed: bool,
}

/// A list that does not come, while the add-on answers otherwise.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outage {
    /// What is wrong, in the words it began with.
    pub report: ConditionReport,
    /// Whether nothing was listed for so long that nothing is known any more.
    pub stale: bool,
}

/// What is known of one key: the objects that bear the name or the id, and whether others can be ruled out.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lookup<R> {
    /// Those seen.
    pub observed: Vec<Observed<R>>,
    /// Whether a whole listing that is young enough proves that there are no others.
    pub complete: bool,
    /// Whether such a listing does, and not only a GET by the name.
    pub listed: bool,
    /// Whether a GET by the name, since the last write to it, found nothing.
    pub absent_by_get: bool,
    /// Ids that a GET or a DELETE found gone of late, and no listing since has shown.
    pub deleted_ids: Vec<String>,
    /// Why they cannot be listed now.
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
    /// The object of this id.
    #[must_use]
    pub fn of_id(&self, id: &str) -> Option<&Observed<R>> {
        self.observed.iter().find(|s| s.object.id() == id)
    }

    /// The objects that hold this name, the youngest last; those that were taken away hold none, whatever the list
    /// still shows.
    pub fn of_name(&self, name: &str) -> Vec<&Observed<R>> {
        let holds = |s: &&Observed<R>| s.object.name() == Some(name) && s.object.phase() != Phase::Deleted;
        let mut found: Vec<_> = self.observed.iter().filter(holds).collect();
        found.sort_by_key(|s| s.object.created());
        found
    }
}

/// What was found of an add-on on Heroku.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct AddonFacts {
    /// App UUID.
    pub app_id: String,
    /// What the app is called now, where no app has the name in the spec any more.
    pub renamed_to: Option<String>,
    /// Add-on UUID.
    pub addon_id: String,
    /// Add-on name.
    pub addon_name: String,
    /// Where its AppLink API is.
    pub api_url: String,
    /// Whether config var `HEROKU_APP_ID` of the app is set.
    pub app_id_set: bool,
}

impl AddonFacts {
    /// Whether the names now stand for another app or add-on than the UUIDs recorded earlier.
    #[must_use]
    pub fn identity_change(&self, app_id: Option<&str>, addon_id: Option<&str>) -> Option<IdentityChange> {
        let changed = |what, recorded: Option<&str>, found: &str| {
            let recorded = recorded.filter(|recorded| *recorded != found)?.to_owned();
            Some(IdentityChange { what, recorded, found: found.to_owned() })
        };
        changed("app", app_id, &self.app_id).or_else(|| changed("add-on", addon_id, &self.addon_id))
    }
}

/// A name that now stands for another app or add-on.
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
            "the {what} of that name was {recorded} and is {found} now; nothing is touched. Create another AppLinkAddon \
             for the new one, or restore the old one on Heroku"
        )
    }
}

/// What is known of an add-on now.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AddonObservation {
    /// What was found, as far as anything was.
    pub facts: Option<AddonFacts>,
    /// Why it cannot be used now.
    pub problem: Option<ConditionReport>,
    /// Which of its lists does not come, and why, while others do.
    pub list_problem: Option<ConditionReport>,
    /// Whether it has been silent for too long to know anything of what lives on it.
    pub stale: bool,
    /// What to tell while it is looked at less often than asked for, to spare the budget of calls.
    pub constrained: Option<String>,
    /// Connections seen.
    pub connections: Option<i64>,
    /// Authorizations seen.
    pub authorizations: Option<i64>,
    /// When the last pass that ended began.
    pub at: Option<Timestamp>,
}
