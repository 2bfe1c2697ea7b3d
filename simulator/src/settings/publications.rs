//! Settings for publications: the object `publications` in the settings.
//!
//! Data only. Part of `Settings`; read by `state` and `http`.

use serde::{Deserialize, Serialize};

use super::{CreateAnswer, DeleteAnswer};

/// All settings of publications. Their JSON names are in camelCase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublicationSettings {
    /// What a POST does if the app is already published.
    pub republish: Republish,
    /// Seconds until a POST is visible.
    pub publish_seconds: f64,
    /// The status code of a successful POST.
    pub publish_status: CreateAnswer,
    /// The body of its response. Absent: the external service's id in the reference dialect, an empty array in the CLI's.
    pub publish_answer: Option<PublishAnswer>,
    pub unpublish_answer: DeleteAnswer,
    /// How a GET by app answers if the app has no publication.
    pub list_unknown_app: UnknownApp,
    /// Fields that responses lack, as `omittedAs` says.
    pub omitted: Vec<OmittedOfPublication>,
    /// Whether publishing equal content again changes the modification date.
    pub touch_on_republish: bool,
    /// Whether publishing again keeps the id of the external service.
    pub esr_id_stable: bool,
    /// Whether publications are removed with their connection. If not, the next connection to the same org has them.
    pub disconnect_unpublishes: bool,
}

impl Default for PublicationSettings {
    fn default() -> Self {
        Self {
            republish: Republish::Update,
            publish_seconds: 0.0,
            publish_status: CreateAnswer::Created,
            publish_answer: None,
            unpublish_answer: DeleteAnswer::OkEmpty,
            list_unknown_app: UnknownApp::Empty,
            omitted: Vec::new(),
            touch_on_republish: true,
            esr_id_stable: true,
            disconnect_unpublishes: true,
        }
    }
}

/// What a POST does if the app is already published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Republish {
    /// It replaces what was published.
    Update,
    /// 409 `conflict`.
    Conflict,
    /// 422 `validation_failed`.
    Unprocessable,
}

/// The body of the response to a successful POST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PublishAnswer {
    /// `{"id": <id of the external service>}`
    IdObject,
    /// An array of the publication.
    Array,
    /// `[]`
    EmptyArray,
    Empty,
}

/// How a GET by app answers when there is no publication of that app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UnknownApp {
    /// 200 and an empty array.
    Empty,
    /// 404 `record_not_found`.
    NotFound,
}

/// Fields that a setting can remove from responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OmittedOfPublication {
    /// `created_at`, `created_by`, `last_modified_at` and `last_modified_by`.
    Provenance,
    /// `last_modified_at` and `last_modified_by`.
    LastModified,
    /// `connection_name`
    ConnectionName,
    /// `org_id`
    OrgId,
    /// The id of the HerokuAppLink record.
    HerokuAppLink,
    /// Id and name of the external service.
    ExternalService,
}
