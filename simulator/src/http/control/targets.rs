//! Control API of data action targets: plant, change the status, remove.
//!
//! The rules of the AppLink API do not apply here. Called by the router.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::org_accesses::{self, ErrorBody};
use crate::Simulator;
use crate::http::answer::{ApiError, HandlerResult, created, no_content, timestamp};
use crate::http::request::parse_json;
use crate::state::{Collection, NewTarget, RemoteError, StateError, Target, TargetKind, TargetStatus, World, is_id};

pub(super) fn routes() -> Router<Simulator> {
    Router::new()
        .route("/targets", get(list).post(plant))
        .route("/targets/{id}", get(read).patch(change).delete(remove))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PlantBody {
    connection: String,
    app: Option<String>,
    api_name: String,
    label: Option<String>,
    target_endpoint: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    status: Option<String>,
    error: Option<ErrorBody>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    status: Option<String>,
    error: Option<ErrorBody>,
}

/// All targets that exist now.
pub(super) fn views(world: &World, now: Timestamp) -> Value {
    world.targets(now).map(|target| view(target, now)).collect()
}

fn view(target: &Target, now: Timestamp) -> Value {
    let history = (target.history().iter())
        .map(|t| json!({"at": timestamp(t.at), "to": t.to.as_ref().map_or("gone", TargetStatus::as_str)}))
        .collect::<Vec<_>>();
    let error = target.error_at(now);
    json!({
        "id": target.id.to_string(),
        "addon": target.addon.to_string(),
        "connection": target.connection().to_string(),
        "app": target.app.to_string(),
        "apiName": target.api_name,
        "label": target.label,
        "targetEndpoint": target.endpoint,
        "type": match target.kind {
            TargetKind::Webhook => "webhook",
            TargetKind::Event => "event",
        },
        "status": target.status_at(now).map(TargetStatus::as_str),
        "error": error.map(|error| json!({"id": error.id, "message": error.message})),
        "createdAt": target.created_at().map(timestamp),
        "history": history,
    })
}

/// The id that a path segment names. An API name must be unique.
fn find_id(world: &World, key: &str, now: Timestamp) -> Result<Uuid, ApiError> {
    let found = world.targets(now).filter(|t| is_id(t.id, key) || t.api_name == key);
    match found.collect::<Vec<_>>()[..] {
        [] => Err(StateError::NoRecord.into()),
        [one] => Ok(one.id),
        _ => Err(ApiError::bad_request("Several data action targets have this API name.")),
    }
}

async fn list(State(simulator): State<Simulator>) -> Json<Value> {
    let now = simulator.now();
    Json(simulator.world(|world| views(world, now)))
}

async fn read(State(simulator): State<Simulator>, Path(key): Path<String>) -> HandlerResult {
    let now = simulator.now();
    simulator.world(|world| {
        let id = find_id(world, &key, now)?;
        Ok(Json(view(world.target(id, now)?, now)).into_response())
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
        let kind = TargetKind::of_word(body.kind.as_deref().unwrap_or("webhook"));
        let new = NewTarget {
            connection,
            app,
            label: body.label.unwrap_or_else(|| body.api_name.clone()),
            api_name: body.api_name,
            endpoint: body.target_endpoint.unwrap_or_else(|| "/".to_owned()),
            kind: kind.ok_or_else(|| ApiError::bad_request("type: must be webhook or event"))?,
        };
        let status = TargetStatus::from(body.status.as_deref().unwrap_or("created"));
        let id = world.plant_target(new, status, body.error.map(RemoteError::from), now)?;
        Ok(created(view(world.target(id, now)?, now)))
    })
}

async fn change(State(simulator): State<Simulator>, Path(key): Path<String>, body: Bytes) -> HandlerResult {
    let body: ChangeBody = parse_json(&body)?;
    let now = simulator.now();
    simulator.world(|world| {
        let id = find_id(world, &key, now)?;
        let status = match body.status {
            Some(status) => Some(TargetStatus::from(status.as_str())),
            None => world.target(id, now)?.status_at(now).cloned(),
        };
        let error = body.error.map(RemoteError::from);
        world.set_target_status(id, status.ok_or(StateError::NoRecord)?, error, now)?;
        Ok(Json(view(world.target(id, now)?, now)).into_response())
    })
}

async fn remove(State(simulator): State<Simulator>, Path(key): Path<String>) -> HandlerResult {
    let now = simulator.now();
    simulator.world(|world| {
        let id = find_id(world, &key, now)?;
        world.remove_target(id, now)?;
        Ok(no_content())
    })
}
