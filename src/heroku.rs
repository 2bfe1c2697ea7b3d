//! Finds an add-on through the Heroku Platform API: app, add-on, attachment, config vars and SSO. Caches the result.
//!
//! Decides only which add-on the spec means, and never guesses between two. `applink` gets credentials here, `observe`
//! gets the facts.

mod error;
mod slot;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::budget::{Budget, CallToken, Purpose};
use crate::clock::Clock;
use crate::crd::AppLinkAddonStatus;
use crate::facts::AddonFacts;
use crate::timing::{ADDON_LIFETIME, SSO_LIFETIME, TOKEN_CONFIRMED_FOR};
use crate::transport::{CallError, Http};
use crate::wire;

pub use error::RemoteError;
use slot::Slot;

/// Slug of the AppLink add-on service.
const SERVICE: &str = "heroku-applink";
const ACCEPT: &str = "application/vnd.heroku+json; version=3";
/// Accept headers for SSO parameters: first the one that the CLI sends, then the one in the reference.
const ACCEPT_SSO: [&str; 2] =
    ["application/vnd.heroku+json; version=3.sdk", "application/vnd.heroku+json; version=3.add-ons-sso"];

/// Which add-on to look up, where, and with which token.
#[derive(Clone, Debug)]
pub struct AddonSelector {
    /// Base URL of the Platform API.
    pub platform_url: String,
    /// Name or UUID of the app.
    pub app: String,
    /// Name or UUID of the add-on; `None` if the app has only one.
    pub addon: Option<String>,
    /// Heroku API token.
    pub token: SecretString,
}

impl AddonSelector {
    /// Compares all fields, the token included.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.platform_url == other.platform_url
            && self.app == other.app
            && self.addon == other.addon
            && self.token.expose_secret() == other.token.expose_secret()
    }
}

/// An add-on, with the token for its API.
#[derive(Debug)]
pub struct ResolvedAddon {
    /// What may appear in status and logs.
    pub facts: AddonFacts,
    /// Base URL of the AppLink API.
    pub api_url: Url,
    /// The add-on's own token, from its config var.
    pub token: SecretString,
    /// Call budget of the add-on.
    pub budget: Budget,
    /// When it was looked up.
    pub at: jiff::Timestamp,
    /// AppLink refused the token, and a new lookup found the same one.
    confirmed: AtomicBool,
}

/// Finds one add-on, and caches it with its SSO parameters.
#[derive(Debug)]
pub struct AddonResolver {
    http: Http,
    clock: Clock,
    selector: AddonSelector,
    account: Budget,
    /// IDs that the lookup must match: the names may have been reused.
    recorded: Mutex<AppLinkAddonStatus>,
    found: Slot<Arc<ResolvedAddon>>,
    sso: Slot<(jiff::Timestamp, SecretString)>,
}

impl AddonResolver {
    /// A resolver that accepts no other app or add-on than `recorded`. Calls nothing yet.
    #[must_use]
    pub fn new(http: Http, clock: Clock, selector: AddonSelector, recorded: AppLinkAddonStatus) -> Self {
        let account = http.budgets().account(selector.token.expose_secret());
        let recorded = Mutex::new(recorded);
        Self { http, clock, selector, account, recorded, found: Slot::default(), sso: Slot::default() }
    }

    /// The HTTP client, with its budgets.
    #[must_use]
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// What this resolver looks up.
    #[must_use]
    pub fn selector(&self) -> &AddonSelector {
        &self.selector
    }

    /// Whether the budgets of the account and of the add-on are plenty.
    #[must_use]
    pub fn is_plenty(&self, addon_id: Option<&str>) -> bool {
        let addon = addon_id.map(|id| self.http.budgets().addon(id));
        self.account.is_plenty() && addon.is_none_or(|addon| addon.is_plenty())
    }

    /// Pins the resolver to this app and add-on. Others with the same names are refused from now on.
    pub fn pin(&self, facts: &AddonFacts) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.app_id = Some(facts.app_id.clone());
        recorded.addon_id = Some(facts.addon_id.clone());
    }

    /// Looks up the add-on, from the cache if possible.
    ///
    /// # Errors
    /// Any [`RemoteError`]; [`RemoteError::Changed`] if the name belongs to another add-on now.
    pub async fn resolve(&self, purpose: Purpose) -> Result<Arc<ResolvedAddon>, RemoteError> {
        let is_fresh = |found: &Arc<ResolvedAddon>| self.clock.now().duration_since(found.at) < ADDON_LIFETIME;
        self.found.get(is_fresh, async { Ok(Arc::new(self.discover(purpose).await?)) }).await
    }

    /// Gets the value of `x-addon-sso`, from the cache if possible.
    ///
    /// # Errors
    /// Any [`RemoteError`].
    pub async fn sso(&self, found: &ResolvedAddon, purpose: Purpose) -> Result<SecretString, RemoteError> {
        let is_fresh = |(at, _): &(_, _)| self.clock.now().duration_since(*at) < SSO_LIFETIME;
        let fetch = async { Ok((self.clock.now(), self.fetch_sso(found, purpose).await?)) };
        Ok(self.sso.get(is_fresh, fetch).await?.1)
    }

    async fn fetch_sso(&self, found: &ResolvedAddon, purpose: Purpose) -> Result<SecretString, RemoteError> {
        let path = ["apps", &found.facts.app_id, "addons", &found.facts.addon_id, "sso"];
        let call_token = self.account.try_acquire(purpose)?;
        let mut body = self.get("heroku.sso", &path, ACCEPT_SSO[0], call_token).await;
        let other_variant = body
            .as_ref()
            .is_err_and(|e| e.status().is_some_and(|s| s.is_client_error() && s != StatusCode::TOO_MANY_REQUESTS));
        if other_variant {
            let call_token = self.account.try_acquire(purpose)?;
            body = self.get("heroku.sso", &path, ACCEPT_SSO[1], call_token).await;
        }
        Ok(SecretString::from(base64::engine::general_purpose::STANDARD.encode(body?)))
    }

    /// Drops the SSO parameters from the cache, unless another caller replaced them.
    pub async fn forget_sso(&self, refused: &SecretString) {
        self.sso.forget(|(_, sso)| sso.expose_secret() == refused.expose_secret()).await;
    }

    /// Drops the add-on from the cache.
    pub async fn forget_addon(&self) {
        self.found.forget(|_| true).await;
    }

    /// Looks up the add-on again after AppLink refused its token. Returns `None` if nothing has changed.
    ///
    /// # Errors
    /// Any [`RemoteError`].
    pub async fn renewed(
        &self,
        refused: &Arc<ResolvedAddon>,
        purpose: Purpose,
    ) -> Result<Option<Arc<ResolvedAddon>>, RemoteError> {
        if refused.confirmed.load(Ordering::Relaxed)
            && self.clock.now().duration_since(refused.at) < TOKEN_CONFIRMED_FOR
        {
            return Ok(None);
        }
        self.found.forget(|found| Arc::ptr_eq(found, refused)).await;
        let renewed = self.resolve(purpose).await?;
        let same = renewed.facts == refused.facts && renewed.token.expose_secret() == refused.token.expose_secret();
        renewed.confirmed.store(same, Ordering::Relaxed);
        Ok((!same).then_some(renewed))
    }

    /// Reads the app by the name in the spec, or else by its recorded UUID. In the latter case returns its new name,
    /// too.
    async fn app(&self, purpose: Purpose) -> Result<(AppResponses, Option<String>), RemoteError> {
        let named = &self.selector.app;
        let result = self.read_app(named, purpose).await;
        if !result.as_ref().is_err_and(RemoteError::says_gone) {
            return Ok((result?, None));
        }
        let none = || RemoteError::NoApp(named.clone());
        let recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner).app_id.clone();
        let id = recorded.filter(|id| id != named).ok_or_else(none)?;
        let read = self.read_app(&id, purpose).await;
        let read = read.map_err(|error| if error.says_gone() { none() } else { error })?;
        let now = wire::app_name(&read.app).unwrap_or(id);
        Ok((read, Some(now)))
    }

    async fn read_app(&self, app: &str, purpose: Purpose) -> Result<AppResponses, RemoteError> {
        let [first, second, third, fourth] = self.account.try_acquire_many(purpose)?;
        let (app, addons, attachments, vars) = tokio::try_join!(
            self.get_app_part("heroku.app", app, None, first),
            self.get_app_part("heroku.addons", app, Some("addons"), second),
            self.get_app_part("heroku.attachments", app, Some("addon-attachments"), third),
            self.get_app_part("heroku.config_vars", app, Some("config-vars"), fourth),
        )?;
        Ok(AppResponses { app, addons, attachments, vars })
    }

    async fn discover(&self, purpose: Purpose) -> Result<ResolvedAddon, RemoteError> {
        let (AppResponses { app, addons, attachments, vars }, renamed_to) = self.app(purpose).await?;
        let host = || self.selector.platform_url.clone();
        let unreadable = |cause| RemoteError::Heroku(CallError::Unreadable { host: host(), cause });
        let addon = self.choose(wire::addons(&addons).map_err(unreadable)?)?;
        let attached = wire::attachments(&attachments).map_err(unreadable)?;
        let provisioning = || RemoteError::Provisioning(addon.name.clone());
        let prefix = &attached.iter().find(|a| a.addon_id == addon.id).ok_or_else(provisioning)?.name;
        let var = |suffix: &str| wire::config_var(&vars, &format!("{prefix}_{suffix}")).map_err(unreadable);
        let (Some(api_url), Some(token)) = (var("API_URL")?, var("TOKEN")?) else { return Err(provisioning()) };
        if addon.provisioning {
            return Err(provisioning());
        }
        let api_url = parse(api_url.expose_secret())?;
        self.http.check(&api_url)?;
        let facts = AddonFacts {
            app_id: wire::app_id(&app).map_err(unreadable)?,
            renamed_to,
            addon_id: addon.id,
            addon_name: addon.name,
            api_url: api_url.to_string(),
            app_id_set: wire::config_var(&vars, "HEROKU_APP_ID").map_err(unreadable)?.is_some(),
        };
        let recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(change) = facts.identity_change(recorded.app_id.as_deref(), recorded.addon_id.as_deref()) {
            return Err(RemoteError::Changed(change));
        }
        let budget = self.http.budgets().addon(&facts.addon_id);
        Ok(ResolvedAddon { facts, api_url, token, budget, at: self.clock.now(), confirmed: AtomicBool::new(false) })
    }

    fn choose(&self, all: Vec<wire::Addon>) -> Result<wire::Addon, RemoteError> {
        let app = &self.selector.app;
        let mut all: Vec<_> = all.into_iter().filter(|a| a.service == SERVICE && !a.deprovisioned).collect();
        let mut names: Vec<_> = all.iter().map(|a| a.name.clone()).collect();
        names.sort();
        if let Some(wanted) = &self.selector.addon {
            let found = all.into_iter().find(|a| a.name == *wanted || a.id == *wanted);
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return found.ok_or_else(|| {
                RemoteError::NoAddon(format!(
                    "app {app} has no AppLink add-on {wanted} (it has: {known}). Set spec.addon to its current name"
                ))
            });
        }
        if all.len() > 1 {
            return Err(RemoteError::Several { app: app.clone(), names });
        }
        all.pop().ok_or_else(|| {
            RemoteError::NoAddon(format!(
                "app {app} has no AppLink add-on. Create one: heroku addons:create {SERVICE} -a {app}"
            ))
        })
    }

    async fn get_app_part(
        &self,
        operation: &'static str,
        app: &str,
        what: Option<&str>,
        call_token: CallToken,
    ) -> Result<Bytes, CallError> {
        let path: Vec<&str> = ["apps", app].into_iter().chain(what).collect();
        self.get(operation, &path, ACCEPT, call_token).await
    }

    async fn get(
        &self,
        operation: &'static str,
        path: &[&str],
        accept: &str,
        call_token: CallToken,
    ) -> Result<Bytes, CallError> {
        let url = at(&parse(&self.selector.platform_url)?, path)?;
        let token = self.selector.token.expose_secret();
        let request = Request::builder()
            .method(Method::GET)
            .header(header::ACCEPT, accept)
            .header(header::AUTHORIZATION, bearer(token)?);
        Ok(self.http.send(call_token, operation, &url, request, Bytes::new(), &[token]).await?.into_body())
    }
}

/// The Platform API's answers about an app.
struct AppResponses {
    app: Bytes,
    addons: Bytes,
    attachments: Bytes,
    vars: Bytes,
}

/// An `Authorization` header, marked sensitive so that no log prints it.
///
/// # Errors
/// The token has characters that a header cannot have.
pub fn bearer(token: &str) -> Result<http::HeaderValue, CallError> {
    let mut value = http::HeaderValue::from_str(&format!("Bearer {}", token.trim()))
        .map_err(|_| CallError::Url("a token with line breaks or control characters".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Appends path segments to `base`, each percent-encoded.
///
/// # Errors
/// `base` cannot have a path.
pub fn at(base: &Url, path: &[&str]) -> Result<Url, CallError> {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.path_segments_mut()
        .map_err(|()| CallError::Url("a URL that cannot have a path".to_owned()))?
        .pop_if_empty()
        .extend(path);
    Ok(url)
}

fn parse(text: &str) -> Result<Url, CallError> {
    let url =
        text.trim().parse::<Url>().ok().filter(|u| u.has_host() && u.username().is_empty() && u.password().is_none());
    // Don't repeat the text: a config var may hold anything.
    url.ok_or_else(|| CallError::Url("the configured address".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_segments_are_encoded() {
        let table = [
            ("https://api.heroku.com", "https://api.heroku.com/apps/a%2Fb/sso"),
            ("https://api.heroku.com/", "https://api.heroku.com/apps/a%2Fb/sso"),
            ("http://127.0.0.1:1/base/?x#y", "http://127.0.0.1:1/base/apps/a%2Fb/sso"),
        ];
        for (base, wanted) in table {
            assert_eq!(at(&base.parse().unwrap(), &["apps", "a/b", "sso"]).unwrap().as_str(), wanted);
        }
    }

    #[test]
    fn url_with_credentials_or_without_host_is_invalid() {
        for bad in ["https://user:pw@api.heroku.com", "mailto:a@b", "api.heroku.com", ""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
