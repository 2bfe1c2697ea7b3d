//! Decodes data action targets in all spellings: reference, CLI, and mixtures.
//!
//! Pure. `applink` calls it.

use serde_json::Value;

use super::org::{error_line, org};
use super::{Unreadable, id, json, text};
use crate::facts::collection::Listing;
use crate::facts::{Phase, RemoteDataActionTarget};

/// Decodes the targets of a connection, as `app` sees them. `known` are the secrets of the call. Skips items without an
/// ID; the listing is then incomplete.
///
/// # Errors
/// The body is not a JSON array.
pub fn data_action_targets(
    body: &[u8],
    app: &str,
    known: &[&str],
) -> Result<Listing<RemoteDataActionTarget>, Unreadable> {
    let value = json(body)?;
    let all = value.as_array().ok_or(Unreadable("not a list"))?;
    let items: Vec<_> = all.iter().filter_map(|item| decode(item, app, known)).collect();
    let whole = items.len() == all.len();
    Ok(Listing { items, whole })
}

/// Decodes one target of `app`: an object, or a list that contains it under the requested ID or `api_name`. Returns
/// `None` if the list does not contain it.
///
/// # Errors
/// The body is neither, or the object has no ID.
pub fn data_action_target(
    body: &[u8],
    app: &str,
    wanted: &str,
    known: &[&str],
) -> Result<Option<RemoteDataActionTarget>, Unreadable> {
    match json(body)? {
        Value::Array(all) => {
            let is_wanted =
                |target: &RemoteDataActionTarget| target.id == wanted || target.key.as_deref() == Some(wanted);
            Ok(all.iter().filter_map(|item| decode(item, app, known)).find(is_wanted))
        }
        object @ Value::Object(_) => decode(&object, app, known).map(Some).ok_or(Unreadable("a target without id")),
        _ => Err(Unreadable("neither an object nor a list")),
    }
}

fn decode(item: &Value, app: &str, known: &[&str]) -> Option<RemoteDataActionTarget> {
    let api_name = text(item, &["api_name"]);
    let app_id = id(item, &["app_id", "app_uuid"]).or_else(|| id(&item["heroku_app"], &["id"]));
    let status = text(item, &["status", "state"]).unwrap_or_default();
    Some(RemoteDataActionTarget {
        id: id(item, &["id"])?,
        key: api_name.as_deref().map(|name| RemoteDataActionTarget::key_of(name, app_id.as_deref(), app)),
        label: text(item, &["label"]),
        endpoint: text(item, &["target_endpoint"]),
        kind: text(item, &["type"]),
        phase: phase(&status),
        org: org(item),
        error: error_line(item, known),
        created_at: text(item, &["created_at"]),
        created_by: text(item, &["created_by"]),
        api_name,
        app_id,
        status,
    })
}

/// Maps a status to a phase. An unknown status counts as pending.
fn phase(status: &str) -> Phase {
    let status = status.to_ascii_lowercase().replace([' ', '-'], "_");
    match status.as_str() {
        "created" => Phase::Ready,
        "failed" | "error" => Phase::Failed,
        other if other.ends_with("_failed") => Phase::Failed,
        _ => Phase::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: &str = r#"{"id":"t1","api_name":"updates","app_id":"app-1","connection_id":"c1","label":"Updates",
        "state":"Created","target_endpoint":"/webhooks","type":"Webhook","created_at":"2025-04-06T18:20:42.226577Z"}"#;
    const CLI: &str = r#"{"id":"t1","api_name":"updates","heroku_app":{"id":"app-1","name":"orders"},"label":"Updates",
        "status":"Created","target_endpoint":"/webhooks","type":"Webhook","created_at":"2025-04-06T18:20:42.226577Z",
        "org":null,"error":null}"#;

    fn one(body: &str, wanted: &str) -> Option<RemoteDataActionTarget> {
        data_action_target(body.as_bytes(), "app-1", wanted, &[]).unwrap()
    }

    #[test]
    fn reference_and_cli_spelling_agree() {
        let target = one(REFERENCE, "updates").unwrap();
        assert_eq!(Some(&target), one(CLI, "t1").as_ref());
        assert_eq!((target.phase, target.key.as_deref()), (Phase::Ready, Some("updates")));
        assert_eq!(target.endpoint.as_deref(), Some("/webhooks"));
    }

    #[test]
    fn every_status_has_a_phase() {
        let table = [
            ("created", Phase::Ready),
            ("Created", Phase::Ready),
            ("creation_failed", Phase::Failed),
            ("Creation Failed", Phase::Failed),
            ("signing-key-failed", Phase::Failed),
            ("failed", Phase::Failed),
            ("error", Phase::Failed),
            ("pending", Phase::Pending),
            ("creating", Phase::Pending),
            ("generating_signing_key", Phase::Pending),
            ("some new status", Phase::Pending),
            ("", Phase::Pending),
        ];
        for (status, wanted) in table {
            assert_eq!(phase(status), wanted, "{status}");
        }
    }

    #[test]
    fn targets_of_other_apps_get_another_key() {
        let body =
            r#"[{"id":"t1","api_name":"updates","app_id":"app-2"},{"id":"t2","api_name":"updates"},{"id":"t3"}]"#;
        let listing = data_action_targets(body.as_bytes(), "app-1", &[]).unwrap();
        let keys: Vec<_> = listing.items.iter().map(|target| target.key.as_deref()).collect();
        assert_eq!((keys, listing.whole), (vec![Some("app-2/updates"), Some("updates"), None], true));
        assert_eq!(one(body, "updates").map(|target| target.id).as_deref(), Some("t2"));
        assert_eq!(one(body, "t1").map(|target| target.id).as_deref(), Some("t1"));
        assert_eq!((one(body, "other"), one("[]", "updates")), (None, None));
    }

    #[test]
    fn absent_or_odd_fields_lose_no_item() {
        for part in ["app_id", "heroku_app", "label", "status", "type", "org", "error", "target_endpoint", "created_at"]
        {
            for value in ["null", "[]", "true", "{}"] {
                let list = format!(r#"[{{"id":7,"api_name":"updates","{part}":{value}}},{{"id":8}}]"#);
                let list = data_action_targets(list.as_bytes(), "app-1", &[]).unwrap();
                let seen: Vec<_> = list.items.iter().map(|one| (one.id.as_str(), one.key.as_deref())).collect();
                assert_eq!((seen, list.whole), (vec![("7", Some("updates")), ("8", None)], true), "{part}: {value}");
            }
        }
    }

    #[test]
    fn unreadable_items_prove_no_absence() {
        assert!(!data_action_targets(br#"[{"api_name":"no id"}]"#, "app-1", &[]).unwrap().whole);
        for body in ["", "{}", "null", "<html>"] {
            assert!(
                data_action_targets(body.as_bytes(), "app-1", &[]).is_err()
                    && data_action_target(body.as_bytes(), "app-1", "t1", &[]).is_err()
            );
        }
    }

    #[test]
    fn errors_and_orgs_hold_no_secrets() {
        let body = r#"{"id":"t1","status":"creation_failed","error":{"id":"x","message":"token HRKU-CANARY refused"},
            "org":{"id":"00D","type":"DatacloudOrg","user_auth":{"username":"u@x","access_token":"00D!canary"}}}"#;
        let target = one(body, "t1").unwrap();
        assert_eq!(target.error.as_deref(), Some("x: token <token> refused"));
        assert_eq!((target.org.kind.as_deref(), target.org.username.as_deref()), (Some("DataCloudOrg"), Some("u@x")));
        assert!(!format!("{target:?}").to_lowercase().contains("canary"));
    }
}
