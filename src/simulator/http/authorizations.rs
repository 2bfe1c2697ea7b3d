//! AppLink's list of authorizations, and the control route that puts some there.
//!
//! Authorizations are planted only: nothing here makes or removes one as a client would. Called by the routers of
//! `applink` and `control`.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{HeaderMap, Uri};
use serde::Deserialize;
use serde_json::json;

use super::super::Simulator;
use super::super::state::Authorization;
use super::answer::Answer;
use super::applink::call;
use super::control::{created, parse};
use super::shape::list_of;

pub(super) fn routes() -> Router<Simulator> {
    Router::new().route("/addons/{addon}/authorizations", get(list))
}

pub(super) fn control_routes() -> Router<Simulator> {
    Router::new().route("/authorizations", post(plant))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PlantBody {
    developer_name: String,
    addon: String,
    status: Option<String>,
}

async fn list(State(simulator): State<Simulator>, Path(addon): Path<String>, uri: Uri, headers: HeaderMap) -> Answer {
    call(&simulator, &addon, &headers, |world, caller, _| {
        let all = world.authorizations.iter().filter(|a| a.addon == caller.addon);
        let body = |a: &Authorization| json!({"id": a.id.to_string(), "status": a.status, "org": {"developer_name": a.developer_name}});
        Ok(list_of(all.map(body).collect(), &world.settings, &uri))
    })
}

async fn plant(State(simulator): State<Simulator>, body: Bytes) -> Answer {
    let body: PlantBody = parse(&body)?;
    simulator.world(|world| {
        let addon = world.addon(&body.addon)?.id;
        let status = body.status.unwrap_or_else(|| "authorized".to_owned());
        let id = world.plant_authorization(addon, body.developer_name, status);
        Ok(created(json!({"id": id.to_string()})))
    })
}
