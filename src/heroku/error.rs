//! Why an add-on cannot be reached.
//!
//! Holds what happened; `observe::trouble` says what that means to a user. `heroku` and `applink` return it.

use std::time::Duration;

use http::StatusCode;

use crate::budget::Refused;
use crate::facts::IdentityChange;
use crate::transport::CallError;

/// Why an add-on cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// A call to the Platform API failed; AppLink was not called.
    #[error(transparent)]
    Heroku(#[from] CallError),
    /// A call to AppLink failed.
    #[error("AppLink at {0}")]
    AppLink(CallError),
    /// No such app, or not for this token.
    #[error("Heroku app {0} does not exist, or the token may not see it: check spec.app")]
    NoApp(String),
    /// The app has no AppLink add-on, or none of that name.
    #[error("{0}")]
    NoAddon(String),
    /// The app has several, and none is named.
    #[error("app {app} has several AppLink add-ons: set spec.addon to one of {}", names.join(", "))]
    Several {
        /// App.
        app: String,
        /// Their names.
        names: Vec<String>,
    },
    /// Heroku is still setting it up.
    #[error("Heroku is still setting up the add-on {0}")]
    Provisioning(String),
    /// The call was not sent: a limit forbids it now.
    #[error(transparent)]
    Budget(#[from] Refused),
    /// Nobody follows it any more.
    #[error("the add-on is not followed any more")]
    Forgotten,
    /// It is not what it was.
    #[error("{0}")]
    Changed(IdentityChange),
}

impl RemoteError {
    /// How long to wait before another try, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Heroku(call) | Self::AppLink(call) => call.retry_after(),
            Self::Budget(refused) => Some(refused.wait),
            _ => None,
        }
    }

    /// Whether somebody said that what was called is not there, or no longer.
    #[must_use]
    pub fn says_gone(&self) -> bool {
        let (Self::Heroku(call) | Self::AppLink(call)) = self else { return false };
        is_gone(call)
    }
}

fn is_gone(call: &CallError) -> bool {
    matches!(call.status(), Some(StatusCode::NOT_FOUND | StatusCode::GONE))
}
