//! AppLinkAddon: the AppLink add-on of one Heroku app, and the credential to reach it.
//!
//! Pure types and rules. `plan` decides from them, `observe` polls what they name.

// Two columns may have the same type.
#![allow(clippy::duplicated_attributes)]

use std::time::Duration;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::common::{ManagementPolicy, SecretKeyRef, initial_status, url_form, url_scheme};
use super::condition::{Condition, conditions_schema};

/// The AppLink add-on of one Heroku app, and the credential to reach it.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash, KubeSchema)]
#[kube(
    group = "applink.dev",
    version = "v1alpha1",
    kind = "AppLinkAddon",
    plural = "applinkaddons",
    singular = "applinkaddon",
    shortname = "ala",
    category = "applink",
    namespaced,
    status = "AppLinkAddonStatus",
    derive = "PartialEq",
    doc = "The Heroku AppLink add-on of one Heroku app, and the credential to reach it.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Add-on", type_ = "string", json_path = ".status.addonName"),
    printcolumn(name = "App", type_ = "string", json_path = ".spec.app"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "ID", type_ = "string", json_path = ".status.addonID", priority = "1"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, kube(cel))]
pub struct AppLinkAddonSpec {
    /// Name or UUID of the Heroku app. Immutable.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z0-9][A-Za-z0-9-]*$')").message("app must be the name or UUID of a Heroku app: letters, digits and dashes"),
        validation = Rule::new("self == oldSelf").message("app is immutable: create another AppLinkAddon for another app")
    )]
    pub app: String,

    /// Name or UUID of the AppLink add-on. Optional if the app has exactly one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9][A-Za-z0-9-]*$')").message("addon must be the name or UUID of a Heroku add-on: letters, digits and dashes"))]
    pub addon: Option<String>,

    /// Reference to the Secret that holds the Heroku API token. The token is a direct authorization, created with `heroku authorizations:create`.
    pub token_secret_ref: SecretKeyRef,

    /// URL of the Heroku Platform API. The operator's --allowed-host must match its host.
    #[serde(rename = "platformURL", default = "default_platform_url")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = url_form("platformURL"), validation = url_scheme("platformURL"))]
    pub platform_url: String,

    /// How often the operator reads the live state when nothing else happens, from 10s to 1h.
    #[serde(default = "default_poll_interval")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+(\\\\.[0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('10s') && duration(self) <= duration('1h')").message("pollInterval must be a duration from 10s to 1h, like 60s or 5m"))]
    pub poll_interval: String,

    /// Full manages the resources on this add-on. Observe is a ceiling for all of them: the operator creates, changes and deletes nothing.
    #[serde(default)]
    pub management_policy: ManagementPolicy,
}

fn default_platform_url() -> String {
    "https://api.heroku.com".to_owned()
}

/// What `pollInterval` says, where it is one that the CRD permits: what was stored under an older one may be anything.
#[must_use]
pub fn poll_interval(text: &str) -> Option<Duration> {
    let (mut rest, mut seconds) = (text, 0_f64);
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(char::is_alphabetic)?);
        let (unit, next) = after.split_at(after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len()));
        let unit = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * unit;
        rest = next;
    }
    // No number at all is none of them, either.
    (10.0..=3600.0).contains(&seconds).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
}

fn default_poll_interval() -> String {
    "60s".to_owned()
}

/// The add-on as found on Heroku, and the conditions.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = initial_status()))]
pub struct AppLinkAddonStatus {
    /// Generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready and Reachable. Reconciling and Stalled appear only while they are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// Last value of applink.dev/requestedAt that the operator acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// Last value of applink.dev/replace that the operator saw. It never replaces an add-on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_replace: Option<String>,
    /// UUID of the Heroku app. It stays once resolved.
    #[serde(rename = "appID", default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// UUID of the add-on. It stays once resolved.
    #[serde(rename = "addonID", default, skip_serializing_if = "Option::is_none")]
    pub addon_id: Option<String>,
    /// Name of the add-on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addon_name: Option<String>,
    /// URL of the add-on's AppLink API, as Heroku reports it.
    #[serde(rename = "apiURL", default, skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    /// Number of connections on the add-on, including those that the operator does not manage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<i64>,
    /// Number of authorizations on the add-on, including those that the operator does not manage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorizations: Option<i64>,
}
