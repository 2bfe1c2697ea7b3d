//! Call budgets: a token bucket for each add-on and each Heroku account, and the pauses that the services ask for.
//!
//! Sends nothing and does not wait: a refused caller learns how long to wait. `heroku` and `applink` acquire a call
//! token for each call, `transport` reports what the answer says about limits, `metrics` shows what is left.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

const HOUR: Duration = Duration::from_secs(3600);
/// Refused edits are spread out in a queue, so that they do not all retry at once. This is the longest wait in it.
const MAX_QUEUE: Duration = Duration::from_secs(600);
/// For this long after a pause, the budget does not count as plenty.
const RECENTLY: Duration = Duration::from_secs(60);

/// Size of a bucket, in calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most calls within any hour.
    pub per_hour: u32,
    /// Largest burst, from a full bucket. The rest is spread over the hour.
    pub at_once: u32,
    /// Part of the burst that polls may not use: it is reserved for edits.
    pub reserve: u32,
    /// Part of the burst that edits may not use: it is reserved for overdue polls.
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
    /// How many calls must be left after a call for this purpose.
    fn reserved_from(&self, purpose: Purpose) -> u32 {
        match purpose {
            Purpose::Edit | Purpose::UrgentPoll => self.last,
            Purpose::Poll => self.reserve,
            Purpose::Overdue => 0,
        }
    }
}

/// Owner of a bucket.
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
    /// Which bucket refused it.
    pub scope: Scope,
    /// Which limit applies.
    pub limit: Limit,
    /// When to retry, from now.
    pub wait: Duration,
    per_hour: u32,
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

/// All buckets of this process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Budgets(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    limits: Limits,
    buckets: Mutex<HashMap<(Scope, String), Arc<Bucket>>>,
    unsent: Arc<Unsent>,
}

/// Number of refused calls, by scope and limit.
#[derive(Debug, Default)]
struct Unsent([[AtomicU64; 2]; 2]);

impl Unsent {
    fn of(&self, scope: Scope, limit: Limit) -> &AtomicU64 {
        &self.0[scope as usize][limit as usize]
    }
}

impl Budgets {
    /// Buckets of this size, full at first.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared { limits, ..Shared::default() }))
    }

    /// The budget of the add-on with this UUID.
    #[must_use]
    pub fn addon(&self, id: &str) -> Budget {
        self.of(Scope::Addon, id.to_owned())
    }

    /// The budget of a Heroku account. The token identifies it, so two tokens of one account have two budgets. Keeps a
    /// digest, not the token.
    #[must_use]
    pub fn account(&self, token: &str) -> Budget {
        let digest = Sha256::digest(token.trim());
        self.of(Scope::Account, digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Calls left in the emptiest bucket of this scope; `None` without a bucket.
    #[must_use]
    pub fn lowest(&self, scope: Scope) -> Option<u32> {
        let buckets = self.buckets();
        buckets.iter().filter(|((of, _), _)| *of == scope).map(|(_, bucket)| bucket.left()).min()
    }

    /// Number of refused calls.
    #[must_use]
    pub fn unsent(&self, scope: Scope, limit: Limit) -> u64 {
        self.0.unsent.of(scope, limit).load(Ordering::Relaxed)
    }

    fn of(&self, scope: Scope, id: String) -> Budget {
        let mut buckets = self.buckets();
        let key = (scope, id);
        if !buckets.contains_key(&key) {
            // A full bucket that nobody uses can go: a new one starts full, too.
            buckets.retain(|_, bucket| Arc::strong_count(bucket) > 1 || !bucket.is_full());
        }
        let fresh = || Arc::new(Bucket::new(scope, self.0.limits, self.0.unsent.clone()));
        Budget(buckets.entry(key).or_insert_with(fresh).clone())
    }

    fn buckets(&self) -> MutexGuard<'_, HashMap<(Scope, String), Arc<Bucket>>> {
        self.0.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The budget of one add-on or one account. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Bucket>);

impl Budget {
    /// Acquires one call token.
    ///
    /// # Errors
    /// [`Refused`] if the call must wait.
    pub fn try_acquire(&self, purpose: Purpose) -> Result<CallToken, Refused> {
        let [call_token] = self.try_acquire_many(purpose)?;
        Ok(call_token)
    }

    /// Acquires `N` call tokens, or none.
    ///
    /// # Errors
    /// [`Refused`] if the calls must wait.
    pub fn try_acquire_many<const N: usize>(&self, purpose: Purpose) -> Result<[CallToken; N], Refused> {
        self.0.acquire(u32::try_from(N).unwrap_or(u32::MAX), purpose)?;
        Ok(std::array::from_fn(|_| CallToken(self.0.clone())))
    }

    /// Checks whether that many calls could be made now, without acquiring tokens.
    ///
    /// # Errors
    /// [`Refused`] if they must wait.
    pub fn affords(&self, calls: u32, purpose: Purpose) -> Result<(), Refused> {
        self.0.check(&mut self.0.state(), Instant::now(), calls, purpose)
    }

    /// Calls left, the reserves included.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.0.left()
    }

    /// Whether the bucket is well above the reserve, and no pause ended within the last minute.
    #[must_use]
    pub fn is_plenty(&self) -> bool {
        let limits = self.0.limits;
        let paused_lately = self.0.state().paused_until.is_some_and(|end| end + RECENTLY > Instant::now());
        !paused_lately && self.left() >= limits.reserve.midpoint(limits.at_once)
    }
}

/// Permission to send one call now.
#[derive(Debug)]
pub struct CallToken(Arc<Bucket>);

impl CallToken {
    /// The answer asks for a pause: refuse all calls until it is over.
    pub fn pause(&self, pause: Duration) {
        let mut state = self.0.state();
        state.paused_until = state.paused_until.max(Some(Instant::now() + pause));
    }

    /// The answer says how many calls are left. Lowers the bucket if others use the account, too. Ignored for AppLink:
    /// no document says what its header counts; a 429 still applies.
    pub fn correct(&self, left: u32) {
        if self.0.scope == Scope::Addon {
            return;
        }
        let missing = self.0.interval * self.0.limits.at_once.saturating_sub(left);
        let mut state = self.0.state();
        state.full_at = state.full_at.max(Instant::now() + missing);
    }
}

/// A token bucket, stored as the time at which it will be full. That is exact and needs no refill timer.
#[derive(Debug)]
struct Bucket {
    scope: Scope,
    limits: Limits,
    /// Time in which one call is refilled.
    interval: Duration,
    unsent: Arc<Unsent>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    full_at: Instant,
    paused_until: Option<Instant>,
    /// When the next refused edit may retry.
    next_retry: Instant,
}

impl Bucket {
    fn new(scope: Scope, limits: Limits, unsent: Arc<Unsent>) -> Self {
        let now = Instant::now();
        let state = State { full_at: now, paused_until: None, next_retry: now };
        let interval = HOUR / limits.per_hour.saturating_sub(limits.at_once).max(1);
        Self { scope, limits, interval, unsent, state: Mutex::new(state) }
    }

    fn acquire(&self, calls: u32, purpose: Purpose) -> Result<(), Refused> {
        let now = Instant::now();
        let mut state = self.state();
        self.check(&mut state, now, calls, purpose)?;
        state.full_at = state.full_at.max(now) + self.interval * calls;
        Ok(())
    }

    fn check(&self, state: &mut State, now: Instant, calls: u32, purpose: Purpose) -> Result<(), Refused> {
        if let Some(end) = state.paused_until.filter(|end| *end > now) {
            return Err(self.refusal(Limit::Paused, end - now));
        }
        let at_once = self.limits.at_once;
        let needed = calls.saturating_add(self.limits.reserved_from(purpose)).min(at_once);
        let enough = self.interval * (at_once - needed);
        let wait = state.full_at.saturating_duration_since(now).saturating_sub(enough);
        if wait.is_zero() {
            return Ok(());
        }
        if purpose != Purpose::Edit {
            return Err(self.refusal(Limit::BudgetSpent, wait));
        }
        // A thousand edits may wait, and each retry costs writes to Kubernetes: give each its own slot.
        let at = state.next_retry.min(now + MAX_QUEUE).max(now + wait);
        state.next_retry = at + self.interval * calls;
        Err(self.refusal(Limit::BudgetSpent, at - now))
    }

    fn refusal(&self, limit: Limit, wait: Duration) -> Refused {
        self.unsent.of(self.scope, limit).fetch_add(1, Ordering::Relaxed);
        Refused { scope: self.scope, limit, wait, per_hour: self.limits.per_hour }
    }

    fn left(&self) -> u32 {
        let missing = self.state().full_at.saturating_duration_since(Instant::now());
        let missing = missing.as_nanos().div_ceil(self.interval.as_nanos());
        self.limits.at_once.saturating_sub(u32::try_from(missing).unwrap_or(u32::MAX))
    }

    fn is_full(&self) -> bool {
        let now = Instant::now();
        let state = self.state();
        state.full_at <= now && state.paused_until.is_none_or(|end| end <= now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
