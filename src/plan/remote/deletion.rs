//! How a remote object is let go of when its resource is deleted.
//!
//! Pure. Deletes go by the recorded id, or by the id that a listing shows for an intent of our own; never by name. The
//! kinds' plans call [`RemoteContext::leave`].

use jiff::SignedDuration;

use super::{DELETION_REST, Decision, OwnerState, Ownership, RemoteContext, elapsed};
use crate::conditions::{ConditionReport, StatusUpdate};
use crate::crd::{DeletionPolicy, Reason};
use crate::facts::{Observed, Phase, RemoteObject};
use crate::plan::Step;
use crate::plan::state::CallOutcome;

/// The pauses between looks for an object that is on its way out begin with this, and end with that.
const FIRST_LOOK: SignedDuration = SignedDuration::from_millis(300);
const LAST_LOOK: SignedDuration = SignedDuration::from_secs(5);

/// The way out where a deletion is stuck.
const WAY_OUT: &str = "to delete without it, set applink.dev/force-orphan: \"true\"";

impl<R: RemoteObject> RemoteContext<'_, R> {
    /// How to let go of an object that is being deleted. `fits` as for [`RemoteContext::holder`].
    pub fn plan_deletion(&self, fits: impl Fn(&R) -> bool) -> Decision {
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
        self.after_outcome().unwrap_or_else(|| self.delete_remote(fits, release(None), deleting()))
    }

    /// What comes of a deletion whatever is there: nothing of ours holds it up, or the user says what is to be done.
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
            let text = "suspended: the deletion waits for spec.suspend: false";
            return Some(Decision::report(ConditionReport::suspended(text)));
        }
        if self.policies.observes() { release(None) } else { None }
    }

    /// A deletion that cannot go on says so even where the object was Ready, and names the way out.
    pub(super) fn deletion_blocked(&self, decision: Decision) -> Decision {
        match (&decision.update, self.owner) {
            (StatusUpdate::SetConditions(report), _) => {
                let text = report.message.clone();
                Decision {
                    update: ConditionReport { message: format!("{text}; {WAY_OUT}"), ..report.clone() }.into(),
                    ..decision
                }
            }
            (_, OwnerState::Unusable { report, .. }) => self.deletion_blocked_by(report, decision),
            _ => decision,
        }
    }

    /// The same, where it is known at what.
    pub(super) fn deletion_blocked_by(&self, cause: &ConditionReport, decision: Decision) -> Decision {
        let text = format!("deleting {} {} waits: {}; {WAY_OUT}", self.noun, self.display_name, cause.message);
        Decision { update: ConditionReport::in_progress(Reason::Deleting, text).into(), ..decision }
    }

    /// What to do while the service carries out a deletion that it took from us: ask for the object by its id, soon at
    /// first, then leave it to the passes.
    #[must_use]
    pub fn await_own_deletion(&self, seen: &Observed<R>, meanwhile: &ConditionReport) -> Option<Decision> {
        let Some(CallOutcome::Deleting { id, at }) = &self.state.last_outcome else { return None };
        let past = elapsed(*at, self.now);
        if id != seen.object.id() || past >= DELETION_REST {
            return None;
        }
        let wait = Decision::await_remote(meanwhile.clone());
        let pace = past.checked_div(2).unwrap_or_default().max(FIRST_LOOK);
        if pace >= LAST_LOOK {
            return Some(wait.requeue_after(DELETION_REST.saturating_sub(past)));
        }
        let left = pace.saturating_sub(elapsed(seen.at, self.now));
        if left.is_positive() {
            return Some(wait.requeue_after(left));
        }
        Some(Decision::steps(vec![Step::Get { id: id.clone() }]))
    }

    fn delete_remote(&self, fits: impl Fn(&R) -> bool, release: Decision, deleting: ConditionReport) -> Decision {
        let target = match self.ownership(fits) {
            Ownership::Recorded(seen) | Ownership::Intended(seen) => Some(seen),
            Ownership::Foreign(_) | Ownership::Unclaimed => None,
        };
        let Some(seen) = target else {
            if let Some(id) = self.unconfirmed() {
                return Decision::steps(vec![Step::Get { id: id.to_owned() }]);
            }
            if let Some(decision) = self.prove_not_created() {
                return decision;
            }
            if let Some(wait) = self.lost_call_wait() {
                return Decision::await_remote(deleting).requeue_after(wait);
            }
            // What an intent may have made is not ruled out by its predecessor's being gone.
            let settled = self.lookup.complete || self.create_intent().is_none() || self.created_and_deleted();
            return if settled { release } else { Decision::steps(vec![Step::Poll]) };
        };
        let id = seen.object.id();
        if let Some(decision) = self.after_refusal() {
            return decision;
        }
        if let Some(decision) = self.await_own_deletion(seen, &deleting) {
            return decision;
        }
        if seen.object.phase() == Phase::Deleting {
            return Decision::await_remote(deleting);
        }
        let mut steps = vec![Step::Delete { id: id.to_owned() }];
        steps.extend(release.steps);
        Decision::steps(steps)
    }
}
