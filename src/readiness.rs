//! What `/readyz` says: whether the operator is ready, and what is wrong.
//!
//! Decides nothing. `control` sets it, `admin` shows it.

use std::fmt;

/// Whether the operator is ready, and what there is to say about that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Whether it does its work, or stands by to take it over.
    pub ready: bool,
    /// What is wrong, or what it waits for; one line each.
    pub notes: Vec<String>,
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", if self.ready { "ok" } else { "not ready" })?;
        self.notes.iter().try_for_each(|note| writeln!(f, "{note}"))
    }
}
