//! Conditions of a DataActionTarget, by the phase of its remote object.
//!
//! Pure. The plan asks for them once there is nothing left to do.

use super::snapshot::Snapshot;
use crate::conditions::ConditionReport;
use crate::crd::Reason;
use crate::facts::{Observed, Phase, RemoteDataActionTarget};
use crate::plan::decision::Decision;
use crate::plan::remote::RemoteContext;

/// Heroku asks for this config var before the first target, although AppLink seems to accept targets without it.
const APP_ID_UNSET: &str = "the app has no config var HEROKU_APP_ID, which AppLink and its SDKs need. Set it with \
                            heroku config:set HEROKU_APP_ID=<UUID of the app>";

/// What to report for the phase of the target.
pub(super) fn conditions_for(
    snapshot: &Snapshot,
    ctx: &RemoteContext<'_, RemoteDataActionTarget>,
    observed: &Observed<RemoteDataActionTarget>,
) -> Decision {
    let (name, remote) = (ctx.name, &observed.object);
    match remote.phase {
        Phase::Ready => {
            let warning = if snapshot.app_id_set { String::new() } else { format!(", but {APP_ID_UNSET}") };
            let text = format!("data action target {name} is created{warning}");
            Decision::report(ConditionReport::ready(Reason::Created, text))
        }
        Phase::Failed => {
            let cause = remote.error.as_deref().unwrap_or("no cause given").trim_end_matches('.');
            let remedy = match snapshot.app_id_set {
                true => "Check that config var HEROKU_APP_ID is the UUID of the app",
                false => "Set config var HEROKU_APP_ID with heroku config:set HEROKU_APP_ID=<UUID of the app>",
            };
            let text = format!(
                "AppLink reports that data action target {name} failed: {cause}. AppLink can neither retry nor delete it. \
                 {remedy}. Then create another DataActionTarget with another apiName, or replace the connection, which \
                 deletes all its targets"
            );
            Decision::report(ConditionReport::stalled(Reason::RemoteFailed, text))
        }
        Phase::Pending => {
            let remedy = "Ask Heroku support, or create another DataActionTarget with another apiName";
            ctx.in_progress(Reason::Creating, &remote.status, remedy)
        }
        Phase::Deleting | Phase::Deleted => {
            let text = format!("data action target {name} is being deleted");
            Decision::await_remote(ConditionReport::in_progress(Reason::Deleting, text))
        }
    }
}
