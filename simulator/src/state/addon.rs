//! Apps, add-ons and attachments.
//!
//! Called by `world`, `apps` and everything that shows one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::token::Token;

/// A Heroku app.
#[derive(Debug, Clone)]
pub struct App {
    pub id: Uuid,
    pub name: String,
    /// Its own config vars. They override those of its add-ons.
    pub config_vars: BTreeMap<String, String>,
}

/// An add-on.
#[derive(Debug, Clone)]
pub struct Addon {
    pub id: Uuid,
    pub name: String,
    /// The name of its service.
    pub service: String,
    /// Its provisioning state.
    pub state: AddonState,
    /// Its `_TOKEN`.
    pub token: Token,
    /// Whether AppLink refuses that token, although the config var still has it.
    pub token_revoked: bool,
    /// The app that owns it.
    pub owner: Uuid,
    /// Where it is attached.
    pub attachments: Vec<Attachment>,
}

/// An add-on's attachment to an app.
#[derive(Debug, Clone)]
pub struct Attachment {
    pub id: Uuid,
    pub app: Uuid,
    /// Its name: the prefix of the config vars.
    pub name: String,
}

/// The provisioning state of an add-on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AddonState {
    /// It has no config vars yet.
    Provisioning,
    /// Usable.
    Provisioned,
    /// Removed, but still shown.
    Deprovisioned,
}

impl AddonState {
    /// As the Platform API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Provisioned => "provisioned",
            Self::Deprovisioned => "deprovisioned",
        }
    }
}

impl Addon {
    /// Its attachment to an app.
    pub fn attachment_to(&self, app: Uuid) -> Option<&Attachment> {
        self.attachments.iter().find(|a| a.app == app)
    }

    /// Whether it is an AppLink add-on, staging ones included.
    pub fn is_applink(&self) -> bool {
        self.service.starts_with("heroku-applink")
    }
}

/// Whether a text is this id, in any case.
pub(crate) fn is_id(id: Uuid, text: &str) -> bool {
    id.to_string().eq_ignore_ascii_case(text)
}

/// Whether a path segment is this id or this name.
pub(super) fn is_called(id: Uuid, name: &str, key: &str) -> bool {
    name == key || is_id(id, key)
}
