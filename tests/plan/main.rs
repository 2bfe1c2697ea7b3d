//! Tests of the plan: case tables, property tests and messages. They do no network I/O and take seconds.
//!
//! `fixture` builds a snapshot in one line. Each `*_cases` module has tables of snapshots and the plans they give, each
//! `*properties` module has property tests, and `messages` stores the message for every reason of every kind.

#[path = "../support/keys.rs"]
mod keys;

mod addon_cases;
mod adoption_cases;
mod connection_cases;
mod consent_cases;
mod credentials_cases;
mod deletion_cases;
mod fixture;
mod messages;
mod policy_cases;
mod properties;
mod publication_cases;
mod publication_properties;
mod target_cases;
