//! When a publication was last modified, and by whom: the only thing that AppLink tells of what is published.
//!
//! Pure. The plan of the publication asks [`facts`] each time that it sees one.

use super::*;

/// Writes the remote facts into the status, and tells whether somebody else published since we did.
pub(super) fn facts(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemotePublication>,
    status: &mut PublicationStatus,
    observed: &Observed<RemotePublication>,
) -> bool {
    let seen = &observed.object;
    let fresh = status.remote.remote_status.is_none();
    status.connection_id = snapshot.connection.id().map(str::to_owned).or_else(|| status.connection_id.take());
    merge_known(seen.external_service_id.as_ref(), &mut status.external_service_id);
    merge_known(seen.external_service_name.as_ref(), &mut status.external_service_name);
    let remote = &mut status.remote;
    remote.id = Some(seen.id.clone());
    remote.addon_id = ctx.owner_id().map(str::to_owned).or_else(|| remote.addon_id.take());
    remote.remote_status = Some(THERE.to_owned());
    merge_known(seen.created_at.as_ref(), &mut remote.created_at);
    merge_known(seen.created_by.as_ref(), &mut remote.created_by);
    if let Some(org) = &seen.org_id {
        remote.org.get_or_insert_default().id = Some(org.clone());
    }
    establish(remote, ctx.now);
    if ctx.policies.observes() {
        return false;
    }
    if fresh {
        status.last_published_at.get_or_insert_with(|| whole_seconds(ctx.now));
    }
    modified(ctx, status, observed)
}

/// Takes in when the publication was last modified, and tells whether by somebody else.
fn modified(
    ctx: &RemoteContext<'_, RemotePublication>,
    status: &mut PublicationStatus,
    observed: &Observed<RemotePublication>,
) -> bool {
    let Some(told) = &observed.object.modified_at else { return false };
    if let Some(known) = &status.modified_at {
        return known != told && !same_moment(known, told);
    }
    let intent = ctx.state.intent.as_ref();
    let before = intent.and_then(|intent| intent.seen.as_ref());
    let shown = before != Some(told) && intent.is_none_or(|intent| observed.at >= intent.at);
    // One that does not show by then never will.
    let quiet = status.last_published_at.as_ref().is_none_or(|at| elapsed(*at, observed.at) >= LAG);
    if shown || quiet {
        status.modified_at = Some(told.clone());
    }
    false
}

/// Whether both say the same moment, each in its own way.
fn same_moment(one: &str, other: &str) -> bool {
    let read = |text: &str| text.parse::<Timestamp>().ok();
    read(one).zip(read(other)).is_some_and(|(one, other)| one == other)
}
