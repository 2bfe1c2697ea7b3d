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
    /// Its id, which AppLink does not return.
    pub id: Uuid,
    /// Its number in the order of creation.
    pub serial: u64,
    pub addon: Uuid,
    pub app: Uuid,
    /// The name of the app when it was created.
    pub app_name: String,
    pub org_id: String,
    /// The id of the HerokuAppLink record in the org.
    pub heroku_applink_id: String,
    /// When it was first requested.
    pub created_at: Timestamp,
    /// The email address of its creator.
    pub created_by: String,
    /// How many POSTs there were for it.
    pub posts: u64,
    pub(super) connection_ref: ConnectionRef,
    pub(super) editions: Vec<Edition>,
    pub(super) ended: Option<Timestamp>,
}

/// A version of a publication, from some time on.
#[derive(Debug, Clone)]
pub struct Edition {
    pub at: Timestamp,
    /// The email address of its author.
    pub by: String,
    pub upload: Upload,
    /// The id of the external service registration.
    pub external_service_id: String,
}

/// The inputs of a POST.
#[derive(Debug, Clone)]
pub struct NewPublication {
    pub connection: Uuid,
    /// The app that sends the request.
    pub app: Uuid,
    /// The upload.
    pub upload: Upload,
}

impl Publication {
    pub fn connection(&self) -> Uuid {
        self.connection_ref.connection
    }

    /// The version at some time, ignoring the connection.
    pub(super) fn edition_at(&self, at: Timestamp) -> Option<&Edition> {
        let ended = self.ended.is_some_and(|end| end <= at);
        self.editions.iter().rev().find(|edition| edition.at <= at).filter(|_| !ended)
    }

    /// The newest version, even if it is not visible yet.
    pub(super) fn newest(&self) -> Option<&Edition> {
        self.editions.last()
    }
}
