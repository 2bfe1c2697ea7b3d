//! Switches for publications: the object `publications` in the settings.
//!
//! Must not act. Part of `Settings`; read by `state` and `http`.

use serde::{Deserialize, Serialize};

use super::{CreateAnswer, DeleteAnswer};

/// Every switch for publications. JSON names are the camelCase ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublicationSettings {
    /// What a POST does for an app that is published already.
    pub republish: Republish,
    /// Seconds until what a POST published shows.
    pub publish_seconds: f64,
    /// The status code of a POST that worked.
    pub publish_status: CreateAnswer,
    /// The body of that answer; absent: the external service's id in the reference dialect, an empty array in the CLI's.
    pub publish_answer: Option<PublishAnswer>,
    /// How a DELETE answers.
    pub unpublish_answer: DeleteAnswer,
    /// How a GET by app answers when there is none.
    pub list_unknown_app: UnknownApp,
    /// What every answer lacks, in the way that `omittedAs` says.
    pub omitted: Vec<OmittedOfPublication>,
    /// Whether a repeat with equal content counts as a modification.
    pub touch_on_republish: bool,
    /// Whether a repeat keeps the id of the external service.
    pub esr_id_stable: bool,
    /// Whether publications go with their connection; else they wait for the next one to the same org.
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

/// What a POST does for an app that is published already.
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

/// The body that answers a POST that worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PublishAnswer {
    /// `{"id": <id of the external service>}`
    IdObject,
    /// An array of the publication.
    Array,
    /// `[]`
    EmptyArray,
    /// None.
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

/// Fields that answers may lack.
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
