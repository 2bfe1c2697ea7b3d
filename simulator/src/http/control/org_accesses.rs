//! Control API of connections and authorizations: plant, change, consent, deny, expire, remove.
//!
//! The rules of the AppLink API do not apply here. Called by the router.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use bytes::Bytes;
use http::{HeaderMap, Uri};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::{apps, views};
use crate::Simulator;
use crate::http::answer::{ApiError, HandlerResult, created, no_content};
use crate::http::request::{login_url as login_url_of, parse_json, request_origin};
use crate::state::{
    AuthMethod, Collection, DEFAULT_USERNAME, NewOrgAccess, Org, Planted, Provider, RemoteError, StateError, Status,
    World, is_id,
};

pub(super) fn routes() -> Router<Simulator> {
    Collection::ALL.into_iter().map(routes_of).fold(Router::new(), Router::merge)
}

fn routes_of(collection: Collection) -> Router<Simulator> {
    let path = format!("/{}", collection.segment());
    Router::new()
        .route(&path, get(list).post(plant))
        .route(&format!("{path}/{{id}}"), get(read).patch(change).delete(remove))
        .route(&format!("{path}/{{id}}/consent"), post(consent))
        .route(&format!("{path}/{{id}}/deny"), post(deny))
        .route(&format!("{path}/{{id}}/expire"), post(expire))
        .layer(Extension(collection))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PlantBody {
    #[serde(alias = "developerName")]
    name: String,
    addon: Option<String>,
    app: Option<String>,
    provider: Option<String>,
    method: Option<String>,
    status: Option<String>,
    error: Option<ErrorBody>,
    username: Option<String>,
    org_id: Option<String>,
    alias: Option<String>,
    client_id: Option<String>,
    login_url: Option<String>,
    created_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorBody {
    id: String,
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ChangeBody {
    status: Option<String>,
    error: Option<ErrorBody>,
    username: Option<String>,
    org_id: Option<String>,
    name: Option<String>,
    created_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ConsentBody {
    org_id: Option<String>,
    username: Option<String>,
}

impl From<ErrorBody> for RemoteError {
    fn from(body: ErrorBody) -> Self {
        Self::new(&body.id, &body.message)
    }
}

fn view(world: &World, id: Uuid, now: Timestamp) -> Result<Value, ApiError> {
    Ok(views::org_access(world.org_access(id)?, now))
}

/// The id that a path segment names. A name must be unique.
pub(super) fn find_id(world: &World, collection: Collection, key: &str, now: Timestamp) -> Result<Uuid, ApiError> {
    let existing = world.org_accesses(collection).filter(|a| a.status_at(now).is_some());
    let found: Vec<_> = existing.filter(|a| is_id(a.id, key) || a.name == key).collect();
    match found[..] {
        [] => Err(StateError::NoRecord.into()),
        [one] => Ok(one.id),
        _ => Err(ApiError::bad_request("Several have this name.")),
    }
}

async fn list(State(simulator): State<Simulator>, Extension(collection): Extension<Collection>) -> Json<Value> {
    let now = simulator.now();
    Json(simulator.world(|world| views::org_accesses(world, collection, now)))
}

/// The arguments of a handler for one object.
type PathArgs = (State<Simulator>, Extension<Collection>, Path<String>);

/// Changes the object and returns it.
fn change_and_show(
    (State(simulator), Extension(collection), Path(key)): PathArgs,
    act: impl FnOnce(&mut World, Uuid, Timestamp) -> Result<(), ApiError>,
) -> HandlerResult {
    let now = simulator.now();
    simulator.world(|world| {
        let id = find_id(world, collection, &key, now)?;
        act(world, id, now)?;
        Ok(Json(view(world, id, now)?).into_response())
    })
}

async fn read(find_id: PathArgs) -> HandlerResult {
    change_and_show(find_id, |_, _, _| Ok(()))
}

async fn plant(
    State(simulator): State<Simulator>,
    Extension(collection): Extension<Collection>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> HandlerResult {
    let origin = request_origin(&headers, &uri);
    let body: PlantBody = parse_json(&body)?;
    let now = simulator.now();
    simulator.world(|world| {
        let planted = planted(world, collection, body)?;
        let id = world.plant_through(&origin, planted, now);
        Ok(created(view(world, id, now)?))
    })
}

fn planted(world: &World, collection: Collection, body: PlantBody) -> Result<Planted, ApiError> {
    let addon = apps::addon_or_only(world, body.addon.as_deref())?;
    let app = match &body.app {
        Some(app) => world.app(app)?.id,
        None => addon.owner,
    };
    let provider = body.provider.as_deref().unwrap_or("salesforce");
    let provider = Provider::of_segment(provider)
        .ok_or_else(|| ApiError::bad_request("provider: must be salesforce or datacloud"))?;
    let username = body.username.unwrap_or_else(|| DEFAULT_USERNAME.to_owned());
    let auth_method = match body.method.as_deref() {
        None | Some("OAuth") => AuthMethod::OAuth,
        Some("JWT") => AuthMethod::Jwt {
            alias: body.alias.unwrap_or_default(),
            client_id: body.client_id.unwrap_or_default(),
            username: username.clone(),
            key_digest: None,
        },
        Some(_) => return Err(ApiError::bad_request("method: must be JWT or OAuth")),
    };
    let login_url = body.login_url.map(|url| ("login_url".to_owned(), url.into()));
    let login_url = login_url_of(&login_url.into_iter().collect())?;
    Ok(Planted {
        new: NewOrgAccess { collection, addon: addon.id, app, name: body.name, provider, login_url, auth_method },
        status: body.status.map_or(Status::Connected, |word| Status::of_word(collection, &word)),
        error: body.error.map(RemoteError::from),
        org: Some(Org::chosen(body.org_id, &username)),
        created_by: body.created_by,
    })
}

async fn change(find_id: PathArgs, body: Bytes) -> HandlerResult {
    let body: ChangeBody = parse_json(&body)?;
    let Extension(collection) = find_id.1;
    change_and_show(find_id, |world, id, now| {
        let access = world.org_access_mut(id, now)?;
        if let Some(name) = body.name {
            access.name = name;
        }
        if let Some(created_by) = body.created_by {
            access.created_by = created_by;
        }
        if body.username.is_some() || body.org_id.is_some() {
            let known = access.org_at(now);
            let username = body.username.or(known.map(|org| org.username.clone()));
            let org_id = body.org_id.or(known.map(|org| org.id.clone()));
            access.set_org(Org::chosen(org_id, username.as_deref().unwrap_or(DEFAULT_USERNAME)));
        }
        if body.status.is_some() || body.error.is_some() {
            let status = match body.status {
                Some(word) => Some(Status::of_word(collection, &word)),
                None => access.status_at(now).cloned(),
            };
            let error = body.error.map(RemoteError::from);
            world.set_status(id, status.ok_or(StateError::NoRecord)?, error, now)?;
        }
        Ok(())
    })
}

async fn consent(find_id: PathArgs, body: Bytes) -> HandlerResult {
    let body: ConsentBody = parse_json(&body)?;
    change_and_show(find_id, |world, id, now| {
        let username = body.username.as_deref().unwrap_or(DEFAULT_USERNAME);
        Ok(world.consent(id, Org::chosen(body.org_id, username), now)?)
    })
}

async fn deny(find_id: PathArgs) -> HandlerResult {
    change_and_show(find_id, |world, id, now| Ok(world.deny(id, now)?))
}

async fn expire(find_id: PathArgs) -> HandlerResult {
    change_and_show(find_id, |world, id, now| Ok(world.expire_token(id, now)?))
}

async fn remove((State(simulator), Extension(collection), Path(key)): PathArgs) -> HandlerResult {
    let now = simulator.now();
    simulator.world(|world| {
        let id = find_id(world, collection, &key, now)?;
        world.vanish(id, now)?;
        Ok(no_content())
    })
}
