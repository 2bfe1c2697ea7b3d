//! What is known of one collection of an add-on: the last listing, and what was learnt of single objects since.
//!
//! Pure. `observe` is the only writer; `diff` sees a [`Live`] view of one key, in which absence is a matter of proof.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::live::{Live, Outage, Phase, RemoteObject, Sighting};
use super::verdict::Verdict;

/// What was found gone is looked at once more after this.
const GONE_FOR: SignedDuration = SignedDuration::from_mins(10);

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
    /// Nothing bears this name.
    Absent(String),
    /// Something may have happened under this name.
    Touched(String),
}

/// What is known of one collection of one add-on.
#[derive(Clone, Debug)]
pub struct Collection<R> {
    listed: Option<Listed>,
    objects: BTreeMap<String, Sighting<R>>,
    witnessed: Vec<(Timestamp, Witness<R>)>,
    /// When a GET or a DELETE found these ids gone; no listing since has shown them.
    gone: BTreeMap<String, Timestamp>,
    /// When a GET found that nothing bears these names.
    absent: BTreeMap<String, Timestamp>,
    /// Names that we gave, by the ids that we were given for them: a list may tell them late.
    names: BTreeMap<String, String>,
    /// When the service last told what there is, or was first asked in vain.
    heard: Option<Timestamp>,
    outage: Option<Outage>,
}

#[derive(Clone, Copy, Debug)]
struct Listed {
    began: Timestamp,
    whole: bool,
}

impl<R> Default for Collection<R> {
    fn default() -> Self {
        Self {
            listed: None,
            objects: BTreeMap::new(),
            witnessed: Vec::new(),
            gone: BTreeMap::new(),
            absent: BTreeMap::new(),
            names: BTreeMap::new(),
            heard: None,
            outage: None,
        }
    }
}

impl<R: RemoteObject> Collection<R> {
    /// Takes in a listing that began at `began`, and gives the ids and names whose objects changed by it.
    pub fn list(&mut self, began: Timestamp, listing: Listing<R>) -> BTreeSet<String> {
        // Two may be under way, and come back in another order.
        if self.listed.is_some_and(|listed| listed.began > began) {
            return BTreeSet::new();
        }
        // What was learnt while it was under way is younger than what it shows.
        self.witnessed.retain(|(at, _)| *at >= began);
        self.listed = Some(Listed { began, whole: listing.whole });
        self.heard(began);
        let ids: BTreeSet<_> = listing.items.iter().map(|item| item.id().to_owned()).collect();
        self.names.retain(|id, _| ids.contains(id));
        let sighted = |mut object: R| {
            self.names.get(object.id()).iter().for_each(|name| object.call(name));
            let older = self.objects.get(object.id()).filter(|old| old.object.name() == object.name());
            older.iter().for_each(|old| object.inherit(&old.object));
            let detailed = older.is_some_and(|old| old.detailed && old.object.phase() == object.phase());
            (object.id().to_owned(), Sighting { object, at: began, detailed })
        };
        let mut now: BTreeMap<_, _> = listing.items.into_iter().map(sighted).collect();
        self.witnessed.iter().for_each(|(at, witness)| overlay(&mut now, *at, witness));
        self.absent.retain(|_, at| *at >= began);
        self.gone.retain(|id, at| !now.contains_key(id) && began.duration_since(*at) < GONE_FOR);
        let moved = changes(&self.objects, &now);
        self.objects = now;
        moved
    }

    /// Takes in that the service told at `at` what there is.
    pub fn heard(&mut self, at: Timestamp) {
        (self.heard, self.outage) = (Some(at), None);
    }

    /// Takes in that it did not, which is an outage from then on, and a silence once that lasts for `patience`.
    pub fn missed(&mut self, at: Timestamp, verdict: Verdict, patience: SignedDuration) {
        let since = *self.heard.get_or_insert(at);
        // One outage is told once, in the words it began with, whatever face it shows next.
        let outage = self.outage.get_or_insert(Outage { verdict, silent: false });
        outage.silent = at.duration_since(since) >= patience;
    }

    /// Takes in that nobody asks the service for it now, so that its silence means nothing.
    pub fn unasked(&mut self) {
        (self.heard, self.outage) = (None, None);
    }

    /// Why it cannot be listed now.
    #[must_use]
    pub fn outage(&self) -> Option<&Outage> {
        self.outage.as_ref()
    }

    /// Takes in that the object of this id has this name.
    pub fn know(&mut self, id: &str, name: &str) {
        if let Some(seen) = self.objects.get_mut(id) {
            seen.object.call(name);
            self.names.insert(id.to_owned(), name.to_owned());
        }
    }

    /// Takes in what was learnt of one object at `at`.
    pub fn witness(&mut self, at: Timestamp, witness: Witness<R>) {
        if let Witness::Present(object) = &witness
            && let Some(name) = object.name()
        {
            self.names.insert(object.id().to_owned(), name.to_owned());
        }
        match &witness {
            Witness::Gone(id) => drop(self.gone.insert(id.clone(), at)),
            Witness::Present(object) => drop(self.gone.remove(object.id())),
            Witness::Absent(name) => drop(self.absent.insert(name.clone(), at)),
            Witness::Touched(_) => {}
        }
        overlay(&mut self.objects, at, &witness);
        // No listing that is still under way began so long ago. That something was written is known until one shows it.
        let young = |since: Timestamp| at.duration_since(since) < GONE_FOR;
        self.witnessed.retain(|(since, known)| matches!(known, Witness::Touched(_)) || young(*since));
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
        let listed = self.listed.is_some_and(|l| l.whole && l.began >= since && !written_since(l.began))
            && self.objects.values().all(|s| s.object.name().is_some());
        let asked = self.absent.get(name).is_some_and(|at| *at >= since && !written_since(*at));
        Live {
            sightings: self.objects.values().filter(ours).cloned().collect(),
            complete: listed || asked,
            listed,
            asked,
            gone: self.gone.keys().cloned().collect(),
            outage: self.outage.clone(),
        }
    }

    /// All that was seen.
    pub fn objects(&self) -> impl Iterator<Item = &R> {
        self.objects.values().map(|seen| &seen.object)
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
            let mut object = object.clone();
            if let Some(older) = objects.get(object.id()) {
                object.inherit(&older.object);
            }
            objects.insert(object.id().to_owned(), Sighting { object, at, detailed: true });
        }
        Witness::Gone(id) => {
            objects.remove(id);
        }
        Witness::Absent(name) => objects.retain(|_, seen| seen.object.name() != Some(name)),
        Witness::Touched(_) => {}
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
            Some(self.1).filter(|name| !name.is_empty())
        }
        fn phase(&self) -> Phase {
            Phase::Up
        }
        fn call(&mut self, name: &str) {
            if self.1.is_empty() {
                self.1 = name.to_owned().leak();
            }
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
    fn what_has_no_name_yet_may_have_any_unless_we_gave_it_one() {
        let mut all = Collection::default();
        all.list(at(10), listing(&[Thing("1", ""), Thing("2", "b")]));
        assert!(!all.view(None, "a", at(0)).complete);
        all.know("1", "c");
        assert!(all.view(None, "a", at(0)).complete);
        assert_eq!(ids(&all.view(None, "c", at(0))), ["1"]);
        assert!(all.list(at(20), listing(&[Thing("1", ""), Thing("2", "b")])).is_empty(), "nothing moved");
        all.list(at(30), listing(&[Thing("3", "")]));
        assert!(!all.view(None, "a", at(0)).complete);
        all.witness(at(32), Witness::Present(Thing("4", "d")));
        all.list(at(31), listing(&[Thing("4", "")]));
        assert_eq!(ids(&all.view(None, "d", at(0))), ["4"], "as the answer to our own call told");
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
    fn what_is_read_one_by_one_for_ever_takes_no_more_room_for_it() {
        let mut all = Collection::default();
        all.witness(at(0), Witness::Touched("b".into()));
        for nth in 0..1000 {
            all.witness(at(60 * nth), Witness::Present(Thing("1", "a")));
        }
        assert!(all.witnessed.len() < 12, "{}", all.witnessed.len());
        all.list(at(0), listing(&[]));
        assert!(!all.view(None, "b", at(0)).complete, "the write is not forgotten");
    }

    #[test]
    fn a_name_that_a_get_finds_free_is_free_until_it_is_written_to() {
        let mut all = Collection::default();
        all.witness(at(8), Witness::Present(Thing("1", "a")));
        all.witness(at(10), Witness::Absent("a".into()));
        assert!(all.view(None, "a", at(10)).complete && ids(&all.view(None, "a", at(0))).is_empty());
        assert!(!all.view(None, "a", at(11)).complete, "looked at before");
        assert!(!all.view(None, "b", at(0)).complete, "of another name nothing is known");
        all.witness(at(12), Witness::Touched("a".into()));
        assert!(!all.view(None, "a", at(0)).complete);
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
        assert!(all.view(None, "b", at(0)).gone.is_empty());
        all.witness(at(16), Witness::Gone("1".into()));
        all.list(at(17), listing(&[]));
        assert_eq!(all.view(None, "a", at(0)).gone, ["1"], "what a list agrees with stands");
        all.list(at(16 + 600), listing(&[]));
        assert!(all.view(None, "a", at(0)).gone.is_empty(), "but not for ever");
    }

    #[test]
    fn a_list_that_fails_is_an_outage_and_a_silence_once_that_lasts() {
        let mut all = Collection::default();
        let patience = SignedDuration::from_secs(300);
        let miss = |all: &mut Collection<Thing>, second, text: &str| {
            all.missed(at(second), Verdict::waits(crate::crd::Reason::RemoteUnavailable, text), patience);
            let outage = all.view(None, "a", at(0)).outage.unwrap();
            (outage.verdict.message, outage.silent)
        };
        assert_eq!(miss(&mut all, 10, "500"), ("500".to_owned(), false), "never listed");
        assert_eq!(miss(&mut all, 309, "502"), ("500".to_owned(), false));
        assert_eq!(miss(&mut all, 310, "500"), ("500".to_owned(), true));
        all.list(at(320), listing(&[]));
        assert_eq!(all.view(None, "a", at(0)).outage, None);
        assert_eq!(miss(&mut all, 619, "502"), ("502".to_owned(), false));
        assert_eq!(miss(&mut all, 620, "502"), ("502".to_owned(), true));
        all.unasked();
        assert_eq!(all.view(None, "a", at(0)).outage, None);
        assert_eq!(miss(&mut all, 900, "504"), ("504".to_owned(), false), "it begins anew");
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
