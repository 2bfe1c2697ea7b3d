//! A bearer token of the simulated world, which `Debug` shows as a digest only.
//!
//! Must not be serialised: the control API hands out digests too, except for a token that it was
//! just asked to make. Called by `state` and `http`.

use std::fmt;

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A Heroku token or an add-on's `_TOKEN`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Wraps a token's text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A fresh opaque hex token, as AppLink hands them out.
    pub fn random() -> Self {
        Self(format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()))
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The first 12 hex digits of the SHA-256: tells tokens apart and gives none away.
    pub fn digest(&self) -> String {
        let mut digest = sha256_hex(&self.0);
        digest.truncate(12);
        digest
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(sha256:{})", self.digest())
    }
}

/// Lowercase hex SHA-256 of a text.
pub(super) fn sha256_hex(content: impl AsRef<[u8]>) -> String {
    format!("{:x}", Sha256::digest(content))
}
