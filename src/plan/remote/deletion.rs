//! Deletion: how the operator deletes the remote object of a resource that is being deleted.
//!
//! Pure. It deletes by the recorded ID, or by the ID that a listing shows for our own intent; never by name.

use super::context::{Ownership, RemoteContext};
use super::owner_state::OwnerState;
use crate::conditions::{ConditionReport, StatusUpdate};
use crate::crd::{DeletionPolicy, Reason};
use crate::facts::{Observed, Phase, RemoteObject};
use crate::plan::decision::Decision;
use crate::plan::state::CallOutcome;
use crate::plan::step::Step;
use crate::timing::{DELETION_RETRY, FIRST_DELETION_GET, LAST_DELETION_GET, elapsed, remaining};

/// What to do if a deletion cannot go on.
const REMEDY: &str = "To delete this resource and leave the object in AppLink, set applink.dev/force-orphan: \"true\"";

impl<R: RemoteObject> RemoteContext<'_, R> {
    /// Check DELETING: deletes the remote object, then removes the finalizer. `matches` as for [`RemoteContext::ownership`].
    pub fn plan_deletion(&self, matches: impl Fn(&R) -> bool) -> Decision {
        let deleting =
            || ConditionReport::in_progress(Reason::Deleting, format!("deleting {} {}", self.noun, self.display_name));
        let release = |orphaned: Option<&str>| {
            Decision::steps(vec![Step::RemoveFinalizer { orphaned: orphaned.map(str::to_owned) }])
        };
        if let Some(decision) = self.deletion_shortcut() {
            return decision;
        }
        let id = self.recorded.id.as_deref();
        if id.is_none() && self.create_intent().is_none() {
            return release(None);
        }
        if self.policies.deletion == DeletionPolicy::Orphan {
            return release(id.or(Some(self.display_name)));
        }
        if let Some(decision) = self.owner_error() {
            return self.deletion_blocked(decision);
        }
        self.after_outcome().unwrap_or_else(|| self.delete_remote(matches, release(None), deleting()))
    }

    /// Decides a deletion that does not depend on the remote object: there is no finalizer, or the user says what to do.
    #[must_use]
    pub fn deletion_shortcut(&self) -> Option<Decision> {
        let release = |orphaned| Some(Decision::steps(vec![Step::RemoveFinalizer { orphaned }]));
        if !self.state.finalizer {
            return Some(Decision::unchanged());
        }
        if self.state.force_orphan {
            return release(Some(self.recorded.id.as_deref().unwrap_or(self.display_name).to_owned()));
        }
        if self.policies.suspend {
            let text = "suspended: the deletion waits until you set spec.suspend: false";
            return Some(Decision::report(ConditionReport::suspended(text)));
        }
        if self.policies.observes() { release(None) } else { None }
    }

    /// Reports that a deletion cannot go on, even if the object is Ready, and what to do.
    pub(super) fn deletion_blocked(&self, decision: Decision) -> Decision {
        match (&decision.update, self.owner) {
            (StatusUpdate::SetConditions(report), _) => {
                let message = with_remedy(&report.message);
                Decision { update: ConditionReport { message, ..report.clone() }.into(), ..decision }
            }
            (_, OwnerState::Unusable { report, .. }) => self.deletion_blocked_by(report, decision),
            _ => decision,
        }
    }

    /// Reports that a deletion cannot go on for this cause.
    pub(super) fn deletion_blocked_by(&self, cause: &ConditionReport, decision: Decision) -> Decision {
        let text = format!("the deletion of {} {} is waiting: {}", self.noun, self.display_name, cause.message);
        let text = with_remedy(&text);
        Decision { update: ConditionReport::in_progress(Reason::Deleting, text).into(), ..decision }
    }

    /// Waits while AppLink carries out a deletion that we requested: reads the object often at first, then leaves it to the
    /// polls.
    #[must_use]
    pub fn await_own_deletion(&self, observed: &Observed<R>, meanwhile: &ConditionReport) -> Option<Decision> {
        let Some(CallOutcome::Deleting { id, at }) = &self.state.last_outcome else { return None };
        let past = elapsed(*at, self.now);
        if id != observed.object.id() || past >= DELETION_RETRY {
            return None;
        }
        let wait = Decision::await_remote(meanwhile.clone());
        let interval = past.checked_div(2).unwrap_or_default().max(FIRST_DELETION_GET);
        if interval >= LAST_DELETION_GET {
            return Some(wait.requeue_after(DELETION_RETRY.saturating_sub(past)));
        }
        Some(match remaining(interval, observed.at, self.now) {
            Some(left) => wait.requeue_after(left),
            None => Decision::step(Step::Get { id: id.clone() }),
        })
    }

    /// Deletes what is ours, or proves that nothing is. `release` removes the finalizer; `deleting` is reported meanwhile.
    fn delete_remote(&self, matches: impl Fn(&R) -> bool, release: Decision, deleting: ConditionReport) -> Decision {
        let ours = match self.ownership(matches) {
            Ownership::Recorded(observed) | Ownership::Intended(observed) => Some(observed),
            Ownership::Foreign(_) | Ownership::Unclaimed => None,
        };
        let Some(observed) = ours else {
            if let Some(id) = self.unconfirmed() {
                return Decision::step(Step::Get { id: id.to_owned() });
            }
            if let Some(decision) = self.prove_not_created() {
                return decision;
            }
            if let Some(wait) = self.lost_call_wait() {
                return Decision::await_remote(deleting).requeue_after(wait);
            }
            // Even if the old object is gone, the open intent may have created a new one.
            let absent = self.lookup.complete || self.create_intent().is_none() || self.created_and_deleted();
            return if absent { release } else { Decision::step(Step::Poll) };
        };
        let id = observed.object.id();
        if let Some(decision) = self.after_refusal() {
            return decision;
        }
        if let Some(decision) = self.await_own_deletion(observed, &deleting) {
            return decision;
        }
        if observed.object.phase() == Phase::Deleting {
            return Decision::await_remote(deleting);
        }
        let mut steps = vec![Step::Delete { id: id.to_owned() }];
        steps.extend(release.steps);
        Decision::steps(steps)
    }
}

fn with_remedy(text: &str) -> String {
    format!("{}. {REMEDY}", text.trim_end_matches('.'))
}
