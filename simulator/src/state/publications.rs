//! Publications: publish, unpublish, find; and for tests: plant one, change it, remove it.
//!
//! Must not use HTTP or wait: a delayed change has a later date. Called by `http::publications`, the control API and the
//! tests.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::addon::is_id;
use super::names::is_identifier;
use super::org_accesses::RETENTION;
use super::publication::{Edition, NewPublication, Publication};
use super::salesforce::salesforce_id;
use super::{OrgAccess, Provider, StateError, World};
use crate::settings::{NameRule, Republish, seconds};
use crate::token::sha256_hex;

impl World {
    /// All publications at some time.
    pub fn publications(&self, at: Timestamp) -> impl Iterator<Item = (&Publication, &Edition)> {
        let standing = self.publications.iter().filter(move |p| self.is_live(p, at));
        standing.filter_map(move |p| Some((p, p.edition_at(at)?)))
    }

    /// The publications of a connection at some time.
    pub fn publications_through(
        &self,
        connection: &OrgAccess,
        at: Timestamp,
    ) -> impl Iterator<Item = (&Publication, &Edition)> {
        self.publications(at).filter(move |(p, _)| self.is_visible_through(connection, p, at))
    }

    /// The publications of an app, given by its id, its name, or its former name.
    pub fn publications_of(
        &self,
        connection: &OrgAccess,
        app: &str,
        at: Timestamp,
    ) -> impl Iterator<Item = (&Publication, &Edition)> {
        let existing = self.app(app).map(|app| app.id).ok();
        let means = move |p: &Publication| match existing {
            Some(id) => p.app == id,
            None => is_id(p.app, app) || p.app_name == app,
        };
        self.publications_through(connection, at).filter(move |(p, _)| means(p))
    }

    /// The publication of this id with its newest version, even if it is not visible yet.
    pub fn publication(&self, id: Uuid) -> Result<(&Publication, &Edition), StateError> {
        let found = self.publications.iter().find(|p| p.id == id && p.ended.is_none());
        found.and_then(|p| Some((p, p.newest()?))).ok_or(StateError::NoRecord)
    }

    /// A POST: publishes, or does what `republish` says. Returns the publication's id.
    pub fn publish(&mut self, new: NewPublication, now: Timestamp) -> Result<Uuid, StateError> {
        let connection = self.connected(new.connection, Provider::Salesforce, now)?;
        if self.settings.name_rule == NameRule::Enforced && !is_identifier(&new.upload.client_name) {
            return Err(StateError::InvalidClientName(new.upload.client_name));
        }
        new.upload.check()?;
        let existing = self.existing(connection, new.app, now).map(|p| p.id);
        match (existing, self.settings.publications.republish) {
            (None, _) => {
                let delay = seconds(self.settings.publications.publish_seconds);
                let by = self.account.email.clone();
                let publication = self.record_publication(new, by, delay, now)?;
                publication.posts = 1;
                Ok(publication.id)
            }
            (Some(id), Republish::Update) => {
                self.republish(id, new, now)?;
                Ok(id)
            }
            (Some(_), Republish::Conflict) => Err(StateError::AlreadyPublished),
            (Some(_), Republish::Unprocessable) => Err(StateError::NotUnique("app")),
        }
    }

    /// The publication of an app through a connection, even if it is not visible yet.
    fn existing(&self, connection: &OrgAccess, app: Uuid, now: Timestamp) -> Option<&Publication> {
        let mut living = self.publications.iter().filter(|p| p.ended.is_none() && self.is_live(p, now));
        living.find(|p| p.app == app && self.is_visible_through(connection, p, now))
    }

    fn republish(&mut self, id: Uuid, new: NewPublication, now: Timestamp) -> Result<(), StateError> {
        let connection_ref = self.org_access(new.connection)?.connection_ref(now);
        let switches = self.settings.publications.clone();
        let by = self.account.email.clone();
        let at = now.checked_add(seconds(switches.publish_seconds)).unwrap_or(Timestamp::MAX);
        let publication = self.publication_mut(id)?;
        let before = publication.newest().cloned().ok_or(StateError::NoRecord)?;
        publication.posts += 1;
        publication.connection_ref = connection_ref;
        if switches.touch_on_republish || before.upload != new.upload {
            let external_service_id =
                if switches.esr_id_stable { before.external_service_id } else { external_service_id() };
            publication.editions.push(Edition { at, by, upload: new.upload, external_service_id });
        }
        Ok(())
    }

    /// A DELETE.
    pub fn unpublish(&mut self, connection: Uuid, app: Uuid, now: Timestamp) -> Result<(), StateError> {
        let connection = self.org_access(connection)?;
        let of_app = self.publications_through(connection, now).filter(|(p, _)| p.app == app);
        let ids: Vec<_> = of_app.map(|(p, _)| p.id).collect();
        if ids.is_empty() {
            return Err(StateError::NoRecord);
        }
        ids.into_iter().try_for_each(|id| self.remove_publication(id, now))
    }

    /// Adds a publication that somebody else created, in any state of the connection. Returns its id.
    pub fn plant_publication(&mut self, new: NewPublication, by: &str, now: Timestamp) -> Result<Uuid, StateError> {
        Ok(self.record_publication(new, by.to_owned(), SignedDuration::ZERO, now)?.id)
    }

    /// Publishes again as somebody else, optionally with another client name.
    pub fn touch_publication(
        &mut self,
        id: Uuid,
        client_name: Option<String>,
        by: &str,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let publication = self.publication_mut(id)?;
        let mut edition = publication.newest().cloned().ok_or(StateError::NoRecord)?;
        edition.at = now;
        by.clone_into(&mut edition.by);
        edition.upload.client_name = client_name.unwrap_or(edition.upload.client_name);
        publication.editions.push(edition);
        Ok(())
    }

    /// Removes a publication, as if somebody had deleted it.
    pub fn remove_publication(&mut self, id: Uuid, now: Timestamp) -> Result<(), StateError> {
        self.publication_mut(id)?.ended = Some(now);
        Ok(())
    }

    fn publication_mut(&mut self, id: Uuid) -> Result<&mut Publication, StateError> {
        let mut publications = self.publications.iter_mut();
        publications.find(|p| p.id == id && p.ended.is_none()).ok_or(StateError::NoRecord)
    }

    /// Whether a publication was not removed with its connection.
    fn is_live(&self, publication: &Publication, at: Timestamp) -> bool {
        !self.settings.publications.disconnect_unpublishes || self.is_intact(publication.connection_ref, at)
    }

    /// Whether a connection shows a publication: its own connection, or another one to the same org once its own is gone.
    fn is_visible_through(&self, connection: &OrgAccess, publication: &Publication, at: Timestamp) -> bool {
        let same_org = || connection.org_at(at).is_some_and(|org| org.id == publication.org_id);
        let own = publication.connection() == connection.id;
        let orphaned = || !self.is_intact(publication.connection_ref, at) && same_org();
        publication.addon == connection.addon && (own || orphaned())
    }

    fn record_publication(
        &mut self,
        new: NewPublication,
        by: String,
        delay: SignedDuration,
        now: Timestamp,
    ) -> Result<&mut Publication, StateError> {
        self.forget_publications(now);
        let connection = self.org_access(new.connection)?;
        let id = Uuid::new_v4();
        let edition = Edition {
            at: now.checked_add(delay).unwrap_or(Timestamp::MAX),
            by: by.clone(),
            upload: new.upload,
            external_service_id: external_service_id(),
        };
        let publication = Publication {
            id,
            serial: self.publications_created,
            addon: connection.addon,
            app: new.app,
            app_name: self.app_name(new.app),
            org_id: connection.org_at(now).map(|org| org.id.clone()).unwrap_or_default(),
            heroku_applink_id: salesforce_id("1Hl", &sha256_hex(id.to_string())),
            created_at: now,
            created_by: by,
            posts: 0,
            connection_ref: connection.connection_ref(now),
            editions: vec![edition],
            ended: None,
        };
        self.publications_created += 1;
        self.publications.push(publication);
        self.publication_mut(id)
    }

    /// Drops publications that no list can show any more.
    fn forget_publications(&mut self, now: Timestamp) {
        let outlives = !self.settings.publications.disconnect_unpublishes;
        let mut publications = std::mem::take(&mut self.publications);
        publications.retain(|p| {
            let recent = p.ended.is_none_or(|end| now.duration_since(end) < RETENTION);
            recent && (outlives || self.org_access(p.connection()).is_ok())
        });
        self.publications = publications;
    }
}

/// A random id for an external service registration.
fn external_service_id() -> String {
    salesforce_id("33L", &sha256_hex(Uuid::new_v4().to_string()))
}
