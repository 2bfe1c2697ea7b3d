//! Apps, add-ons, attachments and the config vars that follow from them.
//!
//! Must not know HTTP. Called by `http::platform`, `http::applink` and the control API.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{StateError, World};
use crate::token::Token;

/// A Heroku app.
#[derive(Debug, Clone)]
pub struct App {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Config vars beside those of its add-ons; one of the same name wins over an add-on's.
    pub config_vars: BTreeMap<String, String>,
}

/// An add-on.
#[derive(Debug, Clone)]
pub struct Addon {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The name of its service.
    pub service: String,
    /// Where it is in its life.
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
    /// Its id.
    pub id: Uuid,
    /// The app.
    pub app: Uuid,
    /// Its name: the prefix of the config vars.
    pub name: String,
}

/// Where an add-on is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AddonState {
    /// Without config vars yet.
    Provisioning,
    /// In working order.
    Provisioned,
    /// Gone, in all but name.
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

/// Whether a text is this id, be it in capitals.
pub(crate) fn is_id(id: Uuid, text: &str) -> bool {
    id.to_string().eq_ignore_ascii_case(text)
}

/// Whether a path segment means the thing of this id and name.
fn is_called(id: Uuid, name: &str, key: &str) -> bool {
    name == key || is_id(id, key)
}

impl World {
    /// The app of this id or name.
    pub fn app(&self, key: &str) -> Result<&App, StateError> {
        let mut apps = self.apps.iter();
        let app = apps.find(|app| is_called(app.id, &app.name, key));
        app.ok_or(StateError::NotFound("app"))
    }

    /// The app of this id or name, to be changed.
    pub fn app_mut(&mut self, key: &str) -> Result<&mut App, StateError> {
        let mut apps = self.apps.iter_mut();
        let app = apps.find(|app| is_called(app.id, &app.name, key));
        app.ok_or(StateError::NotFound("app"))
    }

    /// The add-on of this id or name.
    pub fn addon(&self, key: &str) -> Result<&Addon, StateError> {
        let mut addons = self.addons.iter();
        let addon = addons.find(|addon| is_called(addon.id, &addon.name, key));
        addon.ok_or(StateError::NotFound("add-on"))
    }

    /// The add-on of this id or name, to be changed.
    pub fn addon_mut(&mut self, key: &str) -> Result<&mut Addon, StateError> {
        let mut addons = self.addons.iter_mut();
        let addon = addons.find(|addon| is_called(addon.id, &addon.name, key));
        addon.ok_or(StateError::NotFound("add-on"))
    }

    /// Adds an app.
    pub fn add_app(&mut self, app: App) -> Result<(), StateError> {
        let taken = self.apps.iter().any(|a| a.id == app.id || a.name == app.name);
        if taken {
            return Err(StateError::Exists(format!("an app {}", app.name)));
        }
        self.apps.push(app);
        Ok(())
    }

    /// Adds an add-on.
    pub fn add_addon(&mut self, addon: Addon) -> Result<(), StateError> {
        let mut others = self.addons.iter();
        if others.any(|a| a.id == addon.id || a.name == addon.name) {
            return Err(StateError::Exists(format!("an add-on {}", addon.name)));
        }
        self.addons.push(addon);
        Ok(())
    }

    /// Removes an add-on with its connections, what hangs on them, and its authorizations.
    pub fn remove_addon(&mut self, key: &str) -> Result<(), StateError> {
        let id = self.addon(key)?.id;
        self.addons.retain(|addon| addon.id != id);
        self.accesses.retain(|a| a.addon != id);
        self.publications.retain(|p| p.addon != id);
        self.targets.retain(|t| t.addon != id);
        Ok(())
    }

    /// Removes an app with the add-ons it owns, and detaches all others from it.
    pub fn remove_app(&mut self, key: &str) -> Result<(), StateError> {
        let id = self.app(key)?.id;
        let owned = self.addons.iter().filter(|addon| addon.owner == id);
        for addon in owned.map(|addon| addon.id.to_string()).collect::<Vec<_>>() {
            self.remove_addon(&addon)?;
        }
        for addon in &mut self.addons {
            addon.attachments.retain(|a| a.app != id);
        }
        self.apps.retain(|app| app.id != id);
        Ok(())
    }

    /// The add-ons that an app may use, its own or another's, with their attachments to it.
    pub fn attached_to(&self, app: Uuid) -> impl Iterator<Item = (&Addon, &Attachment)> {
        let attachments = move |addon| Addon::attachment_to(addon, app).map(|a| (addon, a));
        self.addons.iter().filter_map(attachments)
    }

    /// An app's config vars; `origin` is where this simulator was reached.
    pub fn config_vars(&self, app: &App, origin: &str) -> BTreeMap<String, String> {
        let origin = self.settings.origin_or(origin);
        let mut vars = BTreeMap::new();
        for (addon, attachment) in self.attached_to(app.id) {
            if addon.is_applink() && addon.state == AddonState::Provisioned {
                let name = &attachment.name;
                vars.insert(format!("{name}_API_URL"), format!("{origin}/addons/{}", addon.id));
                vars.insert(format!("{name}_TOKEN"), addon.token.expose().to_owned());
            }
        }
        vars.extend(app.config_vars.clone());
        vars
    }
}
