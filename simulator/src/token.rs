//! A bearer token of the simulated world. `Debug` shows its digest only.
//!
//! Must not be serialised: the control API returns digests too, except for a token that the request created. Called by `state` and `http`.

use std::fmt;

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A Heroku token or an add-on's `_TOKEN`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A random hex token like AppLink's.
    pub fn random() -> Self {
        Self(format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The first 12 hex digits of the SHA-256: identifies a token without revealing it.
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
