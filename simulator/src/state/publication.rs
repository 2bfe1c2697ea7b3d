//! A publication: an app's API, made known to the org of a Salesforce connection.
//!
//! Called by `world` and `publications`.

use jiff::Timestamp;
use uuid::Uuid;

use super::connection_ref::ConnectionRef;
use super::uploads::Upload;

/// One app's publication through one connection.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Its id, which AppLink does not tell.
    pub id: Uuid,
    /// Counts creations.
    pub serial: u64,
    /// Its add-on.
    pub addon: Uuid,
    /// The app.
    pub app: Uuid,
    /// That app's name at the time.
    pub app_name: String,
    /// The org's id.
    pub org_id: String,
    /// The id of the HerokuAppLink record in the org.
    pub heroku_applink_id: String,
    /// When it was first asked for.
    pub created_at: Timestamp,
    /// The email address of who asked.
    pub created_by: String,
    /// How many POSTs published it.
    pub posts: u64,
    pub(super) tie: ConnectionRef,
    pub(super) editions: Vec<Edition>,
    pub(super) ended: Option<Timestamp>,
}

/// What is published from a moment on.
#[derive(Debug, Clone)]
pub struct Edition {
    /// The moment.
    pub at: Timestamp,
    /// The email address of who published it.
    pub by: String,
    /// The inputs.
    pub upload: Upload,
    /// The id of the external service registration.
    pub external_service_id: String,
}

/// What a POST asks for.
#[derive(Debug, Clone)]
pub struct NewPublication {
    /// The connection.
    pub connection: Uuid,
    /// The app on whose behalf.
    pub app: Uuid,
    /// What it uploads.
    pub upload: Upload,
}

impl Publication {
    /// Its connection.
    pub fn connection(&self) -> Uuid {
        self.tie.connection
    }

    /// What is published at a moment, whatever became of the connection.
    pub(super) fn edition_at(&self, at: Timestamp) -> Option<&Edition> {
        let ended = self.ended.is_some_and(|end| end <= at);
        self.editions.iter().rev().find(|edition| edition.at <= at).filter(|_| !ended)
    }

    /// The edition that comes last, be it not to be seen yet.
    pub(super) fn newest(&self) -> Option<&Edition> {
        self.editions.last()
    }
}
