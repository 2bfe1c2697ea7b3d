//! The AppLink API: one method per endpoint.
//!
//! No loops, no decisions: an answer is decoded, an error is classed, nothing more. A refused SSO is renewed once.
//! `observe` lists and confirms with it, `control::apply` writes with it.

pub mod multipart;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use uuid::Uuid;

use crate::budget::{Leave, Purpose};
use crate::heroku::{Access, AccessError, Found, at, bearer};
use crate::plan::collection::Listing;
use crate::plan::live::{Provider, RemoteConnection};
use crate::transport::CallError;
use crate::wire;

/// The AppLink API of one add-on.
#[derive(Clone, Debug)]
pub struct AppLink {
    access: Arc<Access>,
    purpose: Purpose,
}

/// What a connection by JWT is created with; all of it goes out as given.
#[derive(Clone, Debug)]
pub struct JwtConnection<'a> {
    /// `connection_name`
    pub name: &'a str,
    /// `login_url`
    pub login_url: &'a str,
    /// `alias`
    pub alias: &'a str,
    /// `client_id`
    pub client_id: &'a str,
    /// `username`
    pub username: &'a str,
    /// `jwt_private_key`, PEM
    pub private_key: &'a SecretString,
}

/// What a connection by OAuth is created with; all of it goes out as given.
#[derive(Clone, Copy, Debug)]
pub struct OauthConnection<'a> {
    /// `connection_name`
    pub name: &'a str,
    /// `login_url`
    pub login_url: &'a str,
    /// Which of the two routes.
    pub provider: Provider,
}

#[derive(Serialize)]
struct ConnectionBody<'a> {
    connection_name: &'a str,
    login_url: &'a str,
    #[serde(flatten)]
    jwt: Option<JwtBody<'a>>,
}

#[derive(Serialize)]
struct JwtBody<'a> {
    alias: &'a str,
    client_id: &'a str,
    username: &'a str,
    jwt_private_key: &'a str,
}

struct Call<'a> {
    operation: &'static str,
    method: Method,
    path: &'a [&'a str],
    body: Bytes,
    secret: &'a str,
}

impl AppLink {
    /// The API that `access` leads to, for those who carry out what somebody wants.
    #[must_use]
    pub fn new(access: Arc<Access>) -> Self {
        Self { access, purpose: Purpose::Edit }
    }

    /// The same for this purpose.
    #[must_use]
    pub fn with_purpose(&self, purpose: Purpose) -> Self {
        Self { access: self.access.clone(), purpose }
    }

    /// The add-on.
    ///
    /// # Errors
    /// Any [`AccessError`].
    pub async fn found(&self) -> Result<Arc<Found>, AccessError> {
        self.access.found(self.purpose).await
    }

    /// The way to it.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// `GET /connections`
    ///
    /// # Errors
    /// Any [`AccessError`].
    pub async fn list_connections(&self) -> Result<Listing<RemoteConnection>, AccessError> {
        let (host, answer) = self.call(Call::get("applink.list_connections", &["connections"])).await?;
        let mut listing = wire::connections(answer.body()).map_err(unreadable(host))?;
        // No source knows of pages; should they come, what is not on the first proves nothing.
        let paged = answer.headers().contains_key(header::LINK) || answer.status() == StatusCode::PARTIAL_CONTENT;
        if paged || answer.headers().contains_key(header::CONTENT_RANGE) {
            tracing::error!(
                "AppLink lists connections in pages, which this version cannot follow: nothing counts as absent"
            );
            listing.whole = false;
        }
        Ok(listing)
    }

    /// `GET /authorizations`, counted. `None` where the service has no such route.
    ///
    /// # Errors
    /// Any [`AccessError`].
    pub async fn count_authorizations(&self) -> Result<Option<i64>, AccessError> {
        match self.call(Call::get("applink.list_authorizations", &["authorizations"])).await {
            Ok((host, answer)) => Ok(Some(wire::count(answer.body()).map_err(unreadable(host))?)),
            Err(AccessError::AppLink(error)) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `GET /connections/{id}`; `None` where there is none: 404, or an empty list.
    ///
    /// # Errors
    /// Any [`AccessError`].
    pub async fn get_connection(&self, id: &str) -> Result<Option<RemoteConnection>, AccessError> {
        match self.call(Call::get("applink.get_connection", &["connections", id])).await {
            Ok((host, answer)) => Ok(wire::connection(answer.body(), Some(id)).map_err(unreadable(host))?),
            Err(AccessError::AppLink(error)) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `POST /connections/salesforce/jwt`
    ///
    /// # Errors
    /// Any [`AccessError`]; an unreadable or empty success is one, too.
    pub async fn create_jwt_connection(&self, new: &JwtConnection<'_>) -> Result<RemoteConnection, AccessError> {
        let key = new.private_key.expose_secret();
        let jwt = JwtBody { alias: new.alias, client_id: new.client_id, username: new.username, jwt_private_key: key };
        let body = ConnectionBody { connection_name: new.name, login_url: new.login_url, jwt: Some(jwt) };
        let path = ["connections", "salesforce", "jwt"];
        self.create_connection("applink.create_jwt_connection", &path, &body, key).await
    }

    /// `POST /connections/salesforce` or `/connections/datacloud`
    ///
    /// # Errors
    /// Any [`AccessError`]; an unreadable or empty success is one, too.
    pub async fn create_oauth_connection(&self, new: OauthConnection<'_>) -> Result<RemoteConnection, AccessError> {
        let segment = match new.provider {
            Provider::Salesforce => "salesforce",
            Provider::DataCloud => "datacloud",
        };
        let body = ConnectionBody { connection_name: new.name, login_url: new.login_url, jwt: None };
        self.create_connection("applink.create_oauth_connection", &["connections", segment], &body, "").await
    }

    async fn create_connection(
        &self,
        operation: &'static str,
        path: &[&str],
        body: &ConnectionBody<'_>,
        secret: &str,
    ) -> Result<RemoteConnection, AccessError> {
        let json = serde_json::to_vec(body)
            .map_err(|_| AccessError::AppLink(CallError::Url("an input that is no JSON".to_owned())))?;
        let call = Call { operation, method: Method::POST, path, body: json.into(), secret };
        let (host, answer) = self.call(call).await?;
        let created = wire::connection(answer.body(), None).map_err(unreadable(host.clone()))?;
        let mut created = created.ok_or_else(|| unreadable(host)(wire::Unreadable("an empty list")))?;
        // The name is ours; an answer may leave it out.
        created.name.get_or_insert_with(|| body.connection_name.to_owned());
        Ok(created)
    }

    /// `DELETE /connections/{id}`; one that is not there counts as deleted.
    ///
    /// # Errors
    /// Any [`AccessError`].
    pub async fn delete_connection(&self, id: &str) -> Result<(), AccessError> {
        let path = ["connections", id];
        let call = Call { method: Method::DELETE, ..Call::get("applink.delete_connection", &path) };
        match self.call(call).await {
            Ok(_) => Ok(()),
            Err(AccessError::AppLink(error)) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// One call. Where AppLink refuses the credential, it is made once more with new SSO parameters, and again if it
    /// then turns out that the add-on's token was rotated.
    async fn call(&self, call: Call<'_>) -> Result<(String, Response<Bytes>), AccessError> {
        let found = self.found().await?;
        let first = self.attempt(&call, &found).await;
        if !is_refused(&first) {
            return first;
        }
        let second = self.attempt(&call, &found).await;
        if !is_refused(&second) {
            return second;
        }
        match self.access.renewed(&found, self.purpose).await {
            Ok(Some(anew)) => self.attempt(&call, &anew).await,
            Ok(None) | Err(AccessError::Budget(_)) => second,
            Err(error) => Err(error),
        }
    }

    /// One try; a refused SSO is not used again.
    async fn attempt(&self, call: &Call<'_>, found: &Found) -> Result<(String, Response<Bytes>), AccessError> {
        let sso = self.access.sso(found, self.purpose).await?;
        let leave = found.budget.leave(self.purpose)?;
        let result = self.send(leave, call, found, &sso).await.map_err(AccessError::AppLink);
        if is_refused(&result) {
            self.access.forget_sso(&sso).await;
        }
        result
    }

    async fn send(
        &self,
        leave: Leave,
        call: &Call<'_>,
        found: &Found,
        sso: &SecretString,
    ) -> Result<(String, Response<Bytes>), CallError> {
        let mut path = vec!["addons", found.facts.addon_id.as_str()];
        path.extend(call.path);
        // The path of the API URL is that of the add-on, which may be attached under another; its origin counts.
        let mut origin = found.api_url.clone();
        origin.set_path("");
        let url = at(&origin, &path)?;
        let token = found.token.expose_secret();
        let mut sso_header = http::HeaderValue::from_str(sso.expose_secret())
            .map_err(|_| CallError::Url("SSO parameters that no header can hold".to_owned()))?;
        sso_header.set_sensitive(true);
        let mut request = Request::builder()
            .method(call.method.clone())
            .header(header::ACCEPT, "application/json")
            .header(header::AUTHORIZATION, bearer(token)?)
            .header("x-addon-sso", sso_header)
            .header("x-app-uuid", &found.facts.app_id)
            .header("Request-Id", Uuid::new_v4().to_string());
        if !call.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let secrets = [token, sso.expose_secret(), call.secret];
        let answer = self.access.http().send(leave, call.operation, &url, request, call.body.clone(), &secrets).await?;
        Ok((url.host_str().unwrap_or_default().to_owned(), answer))
    }
}

impl<'a> Call<'a> {
    fn get(operation: &'static str, path: &'a [&'a str]) -> Self {
        Self { operation, method: Method::GET, path, body: Bytes::new(), secret: "" }
    }
}

fn is_refused<T>(result: &Result<T, AccessError>) -> bool {
    matches!(result, Err(AccessError::AppLink(error)) if error.refuses_token())
}

fn unreadable(host: String) -> impl FnOnce(wire::Unreadable) -> AccessError {
    move |cause| AccessError::AppLink(CallError::Unreadable { host, cause })
}
