//! Facts of a publication, and whether somebody else published since we did. AppLink returns the modification time, but not
//! the content.
//!
//! Pure. The plan calls [`record_facts`] for each observation.

use jiff::{SignedDuration, Timestamp};

use super::snapshot::Snapshot;
use crate::conditions::whole_seconds;
use crate::crd::PublicationStatus;
use crate::facts::{Observed, RemotePublication};
use crate::plan::remote::RemoteContext;
use crate::plan::remote::recorded::{establish, merge_known};
use crate::plan::state::CallOutcome;
use crate::timing::{PUBLISH_LAG, elapsed, remaining};

/// `status.remoteStatus` of every publication, because AppLink has no status for it.
const REMOTE_STATUS: &str = "published";

/// Writes the remote facts to the status. Returns whether somebody else published since we did.
pub(super) fn record_facts(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemotePublication>,
    status: &mut PublicationStatus,
    observed: &Observed<RemotePublication>,
) -> bool {
    let object = &observed.object;
    let first = status.remote.remote_status.is_none();
    status.connection_id = snapshot.connection.id().map(str::to_owned).or_else(|| status.connection_id.take());
    merge_known(object.external_service_id.as_ref(), &mut status.external_service_id);
    merge_known(object.external_service_name.as_ref(), &mut status.external_service_name);
    let remote = &mut status.remote;
    remote.id = Some(object.id.clone());
    remote.addon_id = ctx.owner_id().map(str::to_owned).or_else(|| remote.addon_id.take());
    remote.remote_status = Some(REMOTE_STATUS.to_owned());
    merge_known(object.created_at.as_ref(), &mut remote.created_at);
    merge_known(object.created_by.as_ref(), &mut remote.created_by);
    if let Some(org) = &object.org_id {
        remote.org.get_or_insert_default().id = Some(org.clone());
    }
    establish(remote, ctx.now);
    if ctx.policies.observes() {
        return false;
    }
    if first {
        status.last_published_at.get_or_insert_with(|| whole_seconds(ctx.now));
    }
    record_modification(ctx, status, observed)
}

/// Records the modification time of our publication. Returns whether somebody else changed it.
fn record_modification(
    ctx: &RemoteContext<'_, RemotePublication>,
    status: &mut PublicationStatus,
    observed: &Observed<RemotePublication>,
) -> bool {
    let Some(modified_at) = &observed.object.modified_at else { return false };
    if let Some(known) = &status.modified_at {
        return known != modified_at && !same_moment(known, modified_at);
    }
    let intent = ctx.state.intent.as_ref();
    let before = intent.and_then(|intent| intent.modified_marker.as_ref());
    let changed = before != Some(modified_at) && intent.is_none_or(|intent| observed.at >= intent.at);
    // If AppLink does not show our call by then, it never will.
    let lag_over = status.last_published_at.as_ref().is_none_or(|at| elapsed(*at, observed.at) >= PUBLISH_LAG);
    if changed || lag_over {
        status.modified_at = Some(modified_at.clone());
    }
    false
}

/// Whether two spellings denote the same moment.
fn same_moment(one: &str, other: &str) -> bool {
    let parse = |text: &str| text.parse::<Timestamp>().ok();
    parse(one).zip(parse(other)).is_some_and(|(one, other)| one == other)
}

/// How long AppLink may still take to show a publication that it never showed.
pub(super) fn wait_to_appear(
    ctx: &RemoteContext<'_, RemotePublication>,
    status: &mut PublicationStatus,
) -> Option<SignedDuration> {
    // Without a digest, an old answer may be about another connection.
    ctx.recorded.applied_hash.as_ref()?;
    if matches!(ctx.state.last_outcome, Some(CallOutcome::Created { .. })) && ctx.create_intent().is_none() {
        status.last_published_at.get_or_insert_with(|| whole_seconds(ctx.now));
    }
    let at = status.last_published_at.as_ref().filter(|_| status.remote.remote_status.is_none())?;
    remaining(PUBLISH_LAG, *at, ctx.now)
}
