//! AppLink's endpoints for connections and authorizations.
//!
//! Must not keep, return or quote a private key: only its digest leaves this file.
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

use super::answer::{ApiError, HandlerResult};
use super::dialect::org_access_body;
use super::door::{Caller, serve_change, serve_credentials, serve_read};
use super::overrides::View;
use super::request::{json_fields, list_time, login_url, request_origin, required_str};
use super::shape::{deleted, list_of, success};
use crate::Simulator;
use crate::settings::{AccessToken, DeleteAnswer, Dialect, OneAnswer, UnknownAnswer};
use crate::state::{AuthMethod, Collection, NewOrgAccess, Provider, StateError, World};
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
) -> HandlerResult {
    serve_read(&simulator, &addon, &headers, |world, caller, now| {
        let at = list_time(world, now);
        let all = world.org_accesses_at(collection, caller.addon, at);
        let bodies: Vec<_> = all.map(|a| org_access_body(world, a, at, View::Listed)).collect();
        Ok(list_of(bodies, &world.settings, &uri))
    })
}

async fn read(
    State(simulator): State<Simulator>,
    Extension(collection): Extension<Collection>,
    Path((addon, key)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> HandlerResult {
    let act = |world: &mut World, caller: &Caller, now| {
        let matching_bodies = matching_bodies(world, collection, caller, &key, now)?;
        match (matching_bodies.split_first(), world.settings.get_one) {
            (Some(_), OneAnswer::Array) => Ok(Json(matching_bodies).into_response()),
            (Some((first, _)), OneAnswer::Object) => Ok(Json(first).into_response()),
            (None, _) => not_found(world, collection, caller, &key, &uri, now),
        }
    };
    match collection {
        Collection::Connections => serve_read(&simulator, &addon, &headers, act),
        Collection::Authorizations => serve_credentials(&simulator, &addon, &headers, act),
    }
}

/// The bodies of all objects that a path segment names.
fn matching_bodies(
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
    ids.into_iter().map(|id| Ok(org_access_body(world, world.org_access(id)?, now, View::Detail))).collect()
}

/// The route of one connection also lists the connections of an app.
fn not_found(
    world: &World,
    collection: Collection,
    caller: &Caller,
    key: &str,
    uri: &Uri,
    now: Timestamp,
) -> Result<Response, ApiError> {
    if let (Collection::Connections, Ok(app)) = (collection, world.app(key)) {
        let at = list_time(world, now);
        let all = world.org_accesses_at(collection, caller.addon, at).filter(|a| a.app == app.id);
        let bodies = all.map(|a| org_access_body(world, a, at, View::ListedByApp));
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
) -> HandlerResult {
    serve_change(&simulator, &addon, &headers, |world, caller, now| {
        // Only a GET accepts an org id or an alias.
        let matching_bodies = world.find_called(collection, caller.addon, &key, now);
        let id = matching_bodies.first().map(|a| a.id).ok_or(StateError::NoRecord)?;
        world.disconnect(id, now)?;
        let body = org_access_body(world, world.org_access(id)?, now, View::Deleted);
        let default = match (world.settings.dialect_of(world.org_access(id)?.serial), collection) {
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
) -> HandlerResult {
    let origin = request_origin(&headers, &uri);
    serve_change(&simulator, &addon, &headers, |world, caller, now| {
        let provider = provider(&segment)?;
        let fields = json_fields(&headers, &body)?;
        let new = new_org_access(collection, caller, provider, &fields, AuthMethod::OAuth)?;
        let id = world.connect_through(&origin, new, now)?;
        created_response(world, id, now)
    })
}

async fn connect_jwt(
    State(simulator): State<Simulator>,
    Extension(collection): Extension<Collection>,
    Path((addon, segment)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> HandlerResult {
    serve_change(&simulator, &addon, &headers, |world, caller, now| {
        let provider = provider(&segment)?;
        if !collection.takes_jwt(provider) {
            return Err(ApiError::not_found(format!("{segment} takes no JWT here.")));
        }
        let fields = json_fields(&headers, &body)?;
        let auth_method = AuthMethod::Jwt {
            alias: required_str(&fields, "alias")?.to_owned(),
            client_id: required_str(&fields, "client_id")?.to_owned(),
            username: required_str(&fields, "username")?.to_owned(),
            key_digest: key_digest(required_str(&fields, "jwt_private_key")?),
        };
        let id = world.connect(new_org_access(collection, caller, provider, &fields, auth_method)?, now)?;
        created_response(world, id, now)
    })
}

fn provider(segment: &str) -> Result<Provider, ApiError> {
    Provider::of_segment(segment).ok_or_else(|| ApiError::not_found("There are salesforce and datacloud only."))
}

fn new_org_access(
    collection: Collection,
    caller: &Caller,
    provider: Provider,
    fields: &Map<String, Value>,
    auth_method: AuthMethod,
) -> Result<NewOrgAccess, ApiError> {
    Ok(NewOrgAccess {
        collection,
        addon: caller.addon,
        app: caller.app,
        name: required_str(fields, collection.name_field())?.to_owned(),
        provider,
        login_url: login_url(fields)?,
        auth_method,
    })
}

fn created_response(world: &World, id: Uuid, now: Timestamp) -> Result<Response, ApiError> {
    let body = org_access_body(world, world.org_access(id)?, now, View::Created);
    Ok((success(world.settings.create_answer), Json(body)).into_response())
}

/// The SHA-256 of the trimmed PEM text. None if it is not a private key.
fn key_digest(pem: &str) -> Option<String> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).ok()?;
    Some(sha256_hex(pem.trim()))
}
