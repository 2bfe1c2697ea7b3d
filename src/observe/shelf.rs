//! Where what was seen of one add-on is kept: a collection for each kind, and for what lives on a connection one for each
//! connection.
//!
//! Calls nothing. The poller fills the shelves, the observer hands out views of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::pass::{Lodging, Missed, Page, Seen, Wanted};
use crate::plan::collection::{Collection, Listing, Witness};
use crate::plan::diff::connection::Targets;
use crate::plan::live::{GrantKind, Outage, Phase, RemoteGrant, RemoteObject, RemotePublication, RemoteTarget};
use crate::plan::verdict::Verdict;

/// All that was seen of one add-on.
#[derive(Debug, Default)]
pub struct Shelves {
    connections: Collection<RemoteGrant>,
    authorizations: Collection<RemoteGrant>,
    publications: BTreeMap<String, Collection<RemotePublication>>,
    targets: BTreeMap<String, Collection<RemoteTarget>>,
    /// When the targets of a connection were listed, or found to have no list.
    surveyed: BTreeMap<String, Timestamp>,
}

/// One of the shelves.
#[derive(Clone, Debug)]
pub struct Shelf<R> {
    find: for<'a> fn(&'a mut Shelves, &str) -> &'a mut Collection<R>,
    connection: String,
}

impl Shelf<RemoteGrant> {
    /// The connections, or the authorizations, of the add-on.
    #[must_use]
    pub fn grants(kind: GrantKind) -> Self {
        let find: for<'a> fn(&'a mut Shelves, &str) -> &'a mut Collection<RemoteGrant> = match kind {
            GrantKind::Connection => |shelves, _| &mut shelves.connections,
            GrantKind::Authorization => |shelves, _| &mut shelves.authorizations,
        };
        Self { find, connection: String::new() }
    }
}

impl Shelf<RemotePublication> {
    /// What is published through the connection of this id.
    #[must_use]
    pub fn publications(connection: &str) -> Self {
        Self {
            find: |shelves, id| shelves.publications.entry(id.to_owned()).or_default(),
            connection: connection.into(),
        }
    }
}

impl Shelf<RemoteTarget> {
    /// The data action targets on the connection of this id.
    #[must_use]
    pub fn targets(connection: &str) -> Self {
        Self { find: |shelves, id| shelves.targets.entry(id.to_owned()).or_default(), connection: connection.into() }
    }
}

impl Shelves {
    /// The collection on that shelf.
    pub fn at<R>(&mut self, shelf: &Shelf<R>) -> &mut Collection<R> {
        (shelf.find)(self, &shelf.connection)
    }

    /// Takes in a listing of connections or authorizations, and gives the ids and names that moved.
    pub fn list_grants(
        &mut self,
        kind: GrantKind,
        began: Timestamp,
        listing: Listing<RemoteGrant>,
    ) -> BTreeSet<String> {
        let whole = listing.whole;
        let moved = self.at(&Shelf::grants(kind)).list(began, listing);
        if kind == GrantKind::Connection && whole {
            let there: BTreeSet<_> = self.connections.objects().map(|c| c.id.clone()).collect();
            self.publications.retain(|id, _| there.contains(id));
            self.targets.retain(|id, _| there.contains(id));
            self.surveyed.retain(|id, _| there.contains(id));
        }
        moved
    }

    /// Whether the connection of this id is in working order.
    #[must_use]
    pub fn is_up(&self, connection: &str) -> bool {
        self.connections.objects().any(|c| c.id == connection && c.phase == Phase::Up)
    }

    /// How many connections, or authorizations, there are.
    #[must_use]
    pub fn count(&self, kind: GrantKind) -> Option<i64> {
        match kind {
            GrantKind::Connection => self.connections.count(),
            GrantKind::Authorization => self.authorizations.count(),
        }
    }

    /// Takes in what a connection was seen to hold, and gives what moved: `connection/id` and `connection/name`.
    pub fn list_page(&mut self, page: Page) -> BTreeSet<String> {
        let Page { connection, began, seen } = page;
        let moved = match seen {
            Seen::Publications(listing) => self.at(&Shelf::publications(&connection)).list(began, listing),
            Seen::Targets(listing) => {
                self.surveyed.insert(connection.clone(), began);
                self.at(&Shelf::targets(&connection)).list(began, listing)
            }
            Seen::Each(targets) => {
                self.surveyed.insert(connection.clone(), began);
                let shelf = self.at(&Shelf::targets(&connection));
                shelf.heard(began);
                targets.into_iter().flat_map(|(name, seen)| read(shelf, began, &name, seen)).collect()
            }
        };
        moved.into_iter().map(|moved| format!("{connection}/{moved}")).collect()
    }

    /// Takes in that something on a connection could not be read.
    pub(super) fn miss(&mut self, at: Timestamp, missed: Missed, patience: SignedDuration) {
        let Missed { connection, what, verdict } = missed;
        match what {
            Lodging::Publications => self.at(&Shelf::publications(&connection)).missed(at, verdict, patience),
            Lodging::Targets => self.at(&Shelf::targets(&connection)).missed(at, verdict, patience),
        }
    }

    /// Takes in that nothing else is asked for, but for connections.
    pub fn asked_for(&mut self, wanted: &Wanted) {
        if !wanted.authorizations {
            self.authorizations.unasked();
        }
        let publications = self.publications.iter_mut().filter(|(id, _)| !wanted.publications.contains(*id));
        publications.for_each(|(_, shelf)| shelf.unasked());
        let targets = self.targets.iter_mut().filter(|(id, _)| !wanted.targets.contains_key(*id));
        targets.for_each(|(_, shelf)| shelf.unasked());
    }

    /// What of it cannot be listed now, if only in part.
    #[must_use]
    pub fn outages(&self) -> Vec<(String, Outage)> {
        let grants = [("connections", &self.connections), ("authorizations", &self.authorizations)];
        let grants = grants.into_iter().map(|(what, shelf)| (what.to_owned(), shelf.outage()));
        let on = |what: &str, id: &str| format!("{what} of connection {id}");
        let publications = self.publications.iter().map(|(id, shelf)| (on("publications", id), shelf.outage()));
        let targets = self.targets.iter().map(|(id, shelf)| (on("data action targets", id), shelf.outage()));
        let all = grants.chain(publications).chain(targets);
        all.filter_map(|(what, outage)| Some((what, outage?.clone()))).collect()
    }

    /// The targets on a connection, whoever made them.
    #[must_use]
    pub fn survey(&self, connection: &str) -> Targets {
        let named = |target: &RemoteTarget| {
            let name = target.api_name.clone().or_else(|| target.label.clone());
            (target.id.clone(), name.unwrap_or_else(|| target.id.clone()))
        };
        let seen = self.targets.get(connection).map(|all| all.objects().map(named).collect());
        Targets { at: self.surveyed.get(connection).copied(), seen: seen.unwrap_or_default() }
    }
}

/// What the add-on tells of a list that does not come, while others do.
pub(super) fn partly(what: &str, outage: &Outage) -> Verdict {
    let message = format!("{what} cannot be listed: {}", outage.verdict.message);
    Verdict { message, ..outage.verdict.clone() }
}

/// Takes in one target that was read by its name, and gives what moved. One of another app may answer to the name: then
/// there is none of ours.
fn read(
    shelf: &mut Collection<RemoteTarget>,
    at: Timestamp,
    name: &str,
    mut seen: Option<RemoteTarget>,
) -> Vec<String> {
    seen.iter_mut().for_each(|target| target.call(name));
    let ours = seen.as_ref().filter(|target| target.name() == Some(name)).cloned();
    let before = shelf.objects().find(|known| known.name() == Some(name)).cloned();
    let moved = before != ours;
    let ids: Vec<_> = before.iter().chain(&ours).map(|target| target.id.clone()).collect();
    // Where nothing moved it was looked at just now, all the same.
    if ours.is_none() {
        shelf.witness(at, Witness::Absent(name.to_owned()));
    }
    seen.into_iter().for_each(|target| shelf.witness(at, Witness::Present(target)));
    if moved { ids.into_iter().chain([name.to_owned()]).collect() } else { Vec::new() }
}
