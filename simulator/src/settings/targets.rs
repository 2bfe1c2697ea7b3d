//! Switches for data action targets: the object `dataActionTargets` in the settings.
//!
//! Must not act. Part of `Settings`; read by `state` and `http`.

use serde::{Deserialize, Serialize};

use super::{CreateAnswer, StatusKey};

/// Every switch for data action targets. JSON names are the camelCase ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetSettings {
    /// Seconds until a target is created, or has failed. A POST answers `pending` even where it takes none.
    pub seconds: f64,
    /// The error with which creations fail; absent: they work.
    pub failure: Option<TargetFailure>,
    /// What a POST does with an `api_name` that the app has used on this connection.
    pub taken: TakenTarget,
    /// What it does with one that another app has used on this connection.
    pub taken_by_another_app: TakenByAnotherApp,
    /// The status code of a POST that worked.
    pub create_answer: CreateAnswer,
    /// The key of the status; absent: `state` in the reference dialect, `status` in the CLI's.
    pub status_key: Option<StatusKey>,
    /// The words for it; absent: with capitals in the reference dialect, lowercase in the CLI's.
    pub status_words: Option<TargetWords>,
    /// Whether the list, which is documented nowhere, exists.
    pub list: TargetList,
    /// How DELETE, PUT and PATCH are refused.
    pub change_refusal: ChangeRefusal,
}

impl Default for TargetSettings {
    fn default() -> Self {
        Self {
            seconds: 0.0,
            failure: None,
            taken: TakenTarget::Conflict,
            taken_by_another_app: TakenByAnotherApp::Conflict,
            create_answer: CreateAnswer::Accepted,
            status_key: None,
            status_words: None,
            list: TargetList::Served,
            change_refusal: ChangeRefusal::MethodNotAllowed,
        }
    }
}

/// The `error` of a target that could not be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetFailure {
    /// Its `id`.
    pub id: String,
    /// Its `message`.
    pub message: String,
}

/// What a POST with a taken `api_name` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TakenTarget {
    /// 409 `conflict`.
    Conflict,
    /// A second target of the same name.
    Second,
    /// The target of that name stays as it is and is the answer.
    Existing,
}

/// What a POST does with an `api_name` of another app's target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TakenByAnotherApp {
    /// 409 `conflict`.
    Conflict,
    /// What it would do with another name.
    Allowed,
}

/// The words for a target's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TargetWords {
    /// `creation_failed`
    Lower,
    /// `Creation Failed`
    Title,
}

/// Whether the list of targets exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TargetList {
    /// It does.
    Served,
    /// 404.
    Missing,
}

/// How a change to a target is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeRefusal {
    /// 404
    NotFound,
    /// 405
    MethodNotAllowed,
}
