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
mod tests;
