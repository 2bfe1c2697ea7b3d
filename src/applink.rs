//! The AppLink API: one method per endpoint. This file has the endpoints of connections and authorizations, and sends
//! the calls; `publishing` has the endpoints of publications and data action targets.
//!
//! No loops and no decisions. It decodes answers, classifies errors, and retries once with new SSO parameters.
//! `observe` reads through it, `control` writes through it.

mod multipart;
mod publishing;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::budget::{CallToken, Purpose};
use crate::facts::collection::Listing;
use crate::facts::{Credentials, OrgAccessKind, Provider, RemoteOrgAccess};
use crate::heroku::{AddonResolver, RemoteError, ResolvedAddon, at, bearer};
use crate::transport::CallError;
use crate::wire;

pub use publishing::{NewDataActionTarget, Upload};

/// For a create call: a success must contain the created object.
const EMPTY: wire::Unreadable = wire::Unreadable("an empty list");

/// Client for the AppLink API of one add-on.
#[derive(Clone, Debug)]
pub struct AppLink {
    resolver: Arc<AddonResolver>,
    purpose: Purpose,
}

/// The fields of a create request for a connection or an authorization. They are sent unchanged.
#[derive(Clone, Copy, Debug)]
pub struct NewOrgAccess<'a> {
    /// `connection_name` or `developer_name`.
    pub name: &'a str,
    /// Selects the route.
    pub provider: Provider,
    /// `login_url`.
    pub login_url: &'a str,
    /// Use the JWT bearer flow; otherwise OAuth, where a person must consent.
    pub jwt: Option<NewJwt<'a>>,
}

/// Fields of the JWT bearer flow.
#[derive(Clone, Copy, Debug)]
pub struct NewJwt<'a> {
    /// `alias`.
    pub alias: &'a str,
    /// `client_id`.
    pub client_id: &'a str,
    /// `username`.
    pub username: &'a str,
    /// `jwt_private_key`, PEM.
    pub private_key: &'a SecretString,
}

/// A successful response.
struct Reply {
    host: String,
    response: Response<Bytes>,
    /// Secrets of the call, which are redacted from everything that the response reports.
    secrets: Vec<SecretString>,
}

struct Call<'a> {
    operation: &'static str,
    method: Method,
    path: &'a [&'a str],
    body: Bytes,
    content_type: &'a str,
    secret: &'a str,
    /// Send the call as the app does: without SSO parameters.
    as_app: bool,
}

/// Paths, field names and metric labels that differ between connections and authorizations.
struct Route {
    path: &'static str,
    name: &'static str,
    list: &'static str,
    get: &'static str,
    jwt: &'static str,
    oauth: &'static str,
    delete: &'static str,
}

const CONNECTIONS: Route = Route {
    path: "connections",
    name: "connection_name",
    list: "applink.list_connections",
    get: "applink.get_connection",
    jwt: "applink.create_jwt_connection",
    oauth: "applink.create_oauth_connection",
    delete: "applink.delete_connection",
};

const AUTHORIZATIONS: Route = Route {
    path: "authorizations",
    name: "developer_name",
    list: "applink.list_authorizations",
    get: "applink.get_authorization",
    jwt: "applink.create_jwt_authorization",
    oauth: "applink.create_oauth_authorization",
    delete: "applink.delete_authorization",
};

fn route(kind: OrgAccessKind) -> &'static Route {
    match kind {
        OrgAccessKind::Connection => &CONNECTIONS,
        OrgAccessKind::Authorization => &AUTHORIZATIONS,
    }
}

fn segment(provider: Provider) -> &'static str {
    match provider {
        Provider::Salesforce => "salesforce",
        Provider::DataCloud => "datacloud",
    }
}

impl AppLink {
    /// A client for writes; see [`Self::with_purpose`] for polls.
    #[must_use]
    pub fn new(resolver: Arc<AddonResolver>) -> Self {
        Self { resolver, purpose: Purpose::Edit }
    }

    /// A client for the same add-on, whose calls draw on the budget for `purpose`.
    #[must_use]
    pub fn with_purpose(&self, purpose: Purpose) -> Self {
        Self { resolver: self.resolver.clone(), purpose }
    }

    /// Looks up the add-on; see [`AddonResolver::resolve`].
    ///
    /// # Errors
    /// Any [`RemoteError`].
    pub async fn resolve(&self) -> Result<Arc<ResolvedAddon>, RemoteError> {
        self.resolver.resolve(self.purpose).await
    }

    /// Looks up the add-on again after AppLink refused the token; see [`AddonResolver::renewed`].
    ///
    /// # Errors
    /// Any [`RemoteError`].
    pub async fn renewed(&self, refused: &Arc<ResolvedAddon>) -> Result<Option<Arc<ResolvedAddon>>, RemoteError> {
        self.resolver.renewed(refused, self.purpose).await
    }

    /// The resolver that finds the add-on and its credentials.
    #[must_use]
    pub fn resolver(&self) -> &AddonResolver {
        &self.resolver
    }

    /// `GET /connections` or `/authorizations`.
    ///
    /// # Errors
    /// Any [`RemoteError`].
    pub async fn list_org_access(&self, kind: OrgAccessKind) -> Result<Listing<RemoteOrgAccess>, RemoteError> {
        let route = route(kind);
        let answer = self.call(Call::get(route.list, &[route.path])).await?;
        answer.list(|body, known| wire::org_access_list(kind, body, known))
    }

    /// `GET /connections/{id}` or `/authorizations/{id}`. Returns `None` for a 404 or an empty list.
    ///
    /// # Errors
    /// Any [`RemoteError`].
    pub async fn get_org_access(&self, kind: OrgAccessKind, id: &str) -> Result<Option<RemoteOrgAccess>, RemoteError> {
        let route = route(kind);
        match found(self.call(Call::get(route.get, &[route.path, id])).await)? {
            Some(answer) => answer.read(|body, known| wire::org_access(kind, body, Some(id), known)),
            None => Ok(None),
        }
    }

    /// `GET /authorizations/{developer name}`, called as the app calls it. Returns the credentials of the authorization
    /// with this ID. Needs no Platform API call unless AppLink refuses a call without SSO.
    ///
    /// # Errors
    /// Any [`RemoteError`].
    pub async fn read_credentials(&self, name: &str, id: &str) -> Result<Credentials, RemoteError> {
        let path = [AUTHORIZATIONS.path, name];
        let call = Call { as_app: true, ..Call::get("applink.read_credentials", &path) };
        self.call(call).await?.read(|body, _| match wire::credentials(body, id)? {
            credentials if credentials.authorized => Ok(credentials),
            _ => Err(wire::Unreadable("a credential that is no longer authorized")),
        })
    }

    /// `POST /connections/...` or `/authorizations/...`: the path ends in `salesforce` or `datacloud`, and `/jwt` for
    /// JWT.
    ///
    /// # Errors
    /// Any [`RemoteError`], also for a success whose body is empty or unreadable.
    pub async fn create_org_access(
        &self,
        kind: OrgAccessKind,
        new: &NewOrgAccess<'_>,
    ) -> Result<RemoteOrgAccess, RemoteError> {
        let route = route(kind);
        let mut body = json!({ route.name: new.name, "login_url": new.login_url });
        let mut path = vec![route.path, segment(new.provider)];
        let (mut operation, mut secret) = (route.oauth, "");
        if let Some(jwt) = &new.jwt {
            path.push("jwt");
            (operation, secret) = (route.jwt, jwt.private_key.expose_secret());
            let jwt = json!({
                "alias": jwt.alias, "client_id": jwt.client_id, "username": jwt.username, "jwt_private_key": secret,
            });
            if let (Value::Object(body), Value::Object(jwt)) = (&mut body, jwt) {
                body.extend(jwt);
            }
        }
        let call = Call { secret, ..Call::post(operation, &path, &body) };
        let answer = self.call(call).await?;
        let created = |body: &[u8], known: &[&str]| wire::org_access(kind, body, None, known)?.ok_or(EMPTY);
        let mut created = answer.read(created)?;
        // The answer may leave out the name that we sent.
        created.name.get_or_insert_with(|| new.name.to_owned());
        Ok(created)
    }

    /// `DELETE /connections/{id}` or `/authorizations/{id}`. A 404 counts as deleted.
    ///
    /// # Errors
    /// Any [`RemoteError`].
    pub async fn delete_org_access(&self, kind: OrgAccessKind, id: &str) -> Result<(), RemoteError> {
        let route = route(kind);
        let path = [route.path, id];
        found(self.call(Call { method: Method::DELETE, ..Call::get(route.delete, &path) }).await).map(drop)
    }

    /// Sends one call. If AppLink refuses the credentials, retries with new SSO parameters, and once more if the
    /// add-on's token turns out to be rotated.
    async fn call(&self, call: Call<'_>) -> Result<Reply, RemoteError> {
        let found = self.resolve().await?;
        let first = self.attempt(&call, &found).await;
        if !is_refused(&first) {
            return first;
        }
        // No document says whether the credentials endpoint needs SSO, so retry with it.
        let call = Call { as_app: false, ..call };
        let second = self.attempt(&call, &found).await;
        if !is_refused(&second) {
            return second;
        }
        match self.renewed(&found).await {
            Ok(Some(renewed)) => self.attempt(&call, &renewed).await,
            Ok(None) | Err(RemoteError::Budget(_)) => second,
            Err(error) => Err(error),
        }
    }

    /// Sends the call once. Drops the SSO parameters if AppLink refuses them.
    async fn attempt(&self, call: &Call<'_>, found: &ResolvedAddon) -> Result<Reply, RemoteError> {
        if call.as_app {
            let call_token = found.budget.try_acquire(self.purpose)?;
            return self.send(call_token, call, found, None).await.map_err(RemoteError::AppLink);
        }
        let sso = self.resolver.sso(found, self.purpose).await?;
        let call_token = found.budget.try_acquire(self.purpose)?;
        let result = self.send(call_token, call, found, Some(&sso)).await.map_err(RemoteError::AppLink);
        if is_refused(&result) {
            self.resolver.forget_sso(&sso).await;
        }
        result
    }

    async fn send(
        &self,
        call_token: CallToken,
        call: &Call<'_>,
        found: &ResolvedAddon,
        sso: Option<&SecretString>,
    ) -> Result<Reply, CallError> {
        let mut path = vec!["addons", found.facts.addon_id.as_str()];
        path.extend(call.path);
        // The path of the API URL belongs to another attachment of the add-on, perhaps; only the origin counts.
        let mut origin = found.api_url.clone();
        origin.set_path("");
        let url = at(&origin, &path)?;
        let token = found.token.expose_secret();
        let mut request = Request::builder()
            .method(call.method.clone())
            .header(header::ACCEPT, "application/json")
            .header(header::AUTHORIZATION, bearer(token)?)
            .header("x-app-uuid", &found.facts.app_id)
            .header("Request-Id", Uuid::new_v4().to_string());
        if !call.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, call.content_type);
        }
        let sso = sso.map_or("", |sso| sso.expose_secret());
        if !sso.is_empty() {
            let mut value = http::HeaderValue::from_str(sso)
                .map_err(|_| CallError::Url("SSO parameters that are invalid in a header".to_owned()))?;
            value.set_sensitive(true);
            request = request.header("x-addon-sso", value);
        }
        let secrets = [token, sso, call.secret];
        let response =
            self.resolver.http().send(call_token, call.operation, &url, request, call.body.clone(), &secrets).await?;
        let host = url.host_str().unwrap_or_default().to_owned();
        Ok(Reply { host, response, secrets: secrets.into_iter().map(SecretString::from).collect() })
    }
}

impl<'a> Call<'a> {
    fn get(operation: &'static str, path: &'a [&'a str]) -> Self {
        let (method, body) = (Method::GET, Bytes::new());
        Self { operation, method, path, body, content_type: "", secret: "", as_app: false }
    }

    fn post(operation: &'static str, path: &'a [&'a str], body: &Value) -> Self {
        let body = Bytes::from(body.to_string());
        Self { method: Method::POST, body, content_type: "application/json", ..Self::get(operation, path) }
    }
}

impl Reply {
    /// Decodes the body. `decode` gets the call's secrets, because the body may repeat them.
    fn read<T>(&self, decode: impl FnOnce(&[u8], &[&str]) -> Result<T, wire::Unreadable>) -> Result<T, RemoteError> {
        let known: Vec<_> = self.secrets.iter().map(ExposeSecret::expose_secret).collect();
        decode(self.response.body(), &known).map_err(|cause| unreadable(self.host.clone(), cause))
    }

    /// Decodes a list. A paginated one is marked incomplete.
    fn list<R>(
        &self,
        decode: impl FnOnce(&[u8], &[&str]) -> Result<Listing<R>, wire::Unreadable>,
    ) -> Result<Listing<R>, RemoteError> {
        let mut listing = self.read(decode)?;
        listing.whole &= !self.is_paged();
        Ok(listing)
    }

    /// No document mentions pagination. If it appears, what the first page lacks is not known to be absent.
    fn is_paged(&self) -> bool {
        let (status, headers) = (self.response.status(), self.response.headers());
        let paged = headers.contains_key(header::LINK) || status == StatusCode::PARTIAL_CONTENT;
        let paged = paged || headers.contains_key(header::CONTENT_RANGE);
        if paged {
            tracing::error!(
                "AppLink paginates this list, which this version does not support: nothing counts as absent"
            );
        }
        paged
    }
}

/// Maps a 404 to `None`.
fn found<T>(result: Result<T, RemoteError>) -> Result<Option<T>, RemoteError> {
    match result {
        Ok(answer) => Ok(Some(answer)),
        Err(RemoteError::AppLink(error)) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_refused<T>(result: &Result<T, RemoteError>) -> bool {
    matches!(result, Err(RemoteError::AppLink(error)) if error.refuses_token())
}

fn unreadable(host: String, cause: wire::Unreadable) -> RemoteError {
    RemoteError::AppLink(CallError::Unreadable { host, cause })
}
