//! What a connection or an authorization may be called: the rule for names, who holds a name or an alias, and what a
//! POST with a taken one leads to.
//!
//! Must not create anything. Called by `accesses`.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Access, Grant, NewAccess, StateError, Status, World};
use crate::settings::{NameCase, NameRule, TakenAlias, TakenName};

/// What a POST leads to.
pub(super) enum Claim {
    /// An access of its own.
    New,
    /// The access at this place, with the new inputs.
    StartOver(usize),
    /// This access, as it is.
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
    pub(super) fn claim(&self, new: &NewAccess, now: Timestamp) -> Result<Claim, StateError> {
        if self.settings.name_rule == NameRule::Enforced {
            check_name(new)?;
        }
        let taken = || StateError::NameTaken(new.collection, new.name.clone());
        let namesakes = self
            .accesses
            .iter()
            .enumerate()
            .filter(|(_, a)| a.addon == new.addon && self.same_name(&a.name, &new.name) && self.holds_name(a, now));
        let (own, other): (Vec<_>, Vec<_>) = namesakes.partition(|(_, a)| a.collection == new.collection);
        if self.settings.authorizations_hold_names && !other.is_empty() {
            return Err(taken());
        }
        let holder = own.first().copied();
        let claim = match (holder, self.settings.taken_name) {
            (None, _) | (_, TakenName::Duplicate) => Claim::New,
            (Some(_), TakenName::Conflict) => return Err(taken()),
            (Some(_), TakenName::Unprocessable) => return Err(StateError::NotUnique(new.collection.name_field())),
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

    fn holds_name(&self, access: &Access, now: Timestamp) -> bool {
        match access.status_at(now) {
            None => false,
            Some(Status::Disconnected) => self.settings.tombstones_hold_names,
            Some(Status::Failed) => self.settings.failed_hold_names,
            Some(_) => true,
        }
    }

    /// Whether another access than the one at `own` place has the alias.
    fn check_alias(&self, new: &NewAccess, own: Option<usize>, now: Timestamp) -> Result<(), StateError> {
        let Grant::Jwt { alias: wanted, .. } = &new.grant else { return Ok(()) };
        let mut others = self.accesses.iter().enumerate().filter(|(index, _)| Some(*index) != own);
        let taken = others.any(|(_, a)| {
            let lives = a.status_at(now).is_some_and(|status| *status != Status::Disconnected);
            a.addon == new.addon && lives && a.alias() == Some(wanted)
        });
        match (taken, self.settings.taken_alias) {
            (false, _) | (true, TakenAlias::Allowed) => Ok(()),
            (true, TakenAlias::Conflict) => Err(StateError::AliasTaken),
            (true, TakenAlias::Unprocessable) => Err(StateError::NotUnique("alias")),
        }
    }
}

/// The rule that the CLI prints for names.
fn check_name(new: &NewAccess) -> Result<(), StateError> {
    if is_short_identifier(&new.name) { Ok(()) } else { Err(StateError::InvalidName(new.collection, new.name.clone())) }
}

/// The same rule, of which this much holds for names of any length.
pub(super) fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && !name.ends_with('_')
        && !name.contains("__")
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The whole of that rule.
pub(super) fn is_short_identifier(name: &str) -> bool {
    (3..=30).contains(&name.chars().count()) && is_identifier(name)
}
