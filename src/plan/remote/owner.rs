//! Check OWNER: what to report while the add-on of a remote object is missing or unusable.
//!
//! Pure. A resource stays Ready during an outage until the state of its remote object is unknown.

use super::context::RemoteContext;
use super::owner_state::OwnerState;
use crate::conditions::ConditionReport;
use crate::crd::Reason;
use crate::facts::RemoteObject;
use crate::plan::decision::{Decision, grace};

impl<R: RemoteObject> RemoteContext<'_, R> {
    /// Check OWNER: stops while the add-on is missing, unusable, or another one than before.
    #[must_use]
    pub fn owner_error(&self) -> Option<Decision> {
        let addon = self.owner_name;
        match self.owner {
            OwnerState::Missing if addon.is_empty() => Some(
                self.missing_dependency(
                    Reason::DependencyNotFound,
                    "the AppLinkAddon is unknown, because the Connection does not exist or cannot be read. Create the \
                     Connection, or correct spec.connectionRef"
                        .to_owned(),
                ),
            ),
            OwnerState::Missing => Some(self.missing_dependency(
                Reason::DependencyNotFound,
                format!(
                    "AppLinkAddon {addon} does not exist in this namespace. Create it, or correct the reference to it"
                ),
            )),
            // The first poll is running. Earlier conditions stay until it ends.
            OwnerState::Unobserved if self.state.is_observed() => Some(Decision::unchanged()),
            OwnerState::Unobserved => Some(self.missing_dependency(
                Reason::AddonNotReady,
                format!("waiting for the first poll of AppLinkAddon {addon}"),
            )),
            OwnerState::Unusable { id: Some(id), .. } | OwnerState::Ready { id } if self.owner_changed(id) => {
                let text = format!(
                    "AppLinkAddon {addon} now refers to another add-on ({id}) than the one that this {} belongs to. The \
                     operator changes neither. Restore the old add-on, or create another AppLinkAddon for it",
                    self.noun
                );
                Some(Decision::report(ConditionReport::stalled(Reason::AddonChanged, text)))
            }
            OwnerState::Unusable { report, stale, .. } => Some(self.unusable_owner(report, *stale)),
            OwnerState::Ready { .. } => None,
        }
    }

    fn owner_changed(&self, id: &str) -> bool {
        let intended = self.state.intent.as_ref().map(|intent| intent.owner_id.as_str());
        self.recorded.owner_id.as_deref().or(intended).is_some_and(|known| known != id)
    }

    /// What to report while the add-on is unusable.
    fn unusable_owner(&self, report: &ConditionReport, stale: bool) -> Decision {
        if report.reason == Reason::AddonChanged {
            // This does not pass by itself: the user must act.
            return Decision::report(report.clone());
        }
        let outage = report.reason.is_outage();
        if stale && outage {
            let text = format!(
                "AppLinkAddon {} has been unreachable for too long, so the state of this {} is unknown: {}",
                self.owner_name, self.noun, report.message
            );
            return Decision::report(ConditionReport::unknown(report.reason, text));
        }
        if self.state.ready && !stale {
            return Decision::unchanged();
        }
        if outage {
            return Decision::report(ConditionReport::in_progress(report.reason, report.message.clone()));
        }
        let text = format!("AppLinkAddon {} is not ready ({}): {}", self.owner_name, report.reason, report.message);
        // The same `kubectl apply` may still create it and its Secret.
        self.missing_dependency(Reason::AddonNotReady, text)
    }

    /// Reports a missing dependency, but not while the same `kubectl apply` may still create it.
    #[must_use]
    pub fn missing_dependency(&self, reason: Reason, text: String) -> Decision {
        grace(self.state, self.now).unwrap_or_else(|| Decision::report(ConditionReport::in_progress(reason, text)))
    }
}
