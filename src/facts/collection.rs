//! One collection of an add-on: the last listing, and observations of single objects since.
//!
//! Pure. `observe` is the only writer. A plan sees a [`Lookup`] of one key. An object counts as absent only if that is proved.

mod objects;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};

use crate::conditions::ConditionReport;
use crate::facts::{Lookup, Observed, Outage, Phase, RemoteObject};
use crate::timing::OBSERVATION_LIFETIME;

use objects::Objects;

/// Fewer observations than this are not worth a search for old ones.
const ROOM: usize = 8;

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
    objects: Objects<R>,
    /// Observations since the last listing began, but for writes.
    observations: Vec<(Timestamp, Observation<R>)>,
    /// So many observations are kept before old ones are looked for.
    room: usize,
    /// Names of the last writes since the last listing began, and when.
    written: HashMap<String, Timestamp>,
    /// IDs that a GET or a DELETE found absent, and when. No listing since has shown them.
    deleted_ids: BTreeMap<String, Deleted>,
    /// Names that a GET found absent, and when.
    absent: BTreeMap<String, Timestamp>,
    /// Names by ID, from our own calls, because a listing may show a name late.
    names: BTreeMap<String, String>,
    /// When a list call last succeeded, or when the first one failed.
    succeeded_at: Option<Timestamp>,
    outage: Option<Outage>,
}

#[derive(Clone, Debug)]
struct Deleted {
    at: Timestamp,
    /// Its name, if known.
    name: Option<String>,
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
            objects: Objects::default(),
            observations: Vec::new(),
            room: ROOM,
            written: HashMap::new(),
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
        self.written.retain(|_, at| *at >= began);
        self.listed = Some(Listed { began, whole: listing.whole });
        self.succeeded(began);
        let ids: BTreeSet<_> = listing.items.iter().map(|item| item.id().to_owned()).collect();
        self.names.retain(|id, _| ids.contains(id));
        let observed = |mut object: R| {
            self.names.get(object.id()).iter().for_each(|name| object.set_name(name));
            let older = self.objects.get(object.id()).filter(|old| old.object.name() == object.name());
            older.iter().for_each(|old| object.merge_older(&old.object));
            let detailed = older.is_some_and(|old| old.detailed && old.object.phase() == object.phase());
            Observed { object, at: began, detailed }
        };
        let mut now: Objects<_> = listing.items.into_iter().map(observed).collect();
        self.observations.iter().for_each(|(at, observation)| overlay(&mut now, *at, observation));
        self.absent.retain(|_, at| *at >= began);
        let still = |deleted: &Deleted| began.duration_since(deleted.at) < OBSERVATION_LIFETIME;
        self.deleted_ids.retain(|id, deleted| now.get(id).is_none() && still(deleted));
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
        if self.objects.change(id, |object| object.set_name(name)) {
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
            Observation::Deleted(id) => {
                let known = self.objects.get(id).and_then(|observed| observed.object.name()).map(str::to_owned);
                let name = known.or_else(|| self.names.get(id).cloned());
                self.deleted_ids.insert(id.clone(), Deleted { at, name });
            }
            Observation::Present(object) => drop(self.deleted_ids.remove(object.id())),
            Observation::Absent(name) => drop(self.absent.insert(name.clone(), at)),
            Observation::Written(name) => {
                // What was found before is no longer certain.
                if self.absent.get(name).is_some_and(|since| *since <= at) {
                    self.absent.remove(name);
                }
                let last = self.written.entry(name.clone()).or_insert(at);
                *last = (*last).max(at);
            }
        }
        overlay(&mut self.objects, at, &observation);
        if !matches!(observation, Observation::Written(_)) {
            self.observations.push((at, observation));
        }
        if self.observations.len().saturating_add(self.written.len()) > self.room {
            self.forget_old(at);
        }
    }

    /// No listing that is still under way began so long ago. That something was written is known until one shows it; where
    /// there never was a listing, there is none to doubt.
    fn forget_old(&mut self, now: Timestamp) {
        let young = |since: Timestamp| now.duration_since(since) < OBSERVATION_LIFETIME;
        self.observations.retain(|(since, _)| young(*since));
        if self.listed.is_none() {
            self.written.retain(|_, since| young(*since));
        }
        self.room = ROOM.max(self.observations.len().saturating_add(self.written.len()).saturating_mul(2));
    }

    /// Everything observed under an ID and a name. A listing proves absence only if it began at `since` or later, and after
    /// the last write to the name.
    #[must_use]
    pub fn lookup(&self, id: Option<&str>, name: &str, since: Timestamp) -> Lookup<R> {
        let written_since = |began: Timestamp| self.written.get(name).is_some_and(|at| *at >= began);
        let listed = self.listed.is_some_and(|l| l.whole && l.began >= since && !written_since(l.began))
            && self.objects.all_named();
        let absent_by_get = self.absent.get(name).is_some_and(|at| *at >= since && !written_since(*at));
        // Those of other names are none of the asker's.
        let concerns =
            |known: &str, deleted: &Deleted| deleted.name.as_deref().is_none_or(|of| of == name) || Some(known) == id;
        let deleted = self.deleted_ids.iter().filter(|(known, deleted)| concerns(known, deleted));
        Lookup {
            observed: self.objects.of(id, name).into_iter().map(redacted).collect(),
            complete: listed || absent_by_get,
            listed,
            absent_by_get,
            deleted_ids: deleted.map(|(id, _)| id.clone()).collect(),
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
        self.objects.iter().map(|observed| &observed.object)
    }

    /// Number of objects, without disconnected ones; `None` before the first listing.
    #[must_use]
    pub fn count(&self) -> Option<i64> {
        self.listed?;
        i64::try_from(self.objects.iter().filter(|s| s.object.phase() != Phase::Deleted).count()).ok()
    }
}

fn redacted<R: RemoteObject>(observed: &Observed<R>) -> Observed<R> {
    let mut observed = observed.clone();
    observed.object.redact();
    observed
}

fn overlay<R: RemoteObject>(objects: &mut Objects<R>, at: Timestamp, observation: &Observation<R>) {
    match observation {
        Observation::Present(object) => {
            let mut object = object.clone();
            if let Some(older) = objects.get(object.id()) {
                object.merge_older(&older.object);
            }
            objects.insert(Observed { object, at, detailed: true });
        }
        Observation::Deleted(id) => drop(objects.remove(id)),
        Observation::Absent(name) => objects.remove_named(name),
        Observation::Written(_) => {}
    }
}

fn changes<R: RemoteObject>(before: &Objects<R>, after: &Objects<R>) -> BTreeSet<String> {
    let differs =
        |one: &Observed<R>, all: &Objects<R>| all.get(one.object.id()).is_none_or(|other| other.object != one.object);
    let removed = before.iter().filter(|s| differs(s, after));
    let added = after.iter().filter(|s| differs(s, before));
    removed.chain(added).flat_map(|s| [Some(s.object.id()), s.object.name()]).flatten().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
