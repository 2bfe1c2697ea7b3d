//! Call budgets: at most so many calls within any hour to each add-on and with each Heroku account, and the pauses that
//! the services ask for.
//!
//! Sends nothing and does not wait: a refused caller learns how long to wait. `heroku` and `applink` acquire a call
//! token for each call, `transport` reports what the answer says about limits, `metrics` shows what is left.

mod hour;
mod limits;
mod pace;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use hour::{HOUR, Hour};
use pace::Pace;

pub use limits::{Limit, Limits, Purpose, Refused, Scope};

/// Refused edits are spread out in a queue, so that they do not all retry at once. This is the longest wait in it.
const MAX_QUEUE: Duration = Duration::from_secs(600);
/// For this long after a pause, the budget does not count as plenty.
const RECENTLY: Duration = Duration::from_secs(60);

/// All budgets of this process. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Budgets(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    limits: Limits,
    accounts: Mutex<HashMap<(Scope, String), Arc<Account>>>,
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
    /// Budgets with these limits, each with an empty hour at first.
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

    /// Calls left in the smallest budget of this scope; `None` without a budget.
    #[must_use]
    pub fn lowest(&self, scope: Scope) -> Option<u32> {
        let accounts = self.accounts();
        accounts.iter().filter(|((of, _), _)| *of == scope).map(|(_, account)| account.left()).min()
    }

    /// Number of refused calls.
    #[must_use]
    pub fn unsent(&self, scope: Scope, limit: Limit) -> u64 {
        self.0.unsent.of(scope, limit).load(Ordering::Relaxed)
    }

    fn of(&self, scope: Scope, id: String) -> Budget {
        let mut accounts = self.accounts();
        let key = (scope, id);
        if !accounts.contains_key(&key) {
            // An unused budget with an empty hour can be dropped, because a new one is the same.
            accounts.retain(|_, account| Arc::strong_count(account) > 1 || !account.is_unused());
        }
        let fresh = || Arc::new(Account::new(scope, self.0.limits, self.0.unsent.clone()));
        Budget(accounts.entry(key).or_insert_with(fresh).clone())
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<(Scope, String), Arc<Account>>> {
        self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The budget of one add-on or one account. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Account>);

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

    /// Checks whether a pass of this many calls could be made now, without acquiring tokens. Also records the interval of
    /// regular passes, so that edits leave them enough calls.
    ///
    /// # Errors
    /// [`Refused`] if it must wait.
    pub fn affords_pass(&self, calls: u32, every: Duration, purpose: Purpose) -> Result<(), Refused> {
        let now = Instant::now();
        let mut state = self.0.state();
        state.need.record(now, calls, every, self.0.limits);
        self.0.check(&mut state, now, calls, purpose)
    }

    /// Calls left within this hour.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.0.left()
    }

    /// Whether many calls are left, polls need not be spread out, and no pause ended within the last minute.
    #[must_use]
    pub fn is_plenty(&self) -> bool {
        let (now, limits) = (Instant::now(), self.0.limits);
        let mut state = self.0.state();
        let paused_lately = state.paused_until.is_some_and(|end| end + RECENTLY > now);
        !paused_lately
            && state.left(now, limits) >= limits.plenty()
            && state.polls.left(now) >= limits.reserve.midpoint(limits.at_once)
    }
}

/// Permission to send one call now.
#[derive(Debug)]
pub struct CallToken(Arc<Account>);

impl CallToken {
    /// The answer asks for a pause: refuse all calls until it is over.
    pub fn pause(&self, pause: Duration) {
        let mut state = self.0.state();
        state.paused_until = state.paused_until.max(Some(Instant::now() + pause));
    }

    /// The answer says how many calls are left. Lowers the budget if others use the account, too. Ignored for AppLink:
    /// no document says what its header counts; a 429 still applies.
    pub fn correct(&self, left: u32) {
        if self.0.scope == Scope::Account {
            self.0.state().reported.lower(Instant::now(), left);
        }
    }
}

/// The calls to one add-on or with one account.
#[derive(Debug)]
struct Account {
    scope: Scope,
    limits: Limits,
    unsent: Arc<Unsent>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    hour: Hour,
    /// What Heroku reports as left for an account, refilled as Heroku does. Stays full for an add-on.
    reported: Pace,
    /// Spreads polls out.
    polls: Pace,
    need: Need,
    paused_until: Option<Instant>,
    /// When the next refused edit may retry.
    next_retry: Instant,
}

/// What regular passes need: the largest need that was recorded within the last hour.
#[derive(Debug)]
struct Need {
    /// Calls in an hour.
    an_hour: f64,
    /// Calls of one pass.
    pass: u32,
    at: Instant,
}

impl Need {
    fn record(&mut self, now: Instant, pass: u32, every: Duration, limits: Limits) {
        let passes = HOUR.as_secs_f64() / every.as_secs_f64().max(1.0);
        let an_hour = (f64::from(pass) * passes).min(f64::from(limits.spread()));
        if an_hour >= self.an_hour || self.at + HOUR <= now {
            *self = Self { an_hour, pass: pass.min(limits.spread()), at: now };
        }
    }
}

impl State {
    fn left(&mut self, now: Instant, limits: Limits) -> u32 {
        limits.per_hour.saturating_sub(self.hour.used(now)).min(self.reported.left(now))
    }
}

impl Account {
    fn new(scope: Scope, limits: Limits, unsent: Arc<Unsent>) -> Self {
        let now = Instant::now();
        let refill = |calls: u32| HOUR / calls.max(1);
        let state = State {
            hour: Hour::default(),
            reported: Pace::new(now, limits.per_hour, refill(limits.per_hour)),
            polls: Pace::new(now, limits.at_once, refill(limits.spread())),
            need: Need { an_hour: 0.0, pass: 0, at: now },
            paused_until: None,
            next_retry: now,
        };
        Self { scope, limits, unsent, state: Mutex::new(state) }
    }

    fn acquire(&self, calls: u32, purpose: Purpose) -> Result<(), Refused> {
        let now = Instant::now();
        let mut state = self.state();
        self.check(&mut state, now, calls, purpose)?;
        state.hour.add(now, calls);
        if self.scope == Scope::Account {
            state.reported.take(now, calls);
        }
        if matches!(purpose, Purpose::Poll | Purpose::Overdue) {
            state.polls.take(now, calls);
        }
        Ok(())
    }

    fn check(&self, state: &mut State, now: Instant, calls: u32, purpose: Purpose) -> Result<(), Refused> {
        if let Some(end) = state.paused_until.filter(|end| *end > now) {
            return Err(self.refusal(Limit::Paused, end - now));
        }
        let wait = self.wait(state, now, calls, purpose);
        if wait.is_zero() {
            return Ok(());
        }
        if purpose != Purpose::Edit {
            return Err(self.refusal(Limit::BudgetSpent, wait));
        }
        // A thousand edits may wait, and each retry costs writes to Kubernetes: give each its own slot.
        let first = now + wait;
        let at = state.next_retry.clamp(first, first + MAX_QUEUE);
        state.next_retry = at + HOUR / self.limits.per_hour.max(1) * calls;
        Err(self.refusal(Limit::BudgetSpent, at - now))
    }

    /// How long a call for this purpose must wait for calls to become free.
    fn wait(&self, state: &mut State, now: Instant, calls: u32, purpose: Purpose) -> Duration {
        let Limits { per_hour, reserve, last, .. } = self.limits;
        let (kept, kept_of_reported) = match purpose {
            Purpose::Edit | Purpose::UrgentPoll => {
                (state.hour.kept_for(now, state.need.an_hour).max(state.need.pass).max(last), last)
            }
            Purpose::Poll => (0, reserve),
            Purpose::Overdue => (0, 0),
        };
        // A call that needs more than the whole budget waits until nothing is used.
        let most = per_hour.saturating_sub(calls.saturating_add(kept));
        let hour = state.hour.until_at_most(now, most);
        let reported = state.reported.until(now, calls.saturating_add(kept_of_reported).min(per_hour));
        let polls = if purpose == Purpose::Poll { state.polls.until(now, calls) } else { Duration::ZERO };
        hour.max(reported).max(polls)
    }

    fn refusal(&self, limit: Limit, wait: Duration) -> Refused {
        self.unsent.of(self.scope, limit).fetch_add(1, Ordering::Relaxed);
        Refused { scope: self.scope, limit, wait, per_hour: self.limits.per_hour }
    }

    fn left(&self) -> u32 {
        self.state().left(Instant::now(), self.limits)
    }

    fn is_unused(&self) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        let idle = state.hour.used(now) == 0 && state.reported.is_full(now) && state.polls.is_full(now);
        idle && state.paused_until.is_none_or(|end| end <= now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
