//! Bytes in, bytes out: one service type under both clients, with the deadline, the host check and the metering that
//! every call gets, and an eye for what its answer says of limits.
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

use crate::budget::{Budgets, CallToken};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::wire::{ErrorText, error_text};

pub use hosts::AllowedHosts;

/// A call takes no longer: Heroku's router gives up after 30 s.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// A longer answer than this is not read.
const LONGEST_BODY: usize = 16 << 20;
/// A server that asks for a longer wait than this is asked again all the same.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// One that asks for none at all must not be asked over and over.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// The wait after a 429 that names none.
const LIMITED_WAIT: Duration = Duration::from_secs(60);
/// How many calls the Platform API still grants the account.
const REMAINING: &str = "ratelimit-remaining";

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
    #[error("host {0} is not one that the operator may send a token to; add --allowed-host {0} to permit that")]
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
        /// How long to wait, where the answer says so or is a 429; an hour at most.
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
    budgets: Budgets,
    clock: Clock,
    metrics: Metrics,
}

impl Http {
    /// Sends through `transport`, to `hosts` only, whatever has leave by `budgets`.
    #[must_use]
    pub fn new(transport: Transport, hosts: AllowedHosts, budgets: Budgets, clock: Clock, metrics: Metrics) -> Self {
        Self { transport, hosts, budgets, clock, metrics }
    }

    /// Where leave to send is taken.
    #[must_use]
    pub fn budgets(&self) -> &Budgets {
        &self.budgets
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
        call_token: CallToken,
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
        let answer = answer.unwrap_or_else(|_| Err(late()));
        let wait = answer.as_ref().ok().and_then(|response| asked_wait(response, self.clock.now()));
        if let Ok(response) = &answer {
            obey(&call_token, response, wait);
        }
        let result = match answer {
            Ok(response) if response.status().is_success() => Ok(response),
            Ok(response) => Err(refusal(host, &response, secrets, wait)),
            Err(cause) => Err(CallError::Transport { host, cause }),
        };
        self.metrics.call(operation, &result);
        result
    }
}

/// Has the budget that the call drew on do as the answer says.
fn obey(call_token: &CallToken, response: &Response<Bytes>, wait: Option<Duration>) {
    if let Some(wait) = wait.filter(|_| response.status() == StatusCode::TOO_MANY_REQUESTS) {
        call_token.pause(wait);
    }
    let left = response.headers().get(REMAINING).and_then(|v| v.to_str().ok()?.trim().parse().ok());
    if let Some(left) = left {
        call_token.correct(left);
    }
}

fn refusal(host: String, response: &Response<Bytes>, secrets: &[&str], wait: Option<Duration>) -> CallError {
    let mut error = error_text(response.body(), secrets);
    if response.status().is_redirection() {
        error.message = Some("a redirect, which is never followed with a token".to_owned());
    }
    CallError::Status { host, status: response.status(), error, retry_after: wait }
}

/// How long an answer asks to wait.
fn asked_wait(response: &Response<Bytes>, now: Timestamp) -> Option<Duration> {
    let text = response.headers().get(http::header::RETRY_AFTER).and_then(|v| v.to_str().ok());
    let limited = (response.status() == StatusCode::TOO_MANY_REQUESTS).then_some(LIMITED_WAIT);
    text.and_then(|text| retry_after(text, now)).or(limited)
}

/// Seconds, or a date.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let wait = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
            let wait = Duration::try_from(date.duration_since(now)).unwrap_or_default();
            // A date tells no fraction of a second; whoever wrote it has let one fall.
            Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
        }
    };
    Some(wait.clamp(SHORTEST_WAIT, LONGEST_WAIT))
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
    use crate::budget::{Budget, Limit, Limits, Purpose};

    /// Sends one call to a service that answers so, and gives what it draws on.
    async fn answered(status: u16, headers: &'static [(&'static str, &'static str)]) -> (Budget, Option<CallError>) {
        let transport = tower::service_fn(move |_: Request<Bytes>| async move {
            let builder =
                headers.iter().fold(Response::builder().status(status), |b, (name, value)| b.header(*name, *value));
            Ok(builder.body(Bytes::new()).expect("an answer"))
        });
        let hosts = AllowedHosts::new(&["*.heroku.com".to_owned()]).expect("a pattern");
        let budgets = Budgets::new(Limits { per_hour: 3610, at_once: 10, reserve: 4, last: 0 });
        let transport = BoxCloneSyncService::new(transport);
        let http = Http::new(transport, hosts, budgets.clone(), Clock::system(), Metrics::default());
        let budget = budgets.account("token");
        let call_token = budget.try_acquire(Purpose::Poll).expect("a full budget");
        let url = "https://api.heroku.com/apps".parse().expect("a URL");
        let result = http.send(call_token, "test", &url, Request::builder(), Bytes::new(), &[]).await;
        (budget, result.err())
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_429_holds_the_others_and_one_without_a_pause_for_a_minute() {
        let table: [(_, &'static [_], _, _); 4] = [
            (429, &[("retry-after", "17")], Some(17), Some(17)),
            (429, &[], Some(60), Some(60)),
            (503, &[("retry-after", "17")], Some(17), None),
            (503, &[], None, None),
        ];
        for (status, headers, told, held) in table {
            let (budget, error) = answered(status, headers).await;
            assert_eq!(error.expect("no success").retry_after(), told.map(Duration::from_secs), "{status}");
            let refused = budget.try_acquire(Purpose::Edit).err();
            assert!(refused.as_ref().is_none_or(|refused| refused.limit == Limit::Paused));
            assert_eq!(refused.map(|refused| refused.wait), held.map(Duration::from_secs), "{status}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_account_has_left_is_read_off_every_answer() {
        for (status, header, left) in [(200, "3", 3), (404, "0", 0), (200, "4000", 9), (200, "many", 9)] {
            let headers = Box::leak(Box::new([("RateLimit-Remaining", header)]));
            assert_eq!(answered(status, headers).await.0.left(), left, "{header}");
        }
    }

    #[test]
    fn retry_after_reads_seconds_and_dates_and_has_a_limit() {
        let now: Timestamp = "2015-10-21T07:27:00Z".parse().unwrap();
        assert_eq!(retry_after("17", now), Some(Duration::from_secs(17)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now), Some(Duration::from_secs(60)));
        let later = now + Duration::from_millis(300);
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT", later), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("86400", now), Some(LONGEST_WAIT));
        assert_eq!(retry_after("0", now), Some(SHORTEST_WAIT));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:26:59 GMT", now), Some(SHORTEST_WAIT));
        assert_eq!(retry_after("soon", now), None);
    }
}
