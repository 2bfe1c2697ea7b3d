//! What can be done to connections and authorizations: connect, disconnect, find; and what tests do behind everyone's
//! back: plant, set a status, make one vanish.
//!
//! Must not know HTTP or wait: a course that takes time is written down as transitions to come. Called by
//! `http::accesses`, the control API and the tests.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::access::{NewAccess, Planted};
use super::addon::is_id;
use super::names::Claim;
use super::{Access, Collection, Grant, Org, RemoteError, StateError, Status, Transition, World};
use crate::settings::{Dialect, JwtFailure, StatusAfterDelete, seconds};

/// How long what is gone is remembered, for lists that lag.
pub(super) const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

/// Where links lead of accesses that were not made over HTTP.
const NOWHERE: &str = "http://localhost";

impl World {
    /// Every access of a collection that is remembered, those that are gone included.
    pub fn accesses(&self, collection: Collection) -> impl Iterator<Item = &Access> {
        self.accesses.iter().filter(move |a| a.collection == collection)
    }

    /// Every connection remembered, those that are gone included.
    pub fn connections(&self) -> impl Iterator<Item = &Access> {
        self.accesses(Collection::Connections)
    }

    /// An add-on's accesses that exist at a moment, oldest first.
    pub fn accesses_at(&self, collection: Collection, addon: Uuid, at: Timestamp) -> impl Iterator<Item = &Access> {
        self.accesses(collection).filter(move |a| a.addon == addon && a.status_at(at).is_some())
    }

    /// The access of this id, be it gone.
    pub fn access(&self, id: Uuid) -> Result<&Access, StateError> {
        self.accesses.iter().find(|a| a.id == id).ok_or(StateError::NoRecord)
    }

    /// An add-on's accesses that a path segment means: the one of this id, else those of this name, else the
    /// connections to this org or the authorizations of this alias; tombstones last.
    pub fn find(&self, collection: Collection, addon: Uuid, key: &str, now: Timestamp) -> Vec<&Access> {
        let called = self.find_called(collection, addon, key, now);
        if !called.is_empty() {
            return called;
        }
        self.matching(collection, addon, now, |a| match collection {
            Collection::Connections => a.org_at(now).is_some_and(|org| org.is_called(key)),
            Collection::Authorizations => a.alias() == Some(key),
        })
    }

    /// Those of this id, else those of this name.
    pub fn find_called(&self, collection: Collection, addon: Uuid, key: &str, now: Timestamp) -> Vec<&Access> {
        let of_id = self.matching(collection, addon, now, |a| is_id(a.id, key));
        if !of_id.is_empty() {
            return of_id;
        }
        self.matching(collection, addon, now, |a| self.same_name(&a.name, key))
    }

    fn matching(
        &self,
        collection: Collection,
        addon: Uuid,
        now: Timestamp,
        wanted: impl Fn(&Access) -> bool,
    ) -> Vec<&Access> {
        let mut found: Vec<_> = self.accesses_at(collection, addon, now).filter(|a| wanted(a)).collect();
        found.sort_by_key(|a| a.status_at(now) == Some(&Status::Disconnected));
        found
    }

    /// A POST: creates an access, or does what `takenName` says, and returns its id.
    pub fn connect(&mut self, new: NewAccess, now: Timestamp) -> Result<Uuid, StateError> {
        self.connect_through(NOWHERE, new, now)
    }

    /// [`Self::connect`] through the simulator's address: the origin of the link to where consent is asked for.
    pub fn connect_through(&mut self, origin: &str, new: NewAccess, now: Timestamp) -> Result<Uuid, StateError> {
        let upsert = match self.claim(&new, now)? {
            Claim::New => None,
            Claim::StartOver(index) => Some(index),
            Claim::Existing(id) => return Ok(id),
        };
        let serial = upsert.map_or(self.next_serial(new.collection), |index| self.accesses[index].serial);
        let course = self.course(&new.grant, serial, now)?;
        let org = match &new.grant {
            Grant::Jwt { username, .. } => Some(Org::of(username)),
            Grant::OAuth => None,
        };
        if let Some(index) = upsert {
            let link = self.link(&new.grant, origin, now);
            let access = &mut self.accesses[index];
            access.provider = new.provider;
            access.login_url = new.login_url;
            access.grant = new.grant;
            access.org = org;
            access.link = link;
            access.session = Uuid::new_v4();
            access.turn(now, course);
            return Ok(access.id);
        }
        Ok(self.record(origin, new, org, course, now))
    }

    /// A DELETE. Again is no error while it lasts; a tombstone goes at once.
    pub fn disconnect(&mut self, id: Uuid, now: Timestamp) -> Result<(), StateError> {
        let access = self.access(id)?;
        let of_dialect = match self.settings.dialect_of(access.serial) {
            Dialect::Reference => StatusAfterDelete::Disconnected,
            Dialect::Cli | Dialect::Mixed => StatusAfterDelete::Disconnecting,
        };
        let (first, default) = match (self.settings.status_after_delete.unwrap_or(of_dialect), access.collection) {
            (StatusAfterDelete::Disconnected, _) => (Status::Disconnected, 1.0),
            (StatusAfterDelete::Disconnecting, Collection::Connections) => (Status::Disconnecting, 1.0),
            // It has no status for being on its way out.
            (StatusAfterDelete::Disconnecting, Collection::Authorizations) => (Status::Disconnecting, 0.0),
        };
        let end = now.checked_add(seconds(self.settings.disconnect_seconds.unwrap_or(default)));
        let end = end.unwrap_or(Timestamp::MAX);
        let last = if self.settings.keep_disconnected {
            Transition::to(end, Status::Disconnected)
        } else {
            Transition::gone(end)
        };
        let access = self.access_mut(id, now)?;
        match access.status_at(now) {
            Some(Status::Disconnecting) => {}
            Some(Status::Disconnected) => access.turn(now, [Transition::gone(now)]),
            _ => access.turn(now, [Transition::to(now, first), last]),
        }
        Ok(())
    }

    /// Plants an access as if somebody else had made it, and returns its id.
    pub fn plant(&mut self, planted: Planted, now: Timestamp) -> Uuid {
        self.plant_through(NOWHERE, planted, now)
    }

    /// [`Self::plant`] through the simulator's address.
    pub fn plant_through(&mut self, origin: &str, planted: Planted, now: Timestamp) -> Uuid {
        let mut first = Transition::to(now, planted.status);
        first.error = planted.error;
        let id = self.record(origin, planted.new, planted.org, vec![first], now);
        if let (Some(by), Ok(access)) = (planted.created_by, self.access_mut(id, now)) {
            access.created_by = by;
        }
        id
    }

    /// Sets the status of an access, whatever it was.
    pub fn set_status(
        &mut self,
        id: Uuid,
        status: Status,
        error: Option<RemoteError>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut step = Transition::to(now, status);
        step.error = error;
        self.access_mut(id, now)?.turn(now, [step]);
        Ok(())
    }

    /// Makes an access vanish at once, as if somebody else had disconnected it long ago.
    pub fn vanish(&mut self, id: Uuid, now: Timestamp) -> Result<(), StateError> {
        let access = self.access_mut(id, now)?;
        access.turn(now, [Transition::gone(now)]);
        Ok(())
    }

    /// The access token is good no more: from now on there is another.
    pub fn expire_token(&mut self, id: Uuid, now: Timestamp) -> Result<(), StateError> {
        self.access_mut(id, now)?.session = Uuid::new_v4();
        Ok(())
    }

    /// An access that exists, to be changed.
    pub fn access_mut(&mut self, id: Uuid, now: Timestamp) -> Result<&mut Access, StateError> {
        let mut accesses = self.accesses.iter_mut();
        let found = accesses.find(|a| a.id == id && a.status_at(now).is_some());
        found.ok_or(StateError::NoRecord)
    }

    fn next_serial(&self, collection: Collection) -> u64 {
        self.created.get(&collection).copied().unwrap_or_default()
    }

    /// What becomes of a new access as time passes.
    fn course(&self, grant: &Grant, serial: u64, now: Timestamp) -> Result<Vec<Transition>, StateError> {
        let connecting = Transition::to(now, Status::Connecting);
        let Grant::Jwt { key_digest, .. } = grant else {
            return Ok([Some(connecting), self.abandonment(now)].into_iter().flatten().collect());
        };
        let after = |delay| now.checked_add(delay).unwrap_or(Timestamp::MAX);
        let delay = self.settings.connect_delay(serial);
        if self.accepts(key_digest.as_ref()) {
            let connected = Transition::to(after(delay), Status::Connected);
            return Ok(vec![connecting, connected]);
        }
        let failed = |at| {
            let error = RemoteError::new("authentication_failed", "JWT authentication failed");
            Transition::to(at, Status::Failed).with_error(error)
        };
        match self.settings.jwt_failure {
            JwtFailure::Failed => Ok(vec![failed(now)]),
            JwtFailure::FailedLater => {
                // Later it must be, also where connecting takes no time.
                let delay = delay.max(SignedDuration::from_secs(1));
                Ok(vec![connecting, failed(after(delay))])
            }
            JwtFailure::Unauthorized => Err(StateError::KeyRefused),
            JwtFailure::Unprocessable => Err(StateError::KeyUnusable),
        }
    }

    fn accepts(&self, key_digest: Option<&String>) -> bool {
        let accepted = &self.settings.accepted_keys;
        key_digest.is_some_and(|digest| accepted.is_empty() || accepted.contains(digest))
    }

    fn record(
        &mut self,
        origin: &str,
        new: NewAccess,
        org: Option<Org>,
        history: Vec<Transition>,
        now: Timestamp,
    ) -> Uuid {
        let link = self.link(&new.grant, origin, now);
        let serial = self.next_serial(new.collection);
        self.accesses.retain(|c| {
            let last = c.history.last();
            last.is_none_or(|t| t.to.is_some() || now.duration_since(t.at) < REMEMBERED)
        });
        let app = self.apps.iter().find(|app| app.id == new.app);
        let access = Access {
            id: Uuid::new_v4(),
            collection: new.collection,
            serial,
            addon: new.addon,
            app: new.app,
            created_via_app: app.map(|app| app.name.clone()).unwrap_or_default(),
            created_by: self.account.email.clone(),
            name: new.name,
            provider: new.provider,
            login_url: new.login_url,
            grant: new.grant,
            link,
            org,
            session: Uuid::new_v4(),
            history,
        };
        self.created.insert(new.collection, serial + 1);
        let id = access.id;
        self.accesses.push(access);
        id
    }
}
