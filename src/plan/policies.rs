//! What may be done, as the user says: filters over what the diff would do.
//!
//! Pure. Read off the spec by `diff`; the add-on's managementPolicy is a ceiling for everything below it.

use crate::crd::{
    AdoptionPolicy, DeletionPolicies, DeletionPolicy, ManagementPolicies, ManagementPolicy, ReplacePolicy,
};
use serde::{Deserialize, Serialize};

/// The policies that hold for one object.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policies {
    /// Full or Observe, the add-on's ceiling counted in.
    pub management: ManagementPolicy,
    /// IfMatching or Never.
    pub adoption: AdoptionPolicy,
    /// Delete or Orphan.
    pub deletion: DeletionPolicy,
    /// Never or DeleteAndRecreate.
    pub replacement: ReplacePolicy,
    /// Whether all work is stopped.
    pub suspend: bool,
}

impl Policies {
    /// What a spec says.
    #[must_use]
    pub fn of(handling: ManagementPolicies, ending: DeletionPolicies) -> Self {
        Self {
            management: handling.management_policy,
            adoption: handling.adoption_policy,
            deletion: ending.deletion_policy,
            replacement: ending.replace_policy,
            suspend: handling.suspend,
        }
    }

    /// Whether nothing may ever be created, changed or deleted.
    #[must_use]
    pub fn observes(&self) -> bool {
        self.management == ManagementPolicy::Observe
    }

    /// The same policies under an add-on's ceiling.
    #[must_use]
    pub fn under(self, ceiling: ManagementPolicy) -> Self {
        Self { management: self.management.max(ceiling), ..self }
    }
}
