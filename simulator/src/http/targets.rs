//! AppLink's endpoints for data action targets, and the body of one.
//!
//! Must not change or remove one: AppLink cannot. Called by the router.

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::answer::{ApiError, HandlerResult};
use super::door::{Caller, serve_change, serve_read};
use super::mixed::body_in_dialect;
use super::request::{json_fields, list_time, required_str};
use super::shape::{list_of, success};
use crate::Simulator;
use crate::settings::{ChangeRefusal, Dialect, Settings, StatusKey, TargetList, TargetWords};
use crate::state::{NewTarget, OrgAccess, Provider, Target, TargetKind, World};

pub(super) fn routes() -> Router<Simulator> {
    let collection = "/addons/{addon}/connections/datacloud/{key}/data_action_targets";
    Router::new()
        .route(collection, get(list).post(create))
        .route(&format!("{collection}/{{target}}"), get(read).put(change).patch(change).delete(change))
}

/// The response that a body is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    /// A POST's.
    Created,
    Listed,
    /// A GET of one.
    Detail,
}

async fn list(
    State(simulator): State<Simulator>,
    Path((addon, key)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> HandlerResult {
    serve_read(&simulator, &addon, &headers, |world, caller, now| {
        if world.settings.data_action_targets.list == TargetList::Missing {
            return Err(ApiError::not_found("There is no list of data action targets."));
        }
        let connection = world.connection_to(Provider::DataCloud, caller.addon, &key, now)?;
        let at = list_time(world, now);
        let all = world.targets_of(connection, at);
        let bodies = all.map(|target| target_body(world, connection, target, at, View::Listed));
        Ok(list_of(bodies.collect(), &world.settings, &uri))
    })
}

async fn create(
    State(simulator): State<Simulator>,
    Path((addon, key)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> HandlerResult {
    serve_change(&simulator, &addon, &headers, |world, caller, now| {
        let connection = world.connection_to(Provider::DataCloud, caller.addon, &key, now)?.id;
        let new = new_target(connection, caller, &json_fields(&headers, &body)?)?;
        let id = world.create_target(new, now)?;
        let body = target_body(world, world.org_access(connection)?, world.target(id, now)?, now, View::Created);
        let status = success(world.settings.data_action_targets.create_answer);
        Ok((status, Json(body)).into_response())
    })
}

fn new_target(connection: Uuid, caller: &Caller, fields: &Map<String, Value>) -> Result<NewTarget, ApiError> {
    let kind = match fields.get("type") {
        Some(_) => TargetKind::of_word(required_str(fields, "type")?),
        None => Some(TargetKind::Webhook),
    };
    let endpoint = required_str(fields, "target_endpoint")?;
    if !endpoint.starts_with('/') {
        return Err(ApiError::invalid("target_endpoint must be a path that starts with /"));
    }
    Ok(NewTarget {
        connection,
        app: caller.app,
        label: required_str(fields, "label")?.to_owned(),
        api_name: required_str(fields, "api_name")?.to_owned(),
        endpoint: endpoint.to_owned(),
        kind: kind.ok_or_else(|| ApiError::invalid("type must be webhook or event"))?,
    })
}

async fn read(
    State(simulator): State<Simulator>,
    Path((addon, key, target)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> HandlerResult {
    serve_read(&simulator, &addon, &headers, |world, caller, now| {
        let connection = world.connection_to(Provider::DataCloud, caller.addon, &key, now)?;
        let target = world.find_target(connection, &target, caller.app, now)?;
        Ok(Json(target_body(world, connection, target, now, View::Detail)).into_response())
    })
}

async fn change(
    State(simulator): State<Simulator>,
    Path((addon, _, _)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> HandlerResult {
    serve_change(&simulator, &addon, &headers, |world, _, _| {
        let message = "Data action targets can be neither changed nor deleted.";
        Err(match world.settings.data_action_targets.change_refusal {
            ChangeRefusal::NotFound => ApiError::not_found(message),
            ChangeRefusal::MethodNotAllowed => {
                ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
            }
        })
    })
}

/// The body of a target as it was at some time, in each dialect.
fn target_body(world: &World, connection: &OrgAccess, target: &Target, at: Timestamp, view: View) -> Value {
    let shown_status = shown_status(target, at, view);
    let common = |dialect, kind: &str| {
        let mut body = map(json!({
            "id": target.id.to_string(),
            "api_name": target.api_name,
            "label": target.label,
            "target_endpoint": target.endpoint,
            "type": kind,
        }));
        let (key, word) = status(&world.settings, dialect, shown_status);
        body.insert(key.to_owned(), word.into());
        body
    };
    let ids = |body: &mut Map<String, Value>| {
        body.insert("app_id".to_owned(), json!(target.app.to_string()));
        body.insert("connection_id".to_owned(), json!(connection.id.to_string()));
    };
    let reference = || {
        let kind = if target.kind == TargetKind::Webhook { "Webhook" } else { "Event" };
        let mut body = common(Dialect::Reference, kind);
        ids(&mut body);
        body
    };
    let cli = || {
        let kind = if target.kind == TargetKind::Webhook { "webhook" } else { "event" };
        let mut body = common(Dialect::Cli, kind);
        match view {
            View::Listed => ids(&mut body),
            View::Created | View::Detail => body.extend(details(connection, target, at, view)),
        }
        body
    };
    let mut dropped: Vec<&[&str]> = Vec::new();
    // A list has no other field for the app, and a setting may leave no other one for the status.
    if view != View::Listed {
        dropped.push(&["app_id"]);
    }
    if world.settings.data_action_targets.status_key.is_none() {
        dropped.push(&["status"]);
    }
    body_in_dialect(&world.settings, target.serial, reference, cli, &dropped).into()
}

fn map(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The fields that the CLI's type of one target has instead of ids.
fn details(connection: &OrgAccess, target: &Target, at: Timestamp, view: View) -> Map<String, Value> {
    let url = format!("https://{}.herokuapp.com/", target.app_name);
    let org = connection.org_at(at);
    let mut body = map(json!({
        "heroku_app": {"id": target.app.to_string(), "name": target.app_name, "url": url},
        "org": {
            "id": org.map(|org| &org.id),
            "instance_url": org.map(|org| &org.instance_url),
            "connection_name": connection.name,
            "type": "DataCloudOrg",
        },
    }));
    if let Some(error) = target.error_at(at).filter(|_| view == View::Detail) {
        body.insert("error".to_owned(), json!({"id": error.id, "message": error.message}));
    }
    body
}

/// The status in a response. A POST returns the first one, even if creation takes no time.
fn shown_status(target: &Target, at: Timestamp, view: View) -> &str {
    let begins = view == View::Created && target.created_at() == Some(at);
    let status = match target.history().first() {
        Some(first) if begins => first.to.as_ref(),
        _ => target.status_at(at),
    };
    status.map_or("", |status| status.as_str())
}

fn status(settings: &Settings, dialect: Dialect, status: &str) -> (&'static str, String) {
    let switches = &settings.data_action_targets;
    let (key, words) = match dialect {
        Dialect::Reference => (StatusKey::State, TargetWords::Title),
        Dialect::Cli | Dialect::Mixed => (StatusKey::Status, TargetWords::Lower),
    };
    let key = match switches.status_key.unwrap_or(key) {
        StatusKey::Status => "status",
        StatusKey::State => "state",
    };
    let word = match switches.status_words.unwrap_or(words) {
        TargetWords::Lower => status.to_owned(),
        TargetWords::Title => status.split('_').map(capitalised).collect::<Vec<_>>().join(" "),
    };
    (key, word)
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}
