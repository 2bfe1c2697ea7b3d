//! Plain calls to AppLink, as a script would make them: with the config vars of the app.
//!
//! Shares nothing with the operator. The floor works with it.

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A client for the add-on of the simulator's only app.
pub struct AppLink {
    http: reqwest::Client,
    config: Value,
}

impl AppLink {
    /// Reads the config vars.
    pub async fn new(platform: &str, token: &str) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let config = http
            .get(format!("{platform}/apps/orders-prod/config-vars"))
            .header("accept", "application/vnd.heroku+json; version=3")
            .header("authorization", format!("Bearer {token}"));
        let config = serde_json::from_str(&config.send().await?.error_for_status()?.text().await?)?;
        Ok(Self { http, config })
    }

    /// Sends one call to a path below the add-on.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value> {
        let var = |name: &str| self.config[name].as_str().with_context(|| format!("config var {name}"));
        let url = format!("{}{path}", var("HEROKU_APPLINK_API_URL")?);
        let request = self.http.request(method.parse()?, url).header("x-app-uuid", var("HEROKU_APP_ID")?);
        let mut request = request.header("authorization", format!("Bearer {}", var("HEROKU_APPLINK_TOKEN")?));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("{method} {path}: {status} {text}");
        }
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }
}
