//! Tests of the plan: case tables, laws and messages. They do no network I/O and take seconds.
//!
//! `fixture` makes a snapshot in one line. The `cases` are tables of snapshots and their plans, the `laws` are property tests,
//! and `messages` keeps the message for every reason of every kind.

#[path = "../support/keys.rs"]
mod keys;

mod addon_cases;
mod adopt_cases;
mod cases;
mod consent_cases;
mod fixture;
mod keep_cases;
mod laws;
mod leave_cases;
mod messages;
mod publication_cases;
mod publication_laws;
mod target_cases;
