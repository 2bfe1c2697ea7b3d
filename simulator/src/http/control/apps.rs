//! Control API of apps, add-ons and tokens.
//!
//! Must not return a token, except for one that the request created. Called by the router.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{patch, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::views;
use crate::Simulator;
use crate::http::answer::{ApiError, HandlerResult, created, no_content};
use crate::http::request::parse_json;
use crate::state::{Addon, AddonState, App, Attachment, World};
use crate::token::Token;

pub(super) fn routes() -> Router<Simulator> {
    Router::new()
        .route("/apps", post(add_app))
        .route("/apps/{app}", patch(change_app).delete(remove_app))
        .route("/addons", post(add_addon))
        .route("/addons/{addon}", patch(change_addon).delete(remove_addon))
        .route("/tokens", post(rotate_token).delete(revoke_token))
}

/// The named add-on, or the only AppLink add-on.
pub(super) fn addon_or_only<'a>(world: &'a World, key: Option<&str>) -> Result<&'a Addon, ApiError> {
    if let Some(key) = key {
        return Ok(world.addon(key)?);
    }
    let applink = world.addons.iter().filter(|a| a.is_applink());
    match applink.collect::<Vec<_>>()[..] {
        [only] => Ok(only),
        _ => Err(ApiError::bad_request("addon: is required unless there is exactly one AppLink add-on")),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AppBody {
    id: Option<String>,
    name: String,
    #[serde(default)]
    config_vars: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AppChange {
    name: Option<String>,
    #[serde(default)]
    config_vars: BTreeMap<String, Option<String>>,
}

fn id_or_new(id: Option<String>) -> Result<Uuid, ApiError> {
    match id {
        Some(id) => Uuid::parse_str(&id).map_err(|_| ApiError::bad_request("id: must be a UUID")),
        None => Ok(Uuid::new_v4()),
    }
}

async fn add_app(State(simulator): State<Simulator>, body: Bytes) -> HandlerResult {
    let body: AppBody = parse_json(&body)?;
    let app = App { id: id_or_new(body.id)?, name: body.name, config_vars: body.config_vars };
    let view = views::app(&app);
    simulator.world(|world| world.add_app(app))?;
    Ok(created(view))
}

async fn change_app(State(simulator): State<Simulator>, Path(app): Path<String>, body: Bytes) -> HandlerResult {
    let body: AppChange = parse_json(&body)?;
    simulator.world(|world| {
        let app = world.app_mut(&app)?;
        if let Some(name) = body.name {
            app.name = name;
        }
        for (name, value) in body.config_vars {
            match value {
                Some(value) => app.config_vars.insert(name, value),
                None => app.config_vars.remove(&name),
            };
        }
        Ok(Json(views::app(app)).into_response())
    })
}

async fn remove_app(State(simulator): State<Simulator>, Path(app): Path<String>) -> HandlerResult {
    simulator.world(|world| world.remove_app(&app))?;
    Ok(no_content())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddonBody {
    id: Option<String>,
    name: String,
    service: Option<String>,
    state: Option<AddonState>,
    token: Option<String>,
    attachments: Vec<AttachmentBody>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddonChange {
    name: Option<String>,
    state: Option<AddonState>,
    attachments: Option<Vec<AttachmentBody>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AttachmentBody {
    app: String,
    name: String,
}

fn attachments(world: &World, bodies: Vec<AttachmentBody>) -> Result<Vec<Attachment>, ApiError> {
    let attach =
        |body: AttachmentBody| Ok(Attachment { id: Uuid::new_v4(), app: world.app(&body.app)?.id, name: body.name });
    bodies.into_iter().map(attach).collect()
}

async fn add_addon(State(simulator): State<Simulator>, body: Bytes) -> HandlerResult {
    let body: AddonBody = parse_json(&body)?;
    simulator.world(|world| {
        let attachments = attachments(world, body.attachments)?;
        let first = attachments
            .first()
            .ok_or_else(|| ApiError::bad_request("attachments: at least one, whose app owns the add-on"))?;
        let addon = Addon {
            id: id_or_new(body.id)?,
            name: body.name,
            service: body.service.unwrap_or_else(|| "heroku-applink".to_owned()),
            state: body.state.unwrap_or(AddonState::Provisioned),
            token: body.token.map_or_else(Token::random, Token::new),
            token_revoked: false,
            owner: first.app,
            attachments,
        };
        let view = views::addon(&addon);
        world.add_addon(addon)?;
        Ok(created(view))
    })
}

async fn change_addon(State(simulator): State<Simulator>, Path(addon): Path<String>, body: Bytes) -> HandlerResult {
    let body: AddonChange = parse_json(&body)?;
    simulator.world(|world| {
        let attached = body.attachments.map(|bodies| attachments(world, bodies));
        let attached = attached.transpose()?;
        let addon = world.addon_mut(&addon)?;
        if let Some(name) = body.name {
            addon.name = name;
        }
        if let Some(state) = body.state {
            addon.state = state;
        }
        if let Some(attachments) = attached {
            addon.attachments = attachments;
        }
        Ok(Json(views::addon(addon)).into_response())
    })
}

async fn remove_addon(State(simulator): State<Simulator>, Path(addon): Path<String>) -> HandlerResult {
    simulator.world(|world| world.remove_addon(&addon))?;
    Ok(no_content())
}

/// Without an add-on, the token is the Heroku account's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TokenBody {
    addon: Option<String>,
    token: Option<String>,
    #[serde(default)]
    keep_old: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenOf {
    addon: Option<String>,
}

async fn rotate_token(State(simulator): State<Simulator>, body: Bytes) -> HandlerResult {
    let body: TokenBody = parse_json(&body)?;
    simulator.world(|world| {
        let token = match (body.token, &body.addon) {
            (Some(text), _) => Token::new(text),
            (None, Some(_)) => Token::random(),
            (None, None) => Token::new(format!("HRKU-{}", Uuid::new_v4())),
        };
        match &body.addon {
            Some(addon) => {
                let addon = world.addon_mut(addon)?;
                addon.token = token.clone();
                addon.token_revoked = false;
            }
            None => {
                if !body.keep_old {
                    world.account.tokens.clear();
                }
                world.account.tokens.push(token.clone());
            }
        }
        let view: Value = json!({"token": token.expose(), "tokenDigest": token.digest()});
        Ok(created(view))
    })
}

async fn revoke_token(State(simulator): State<Simulator>, Query(query): Query<TokenOf>) -> Result<Response, ApiError> {
    simulator.world(|world| {
        match &query.addon {
            Some(addon) => world.addon_mut(addon)?.token_revoked = true,
            None => world.account.tokens.clear(),
        }
        Ok(no_content())
    })
}
