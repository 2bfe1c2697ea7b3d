//! AppLink's endpoints for publications, and the body of one.
//!
//! Must not keep an upload after reading it. Called by the router.

use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::{DefaultBodyLimit, Multipart, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::answer::{ApiError, HandlerResult};
use super::door::{Caller, serve_change, serve_read};
use super::mixed::{body_in_dialect, timestamp_in};
use super::overrides::omit;
use super::request::{content_type, json_object, list_time, media_type, required_str};
use super::shape::{deleted, list_of, success};
use crate::Simulator;
use crate::settings::{Dialect, OmittedOfPublication, PublishAnswer, UnknownApp};
use crate::state::{Archive, Edition, NewPublication, OrgAccess, Provider, Publication, StateError, Upload, World};

/// The keys of the app, the HerokuAppLink record, and the external service's id and name: in the article's sample.
const REFERENCE: [&str; 4] = ["app_id", "heroku_app_link_id", "external_service_id", "external_service_name"];
/// The same keys in the type of the plugin.
const CLI: [&str; 4] = ["app_uuid", "heroku_applink_id", "esr_id", "esr_name"];
/// The fields to drop from an object with some keys of each dialect. The table of the article has `heroku_applink_id` beside `external_service_id`.
const DROPPED_IN_CROSSED: [&[&str]; 4] =
    [&["app_id"], &["heroku_app_link_id"], &["esr_id"], &["external_service_name"]];

/// More than the files may have uncompressed.
const MOST_BYTES: usize = 32 << 20;

pub(super) fn routes() -> Router<Simulator> {
    let publish = post(publish).layer(DefaultBodyLimit::max(MOST_BYTES));
    Router::new()
        .route("/addons/{addon}/connections/salesforce/{key}/apps", publish.get(list))
        .route("/addons/{addon}/connections/salesforce/{key}/apps/{app}", get(list_app).delete(delete))
}

fn connection_of_path<'a>(
    world: &'a World,
    caller: &Caller,
    key: &str,
    now: Timestamp,
) -> Result<&'a OrgAccess, StateError> {
    world.connection_to(Provider::Salesforce, caller.addon, key, now)
}

async fn publish(
    State(simulator): State<Simulator>,
    Path((addon, key)): Path<(String, String)>,
    headers: HeaderMap,
    parts: Result<Multipart, MultipartRejection>,
) -> HandlerResult {
    let upload = read(&headers, parts).await;
    serve_change(&simulator, &addon, &headers, |world, caller, now| {
        let connection = connection_of_path(world, caller, &key, now)?.id;
        let id = world.publish(NewPublication { connection, app: caller.app, upload: upload? }, now)?;
        publications_created(world, id)
    })
}

fn publications_created(world: &World, id: Uuid) -> Result<Response, ApiError> {
    let (publication, edition) = world.publication(id)?;
    let switches = &world.settings.publications;
    let status = success(switches.publish_status);
    let of_dialect = match world.settings.dialect_of(publication.serial) {
        Dialect::Reference => PublishAnswer::IdObject,
        Dialect::Cli | Dialect::Mixed => PublishAnswer::EmptyArray,
    };
    let body = match switches.publish_answer.unwrap_or(of_dialect) {
        PublishAnswer::IdObject => json!({"id": edition.external_service_id}),
        PublishAnswer::Array => {
            let connection = world.org_access(publication.connection())?;
            json!([publication_body(world, connection, publication, edition)])
        }
        PublishAnswer::EmptyArray => json!([]),
        PublishAnswer::Empty => return Ok(status.into_response()),
    };
    Ok((status, Json(body)).into_response())
}

async fn list(
    State(simulator): State<Simulator>,
    Path((addon, key)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> HandlerResult {
    serve_read(&simulator, &addon, &headers, |world, caller, now| {
        let connection = connection_of_path(world, caller, &key, now)?;
        let all = world.publications_through(connection, list_time(world, now));
        let bodies = all.map(|(p, edition)| publication_body(world, connection, p, edition));
        Ok(list_of(bodies.collect(), &world.settings, &uri))
    })
}

async fn list_app(
    State(simulator): State<Simulator>,
    Path((addon, key, app)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> HandlerResult {
    serve_read(&simulator, &addon, &headers, |world, caller, now| {
        let connection = connection_of_path(world, caller, &key, now)?;
        let of_app = world.publications_of(connection, &app, list_time(world, now));
        let bodies: Vec<_> = of_app.map(|(p, edition)| publication_body(world, connection, p, edition)).collect();
        match world.settings.publications.list_unknown_app {
            UnknownApp::NotFound if bodies.is_empty() => Err(StateError::NoRecord.into()),
            UnknownApp::NotFound | UnknownApp::Empty => Ok(list_of(bodies, &world.settings, &uri)),
        }
    })
}

async fn delete(
    State(simulator): State<Simulator>,
    Path((addon, key, app)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> HandlerResult {
    serve_change(&simulator, &addon, &headers, |world, caller, now| {
        let connection = connection_of_path(world, caller, &key, now)?;
        let (publication, edition) = world.publications_of(connection, &app, now).next().ok_or(StateError::NoRecord)?;
        let (connection_id, app) = (connection.id, publication.app);
        let body = publication_body(world, connection, publication, edition);
        world.unpublish(connection_id, app, now)?;
        Ok(deleted(world.settings.publications.unpublish_answer, body))
    })
}

/// Reads the two parts, in either order.
async fn read(headers: &HeaderMap, parts: Result<Multipart, MultipartRejection>) -> Result<Upload, ApiError> {
    if content_type(headers) != "multipart/form-data" {
        return Err(ApiError::unsupported("Content-Type must be multipart/form-data."));
    }
    let mut parts = parts.map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
    let (mut metadata, mut request) = (None, None);
    while let Some(part) = parts.next_field().await.map_err(part_error)? {
        let name = part.name().unwrap_or_default().to_owned();
        let place = match name.as_str() {
            "metadata" => &mut metadata,
            "app_request" => &mut request,
            _ => return Err(ApiError::invalid(format!("There must be no part {name:?}"))),
        };
        if place.is_some() {
            return Err(ApiError::invalid(format!("{name} must be there once")));
        }
        *place = Some(part_bytes(part, &name).await?);
    }
    let present = |part: Option<Bytes>, name| part.ok_or_else(|| ApiError::invalid(format!("{name} is required")));
    let (metadata, request) = (present(metadata, "metadata")?, json_object(&present(request, "app_request")?)?);
    let optional = |name| match request.get(name) {
        Some(_) => required_text(&request, name).map(Some),
        None => Ok(None),
    };
    Ok(Upload {
        client_name: required_text(&request, "client_name")?,
        permission_set: optional("authorization_permission_set_name")?,
        connected_app: optional("authorization_connected_app_name")?,
        external_client_app: optional("authorization_external_client_app_name")?,
        archive: Archive::read(&metadata).map_err(StateError::from)?,
    })
}

fn required_text(fields: &Map<String, Value>, name: &str) -> Result<String, ApiError> {
    required_str(fields, name).map(str::to_owned)
}

/// The bytes of a part, which need not have a `Content-Type`.
async fn part_bytes(part: Field<'_>, name: &str) -> Result<Bytes, ApiError> {
    let expected = if name == "metadata" { "application/zip" } else { "application/json" };
    if part.content_type().is_some_and(|kind| media_type(kind) != expected) {
        return Err(ApiError::unsupported(format!("{name} must be {expected}.")));
    }
    part.bytes().await.map_err(part_error)
}

fn part_error(error: MultipartError) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", error.body_text())
        }
        _ => ApiError::bad_request(error.body_text()),
    }
}

/// The body of a publication in each dialect.
fn publication_body(world: &World, connection: &OrgAccess, publication: &Publication, edition: &Edition) -> Value {
    let in_words = |[app, link, service_id, service_name]: [&str; 4]| {
        let mut body = Map::new();
        let mut put = |name: &str, value: &str| body.insert(name.to_owned(), json!(value));
        put(app, &publication.app.to_string());
        put(link, &publication.heroku_applink_id);
        put(service_id, &edition.external_service_id);
        put(service_name, &edition.upload.client_name);
        put("connection_name", &connection.name);
        put("org_id", &publication.org_id);
        put("created_at", &timestamp_in(world.settings.dialect, publication.created_at));
        put("created_by", &publication.created_by);
        put("last_modified_at", &timestamp_in(world.settings.dialect, edition.at));
        put("last_modified_by", &edition.by);
        body
    };
    let reference = || {
        let mut body = in_words(REFERENCE);
        body.insert("app_name".to_owned(), json!(publication.app_name));
        body
    };
    let mut body =
        body_in_dialect(&world.settings, publication.serial, reference, || in_words(CLI), &DROPPED_IN_CROSSED);
    for omitted in &world.settings.publications.omitted {
        let names: &[&str] = match omitted {
            OmittedOfPublication::Provenance => &["created_at", "created_by", "last_modified_at", "last_modified_by"],
            OmittedOfPublication::LastModified => &["last_modified_at", "last_modified_by"],
            OmittedOfPublication::ConnectionName => &["connection_name"],
            OmittedOfPublication::OrgId => &["org_id"],
            OmittedOfPublication::HerokuAppLink => &[REFERENCE[1], CLI[1]],
            OmittedOfPublication::ExternalService => &[REFERENCE[2], REFERENCE[3], CLI[2], CLI[3]],
        };
        for name in names {
            omit(&mut body, &[name], world.settings.omitted_as);
        }
    }
    body.into()
}
