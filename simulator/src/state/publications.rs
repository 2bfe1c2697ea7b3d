//! Publications: an app's API, made known to the org of a Salesforce connection; what can be done to them, and what tests
//! do behind everyone's back.
//!
//! Must not know HTTP or wait: what shows later is dated later. Called by `http::publications`, the control API and the
//! tests.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::accesses::REMEMBERED;
use super::addon::is_id;
use super::names::is_identifier;
use super::publication::{Edition, NewPublication, Publication};
use super::salesforce::salesforce_id;
use super::{Access, Provider, StateError, World};
use crate::settings::{NameRule, Republish, seconds};
use crate::token::sha256_hex;

impl World {
    /// What is published at a moment, whoever did it.
    pub fn publications(&self, at: Timestamp) -> impl Iterator<Item = (&Publication, &Edition)> {
        let standing = self.publications.iter().filter(move |p| self.stands(p, at));
        standing.filter_map(move |p| Some((p, p.edition_at(at)?)))
    }

    /// What is published at a moment through a connection.
    pub fn publications_through(
        &self,
        connection: &Access,
        at: Timestamp,
    ) -> impl Iterator<Item = (&Publication, &Edition)> {
        self.publications(at).filter(move |(p, _)| self.reaches(connection, p, at))
    }

    /// Those of the app that a path segment means: by its id, by its name, or by the one that it had at the time.
    pub fn publications_of(
        &self,
        connection: &Access,
        app: &str,
        at: Timestamp,
    ) -> impl Iterator<Item = (&Publication, &Edition)> {
        let known = self.app(app).map(|app| app.id).ok();
        let means = move |p: &Publication| match known {
            Some(id) => p.app == id,
            None => is_id(p.app, app) || p.app_name == app,
        };
        self.publications_through(connection, at).filter(move |(p, _)| means(p))
    }

    /// The publication of this id with its newest edition, be it not to be seen yet.
    pub fn publication(&self, id: Uuid) -> Result<(&Publication, &Edition), StateError> {
        let found = self.publications.iter().find(|p| p.id == id && p.ended.is_none());
        found.and_then(|p| Some((p, p.newest()?))).ok_or(StateError::NoRecord)
    }

    /// A POST: publishes, or does what `republish` says, and returns the publication's id.
    pub fn publish(&mut self, new: NewPublication, now: Timestamp) -> Result<Uuid, StateError> {
        let connection = self.working(new.connection, Provider::Salesforce, now)?;
        if self.settings.name_rule == NameRule::Enforced && !is_identifier(&new.upload.client_name) {
            return Err(StateError::InvalidClientName(new.upload.client_name));
        }
        new.upload.check()?;
        let known = self.known(connection, new.app, now).map(|p| p.id);
        match (known, self.settings.publications.republish) {
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

    /// An app's publication through a connection, be it not to be seen yet.
    fn known(&self, connection: &Access, app: Uuid, now: Timestamp) -> Option<&Publication> {
        let mut living = self.publications.iter().filter(|p| p.ended.is_none() && self.stands(p, now));
        living.find(|p| p.app == app && self.reaches(connection, p, now))
    }

    fn republish(&mut self, id: Uuid, new: NewPublication, now: Timestamp) -> Result<(), StateError> {
        let tie = self.access(new.connection)?.tie(now);
        let switches = self.settings.publications.clone();
        let by = self.account.email.clone();
        let at = now.checked_add(seconds(switches.publish_seconds)).unwrap_or(Timestamp::MAX);
        let publication = self.publication_mut(id)?;
        let before = publication.newest().cloned().ok_or(StateError::NoRecord)?;
        publication.posts += 1;
        publication.tie = tie;
        if switches.touch_on_republish || before.upload != new.upload {
            let external_service_id =
                if switches.esr_id_stable { before.external_service_id } else { external_service_id() };
            publication.editions.push(Edition { at, by, upload: new.upload, external_service_id });
        }
        Ok(())
    }

    /// A DELETE.
    pub fn unpublish(&mut self, connection: Uuid, app: Uuid, now: Timestamp) -> Result<(), StateError> {
        let connection = self.access(connection)?;
        let of_app = self.publications_through(connection, now).filter(|(p, _)| p.app == app);
        let ids: Vec<_> = of_app.map(|(p, _)| p.id).collect();
        if ids.is_empty() {
            return Err(StateError::NoRecord);
        }
        ids.into_iter().try_for_each(|id| self.remove_publication(id, now))
    }

    /// Plants a publication as if somebody else had made it, whatever the state of the connection, and returns its id.
    pub fn plant_publication(&mut self, new: NewPublication, by: &str, now: Timestamp) -> Result<Uuid, StateError> {
        Ok(self.record_publication(new, by.to_owned(), SignedDuration::ZERO, now)?.id)
    }

    /// Publishes again as somebody else, be it under another client name.
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

    /// Makes a publication vanish, as if somebody had deleted it.
    pub fn remove_publication(&mut self, id: Uuid, now: Timestamp) -> Result<(), StateError> {
        self.publication_mut(id)?.ended = Some(now);
        Ok(())
    }

    fn publication_mut(&mut self, id: Uuid) -> Result<&mut Publication, StateError> {
        let mut publications = self.publications.iter_mut();
        publications.find(|p| p.id == id && p.ended.is_none()).ok_or(StateError::NoRecord)
    }

    /// Whether a connection's end has not taken a publication along.
    fn stands(&self, publication: &Publication, at: Timestamp) -> bool {
        !self.settings.publications.disconnect_unpublishes || self.holds(publication.tie, at)
    }

    /// Whether a publication is to be seen through a connection: its own, or the next one to the same org once its own
    /// has ended without it.
    fn reaches(&self, connection: &Access, publication: &Publication, at: Timestamp) -> bool {
        let same_org = || connection.org_at(at).is_some_and(|org| org.id == publication.org_id);
        let own = publication.connection() == connection.id;
        let left_behind = || !self.holds(publication.tie, at) && same_org();
        publication.addon == connection.addon && (own || left_behind())
    }

    fn record_publication(
        &mut self,
        new: NewPublication,
        by: String,
        delay: SignedDuration,
        now: Timestamp,
    ) -> Result<&mut Publication, StateError> {
        self.forget_publications(now);
        let connection = self.access(new.connection)?;
        let id = Uuid::new_v4();
        let edition = Edition {
            at: now.checked_add(delay).unwrap_or(Timestamp::MAX),
            by: by.clone(),
            upload: new.upload,
            external_service_id: external_service_id(),
        };
        let publication = Publication {
            id,
            serial: self.published,
            addon: connection.addon,
            app: new.app,
            app_name: self.app_name(new.app),
            org_id: connection.org_at(now).map(|org| org.id.clone()).unwrap_or_default(),
            heroku_applink_id: salesforce_id("1Hl", &sha256_hex(id.to_string())),
            created_at: now,
            created_by: by,
            posts: 0,
            tie: connection.tie(now),
            editions: vec![edition],
            ended: None,
        };
        self.published += 1;
        self.publications.push(publication);
        self.publication_mut(id)
    }

    /// Forgets what no list shows any more, however much it lags.
    fn forget_publications(&mut self, now: Timestamp) {
        let outlives = !self.settings.publications.disconnect_unpublishes;
        let mut publications = std::mem::take(&mut self.publications);
        publications.retain(|p| {
            let recent = p.ended.is_none_or(|end| now.duration_since(end) < REMEMBERED);
            recent && (outlives || self.access(p.connection()).is_ok())
        });
        self.publications = publications;
    }
}

/// A new id for an external service registration.
fn external_service_id() -> String {
    salesforce_id("33L", &sha256_hex(Uuid::new_v4().to_string()))
}
