//! The limits of calls, their purposes, and refusals.
//!
//! Data only: `budget` counts.

use std::time::Duration;

/// How many calls may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most calls within any hour. Edits may use them all at once, except what regular polls need until calls become free.
    pub per_hour: u32,
    /// Largest burst of polls. Polls beyond it, up to two thirds of all calls, are spread over the hour.
    pub at_once: u32,
    /// Calls of an account that polls leave to edits when others use the account, too.
    pub reserve: u32,
    /// Calls that edits leave to overdue polls.
    pub last: u32,
}

impl Default for Limits {
    /// The documented limit of 4500 calls an hour, for accounts and for add-ons.
    fn default() -> Self {
        Self { per_hour: 4500, at_once: 900, reserve: 300, last: 30 }
    }
}

/// Why a call is made. It decides how much of the budget the call may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A change that somebody asked for.
    Edit,
    /// A poll that an edit waits for.
    UrgentPoll,
    /// A regular poll.
    Poll,
    /// A poll deferred for so long that the add-on's state is about to become stale. Edits must not starve it.
    Overdue,
}

impl Limits {
    /// Calls of polls in an hour beyond the burst. Together with the burst they are two thirds of all calls.
    pub(super) fn spread(self) -> u32 {
        (self.per_hour - self.per_hour / 3).saturating_sub(self.at_once).max(1)
    }

    /// Fewer calls left than this are not plenty.
    pub(super) fn plenty(self) -> u32 {
        self.per_hour / 4
    }
}

/// Owner of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// An add-on, for calls to AppLink.
    Addon,
    /// A Heroku account, for calls to the Platform API.
    Account,
}

impl Scope {
    /// All scopes, in the order of their discriminants.
    pub const ALL: [Self; 2] = [Self::Addon, Self::Account];

    /// Label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Addon => "addon",
            Self::Account => "account",
        }
    }
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// The service asked for a pause.
    Paused,
    /// Not enough calls are left for this purpose.
    BudgetSpent,
}

impl Limit {
    /// All limits, in the order of their discriminants.
    pub const ALL: [Self; 2] = [Self::Paused, Self::BudgetSpent];

    /// Label in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::BudgetSpent => "budget_spent",
        }
    }
}

/// A call that was not sent because of a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Whose budget refused it.
    pub scope: Scope,
    /// Which limit applies.
    pub limit: Limit,
    /// When to retry, from now.
    pub wait: Duration,
    pub(super) per_hour: u32,
}

impl std::error::Error for Refused {}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.limit, self.scope) {
            (Limit::Paused, Scope::Addon) => f.write_str("AppLink asked to pause calls to this add-on"),
            (Limit::Paused, Scope::Account) => f.write_str("Heroku asked to pause calls with this token"),
            (Limit::BudgetSpent, Scope::Addon) => {
                write!(f, "the budget of {} calls per hour for this add-on is used up", self.per_hour)
            }
            (Limit::BudgetSpent, Scope::Account) => {
                write!(f, "the budget of {} calls per hour for this Heroku account is used up", self.per_hour)
            }
        }
    }
}
