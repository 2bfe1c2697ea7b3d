//! Decodes connections and authorizations in all spellings: reference, CLI, and mixtures.
//!
//! Pure. Never reads access tokens. Reads a consent link into a type that does not print it.

use serde_json::Value;

use super::org::{error_line, org, provider};
use super::{Unreadable, json, text};
use crate::facts::collection::Listing;
use crate::facts::{AuthMethod, ConsentLink, OrgAccessKind, Phase, RemoteOrgAccess};

/// Decodes a list of connections or authorizations. `known` are the secrets of the call. Skips items without an ID; the
/// listing is then incomplete.
///
/// # Errors
/// The body is not a JSON array.
pub fn org_access_list(
    kind: OrgAccessKind,
    body: &[u8],
    known: &[&str],
) -> Result<Listing<RemoteOrgAccess>, Unreadable> {
    let value = json(body)?;
    let all = value.as_array().ok_or(Unreadable("not a list"))?;
    let items: Vec<_> = all.iter().filter_map(|item| decode(kind, item, known)).collect();
    let whole = items.len() == all.len();
    Ok(Listing { items, whole })
}

/// Decodes one of them: an object, or a list that contains it, since sources disagree. Returns `None` if the list does
/// not contain it.
///
/// # Errors
/// The body is neither, or the object has no ID.
pub fn org_access(
    kind: OrgAccessKind,
    body: &[u8],
    id: Option<&str>,
    known: &[&str],
) -> Result<Option<RemoteOrgAccess>, Unreadable> {
    match json(body)? {
        Value::Array(all) => {
            let mut all = all.iter().filter_map(|item| decode(kind, item, known));
            Ok(all.find(|one| id.is_none_or(|id| one.id == id || one.name.as_deref() == Some(id))))
        }
        object @ Value::Object(_) => decode(kind, &object, known).map(Some).ok_or(Unreadable("an object without id")),
        _ => Err(Unreadable("neither an object nor a list")),
    }
}

fn decode(kind: OrgAccessKind, value: &Value, known: &[&str]) -> Option<RemoteOrgAccess> {
    let status = text(value, &["status", "state"]).unwrap_or_default();
    let name = match kind {
        OrgAccessKind::Connection => "connection_name",
        OrgAccessKind::Authorization => "developer_name",
    };
    Some(RemoteOrgAccess {
        id: super::id(value, &["id"])?,
        name: text(&value["org"], &[name]).or_else(|| text(value, &[name, "name"])),
        phase: phase(&status),
        provider: text(&value["org"], &["type"]).as_deref().and_then(provider),
        method: text(value, &["connection_method"]).as_deref().and_then(method),
        link: text(value, &["redirect_uri"]).map(ConsentLink::from),
        error: error_line(value, known),
        org: org(value),
        created_at: text(value, &["created_at"]),
        created_by: text(value, &["created_by"]),
        created_via_app: text(value, &["created_via_app"]),
        status,
    })
}

/// Maps a status to a phase: current names and those of the pilot. An unknown status counts as pending.
pub(super) fn phase(status: &str) -> Phase {
    let status = status.to_ascii_lowercase().replace([' ', '-'], "_");
    match status.as_str() {
        "connected" | "authorized" | "authenticated" => Phase::Ready,
        "failed" | "error" => Phase::Failed,
        "disconnecting" => Phase::Deleting,
        "disconnected" => Phase::Deleted,
        other if other.ends_with("_failed") => Phase::Failed,
        _ => Phase::Pending,
    }
}

fn method(method: &str) -> Option<AuthMethod> {
    match method.to_ascii_lowercase().as_str() {
        "jwt" => Some(AuthMethod::Jwt),
        "oauth" => Some(AuthMethod::OAuth),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Org, Provider};

    fn connection(body: &[u8], id: Option<&str>) -> Result<Option<RemoteOrgAccess>, Unreadable> {
        org_access(OrgAccessKind::Connection, body, id, &[])
    }

    fn connections(body: &[u8]) -> Result<Listing<RemoteOrgAccess>, Unreadable> {
        org_access_list(OrgAccessKind::Connection, body, &[])
    }

    const REFERENCE: &str = r#"{"id":"c1","status":"connecting","redirect_uri":"https://x/?state=ey",
        "org":{"id":"00D","connection_name":"prod","instance_url":"https://i","type":"DatacloudOrg","api_verion":"57.0",
        "user_auth":{"username":"u@x","user_id":"005","access_token":"00D!canary"}},
        "created_at":"2025-04-06T18:20:42.226577Z","connection_method":"OAuth"}"#;
    const CLI: &str = r#"{"id":"c1","status":"connecting","redirect_uri":"https://x/?state=ey","org":{"id":"00D","connection_name":"prod",
        "instance_url":"https://i","type":"DataCloudOrg","api_version":"v57.0","username":"u@x","user_id":"005"},
        "created_at":"2025-04-06T18:20:42.226577Z","connection_method":"OAuth"}"#;

    #[test]
    fn reference_and_cli_spelling_agree() {
        let one = connection(REFERENCE.as_bytes(), None).unwrap().unwrap();
        assert_eq!(one, connection(CLI.as_bytes(), None).unwrap().unwrap());
        assert_eq!(one.provider, Some(Provider::DataCloud));
        assert_eq!(one.org.api_version.as_deref(), Some("57.0"));
        assert_eq!(one.org.username.as_deref(), Some("u@x"));
        assert_eq!(one.link.as_ref().map(ConsentLink::expose), Some("https://x/?state=ey"));
        let printed = format!("{one:?}");
        assert!(
            !printed.contains("canary") && !printed.contains("state="),
            "tokens stay behind, links are not printed"
        );
    }

    #[test]
    fn every_status_has_a_phase() {
        let table = [
            ("connected", Phase::Ready),
            ("Connected", Phase::Ready),
            ("connecting", Phase::Pending),
            ("authenticating", Phase::Pending),
            ("", Phase::Pending),
            ("some new status", Phase::Pending),
            ("failed", Phase::Failed),
            ("error", Phase::Failed),
            ("connection_failed", Phase::Failed),
            ("authentication-failed", Phase::Failed),
            ("disconnecting", Phase::Deleting),
            ("disconnected", Phase::Deleted),
        ];
        for (status, wanted) in table {
            assert_eq!(phase(status), wanted, "{status}");
        }
    }

    #[test]
    fn missing_null_and_empty_fields_are_equal() {
        for org in ["null", "{}", r#"{"id":null}"#, r#"{"id":"","instance_url":""}"#] {
            let body = format!(r#"{{"id":"c1","status":"connecting","connection_name":"prod","org":{org}}}"#);
            let one = connection(body.as_bytes(), None).unwrap().unwrap();
            assert_eq!((one.org, one.name.as_deref()), (Org::default(), Some("prod")), "{org}");
        }
    }

    #[test]
    fn unreadable_item_is_skipped_and_proves_no_absence() {
        let list = connections(br#"[{"id":"c1","status":"connected","org":{"connection_name":"a"}},{"status":"x"}]"#);
        let list = list.unwrap();
        assert_eq!((list.items.len(), list.whole), (1, false));
        assert!(connections(b"[]").unwrap().whole);
        assert!(connections(b"{}").is_err() && connections(b"<html>").is_err() && connections(b"").is_err());
    }

    #[test]
    fn absent_or_odd_fields_lose_no_item() {
        let odd = |part: &str| ["null", "7", "[]", "\"x\"", "{}"].map(|value| format!(r#","{part}":{value}"#));
        let parts = ["status", "org", "error", "redirect_uri", "created_at", "created_by", "connection_method"];
        for part in parts.into_iter().flat_map(odd).chain([String::new()]) {
            for (id, wanted_id) in
                [(r#""c1""#, "c1"), ("7", "7"), ("-7", "-7"), ("18446744073709551615", "18446744073709551615")]
            {
                let list = connections(format!(r#"[{{"id":{id},"connection_name":"a"{part}}}]"#).as_bytes()).unwrap();
                let seen: Vec<_> = list.items.iter().map(|one| (one.id.as_str(), one.name.as_deref())).collect();
                assert_eq!((seen, list.whole), (vec![(wanted_id, Some("a"))], true), "{id}{part}");
            }
        }
        for id in ["null", "1.5", "1e30", "{}", "[7]", "true", "\"\""] {
            assert!(
                !connections(format!(r#"[{{"id":{id},"connection_name":"a"}}]"#).as_bytes()).unwrap().whole,
                "{id}"
            );
        }
    }

    #[test]
    fn list_in_place_of_an_object_is_searched_by_id() {
        let body = br#"[{"id":"c1","status":"connected"},{"id":"c2","status":"failed"}]"#;
        assert_eq!(connection(body, Some("c2")).unwrap().unwrap().phase, Phase::Failed);
        assert_eq!(connection(b"[]", Some("c2")).unwrap(), None);
    }

    #[test]
    fn errors_of_objects_become_one_line() {
        let body = br#"{"id":"c1","status":"failed","error":{"id":"authentication_failed","message":"JWT failed"}}"#;
        let one = connection(body, None).unwrap().unwrap();
        assert_eq!(one.error.as_deref(), Some("authentication_failed: JWT failed"));
    }

    #[test]
    fn errors_of_objects_are_redacted() {
        let body = br#"{"id":"c1","status":"failed","redirect_uri":"https://x/abc","org":{"user_auth":{"access_token":"s3cretAb"}},
            "error":{"id":"pk_live51Xy","message":"pk_live51Xy may not use s3cretAb at https://x/abc"}}"#;
        let known = ["pk_live51Xy"];
        let list = [&b"["[..], body, b"]"].concat();
        let of_list = org_access_list(OrgAccessKind::Authorization, &list, &known).unwrap().items.remove(0);
        let alone = org_access(OrgAccessKind::Authorization, body, None, &known).unwrap().unwrap();
        for one in [of_list, alone] {
            let wanted = "<secret>: <secret> may not use <secret> at <secret>";
            assert_eq!(one.error.as_deref(), Some(wanted));
        }
    }
}
