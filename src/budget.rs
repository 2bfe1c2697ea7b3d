//! How many calls may leave, and how soon: a bucket for each add-on and one for each Heroku account, and the pauses that
//! the services ask for.
//!
//! Sends nothing and waits for nothing: who may not call now is told for how long. `heroku` and `applink` take leave here
//! for each call, `transport` hands back what its answer says of limits, `metrics` shows what is left.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

const HOUR: Duration = Duration::from_secs(3600);
/// Edits that were refused are told to come back one after another; none stands in line for longer than this.
const LONGEST_LINE: Duration = Duration::from_secs(600);
/// For so long after a pause, the service is taken to be short of calls.
const LATELY: Duration = Duration::from_secs(60);

/// How many calls each bucket lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Within any hour.
    pub per_hour: u32,
    /// How many of them at once, after a rest. The others are spread over the hour.
    pub at_once: u32,
    /// How many of those at once polls leave to edits.
    pub reserve: u32,
    /// How many of those edits leave to polls that are overdue.
    pub last: u32,
}

impl Default for Limits {
    /// What Heroku grants an account, and AppLink an add-on.
    fn default() -> Self {
        Self { per_hour: 4500, at_once: 900, reserve: 300, last: 30 }
    }
}

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To carry out what somebody wants.
    Edit,
    /// To look, since an edit waits for that.
    UrgentPoll,
    /// To look whether all is as it was.
    Poll,
    /// The same, put off for so long that nothing would be known without it: edits must not blind the operator.
    Overdue,
}

impl Limits {
    /// How many calls must be left after one for this purpose.
    fn reserved_from(&self, purpose: Purpose) -> u32 {
        match purpose {
            Purpose::Edit | Purpose::UrgentPoll => self.last,
            Purpose::Poll => self.reserve,
            Purpose::Overdue => 0,
        }
    }
}

/// What a bucket belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// An add-on: calls to AppLink.
    Addon,
    /// A Heroku account: calls to the Platform API.
    Account,
}

impl Scope {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Addon, Self::Account];

    /// As a label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Addon => "addon",
            Self::Account => "account",
        }
    }
}

/// Why a call may not leave now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// The service asked for a pause.
    Paused,
    /// Too little is left of the budget.
    BudgetSpent,
}

impl Limit {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Paused, Self::BudgetSpent];

    /// As a label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "held",
            Self::BudgetSpent => "spent",
        }
    }
}

/// A call that was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Whose bucket refused.
    pub scope: Scope,
    /// Why.
    pub limit: Limit,
    /// After how long to ask again.
    pub wait: Duration,
    per_hour: u32,
}

impl std::error::Error for Refused {}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.limit, self.scope) {
            (Limit::Paused, Scope::Addon) => f.write_str("AppLink asked for a pause in the calls to this add-on"),
            (Limit::Paused, Scope::Account) => f.write_str("Heroku asked for a pause in the calls with this token"),
            (Limit::BudgetSpent, Scope::Addon) => {
                write!(f, "the budget of {} calls an hour to this add-on is used up", self.per_hour)
            }
            (Limit::BudgetSpent, Scope::Account) => {
                write!(f, "the budget of {} calls an hour of this Heroku account is used up", self.per_hour)
            }
        }
    }
}

/// All buckets of this process; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Budgets(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    limits: Limits,
    buckets: Mutex<HashMap<(Scope, String), Arc<Bucket>>>,
    unsent: Arc<Unsent>,
}

/// How many calls were not sent, by scope and reason.
#[derive(Debug, Default)]
struct Unsent([[AtomicU64; 2]; 2]);

impl Unsent {
    fn of(&self, scope: Scope, limit: Limit) -> &AtomicU64 {
        &self.0[scope as usize][limit as usize]
    }
}

impl Budgets {
    /// Full buckets of this size.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared { limits, ..Shared::default() }))
    }

    /// The budget of the add-on of this UUID.
    #[must_use]
    pub fn addon(&self, id: &str) -> Budget {
        self.of(Scope::Addon, id.to_owned())
    }

    /// The budget of the account that this token belongs to, as far as the token tells. The token is not kept.
    #[must_use]
    pub fn account(&self, token: &str) -> Budget {
        let digest = Sha256::digest(token.trim());
        self.of(Scope::Account, digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// What is left in the emptiest bucket of this scope; `None` where there is no bucket.
    #[must_use]
    pub fn lowest(&self, scope: Scope) -> Option<u32> {
        let buckets = self.buckets();
        buckets.iter().filter(|((of, _), _)| *of == scope).map(|(_, bucket)| bucket.left()).min()
    }

    /// How many calls were not sent.
    #[must_use]
    pub fn unsent(&self, scope: Scope, limit: Limit) -> u64 {
        self.0.unsent.of(scope, limit).load(Ordering::Relaxed)
    }

    fn of(&self, scope: Scope, id: String) -> Budget {
        let mut buckets = self.buckets();
        let key = (scope, id);
        if !buckets.contains_key(&key) {
            // One that is full and that nobody holds is as good as a new one.
            buckets.retain(|_, bucket| Arc::strong_count(bucket) > 1 || !bucket.is_full());
        }
        let fresh = || Arc::new(Bucket::new(scope, self.0.limits, self.0.unsent.clone()));
        Budget(buckets.entry(key).or_insert_with(fresh).clone())
    }

    fn buckets(&self) -> MutexGuard<'_, HashMap<(Scope, String), Arc<Bucket>>> {
        self.0.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The budget of one add-on, or of one account.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Bucket>);

impl Budget {
    /// Leave for one call.
    ///
    /// # Errors
    /// [`Refused`] where it must wait.
    pub fn try_acquire(&self, purpose: Purpose) -> Result<CallToken, Refused> {
        let [call_token] = self.try_acquire_many(purpose)?;
        Ok(call_token)
    }

    /// Leave for so many calls, or for none.
    ///
    /// # Errors
    /// As [`Self::call_token`].
    pub fn try_acquire_many<const N: usize>(&self, purpose: Purpose) -> Result<[CallToken; N], Refused> {
        self.0.spend(u32::try_from(N).unwrap_or(u32::MAX), purpose)?;
        Ok(std::array::from_fn(|_| CallToken(self.0.clone())))
    }

    /// Whether so many calls would get leave one after another.
    ///
    /// # Errors
    /// As [`Self::call_token`].
    pub fn affords(&self, calls: u32, purpose: Purpose) -> Result<(), Refused> {
        self.0.check(&mut self.0.state(), Instant::now(), calls, purpose)
    }

    /// How many calls may leave at once, for whatever purpose.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.0.left()
    }

    /// Whether it is well above the reserve, and the service has asked for no pause lately.
    #[must_use]
    pub fn is_plenty(&self) -> bool {
        let limits = self.0.limits;
        let paused_lately = self.0.state().paused_until.is_some_and(|end| end + LATELY > Instant::now());
        !paused_lately && self.left() >= limits.reserve.midpoint(limits.at_once)
    }
}

/// Leave to send one call, now.
#[derive(Debug)]
pub struct CallToken(Arc<Bucket>);

impl CallToken {
    /// The answer asks for a pause: nobody gets leave before it is over.
    pub fn pause(&self, pause: Duration) {
        let mut state = self.0.state();
        state.paused_until = state.paused_until.max(Some(Instant::now() + pause));
    }

    /// The answer says how many calls are left: fewer than we thought where others use the account, too. Of AppLink no
    /// source tells whether it says so, and of how many; its 429 counts.
    pub fn correct(&self, left: u32) {
        if self.0.scope == Scope::Addon {
            return;
        }
        let missing = self.0.interval * self.0.limits.at_once.saturating_sub(left);
        let mut state = self.0.state();
        state.full_at = state.full_at.max(Instant::now() + missing);
    }
}

/// A token bucket, kept as the moment at which it will be full: exact, and nothing has to be refilled.
#[derive(Debug)]
struct Bucket {
    scope: Scope,
    limits: Limits,
    /// One call more may leave each time that this has passed.
    interval: Duration,
    unsent: Arc<Unsent>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    full_at: Instant,
    paused_until: Option<Instant>,
    /// When the edit that is refused next may try.
    turn: Instant,
}

impl Bucket {
    fn new(scope: Scope, limits: Limits, unsent: Arc<Unsent>) -> Self {
        let now = Instant::now();
        let state = State { full_at: now, paused_until: None, turn: now };
        let interval = HOUR / limits.per_hour.saturating_sub(limits.at_once).max(1);
        Self { scope, limits, interval, unsent, state: Mutex::new(state) }
    }

    fn spend(&self, calls: u32, purpose: Purpose) -> Result<(), Refused> {
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
        // There may be a thousand of them, and each try costs writes to Kubernetes.
        let at = state.turn.min(now + LONGEST_LINE).max(now + wait);
        state.turn = at + self.interval * calls;
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
