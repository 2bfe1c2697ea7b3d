//! What an outage does to an object: what was Ready is left alone until nothing is known of it any more.
//!
//! Pure. [`RemoteContext::obstacle`] calls it for the add-on as a whole, the kinds' plans for the list that would show the object.

use super::{Decision, RemoteContext};
use crate::conditions::{ConditionReport, ReadyStatus, StatusUpdate};
use crate::crd::Reason;
use crate::facts::{Outage, RemoteObject};
use crate::plan::Step;

impl<R: RemoteObject> RemoteContext<'_, R> {
    /// What to say while the add-on cannot be used.
    pub(super) fn unusable_owner(&self, report: &ConditionReport, stale: bool) -> Decision {
        if report.reason == Reason::AddonChanged {
            // No passing trouble: only the user can end it.
            return Decision::report(report.clone());
        }
        let outage = report.reason.is_outage();
        if stale && outage {
            let text =
                format!("AppLinkAddon {} has been silent for too long to know: {}", self.owner_name, report.message);
            return Decision::report(ConditionReport::unknown(report.reason, text));
        }
        if self.state.ready && !stale {
            return Decision::unchanged();
        }
        if outage {
            return Decision::report(ConditionReport::in_progress(report.reason, report.message.clone()));
        }
        let text = format!("AppLinkAddon {} is not ready ({}): {}", self.owner_name, report.reason, report.message);
        // It may be on its way, with its Secret, in the same `kubectl apply`.
        self.missing_dependency(Reason::AddonNotReady, text)
    }

    /// `decision` where the list does not come that would show the object, while the add-on answers otherwise. What can be
    /// done without it is done.
    #[must_use]
    pub fn list_outage(&self, decision: Decision) -> Decision {
        let Some(Outage { report, stale }) = &self.lookup.outage else { return decision };
        let looks = matches!(decision.steps.first(), Some(Step::Poll));
        let settled = decision.steps.is_empty()
            && matches!(&decision.update, StatusUpdate::SetConditions(said) if said.ready == ReadyStatus::True);
        let (noun, display_name) = (self.noun, self.display_name);
        if self.state.deleting && looks {
            return self.deletion_blocked_by(report, decision);
        }
        let said = if *stale && (looks || settled) {
            let reason = if report.reason.is_outage() { report.reason } else { Reason::RemoteUnavailable };
            let text = format!("{noun} {display_name} has not been seen for too long to know: {}", report.message);
            ConditionReport::unknown(reason, text)
        } else if looks && !self.state.ready {
            report.clone()
        } else {
            return decision;
        };
        Decision { update: said.into(), ..decision }
    }
}
