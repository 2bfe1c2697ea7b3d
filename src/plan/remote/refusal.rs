//! Back-off: how long the operator waits after a call that failed or that AppLink refused.
//!
//! Pure. An edit or a request ends a wait, except a limit on the number of calls.

use jiff::SignedDuration;

use super::context::RemoteContext;
use crate::conditions::{ConditionReport, Progress, StatusUpdate};
use crate::crd::Reason;
use crate::facts::RemoteObject;
use crate::plan::decision::Decision;
use crate::plan::state::CallOutcome;
use crate::timing::{REFUSAL_BACK_OFF, REFUSAL_LIMIT, elapsed, remaining};

impl<R: RemoteObject> RemoteContext<'_, R> {
    /// Check BACK_OFF: waits as the outcome of the last call demands.
    #[must_use]
    pub fn after_outcome(&self) -> Option<Decision> {
        let limit = self.refusal_limit();
        let (report, left) = match &self.state.last_outcome {
            Some(CallOutcome::Deferred { report, at, until, .. }) => {
                let applies = *at >= self.state.changed_at || report.reason == Reason::RateLimited;
                let left = elapsed(self.now, *until);
                (report, Some(left).filter(|left| applies && left.is_positive()).max(limit)?)
            }
            Some(CallOutcome::Refused { report, .. }) => (report, limit?),
            _ => return None,
        };
        let decision =
            Decision { update: self.report_while_deferred(report), ..Decision::unchanged() }.requeue_after(left);
        Some(match report.progress {
            _ if !self.state.deleting => decision,
            Progress::Failed => self.deletion_blocked(decision),
            _ => self.deletion_blocked_by(report, decision),
        })
    }

    /// Waits after a permanent refusal of a call that was not a creation.
    #[must_use]
    pub fn after_refusal(&self) -> Option<Decision> {
        let Some(CallOutcome::Refused { report, at, attempt: None, .. }) = &self.state.last_outcome else {
            return None;
        };
        let left = remaining(REFUSAL_BACK_OFF, *at, self.now).filter(|_| *at >= self.state.changed_at)?;
        Some(Decision::report(report.clone()).requeue_after(left))
    }

    /// How long the operator sends nothing for the object, because AppLink refused too many calls.
    fn refusal_limit(&self) -> Option<SignedDuration> {
        let mut left = self.state.refusals.iter().rev().filter_map(|at| remaining(REFUSAL_BACK_OFF, *at, self.now));
        left.nth(REFUSAL_LIMIT - 1)
    }

    /// Conditions of the last refusal, if this process still remembers it.
    pub(super) fn refusal(&self) -> StatusUpdate {
        match &self.state.last_outcome {
            Some(CallOutcome::Refused { report, .. }) => report.clone().into(),
            _ => StatusUpdate::KeepConditions,
        }
    }

    /// What to report while a call waits. A Ready object stays Ready until it is proved gone, and its message names the
    /// cause. A cause that the user must remove is always reported. After an edit, nothing is reported yet.
    pub(super) fn report_while_deferred(&self, cause: &ConditionReport) -> StatusUpdate {
        let gone = self.recorded.id.as_ref().is_some_and(|id| self.lookup.deleted_ids.contains(id));
        if !self.state.ready || gone || cause.progress == Progress::Failed {
            return cause.clone().into();
        }
        match self.state.reason {
            Some(reason) if self.state.is_observed() && reason != Reason::Suspended => {
                let text = format!(
                    "{} {} is unchanged, but the next update is waiting: {}",
                    self.noun, self.display_name, cause.message
                );
                ConditionReport::ready(reason, text).into()
            }
            _ => StatusUpdate::Unchanged,
        }
    }
}
