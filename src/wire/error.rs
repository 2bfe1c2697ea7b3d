//! Decodes errors in all formats of the two APIs and of the routers in front of them.
//!
//! Pure. `transport` calls it for each response that is not a success.

use serde_json::Value;

use super::{json, redact, secrets_of, text};

/// The text of an error response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorText {
    /// Error ID of the service, redacted.
    pub id: Option<String>,
    /// Message of the service, redacted.
    pub message: Option<String>,
}

impl ErrorText {
    /// ID and message in one line.
    #[must_use]
    pub fn line(&self) -> Option<String> {
        match (&self.id, &self.message) {
            (Some(id), Some(message)) => Some(format!("{id}: {message}")),
            (one, other) => one.clone().or_else(|| other.clone()),
        }
    }

    /// Whether the message is about the JWT. AppLink answers 401 or 403 for a bad JWT, as it does for a bad API token.
    #[must_use]
    pub fn mentions_jwt(&self) -> bool {
        const SIGNS: [&str; 12] = [
            "jwt",
            "authentication_failed",
            "invalid_grant",
            "invalid_client",
            "consumer",
            "client id",
            "client_id",
            "username",
            "private key",
            "private_key",
            "certificate",
            "login url",
        ];
        let line = self.line().unwrap_or_default().to_ascii_lowercase();
        SIGNS.iter().any(|sign| line.contains(sign))
    }
}

/// Decodes an error body. Redacts the secrets of the call (`known`) and those in the body, since a service may repeat
/// them.
#[must_use]
pub fn error_text(body: &[u8], known: &[&str]) -> ErrorText {
    let Ok(value) = json(body) else { return ErrorText::default() };
    let inner = match value.get("error") {
        Some(inner @ Value::Object(_)) => inner,
        _ => &value,
    };
    let known = [known, &secrets_of(&value)].concat();
    let clean = |value: Option<String>| value.map(|t| redact(&t, &known)).filter(|t| !t.is_empty());
    ErrorText {
        id: clean(text(inner, &["id", "title", "code"])),
        message: clean(text(inner, &["message", "detail", "error_description"]).or_else(|| text(&value, &["error"]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_format_is_decoded() {
        let table: [(&str, Option<&str>); 8] = [
            (r#"{"id":"conflict","message":"taken"}"#, Some("conflict: taken")),
            (r#"{"title":"Not Found","detail":"no such thing"}"#, Some("Not Found: no such thing")),
            (r#"{"error":"nope"}"#, Some("nope")),
            (r#"{"error":{"id":"x","message":"y"}}"#, Some("x: y")),
            (r#"{"message":"only text"}"#, Some("only text")),
            ("<html>Application error</html>", None),
            ("", None),
            ("[]", None),
        ];
        for (body, wanted) in table {
            assert_eq!(error_text(body.as_bytes(), &[]).line().as_deref(), wanted, "{body}");
        }
    }

    #[test]
    fn refused_jwt_differs_from_refused_token() {
        let mentions = |body: &str| error_text(body.as_bytes(), &[]).mentions_jwt();
        assert!(mentions(r#"{"id":"authentication_failed","message":"JWT authentication failed"}"#));
        assert!(mentions(r#"{"id":"unauthorized","message":"user hasn't approved this consumer"}"#));
        assert!(!mentions(r#"{"id":"unauthorized","message":"Invalid credentials provided."}"#));
        assert!(!mentions(""));
    }
}
