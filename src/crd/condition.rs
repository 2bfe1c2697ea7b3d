//! The condition type of every status: comparable and hashable, with the JSON of `metav1.Condition`.
//!
//! Pure data. `conditions` fills it in.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1;
use schemars::{Schema, json_schema};
use serde::{Deserialize, Serialize};

/// One condition, as in `metav1.Condition`.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Type, see [`ConditionType`].
    #[serde(rename = "type")]
    pub type_: String,
    /// "True", "False" or "Unknown".
    pub status: String,
    /// Generation of the spec that the condition describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When `status` last changed, in whole seconds.
    pub last_transition_time: Timestamp,
    /// Name of a [`Reason`](super::Reason), if this version of the operator wrote it.
    #[serde(default)]
    pub reason: String,
    /// What is wrong, then what to do.
    #[serde(default)]
    pub message: String,
}

/// Condition types of every kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionType {
    /// The operator saw the remote object in its desired state.
    Ready,
    /// Work is under way; present only while true.
    Reconciling,
    /// Somebody must act before anything else happens; present only while true.
    Stalled,
    /// AppLink answers for the add-on.
    Reachable,
}

impl ConditionType {
    /// The type as written in `status.conditions`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::Reachable => "Reachable",
        }
    }
}

/// The condition of this type, if any.
#[must_use]
pub fn condition(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|c| c.type_ == kind.as_str())
}

/// Schema of `status.conditions`: a map by type, so that several writers can each own their conditions.
pub(super) fn conditions_schema(generator: &mut schemars::SchemaGenerator) -> Schema {
    let item = generator.subschema_for::<v1::Condition>();
    json_schema!({
        "type": "array",
        "items": item,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    })
}

/// Schema of `metav1.Time`.
pub(super) fn time_schema(generator: &mut schemars::SchemaGenerator) -> Schema {
    generator.subschema_for::<Option<v1::Time>>()
}
