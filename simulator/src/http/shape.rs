//! The form of AppLink's responses: status codes, truncated lists, and errors.
//!
//! Must not change responses of the Platform API or of faults. Called by the router and AppLink's handlers.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use serde_json::{Value, json};

use crate::Simulator;
use crate::settings::{CreateAnswer, DeleteAnswer, ErrorShape, PageHeader, Settings};

const NEXT_RANGE: HeaderName = HeaderName::from_static("next-range");

/// The status of a successful POST.
pub(super) fn success(answer: CreateAnswer) -> StatusCode {
    match answer {
        CreateAnswer::Ok => StatusCode::OK,
        CreateAnswer::Created => StatusCode::CREATED,
        CreateAnswer::Accepted => StatusCode::ACCEPTED,
    }
}

/// The response to a successful DELETE. `body` is the deleted object.
pub(super) fn deleted(answer: DeleteAnswer, body: Value) -> Response {
    match answer {
        DeleteAnswer::Accepted => (StatusCode::ACCEPTED, Json(body)).into_response(),
        DeleteAnswer::AcceptedEmpty => StatusCode::ACCEPTED.into_response(),
        DeleteAnswer::Ok => Json(body).into_response(),
        DeleteAnswer::OkEmpty => StatusCode::OK.into_response(),
        DeleteAnswer::EmptyObject => Json(json!({})).into_response(),
        DeleteAnswer::NoContent => StatusCode::NO_CONTENT.into_response(),
    }
}

/// A list, or its first page.
pub(super) fn list_of(mut items: Vec<Value>, settings: &Settings, uri: &Uri) -> Response {
    let Some(size) = settings.page_size.map(|size| size.get()).filter(|size| *size < items.len()) else {
        return Json(items).into_response();
    };
    let next = items[size]["id"].as_str().unwrap_or_default().to_owned();
    items.truncate(size);
    let id = |item: Option<&Value>| item.and_then(|item| item["id"].as_str()).unwrap_or_default().to_owned();
    match settings.page_header {
        PageHeader::Link => {
            let more = format!("<{}?page=2>; rel=\"next\"", uri.path());
            ([(header::LINK, more)], Json(items)).into_response()
        }
        PageHeader::ContentRange => {
            let range = format!("id {}..{}; max={size}", id(items.first()), id(items.last()));
            let next = format!("id {next}..; max={size}");
            (StatusCode::PARTIAL_CONTENT, [(header::CONTENT_RANGE, range), (NEXT_RANGE, next)], Json(items))
                .into_response()
        }
    }
}

/// Gives errors below `/addons/` the form in the settings.
pub(super) async fn errors(State(simulator): State<Simulator>, request: Request, next: Next) -> Response {
    let applink = request.uri().path().starts_with("/addons/");
    let response = next.run(request).await;
    let status = response.status();
    if !applink || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let reason = status.canonical_reason().unwrap_or("Error");
    let json = |body: Value| (Some("application/json"), body.to_string());
    let (kind, text) = match simulator.settings(|settings| settings.error_shape) {
        ErrorShape::IdMessage => json(body),
        ErrorShape::TitleDetail => json(json!({"title": reason, "detail": body["message"]})),
        ErrorShape::Error => json(json!({"error": body["message"]})),
        ErrorShape::Html => {
            (Some("text/html; charset=utf-8"), format!("<html><body><h1>{reason}</h1></body></html>\n"))
        }
        ErrorShape::Empty => (None, String::new()),
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_TYPE);
    if let Some(kind) = kind {
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    Response::from_parts(parts, Body::from(text))
}
