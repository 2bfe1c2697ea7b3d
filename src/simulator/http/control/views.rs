//! The world in the control API's JSON: camelCase, and digests in place of tokens.
//!
//! Must not show a token or a key. Called by the files beside it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::super::requests::RequestRecord;
use super::super::super::state::{Addon, App, Connection, Grant, Status, World};
use super::super::answer::stamp;

pub(super) fn app(app: &App) -> Value {
    let config_vars: Vec<_> = app.config_vars.keys().collect();
    json!({"id": app.id.to_string(), "name": app.name, "configVars": config_vars})
}

pub(super) fn addon(addon: &Addon) -> Value {
    let attachments = (addon.attachments.iter())
        .map(|a| json!({"id": a.id.to_string(), "app": a.app.to_string(), "name": a.name}))
        .collect::<Vec<_>>();
    json!({
        "id": addon.id.to_string(),
        "name": addon.name,
        "service": addon.service,
        "state": addon.state.as_str(),
        "owner": addon.owner.to_string(),
        "attachments": attachments,
        "tokenDigest": addon.token.digest(),
        "tokenRevoked": addon.token_revoked,
    })
}

pub(super) fn connections(world: &World, now: Timestamp) -> Value {
    let existing = world.connections().filter(|c| c.status_at(now).is_some());
    existing.map(|c| connection(c, now)).collect()
}

pub(super) fn connection(connection: &Connection, now: Timestamp) -> Value {
    let history = (connection.history().iter())
        .map(|t| json!({"at": stamp(t.at), "to": t.to.as_ref().map_or("gone", Status::as_str)}))
        .collect::<Vec<_>>();
    let error = connection.error_at(now);
    let org = connection.org_at(now);
    let mut view = json!({
        "id": connection.id.to_string(),
        "name": connection.name,
        "addon": connection.addon.to_string(),
        "app": connection.app.to_string(),
        "provider": connection.provider.segment(),
        "method": connection.grant.method(),
        "status": connection.status_at(now).map(Status::as_str),
        "error": error.map(|error| json!({"id": error.id, "message": error.message})),
        "orgId": org.map(|org| &org.id),
        "username": org.map(|org| &org.username),
        "loginUrl": connection.login_url.as_str(),
        "createdAt": connection.created_at().map(stamp),
        "createdBy": connection.created_by,
        "history": history,
    });
    if let Grant::Jwt { alias, client_id, username, key_digest } = &connection.grant {
        view["jwt"] = json!({
            "alias": alias,
            "clientId": client_id,
            "username": username,
            "keyDigest": key_digest,
        });
    }
    view
}

pub(super) fn request(record: &RequestRecord) -> Value {
    json!({
        "seq": record.seq,
        "at": stamp(record.at),
        "method": record.method.as_str(),
        "path": record.path,
        "api": record.api.as_str(),
        "status": record.status.map(|status| status.as_u16()),
        "mutating": record.mutating,
        "committed": record.committed,
        "tokenDigest": record.token_digest,
    })
}
