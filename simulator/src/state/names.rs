//! The names of connections and authorizations: the rule for names, which names and aliases are taken, and what a POST with
//! a taken one does.
//!
//! Must not create anything. Called by `org_accesses`.

use jiff::Timestamp;
use uuid::Uuid;

use super::{AuthMethod, NewOrgAccess, OrgAccess, StateError, Status, World};
use crate::settings::{NameCase, NameRule, TakenAlias, TakenName};

/// What a POST does.
pub(super) enum NameDecision {
    /// It creates an object.
    New,
    /// It updates the object at this index.
    Upsert(usize),
    /// It returns this object unchanged.
    Existing(Uuid),
}

impl World {
    /// Whether two names are equal.
    pub(super) fn same_name(&self, one: &str, other: &str) -> bool {
        match self.settings.name_case {
            NameCase::Sensitive => one == other,
            NameCase::Insensitive => one.to_lowercase() == other.to_lowercase(),
        }
    }

    /// What a POST does, given its name and its alias.
    pub(super) fn decide_name(&self, new: &NewOrgAccess, now: Timestamp) -> Result<NameDecision, StateError> {
        if self.settings.name_rule == NameRule::Enforced {
            check_name(new)?;
        }
        let taken = || StateError::NameTaken(new.collection, new.name.clone());
        let namesakes = self
            .org_accesses
            .iter()
            .enumerate()
            .filter(|(_, a)| a.addon == new.addon && self.same_name(&a.name, &new.name) && self.keeps_name(a, now));
        let (own, other): (Vec<_>, Vec<_>) = namesakes.partition(|(_, a)| a.collection == new.collection);
        if self.settings.authorizations_hold_names && !other.is_empty() {
            return Err(taken());
        }
        let holder = own.first().copied();
        let decide_name = match (holder, self.settings.taken_name) {
            (None, _) | (_, TakenName::Duplicate) => NameDecision::New,
            (Some(_), TakenName::Conflict) => return Err(taken()),
            (Some(_), TakenName::Unprocessable) => return Err(StateError::NotUnique(new.collection.name_field())),
            (Some((index, _)), TakenName::Upsert) => NameDecision::Upsert(index),
            (Some((_, holder)), TakenName::Existing) => NameDecision::Existing(holder.id),
        };
        match decide_name {
            NameDecision::Existing(_) => {}
            NameDecision::New => self.check_alias(new, None, now)?,
            NameDecision::Upsert(index) => self.check_alias(new, Some(index), now)?,
        }
        Ok(decide_name)
    }

    fn keeps_name(&self, access: &OrgAccess, now: Timestamp) -> bool {
        match access.status_at(now) {
            None => false,
            Some(Status::Disconnected) => self.settings.tombstones_hold_names,
            Some(Status::Failed) => self.settings.failed_hold_names,
            Some(_) => true,
        }
    }

    /// Refuses an alias that another object than the one at index `own` has.
    fn check_alias(&self, new: &NewOrgAccess, own: Option<usize>, now: Timestamp) -> Result<(), StateError> {
        let AuthMethod::Jwt { alias: wanted, .. } = &new.auth_method else { return Ok(()) };
        let mut others = self.org_accesses.iter().enumerate().filter(|(index, _)| Some(*index) != own);
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
fn check_name(new: &NewOrgAccess) -> Result<(), StateError> {
    if is_short_identifier(&new.name) { Ok(()) } else { Err(StateError::InvalidName(new.collection, new.name.clone())) }
}

/// The rule without its limits of length.
pub(super) fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && !name.ends_with('_')
        && !name.contains("__")
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The whole rule.
pub(super) fn is_short_identifier(name: &str) -> bool {
    (3..=30).contains(&name.chars().count()) && is_identifier(name)
}
