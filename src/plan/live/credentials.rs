//! What a stored authorization gives access with, as the service tells it.
//!
//! Pure, and nothing here prints the token. `wire::credentials` decodes into it; it goes into a Secret and nowhere else.

use secrecy::SecretString;

/// Access to an org, as it is now: the token lapses at a time that nobody tells.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Access token.
    pub access_token: SecretString,
    /// URL of the org's instance, with its scheme.
    pub instance_url: Option<String>,
    /// API version, without a leading v.
    pub api_version: Option<String>,
    /// Org id.
    pub org_id: Option<String>,
    /// SalesforceOrg or DataCloudOrg.
    pub org_type: Option<String>,
    /// Id of the user.
    pub user_id: Option<String>,
    /// Name of the user.
    pub username: Option<String>,
    /// Whether the service says that access is granted.
    pub authorized: bool,
}
