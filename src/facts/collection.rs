//! What is known of one collection of an add-on: the last listing, and what was learnt of single objects since.
//!
//! Pure. `observe` is the only writer; `diff` sees a [`Lookup`] view of one key, in which absence is a matter of proof.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::conditions::ConditionReport;
use crate::facts::{Lookup, Observed, Outage, Phase, RemoteObject};

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
pub enum Observation<R> {
    /// It is there.
    Present(R),
    /// Nothing is there under this id.
    Deleted(String),
    /// Nothing bears this name.
    Absent(String),
    /// Something may have happened under this name.
    Written(String),
}

/// What is known of one collection of one add-on.
#[derive(Clone, Debug)]
pub struct Collection<R> {
    listed: Option<Listed>,
    objects: BTreeMap<String, Observed<R>>,
    observations: Vec<(Timestamp, Observation<R>)>,
    /// When a GET or a DELETE found these ids gone; no listing since has shown them.
    deleted_ids: BTreeMap<String, Timestamp>,
    /// When a GET found that nothing bears these names.
    absent: BTreeMap<String, Timestamp>,
    /// Names that we gave, by the ids that we were given for them: a list may tell them late.
    names: BTreeMap<String, String>,
    /// When the service last told what there is, or was first asked in vain.
    succeeded_at: Option<Timestamp>,
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
            observations: Vec::new(),
            deleted_ids: BTreeMap::new(),
            absent: BTreeMap::new(),
            names: BTreeMap::new(),
            succeeded_at: None,
            outage: None,
        }
    }
}

impl<R: RemoteObject> Collection<R> {
    /// Takes in a listing that began at `began`, and gives the ids and names whose objects changed by it.
    pub fn apply_listing(&mut self, began: Timestamp, listing: Listing<R>) -> BTreeSet<String> {
        // Two may be under way, and come back in another order.
        if self.listed.is_some_and(|listed| listed.began > began) {
            return BTreeSet::new();
        }
        // What was learnt while it was under way is younger than what it shows.
        self.observations.retain(|(at, _)| *at >= began);
        self.listed = Some(Listed { began, whole: listing.whole });
        self.succeeded(began);
        let ids: BTreeSet<_> = listing.items.iter().map(|item| item.id().to_owned()).collect();
        self.names.retain(|id, _| ids.contains(id));
        let sighted = |mut object: R| {
            self.names.get(object.id()).iter().for_each(|name| object.set_name(name));
            let older = self.objects.get(object.id()).filter(|old| old.object.name() == object.name());
            older.iter().for_each(|old| object.merge_older(&old.object));
            let detailed = older.is_some_and(|old| old.detailed && old.object.phase() == object.phase());
            (object.id().to_owned(), Observed { object, at: began, detailed })
        };
        let mut now: BTreeMap<_, _> = listing.items.into_iter().map(sighted).collect();
        self.observations.iter().for_each(|(at, observation)| overlay(&mut now, *at, observation));
        self.absent.retain(|_, at| *at >= began);
        self.deleted_ids.retain(|id, at| !now.contains_key(id) && began.duration_since(*at) < GONE_FOR);
        let changed_keys = changes(&self.objects, &now);
        self.objects = now;
        changed_keys
    }

    /// Takes in that the service told at `at` what there is.
    pub fn succeeded(&mut self, at: Timestamp) {
        (self.succeeded_at, self.outage) = (Some(at), None);
    }

    /// Takes in that it did not, which is an outage from then on, and a silence once that lasts for `patience`.
    pub fn failed(&mut self, at: Timestamp, report: ConditionReport, patience: SignedDuration) {
        let since = *self.succeeded_at.get_or_insert(at);
        // One outage is told once, in the words it began with, whatever face it shows next.
        let outage = self.outage.get_or_insert(Outage { report, stale: false });
        outage.stale = at.duration_since(since) >= patience;
    }

    /// Takes in that nobody asks the service for it now, so that its silence means nothing.
    pub fn unsubscribed(&mut self) {
        (self.succeeded_at, self.outage) = (None, None);
    }

    /// Why it cannot be listed now.
    #[must_use]
    pub fn outage(&self) -> Option<&Outage> {
        self.outage.as_ref()
    }

    /// Takes in that the object of this id has this name.
    pub fn set_name(&mut self, id: &str, name: &str) {
        if let Some(seen) = self.objects.get_mut(id) {
            seen.object.set_name(name);
            self.names.insert(id.to_owned(), name.to_owned());
        }
    }

    /// Takes in what was learnt of one object at `at`.
    pub fn observe(&mut self, at: Timestamp, observation: Observation<R>) {
        if let Observation::Present(object) = &observation
            && let Some(name) = object.name()
        {
            self.names.insert(object.id().to_owned(), name.to_owned());
        }
        match &observation {
            Observation::Deleted(id) => drop(self.deleted_ids.insert(id.clone(), at)),
            Observation::Present(object) => drop(self.deleted_ids.remove(object.id())),
            Observation::Absent(name) => drop(self.absent.insert(name.clone(), at)),
            // What was found before is no longer certain.
            Observation::Written(name) => self.absent.retain(|free, since| free != name || *since > at),
        }
        overlay(&mut self.objects, at, &observation);
        // No listing that is still under way began so long ago. That something was written is known until one shows it,
        // and of several writes to a name by the last. Where there never was a listing, there is none to doubt.
        let (listed, young) = (self.listed.is_some(), |since: Timestamp| at.duration_since(since) < GONE_FOR);
        self.observations.retain(|(since, known)| match (known, &observation) {
            (Observation::Written(old), Observation::Written(new)) if old == new && *since <= at => false,
            (Observation::Written(_), _) => listed || young(*since),
            _ => young(*since),
        });
        self.observations.push((at, observation));
    }

    /// What is known of the key (id, name). Absence counts only from a listing that began at `since` or later, and
    /// after the last write to that name.
    #[must_use]
    pub fn lookup(&self, id: Option<&str>, name: &str, since: Timestamp) -> Lookup<R> {
        let written_since = |began: Timestamp| {
            self.observations.iter().any(|(at, w)| matches!(w, Observation::Written(n) if n == name) && *at >= began)
        };
        let ours = |s: &&Observed<R>| s.object.name() == Some(name) || Some(s.object.id()) == id;
        let listed = self.listed.is_some_and(|l| l.whole && l.began >= since && !written_since(l.began))
            && self.objects.values().all(|s| s.object.name().is_some());
        let absent_by_get = self.absent.get(name).is_some_and(|at| *at >= since && !written_since(*at));
        Lookup {
            observed: self.objects.values().filter(ours).map(redacted).collect(),
            complete: listed || absent_by_get,
            listed,
            absent_by_get,
            deleted_ids: self.deleted_ids.keys().cloned().collect(),
            outage: self.outage.clone(),
        }
    }

    /// The object of this id, with what [`Self::lookup`] leaves out.
    #[must_use]
    pub fn object(&self, id: &str) -> Option<&R> {
        self.objects.get(id).map(|observed| &observed.object)
    }

    /// All that was seen.
    pub fn objects(&self) -> impl Iterator<Item = &R> {
        self.objects.values().map(|seen| &seen.object)
    }

    /// How many objects there are, those taken away left out; nothing before the first listing.
    #[must_use]
    pub fn count(&self) -> Option<i64> {
        self.listed?;
        i64::try_from(self.objects.values().filter(|s| s.object.phase() != Phase::Deleted).count()).ok()
    }
}

fn redacted<R: RemoteObject>(observed: &Observed<R>) -> Observed<R> {
    let mut observed = observed.clone();
    observed.object.redact();
    observed
}

fn overlay<R: RemoteObject>(objects: &mut BTreeMap<String, Observed<R>>, at: Timestamp, observation: &Observation<R>) {
    match observation {
        Observation::Present(object) => {
            let mut object = object.clone();
            if let Some(older) = objects.get(object.id()) {
                object.merge_older(&older.object);
            }
            objects.insert(object.id().to_owned(), Observed { object, at, detailed: true });
        }
        Observation::Deleted(id) => {
            objects.remove(id);
        }
        Observation::Absent(name) => objects.retain(|_, seen| seen.object.name() != Some(name)),
        Observation::Written(_) => {}
    }
}

fn changes<R: RemoteObject>(
    before: &BTreeMap<String, Observed<R>>,
    after: &BTreeMap<String, Observed<R>>,
) -> BTreeSet<String> {
    let differs = |one: &Observed<R>, all: &BTreeMap<String, Observed<R>>| {
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
            Phase::Ready
        }
        fn set_name(&mut self, name: &str) {
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

    fn ids(live: &Lookup<Thing>) -> Vec<&str> {
        live.observed.iter().map(|s| s.object.id()).collect()
    }

    #[test]
    fn absence_needs_a_whole_listing_that_began_late_enough() {
        let mut all = Collection::default();
        assert!(!all.lookup(None, "a", at(0)).complete, "never listed");
        all.apply_listing(at(10), listing(&[]));
        assert!(all.lookup(None, "a", at(10)).complete);
        assert!(!all.lookup(None, "a", at(11)).complete, "began before");
        all.apply_listing(at(20), Listing { items: vec![], whole: false });
        assert!(!all.lookup(None, "a", at(10)).complete, "not whole");
    }

    #[test]
    fn what_has_no_name_yet_may_have_any_unless_we_gave_it_one() {
        let mut all = Collection::default();
        all.apply_listing(at(10), listing(&[Thing("1", ""), Thing("2", "b")]));
        assert!(!all.lookup(None, "a", at(0)).complete);
        all.set_name("1", "c");
        assert!(all.lookup(None, "a", at(0)).complete);
        assert_eq!(ids(&all.lookup(None, "c", at(0))), ["1"]);
        assert!(all.apply_listing(at(20), listing(&[Thing("1", ""), Thing("2", "b")])).is_empty(), "nothing moved");
        all.apply_listing(at(30), listing(&[Thing("3", "")]));
        assert!(!all.lookup(None, "a", at(0)).complete);
        all.observe(at(32), Observation::Present(Thing("4", "d")));
        all.apply_listing(at(31), listing(&[Thing("4", "")]));
        assert_eq!(ids(&all.lookup(None, "d", at(0))), ["4"], "as the answer to our own call told");
    }

    #[test]
    fn a_write_to_a_name_makes_only_that_name_uncertain_until_the_next_listing() {
        let mut all = Collection::default();
        all.apply_listing(at(10), listing(&[]));
        all.observe(at(12), Observation::Written("a".into()));
        assert!(!all.lookup(None, "a", at(0)).complete);
        assert!(all.lookup(None, "b", at(0)).complete);
        all.apply_listing(at(11), listing(&[]));
        assert!(!all.lookup(None, "a", at(0)).complete, "that listing began before the write");
        all.apply_listing(at(13), listing(&[]));
        assert!(all.lookup(None, "a", at(0)).complete);
    }

    #[test]
    fn what_is_read_one_by_one_for_ever_takes_no_more_room_for_it() {
        let mut all = Collection::default();
        all.apply_listing(at(0), listing(&[]));
        all.observe(at(0), Observation::Written("b".into()));
        for nth in 0..1000 {
            all.observe(at(60 * nth), Observation::Present(Thing("1", "a")));
        }
        assert!(all.observations.len() < 12, "{}", all.observations.len());
        assert!(!all.lookup(None, "b", at(0)).complete, "the write is not forgotten");
    }

    #[test]
    fn writes_where_nothing_is_ever_listed_take_no_more_room_for_ever() {
        let (mut listed, mut never) = (Collection::<Thing>::default(), Collection::<Thing>::default());
        listed.apply_listing(at(0), listing(&[]));
        for nth in 0..1000 {
            listed.observe(at(60 * nth), Observation::Written(format!("target-{}", nth % 5)));
            never.observe(at(60 * nth), Observation::Written(format!("target-{nth}")));
        }
        assert_eq!(listed.observations.len(), 5, "one for each name");
        assert!(!listed.lookup(None, "target-0", at(0)).complete, "what the old listing shows is not certain");
        assert!(never.observations.len() < 12, "{}", never.observations.len());
        assert!(!never.lookup(None, "target-0", at(0)).complete, "nothing was proved");
        never.observe(at(60_010), Observation::Absent("target-999".into()));
        never.observe(at(60_020), Observation::Written("target-999".into()));
        never.observe(at(61_000), Observation::Written("another".into()));
        assert!(!never.lookup(None, "target-999", at(0)).complete, "it was free before the write");
    }

    #[test]
    fn a_name_that_a_get_finds_free_is_free_until_it_is_written_to() {
        let mut all = Collection::default();
        all.observe(at(8), Observation::Present(Thing("1", "a")));
        all.observe(at(10), Observation::Absent("a".into()));
        assert!(all.lookup(None, "a", at(10)).complete && ids(&all.lookup(None, "a", at(0))).is_empty());
        assert!(!all.lookup(None, "a", at(11)).complete, "looked at before");
        assert!(!all.lookup(None, "b", at(0)).complete, "of another name nothing is known");
        all.observe(at(12), Observation::Written("a".into()));
        assert!(!all.lookup(None, "a", at(0)).complete);
    }

    #[test]
    fn what_was_learnt_later_outlives_a_listing_that_began_before() {
        let mut all = Collection::default();
        all.observe(at(12), Observation::Present(Thing("1", "a")));
        all.apply_listing(at(11), listing(&[Thing("2", "b")]));
        assert_eq!(ids(&all.lookup(None, "a", at(0))), ["1"]);
        all.observe(at(14), Observation::Deleted("2".into()));
        all.apply_listing(at(13), listing(&[Thing("1", "a"), Thing("2", "b")]));
        assert!(ids(&all.lookup(None, "b", at(0))).is_empty());
        assert_eq!(all.lookup(None, "b", at(0)).deleted_ids, ["2"]);
        all.apply_listing(at(15), listing(&[Thing("1", "a"), Thing("2", "b")]));
        assert_eq!(ids(&all.lookup(None, "b", at(0))), ["2"], "a younger listing is believed again");
        assert!(all.lookup(None, "b", at(0)).deleted_ids.is_empty());
        all.observe(at(16), Observation::Deleted("1".into()));
        all.apply_listing(at(17), listing(&[]));
        assert_eq!(all.lookup(None, "a", at(0)).deleted_ids, ["1"], "what a list agrees with stands");
        all.apply_listing(at(16 + 600), listing(&[]));
        assert!(all.lookup(None, "a", at(0)).deleted_ids.is_empty(), "but not for ever");
    }

    #[test]
    fn a_list_that_fails_is_an_outage_and_a_silence_once_that_lasts() {
        let mut all = Collection::default();
        let patience = SignedDuration::from_secs(300);
        let miss = |all: &mut Collection<Thing>, second, text: &str| {
            all.failed(at(second), ConditionReport::in_progress(crate::crd::Reason::RemoteUnavailable, text), patience);
            let outage = all.lookup(None, "a", at(0)).outage.unwrap();
            (outage.report.message, outage.stale)
        };
        assert_eq!(miss(&mut all, 10, "500"), ("500".to_owned(), false), "never listed");
        assert_eq!(miss(&mut all, 309, "502"), ("500".to_owned(), false));
        assert_eq!(miss(&mut all, 310, "500"), ("500".to_owned(), true));
        all.apply_listing(at(320), listing(&[]));
        assert_eq!(all.lookup(None, "a", at(0)).outage, None);
        assert_eq!(miss(&mut all, 619, "502"), ("502".to_owned(), false));
        assert_eq!(miss(&mut all, 620, "502"), ("502".to_owned(), true));
        all.unsubscribed();
        assert_eq!(all.lookup(None, "a", at(0)).outage, None);
        assert_eq!(miss(&mut all, 900, "504"), ("504".to_owned(), false), "it begins anew");
    }

    #[test]
    fn a_listing_tells_what_moved_and_nothing_at_rest() {
        let mut all = Collection::default();
        let changed_keys = all.apply_listing(at(10), listing(&[Thing("1", "a"), Thing("2", "b")]));
        assert_eq!(changed_keys.into_iter().collect::<Vec<_>>(), ["1", "2", "a", "b"]);
        assert!(all.apply_listing(at(20), listing(&[Thing("2", "b"), Thing("1", "a")])).is_empty());
        let changed_keys = all.apply_listing(at(30), listing(&[Thing("1", "renamed")]));
        assert_eq!(changed_keys.into_iter().collect::<Vec<_>>(), ["1", "2", "a", "b", "renamed"]);
        assert_eq!(all.count(), Some(1));
    }
}
