//! The AppLink API's door: who may call, on behalf of which app. And its routes.
//!
//! Must not accept a Heroku token: the CLI's history says that AppLink refuses it. Called by the
//! router; `connections` and its future neighbours call [`call`].

use axum::Router;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use jiff::Timestamp;
use uuid::Uuid;

use super::super::Simulator;
use super::super::state::{Sso, World};
use super::answer::{Answer, ApiError};
use super::intercept::bearer;
use super::{authorizations, connections};

/// `publications` and `data_action_targets` belong here when they exist.
pub(super) fn routes() -> Router<Simulator> {
    connections::routes().merge(authorizations::routes())
}

/// On whose behalf a request comes.
pub(super) struct Caller {
    pub(super) addon: Uuid,
    pub(super) app: Uuid,
}

/// Does what every management route does: lets in who may come, then acts on the world.
pub(super) fn call(
    simulator: &Simulator,
    addon: &str,
    headers: &HeaderMap,
    act: impl FnOnce(&mut World, &Caller, Timestamp) -> Result<Response, ApiError>,
) -> Answer {
    let now = simulator.now();
    simulator.world(|world| {
        let caller = authenticate(world, addon, headers, now)?;
        act(world, &caller, now)
    })
}

fn authenticate(world: &World, addon: &str, headers: &HeaderMap, now: Timestamp) -> Result<Caller, ApiError> {
    let addon = world.addon(addon)?;
    let token = bearer(headers).ok_or_else(|| ApiError::unauthorized("A bearer token is missing."))?;
    if world.account.accepts(token) {
        let message = "This is a Heroku token; AppLink takes the add-on's _TOKEN.";
        return Err(ApiError::unauthorized(message));
    }
    if addon.token_revoked || addon.token.expose() != token {
        return Err(ApiError::unauthorized("Invalid add-on token."));
    }
    let sso = header(headers, "x-addon-sso").ok_or_else(|| ApiError::unauthorized("x-addon-sso is missing."))?;
    let sso: Sso = STANDARD
        .decode(sso)
        .ok()
        .and_then(|json| serde_json::from_slice(&json).ok())
        .ok_or_else(|| ApiError::forbidden("x-addon-sso is not the Base64 of a whole answer of the SSO route."))?;
    world.check_sso(&sso, addon, now)?;
    let app = header(headers, "x-app-uuid").ok_or_else(|| ApiError::bad_request("x-app-uuid is missing."))?;
    let mut attached = world.apps.iter().filter(|a| addon.attachment_to(a.id).is_some());
    let app = attached.find(|known| known.id.to_string() == app);
    let app =
        app.ok_or_else(|| ApiError::forbidden("x-app-uuid is not the id of an app that this add-on is attached to."))?;
    Ok(Caller { addon: addon.id, app: app.id })
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
