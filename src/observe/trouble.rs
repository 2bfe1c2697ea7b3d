//! What to tell of an add-on that cannot be reached.
//!
//! Pure: one error in, one verdict out. The poller and `control::apply` call it.

use http::StatusCode;

use crate::crd::Reason;
use crate::heroku::AccessError;
use crate::plan::verdict::Verdict;
use crate::transport::CallError;

/// The verdict that an error amounts to, for whatever it keeps from working.
#[must_use]
pub fn trouble(error: &AccessError) -> Verdict {
    match error {
        AccessError::Changed(verdict) => verdict.clone(),
        AccessError::NoApp(_) | AccessError::NoAddon(_) | AccessError::Several { .. } => {
            Verdict::needs_user(Reason::InvalidSpec, error.to_string())
        }
        AccessError::Provisioning(_) | AccessError::Forgotten => {
            Verdict::waits(Reason::AddonNotReady, error.to_string())
        }
        AccessError::Budget(_) => limited(&error.to_string()),
        AccessError::Heroku(call) | AccessError::AppLink(call) => of_call(call, error.to_string()),
    }
}

fn limited(text: &str) -> Verdict {
    Verdict::waits(Reason::RateLimited, format!("{text}: waiting until calls are allowed again"))
}

fn of_call(call: &CallError, text: String) -> Verdict {
    match call {
        CallError::Host(_) | CallError::Url(_) => Verdict::needs_user(Reason::InvalidSpec, text),
        CallError::Status { status, .. } if matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            let text = format!(
                "{text}: the token in spec.tokenSecretRef is wrong, expired, or of a user who may not manage this app. \
                 Make a new one with heroku authorizations:create and put it into the Secret"
            );
            Verdict::needs_user(Reason::CredentialInvalid, text)
        }
        CallError::Status { status, .. } if *status == StatusCode::TOO_MANY_REQUESTS => limited(&text),
        CallError::Status { .. } | CallError::Transport { .. } | CallError::Unreadable { .. } => {
            Verdict::waits(Reason::RemoteUnavailable, format!("{text}: trying again"))
        }
    }
}
