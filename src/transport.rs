//! Bytes in, bytes out: the HTTP layer of both clients. It applies the deadline, the allowed hosts, the metrics and the
//! rate limits to every call.
//!
//! Decides nothing and retries nothing. `heroku` and `applink` send through [`Http`]; `in_process` is for tests.

mod error;
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
use crate::timing::{CALL_DEADLINE, CONNECT_DEADLINE, DEFAULT_RETRY_AFTER, MAX_RETRY_AFTER, MIN_RETRY_AFTER};
use crate::wire::error_text;

pub use error::{CallError, TransportError};
pub use hosts::AllowedHosts;

/// Longest body that is read, in bytes.
const MAX_BODY: usize = 16 << 20;
/// Header of the Platform API: calls left for the account.
const REMAINING: &str = "ratelimit-remaining";

/// Sends one request and returns the response.
pub type Transport = BoxCloneSyncService<Request<Bytes>, Response<Bytes>, TransportError>;

/// The HTTP client of both APIs. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Http {
    transport: Transport,
    hosts: AllowedHosts,
    budgets: Budgets,
    clock: Clock,
    metrics: Metrics,
}

impl Http {
    /// Sends through `transport`, to `hosts` only.
    #[must_use]
    pub fn new(transport: Transport, hosts: AllowedHosts, budgets: Budgets, clock: Clock, metrics: Metrics) -> Self {
        Self { transport, hosts, budgets, clock, metrics }
    }

    /// Where callers acquire call tokens.
    #[must_use]
    pub fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// Checks that credentials may be sent to `url`.
    ///
    /// # Errors
    /// See [`AllowedHosts::check`].
    pub fn check(&self, url: &Url) -> Result<(), CallError> {
        self.hosts.check(url)
    }

    /// Sends one request. `operation` is the label in metrics. `secrets` are redacted from errors.
    ///
    /// # Errors
    /// Any [`CallError`]; also for a redirect, which is never followed.
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
        let answer = tokio::time::timeout(CALL_DEADLINE.unsigned_abs(), self.transport.clone().oneshot(request)).await;
        let late = || TransportError::Lost(format!("timeout after {} s", CALL_DEADLINE.as_secs()));
        let answer = answer.unwrap_or_else(|_| Err(late()));
        let wait = answer.as_ref().ok().and_then(|response| requested_wait(response, self.clock.now()));
        if let Ok(response) = &answer {
            apply_limits(&call_token, response, wait);
        }
        let result = match answer {
            Ok(response) if response.status().is_success() => Ok(response),
            Ok(response) => Err(refusal(host, &response, secrets, wait)),
            Err(cause) => Err(CallError::Transport { host, cause }),
        };
        self.metrics.call(operation, result.as_ref().map_or_else(CallError::label, |_| "ok"));
        result
    }
}

/// Passes the limits in the response on to the budget.
fn apply_limits(call_token: &CallToken, response: &Response<Bytes>, wait: Option<Duration>) {
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
        error.message = Some("a redirect, which the operator does not follow with a token".to_owned());
    }
    CallError::Status { host, status: response.status(), error, retry_after: wait }
}

/// How long the response asks to wait.
fn requested_wait(response: &Response<Bytes>, now: Timestamp) -> Option<Duration> {
    let text = response.headers().get(http::header::RETRY_AFTER).and_then(|v| v.to_str().ok());
    let limited = (response.status() == StatusCode::TOO_MANY_REQUESTS).then_some(DEFAULT_RETRY_AFTER);
    text.and_then(|text| retry_after(text, now)).or(limited)
}

/// Parses seconds or a date.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let wait = match text.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
            let wait = Duration::try_from(date.duration_since(now)).unwrap_or_default();
            // The sender cut off the fraction of a second, so round up.
            Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
        }
    };
    Some(wait.clamp(MIN_RETRY_AFTER, MAX_RETRY_AFTER))
}

/// A transport over the network with TLS. It follows no redirects.
///
/// # Errors
/// TLS cannot be set up on this machine.
pub fn network() -> Result<Transport, reqwest::Error> {
    let client = reqwest::Client::builder()
        // HTTP/1.1 gives each concurrent call a connection of its own. Calls to one add-on cannot use up the streams of
        // another's connection, and dead connections are not reused.
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_DEADLINE)
        .user_agent(concat!("applink-operator/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(BoxCloneSyncService::new(tower::service_fn(move |request: Request<Bytes>| {
        let client = client.clone();
        async move {
            let request = request.try_into().map_err(|_| TransportError::Unsent("invalid request".to_owned()))?;
            let answer = client.execute(request).await.map_err(transport_error)?;
            read::<reqwest::Body>(answer.into()).await
        }
    })))
}

/// A transport into an axum router, without a socket.
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
    match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => Ok(Response::from_parts(parts, body.to_bytes())),
        Err(error) => Err(TransportError::Lost(format!("the response ended early ({error})"))),
    }
}

/// Keeps the innermost cause only: the outer ones repeat the URL.
fn transport_error(error: reqwest::Error) -> TransportError {
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

    /// Sends one call to a service that answers with this status and these headers. Returns the budget and the error.
    async fn respond(status: u16, headers: &'static [(&'static str, &'static str)]) -> (Budget, Option<CallError>) {
        let transport = tower::service_fn(move |_: Request<Bytes>| async move {
            let builder =
                headers.iter().fold(Response::builder().status(status), |b, (name, value)| b.header(*name, *value));
            Ok(builder.body(Bytes::new()).expect("an answer"))
        });
        let hosts = AllowedHosts::new(&["*.heroku.com".to_owned()]).expect("a pattern");
        let budgets = Budgets::new(Limits { per_hour: 10, at_once: 10, reserve: 4, last: 0 });
        let transport = BoxCloneSyncService::new(transport);
        let http = Http::new(transport, hosts, budgets.clone(), Clock::system(), Metrics::default());
        let budget = budgets.account("token");
        let call_token = budget.try_acquire(Purpose::Poll).expect("a full budget");
        let url = "https://api.heroku.com/apps".parse().expect("a URL");
        let result = http.send(call_token, "test", &url, Request::builder(), Bytes::new(), &[]).await;
        (budget, result.err())
    }

    #[tokio::test(start_paused = true)]
    async fn only_429_pauses_other_calls() {
        let table: [(_, &'static [_], _, _); 4] = [
            (429, &[("retry-after", "17")], Some(17), Some(17)),
            (429, &[], Some(60), Some(60)),
            (503, &[("retry-after", "17")], Some(17), None),
            (503, &[], None, None),
        ];
        for (status, headers, retry_after_s, held) in table {
            let (budget, error) = respond(status, headers).await;
            assert_eq!(error.expect("no success").retry_after(), retry_after_s.map(Duration::from_secs), "{status}");
            let refused = budget.try_acquire(Purpose::Edit).err();
            assert!(refused.as_ref().is_none_or(|refused| refused.limit == Limit::Paused));
            assert_eq!(refused.map(|refused| refused.wait), held.map(Duration::from_secs), "{status}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn remaining_calls_are_read_from_every_response() {
        for (status, header, left) in [(200, "3", 3), (404, "0", 0), (200, "4000", 9), (200, "many", 9)] {
            let headers = Box::leak(Box::new([("RateLimit-Remaining", header)]));
            assert_eq!(respond(status, headers).await.0.left(), left, "{header}");
        }
    }

    #[test]
    fn retry_after_parses_seconds_and_dates_and_is_clamped() {
        let now: Timestamp = "2015-10-21T07:27:00Z".parse().unwrap();
        assert_eq!(retry_after("17", now), Some(Duration::from_secs(17)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now), Some(Duration::from_secs(60)));
        let later = now + Duration::from_millis(300);
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT", later), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("86400", now), Some(MAX_RETRY_AFTER));
        assert_eq!(retry_after("0", now), Some(MIN_RETRY_AFTER));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:26:59 GMT", now), Some(MIN_RETRY_AFTER));
        assert_eq!(retry_after("soon", now), None);
    }
}
