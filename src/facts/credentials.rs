//! The credential of an authorization.
//!
//! Pure. `wire::credentials` decodes it, and it goes into a Secret and nowhere else. `Debug` does not print the token.

use secrecy::SecretString;

use super::Org;

/// Current access to an org. AppLink does not say when the token expires.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Access token.
    pub access_token: SecretString,
    /// The org and its user. The instance URL includes the scheme.
    pub org: Org,
    /// Whether AppLink reports the authorization as authorized.
    pub authorized: bool,
}
