//! One pass over an add-on: a list call for each kind, and one for each connection that something of ours lives on.
//!
//! Keeps nothing. The poller says when, and takes in what is seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, stream};
use jiff::Timestamp;

use super::shared::Sharing;
use super::{Key, trouble};
use crate::applink::AppLink;
use crate::clock::Clock;
use crate::heroku::{AccessError, Found};
use crate::plan::collection::Listing;
use crate::plan::live::{GrantKind, RemoteGrant, RemotePublication, RemoteTarget};
use crate::plan::verdict::Verdict;

/// List calls under way at a time.
const AT_A_TIME: usize = 4;

/// What of an add-on somebody of ours wants to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Whether any authorization.
    pub authorizations: bool,
    /// What is published through these connections.
    pub publications: BTreeSet<String>,
    /// These targets by their connections, and who wants them.
    pub targets: BTreeMap<String, BTreeMap<String, Key>>,
}

impl Wanted {
    /// How many list calls that takes, with those for connections and authorizations.
    #[must_use]
    pub fn calls(&self) -> u32 {
        u32::try_from(self.publications.len() + self.targets.len()).unwrap_or(u32::MAX - 2).saturating_add(2)
    }
}

/// What was seen of the kinds that live on the add-on itself.
pub(super) struct Grants {
    /// When the listing began, and what it shows.
    pub(super) connections: (Timestamp, Listing<RemoteGrant>),
    /// Or when it was missed and why: it must not cost us the connections.
    pub(super) authorizations: Result<(Timestamp, Listing<RemoteGrant>), (Timestamp, Verdict)>,
}

/// What was seen on one connection.
pub struct Page {
    /// Its id.
    pub connection: String,
    /// When the call began.
    pub began: Timestamp,
    /// What was seen.
    pub seen: Seen,
}

/// What was to be seen on a connection and could not be.
pub(super) struct Missed {
    pub(super) connection: String,
    pub(super) what: Lodging,
    /// Why.
    pub(super) verdict: Verdict,
}

/// What lives on a connection.
#[derive(Clone, Copy)]
pub(super) enum Lodging {
    Publications,
    Targets,
}

/// What can be seen on a connection.
pub enum Seen {
    /// What is published through it.
    Publications(Listing<RemotePublication>),
    /// Its targets.
    Targets(Listing<RemoteTarget>),
    /// Targets by their names, where the service has no list of them.
    Each(Vec<(String, Option<RemoteTarget>)>),
}

/// Lists what lives on the add-on itself, as it was `found`. Where somebody says that there is no such add-on, it is
/// resolved anew, unless that was done since the pass began, and listed once more if that shows anything new.
pub(super) async fn grants(
    link: &AppLink,
    clock: Clock,
    began: Timestamp,
    found: &mut Arc<Found>,
    sharing: &Sharing,
) -> Result<Grants, AccessError> {
    let first = list(link, clock, sharing).await;
    if !first.as_ref().is_err_and(AccessError::says_gone) || found.at >= began {
        return first;
    }
    match link.renewed(found).await {
        Ok(Some(anew)) => {
            *found = anew;
            list(link, clock, sharing).await
        }
        Ok(None) | Err(AccessError::Budget(_)) => first,
        Err(error) => Err(error),
    }
}

async fn list(link: &AppLink, clock: Clock, sharing: &Sharing) -> Result<Grants, AccessError> {
    let began = clock.now();
    let authorizations = async {
        let listed = sharing.listing("authorizations", link.list_grants(GrantKind::Authorization)).await;
        Ok(listed.map_err(|error| {
            tracing::warn!("cannot list authorizations: {error}");
            (began, trouble(&error))
        }))
    };
    let connections = sharing.listing("connections", link.list_grants(GrantKind::Connection));
    let (connections, authorizations) = tokio::try_join!(connections, authorizations)?;
    Ok(Grants { connections, authorizations })
}

/// Lists what lives on connections. `due` tells which targets are read one by one, where they have no list.
pub(super) async fn pages(
    link: &AppLink,
    clock: Clock,
    wanted: &Wanted,
    sharing: &Sharing,
    due: impl Fn(&str, &Key) -> bool,
) -> Vec<Result<Page, Missed>> {
    let publications = wanted.publications.iter().map(|id| (id, None));
    let targets = wanted.targets.iter().map(|(id, names)| (id, Some(names)));
    let due = &due;
    let read = |(id, names): (&String, Option<&BTreeMap<String, Key>>)| {
        let (connection, names) = (id.clone(), names.cloned());
        let what = if names.is_some() { Lodging::Targets } else { Lodging::Publications };
        async move {
            let seen = match names {
                None => {
                    let name = format!("publications of {connection}");
                    let listed = sharing.listing(&name, link.list_publications(&connection)).await;
                    listed.map(|(began, listing)| (began, Seen::Publications(listing)))
                }
                Some(names) => {
                    let name = format!("targets of {connection}");
                    match sharing.listing(&name, link.list_targets(&connection)).await {
                        Ok((began, Some(listing))) => Ok((began, Seen::Targets(listing))),
                        Ok((_, None)) => {
                            let began = clock.now();
                            each(link, &connection, names, due).await.map(|each| (began, Seen::Each(each)))
                        }
                        Err(error) => Err(error),
                    }
                }
            };
            match seen {
                Ok((began, seen)) => Ok(Page { connection, began, seen }),
                Err(error) => {
                    tracing::warn!(%connection, "cannot read what lives on the connection: {error}");
                    Err(Missed { connection, what, verdict: trouble(&error) })
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
    due: impl Fn(&str, &Key) -> bool,
) -> Result<Vec<(String, Option<RemoteTarget>)>, AccessError> {
    let mut seen = Vec::new();
    for (name, _) in names.into_iter().filter(|(_, who)| due(connection, who)) {
        let target = link.get_target(connection, &name).await?;
        seen.push((name, target));
    }
    Ok(seen)
}
