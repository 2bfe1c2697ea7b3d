//! The world that a simulator starts with.
//!
//! Must not use random ids: tests and the demo rely on fixed ones. Called by the tests and the
//! binary.

use std::collections::BTreeMap;

use uuid::{Uuid, uuid};

use super::settings::Settings;
use super::state::{Addon, AddonState, App, Attachment};
use super::token::Token;

/// The initial contents of a world. The default is what the binary starts with: one account with one app, one AppLink
/// add-on attached as `HEROKU_APPLINK`, and a database add-on that has nothing to do with AppLink.
#[derive(Debug, Clone)]
pub struct Seed {
    pub email: String,
    /// The tokens that the Platform API accepts.
    pub heroku_tokens: Vec<Token>,
    pub apps: Vec<App>,
    /// The account's add-ons, with their attachments.
    pub addons: Vec<Addon>,
    pub settings: Settings,
}

impl Seed {
    /// The only Heroku token of the default seed.
    pub const HEROKU_TOKEN: &str = "HRKU-demo-token";
    /// The name of the default seed's app.
    pub const APP_NAME: &str = "orders-prod";
    /// The id of the default seed's app.
    pub const APP_ID: Uuid = uuid!("6b1f0a3e-52c7-4d0e-9a51-3c8f7e2d4b10");
    /// The name of the default seed's AppLink add-on.
    pub const ADDON_NAME: &str = "heroku-applink-cubed-1234";
    /// The id of the default seed's AppLink add-on.
    pub const ADDON_ID: Uuid = uuid!("01c2a7d4-8e6b-4f39-b0d5-7a94e1c3f628");
    /// The token of the default seed's AppLink add-on.
    pub const ADDON_TOKEN: &str = "7d1be3f0c94a5a2286e0f3b17c55d9e84410ab6f2c39d07be8815f64a20c97d3";
}

impl Default for Seed {
    fn default() -> Self {
        let app_id = Self::APP_ID.to_string();
        let vars = [
            ("DATABASE_URL", "postgres://orders@db.example.com/orders"),
            ("HEROKU_APP_ID", &app_id),
            ("LOG_LEVEL", "info"),
        ];
        let app = App {
            id: Self::APP_ID,
            name: Self::APP_NAME.to_owned(),
            config_vars: BTreeMap::from(vars.map(|(k, v)| (k.to_owned(), v.to_owned()))),
        };
        let addon = |id, name: &str, service: &str, token, attachment| Addon {
            id,
            name: name.to_owned(),
            service: service.to_owned(),
            state: AddonState::Provisioned,
            token: Token::new(token),
            token_revoked: false,
            owner: app.id,
            attachments: vec![attachment],
        };
        let attachment = |id, name: &str| Attachment { id, app: app.id, name: name.to_owned() };
        let addons = vec![
            addon(
                uuid!("c5a1d2ee-0b44-4c1a-8f0e-2d6b9e7a3351"),
                "postgresql-round-5678",
                "heroku-postgresql",
                "not-an-applink-token",
                attachment(uuid!("f3b85c1d-6a2e-4b7d-9c40-1e5d8a7f2b63"), "DATABASE"),
            ),
            addon(
                Self::ADDON_ID,
                Self::ADDON_NAME,
                "heroku-applink",
                Self::ADDON_TOKEN,
                attachment(uuid!("2e94b6f8-d173-4a5c-b6e2-90c7f1a8d345"), "HEROKU_APPLINK"),
            ),
        ];
        Self {
            email: "demo@example.com".to_owned(),
            heroku_tokens: vec![Token::new(Self::HEROKU_TOKEN)],
            apps: vec![app],
            addons,
            settings: Settings::default(),
        }
    }
}
