//! What all three APIs respond with: errors of the shape `{id, message}`, and common successes.
//!
//! Called by every file in this folder.

use axum::Json;
use axum::body::to_bytes;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, StatusCode, Uri, header};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::state::StateError;

/// The header with the rest of the rate limit.
pub(super) const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");

/// The result of a handler.
pub(super) type HandlerResult = Result<Response, ApiError>;

/// An error in Heroku's format.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) id: &'static str,
    pub(super) message: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, id: &'static str, message: impl Into<String>) -> Self {
        Self { status, id, message: message.into() }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Json(json!({"id": self.id, "message": self.message}));
        (self.status, body).into_response()
    }
}

impl From<StateError> for ApiError {
    fn from(error: StateError) -> Self {
        let message = error.to_string();
        match error {
            StateError::InvalidName(..)
            | StateError::InvalidClientName(_)
            | StateError::InvalidApiName(_)
            | StateError::Upload(_)
            | StateError::NotConnected(_)
            | StateError::NotUnique(_)
            | StateError::KeyUnusable => Self::invalid(message),
            StateError::NameTaken(..)
            | StateError::AliasTaken
            | StateError::AlreadyPublished
            | StateError::TargetTaken(_)
            | StateError::Exists(_)
            | StateError::NotAwaitingConsent => Self::new(StatusCode::CONFLICT, "conflict", message),
            StateError::KeyRefused => Self::unauthorized(message),
            StateError::NoRecord => Self::new(StatusCode::NOT_FOUND, "record_not_found", message),
            StateError::NotFound(_) => Self::not_found(message),
            StateError::RateLimited | StateError::AddonRateLimited { .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit", message)
            }
            StateError::SsoUnreadable | StateError::SsoOtherAddon | StateError::SsoStale { .. } => {
                Self::forbidden(message)
            }
        }
    }
}

pub(super) async fn no_route(uri: Uri) -> ApiError {
    ApiError::not_found(format!("The simulator has no route {}.", uri.path()))
}

/// Turns axum's own errors (method not allowed, invalid path, body too large) into JSON errors.
pub(super) async fn as_json(response: Response) -> Response {
    let status = response.status();
    let json = response.headers().get(header::CONTENT_TYPE);
    let json = json.is_some_and(|kind| kind == "application/json");
    if json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let text = to_bytes(response.into_body(), 4096).await;
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    let reason = status.canonical_reason().unwrap_or("error");
    let id = reason.to_lowercase().replace([' ', '-'], "_");
    let message = if text.is_empty() { reason } else { &text };
    (status, Json(json!({"id": id, "message": message}))).into_response()
}

/// A time in AppLink's format. The Python SDK requires the fraction.
pub(super) fn timestamp(at: Timestamp) -> String {
    format!("{at:.6}")
}

pub(super) fn created(body: Value) -> Response {
    (StatusCode::CREATED, Json(body)).into_response()
}

pub(super) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
