//! The part of the Heroku Platform API that leads to AppLink: app, add-ons, attachments, config vars, add-on SSO and the
//! rate limit.
//!
//! Must accept Heroku tokens only. Called by the router.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::{ApiError, HandlerResult, REMAINING};
use super::request::{bearer, media_type, request_origin};
use crate::Simulator;
use crate::settings::SsoVariant;
use crate::state::{Addon, App, Attachment, World};

const ACCEPT: &str = "application/vnd.heroku+json";

pub(super) fn routes() -> Router<Simulator> {
    Router::new()
        .route("/account/rate-limits", get(rate_limits))
        .route("/apps/{app}", get(app))
        .route("/apps/{app}/addons", get(addons))
        .route("/apps/{app}/addon-attachments", get(attachments))
        .route("/apps/{app}/config-vars", get(config_vars))
        .route("/apps/{app}/addons/{addon}/sso", get(sso))
}

/// Handles a request: checks the token and the version, applies the rate limit, runs `read`.
fn serve(
    simulator: &Simulator,
    headers: &HeaderMap,
    spends: bool,
    read: impl FnOnce(&World, &str, Timestamp) -> Result<Value, ApiError>,
) -> HandlerResult {
    let now = simulator.now();
    simulator.world(|world| {
        if !bearer(headers).is_some_and(|token| world.account.accepts(token)) {
            return Err(ApiError::unauthorized("Invalid credentials provided."));
        }
        let version = version(headers)?;
        let World { account, settings, .. } = &mut *world;
        let spent = if spends { account.spend(settings, now) } else { Ok(()) };
        let remaining = account.remaining(settings, now);
        let body = spent.map_err(ApiError::from).and_then(|()| read(world, version, now));
        let mut response: Response = body.map(Json).into_response();
        let remaining = HeaderValue::from(remaining);
        response.headers_mut().insert(REMAINING, remaining);
        Ok(response)
    })
}

/// The version or variant that `Accept` asks for, such as `3` or `3.sdk`.
fn version(headers: &HeaderMap) -> Result<&str, ApiError> {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let version = accept.split(',').filter(|kind| media_type(kind) == ACCEPT).find_map(|kind| {
        let parameters = kind.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
        let version = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("version")).map(|(_, v)| v.trim());
        version.last().filter(|version| *version == "3" || version.starts_with("3."))
    });
    version.ok_or_else(|| {
        let message = format!("Accept must be {ACCEPT}; version=3.");
        ApiError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message)
    })
}

async fn rate_limits(State(simulator): State<Simulator>, headers: HeaderMap) -> HandlerResult {
    serve(&simulator, &headers, false, |world, _, now| {
        let remaining = world.account.remaining(&world.settings, now);
        Ok(json!({"remaining": remaining}))
    })
}

async fn app(State(simulator): State<Simulator>, Path(app): Path<String>, headers: HeaderMap) -> HandlerResult {
    serve(&simulator, &headers, true, |world, _, _| {
        let app = world.app(&app)?;
        Ok(json!({
            "id": app.id.to_string(),
            "name": app.name,
            "owner": {"id": world.account.user_id, "email": world.account.email},
            "region": {"name": "us"},
            "stack": {"name": "heroku-24"},
            "web_url": format!("https://{}.herokuapp.com/", app.name),
        }))
    })
}

async fn addons(State(simulator): State<Simulator>, Path(app): Path<String>, headers: HeaderMap) -> HandlerResult {
    serve(&simulator, &headers, true, |world, _, _| {
        let app = world.app(&app)?;
        let attached = world.attached_to(app.id);
        Ok(attached.map(|(addon, _)| addon_body(world, addon)).collect())
    })
}

async fn attachments(State(simulator): State<Simulator>, Path(app): Path<String>, headers: HeaderMap) -> HandlerResult {
    serve(&simulator, &headers, true, |world, _, _| {
        let app = world.app(&app)?;
        let attached = world.attached_to(app.id);
        let bodies = attached.map(|(addon, attachment)| attachment_body(world, app, addon, attachment));
        Ok(bodies.collect())
    })
}

async fn config_vars(
    State(simulator): State<Simulator>,
    Path(app): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> HandlerResult {
    let origin = request_origin(&headers, &uri);
    serve(&simulator, &headers, true, |world, _, _| {
        let app = world.app(&app)?;
        Ok(json!(world.config_vars(app, &origin)))
    })
}

async fn sso(
    State(simulator): State<Simulator>,
    Path((app, addon)): Path<(String, String)>,
    headers: HeaderMap,
) -> HandlerResult {
    serve(&simulator, &headers, true, |world, version, now| {
        let app = world.app(&app)?;
        let addon = world.addon(&addon)?;
        // The plain version 3 has no such route.
        let variant = match version {
            "3.sdk" => Some(SsoVariant::Sdk),
            "3.add-ons-sso" => Some(SsoVariant::AddonsSso),
            _ => None,
        };
        let refused = variant.is_none() || variant == world.settings.refused_sso_variant;
        if refused || addon.attachment_to(app.id).is_none() {
            return Err(ApiError::not_found("The requested API endpoint was not found."));
        }
        Ok(json!(world.issue_sso(app, addon, now)))
    })
}

fn app_reference(world: &World, id: Uuid) -> Value {
    let name = world.apps.iter().find(|app| app.id == id);
    json!({"id": id.to_string(), "name": name.map(|app| &app.name)})
}

fn addon_body(world: &World, addon: &Addon) -> Value {
    json!({
        "id": addon.id.to_string(),
        "name": addon.name,
        "state": addon.state.as_str(),
        "addon_service": {"id": service_id(&addon.service), "name": addon.service},
        "app": app_reference(world, addon.owner),
        "plan": {"name": format!("{}:test", addon.service)},
        "provider_id": addon.id.to_string(),
    })
}

fn attachment_body(world: &World, app: &App, addon: &Addon, attachment: &Attachment) -> Value {
    json!({
        "id": attachment.id.to_string(),
        "name": attachment.name,
        "namespace": null,
        "app": {"id": app.id.to_string(), "name": app.name},
        "addon": {
            "id": addon.id.to_string(),
            "name": addon.name,
            "app": app_reference(world, addon.owner),
            "plan": {"name": format!("{}:test", addon.service)},
        },
    })
}

/// Stable per service, and nobody reads it.
fn service_id(service: &str) -> &'static str {
    if service.starts_with("heroku-applink") {
        "3e7a9c52-1f6d-4b08-8c4e-a1d05b27f693"
    } else {
        "b8d24f07-65ac-4e13-97f1-0c3e6a8d5b42"
    }
}
