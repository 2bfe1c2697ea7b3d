//! What happens to apps and add-ons, and the config vars of an app.
//!
//! Must not use HTTP. Called by `http::platform`, `http::door` and the control API.

use std::collections::BTreeMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::addon::{Addon, AddonState, App, Attachment, is_called};
use super::budget::Rate;
use super::{StateError, World};

impl World {
    /// The app of this id or name.
    pub fn app(&self, key: &str) -> Result<&App, StateError> {
        let mut apps = self.apps.iter();
        let app = apps.find(|app| is_called(app.id, &app.name, key));
        app.ok_or(StateError::NotFound("app"))
    }

    /// The app of this id or name, for a change.
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

    /// The add-on of this id or name, for a change.
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

    /// Removes an add-on with its connections, their children, and its authorizations.
    pub fn remove_addon(&mut self, key: &str) -> Result<(), StateError> {
        let id = self.addon(key)?.id;
        self.addons.retain(|addon| addon.id != id);
        self.org_accesses.retain(|a| a.addon != id);
        self.publications.retain(|p| p.addon != id);
        self.targets.retain(|t| t.addon != id);
        Ok(())
    }

    /// Removes an app with the add-ons that it owns, and detaches the others.
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

    /// The add-ons that are attached to an app, with their attachments.
    pub fn attached_to(&self, app: Uuid) -> impl Iterator<Item = (&Addon, &Attachment)> {
        let attachments = move |addon| Addon::attachment_to(addon, app).map(|a| (addon, a));
        self.addons.iter().filter_map(attachments)
    }

    /// The config vars of an app. `origin` is that of the request.
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

impl World {
    /// Spends one AppLink request of an add-on. Returns how many are left, or None if there is no limit.
    pub(crate) fn spend_on_applink(&mut self, addon: Uuid, now: Timestamp) -> Result<Option<u32>, StateError> {
        let Some(limit) = self.settings.applink_rate_limit else { return Ok(None) };
        let rate = Rate { limit, per_minute: self.settings.applink_rate_refill_per_minute };
        let budget = self.budgets.entry(addon).or_default();
        budget.spend(rate, now).map_err(|wait| StateError::AddonRateLimited { wait })?;
        Ok(Some(budget.remaining(rate, now)))
    }
}
