//! The Heroku account: who it is, which tokens it accepts, and how many requests it has left.
//!
//! Must not know HTTP. Called by `http::platform` and the control API.

use jiff::Timestamp;

use super::super::settings::Settings;
use super::super::token::Token;
use super::StateError;

/// The Heroku account.
#[derive(Debug)]
pub struct Account {
    /// Its email address: `created_by` of what it creates.
    pub email: String,
    /// Its user id.
    pub user_id: String,
    /// The tokens that the Platform API accepts.
    pub tokens: Vec<Token>,
    // Requests left, and when that was so; none before the first request.
    budget: Option<(f64, Timestamp)>,
}

impl Account {
    pub(super) fn new(email: String, tokens: Vec<Token>) -> Self {
        Self { email, user_id: "d2b9f6a1-7c3e-4e58-a04d-5f8b1c6e9370".to_owned(), tokens, budget: None }
    }

    /// Whether the Platform API accepts this bearer token.
    pub fn accepts(&self, bearer: &str) -> bool {
        self.tokens.iter().any(|token| token.expose() == bearer)
    }

    /// How many requests are left.
    pub fn remaining(&self, settings: &Settings, now: Timestamp) -> u32 {
        self.refilled(settings, now) as u32
    }

    /// Spends one request.
    pub fn spend(&mut self, settings: &Settings, now: Timestamp) -> Result<(), StateError> {
        let left = self.refilled(settings, now);
        if left < 1.0 {
            return Err(StateError::RateLimited);
        }
        self.budget = Some((left - 1.0, now));
        Ok(())
    }

    fn refilled(&self, settings: &Settings, now: Timestamp) -> f64 {
        let full = f64::from(settings.rate_limit);
        let Some((left, at)) = self.budget else {
            return full;
        };
        let minutes = now.duration_since(at).as_secs_f64().max(0.0) / 60.0;
        (left + minutes * f64::from(settings.rate_refill_per_minute)).min(full)
    }
}
