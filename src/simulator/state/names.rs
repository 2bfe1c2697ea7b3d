//! What a connection may be called: the rule for names, who holds a name or an alias, and what a POST with a taken one
//! leads to.
//!
//! Must not create anything. Called by `connections`.

use jiff::Timestamp;
use uuid::Uuid;

use super::super::settings::{NameCase, NameRule, TakenAlias, TakenName};
use super::{Connection, Grant, NewConnection, StateError, Status, World};

/// What a POST leads to.
pub(super) enum Claim {
    /// A connection of its own.
    New,
    /// The connection at this place, with the new inputs.
    StartOver(usize),
    /// This connection, as it is.
    Existing(Uuid),
}

impl World {
    /// Whether two names are one.
    pub(super) fn same_name(&self, one: &str, other: &str) -> bool {
        match self.settings.name_case {
            NameCase::Sensitive => one == other,
            NameCase::Insensitive => one.to_lowercase() == other.to_lowercase(),
        }
    }

    /// What a POST leads to, by its name and its alias.
    pub(super) fn claim(&self, new: &NewConnection, now: Timestamp) -> Result<Claim, StateError> {
        if self.settings.name_rule == NameRule::Enforced {
            check_name(&new.name)?;
        }
        let mut authorizations = self.authorizations.iter().filter(|a| a.addon == new.addon);
        if self.settings.authorizations_hold_names
            && authorizations.any(|a| self.same_name(&a.developer_name, &new.name))
        {
            return Err(StateError::NameTaken(new.name.clone()));
        }
        let mut connections = self.connections.iter().enumerate();
        let holder = connections
            .find(|(_, c)| c.addon == new.addon && self.same_name(&c.name, &new.name) && self.holds_name(c, now));
        let claim = match (holder, self.settings.taken_name) {
            (None, _) | (_, TakenName::Duplicate) => Claim::New,
            (Some(_), TakenName::Conflict) => return Err(StateError::NameTaken(new.name.clone())),
            (Some(_), TakenName::Unprocessable) => return Err(StateError::NotUnique("connection_name")),
            (Some((index, _)), TakenName::Upsert) => Claim::StartOver(index),
            (Some((_, holder)), TakenName::Existing) => Claim::Existing(holder.id),
        };
        match claim {
            Claim::Existing(_) => {}
            Claim::New => self.check_alias(new, None, now)?,
            Claim::StartOver(index) => self.check_alias(new, Some(index), now)?,
        }
        Ok(claim)
    }

    fn holds_name(&self, connection: &Connection, now: Timestamp) -> bool {
        match connection.status_at(now) {
            None => false,
            Some(Status::Disconnected) => self.settings.tombstones_hold_names,
            Some(Status::Failed) => self.settings.failed_hold_names,
            Some(_) => true,
        }
    }

    /// Whether another connection than the one at `own` place has the alias.
    fn check_alias(&self, new: &NewConnection, own: Option<usize>, now: Timestamp) -> Result<(), StateError> {
        let Grant::Jwt { alias: wanted, .. } = &new.grant else { return Ok(()) };
        let mut others = self.connections.iter().enumerate().filter(|(index, _)| Some(*index) != own);
        let taken = others.any(|(_, c)| {
            let lives = c.status_at(now).is_some_and(|status| *status != Status::Disconnected);
            let has = matches!(&c.grant, Grant::Jwt { alias, .. } if alias == wanted);
            c.addon == new.addon && lives && has
        });
        match (taken, self.settings.taken_alias) {
            (false, _) | (true, TakenAlias::Allowed) => Ok(()),
            (true, TakenAlias::Conflict) => Err(StateError::AliasTaken),
            (true, TakenAlias::Unprocessable) => Err(StateError::NotUnique("alias")),
        }
    }
}

/// The rule that the CLI prints for names.
fn check_name(name: &str) -> Result<(), StateError> {
    let length = name.chars().count();
    let ok = (3..=30).contains(&length)
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && !name.ends_with('_')
        && !name.contains("__")
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if ok { Ok(()) } else { Err(StateError::InvalidName(name.to_owned())) }
}
