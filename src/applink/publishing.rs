//! The endpoints of connection children: publications and data action targets.
//!
//! Like `applink`, it decodes answers and classifies errors, nothing more.

use http::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use super::multipart::{Part, content_type, encode};
use super::{AppLink, Call, EMPTY, found, unreadable};
use crate::facts::collection::Listing;
use crate::facts::{RemoteDataActionTarget, RemotePublication};
use crate::heroku::RemoteError;
use crate::wire;

/// The fields of a publish request. They are sent unchanged.
#[derive(Clone, Copy, Debug)]
pub struct Upload<'a> {
    /// ZIP archive.
    pub archive: &'a [u8],
    /// `client_name`.
    pub client_name: &'a str,
    /// `authorization_permission_set_name`.
    pub permission_set: Option<&'a str>,
    /// `authorization_external_client_app_name`.
    pub external_client_app: Option<&'a str>,
    /// `authorization_connected_app_name`.
    pub connected_app: Option<&'a str>,
}

/// The fields of a create request for a data action target. They are sent unchanged.
#[derive(Clone, Copy, Debug)]
pub struct NewDataActionTarget<'a> {
    /// `label`.
    pub label: &'a str,
    /// `api_name`.
    pub api_name: &'a str,
    /// `target_endpoint`.
    pub endpoint: &'a str,
}

impl AppLink {
    /// `GET /connections/salesforce/{connection}/apps/{app}`: the publications of the add-on's app. A 404 or an empty
    /// list gives a complete, empty listing.
    ///
    /// # Errors
    /// Any [`RemoteError`].
    pub async fn list_publications(&self, connection: &str) -> Result<Listing<RemotePublication>, RemoteError> {
        let app = self.resolve().await?.facts.app_id.clone();
        let path = ["connections", "salesforce", connection, "apps", &app];
        match found(self.call(Call::get("applink.list_publications", &path)).await)? {
            Some(answer) => answer.list(|body, _| wire::publications(body, &app)),
            None => Ok(Listing { items: Vec::new(), whole: true }),
        }
    }

    /// Like [`Self::list_publications`], but fails if the listing does not prove absence.
    ///
    /// # Errors
    /// Any [`RemoteError`], also for an incomplete listing without items.
    pub async fn read_publications(&self, connection: &str) -> Result<Listing<RemotePublication>, RemoteError> {
        let listing = self.list_publications(connection).await?;
        if listing.items.is_empty() && !listing.whole {
            let host = self.resolve().await?.api_url.host_str().unwrap_or_default().to_owned();
            return Err(unreadable(host, wire::Unreadable("an incomplete list")));
        }
        Ok(listing)
    }

    /// `POST /connections/salesforce/{connection}/apps`. Ignores the body of the answer: it has an ID at most, and not
    /// always.
    ///
    /// # Errors
    /// Any [`RemoteError`].
    pub async fn publish(&self, connection: &str, upload: &Upload<'_>) -> Result<(), RemoteError> {
        let mut request = serde_json::Map::from_iter([("client_name".to_owned(), json!(upload.client_name))]);
        let names = [
            ("authorization_permission_set_name", upload.permission_set),
            ("authorization_external_client_app_name", upload.external_client_app),
            ("authorization_connected_app_name", upload.connected_app),
        ];
        request.extend(names.into_iter().filter_map(|(key, name)| Some((key.to_owned(), json!(name?)))));
        let request = serde_json::Value::Object(request).to_string();
        let boundary = format!("applink-operator-{}", Uuid::new_v4().simple());
        let parts = [
            Part { name: "metadata", content_type: "application/zip", content: upload.archive },
            Part { name: "app_request", content_type: "application/json", content: request.as_bytes() },
        ];
        let path = ["connections", "salesforce", connection, "apps"];
        let content_type = content_type(&boundary);
        let call = Call {
            method: Method::POST,
            body: encode(&boundary, &parts),
            content_type: &content_type,
            ..Call::get("applink.publish", &path)
        };
        self.call(call).await.map(drop)
    }

    /// `DELETE /connections/salesforce/{connection}/apps/{app}`, for the add-on's app. A 404 counts as deleted.
    ///
    /// # Errors
    /// Any [`RemoteError`].
    pub async fn delete_publication(&self, connection: &str) -> Result<(), RemoteError> {
        let app = self.resolve().await?.facts.app_id.clone();
        let path = ["connections", "salesforce", connection, "apps", &app];
        found(self.call(Call { method: Method::DELETE, ..Call::get("applink.delete_publication", &path) }).await)
            .map(drop)
    }

    /// `GET /connections/datacloud/{connection}/data_action_targets`. No document has this endpoint, so a service may
    /// lack it: then the result is `None`.
    ///
    /// # Errors
    /// Any [`RemoteError`].
    pub async fn list_targets(&self, connection: &str) -> Result<Option<Listing<RemoteDataActionTarget>>, RemoteError> {
        let app = self.resolve().await?.facts.app_id.clone();
        let path = ["connections", "datacloud", connection, "data_action_targets"];
        let answered = match self.call(Call::get("applink.list_targets", &path)).await {
            Err(RemoteError::AppLink(call)) if call.status() == Some(StatusCode::METHOD_NOT_ALLOWED) => {
                return Ok(None);
            }
            answered => found(answered)?,
        };
        let Some(answer) = answered else { return Ok(None) };
        answer.list(|body, known| wire::data_action_targets(body, &app, known)).map(Some)
    }

    /// `GET /connections/datacloud/{connection}/data_action_targets/{id or API name}`. Returns `None` if the target
    /// does not exist.
    ///
    /// # Errors
    /// Any [`RemoteError`].
    pub async fn get_target(
        &self,
        connection: &str,
        wanted: &str,
    ) -> Result<Option<RemoteDataActionTarget>, RemoteError> {
        let app = self.resolve().await?.facts.app_id.clone();
        let path = ["connections", "datacloud", connection, "data_action_targets", wanted];
        match found(self.call(Call::get("applink.get_target", &path)).await)? {
            Some(answer) => answer.read(|body, known| wire::data_action_target(body, &app, wanted, known)),
            None => Ok(None),
        }
    }

    /// `POST /connections/datacloud/{connection}/data_action_targets`.
    ///
    /// # Errors
    /// Any [`RemoteError`], also for a success whose body is empty or unreadable.
    pub async fn create_target(
        &self,
        connection: &str,
        new: &NewDataActionTarget<'_>,
    ) -> Result<RemoteDataActionTarget, RemoteError> {
        let app = self.resolve().await?.facts.app_id.clone();
        let body = json!({
            "label": new.label, "api_name": new.api_name, "target_endpoint": new.endpoint, "type": "webhook",
        });
        let path = ["connections", "datacloud", connection, "data_action_targets"];
        let answer = self.call(Call::post("applink.create_target", &path, &body)).await?;
        answer.read(|body, known| wire::data_action_target(body, &app, new.api_name, known)?.ok_or(EMPTY))
    }
}
