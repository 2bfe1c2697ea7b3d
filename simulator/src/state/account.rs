//! The Heroku account: its tokens and its rate limit.
//!
//! Must not use HTTP. Called by `http::platform` and the control API.

use jiff::Timestamp;

use super::StateError;
use super::budget::{Budget, Rate};
use crate::settings::Settings;
use crate::token::Token;

#[derive(Debug)]
pub struct Account {
    /// Its email address: `created_by` of what it creates.
    pub email: String,
    pub user_id: String,
    /// The tokens that the Platform API accepts.
    pub tokens: Vec<Token>,
    budget: Budget,
}

impl Account {
    pub(super) fn new(email: String, tokens: Vec<Token>) -> Self {
        Self { email, user_id: "d2b9f6a1-7c3e-4e58-a04d-5f8b1c6e9370".to_owned(), tokens, budget: Budget::default() }
    }

    /// Whether the Platform API accepts this bearer token.
    pub fn accepts(&self, bearer: &str) -> bool {
        self.tokens.iter().any(|token| token.expose() == bearer)
    }

    /// How many requests are left.
    pub fn remaining(&self, settings: &Settings, now: Timestamp) -> u32 {
        self.budget.remaining(rate(settings), now)
    }

    /// Spends one request.
    pub fn spend(&mut self, settings: &Settings, now: Timestamp) -> Result<(), StateError> {
        self.budget.spend(rate(settings), now).map_err(|_| StateError::RateLimited)
    }
}

fn rate(settings: &Settings) -> Rate {
    Rate { limit: settings.rate_limit, per_minute: settings.rate_refill_per_minute }
}
