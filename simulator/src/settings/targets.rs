//! Settings for data action targets: the object `dataActionTargets` in the settings.
//!
//! Data only. Part of `Settings`; read by `state` and `http`.

use serde::{Deserialize, Serialize};

use super::{CreateAnswer, StatusKey};

/// All settings of data action targets. Their JSON names are in camelCase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetSettings {
    /// Seconds until a target is created or has failed. A POST answers `pending` even if this is 0.
    pub seconds: f64,
    /// The error with which creations fail. Absent: they succeed.
    pub failure: Option<TargetFailure>,
    /// What a POST does if the app already has a target of this `api_name` on the connection.
    pub taken: TakenTarget,
    /// What it does if another app has one.
    pub taken_by_another_app: TakenByAnotherApp,
    /// The status code of a successful POST.
    pub create_answer: CreateAnswer,
    /// The key of the status; absent: `state` in the reference dialect, `status` in the CLI's.
    pub status_key: Option<StatusKey>,
    /// Its values. Absent: with capitals in the reference dialect, lowercase in the CLI's.
    pub status_words: Option<TargetWords>,
    /// Whether the list, which is not documented, exists.
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
    pub id: String,
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
    /// The existing target is returned unchanged.
    Existing,
}

/// What a POST does with an `api_name` of another app's target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TakenByAnotherApp {
    /// 409 `conflict`.
    Conflict,
    /// It succeeds.
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
