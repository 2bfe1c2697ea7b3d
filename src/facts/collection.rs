//! One collection of an add-on: the last listing, and observations of single objects since.
//!
//! Pure. `observe` is the only writer. A plan sees a [`Lookup`] of one key. An object counts as absent only if that is proved.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::conditions::ConditionReport;
use crate::facts::{Lookup, Observed, Outage, Phase, RemoteObject};
use crate::timing::OBSERVATION_LIFETIME;

/// Result of one list call.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing<R> {
    /// Objects that it contains.
    pub items: Vec<R>,
    /// Whether the listing is complete: every item parsed, and there is no sign of further pages. Only a complete listing
    /// proves that an object is absent.
    pub whole: bool,
}

/// An observation of one object outside a listing: the answer to a write or to a GET.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation<R> {
    /// The object exists.
    Present(R),
    /// No object has this ID.
    Deleted(String),
    /// No object has this name.
    Absent(String),
    /// A write may have changed an object with this name.
    Written(String),
}

/// Everything observed of one collection of one add-on.
#[derive(Clone, Debug)]
pub struct Collection<R> {
    listed: Option<Listed>,
    objects: BTreeMap<String, Observed<R>>,
    observations: Vec<(Timestamp, Observation<R>)>,
    /// IDs that a GET or a DELETE found absent, and when. No listing since has shown them.
    deleted_ids: BTreeMap<String, Timestamp>,
    /// Names that a GET found absent, and when.
    absent: BTreeMap<String, Timestamp>,
    /// Names by ID, from our own calls, because a listing may show a name late.
    names: BTreeMap<String, String>,
    /// When a list call last succeeded, or when the first one failed.
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
    /// Applies a listing that began at `began`. Returns the IDs and names of objects that it changed.
    pub fn apply_listing(&mut self, began: Timestamp, listing: Listing<R>) -> BTreeSet<String> {
        // Two list calls may overlap and end in reverse order.
        if self.listed.is_some_and(|listed| listed.began > began) {
            return BTreeSet::new();
        }
        // Observations since the call began are newer than the listing.
        self.observations.retain(|(at, _)| *at >= began);
        self.listed = Some(Listed { began, whole: listing.whole });
        self.succeeded(began);
        let ids: BTreeSet<_> = listing.items.iter().map(|item| item.id().to_owned()).collect();
        self.names.retain(|id, _| ids.contains(id));
        let observed = |mut object: R| {
            self.names.get(object.id()).iter().for_each(|name| object.set_name(name));
            let older = self.objects.get(object.id()).filter(|old| old.object.name() == object.name());
            older.iter().for_each(|old| object.merge_older(&old.object));
            let detailed = older.is_some_and(|old| old.detailed && old.object.phase() == object.phase());
            (object.id().to_owned(), Observed { object, at: began, detailed })
        };
        let mut now: BTreeMap<_, _> = listing.items.into_iter().map(observed).collect();
        self.observations.iter().for_each(|(at, observation)| overlay(&mut now, *at, observation));
        self.absent.retain(|_, at| *at >= began);
        self.deleted_ids.retain(|id, at| !now.contains_key(id) && began.duration_since(*at) < OBSERVATION_LIFETIME);
        let changed_keys = changes(&self.objects, &now);
        self.objects = now;
        changed_keys
    }

    /// Records that a list call succeeded at `at`.
    pub fn succeeded(&mut self, at: Timestamp) {
        (self.succeeded_at, self.outage) = (Some(at), None);
    }

    /// Records that a list call failed at `at`. This is an outage; it is stale once no call has succeeded for `stale_after`.
    pub fn failed(&mut self, at: Timestamp, report: ConditionReport, stale_after: SignedDuration) {
        let since = *self.succeeded_at.get_or_insert(at);
        // An outage keeps its first report, even if its symptoms change.
        let outage = self.outage.get_or_insert(Outage { report, stale: false });
        outage.stale = at.duration_since(since) >= stale_after;
    }

    /// Records that the operator no longer lists the collection, so that there is no outage.
    pub fn unsubscribed(&mut self) {
        (self.succeeded_at, self.outage) = (None, None);
    }

    /// Why the list calls fail now.
    #[must_use]
    pub fn outage(&self) -> Option<&Outage> {
        self.outage.as_ref()
    }

    /// Records the name of an object that a listing shows without one.
    pub fn set_name(&mut self, id: &str, name: &str) {
        if let Some(observed) = self.objects.get_mut(id) {
            observed.object.set_name(name);
            self.names.insert(id.to_owned(), name.to_owned());
        }
    }

    /// Applies an observation of one object that was made at `at`.
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
        let (listed, young) =
            (self.listed.is_some(), |since: Timestamp| at.duration_since(since) < OBSERVATION_LIFETIME);
        self.observations.retain(|(since, known)| match (known, &observation) {
            (Observation::Written(old), Observation::Written(new)) if old == new && *since <= at => false,
            (Observation::Written(_), _) => listed || young(*since),
            _ => young(*since),
        });
        self.observations.push((at, observation));
    }

    /// Everything observed under an ID and a name. A listing proves absence only if it began at `since` or later, and after
    /// the last write to the name.
    #[must_use]
    pub fn lookup(&self, id: Option<&str>, name: &str, since: Timestamp) -> Lookup<R> {
        let written_since = |began: Timestamp| {
            self.observations
                .iter()
                .any(|(at, observation)| matches!(observation, Observation::Written(n) if n == name) && *at >= began)
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

    /// The object with this ID, including the secrets that [`Self::lookup`] leaves out.
    #[must_use]
    pub fn object(&self, id: &str) -> Option<&R> {
        self.objects.get(id).map(|observed| &observed.object)
    }

    /// All observed objects.
    pub fn objects(&self) -> impl Iterator<Item = &R> {
        self.objects.values().map(|observed| &observed.object)
    }

    /// Number of objects, without disconnected ones; `None` before the first listing.
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
        Observation::Absent(name) => objects.retain(|_, observed| observed.object.name() != Some(name)),
        Observation::Written(_) => {}
    }
}

fn changes<R: RemoteObject>(
    before: &BTreeMap<String, Observed<R>>,
    after: &BTreeMap<String, Observed<R>>,
) -> BTreeSet<String> {
    let differs = |one: &Observed<R>, all: &BTreeMap<String, Observed<R>>| {
        all.get(one.object.id()).is_none_or(|other| other.object != one.object)
    };
    let removed = before.values().filter(|s| differs(s, after));
    let added = after.values().filter(|s| differs(s, before));
    removed.chain(added).flat_map(|s| [Some(s.object.id()), s.object.name()]).flatten().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
