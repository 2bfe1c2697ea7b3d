//! The fields that the status of every kind has.
//!
//! Pure accessors. `plan` completes a status through them; `control` reads them.

use super::addon::AppLinkAddonStatus;
use super::condition::Condition;
use super::remote::RecordsRemote;

/// A status of a resource.
pub trait ResourceStatus: Clone + Default + PartialEq {
    /// `status.conditions`
    fn conditions(&self) -> &[Condition];
    /// `status.conditions`, to change them.
    fn conditions_mut(&mut self) -> &mut Vec<Condition>;
    /// `status.observedGeneration`
    fn observed_generation(&self) -> Option<i64>;
    /// Sets `status.observedGeneration`.
    fn set_observed_generation(&mut self, generation: i64);
    /// `status.lastHandledReconcileAt`
    fn handled_request(&self) -> Option<&str>;
    /// Sets `status.lastHandledReconcileAt`.
    fn set_handled_request(&mut self, token: String);
    /// `status.lastHandledReplace`
    fn handled_replace(&self) -> Option<&str>;
}

impl<S: RecordsRemote> ResourceStatus for S {
    fn conditions(&self) -> &[Condition] {
        &self.remote().conditions
    }
    fn conditions_mut(&mut self) -> &mut Vec<Condition> {
        &mut self.remote_mut().conditions
    }
    fn observed_generation(&self) -> Option<i64> {
        self.remote().observed_generation
    }
    fn set_observed_generation(&mut self, generation: i64) {
        self.remote_mut().observed_generation = Some(generation);
    }
    fn handled_request(&self) -> Option<&str> {
        self.remote().last_handled_reconcile_at.as_deref()
    }
    fn set_handled_request(&mut self, token: String) {
        self.remote_mut().last_handled_reconcile_at = Some(token);
    }
    fn handled_replace(&self) -> Option<&str> {
        self.remote().last_handled_replace.as_deref()
    }
}

impl ResourceStatus for AppLinkAddonStatus {
    fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
    fn conditions_mut(&mut self) -> &mut Vec<Condition> {
        &mut self.conditions
    }
    fn observed_generation(&self) -> Option<i64> {
        self.observed_generation
    }
    fn set_observed_generation(&mut self, generation: i64) {
        self.observed_generation = Some(generation);
    }
    fn handled_request(&self) -> Option<&str> {
        self.last_handled_reconcile_at.as_deref()
    }
    fn set_handled_request(&mut self, token: String) {
        self.last_handled_reconcile_at = Some(token);
    }
    fn handled_replace(&self) -> Option<&str> {
        self.last_handled_replace.as_deref()
    }
}
