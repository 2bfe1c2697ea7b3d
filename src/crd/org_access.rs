//! What connections and authorizations share: to whom access is granted, and how.
//!
//! Pure types and rules. `connection` and `authorization` embed them; `plan::kinds::org_access` decides with them.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::common::{SecretKeyRef, trimmed, url_form, url_scheme};
use super::remote::{RecordsRemote, RemoteStatus};

/// Access to an org, and how it is granted.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthSpec {
    /// What it leads to: a Salesforce org or a Data Cloud org. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf").message("provider is immutable: create another resource for another provider"))]
    pub provider: Provider,

    /// Salesforce login URL; sandboxes have test.salesforce.com in place of login.salesforce.com.
    #[serde(rename = "loginURL", default = "default_login_url")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = url_form("loginURL"), validation = url_scheme("loginURL"))]
    pub login_url: String,

    /// As a robot with a JWT: no browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwt: Option<JwtMethod>,

    /// As a person: someone opens a link in a browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth: Option<OauthMethod>,

    /// The org and user that it must lead to, since the person who consents picks them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
}

/// What access leads to.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, Hash, JsonSchema)]
pub enum Provider {
    /// A Salesforce org.
    Salesforce,
    /// A Data Cloud org.
    DataCloud,
}

/// How a robot gets access: the OAuth 2.0 JWT bearer flow of a Salesforce connected app or external client app.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct JwtMethod {
    /// Consumer key of the connected app or external client app.
    #[serde(rename = "clientID")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = trimmed("clientID"))]
    pub client_id: String,
    /// Salesforce user to act as.
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = trimmed("username"))]
    pub username: String,
    /// Secret that holds the private key, PEM encoded.
    pub private_key_secret_ref: SecretKeyRef,
    /// Name of the credential in AppLink's store. Default: one derived from this resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = trimmed("alias"))]
    pub alias: Option<String>,
}

/// How a person grants access; it has no settings.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub struct OauthMethod {}

/// The org and user that access must lead to.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.orgID) || has(self.username)").message("expect needs orgID, username or both"))]
pub struct Expect {
    /// Salesforce org id, 15 or 18 characters.
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

/// What a status records of granted access.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrgAccessStatus {
    /// What all remote kinds have.
    #[serde(flatten)]
    pub remote: RemoteStatus,
    /// Secret that holds the link to open, key `url`, while one waits.
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
