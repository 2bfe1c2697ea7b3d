//! The plan of each kind, one file per kind. Each has a list `CHECKS` with the order in which it decides.
//!
//! Pure. `control::kinds` gathers the snapshots and calls `plan`.

pub mod addon;
pub mod authorization;
pub mod connection;
pub mod data_action_target;
pub mod org_access;
pub mod publication;

#[cfg(test)]
mod tests {
    use crate::plan::checks::names;
    use crate::plan::kinds::{addon, authorization, connection, data_action_target, org_access, publication};

    #[test]
    fn the_order_of_checks_is_this_one() {
        let org_access = [
            "DELETING",
            "RESTORE_METADATA",
            "SUSPENDED",
            "OBSERVED_ONLY",
            "INPUTS",
            "OWNER",
            "NAME",
            "BACK_OFF",
            "FOREIGN",
            "OWN",
            "ABSENT",
        ];
        let publication = [
            "DELETING",
            "RESTORE_METADATA",
            "SUSPENDED",
            "RELEASE_OBSERVED",
            "CONNECTION",
            "INPUTS",
            "OWNER",
            "CONNECTION_READY",
            "OBSERVED_ONLY",
            "NAME",
            "BACK_OFF",
            "OWN",
            "ABSENT",
        ];
        let data_action_target = [
            "DELETING",
            "RESTORE_METADATA",
            "SUSPENDED",
            "RELEASE_OBSERVED",
            "CONNECTION",
            "OWNER",
            "CONNECTION_READY",
            "OBSERVED_ONLY",
            "NAME",
            "BACK_OFF",
            "FOREIGN",
            "OWN",
            "ABSENT",
        ];
        let credentials =
            ["DELETE_SECRET", "NOT_NEEDED", "SECRET_OWNER", "SECRET_CONFLICT", "FRESH", "READ", "BACK_OFF"];
        assert_eq!(names(addon::CHECKS), ["DELETING", "OBSERVED_ONLY", "FINALIZER", "INPUTS", "OBSERVATION", "OWN"]);
        assert_eq!(names(org_access::CHECKS), org_access);
        assert_eq!(names(publication::CHECKS), publication);
        assert_eq!(names(data_action_target::CHECKS), data_action_target);
        assert_eq!(names(authorization::CREDENTIALS_CHECKS), credentials);
        assert_eq!(names(connection::SAFEGUARDS), ["KEEP_FOR_DEPENDENTS", "KEEP_FOR_TARGETS"]);
        for safeguards in
            [names(org_access::SAFEGUARDS), names(publication::SAFEGUARDS), names(data_action_target::SAFEGUARDS)]
        {
            assert_eq!(safeguards, ["LIST_OUTAGE"]);
        }
    }

    /// Kinds differ in which checks they have, and in when they only observe: a connection child needs its connection to do
    /// so. All other checks come in the same order everywhere.
    #[test]
    fn kinds_share_one_order() {
        let order = [
            "DELETING",
            "RESTORE_METADATA",
            "SUSPENDED",
            "RELEASE_OBSERVED",
            "CONNECTION",
            "INPUTS",
            "OWNER",
            "CONNECTION_READY",
            "NAME",
            "BACK_OFF",
            "FOREIGN",
            "OWN",
            "ABSENT",
        ];
        for names in [names(org_access::CHECKS), names(publication::CHECKS), names(data_action_target::CHECKS)] {
            let rank = |name: &&str| order.iter().position(|known| known == name);
            let shared: Vec<_> = names.iter().filter(|name| **name != "OBSERVED_ONLY").map(rank).collect();
            assert!(shared.iter().all(Option::is_some) && shared.is_sorted(), "{names:?}");
        }
    }
}
