//! Middleware of both APIs: writes the request log, and applies faults before and after a request takes effect.
//!
//! Must not read request bodies. Does not apply to the control API.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::request::bearer;
use crate::Simulator;
use crate::faults::{Fault, What, Where};
use crate::requests::{Api, RequestRecord};
use crate::token::Token;

/// Marks a response that is never sent.
#[derive(Clone)]
struct NoResponse;

/// The error of an aborted body.
#[derive(Debug, thiserror::Error)]
#[error("the simulator aborts this body")]
struct BodyAborted;

pub(super) async fn intercept(State(simulator): State<Simulator>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let record = RequestRecord {
        seq: 0,
        at: simulator.now(),
        api: if path.starts_with("/addons/") { Api::AppLink } else { Api::Platform },
        status: None,
        mutating: !method.is_safe(),
        committed: false,
        token_digest: bearer(request.headers()).map(|token| Token::new(token).digest()),
        method: method.clone(),
        path: path.clone(),
    };
    let seq = simulator.requests(|log| log.open(record));
    let matches = |place| simulator.faults(|faults| faults.take_matching(place, &method, &path));

    let mut answer = None;
    for fault in matches(Where::Before) {
        answer = apply_fault(fault, answer).await;
    }
    if answer.is_none() {
        let response = next.run(request).await;
        let committed = !method.is_safe() && response.status().is_success();
        simulator.requests(|log| log.amend(seq, |record| record.committed = committed));
        answer = Some(response);
        for fault in matches(Where::After) {
            answer = apply_fault(fault, answer).await;
        }
    }
    let answer = answer.unwrap_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response());
    if answer.extensions().get::<NoResponse>().is_none() {
        let status = Some(answer.status());
        simulator.requests(|log| log.amend(seq, |record| record.status = status));
    }
    answer
}

async fn apply_fault(fault: Fault, answer: Option<Response>) -> Option<Response> {
    match fault.what {
        What::Delay { ms } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            answer
        }
        What::Status { code, headers, body } => Some(status(&fault.id, code, &headers, body)),
        What::Reset => Some(reset()),
        What::Truncate => Some(truncated(answer).await),
    }
}

fn status(fault: &str, code: u16, headers: &BTreeMap<String, String>, body: Option<Value>) -> Response {
    let (kind, text) = match body {
        Some(Value::String(text)) => ("text/html; charset=utf-8", text),
        Some(body) => ("application/json", body.to_string()),
        None => {
            let message = format!("The simulator injected this error: {fault}.");
            let body = json!({"id": "simulated_fault", "message": message});
            ("application/json", body.to_string())
        }
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY);
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    for (name, value) in headers {
        // Both were checked when the fault was added.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Hyper closes the connection if the body fails before the head is flushed, so the client receives nothing. In-process,
/// reading the body fails.
fn reset() -> Response {
    let mut response = Response::new(aborted_body(Bytes::new(), false));
    response.extensions_mut().insert(NoResponse);
    response
}

/// Half of a response's body, or of a made-up one if there is no response.
async fn truncated(answer: Option<Response>) -> Response {
    let answer = answer.unwrap_or_else(|| axum::Json(json!({"id": ""})).into_response());
    let (mut parts, body) = answer.into_parts();
    let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let announced = HeaderValue::from(whole.len() + 1);
    parts.headers.insert(header::CONTENT_LENGTH, announced);
    // A 204 has no body to truncate.
    if parts.status == StatusCode::NO_CONTENT {
        parts.status = StatusCode::OK;
    }
    let half = whole.slice(..whole.len() / 2);
    Response::from_parts(parts, aborted_body(half, true))
}

/// A body that fails after these bytes. With `flush`, it sends them first.
fn aborted_body(bytes: Bytes, flush: bool) -> Body {
    let body = Full::new(bytes)
        .map_err(|never| match never {})
        // Hides the size, which hyper would compare with `Content-Length`.
        .map_frame(|frame| frame)
        .with_trailers(async move {
            if flush {
                tokio::task::yield_now().await;
            }
            Some(Err(BodyAborted))
        });
    Body::new(body)
}
