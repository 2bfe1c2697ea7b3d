//! The control API under `/_control/`: tests and people read and change the simulated world here.
//!
//! Not part of the simulated APIs: it is not in the request log, faults do not apply, it needs no token, and it shows
//! digests instead of tokens. Called by the router.
//!
//! - this file: the whole world, settings, faults, requests.
//! - `org_accesses`: connections and authorizations. `publications`, `targets`: their children. `apps`: apps, add-ons,
//!   tokens. `views`: the JSON of these.

mod apps;
mod org_accesses;
mod publications;
mod targets;
mod views;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{ApiError, HandlerResult, created, no_content, timestamp};
use crate::Simulator;
use crate::faults::Fault;
use crate::http::request::{json_object, parse_json};
use crate::state::Collection;

pub(super) fn routes() -> Router<Simulator> {
    Router::new()
        .route("/world", get(world))
        .route("/settings", get(settings).put(merge_settings).patch(merge_settings))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .route("/requests", get(requests).delete(clear_requests))
        .merge(org_accesses::routes())
        .merge(publications::routes())
        .merge(targets::routes())
        .merge(apps::routes())
}

async fn world(State(simulator): State<Simulator>) -> Json<Value> {
    let now = simulator.now();
    Json(simulator.world(|world| {
        let account = &world.account;
        let digests: Vec<_> = account.tokens.iter().map(|token| token.digest()).collect();
        let apps: Vec<_> = world.apps.iter().map(views::app).collect();
        let addons: Vec<_> = world.addons.iter().map(views::addon).collect();
        json!({
            "now": timestamp(now),
            "account": {
                "email": account.email,
                "userId": account.user_id,
                "tokenDigests": digests,
                "remaining": account.remaining(&world.settings, now),
            },
            "apps": apps,
            "addons": addons,
            "connections": views::org_accesses(world, Collection::Connections, now),
            "authorizations": views::org_accesses(world, Collection::Authorizations, now),
            "publications": publications::views(world, now),
            "dataActionTargets": targets::views(world, now),
        })
    }))
}

async fn settings(State(simulator): State<Simulator>) -> Json<Value> {
    Json(simulator.settings(|settings| json!(settings)))
}

async fn merge_settings(State(simulator): State<Simulator>, body: Bytes) -> HandlerResult {
    let patch = json_object(&body)?;
    simulator.settings(|settings| {
        let merged = settings.merged(patch);
        *settings = merged.map_err(|error| ApiError::bad_request(error.to_string()))?;
        Ok(Json(json!(settings)).into_response())
    })
}

async fn faults(State(simulator): State<Simulator>) -> Json<Value> {
    Json(simulator.faults(|faults| faults.iter().map(|fault| json!(fault)).collect()))
}

async fn add_fault(State(simulator): State<Simulator>, body: Bytes) -> HandlerResult {
    let fault: Fault = parse_json(&body)?;
    simulator.faults(|faults| {
        let id = faults.add(fault);
        let id = id.map_err(|error| ApiError::bad_request(error.to_string()))?;
        let fault = faults.iter().find(|fault| fault.id == id);
        Ok(created(json!(fault)))
    })
}

async fn clear_faults(State(simulator): State<Simulator>) -> Response {
    simulator.faults(|faults| faults.clear());
    no_content()
}

async fn remove_fault(State(simulator): State<Simulator>, Path(id): Path<String>) -> HandlerResult {
    if simulator.faults(|faults| faults.remove(&id)) {
        Ok(no_content())
    } else {
        Err(ApiError::not_found(format!("There is no fault {id}.")))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    #[serde(default)]
    since: u64,
}

async fn requests(State(simulator): State<Simulator>, Query(query): Query<Since>) -> Json<Value> {
    Json(simulator.requests(|log| {
        let wanted = log.iter().filter(|record| record.seq > query.since);
        wanted.map(views::request).collect()
    }))
}

async fn clear_requests(State(simulator): State<Simulator>) -> Response {
    simulator.requests(|log| log.clear());
    no_content()
}
