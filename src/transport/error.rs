//! Why a call failed.
//!
//! Holds the facts; `observe::report` turns them into a condition.

use std::time::Duration;

use http::StatusCode;

use crate::wire::{ErrorText, Unreadable};

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The request was not sent.
    #[error("cannot connect: {0}")]
    Unsent(String),
    /// The request was sent. It is unknown whether the service executed it.
    #[error("no answer: {0}")]
    Lost(String),
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The host is not in the list of allowed hosts.
    #[error("the operator may not send a token to host {0}. To allow it, start the operator with --allowed-host {0}")]
    Host(String),
    /// The URL or a header is invalid.
    #[error("{0} is not a valid URL to call")]
    Url(String),
    /// No response.
    #[error("{host}: {cause}")]
    Transport {
        /// Host of the URL.
        host: String,
        /// What happened.
        cause: TransportError,
    },
    /// A response with another status than 2xx.
    #[error("{host} answered {status}{}", error.line().map(|l| format!(" ({l})")).unwrap_or_default())]
    Status {
        /// Host of the URL.
        host: String,
        /// HTTP status.
        status: StatusCode,
        /// Error of the service, redacted.
        error: ErrorText,
        /// `Retry-After`, clamped to an hour; set for every 429.
        retry_after: Option<Duration>,
    },
    /// A success with an invalid body.
    #[error("{host}: {cause}")]
    Unreadable {
        /// Host of the URL.
        host: String,
        /// What is wrong with the body.
        cause: Unreadable,
    },
}

impl CallError {
    /// Name of the error in metrics.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Host(_) | Self::Url(_) => "not_sent",
            Self::Transport { .. } | Self::Unreadable { .. } => "no_answer",
            Self::Status { status, .. } => match status.as_u16() {
                401 | 403 => "unauthorized",
                404 => "not_found",
                429 => "rate_limited",
                300..400 => "redirect",
                400..500 => "client_error",
                _ => "server_error",
            },
        }
    }

    /// HTTP status of a response that is not a success.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// How long the service asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the service refused the token: 401 or 403.
    #[must_use]
    pub fn refuses_token(&self) -> bool {
        matches!(self.status(), Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN))
    }

    /// Whether the service may have executed the call although it did not answer with success.
    #[must_use]
    pub fn may_have_worked(&self) -> bool {
        match self {
            Self::Host(_) | Self::Url(_) => false,
            Self::Transport { cause, .. } => matches!(cause, TransportError::Lost(_)),
            Self::Status { status, .. } => status.is_server_error() || status.is_redirection(),
            Self::Unreadable { .. } => true,
        }
    }
}
