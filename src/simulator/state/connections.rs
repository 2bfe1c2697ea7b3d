//! What can be done to connections: connect, disconnect, find; and what tests do behind
//! everyone's back: plant, set a status, make one vanish.
//!
//! Must not know HTTP or wait: a course that takes time is written down as transitions to come.
//! Called by `http::connections`, the control API and the tests.

use jiff::{SignedDuration, Timestamp};
use url::Url;
use uuid::Uuid;

use super::super::settings::{JwtFailure, seconds};
use super::names::Claim;
use super::{Connection, Grant, Org, Provider, RemoteError, StateError, Status, Transition, World};

/// How long a connection that is gone is remembered, for lists that lag.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

/// Where links lead of connections that were not made over HTTP.
const NOWHERE: &str = "http://localhost";

/// What a POST asks for.
#[derive(Debug, Clone)]
pub struct NewConnection {
    /// The add-on.
    pub addon: Uuid,
    /// The app on whose behalf.
    pub app: Uuid,
    /// `connection_name`.
    pub name: String,
    /// What kind of org.
    pub provider: Provider,
    /// Where the user logs in.
    pub login_url: Url,
    /// How access is granted.
    pub grant: Grant,
}

/// What a planted connection has beside a POST's inputs.
#[derive(Debug, Clone)]
pub struct Planted {
    /// Its inputs; the rule for names does not hold here.
    pub new: NewConnection,
    /// The status that it keeps until something changes it.
    pub status: Status,
    /// Its error.
    pub error: Option<RemoteError>,
    /// The org that it leads to.
    pub org: Option<Org>,
    /// Who is told to have created it; absent: the account.
    pub created_by: Option<String>,
}

impl World {
    /// Every connection remembered, those that are gone included.
    pub fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.connections.iter()
    }

    /// An add-on's connections that exist at a moment, oldest first.
    pub fn connections_at(&self, addon: Uuid, at: Timestamp) -> impl Iterator<Item = &Connection> {
        let exists = move |c: &&Connection| c.addon == addon && c.status_at(at).is_some();
        self.connections.iter().filter(exists)
    }

    /// The connection of this id, be it gone.
    pub fn connection(&self, id: Uuid) -> Result<&Connection, StateError> {
        let found = self.connections.iter().find(|c| c.id == id);
        found.ok_or(StateError::NoConnection)
    }

    /// An add-on's connections that a path segment means: the one of this id, else those of this
    /// name, else those to this org; tombstones last.
    pub fn find(&self, addon: Uuid, key: &str, now: Timestamp) -> Vec<&Connection> {
        let called = self.find_called(addon, key, now);
        if !called.is_empty() {
            return called;
        }
        self.matching(addon, now, |c| c.org_at(now).is_some_and(|org| org.id == key))
    }

    /// The same without the orgs.
    pub fn find_called(&self, addon: Uuid, key: &str, now: Timestamp) -> Vec<&Connection> {
        let of_id = self.matching(addon, now, |c| c.id.to_string() == key);
        if !of_id.is_empty() {
            return of_id;
        }
        self.matching(addon, now, |c| self.same_name(&c.name, key))
    }

    fn matching(&self, addon: Uuid, now: Timestamp, wanted: impl Fn(&Connection) -> bool) -> Vec<&Connection> {
        let mut found: Vec<_> = self.connections_at(addon, now).filter(|c| wanted(c)).collect();
        found.sort_by_key(|c| c.status_at(now) == Some(&Status::Disconnected));
        found
    }

    /// A POST: creates a connection, or does what `takenName` says, and returns its id.
    pub fn connect(&mut self, new: NewConnection, now: Timestamp) -> Result<Uuid, StateError> {
        self.connect_through(NOWHERE, new, now)
    }

    /// [`Self::connect`] through the simulator's address: the origin of the link to where consent is asked for.
    pub fn connect_through(&mut self, origin: &str, new: NewConnection, now: Timestamp) -> Result<Uuid, StateError> {
        let upsert = match self.claim(&new, now)? {
            Claim::New => None,
            Claim::StartOver(index) => Some(index),
            Claim::Existing(id) => return Ok(id),
        };
        let serial = upsert.map_or(self.created, |index| self.connections[index].serial);
        let course = self.course(&new.grant, serial, now)?;
        let org = match &new.grant {
            Grant::Jwt { username, .. } => Some(Org::of(username)),
            Grant::OAuth => None,
        };
        if let Some(index) = upsert {
            let link = self.link(&new.grant, origin, now);
            let connection = &mut self.connections[index];
            connection.provider = new.provider;
            connection.login_url = new.login_url;
            connection.grant = new.grant;
            connection.org = org;
            connection.link = link;
            connection.turn(now, course);
            return Ok(connection.id);
        }
        Ok(self.record(origin, new, org, course, now))
    }

    /// A DELETE. Again is no error while it lasts; a tombstone goes at once.
    pub fn disconnect(&mut self, id: Uuid, now: Timestamp) -> Result<(), StateError> {
        let end = now.checked_add(seconds(self.settings.disconnect_seconds));
        let end = end.unwrap_or(Timestamp::MAX);
        let last = if self.settings.keep_disconnected {
            Transition::to(end, Status::Disconnected)
        } else {
            Transition::gone(end)
        };
        let connection = self.connection_mut(id, now)?;
        match connection.status_at(now) {
            Some(Status::Disconnecting) => {}
            Some(Status::Disconnected) => connection.turn(now, [Transition::gone(now)]),
            _ => {
                let first = Transition::to(now, Status::Disconnecting);
                connection.turn(now, [first, last]);
            }
        }
        Ok(())
    }

    /// Plants a connection as if somebody else had made it, and returns its id.
    pub fn plant(&mut self, planted: Planted, now: Timestamp) -> Uuid {
        self.plant_through(NOWHERE, planted, now)
    }

    /// [`Self::plant`] through the simulator's address.
    pub fn plant_through(&mut self, origin: &str, planted: Planted, now: Timestamp) -> Uuid {
        let mut first = Transition::to(now, planted.status);
        first.error = planted.error;
        let id = self.record(origin, planted.new, planted.org, vec![first], now);
        if let (Some(by), Ok(connection)) = (planted.created_by, self.connection_mut(id, now)) {
            connection.created_by = by;
        }
        id
    }

    /// Sets a connection's status, whatever it was.
    pub fn set_status(
        &mut self,
        id: Uuid,
        status: Status,
        error: Option<RemoteError>,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let mut step = Transition::to(now, status);
        step.error = error;
        self.connection_mut(id, now)?.turn(now, [step]);
        Ok(())
    }

    /// Makes a connection vanish at once, as if somebody else had disconnected it long ago.
    pub fn vanish(&mut self, id: Uuid, now: Timestamp) -> Result<(), StateError> {
        let connection = self.connection_mut(id, now)?;
        connection.turn(now, [Transition::gone(now)]);
        Ok(())
    }

    /// A connection that exists, to be changed.
    pub fn connection_mut(&mut self, id: Uuid, now: Timestamp) -> Result<&mut Connection, StateError> {
        let mut connections = self.connections.iter_mut();
        let found = connections.find(|c| c.id == id && c.status_at(now).is_some());
        found.ok_or(StateError::NoConnection)
    }

    /// What becomes of a new connection as time passes.
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
        new: NewConnection,
        org: Option<Org>,
        history: Vec<Transition>,
        now: Timestamp,
    ) -> Uuid {
        let link = self.link(&new.grant, origin, now);
        self.connections.retain(|c| {
            let last = c.history.last();
            last.is_none_or(|t| t.to.is_some() || now.duration_since(t.at) < REMEMBERED)
        });
        let app = self.apps.iter().find(|app| app.id == new.app);
        let connection = Connection {
            id: Uuid::new_v4(),
            serial: self.created,
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
            history,
        };
        self.created += 1;
        let id = connection.id;
        self.connections.push(connection);
        id
    }
}
