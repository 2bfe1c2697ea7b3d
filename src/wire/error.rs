//! Every shape in which the two APIs and the routers before them tell an error.
//!
//! Pure. `transport` calls it for each answer that is not a success.

use serde_json::Value;

use super::{json, redact, secrets_of, text};

/// What an error answer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorText {
    /// The service's own error id.
    pub id: Option<String>,
    /// The service's own text, redacted.
    pub message: Option<String>,
}

impl ErrorText {
    /// Both in one line.
    #[must_use]
    pub fn line(&self) -> Option<String> {
        match (&self.id, &self.message) {
            (Some(id), Some(message)) => Some(format!("{id}: {message}")),
            (one, other) => one.clone().or_else(|| other.clone()),
        }
    }

    /// Whether it is the JWT that was refused rather than the token of the call: both come as 401 or 403.
    #[must_use]
    pub fn blames_jwt(&self) -> bool {
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

/// Reads an error body; `known` are the secrets of the call, which a service may echo, as it may those of the body.
#[must_use]
pub fn error_text(body: &[u8], known: &[&str]) -> ErrorText {
    let Ok(value) = json(body) else { return ErrorText::default() };
    let inner = match value.get("error") {
        Some(inner @ Value::Object(_)) => inner,
        _ => &value,
    };
    let known = [known, &secrets_of(&value)].concat();
    let clean = |told: Option<String>| told.map(|t| redact(&t, &known)).filter(|t| !t.is_empty());
    ErrorText {
        id: clean(text(inner, &["id", "title", "code"])),
        message: clean(text(inner, &["message", "detail", "error_description"]).or_else(|| text(&value, &["error"]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_read() {
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
    fn a_refused_jwt_is_told_from_a_refused_token() {
        let blames = |body: &str| error_text(body.as_bytes(), &[]).blames_jwt();
        assert!(blames(r#"{"id":"authentication_failed","message":"JWT authentication failed"}"#));
        assert!(blames(r#"{"id":"unauthorized","message":"user hasn't approved this consumer"}"#));
        assert!(!blames(r#"{"id":"unauthorized","message":"Invalid credentials provided."}"#));
        assert!(!blames(""));
    }
}
