//! The protocol for one remote object, the same for every kind: create once, adopt, replace, publish, delete.
//!
//! Pure. The kinds in `plan/kinds` call the methods of [`RemoteContext`] and add what only they know: which attributes must
//! match, and what to report for each phase.

mod adoption;
mod connection;
mod consent;
mod context;
mod creation;
mod deletion;
pub mod name_claim;
mod outage;
mod owner;
mod owner_state;
mod publication;
pub mod recorded;
mod refusal;
mod replacement;

pub use connection::ConnectionState;
pub use consent::OwnedSecret;
pub use context::{Ownership, RecordedStatus, RemoteContext};
pub use owner_state::OwnerState;
