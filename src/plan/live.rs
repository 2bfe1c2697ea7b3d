//! What the service was seen to hold: plain facts, secrets left out, and when they were seen.
//!
//! Pure. `wire` decodes into it, `observe` is the only writer, `diff` reads. A key is present, absent or unknown, and
//! absent only on proof.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::verdict::Verdict;
pub use crate::crd::{Org, Provider};

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

/// How a connection or authorization was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By a robot.
    Jwt,
    /// By a person.
    Oauth,
}

/// A remote object of any kind.
pub trait RemoteObject: Clone + PartialEq {
    /// Its id, unique on the add-on.
    fn id(&self) -> &str;
    /// Its name, where the service tells it.
    fn name(&self) -> Option<&str>;
    /// Where it stands.
    fn phase(&self) -> Phase;
    /// When it was created, where the service tells it.
    fn created(&self) -> Option<Timestamp>;
}

/// One connection as the service tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteConnection {
    /// Id.
    pub id: String,
    /// `connection_name`.
    pub name: Option<String>,
    /// Status in the service's own word.
    pub status: String,
    /// Status as we understand it.
    pub phase: Phase,
    /// Salesforce or Data Cloud.
    pub provider: Option<Provider>,
    /// JWT or OAuth.
    pub method: Option<Method>,
    /// The connected org.
    pub org: Org,
    /// The service's own error id and text, redacted.
    pub error: Option<String>,
    /// When it was created.
    pub created_at: Option<String>,
    /// Who created it.
    pub created_by: Option<String>,
    /// Through which app it was created.
    pub created_via_app: Option<String>,
}

impl RemoteObject for RemoteConnection {
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
}

/// One answer to a list call.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing<R> {
    /// What it shows.
    pub items: Vec<R>,
    /// Whether every item parsed and nothing hints at further pages; only then its silence proves anything.
    pub whole: bool,
}

/// What was learnt of one object outside a listing: the answer to a write of ours, or to a GET.
#[derive(Clone, Debug, PartialEq)]
pub enum Witness<R> {
    /// It is there.
    Present(R),
    /// Nothing is there under this id.
    Gone(String),
    /// Something may have happened under this name.
    Touched(String),
}

/// A remote object, and when it was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting<R> {
    /// What was seen.
    pub object: R,
    /// When the call that showed it began.
    pub at: Timestamp,
}

/// What is known of one key: the objects that bear the name or the id, and whether others can be ruled out.
#[derive(Clone, Debug, PartialEq)]
pub struct Live<R> {
    /// Those seen.
    pub sightings: Vec<Sighting<R>>,
    /// Whether a whole listing that is young enough proves that there are no others.
    pub complete: bool,
    /// Ids that a GET or a DELETE found gone since the last listing.
    pub gone: Vec<String>,
}

impl<R> Default for Live<R> {
    fn default() -> Self {
        Self { sightings: Vec::new(), complete: false, gone: Vec::new() }
    }
}

impl<R: RemoteObject> Live<R> {
    /// The object of this id.
    #[must_use]
    pub fn of_id(&self, id: &str) -> Option<&Sighting<R>> {
        self.sightings.iter().find(|s| s.object.id() == id)
    }

    /// The object that holds this name; one that was taken away holds none, whatever the list still shows.
    #[must_use]
    pub fn of_name(&self, name: &str) -> Option<&Sighting<R>> {
        self.sightings.iter().find(|s| s.object.name() == Some(name) && s.object.phase() != Phase::Gone)
    }
}

/// What is known of one collection of one add-on.
#[derive(Clone, Debug)]
pub struct Collection<R> {
    listed: Option<Listed>,
    objects: BTreeMap<String, Sighting<R>>,
    witnessed: Vec<(Timestamp, Witness<R>)>,
}

#[derive(Clone, Copy, Debug)]
struct Listed {
    began: Timestamp,
    whole: bool,
}

impl<R> Default for Collection<R> {
    fn default() -> Self {
        Self { listed: None, objects: BTreeMap::new(), witnessed: Vec::new() }
    }
}

impl<R: RemoteObject> Collection<R> {
    /// Takes in a listing that began at `began`, and gives the ids and names whose objects changed by it.
    pub fn list(&mut self, began: Timestamp, listing: Listing<R>) -> BTreeSet<String> {
        // What was learnt while it was under way is younger than what it shows.
        self.witnessed.retain(|(at, _)| *at >= began);
        self.listed = Some(Listed { began, whole: listing.whole });
        let sighted = |object: R| (object.id().to_owned(), Sighting { object, at: began });
        let mut now: BTreeMap<_, _> = listing.items.into_iter().map(sighted).collect();
        self.witnessed.iter().for_each(|(at, witness)| overlay(&mut now, *at, witness));
        let moved = changes(&self.objects, &now);
        self.objects = now;
        moved
    }

    /// Takes in what was learnt of one object at `at`.
    pub fn witness(&mut self, at: Timestamp, witness: Witness<R>) {
        overlay(&mut self.objects, at, &witness);
        self.witnessed.push((at, witness));
    }

    /// What is known of the key (id, name). Absence counts only from a listing that began at `since` or later, and
    /// after the last write to that name.
    #[must_use]
    pub fn view(&self, id: Option<&str>, name: &str, since: Timestamp) -> Live<R> {
        let written_since = |began: Timestamp| {
            self.witnessed.iter().any(|(at, w)| matches!(w, Witness::Touched(n) if n == name) && *at >= began)
        };
        let ours = |s: &&Sighting<R>| s.object.name() == Some(name) || Some(s.object.id()) == id;
        Live {
            sightings: self.objects.values().filter(ours).cloned().collect(),
            complete: self.listed.is_some_and(|l| l.whole && l.began >= since && !written_since(l.began)),
            gone: self.witnessed.iter().filter_map(|(_, w)| gone_id(w)).map(str::to_owned).collect(),
        }
    }

    /// How many objects there are, those taken away left out; nothing before the first listing.
    #[must_use]
    pub fn count(&self) -> Option<i64> {
        self.listed?;
        i64::try_from(self.objects.values().filter(|s| s.object.phase() != Phase::Gone).count()).ok()
    }
}

fn overlay<R: RemoteObject>(objects: &mut BTreeMap<String, Sighting<R>>, at: Timestamp, witness: &Witness<R>) {
    match witness {
        Witness::Present(object) => {
            objects.insert(object.id().to_owned(), Sighting { object: object.clone(), at });
        }
        Witness::Gone(id) => {
            objects.remove(id);
        }
        Witness::Touched(_) => {}
    }
}

fn gone_id<R>(witness: &Witness<R>) -> Option<&str> {
    match witness {
        Witness::Gone(id) => Some(id),
        Witness::Present(_) | Witness::Touched(_) => None,
    }
}

fn changes<R: RemoteObject>(
    before: &BTreeMap<String, Sighting<R>>,
    after: &BTreeMap<String, Sighting<R>>,
) -> BTreeSet<String> {
    let differs = |one: &Sighting<R>, all: &BTreeMap<String, Sighting<R>>| {
        all.get(one.object.id()).is_none_or(|twin| twin.object != one.object)
    };
    let lost = before.values().filter(|s| differs(s, after));
    let won = after.values().filter(|s| differs(s, before));
    lost.chain(won).flat_map(|s| [Some(s.object.id()), s.object.name()]).flatten().map(str::to_owned).collect()
}

/// What was found of an add-on on Heroku.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddonFacts {
    /// App UUID.
    pub app_id: String,
    /// Add-on UUID.
    pub addon_id: String,
    /// Add-on name.
    pub addon_name: String,
    /// Where its AppLink API is.
    pub api_url: String,
}

/// What is known of an add-on now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddonLive {
    /// What was found, as far as anything was.
    pub facts: Option<AddonFacts>,
    /// Why it cannot be used now.
    pub trouble: Option<Verdict>,
    /// Whether it has been silent for too long to know anything of what lives on it.
    pub silent: bool,
    /// Connections seen.
    pub connections: Option<i64>,
    /// Authorizations seen.
    pub authorizations: Option<i64>,
    /// When the last pass that ended began.
    pub at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Thing(&'static str, &'static str);

    impl RemoteObject for Thing {
        fn id(&self) -> &str {
            self.0
        }
        fn name(&self) -> Option<&str> {
            Some(self.1)
        }
        fn phase(&self) -> Phase {
            Phase::Up
        }
        fn created(&self) -> Option<Timestamp> {
            None
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn listing(items: &[Thing]) -> Listing<Thing> {
        Listing { items: items.to_vec(), whole: true }
    }

    fn ids(live: &Live<Thing>) -> Vec<&str> {
        live.sightings.iter().map(|s| s.object.id()).collect()
    }

    #[test]
    fn absence_needs_a_whole_listing_that_began_late_enough() {
        let mut all = Collection::default();
        assert!(!all.view(None, "a", at(0)).complete, "never listed");
        all.list(at(10), listing(&[]));
        assert!(all.view(None, "a", at(10)).complete);
        assert!(!all.view(None, "a", at(11)).complete, "began before");
        all.list(at(20), Listing { items: vec![], whole: false });
        assert!(!all.view(None, "a", at(10)).complete, "not whole");
    }

    #[test]
    fn a_write_to_a_name_makes_only_that_name_uncertain_until_the_next_listing() {
        let mut all = Collection::default();
        all.list(at(10), listing(&[]));
        all.witness(at(12), Witness::Touched("a".into()));
        assert!(!all.view(None, "a", at(0)).complete);
        assert!(all.view(None, "b", at(0)).complete);
        all.list(at(11), listing(&[]));
        assert!(!all.view(None, "a", at(0)).complete, "that listing began before the write");
        all.list(at(13), listing(&[]));
        assert!(all.view(None, "a", at(0)).complete);
    }

    #[test]
    fn what_was_learnt_later_outlives_a_listing_that_began_before() {
        let mut all = Collection::default();
        all.witness(at(12), Witness::Present(Thing("1", "a")));
        all.list(at(11), listing(&[Thing("2", "b")]));
        assert_eq!(ids(&all.view(None, "a", at(0))), ["1"]);
        all.witness(at(14), Witness::Gone("2".into()));
        all.list(at(13), listing(&[Thing("1", "a"), Thing("2", "b")]));
        assert!(ids(&all.view(None, "b", at(0))).is_empty());
        assert_eq!(all.view(None, "b", at(0)).gone, ["2"]);
        all.list(at(15), listing(&[Thing("1", "a"), Thing("2", "b")]));
        assert_eq!(ids(&all.view(None, "b", at(0))), ["2"], "a younger listing is believed again");
    }

    #[test]
    fn a_listing_tells_what_moved_and_nothing_at_rest() {
        let mut all = Collection::default();
        let moved = all.list(at(10), listing(&[Thing("1", "a"), Thing("2", "b")]));
        assert_eq!(moved.into_iter().collect::<Vec<_>>(), ["1", "2", "a", "b"]);
        assert!(all.list(at(20), listing(&[Thing("2", "b"), Thing("1", "a")])).is_empty());
        let moved = all.list(at(30), listing(&[Thing("1", "renamed")]));
        assert_eq!(moved.into_iter().collect::<Vec<_>>(), ["1", "2", "a", "b", "renamed"]);
        assert_eq!(all.count(), Some(1));
    }
}
