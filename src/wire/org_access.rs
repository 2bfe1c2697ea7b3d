//! Connections and authorizations in every spelling: reference, CLI, and mixtures of both.
//!
//! Pure. Access tokens are never read out of a body; a link to consent by is, into a type that prints nothing of it.

use serde_json::Value;

use super::org::{fault, org, provider};
use super::{Unreadable, json, text};
use crate::facts::collection::Listing;
use crate::facts::{AuthMethod, ConsentLink, OrgAccessKind, Phase, RemoteOrgAccess};

/// A list of connections or authorizations; `known` are the secrets of the call. Items that cannot be told apart are left
/// out, and then the list proves nothing absent.
///
/// # Errors
/// Where the body is no JSON array.
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

/// One of them: an object, or, by another reading of the same route, a list that holds it. `None` where it is empty.
///
/// # Errors
/// Where the body is neither, or has no id.
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
        error: fault(value, known),
        org: org(value),
        created_at: text(value, &["created_at"]),
        created_by: text(value, &["created_by"]),
        created_via_app: text(value, &["created_via_app"]),
        status,
    })
}

/// The phase a status word stands for: current words, those of the pilot, and any other, which counts as in progress.
pub(super) fn phase(status: &str) -> Phase {
    let word = status.to_ascii_lowercase().replace([' ', '-'], "_");
    match word.as_str() {
        "connected" | "authorized" | "authenticated" => Phase::Ready,
        "failed" | "error" => Phase::Failed,
        "disconnecting" => Phase::Deleting,
        "disconnected" => Phase::Deleted,
        other if other.ends_with("_failed") => Phase::Failed,
        _ => Phase::Pending,
    }
}

fn method(word: &str) -> Option<AuthMethod> {
    match word.to_ascii_lowercase().as_str() {
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
    fn reference_and_cli_spelling_read_alike() {
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
    fn every_status_word_has_a_phase() {
        let table = [
            ("connected", Phase::Ready),
            ("Connected", Phase::Ready),
            ("connecting", Phase::Pending),
            ("authenticating", Phase::Pending),
            ("", Phase::Pending),
            ("some new word", Phase::Pending),
            ("failed", Phase::Failed),
            ("error", Phase::Failed),
            ("connection_failed", Phase::Failed),
            ("authentication-failed", Phase::Failed),
            ("disconnecting", Phase::Deleting),
            ("disconnected", Phase::Deleted),
        ];
        for (word, wanted) in table {
            assert_eq!(phase(word), wanted, "{word}");
        }
    }

    #[test]
    fn missing_null_and_empty_fields_are_one() {
        for org in ["null", "{}", r#"{"id":null}"#, r#"{"id":"","instance_url":""}"#] {
            let body = format!(r#"{{"id":"c1","status":"connecting","connection_name":"prod","org":{org}}}"#);
            let one = connection(body.as_bytes(), None).unwrap().unwrap();
            assert_eq!((one.org, one.name.as_deref()), (Org::default(), Some("prod")), "{org}");
        }
    }

    #[test]
    fn one_unreadable_item_silences_no_other_but_proves_nothing_absent() {
        let list = connections(br#"[{"id":"c1","status":"connected","org":{"connection_name":"a"}},{"status":"x"}]"#);
        let list = list.unwrap();
        assert_eq!((list.items.len(), list.whole), (1, false));
        assert!(connections(b"[]").unwrap().whole);
        assert!(connections(b"{}").is_err() && connections(b"<html>").is_err() && connections(b"").is_err());
    }

    #[test]
    fn parts_that_are_absent_or_odd_cost_no_item() {
        let odd = |part: &str| ["null", "7", "[]", "\"x\"", "{}"].map(|value| format!(r#","{part}":{value}"#));
        let parts = ["status", "org", "error", "redirect_uri", "created_at", "created_by", "connection_method"];
        for part in parts.into_iter().flat_map(odd).chain([String::new()]) {
            for (id, told) in
                [(r#""c1""#, "c1"), ("7", "7"), ("-7", "-7"), ("18446744073709551615", "18446744073709551615")]
            {
                let list = connections(format!(r#"[{{"id":{id},"connection_name":"a"{part}}}]"#).as_bytes()).unwrap();
                let seen: Vec<_> = list.items.iter().map(|one| (one.id.as_str(), one.name.as_deref())).collect();
                assert_eq!((seen, list.whole), (vec![(told, Some("a"))], true), "{id}{part}");
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
    fn a_list_in_place_of_an_object_is_searched_by_id() {
        let body = br#"[{"id":"c1","status":"connected"},{"id":"c2","status":"failed"}]"#;
        assert_eq!(connection(body, Some("c2")).unwrap().unwrap().phase, Phase::Failed);
        assert_eq!(connection(b"[]", Some("c2")).unwrap(), None);
    }

    #[test]
    fn errors_within_a_resource_are_told_in_one_line() {
        let body = br#"{"id":"c1","status":"failed","error":{"id":"authentication_failed","message":"JWT failed"}}"#;
        let one = connection(body, None).unwrap().unwrap();
        assert_eq!(one.error.as_deref(), Some("authentication_failed: JWT failed"));
    }

    #[test]
    fn errors_within_a_resource_repeat_neither_what_was_sent_nor_what_the_resource_holds() {
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
