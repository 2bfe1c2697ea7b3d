//! One pass over an add-on: a list call for each kind, and one for each connection that something of ours lives on.
//!
//! Keeps nothing. The poller says when, and takes in what is seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, stream};
use jiff::Timestamp;

use super::poller::LONGEST_CALLS;
use super::shared::Sharing;
use super::{Key, report_for};
use crate::applink::AppLink;
use crate::clock::Clock;
use crate::conditions::ConditionReport;
use crate::facts::collection::Listing;
use crate::facts::{OrgAccessKind, RemoteDataActionTarget, RemoteOrgAccess, RemotePublication};
use crate::heroku::{RemoteError, ResolvedAddon};
use crate::liveness::Pulse;

/// List calls under way at a time.
const AT_A_TIME: usize = 4;

/// What of an add-on somebody of ours wants to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// Whether any authorization.
    pub authorizations: bool,
    /// What is published through these connections.
    pub publications: BTreeSet<String>,
    /// These targets by their connections, and who wants them.
    pub targets: BTreeMap<String, BTreeMap<String, Key>>,
}

impl Subscription {
    /// How many list calls that takes, with those for connections and authorizations.
    #[must_use]
    pub fn calls(&self) -> u32 {
        u32::try_from(self.publications.len() + self.targets.len()).unwrap_or(u32::MAX - 2).saturating_add(2)
    }
}

/// What was seen of the kinds that live on the add-on itself.
pub(super) struct OrgAccessListings {
    /// When the listing began, and what it shows.
    pub(super) connections: (Timestamp, Listing<RemoteOrgAccess>),
    /// Or when it was missed and why: it must not cost us the connections.
    pub(super) authorizations: Result<(Timestamp, Listing<RemoteOrgAccess>), (Timestamp, ConditionReport)>,
}

/// What was seen on one connection.
pub struct ChildListing {
    /// Its id.
    pub connection: String,
    /// When the call began.
    pub began: Timestamp,
    /// What was seen.
    pub seen: ChildObservations,
}

/// What was to be seen on a connection and could not be.
pub(super) struct FailedListing {
    pub(super) connection: String,
    pub(super) what: ChildKind,
    /// Why.
    pub(super) report: ConditionReport,
}

/// What lives on a connection.
#[derive(Clone, Copy)]
pub(super) enum ChildKind {
    Publications,
    TargetListing,
}

/// What can be seen on a connection.
pub enum ChildObservations {
    /// What is published through it.
    Publications(Listing<RemotePublication>),
    /// Its targets.
    Targets(Listing<RemoteDataActionTarget>),
    /// Targets by their names, where the service has no list of them.
    Each(Vec<(String, Option<RemoteDataActionTarget>)>),
}

/// Lists what lives on the add-on itself, as it was `found`. Where somebody says that there is no such add-on, it is
/// resolved anew, unless that was done since the pass began, and listed once more if that shows anything new.
pub(super) async fn org_access(
    link: &AppLink,
    clock: Clock,
    began: Timestamp,
    found: &mut Arc<ResolvedAddon>,
    sharing: &Sharing,
) -> Result<OrgAccessListings, RemoteError> {
    let first = list(link, clock, sharing).await;
    if !first.as_ref().is_err_and(RemoteError::says_gone) || found.at >= began {
        return first;
    }
    match link.renewed(found).await {
        Ok(Some(anew)) => {
            *found = anew;
            list(link, clock, sharing).await
        }
        Ok(None) | Err(RemoteError::Budget(_)) => first,
        Err(error) => Err(error),
    }
}

async fn list(link: &AppLink, clock: Clock, sharing: &Sharing) -> Result<OrgAccessListings, RemoteError> {
    let began = clock.now();
    let authorizations = async {
        let listed = sharing.listing("authorizations", link.list_org_access(OrgAccessKind::Authorization)).await;
        Ok(listed.map_err(|error| {
            tracing::warn!("cannot list authorizations: {error}");
            (began, report_for(&error))
        }))
    };
    let connections = sharing.listing("connections", link.list_org_access(OrgAccessKind::Connection));
    let (connections, authorizations) = tokio::try_join!(connections, authorizations)?;
    Ok(OrgAccessListings { connections, authorizations })
}

/// Lists what lives on connections. `due` tells which targets are read one by one, where they have no list. `pulse`
/// beats at each call, since there may be many.
pub(super) async fn pages(
    link: &AppLink,
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
            pulse.beat(LONGEST_CALLS);
            let seen = match names {
                None => {
                    let name = format!("publications of {connection}");
                    let listed = sharing.listing(&name, link.list_publications(&connection)).await;
                    listed.map(|(began, listing)| (began, ChildObservations::Publications(listing)))
                }
                Some(names) => {
                    let name = format!("targets of {connection}");
                    match sharing.listing(&name, link.list_targets(&connection)).await {
                        Ok((began, Some(listing))) => Ok((began, ChildObservations::Targets(listing))),
                        Ok((_, None)) => {
                            let began = clock.now();
                            each(link, &connection, names, pulse, due)
                                .await
                                .map(|each| (began, ChildObservations::Each(each)))
                        }
                        Err(error) => Err(error),
                    }
                }
            };
            match seen {
                Ok((began, seen)) => Ok(ChildListing { connection, began, seen }),
                Err(error) => {
                    tracing::warn!(%connection, "cannot read what lives on the connection: {error}");
                    Err(FailedListing { connection, what, report: report_for(&error) })
                }
            }
        }
    };
    let calls: Vec<_> = publications.chain(targets).map(read).collect();
    stream::iter(calls).buffer_unordered(AT_A_TIME).collect().await
}

async fn each(
    link: &AppLink,
    connection: &str,
    names: BTreeMap<String, Key>,
    pulse: &Pulse,
    due: impl Fn(&str, &Key) -> bool,
) -> Result<Vec<(String, Option<RemoteDataActionTarget>)>, RemoteError> {
    let mut seen = Vec::new();
    for (name, _) in names.into_iter().filter(|(_, who)| due(connection, who)) {
        pulse.beat(LONGEST_CALLS);
        let target = link.get_target(connection, &name).await?;
        seen.push((name, target));
    }
    Ok(seen)
}
