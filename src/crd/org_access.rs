//! Fields that connections and authorizations share: the org, and how to sign in to it.
//!
//! Pure types and rules. `connection` and `authorization` embed them; `plan` decides from them.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{SecretKeyRef, trimmed, url_form, url_scheme};
use super::remote::{RecordsRemote, RemoteStatus};

/// An org, and how to sign in to it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthSpec {
    /// Type of org: Salesforce or Data Cloud. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("provider is immutable: create another resource for another provider"))]
    pub provider: Provider,

    /// Salesforce login URL. For a sandbox, use `https://test.salesforce.com`.
    #[serde(rename = "loginURL", default = "default_login_url")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = url_form("loginURL"), validation = url_scheme("loginURL"))]
    pub login_url: String,

    /// Sign in with the OAuth 2.0 JWT bearer flow: a private key, no browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<JwtMethod>,

    /// Sign in as a person, who opens a consent link in a browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth: Option<OauthMethod>,

    /// The org and user that the sign-in must lead to. With OAuth, the person who consents picks them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
}

/// Type of org.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, JsonSchema)]
pub enum Provider {
    /// A Salesforce org.
    Salesforce,
    /// A Data Cloud org.
    DataCloud,
}

/// The OAuth 2.0 JWT bearer flow of a Salesforce connected app or external client app.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct JwtMethod {
    /// Consumer key of the connected app or external client app.
    #[serde(rename = "clientID")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = trimmed("clientID"))]
    pub client_id: String,
    /// Salesforce user to sign in as.
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = trimmed("username"))]
    pub username: String,
    /// Reference to the Secret that holds the private key in PEM format.
    pub private_key_secret_ref: SecretKeyRef,
    /// Name of the credential in AppLink's store. The default is derived from this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = trimmed("alias"))]
    pub alias: Option<String>,
}

/// Sign-in by a person. It has no settings.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, JsonSchema)]
pub struct OauthMethod {}

/// The org and user that a sign-in must lead to.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.orgID) || has(self.username)").message("expect must set orgID, username or both"))]
pub struct Expect {
    /// Salesforce org ID, 15 or 18 characters.
    #[serde(rename = "orgID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 18))]
    #[x_kube(validation = Rule::new("self.matches('^([A-Za-z0-9]{15}|[A-Za-z0-9]{18})$')").message("orgID must have 15 or 18 letters and digits, like 00DSG000007a3BZ2AY"))]
    pub org_id: Option<String>,
    /// Salesforce user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = trimmed("username"))]
    pub username: Option<String>,
}

fn default_login_url() -> String {
    "https://login.salesforce.com".to_owned()
}

/// Status fields that connections and authorizations share.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrgAccessStatus {
    /// Fields shared by all remote kinds.
    #[serde(flatten)]
    pub remote: RemoteStatus,
    /// Name of the Secret that holds the consent link in key `url`, while the operator waits for consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth_secret_name: Option<String>,
}

impl RecordsRemote for OrgAccessStatus {
    fn remote(&self) -> &RemoteStatus {
        &self.remote
    }
    fn remote_mut(&mut self) -> &mut RemoteStatus {
        &mut self.remote
    }
}
