//! The JSON of the control API: camelCase, and digests instead of tokens.
//!
//! Must not show a token or a key. Called by the files beside it.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::http::answer::timestamp;
use crate::requests::RequestRecord;
use crate::state::{Addon, App, AuthMethod, Collection, OrgAccess, World};
use crate::token::Token;

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

pub(super) fn org_accesses(world: &World, collection: Collection, now: Timestamp) -> Value {
    let existing = world.org_accesses(collection).filter(|a| a.status_at(now).is_some());
    existing.map(|a| org_access(a, now)).collect()
}

pub(super) fn org_access(access: &OrgAccess, now: Timestamp) -> Value {
    let history = (access.history().iter())
        .map(|t| json!({"at": timestamp(t.at), "to": t.to.as_ref().map_or("gone", |to| to.word(access.collection))}))
        .collect::<Vec<_>>();
    let error = access.error_at(now);
    let org = access.org_at(now);
    let mut view = json!({
        "id": access.id.to_string(),
        "name": access.name,
        "addon": access.addon.to_string(),
        "app": access.app.to_string(),
        "provider": access.provider.segment(),
        "method": access.auth_method.method(),
        "status": access.status_at(now).map(|status| status.word(access.collection)),
        "error": error.map(|error| json!({"id": error.id, "message": error.message})),
        "orgId": org.map(|org| &org.id),
        "instanceUrl": org.map(|org| &org.instance_url),
        "username": org.map(|org| &org.username),
        "userId": org.map(|org| &org.user_id),
        "accessTokenDigest": org.map(|org| Token::new(access.token_for(org)).digest()),
        "loginUrl": access.login_url.as_str(),
        "createdAt": access.created_at().map(timestamp),
        "createdBy": access.created_by,
        "history": history,
    });
    if let AuthMethod::Jwt { alias, client_id, username, key_digest } = &access.auth_method {
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
        "at": timestamp(record.at),
        "method": record.method.as_str(),
        "path": record.path,
        "api": record.api.as_str(),
        "status": record.status.map(|status| status.as_u16()),
        "mutating": record.mutating,
        "committed": record.committed,
        "tokenDigest": record.token_digest,
    })
}
