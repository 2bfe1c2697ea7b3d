//! One pass over an add-on: a list call for each kind, and one for each connection that has children of ours.
//!
//! Keeps no state. The poller schedules passes and applies their results.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, stream};
use jiff::Timestamp;

use super::report::report_for;
use super::shared::Sharing;
use super::trigger::Key;
use crate::applink::AppLink;
use crate::clock::Clock;
use crate::conditions::ConditionReport;
use crate::facts::collection::Listing;
use crate::facts::{OrgAccessKind, RemoteDataActionTarget, RemoteOrgAccess, RemotePublication};
use crate::heroku::{RemoteError, ResolvedAddon};
use crate::liveness::Pulse;
use crate::timing::POLLER_HEARTBEAT;

/// Most concurrent list calls.
const MAX_CONCURRENT: usize = 4;

/// What to list on an add-on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// List authorizations.
    pub authorizations: bool,
    /// IDs of connections whose publications are listed.
    pub publications: BTreeSet<String>,
    /// Target names by connection ID, each with the object that declares it.
    pub targets: BTreeMap<String, BTreeMap<String, Key>>,
}

impl Subscription {
    /// Number of list calls, including those for connections and authorizations.
    #[must_use]
    pub fn calls(&self) -> u32 {
        u32::try_from(self.publications.len() + self.targets.len()).unwrap_or(u32::MAX - 2).saturating_add(2)
    }
}

/// Listings of the kinds that belong to the add-on itself.
pub(super) struct OrgAccessListings {
    /// When the call began, and its result.
    pub(super) connections: (Timestamp, Listing<RemoteOrgAccess>),
    /// Or when it failed, and why. The failure must not discard the connections.
    pub(super) authorizations: Result<(Timestamp, Listing<RemoteOrgAccess>), (Timestamp, ConditionReport)>,
}

/// Children of one connection.
pub struct ChildListing {
    /// ID of the connection.
    pub connection: String,
    /// When the call began.
    pub began: Timestamp,
    /// What the call showed.
    pub seen: ChildObservations,
}

/// A listing of connection children that failed.
pub(super) struct FailedListing {
    pub(super) connection: String,
    pub(super) what: ChildKind,
    pub(super) report: ConditionReport,
}

/// The kinds of connection children.
#[derive(Clone, Copy)]
pub(super) enum ChildKind {
    Publications,
    TargetListing,
}

/// Observed connection children.
pub enum ChildObservations {
    /// All publications.
    Publications(Listing<RemotePublication>),
    /// All targets.
    Targets(Listing<RemoteDataActionTarget>),
    /// Targets read by name, for a service without a list endpoint.
    Each(Vec<(String, Option<RemoteDataActionTarget>)>),
}

/// Lists connections and authorizations. If the service answers that the add-on is gone, looks it up again, unless that
/// happened during this pass, and lists once more if it has changed.
pub(super) async fn org_access(
    api: &AppLink,
    clock: Clock,
    began: Timestamp,
    found: &mut Arc<ResolvedAddon>,
    sharing: &Sharing,
) -> Result<OrgAccessListings, RemoteError> {
    let first = list(api, clock, sharing).await;
    if !first.as_ref().is_err_and(RemoteError::says_gone) || found.at >= began {
        return first;
    }
    match api.renewed(found).await {
        Ok(Some(renewed)) => {
            *found = renewed;
            list(api, clock, sharing).await
        }
        Ok(None) | Err(RemoteError::Budget(_)) => first,
        Err(error) => Err(error),
    }
}

async fn list(api: &AppLink, clock: Clock, sharing: &Sharing) -> Result<OrgAccessListings, RemoteError> {
    let began = clock.now();
    let authorizations = async {
        let listed = sharing.listing("authorizations", api.list_org_access(OrgAccessKind::Authorization)).await;
        Ok(listed.map_err(|error| {
            tracing::warn!("cannot list authorizations: {error}");
            (began, report_for(&error))
        }))
    };
    let connections = sharing.listing("connections", api.list_org_access(OrgAccessKind::Connection));
    let (connections, authorizations) = tokio::try_join!(connections, authorizations)?;
    Ok(OrgAccessListings { connections, authorizations })
}

/// Lists connection children. `due` selects the targets to read one by one if there is no list endpoint; `pulse`
/// beats at each call, because there may be many.
pub(super) async fn children(
    api: &AppLink,
    clock: Clock,
    subscription: &Subscription,
    sharing: &Sharing,
    pulse: &Pulse,
    due: impl Fn(&str, &Key) -> bool,
) -> Vec<Result<ChildListing, FailedListing>> {
    let publications = subscription.publications.iter().map(|id| (id, None));
    let targets = subscription.targets.iter().map(|(id, names)| (id, Some(names)));
    let due = &due;
    let read = |(id, names): (&String, Option<&BTreeMap<String, Key>>)| {
        let (connection, names) = (id.clone(), names.cloned());
        let what = if names.is_some() { ChildKind::TargetListing } else { ChildKind::Publications };
        async move {
            pulse.beat(POLLER_HEARTBEAT);
            let seen = match names {
                None => {
                    let name = format!("publications of {connection}");
                    let listed = sharing.listing(&name, api.list_publications(&connection)).await;
                    listed.map(|(began, listing)| (began, ChildObservations::Publications(listing)))
                }
                Some(names) => {
                    let name = format!("targets of {connection}");
                    match sharing.listing(&name, api.list_targets(&connection)).await {
                        Ok((began, Some(listing))) => Ok((began, ChildObservations::Targets(listing))),
                        Ok((_, None)) => {
                            let began = clock.now();
                            targets_by_name(api, &connection, names, pulse, due)
                                .await
                                .map(|all| (began, ChildObservations::Each(all)))
                        }
                        Err(error) => Err(error),
                    }
                }
            };
            match seen {
                Ok((began, seen)) => Ok(ChildListing { connection, began, seen }),
                Err(error) => {
                    tracing::warn!(%connection, "cannot list publications or targets of the connection: {error}");
                    Err(FailedListing { connection, what, report: report_for(&error) })
                }
            }
        }
    };
    let calls: Vec<_> = publications.chain(targets).map(read).collect();
    stream::iter(calls).buffer_unordered(MAX_CONCURRENT).collect().await
}

async fn targets_by_name(
    api: &AppLink,
    connection: &str,
    names: BTreeMap<String, Key>,
    pulse: &Pulse,
    due: impl Fn(&str, &Key) -> bool,
) -> Result<Vec<(String, Option<RemoteDataActionTarget>)>, RemoteError> {
    let mut seen = Vec::new();
    for (name, _) in names.into_iter().filter(|(_, who)| due(connection, who)) {
        pulse.beat(POLLER_HEARTBEAT);
        let target = api.get_target(connection, &name).await?;
        seen.push((name, target));
    }
    Ok(seen)
}
