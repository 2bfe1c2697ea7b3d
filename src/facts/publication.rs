//! One publication as the service tells it.
//!
//! Pure. `wire::publication` decodes into it. What was published cannot be read back: only that something was, and when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Phase, RemoteObject};

/// What an app published on a connection. There is one for each app, so the app identifies it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemotePublication {
    /// UUID of the app that published.
    pub id: String,
    /// Id of the external service registration in Salesforce.
    pub external_service_id: Option<String>,
    /// Its developer name.
    pub external_service_name: Option<String>,
    /// Id of the org.
    pub org_id: Option<String>,
    /// When it was created.
    pub created_at: Option<String>,
    /// Who created it.
    pub created_by: Option<String>,
    /// When it was published last.
    pub modified_at: Option<String>,
}

impl RemoteObject for RemotePublication {
    fn id(&self) -> &str {
        &self.id
    }
    fn name(&self) -> Option<&str> {
        Some(&self.id)
    }
    fn phase(&self) -> Phase {
        Phase::Ready
    }
    fn created(&self) -> Option<Timestamp> {
        self.created_at.as_deref()?.parse().ok()
    }
    fn set_name(&mut self, _name: &str) {}
    fn modified_marker(&self) -> Option<&str> {
        Some(self.modified_at.as_deref().unwrap_or_default())
    }
}
