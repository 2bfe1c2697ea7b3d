//! Control API of publications: plant, publish again as somebody else, remove.
//!
//! The rules of the AppLink API do not apply here. Called by the router.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::org_accesses;
use crate::Simulator;
use crate::http::answer::{ApiError, HandlerResult, created, no_content, timestamp};
use crate::http::request::parse_json;
use crate::state::{ArchiveEntry, Collection, Edition, NewPublication, Publication, StateError, Upload, World, is_id};

/// Who publishes if the request names nobody.
const DEFAULT_AUTHOR: &str = "someone.else@example.com";

pub(super) fn routes() -> Router<Simulator> {
    Router::new()
        .route("/publications", get(list).post(plant))
        .route("/publications/{id}", get(read).delete(remove))
        .route("/publications/{id}/touch", post(touch))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PlantBody {
    connection: String,
    app: Option<String>,
    client_name: String,
    created_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TouchBody {
    client_name: Option<String>,
    by: Option<String>,
}

/// All current publications.
pub(super) fn views(world: &World, now: Timestamp) -> Value {
    world.publications(now).map(|(publication, edition)| view(world, publication, edition)).collect()
}

fn view(world: &World, publication: &Publication, edition: &Edition) -> Value {
    let connection = world.org_access(publication.connection()).ok();
    let upload = &edition.upload;
    let entry = |entry: &ArchiveEntry| json!({"name": entry.name, "size": entry.size, "sha256": entry.sha256, "modified": entry.modified});
    json!({
        "id": publication.id.to_string(),
        "addon": publication.addon.to_string(),
        "connection": publication.connection().to_string(),
        "connectionName": connection.map(|c| &c.name),
        "app": publication.app.to_string(),
        "appName": publication.app_name,
        "orgId": publication.org_id,
        "herokuApplinkId": publication.heroku_applink_id,
        "externalServiceId": edition.external_service_id,
        "clientName": upload.client_name,
        "permissionSet": upload.permission_set,
        "connectedApp": upload.connected_app,
        "externalClientApp": upload.external_client_app,
        "archive": {
            "sha256": upload.archive.sha256,
            "entries": upload.archive.entries.iter().map(entry).collect::<Vec<_>>(),
        },
        "createdAt": timestamp(publication.created_at),
        "createdBy": publication.created_by,
        "modifiedAt": timestamp(edition.at),
        "modifiedBy": edition.by,
        "posts": publication.posts,
    })
}

/// The id that a path segment names. A client name must be unique.
fn find_id(world: &World, key: &str, now: Timestamp) -> Result<Uuid, ApiError> {
    let all = world.publications(now);
    let found = all.filter(|(p, edition)| is_id(p.id, key) || edition.upload.client_name == key);
    match found.collect::<Vec<_>>()[..] {
        [] => Err(StateError::NoRecord.into()),
        [(one, _)] => Ok(one.id),
        _ => Err(ApiError::bad_request("Several publications have this client name.")),
    }
}

async fn list(State(simulator): State<Simulator>) -> Json<Value> {
    let now = simulator.now();
    Json(simulator.world(|world| views(world, now)))
}

async fn read(State(simulator): State<Simulator>, Path(key): Path<String>) -> HandlerResult {
    let now = simulator.now();
    simulator.world(|world| {
        let (publication, edition) = world.publication(find_id(world, &key, now)?)?;
        Ok(Json(view(world, publication, edition)).into_response())
    })
}

async fn plant(State(simulator): State<Simulator>, body: Bytes) -> HandlerResult {
    let body: PlantBody = parse_json(&body)?;
    let now = simulator.now();
    simulator.world(|world| {
        let connection = org_accesses::find_id(world, Collection::Connections, &body.connection, now)?;
        let app = match &body.app {
            Some(app) => world.app(app)?.id,
            None => world.org_access(connection)?.app,
        };
        let upload = Upload { client_name: body.client_name, ..Upload::default() };
        let by = body.created_by.as_deref().unwrap_or(DEFAULT_AUTHOR);
        let id = world.plant_publication(NewPublication { connection, app, upload }, by, now)?;
        let (publication, edition) = world.publication(id)?;
        Ok(created(view(world, publication, edition)))
    })
}

async fn touch(State(simulator): State<Simulator>, Path(key): Path<String>, body: Bytes) -> HandlerResult {
    let body: TouchBody = parse_json(&body)?;
    let now = simulator.now();
    simulator.world(|world| {
        let id = find_id(world, &key, now)?;
        world.touch_publication(id, body.client_name, body.by.as_deref().unwrap_or(DEFAULT_AUTHOR), now)?;
        let (publication, edition) = world.publication(id)?;
        Ok(Json(view(world, publication, edition)).into_response())
    })
}

async fn remove(State(simulator): State<Simulator>, Path(key): Path<String>) -> HandlerResult {
    let now = simulator.now();
    simulator.world(|world| {
        let id = find_id(world, &key, now)?;
        world.remove_publication(id, now)?;
        Ok(no_content())
    })
}
