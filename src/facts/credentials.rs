//! What a stored authorization gives access with, as the service tells it.
//!
//! Pure, and nothing here prints the token. `wire::credentials` decodes into it; it goes into a Secret and nowhere else.

use secrecy::SecretString;

use super::Org;

/// Access to an org, as it is now: the token lapses at a time that nobody tells.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Access token.
    pub access_token: SecretString,
    /// The org and its user; the instance's URL has a scheme.
    pub org: Org,
    /// Whether the service says that access is granted.
    pub authorized: bool,
}
