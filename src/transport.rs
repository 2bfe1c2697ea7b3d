//! Bytes in, bytes out: one service type under both clients, with the deadline, the host check and the metering that
//! every call gets.
//!
//! Decides nothing and repeats nothing. `heroku` and `applink` send through [`Http`]; `in_process` is for tests.

mod hosts;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use jiff::Timestamp;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt};
use url::Url;

use crate::metrics::Metrics;
use crate::wire::{ErrorText, error_text};

pub use hosts::AllowedHosts;

/// A call takes no longer: Heroku's router gives up after 30 s.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// A longer answer than this is not read.
const LONGEST_BODY: usize = 16 << 20;
/// A server that asks for a longer wait than this is asked again all the same.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// Carries one request to its answer.
pub type Transport = BoxCloneSyncService<Request<Bytes>, Response<Bytes>, TransportError>;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The request never left.
    #[error("no connection: {0}")]
    Unsent(String),
    /// The request left; whether it was carried out is not known.
    #[error("no answer: {0}")]
    Lost(String),
}

/// Why a call did not give what it was made for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The host is not one that credentials may be sent to.
    #[error(
        "host {0} is not one that the operator may send a token to; start it with --allowed-host {0} to permit that"
    )]
    Host(String),
    /// No URL that can be called.
    #[error("{0} is not a URL that can be called")]
    Url(String),
    /// No answer.
    #[error("{host}: {cause}")]
    Transport {
        /// Who was called.
        host: String,
        /// What happened.
        cause: TransportError,
    },
    /// An answer that is not a success.
    #[error("{host} answered {status}{}", error.line().map(|l| format!(" ({l})")).unwrap_or_default())]
    Status {
        /// Who was called.
        host: String,
        /// HTTP status.
        status: StatusCode,
        /// What the answer says, redacted.
        error: ErrorText,
        /// How long to wait, where the answer says so; an hour at most.
        retry_after: Option<Duration>,
    },
    /// A success whose body does not say what it must.
    #[error("{host}: {cause}")]
    Unreadable {
        /// Who was called.
        host: String,
        /// What is wrong with it.
        cause: crate::wire::Unreadable,
    },
}

impl CallError {
    /// HTTP status of the answer, if there was one that is not a success.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// How long the answer asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the token was refused.
    #[must_use]
    pub fn refuses_token(&self) -> bool {
        matches!(self.status(), Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN))
    }

    /// Whether the call may have been carried out although no success came back.
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

/// What both clients send through.
#[derive(Clone, Debug)]
pub struct Http {
    transport: Transport,
    hosts: AllowedHosts,
    metrics: Metrics,
}

impl Http {
    /// Sends through `transport`, to `hosts` only.
    #[must_use]
    pub fn new(transport: Transport, hosts: AllowedHosts, metrics: Metrics) -> Self {
        Self { transport, hosts, metrics }
    }

    /// Whether a credential may be sent there.
    ///
    /// # Errors
    /// As [`AllowedHosts::check`].
    pub fn check(&self, url: &Url) -> Result<(), CallError> {
        self.hosts.check(url)
    }

    /// Sends one request and gives its successful answer. `operation` is the label in metrics; `secrets` are those of
    /// the call, kept out of the error.
    ///
    /// # Errors
    /// Any [`CallError`]; redirects are answers, never followed.
    pub async fn send(
        &self,
        operation: &'static str,
        url: &Url,
        request: http::request::Builder,
        body: Bytes,
        secrets: &[&str],
    ) -> Result<Response<Bytes>, CallError> {
        self.hosts.check(url)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let request = request.uri(url.as_str()).body(body).map_err(|_| CallError::Url(host.clone()))?;
        let answer = tokio::time::timeout(DEADLINE, self.transport.clone().oneshot(request)).await;
        let late = || TransportError::Lost(format!("none within {} s", DEADLINE.as_secs()));
        let result = match answer.unwrap_or_else(|_| Err(late())) {
            Ok(response) if response.status().is_success() => Ok(response),
            Ok(response) => Err(refusal(host, &response, secrets)),
            Err(cause) => Err(CallError::Transport { host, cause }),
        };
        self.metrics.call(operation, &result);
        result
    }
}

fn refusal(host: String, response: &Response<Bytes>, secrets: &[&str]) -> CallError {
    let mut error = error_text(response.body(), secrets);
    if response.status().is_redirection() {
        error.message = Some("a redirect, which is never followed with a token".to_owned());
    }
    let wait = response.headers().get(http::header::RETRY_AFTER).and_then(|v| v.to_str().ok());
    CallError::Status {
        host,
        status: response.status(),
        error,
        retry_after: wait.and_then(|text| retry_after(text, Timestamp::now())),
    }
}

/// Seconds, or a date.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let wait = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
            Duration::try_from(date.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

/// Over the network, with TLS and without redirects.
///
/// # Errors
/// Where no TLS set-up is possible on this machine.
pub fn network() -> Result<Transport, reqwest::Error> {
    let client = reqwest::Client::builder()
        // A connection for each call under way: none waits for a stream on one that another add-on's calls have filled,
        // and one that went dead is not used again.
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .user_agent(concat!("applink-operator/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(BoxCloneSyncService::new(tower::service_fn(move |request: Request<Bytes>| {
        let client = client.clone();
        async move {
            let request = request.try_into().map_err(|_| TransportError::Unsent("no valid request".to_owned()))?;
            let answer = client.execute(request).await.map_err(unanswered)?;
            read::<reqwest::Body>(answer.into()).await
        }
    })))
}

/// Into an axum router, without a socket.
#[must_use]
pub fn in_process(router: axum::Router) -> Transport {
    BoxCloneSyncService::new(tower::service_fn(move |request: Request<Bytes>| {
        let router = router.clone();
        async move {
            let answer =
                router.oneshot(request.map(axum::body::Body::from)).await.unwrap_or_else(|never| match never {});
            read(answer).await
        }
    }))
}

async fn read<B>(answer: Response<B>) -> Result<Response<Bytes>, TransportError>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let (parts, body) = answer.into_parts();
    match Limited::new(body, LONGEST_BODY).collect().await {
        Ok(body) => Ok(Response::from_parts(parts, body.to_bytes())),
        Err(error) => Err(TransportError::Lost(format!("the answer broke off ({error})"))),
    }
}

/// The innermost cause alone: the outer ones repeat the URL.
fn unanswered(error: reqwest::Error) -> TransportError {
    let unsent = error.is_connect() || error.is_builder();
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if unsent { TransportError::Unsent(cause.to_string()) } else { TransportError::Lost(cause.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_reads_seconds_and_dates_and_has_a_limit() {
        let now: Timestamp = "2015-10-21T07:27:00Z".parse().unwrap();
        assert_eq!(retry_after("17", now), Some(Duration::from_secs(17)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("86400", now), Some(LONGEST_WAIT));
        assert_eq!(retry_after("soon", now), None);
    }
}
