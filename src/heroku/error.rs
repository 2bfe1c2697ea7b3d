//! Why an add-on cannot be reached.
//!
//! Holds the facts; `observe::report` turns them into a condition. `heroku` and `applink` return it.

use std::time::Duration;

use http::StatusCode;

use crate::budget::Refused;
use crate::facts::IdentityChange;
use crate::transport::CallError;

/// Why an add-on cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// A call to the Platform API failed, so AppLink was not called.
    #[error(transparent)]
    Heroku(#[from] CallError),
    /// A call to AppLink failed.
    #[error("AppLink at {0}")]
    AppLink(CallError),
    /// The app does not exist, or the token cannot see it.
    #[error("Heroku app {0} does not exist, or the token cannot access it. Check spec.app and the token")]
    NoApp(String),
    /// The app has no AppLink add-on, or none with that name.
    #[error("{0}")]
    NoAddon(String),
    /// The app has several AppLink add-ons, and the spec names none.
    #[error("app {app} has several AppLink add-ons. Set spec.addon to one of {}", names.join(", "))]
    Several {
        /// Name of the app.
        app: String,
        /// Names of the add-ons.
        names: Vec<String>,
    },
    /// Heroku is still provisioning the add-on.
    #[error("Heroku is still provisioning add-on {0}")]
    Provisioning(String),
    /// A limit forbids the call for now.
    #[error(transparent)]
    Budget(#[from] Refused),
    /// The add-on has no poller any more.
    #[error("the operator no longer polls the add-on")]
    Forgotten,
    /// The name belongs to another app or add-on now.
    #[error("{0}")]
    Changed(IdentityChange),
}

impl RemoteError {
    /// How long to wait before a retry, if known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Heroku(call) | Self::AppLink(call) => call.retry_after(),
            Self::Budget(refused) => Some(refused.wait),
            _ => None,
        }
    }

    /// Whether a service answered 404 or 410.
    #[must_use]
    pub fn says_gone(&self) -> bool {
        let (Self::Heroku(call) | Self::AppLink(call)) = self else { return false };
        is_gone(call)
    }
}

fn is_gone(call: &CallError) -> bool {
    matches!(call.status(), Some(StatusCode::NOT_FOUND | StatusCode::GONE))
}
