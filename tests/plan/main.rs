//! The plan, by cases and by laws: milliseconds, no I/O.
//!
//! `fixture` makes a case in a line, `cases` are tables of what comes out, `laws` hold for whatever goes in.

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
mod publication_cases;
mod publication_laws;
mod target_cases;
