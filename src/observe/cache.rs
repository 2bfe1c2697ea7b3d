//! The cache of one add-on: a collection for each kind, and for connection children one for each connection.
//!
//! Calls nothing. The poller fills it, the observer reads it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::pass::{ChildKind, ChildListing, ChildObservations, FailedListing, Subscription};
use crate::conditions::ConditionReport;
use crate::facts::TargetListing;
use crate::facts::collection::{Collection, Listing, Observation};
use crate::facts::{
    OrgAccessKind, Outage, Phase, RemoteDataActionTarget, RemoteObject, RemoteOrgAccess, RemotePublication,
};

/// Everything that was observed on one add-on.
#[derive(Debug, Default)]
pub struct AddonCache {
    connections: Collection<RemoteOrgAccess>,
    authorizations: Collection<RemoteOrgAccess>,
    publications: BTreeMap<String, Collection<RemotePublication>>,
    targets: BTreeMap<String, Collection<RemoteDataActionTarget>>,
    /// When the targets of each connection were last listed, or found to have no list endpoint.
    targets_listed: BTreeMap<String, Timestamp>,
}

/// Refers to one collection in an `AddonCache`.
#[derive(Clone, Debug)]
pub struct CollectionRef<R> {
    find: for<'a> fn(&'a AddonCache, &str) -> Option<&'a Collection<R>>,
    find_mut: for<'a> fn(&'a mut AddonCache, &str) -> &'a mut Collection<R>,
    connection: String,
}

impl CollectionRef<RemoteOrgAccess> {
    /// The connections or the authorizations of the add-on.
    #[must_use]
    pub fn org_access(kind: OrgAccessKind) -> Self {
        let connection = String::new();
        match kind {
            OrgAccessKind::Connection => Self {
                find: |cache, _| Some(&cache.connections),
                find_mut: |cache, _| &mut cache.connections,
                connection,
            },
            OrgAccessKind::Authorization => Self {
                find: |cache, _| Some(&cache.authorizations),
                find_mut: |cache, _| &mut cache.authorizations,
                connection,
            },
        }
    }
}

impl CollectionRef<RemotePublication> {
    /// The publications of the connection with this ID.
    #[must_use]
    pub fn publications(connection: &str) -> Self {
        Self {
            find: |cache, id| cache.publications.get(id),
            find_mut: |cache, id| cache.publications.entry(id.to_owned()).or_default(),
            connection: connection.into(),
        }
    }
}

impl CollectionRef<RemoteDataActionTarget> {
    /// The data action targets of the connection with this ID.
    #[must_use]
    pub fn targets(connection: &str) -> Self {
        Self {
            find: |cache, id| cache.targets.get(id),
            find_mut: |cache, id| cache.targets.entry(id.to_owned()).or_default(),
            connection: connection.into(),
        }
    }
}

impl AddonCache {
    /// The collection that `collection` refers to, if anything was recorded in it.
    #[must_use]
    pub fn get<R>(&self, collection: &CollectionRef<R>) -> Option<&Collection<R>> {
        (collection.find)(self, &collection.connection)
    }

    /// The collection that `collection` refers to, for changes. Creates an empty one if needed.
    pub fn at<R>(&mut self, collection: &CollectionRef<R>) -> &mut Collection<R> {
        (collection.find_mut)(self, &collection.connection)
    }

    /// Applies a listing of connections or authorizations. Returns the IDs and names that changed.
    pub fn apply_org_access_listing(
        &mut self,
        kind: OrgAccessKind,
        began: Timestamp,
        listing: Listing<RemoteOrgAccess>,
    ) -> BTreeSet<String> {
        let whole = listing.whole;
        let changed_keys = self.at(&CollectionRef::org_access(kind)).apply_listing(began, listing);
        if kind == OrgAccessKind::Connection && whole {
            let known: BTreeSet<_> = self.connections.objects().map(|c| c.id.clone()).collect();
            self.publications.retain(|id, _| known.contains(id));
            self.targets.retain(|id, _| known.contains(id));
            self.targets_listed.retain(|id, _| known.contains(id));
        }
        changed_keys
    }

    /// Whether the connection with this ID is ready.
    #[must_use]
    pub fn is_ready(&self, connection: &str) -> bool {
        self.connections.objects().any(|c| c.id == connection && c.phase == Phase::Ready)
    }

    /// Number of connections or authorizations, if listed.
    #[must_use]
    pub fn count(&self, kind: OrgAccessKind) -> Option<i64> {
        match kind {
            OrgAccessKind::Connection => self.connections.count(),
            OrgAccessKind::Authorization => self.authorizations.count(),
        }
    }

    /// Applies a listing of connection children. Returns what changed, as `connection/id` and `connection/name`.
    pub fn apply_child_listing(&mut self, listing: ChildListing) -> BTreeSet<String> {
        let ChildListing { connection, began, seen } = listing;
        let changed_keys = match seen {
            ChildObservations::Publications(listing) => {
                self.at(&CollectionRef::publications(&connection)).apply_listing(began, listing)
            }
            ChildObservations::Targets(listing) => {
                self.targets_listed.insert(connection.clone(), began);
                self.at(&CollectionRef::targets(&connection)).apply_listing(began, listing)
            }
            ChildObservations::Each(targets) => {
                self.targets_listed.insert(connection.clone(), began);
                let collection = self.at(&CollectionRef::targets(&connection));
                collection.succeeded(began);
                targets
                    .into_iter()
                    .flat_map(|(name, seen)| apply_named_target(collection, began, &name, seen))
                    .collect()
            }
        };
        changed_keys.into_iter().map(|key| format!("{connection}/{key}")).collect()
    }

    /// Records that connection children could not be listed.
    pub(super) fn apply_failure(&mut self, at: Timestamp, failed_listing: FailedListing, stale_after: SignedDuration) {
        let FailedListing { connection, what, report } = failed_listing;
        match what {
            ChildKind::Publications => {
                self.at(&CollectionRef::publications(&connection)).failed(at, report, stale_after)
            }
            ChildKind::TargetListing => self.at(&CollectionRef::targets(&connection)).failed(at, report, stale_after),
        }
    }

    /// Marks collections that `subscription` does not include. Connections are always included.
    pub fn apply_subscription(&mut self, subscription: &Subscription) {
        if !subscription.authorizations {
            self.authorizations.unsubscribed();
        }
        let publications = self.publications.iter_mut().filter(|(id, _)| !subscription.publications.contains(*id));
        publications.for_each(|(_, collection)| collection.unsubscribed());
        let targets = self.targets.iter_mut().filter(|(id, _)| !subscription.targets.contains_key(*id));
        targets.for_each(|(_, collection)| collection.unsubscribed());
    }

    /// Collections that cannot be listed at the moment.
    #[must_use]
    pub fn outages(&self) -> Vec<(String, Outage)> {
        let org_access = [("connections", &self.connections), ("authorizations", &self.authorizations)];
        let org_access = org_access.into_iter().map(|(what, collection)| (what.to_owned(), collection.outage()));
        let label = |what: &str, id: &str| format!("{what} of connection {id}");
        let publications =
            self.publications.iter().map(|(id, collection)| (label("publications", id), collection.outage()));
        let targets =
            self.targets.iter().map(|(id, collection)| (label("data action targets", id), collection.outage()));
        let all = org_access.chain(publications).chain(targets);
        all.filter_map(|(what, outage)| Some((what, outage?.clone()))).collect()
    }

    /// All targets on a connection, also those of other owners.
    #[must_use]
    pub fn target_listing(&self, connection: &str) -> TargetListing {
        let named = |target: &RemoteDataActionTarget| {
            let name = target.api_name.clone().or_else(|| target.label.clone());
            (target.id.clone(), name.unwrap_or_else(|| target.id.clone()))
        };
        let seen = self.targets.get(connection).map(|all| all.objects().map(named).collect());
        TargetListing { at: self.targets_listed.get(connection).copied(), seen: seen.unwrap_or_default() }
    }
}

/// The report of the add-on while one of its lists fails and others work.
pub(super) fn list_problem(what: &str, outage: &Outage) -> ConditionReport {
    let message = format!("cannot list {what}: {}", outage.report.message);
    ConditionReport { message, ..outage.report.clone() }
}

/// Applies a target that was read by its name. Returns what changed. The API may return a target of another app for the
/// name; ours is absent then.
fn apply_named_target(
    collection: &mut Collection<RemoteDataActionTarget>,
    at: Timestamp,
    name: &str,
    mut seen: Option<RemoteDataActionTarget>,
) -> Vec<String> {
    seen.iter_mut().for_each(|target| target.set_name(name));
    let ours = seen.as_ref().filter(|target| target.name() == Some(name)).cloned();
    let before = collection.objects().find(|known| known.name() == Some(name)).cloned();
    let changed_keys = before != ours;
    let ids: Vec<_> = before.iter().chain(&ours).map(|target| target.id.clone()).collect();
    // Even if nothing changed, this is a new observation.
    if ours.is_none() {
        collection.observe(at, Observation::Absent(name.to_owned()));
    }
    seen.into_iter().for_each(|target| collection.observe(at, Observation::Present(target)));
    if changed_keys { ids.into_iter().chain([name.to_owned()]).collect() } else { Vec::new() }
}
