//! What the service was seen to hold: plain facts, secrets left out, and when they were seen.
//!
//! Pure. `wire` decodes into it, `observe` is the only writer, `diff` reads. A key is present, absent or unknown, and
//! absent only on proof.

mod credentials;
mod publication;
mod target;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::verdict::Verdict;
pub use crate::crd::{Org, Provider};
pub use credentials::Credentials;
pub use publication::RemotePublication;
pub use target::RemoteTarget;

/// Where a remote object stands. Words the service uses that we do not know count as `Going`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Being set up.
    Going,
    /// In working order.
    Up,
    /// Failed, by the service's own word.
    Failed,
    /// Being taken away.
    Leaving,
    /// Taken away, although still listed.
    Gone,
}

/// How access was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By a robot.
    Jwt,
    /// By a person.
    Oauth,
}

/// A link that a person opens to consent. Whoever has it can connect an org of theirs, so it is never printed.
#[derive(Clone, Debug)]
pub struct Link(SecretString);

impl Link {
    /// The link, to be handed over.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Link {
    fn from(url: String) -> Self {
        Self(url.into())
    }
}

impl PartialEq for Link {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
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
    fn call(&mut self, name: &str);
    /// What the service says of its last modification, for what can be written over: empty where it says nothing.
    fn mark(&self) -> Option<&str> {
        None
    }
    /// Takes over what an older sighting told that this one cannot know.
    fn inherit(&mut self, _older: &Self) {}
}

/// Which of the two kinds of granted access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// A connection: the org may call the app.
    Connection,
    /// An authorization: the app may act in the org.
    Authorization,
}

impl GrantKind {
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
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteGrant {
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
    pub method: Option<Method>,
    /// The org that it leads to.
    pub org: Org,
    /// Where consent is given; some services tell it once, in the answer to the POST.
    pub link: Option<Link>,
    /// The service's own error id and text, redacted.
    pub error: Option<String>,
    /// When it was created.
    pub created_at: Option<String>,
    /// Who created it.
    pub created_by: Option<String>,
    /// Through which app it was created.
    pub created_via_app: Option<String>,
}

impl RemoteObject for RemoteGrant {
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
    fn call(&mut self, name: &str) {
        self.name.get_or_insert_with(|| name.to_owned());
    }
    fn inherit(&mut self, older: &Self) {
        if self.phase == Phase::Going && self.link.is_none() {
            self.link.clone_from(&older.link);
        }
    }
}

/// A remote object, and when it was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting<R> {
    /// What was seen.
    pub object: R,
    /// When the call that showed it began.
    pub at: Timestamp,
    /// Whether an answer about it alone was had while it stood where it stands: a list may tell less.
    pub detailed: bool,
}

/// A list that does not come, while the add-on answers otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// What is wrong, in the words it began with.
    pub verdict: Verdict,
    /// Whether nothing was listed for so long that nothing is known any more.
    pub silent: bool,
}

/// What is known of one key: the objects that bear the name or the id, and whether others can be ruled out.
#[derive(Clone, Debug, PartialEq)]
pub struct Live<R> {
    /// Those seen.
    pub sightings: Vec<Sighting<R>>,
    /// Whether a whole listing that is young enough proves that there are no others.
    pub complete: bool,
    /// Whether such a listing does, and not only a GET by the name.
    pub listed: bool,
    /// Whether a GET by the name, since the last write to it, found nothing.
    pub asked: bool,
    /// Ids that a GET or a DELETE found gone of late, and no listing since has shown.
    pub gone: Vec<String>,
    /// Why they cannot be listed now.
    pub outage: Option<Outage>,
}

impl<R> Default for Live<R> {
    fn default() -> Self {
        Self { sightings: Vec::new(), complete: false, listed: false, asked: false, gone: Vec::new(), outage: None }
    }
}

impl<R: RemoteObject> Live<R> {
    /// The object of this id.
    #[must_use]
    pub fn of_id(&self, id: &str) -> Option<&Sighting<R>> {
        self.sightings.iter().find(|s| s.object.id() == id)
    }

    /// The objects that hold this name, the youngest last; those that were taken away hold none, whatever the list
    /// still shows.
    pub fn of_name(&self, name: &str) -> Vec<&Sighting<R>> {
        let holds = |s: &&Sighting<R>| s.object.name() == Some(name) && s.object.phase() != Phase::Gone;
        let mut found: Vec<_> = self.sightings.iter().filter(holds).collect();
        found.sort_by_key(|s| s.object.created());
        found
    }
}

/// What was found of an add-on on Heroku.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// What is known of an add-on now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddonLive {
    /// What was found, as far as anything was.
    pub facts: Option<AddonFacts>,
    /// Why it cannot be used now.
    pub trouble: Option<Verdict>,
    /// Which of its lists does not come, and why, while others do.
    pub partly: Option<Verdict>,
    /// Whether it has been silent for too long to know anything of what lives on it.
    pub silent: bool,
    /// What to tell while it is looked at less often than asked for, to spare the budget of calls.
    pub constrained: Option<String>,
    /// Connections seen.
    pub connections: Option<i64>,
    /// Authorizations seen.
    pub authorizations: Option<i64>,
    /// When the last pass that ended began.
    pub at: Option<Timestamp>,
}
