//! One data action target as the service tells it.
//!
//! Pure. `wire::target` decodes into it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Org, Phase, RemoteObject};

/// Where Data Cloud sends what changes, on an app.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteDataActionTarget {
    /// Id.
    pub id: String,
    /// What tells it from the others on its connection, see [`RemoteDataActionTarget::key_of`].
    pub key: Option<String>,
    /// `api_name`
    pub api_name: Option<String>,
    /// `label`
    pub label: Option<String>,
    /// `target_endpoint`: a path on the app.
    pub endpoint: Option<String>,
    /// `type`, as the service writes it.
    pub kind: Option<String>,
    /// UUID of its app, where the service tells it.
    pub app_id: Option<String>,
    /// Status in the service's own word.
    pub status: String,
    /// Status as we understand it.
    pub phase: Phase,
    /// The org, as far as the service tells it.
    pub org: Org,
    /// The service's own error id and text, redacted.
    pub error: Option<String>,
    /// When it was created.
    pub created_at: Option<String>,
    /// Who created it.
    pub created_by: Option<String>,
}

/// The data action targets on a connection, whoever made them.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TargetListing {
    /// When they were listed; a service may have no such list, and then none were seen.
    pub at: Option<Timestamp>,
    /// Ids, and what people call them.
    pub seen: Vec<(String, String)>,
}

impl RemoteDataActionTarget {
    /// The key of a target: its `api_name`, and before it the app where that is not `ours`. Apps that share an add-on
    /// see the targets of each other, and those may be called alike.
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
