//! Decodes the credentials of an authorization. This is the only place that reads an access token from a body.
//!
//! Pure. `applink` calls it if a user wants the credentials in a Secret.

use secrecy::SecretString;
use serde_json::Value;

use super::org::{org, user};
use super::org_access::phase;
use super::{Unreadable, json, text};
use crate::facts::{Credentials, Org, Phase};

/// Decodes the credentials of the authorization with this ID: an object, or a list that contains it.
///
/// # Errors
/// The body is neither, belongs to another authorization, or has no access token.
pub fn credentials(body: &[u8], id: &str) -> Result<Credentials, Unreadable> {
    let is_it = |one: &Value| super::id(one, &["id"]).is_none_or(|value| value == id);
    let object = match json(body)? {
        Value::Array(all) => all.into_iter().find(is_it).ok_or(Unreadable("a list without the authorization"))?,
        object @ Value::Object(_) if is_it(&object) => object,
        Value::Object(_) => return Err(Unreadable("another authorization")),
        _ => return Err(Unreadable("neither an object nor a list")),
    };
    let token = object
        .get("org")
        .and_then(|org| user(org, "access_token"))
        .ok_or(Unreadable("an authorization without access token"))?;
    let status = text(&object, &["status", "state"]).unwrap_or_default();
    Ok(Credentials {
        access_token: SecretString::from(token),
        org: with_scheme(org(&object)),
        authorized: phase(&status) == Phase::Ready,
    })
}

fn with_scheme(org: Org) -> Org {
    let full = |url: String| if url.contains("://") { url } else { format!("https://{url}") };
    Org { instance_url: org.instance_url.map(full), ..org }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    const NESTED: &str = r#"{"id":"a1","status":"authorized","org":{"id":"00D","developer_name":"batch",
        "instance_url":"https://i.my.salesforce.com","type":"SalesforceOrg","api_version":"v64.0",
        "user_auth":{"username":"u@x","user_id":"005","access_token":"00D!canary"}}}"#;
    const FLAT: &str = r#"[{"id":"a1","state":"Authorized","org":{"id":"00D","instance_url":"i.my.salesforce.com",
        "type":"salesforceorg","api_verion":"64.0","username":"u@x","user_id":"005","access_token":"00D!canary"}}]"#;

    #[test]
    fn nested_and_flat_spelling_agree_and_print_no_token() {
        let printed: Vec<_> = [NESTED, FLAT]
            .iter()
            .map(|body| {
                let one = credentials(body.as_bytes(), "a1").unwrap();
                assert_eq!(one.access_token.expose_secret(), "00D!canary");
                assert!(one.authorized);
                assert_eq!(one.org.instance_url.as_deref(), Some("https://i.my.salesforce.com"));
                assert_eq!(
                    (one.org.api_version.as_deref(), one.org.kind.as_deref()),
                    (Some("64.0"), Some("SalesforceOrg"))
                );
                assert_eq!((one.org.username.as_deref(), one.org.user_id.as_deref()), (Some("u@x"), Some("005")));
                format!("{one:?}")
            })
            .collect();
        assert_eq!(printed[0], printed[1]);
        assert!(!printed[0].contains("canary"));
    }

    #[test]
    fn status_decides_whether_credentials_are_authorized() {
        for (status, good) in [
            ("authorized", true),
            ("Authorized", true),
            ("authenticated", true),
            ("authorizing", false),
            ("disconnected", false),
            ("failed", false),
            ("", false),
        ] {
            let body = NESTED.replace("authorized", status);
            assert_eq!(credentials(body.as_bytes(), "a1").unwrap().authorized, good, "{status}");
        }
    }

    #[test]
    fn requested_authorization_is_picked_from_a_list() {
        let other = NESTED.replace("a1", "a2").replace("canary", "other");
        let list = format!("[{other},{NESTED}]");
        let one = credentials(list.as_bytes(), "a1").unwrap();
        assert_eq!(one.access_token.expose_secret(), "00D!canary");
        for body in [&other, &format!("[{other}]")] {
            assert!(credentials(body.as_bytes(), "a1").is_err(), "{body}");
        }
        let numbered = NESTED.replace(r#""a1""#, "71");
        assert!(credentials(numbered.as_bytes(), "71").is_ok() && credentials(numbered.as_bytes(), "a1").is_err());
        let nameless = NESTED.replace(r#""id":"a1","#, "");
        assert!(credentials(nameless.as_bytes(), "a1").is_ok(), "without an id in the body, the route decides");
    }

    #[test]
    fn body_without_token_is_an_error() {
        for body in ["", "[]", "{}", "null", "7", r#"{"status":"authorized","org":{"access_token":""}}"#, "[{},{}]"] {
            assert!(credentials(body.as_bytes(), "a1").is_err(), "{body}");
        }
    }
}
