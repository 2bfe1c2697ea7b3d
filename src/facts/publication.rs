//! A publication as AppLink returns it.
//!
//! Pure. `wire::publication` decodes it. AppLink does not return the content, only that and when an app published.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Phase, RemoteObject};

/// The API of one app on a connection. An app has at most one, so the UUID of the app is its ID.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemotePublication {
    /// UUID of the app that published.
    pub id: String,
    /// ID of the external service registration in Salesforce.
    pub external_service_id: Option<String>,
    /// Developer name of that registration.
    pub external_service_name: Option<String>,
    /// Org ID, 18 characters.
    pub org_id: Option<String>,
    /// When it was created, as AppLink writes it.
    pub created_at: Option<String>,
    /// Heroku user who created it.
    pub created_by: Option<String>,
    /// When it was last published, as AppLink writes it.
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
