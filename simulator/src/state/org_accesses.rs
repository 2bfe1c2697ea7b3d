//! Connections and authorizations: connect, disconnect, find; and for tests: plant one, set its status, remove it.
//!
//! Must not use HTTP or wait: changes that take time are recorded as future transitions. Called by `http::org_accesses`,
//! the control API and the tests.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::addon::is_id;
use super::names::NameDecision;
use super::org_access::{NewOrgAccess, Planted};
use super::{AuthMethod, Collection, Org, OrgAccess, RemoteError, StateError, Status, Transition, World};
use crate::settings::{Dialect, JwtFailure, StatusAfterDelete, seconds};

/// How long removed objects are kept, because lists may lag.
pub(super) const RETENTION: SignedDuration = SignedDuration::from_hours(1);

/// The origin of links to objects that were not created over HTTP.
const DEFAULT_ORIGIN: &str = "http://localhost";

impl World {
    /// All objects of a collection, including removed ones that are still kept.
    pub fn org_accesses(&self, collection: Collection) -> impl Iterator<Item = &OrgAccess> {
        self.org_accesses.iter().filter(move |a| a.collection == collection)
    }

    /// All connections, including removed ones that are still kept.
    pub fn connections(&self) -> impl Iterator<Item = &OrgAccess> {
        self.org_accesses(Collection::Connections)
    }

    /// The objects of an add-on that exist at some time, oldest first.
    pub fn org_accesses_at(
        &self,
        collection: Collection,
        addon: Uuid,
        at: Timestamp,
    ) -> impl Iterator<Item = &OrgAccess> {
        self.org_accesses(collection).filter(move |a| a.addon == addon && a.status_at(at).is_some())
    }

    /// The connection or authorization with this id, even if it is removed.
    pub fn org_access(&self, id: Uuid) -> Result<&OrgAccess, StateError> {
        self.org_accesses.iter().find(|a| a.id == id).ok_or(StateError::NoRecord)
    }

    /// The objects of an add-on that match a path segment: the one with this id, else those with this name, else the
    /// connections to this org or the authorizations with this alias. Tombstones come last.
    pub fn find(&self, collection: Collection, addon: Uuid, key: &str, now: Timestamp) -> Vec<&OrgAccess> {
        let called = self.find_called(collection, addon, key, now);
        if !called.is_empty() {
            return called;
        }
        self.matching(collection, addon, now, |a| match collection {
            Collection::Connections => a.org_at(now).is_some_and(|org| org.is_called(key)),
            Collection::Authorizations => a.alias() == Some(key),
        })
    }

    /// The objects of an add-on with this id, else those with this name.
    pub fn find_called(&self, collection: Collection, addon: Uuid, key: &str, now: Timestamp) -> Vec<&OrgAccess> {
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
        wanted: impl Fn(&OrgAccess) -> bool,
    ) -> Vec<&OrgAccess> {
        let mut found: Vec<_> = self.org_accesses_at(collection, addon, now).filter(|a| wanted(a)).collect();
        found.sort_by_key(|a| a.status_at(now) == Some(&Status::Disconnected));
        found
    }

    /// A POST: creates a connection or an authorization, or does what `takenName` says. Returns its id.
    pub fn connect(&mut self, new: NewOrgAccess, now: Timestamp) -> Result<Uuid, StateError> {
        self.connect_through(DEFAULT_ORIGIN, new, now)
    }

    /// [`Self::connect`] with the origin of the consent link.
    pub fn connect_through(&mut self, origin: &str, new: NewOrgAccess, now: Timestamp) -> Result<Uuid, StateError> {
        let upsert = match self.decide_name(&new, now)? {
            NameDecision::New => None,
            NameDecision::Upsert(index) => Some(index),
            NameDecision::Existing(id) => return Ok(id),
        };
        let serial = upsert.map_or(self.next_serial(new.collection), |index| self.org_accesses[index].serial);
        let transitions = self.transitions(&new.auth_method, serial, now)?;
        let org = match &new.auth_method {
            AuthMethod::Jwt { username, .. } => Some(Org::of(username)),
            AuthMethod::OAuth => None,
        };
        if let Some(index) = upsert {
            let link = self.link(&new.auth_method, origin, now);
            let access = &mut self.org_accesses[index];
            access.provider = new.provider;
            access.login_url = new.login_url;
            access.auth_method = new.auth_method;
            access.org = org;
            access.link = link;
            access.session = Uuid::new_v4();
            access.replace_future(now, transitions);
            return Ok(access.id);
        }
        Ok(self.record(origin, new, org, transitions, now))
    }

    /// A DELETE. A repeated one is no error; a tombstone is removed at once.
    pub fn disconnect(&mut self, id: Uuid, now: Timestamp) -> Result<(), StateError> {
        let access = self.org_access(id)?;
        let of_dialect = match self.settings.dialect_of(access.serial) {
            Dialect::Reference => StatusAfterDelete::Disconnected,
            Dialect::Cli | Dialect::Mixed => StatusAfterDelete::Disconnecting,
        };
        let (first, default) = match (self.settings.status_after_delete.unwrap_or(of_dialect), access.collection) {
            (StatusAfterDelete::Disconnected, _) => (Status::Disconnected, 1.0),
            (StatusAfterDelete::Disconnecting, Collection::Connections) => (Status::Disconnecting, 1.0),
            // The CLI's types have no such status.
            (StatusAfterDelete::Disconnecting, Collection::Authorizations) => (Status::Disconnecting, 0.0),
        };
        let end = now.checked_add(seconds(self.settings.disconnect_seconds.unwrap_or(default)));
        let end = end.unwrap_or(Timestamp::MAX);
        let last = if self.settings.keep_disconnected {
            Transition::to(end, Status::Disconnected)
        } else {
            Transition::gone(end)
        };
        let access = self.org_access_mut(id, now)?;
        match access.status_at(now) {
            Some(Status::Disconnecting) => {}
            Some(Status::Disconnected) => access.replace_future(now, [Transition::gone(now)]),
            _ => access.replace_future(now, [Transition::to(now, first), last]),
        }
        Ok(())
    }

    /// Adds an object that somebody else created. Returns its id.
    pub fn plant(&mut self, planted: Planted, now: Timestamp) -> Uuid {
        self.plant_through(DEFAULT_ORIGIN, planted, now)
    }

    /// [`Self::plant`] with the origin of the consent link.
    pub fn plant_through(&mut self, origin: &str, planted: Planted, now: Timestamp) -> Uuid {
        let mut first = Transition::to(now, planted.status);
        first.error = planted.error;
        let id = self.record(origin, planted.new, planted.org, vec![first], now);
        if let (Some(by), Ok(access)) = (planted.created_by, self.org_access_mut(id, now)) {
            access.created_by = by;
        }
        id
    }

    /// Sets the status, whatever it was.
    pub fn set_status(
        &mut self,
        id: Uuid,
        status: Status,
        error: Option<RemoteError>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut step = Transition::to(now, status);
        step.error = error;
        self.org_access_mut(id, now)?.replace_future(now, [step]);
        Ok(())
    }

    /// Removes an object at once, as if somebody else had disconnected it long ago.
    pub fn vanish(&mut self, id: Uuid, now: Timestamp) -> Result<(), StateError> {
        let access = self.org_access_mut(id, now)?;
        access.replace_future(now, [Transition::gone(now)]);
        Ok(())
    }

    /// Replaces the access token.
    pub fn expire_token(&mut self, id: Uuid, now: Timestamp) -> Result<(), StateError> {
        self.org_access_mut(id, now)?.session = Uuid::new_v4();
        Ok(())
    }

    /// An object that exists, for a change.
    pub fn org_access_mut(&mut self, id: Uuid, now: Timestamp) -> Result<&mut OrgAccess, StateError> {
        let mut org_accesses = self.org_accesses.iter_mut();
        let found = org_accesses.find(|a| a.id == id && a.status_at(now).is_some());
        found.ok_or(StateError::NoRecord)
    }

    fn next_serial(&self, collection: Collection) -> u64 {
        self.created.get(&collection).copied().unwrap_or_default()
    }

    /// The transitions of a new object.
    fn transitions(
        &self,
        auth_method: &AuthMethod,
        serial: u64,
        now: Timestamp,
    ) -> Result<Vec<Transition>, StateError> {
        let connecting = Transition::to(now, Status::Connecting);
        let AuthMethod::Jwt { key_digest, .. } = auth_method else {
            return Ok([Some(connecting), self.consent_timeout(now)].into_iter().flatten().collect());
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
                // Not at once, even if connecting takes no time.
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
        new: NewOrgAccess,
        org: Option<Org>,
        history: Vec<Transition>,
        now: Timestamp,
    ) -> Uuid {
        let link = self.link(&new.auth_method, origin, now);
        let serial = self.next_serial(new.collection);
        self.org_accesses.retain(|c| {
            let last = c.history.last();
            last.is_none_or(|t| t.to.is_some() || now.duration_since(t.at) < RETENTION)
        });
        let app = self.apps.iter().find(|app| app.id == new.app);
        let access = OrgAccess {
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
            auth_method: new.auth_method,
            link,
            org,
            session: Uuid::new_v4(),
            history,
        };
        self.created.insert(new.collection, serial + 1);
        let id = access.id;
        self.org_accesses.push(access);
        id
    }
}
