//! What a failing list does to an object while the add-on answers other calls.
//!
//! Pure. Every kind has this as a safeguard. [`OwnerState::Unusable`](super::OwnerState) covers an outage of the whole add-on.

use super::context::RemoteContext;
use crate::conditions::{ConditionReport, ReadyStatus, StatusUpdate};
use crate::crd::Reason;
use crate::facts::{Outage, RemoteObject};
use crate::plan::decision::Decision;
use crate::plan::step::Step;

impl<R: RemoteObject> RemoteContext<'_, R> {
    /// Safeguard LIST_OUTAGE: a decision that needs a listing reports why the listing fails. Everything else goes on.
    #[must_use]
    pub fn list_outage(&self, decision: Decision) -> Decision {
        let Some(Outage { report, stale }) = &self.lookup.outage else { return decision };
        let polls = matches!(decision.steps.first(), Some(Step::Poll));
        let reports_ready = decision.steps.is_empty()
            && matches!(&decision.update, StatusUpdate::SetConditions(report) if report.ready == ReadyStatus::True);
        let (noun, display_name) = (self.noun, self.display_name);
        if self.state.deleting && polls {
            return self.deletion_blocked_by(report, decision);
        }
        let report = if *stale && (polls || reports_ready) {
            let reason = if report.reason.is_outage() { report.reason } else { Reason::RemoteUnavailable };
            let text = format!(
                "AppLink has not listed {noun} {display_name} for too long, so its state is unknown: {}",
                report.message
            );
            ConditionReport::unknown(reason, text)
        } else if polls && !self.state.ready {
            report.clone()
        } else {
            return decision;
        };
        Decision { update: report.into(), ..decision }
    }
}
