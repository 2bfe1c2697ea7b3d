//! What an authorization gives access with: the only access token that is read out of a body on purpose.
//!
//! Pure. `applink` calls it, where a user asks for the credentials in a Secret.

use secrecy::SecretString;
use serde_json::Value;

use super::org::{org, user};
use super::{Unreadable, json, text};
use crate::plan::live::{Credentials, Org};

/// The credentials of one authorization: an object, or a list of one.
///
/// # Errors
/// Where the body is neither, or has no access token.
pub fn credentials(body: &[u8]) -> Result<Credentials, Unreadable> {
    let object = match json(body)? {
        Value::Array(mut all) if all.len() == 1 => all.remove(0),
        object @ Value::Object(_) => object,
        _ => return Err(Unreadable("not one authorization")),
    };
    let token = user(&object["org"], "access_token").ok_or(Unreadable("an authorization without access token"))?;
    let status = text(&object, &["status", "state"]).unwrap_or_default();
    let Org { id, instance_url, kind, api_version, username, user_id } = org(&object);
    Ok(Credentials {
        access_token: SecretString::from(token),
        instance_url: instance_url.map(with_scheme),
        api_version,
        org_id: id,
        org_type: kind,
        user_id,
        username,
        authorized: status.eq_ignore_ascii_case("authorized"),
    })
}

fn with_scheme(url: String) -> String {
    if url.contains("://") { url } else { format!("https://{url}") }
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
    fn nested_and_flat_read_alike_and_print_no_token() {
        let printed: Vec<_> = [NESTED, FLAT]
            .iter()
            .map(|body| {
                let one = credentials(body.as_bytes()).unwrap();
                assert_eq!(one.access_token.expose_secret(), "00D!canary");
                assert!(one.authorized);
                assert_eq!(one.instance_url.as_deref(), Some("https://i.my.salesforce.com"));
                assert_eq!(
                    (one.api_version.as_deref(), one.org_type.as_deref()),
                    (Some("64.0"), Some("SalesforceOrg"))
                );
                assert_eq!((one.username.as_deref(), one.user_id.as_deref()), (Some("u@x"), Some("005")));
                format!("{one:?}")
            })
            .collect();
        assert_eq!(printed[0], printed[1]);
        assert!(!printed[0].contains("canary"));
    }

    #[test]
    fn only_the_word_of_the_service_makes_them_good() {
        for status in ["authorizing", "disconnected", "failed", ""] {
            let body = NESTED.replace("authorized", status);
            assert!(!credentials(body.as_bytes()).unwrap().authorized, "{status}");
        }
    }

    #[test]
    fn what_holds_no_token_is_told_apart() {
        for body in ["", "[]", "{}", "null", r#"{"status":"authorized","org":{"access_token":""}}"#, "[{},{}]"] {
            assert!(credentials(body.as_bytes()).is_err(), "{body}");
        }
    }
}
