//! The answer of `/readyz`.
//!
//! Decides nothing. `control` sets it, `admin` serves it.

use std::fmt;

/// Whether the operator is ready, with reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Works as the leader, or stands by to become it.
    pub ready: bool,
    /// Problems, and what the operator waits for; one line each.
    pub notes: Vec<String>,
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", if self.ready { "ok" } else { "not ready" })?;
        self.notes.iter().try_for_each(|note| writeln!(f, "{note}"))
    }
}
