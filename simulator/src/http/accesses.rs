//! AppLink's endpoints of connections and authorizations.
//!
//! Must not keep, return or quote a private key: its digest is all that gets past this file.
//! Called by the router.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use bytes::Bytes;
use http::{HeaderMap, Uri};
use jiff::Timestamp;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::answer::{Answer, ApiError};
use super::dialect::access_body;
use super::shape::{deleted, list_of, success};
use crate::Simulator;
use crate::http::door::{Caller, call, call_for_credentials, call_to_change};
use crate::http::request::{fields, listed_at, login_url, reached_at, required};
use crate::http::spelling::View;
use crate::settings::{AccessToken, DeleteAnswer, Dialect, OneAnswer, UnknownAnswer};
use crate::state::{Collection, Grant, NewAccess, Provider, StateError, World};
use crate::token::sha256_hex;

pub(super) fn routes() -> Router<Simulator> {
    Collection::ALL.into_iter().map(routes_of).fold(Router::new(), Router::merge)
}

fn routes_of(collection: Collection) -> Router<Simulator> {
    let path = format!("/addons/{{addon}}/{}", collection.segment());
    Router::new()
        .route(&path, get(list))
        .route(&format!("{path}/{{key}}"), get(read).delete(delete).post(connect_oauth))
        .route(&format!("{path}/{{key}}/jwt"), post(connect_jwt))
        .layer(Extension(collection))
}

async fn list(
    State(simulator): State<Simulator>,
    Extension(collection): Extension<Collection>,
    Path(addon): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    call(&simulator, &addon, &headers, |world, caller, now| {
        let at = listed_at(world, now);
        let all = world.accesses_at(collection, caller.addon, at);
        let bodies: Vec<_> = all.map(|a| access_body(world, a, at, View::Listed)).collect();
        Ok(list_of(bodies, &world.settings, &uri))
    })
}

async fn read(
    State(simulator): State<Simulator>,
    Extension(collection): Extension<Collection>,
    Path((addon, key)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let act = |world: &mut World, caller: &Caller, now| {
        let found = found(world, collection, caller, &key, now)?;
        match (found.split_first(), world.settings.get_one) {
            (Some(_), OneAnswer::Array) => Ok(Json(found).into_response()),
            (Some((first, _)), OneAnswer::Object) => Ok(Json(first).into_response()),
            (None, _) => not_found(world, collection, caller, &key, &uri, now),
        }
    };
    match collection {
        Collection::Connections => call(&simulator, &addon, &headers, act),
        Collection::Authorizations => call_for_credentials(&simulator, &addon, &headers, act),
    }
}

/// Everything that a path segment means.
fn found(
    world: &mut World,
    collection: Collection,
    caller: &Caller,
    key: &str,
    now: Timestamp,
) -> Result<Vec<Value>, ApiError> {
    let ids: Vec<_> = world.find(collection, caller.addon, key, now).iter().map(|a| a.id).collect();
    if world.settings.access_token == AccessToken::Fresh {
        for id in &ids {
            world.expire_token(*id, now)?;
        }
    }
    ids.into_iter().map(|id| Ok(access_body(world, world.access(id)?, now, View::Detail))).collect()
}

/// The route of one connection has another reading: the connections of an app.
fn not_found(
    world: &World,
    collection: Collection,
    caller: &Caller,
    key: &str,
    uri: &Uri,
    now: Timestamp,
) -> Result<Response, ApiError> {
    if let (Collection::Connections, Ok(app)) = (collection, world.app(key)) {
        let at = listed_at(world, now);
        let all = world.accesses_at(collection, caller.addon, at).filter(|a| a.app == app.id);
        let bodies = all.map(|a| access_body(world, a, at, View::ListedByApp));
        return Ok(list_of(bodies.collect(), &world.settings, uri));
    }
    match world.settings.get_unknown {
        UnknownAnswer::NotFound => Err(StateError::NoRecord.into()),
        UnknownAnswer::EmptyList => Ok(Json(json!([])).into_response()),
    }
}

async fn delete(
    State(simulator): State<Simulator>,
    Extension(collection): Extension<Collection>,
    Path((addon, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    call_to_change(&simulator, &addon, &headers, |world, caller, now| {
        // Only a GET takes an org id or an alias.
        let found = world.find_called(collection, caller.addon, &key, now);
        let id = found.first().map(|a| a.id).ok_or(StateError::NoRecord)?;
        world.disconnect(id, now)?;
        let body = access_body(world, world.access(id)?, now, View::Deleted);
        let default = match (world.settings.dialect_of(world.access(id)?.serial), collection) {
            (Dialect::Reference, _) => DeleteAnswer::NoContent,
            (_, Collection::Connections) => DeleteAnswer::Accepted,
            (_, Collection::Authorizations) => DeleteAnswer::EmptyObject,
        };
        Ok(deleted(world.settings.delete_answer.unwrap_or(default), body))
    })
}

async fn connect_oauth(
    State(simulator): State<Simulator>,
    Extension(collection): Extension<Collection>,
    Path((addon, segment)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let origin = reached_at(&headers, &uri);
    call_to_change(&simulator, &addon, &headers, |world, caller, now| {
        let provider = provider(&segment)?;
        let fields = fields(&headers, &body)?;
        let new = asked_for(collection, caller, provider, &fields, Grant::OAuth)?;
        let id = world.connect_through(&origin, new, now)?;
        made(world, id, now)
    })
}

async fn connect_jwt(
    State(simulator): State<Simulator>,
    Extension(collection): Extension<Collection>,
    Path((addon, segment)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    call_to_change(&simulator, &addon, &headers, |world, caller, now| {
        let provider = provider(&segment)?;
        if !collection.takes_jwt(provider) {
            return Err(ApiError::not_found(format!("{segment} takes no JWT here.")));
        }
        let fields = fields(&headers, &body)?;
        let grant = Grant::Jwt {
            alias: required(&fields, "alias")?.to_owned(),
            client_id: required(&fields, "client_id")?.to_owned(),
            username: required(&fields, "username")?.to_owned(),
            key_digest: key_digest(required(&fields, "jwt_private_key")?),
        };
        let id = world.connect(asked_for(collection, caller, provider, &fields, grant)?, now)?;
        made(world, id, now)
    })
}

fn provider(segment: &str) -> Result<Provider, ApiError> {
    Provider::of_segment(segment).ok_or_else(|| ApiError::not_found("There are salesforce and datacloud only."))
}

fn asked_for(
    collection: Collection,
    caller: &Caller,
    provider: Provider,
    fields: &Map<String, Value>,
    grant: Grant,
) -> Result<NewAccess, ApiError> {
    Ok(NewAccess {
        collection,
        addon: caller.addon,
        app: caller.app,
        name: required(fields, collection.name_field())?.to_owned(),
        provider,
        login_url: login_url(fields)?,
        grant,
    })
}

fn made(world: &World, id: Uuid, now: Timestamp) -> Result<Response, ApiError> {
    let body = access_body(world, world.access(id)?, now, View::Created);
    Ok((success(world.settings.create_answer), Json(body)).into_response())
}

/// What is left of a key: the SHA-256 of its PEM text, trimmed; none where it is no private key.
fn key_digest(pem: &str) -> Option<String> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()?;
    Some(sha256_hex(pem.trim()))
}
