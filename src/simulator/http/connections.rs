//! AppLink's connection endpoints.
//!
//! Must not keep, return or quote a private key: its digest is all that gets past this file.
//! Called by the router of `applink`.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri, header};
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use super::super::Simulator;
use super::super::settings::{CreateAnswer, DeleteAnswer, OneAnswer, UnknownAnswer, seconds};
use super::super::state::{Grant, NewConnection, Provider, StateError, World};
use super::super::token::sha256_hex;
use super::answer::{Answer, ApiError, object, reached_at};
use super::applink::{Caller, call};
use super::dialect::{View, connection_body};
use super::shape::list_of;

/// There is no JWT route for Data Cloud.
pub(super) fn routes() -> Router<Simulator> {
    Router::new()
        .route("/addons/{addon}/connections", get(list))
        .route("/addons/{addon}/connections/{key}", get(read).delete(delete).post(connect_oauth))
        .route("/addons/{addon}/connections/salesforce/jwt", post(connect_jwt))
}

async fn list(State(simulator): State<Simulator>, Path(addon): Path<String>, uri: Uri, headers: HeaderMap) -> Answer {
    call(&simulator, &addon, &headers, |world, caller, now| {
        let at = listed_at(world, now);
        let all = world.connections_at(caller.addon, at);
        let bodies: Vec<_> = all.map(|c| connection_body(world, c, at, View::Listed)).collect();
        Ok(list_of(bodies, &world.settings, &uri))
    })
}

/// The moment that lists show.
fn listed_at(world: &World, now: Timestamp) -> Timestamp {
    let lag = SignedDuration::ZERO - seconds(world.settings.list_lag_seconds);
    now.checked_add(lag).unwrap_or(Timestamp::MIN)
}

/// One route with two readings: a connection, else the connections of an app.
async fn read(
    State(simulator): State<Simulator>,
    Path((addon, key)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    call(&simulator, &addon, &headers, |world, caller, now| {
        let found = world.find(caller.addon, &key, now);
        let mut bodies = (found.iter()).map(|c| connection_body(world, c, now, View::Detail));
        if world.settings.get_one == OneAnswer::Array && !found.is_empty() {
            return Ok(Json(bodies.collect::<Vec<_>>()).into_response());
        }
        if let Some(body) = bodies.next() {
            return Ok(Json(body).into_response());
        }
        if let Ok(app) = world.app(&key) {
            let at = listed_at(world, now);
            let all = world.connections_at(caller.addon, at);
            let bodies = (all.filter(|c| c.app == app.id)).map(|c| connection_body(world, c, at, View::ListedByApp));
            return Ok(list_of(bodies.collect(), &world.settings, &uri));
        }
        match world.settings.get_unknown {
            UnknownAnswer::NotFound => Err(StateError::NoConnection.into()),
            UnknownAnswer::EmptyList => Ok(Json(json!([])).into_response()),
        }
    })
}

async fn delete(
    State(simulator): State<Simulator>,
    Path((addon, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    call(&simulator, &addon, &headers, |world, caller, now| {
        // Only a GET takes an org id.
        let found = world.find_called(caller.addon, &key, now);
        let id = found.first().map(|c| c.id).ok_or(StateError::NoConnection)?;
        world.disconnect(id, now)?;
        let body = connection_body(world, world.connection(id)?, now, View::Deleted);
        Ok(match world.settings.delete_answer {
            DeleteAnswer::Accepted => (StatusCode::ACCEPTED, Json(body)).into_response(),
            DeleteAnswer::AcceptedEmpty => StatusCode::ACCEPTED.into_response(),
            DeleteAnswer::Ok => Json(body).into_response(),
            DeleteAnswer::OkEmpty => StatusCode::OK.into_response(),
            DeleteAnswer::EmptyObject => Json(json!({})).into_response(),
            DeleteAnswer::NoContent => StatusCode::NO_CONTENT.into_response(),
        })
    })
}

async fn connect_oauth(
    State(simulator): State<Simulator>,
    Path((addon, segment)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let origin = reached_at(&headers, &uri);
    call(&simulator, &addon, &headers, |world, caller, now| {
        let provider = Provider::of_segment(&segment)
            .ok_or_else(|| ApiError::not_found("There are connections to salesforce and datacloud only."))?;
        let fields = fields(&headers, &body)?;
        let new = asked_for(caller, provider, &fields, Grant::OAuth)?;
        let id = world.connect_through(&origin, new, now)?;
        made(world, id, now)
    })
}

async fn connect_jwt(
    State(simulator): State<Simulator>,
    Path(addon): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    call(&simulator, &addon, &headers, |world, caller, now| {
        let fields = fields(&headers, &body)?;
        let grant = Grant::Jwt {
            alias: required(&fields, "alias")?.to_owned(),
            client_id: required(&fields, "client_id")?.to_owned(),
            username: required(&fields, "username")?.to_owned(),
            key_digest: key_digest(required(&fields, "jwt_private_key")?),
        };
        let id = world.connect(asked_for(caller, Provider::Salesforce, &fields, grant)?, now)?;
        made(world, id, now)
    })
}

fn asked_for(
    caller: &Caller,
    provider: Provider,
    fields: &Map<String, Value>,
    grant: Grant,
) -> Result<NewConnection, ApiError> {
    Ok(NewConnection {
        addon: caller.addon,
        app: caller.app,
        name: required(fields, "connection_name")?.to_owned(),
        provider,
        login_url: login_url(fields)?,
        grant,
    })
}

fn made(world: &World, id: Uuid, now: Timestamp) -> Result<Response, ApiError> {
    let body = connection_body(world, world.connection(id)?, now, View::Created);
    let status = match world.settings.create_answer {
        CreateAnswer::Ok => StatusCode::OK,
        CreateAnswer::Created => StatusCode::CREATED,
        CreateAnswer::Accepted => StatusCode::ACCEPTED,
    };
    Ok((status, Json(body)).into_response())
}

fn fields(headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Value>, ApiError> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        let message = "Content-Type must be application/json.";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(ApiError::new(status, "unsupported_media_type", message));
    }
    object(body)
}

fn required<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<&'a str, ApiError> {
    match fields.get(name) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
        Some(Value::String(_)) => Err(ApiError::invalid(format!("{name} must not be empty"))),
        Some(_) => Err(ApiError::invalid(format!("{name} must be a string"))),
        None => Err(ApiError::invalid(format!("{name} is required"))),
    }
}

/// The CLI leaves an absent `login_url` out: `null` is refused.
pub(super) fn login_url(fields: &Map<String, Value>) -> Result<Url, ApiError> {
    let text = match fields.get("login_url") {
        Some(_) => required(fields, "login_url")?,
        None => "https://login.salesforce.com",
    };
    let url = Url::parse(text).ok();
    url.filter(|url| matches!(url.scheme(), "https" | "http"))
        .ok_or_else(|| ApiError::invalid("login_url must be an https URL"))
}

/// What is left of a key: the SHA-256 of its PEM text, trimmed; none where it is no private key.
fn key_digest(pem: &str) -> Option<String> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()?;
    Some(sha256_hex(pem.trim()))
}
