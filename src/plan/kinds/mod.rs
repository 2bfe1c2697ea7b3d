//! What is to be done for each kind: one file per kind.
//!
//! Pure. `control::kind` calls the kind's `plan`.

pub mod addon;
pub mod authorization;
pub mod connection;
pub mod data_action_target;
pub mod org_access;
pub mod publication;
