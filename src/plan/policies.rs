//! Policies: what the user allows the operator to do with a remote object.
//!
//! Pure. The checks in `plan/kinds` and `plan/remote` ask them. The managementPolicy of an AppLinkAddon limits everything that
//! belongs to the add-on.

use crate::crd::{
    AdoptionPolicy, DeletionPolicies, DeletionPolicy, ManagementPolicies, ManagementPolicy, ReplacePolicy,
};
use serde::{Deserialize, Serialize};

/// Effective policies of one object.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policies {
    /// `spec.managementPolicy`, limited by that of the AppLinkAddon.
    pub management: ManagementPolicy,
    /// `spec.adoptionPolicy`
    pub adoption: AdoptionPolicy,
    /// `spec.deletionPolicy`
    pub deletion: DeletionPolicy,
    /// `spec.replacePolicy`
    pub replacement: ReplacePolicy,
    /// `spec.suspend`
    pub suspend: bool,
}

impl Policies {
    /// Policies of a spec, without the limit of the add-on.
    #[must_use]
    pub fn of(management: ManagementPolicies, deletion: DeletionPolicies) -> Self {
        Self {
            management: management.management_policy,
            adoption: management.adoption_policy,
            deletion: deletion.deletion_policy,
            replacement: deletion.replace_policy,
            suspend: management.suspend,
        }
    }

    /// Whether the operator only observes, and never creates, changes or deletes.
    #[must_use]
    pub fn observes(&self) -> bool {
        self.management == ManagementPolicy::Observe
    }

    /// These policies, limited by the managementPolicy of the add-on.
    #[must_use]
    pub fn under(self, limit: ManagementPolicy) -> Self {
        Self { management: self.management.max(limit), ..self }
    }
}
