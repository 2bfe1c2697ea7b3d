//! What an outage does to an object: what was Ready is left alone until nothing is known of it any more.
//!
//! Pure. [`Case::obstacle`] calls it for the add-on as a whole, the kinds' plans for the list that would show the object.

use super::{Case, Course};
use crate::crd::Reason;
use crate::plan::Step;
use crate::plan::live::{Outage, RemoteObject};
use crate::plan::verdict::{Readiness, Report, Verdict};

impl<R: RemoteObject> Case<'_, R> {
    /// What to say while the add-on cannot be used.
    pub(super) fn trouble(&self, verdict: &Verdict, silent: bool) -> Course {
        if verdict.reason == Reason::AddonChanged {
            // No passing trouble: only the user can end it.
            return Course::say(verdict.clone());
        }
        let outage = verdict.reason.is_outage();
        if silent && outage {
            let text =
                format!("AppLinkAddon {} has been silent for too long to know: {}", self.addon_name, verdict.message);
            return Course::say(Verdict::unknown(verdict.reason, text));
        }
        if self.memory.ready && !silent {
            return Course::hold();
        }
        if outage {
            return Course::say(Verdict::waits(verdict.reason, verdict.message.clone()));
        }
        let text = format!("AppLinkAddon {} is not ready ({}): {}", self.addon_name, verdict.reason, verdict.message);
        // It may be on its way, with its Secret, in the same `kubectl apply`.
        self.missing(Reason::AddonNotReady, text)
    }

    /// `course` where the list does not come that would show the object, while the add-on answers otherwise. What can be
    /// done without it is done.
    #[must_use]
    pub fn unlisted(&self, course: Course) -> Course {
        let Some(Outage { verdict, silent }) = &self.live.outage else { return course };
        let looks = matches!(course.steps.first(), Some(Step::Look));
        let settled =
            course.steps.is_empty() && matches!(&course.report, Report::Say(said) if said.ready == Readiness::True);
        let (noun, title) = (self.noun, self.title);
        if self.memory.deleting && looks {
            return self.stuck_at(verdict, course);
        }
        let said = if *silent && (looks || settled) {
            let reason = if verdict.reason.is_outage() { verdict.reason } else { Reason::RemoteUnavailable };
            let text = format!("{noun} {title} has not been seen for too long to know: {}", verdict.message);
            Verdict::unknown(reason, text)
        } else if looks && !self.memory.ready {
            verdict.clone()
        } else {
            return course;
        };
        Course { report: said.into(), ..course }
    }
}
