//! Decodes publications in all spellings: reference, CLI, and mixtures.
//!
//! Pure. `applink` calls it.

use jiff::Timestamp;
use serde_json::Value;

use super::{Unreadable, id, json, text};
use crate::facts::RemotePublication;
use crate::facts::collection::Listing;

const APP: [&str; 2] = ["app_id", "app_uuid"];
const SERVICE: [&str; 2] = ["external_service_id", "esr_id"];
const SERVICE_NAME: [&str; 2] = ["external_service_name", "esr_name"];

/// Decodes the publication of `app` on a connection, from a list or a single object. Skips those of other apps. An item
/// without an app belongs to `app`, since the route asks for that app only. Of several, the last published one counts.
///
/// # Errors
/// The body is neither a list nor an object.
pub fn publications(body: &[u8], app: &str) -> Result<Listing<RemotePublication>, Unreadable> {
    let all = match json(body)? {
        Value::Array(all) => all,
        object @ Value::Object(_) => vec![object],
        _ => return Err(Unreadable("neither an object nor a list")),
    };
    let read: Vec<_> = all.iter().filter_map(|item| decode(item, app)).collect();
    let whole = read.len() == all.len();
    let ours = read.into_iter().filter(|publication| publication.id == app).max_by_key(published_at);
    Ok(Listing { items: ours.into_iter().collect(), whole })
}

/// Returns `None` for an item without any field of a publication.
fn decode(item: &Value, app: &str) -> Option<RemotePublication> {
    let known = [&APP[..], &SERVICE, &SERVICE_NAME, &["connection_name", "heroku_applink_id", "heroku_app_link_id"]];
    known.iter().find_map(|keys| id(item, keys))?;
    Some(RemotePublication {
        id: id(item, &APP).unwrap_or_else(|| app.to_owned()),
        external_service_id: id(item, &SERVICE),
        external_service_name: text(item, &SERVICE_NAME),
        org_id: text(item, &["org_id"]),
        created_at: text(item, &["created_at"]),
        created_by: text(item, &["created_by"]),
        modified_at: text(item, &["last_modified_at", "modified_at"]),
    })
}

fn published_at(publication: &RemotePublication) -> Option<Timestamp> {
    publication.modified_at.as_deref().or(publication.created_at.as_deref())?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(body: &str) -> Listing<RemotePublication> {
        publications(body.as_bytes(), "app-1").unwrap()
    }

    #[test]
    fn reference_and_cli_spelling_agree() {
        let reference = r#"[{"app_id":"app-1","heroku_app_link_id":"h1","external_service_id":"e1",
            "external_service_name":"Orders","connection_name":"prod","org_id":"00D","app_name":"orders",
            "created_at":"2025-04-06T18:20:42.226577Z","created_by":"a@b.c","last_modified_at":"2025-04-07T18:20:42Z"}]"#;
        let cli = r#"{"app_uuid":"app-1","heroku_applink_id":"h1","esr_id":"e1","esr_name":"Orders","org_id":"00D",
            "connection_name":"prod","created_at":"2025-04-06T18:20:42.226577Z","created_by":"a@b.c",
            "last_modified_at":"2025-04-07T18:20:42Z"}"#;
        let one = list(reference);
        assert_eq!(one, list(cli), "an object in place of a list");
        assert!(one.whole);
        assert_eq!(one.items[0].external_service_id.as_deref(), Some("e1"));
        assert_eq!(one.items[0].external_service_name.as_deref(), Some("Orders"));
        assert_eq!(one.items[0].modified_at.as_deref(), Some("2025-04-07T18:20:42Z"));
    }

    #[test]
    fn last_publication_of_the_app_counts() {
        let table = [
            ("[]", None, true),
            (r#"[{"app_id":"app-2","esr_id":"other"}]"#, None, true),
            (r#"[{"esr_id":"no app"}]"#, Some("no app"), true),
            (r#"[{"esr_id":7,"app_id":null,"org_id":7,"created_at":[],"last_modified_at":7}]"#, Some("7"), true),
            (r#"[{"app_id":7,"esr_id":"other"}]"#, None, true),
            (r#"[{"app_id":[],"org_id":"00D"}]"#, None, false),
            (r#"[{"app_id":"app-2","esr_id":"other"},{"app_id":"app-1","esr_id":"ours"}]"#, Some("ours"), true),
            (r#"[{"app_id":"app-1","esr_id":"ours"},null]"#, Some("ours"), false),
            (r#"["app-1"]"#, None, false),
            ("[{}]", None, false),
            ("{}", None, false),
            (r#"{"error":"no such connection"}"#, None, false),
            (
                r#"[{"esr_id":"late","last_modified_at":"2025-04-07T18:20:42.5Z"},
                    {"esr_id":"early","last_modified_at":"2025-04-07T18:20:42Z"},{"esr_id":"never"}]"#,
                Some("late"),
                true,
            ),
            (r#"[{"esr_id":"first"},{"esr_id":"second"}]"#, Some("second"), true),
        ];
        for (body, wanted, whole) in table {
            let listing = list(body);
            let ids: Vec<_> = listing.items.iter().map(|item| item.external_service_id.as_deref()).collect();
            assert_eq!((ids, listing.whole), (wanted.map(Some).into_iter().collect(), whole), "{body}");
        }
        for body in ["", "<html>", "null", "1"] {
            assert!(publications(body.as_bytes(), "app-1").is_err(), "{body}");
        }
    }
}
