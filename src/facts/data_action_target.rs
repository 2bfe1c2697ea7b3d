//! A data action target as AppLink returns it.
//!
//! Pure. `wire::data_action_target` decodes it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Org, Phase, RemoteObject};

/// An endpoint of an app to which Data Cloud sends changes.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteDataActionTarget {
    /// Remote ID.
    pub id: String,
    /// Key that is unique on its connection, see [`RemoteDataActionTarget::key_of`].
    pub key: Option<String>,
    /// `api_name`
    pub api_name: Option<String>,
    /// `label`
    pub label: Option<String>,
    /// `target_endpoint`, a path on the app.
    pub endpoint: Option<String>,
    /// `type`, as AppLink writes it.
    pub kind: Option<String>,
    /// UUID of its app, if AppLink returns it.
    pub app_id: Option<String>,
    /// Status as AppLink writes it.
    pub status: String,
    /// Phase that the status means.
    pub phase: Phase,
    /// The org, as far as AppLink returns it.
    pub org: Org,
    /// Error ID and text of AppLink, redacted.
    pub error: Option<String>,
    /// When it was created, as AppLink writes it.
    pub created_at: Option<String>,
    /// Heroku user who created it.
    pub created_by: Option<String>,
}

/// All data action targets on a connection, including those that no resource declares.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TargetListing {
    /// When the list call began. Some versions of AppLink have no such list; then `seen` is empty.
    pub at: Option<Timestamp>,
    /// IDs and names.
    pub seen: Vec<(String, String)>,
}

impl RemoteDataActionTarget {
    /// Key of a target: its `api_name`, after the UUID of its app if that is not `ours`. Apps that share an add-on see each
    /// other's targets, which may have the same names.
    #[must_use]
    pub fn key_of(api_name: &str, app_id: Option<&str>, ours: &str) -> String {
        match app_id {
            Some(other) if other != ours => format!("{other}/{api_name}"),
            _ => api_name.to_owned(),
        }
    }
}

impl RemoteObject for RemoteDataActionTarget {
    const DELETABLE: bool = false;

    fn id(&self) -> &str {
        &self.id
    }
    fn name(&self) -> Option<&str> {
        self.key.as_deref()
    }
    fn phase(&self) -> Phase {
        self.phase
    }
    fn created(&self) -> Option<Timestamp> {
        self.created_at.as_deref()?.parse().ok()
    }
    fn set_name(&mut self, name: &str) {
        self.key.get_or_insert_with(|| name.to_owned());
    }
}
