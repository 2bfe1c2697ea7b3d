//! The add-on SSO payload: the Platform API issues it, AppLink checks it.
//!
//! Stateless: its tokens are digests over the add-on, the salt of the world and a timestamp. (The real `resource_token`
//! is a SHA-1; clients do not read it.) Must not use HTTP. Called by `http::platform` and `http::door`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Addon, App, StateError, World};
use crate::settings::seconds;
use crate::token::sha256_hex;

/// The response of the SSO route, and the content of `x-addon-sso`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sso {
    action: String,
    method: String,
    params: SsoParams,
}

#[derive(Serialize, Deserialize)]
struct SsoParams {
    app: String,
    context_app: String,
    email: String,
    id: String,
    #[serde(rename = "nav-data")]
    nav_data: String,
    resource_id: String,
    resource_token: String,
    timestamp: String,
    token: String,
    user_id: String,
    user_scoped_resource_token: String,
}

impl World {
    /// Issues a payload for an add-on, requested by an app.
    pub(crate) fn issue_sso(&self, app: &App, addon: &Addon, now: Timestamp) -> Sso {
        let owner = self.apps.iter().find(|app| app.id == addon.owner);
        let timestamp = now.as_second().to_string();
        let (resource_token, user_scoped_resource_token) = self.sso_tokens(addon, &timestamp);
        Sso {
            action: "https://applink.heroku.com/sso/login".to_owned(),
            method: "post".to_owned(),
            params: SsoParams {
                app: owner.unwrap_or(app).name.clone(),
                context_app: app.name.clone(),
                email: self.account.email.clone(),
                id: addon.id.to_string(),
                nav_data: "eyJhZGRvbiI6Imhlcm9rdS1hcHBsaW5rIn0".to_owned(),
                resource_id: addon.id.to_string(),
                token: resource_token.clone(),
                resource_token,
                timestamp,
                user_id: self.account.user_id.clone(),
                user_scoped_resource_token,
            },
        }
    }

    /// Checks that this world issued a payload for this add-on, and if `fresh_at` is given, that it is not too old.
    pub(crate) fn check_sso(&self, sso: &Sso, addon: &Addon, fresh_at: Option<Timestamp>) -> Result<(), StateError> {
        let params = &sso.params;
        let (resource_token, user_scoped) = self.sso_tokens(addon, &params.timestamp);
        let ours = params.resource_id == addon.id.to_string()
            && params.resource_token == resource_token
            && params.user_scoped_resource_token == user_scoped;
        let issued = params.timestamp.parse::<i64>();
        let (true, Ok(issued)) = (ours, issued) else {
            return Err(StateError::SsoOtherAddon);
        };
        let Some(now) = fresh_at else { return Ok(()) };
        let age = now.as_second().saturating_sub(issued);
        let window = seconds(self.settings.sso_window_seconds).as_secs();
        if age > window {
            return Err(StateError::SsoStale { age, window });
        }
        Ok(())
    }

    fn sso_tokens(&self, addon: &Addon, timestamp: &str) -> (String, String) {
        let resource = format!("{}:{}:{timestamp}", addon.id, self.sso_salt);
        let user = format!("{resource}:{}:{}", self.account.user_id, self.account.email);
        (sha256_hex(&resource), sha256_hex(&user))
    }
}
