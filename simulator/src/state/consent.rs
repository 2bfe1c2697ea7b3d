//! Somebody's consent in a browser: the link to where it is asked for, and what becomes of an access when it is
//! given, refused or never answered.
//!
//! Must not know HTTP or HTML. Called by `accesses`, by `http::consent`, the control API and the tests.

use jiff::Timestamp;
use uuid::Uuid;

use super::consent_link::{ConsentLink, DeadLink};
use super::{Access, Grant, Org, RemoteError, StateError, Status, Transition, World};
use crate::settings::{Abandoned, seconds};
use crate::token::Token;

impl Access {
    /// The link that was handed out for consent by OAuth, whether or not it still works.
    pub fn consent_url(&self) -> Option<String> {
        self.link.as_ref().map(ConsentLink::url)
    }

    fn awaits_consent(&self, now: Timestamp) -> bool {
        self.grant == Grant::OAuth && self.status_at(now) == Some(&Status::Connecting)
    }
}

impl World {
    /// The user consents, be it long after the link ran out.
    pub fn consent(&mut self, id: Uuid, org: Org, now: Timestamp) -> Result<(), StateError> {
        let access = self.answered(id, now)?;
        access.org = Some(org);
        access.turn(now, [Transition::to(now, Status::Connected)]);
        Ok(())
    }

    /// The user refuses, be it long after the link ran out.
    pub fn deny(&mut self, id: Uuid, now: Timestamp) -> Result<(), StateError> {
        let error = RemoteError::new("org_connection_failed", "access_denied: end-user denied authorization");
        let failed = Transition::to(now, Status::Failed).with_error(error);
        self.answered(id, now)?.turn(now, [failed]);
        Ok(())
    }

    /// What a link asks for consent to.
    pub(crate) fn asks(&self, key: &str, state: &str, now: Timestamp) -> Result<&Access, DeadLink> {
        let led = |a: &Access| a.link.as_ref().is_some_and(|l| l.key.expose() == key && l.state() == state);
        let access = self.accesses.iter().find(|a| led(a)).ok_or(DeadLink::Unknown)?;
        let link = access.link.as_ref().ok_or(DeadLink::Unknown)?;
        if link.answered {
            Err(DeadLink::Used)
        } else if link.expires <= now {
            Err(DeadLink::Expired)
        } else if !access.awaits_consent(now) {
            Err(DeadLink::Withdrawn)
        } else {
            Ok(access)
        }
    }

    /// The link for what is made now through this origin.
    pub(super) fn link(&self, grant: &Grant, origin: &str, now: Timestamp) -> Option<ConsentLink> {
        (*grant == Grant::OAuth).then(|| ConsentLink {
            origin: self.settings.origin_or(origin).to_owned(),
            key: Token::new(format!("canary-{}", Uuid::new_v4())),
            expires: self.consent_end(now),
            answered: false,
        })
    }

    /// What becomes of an access to which nobody consents.
    pub(super) fn abandonment(&self, now: Timestamp) -> Option<Transition> {
        let end = self.consent_end(now);
        let error = || RemoteError::new("org_connection_failed", "Nobody completed the authorization in time.");
        match self.settings.abandoned {
            Abandoned::Keep => None,
            Abandoned::Fail => Some(Transition::to(end, Status::Failed).with_error(error())),
            Abandoned::Disconnected => Some(Transition::to(end, Status::Disconnected)),
            Abandoned::Vanish => Some(Transition::gone(end)),
        }
    }

    fn consent_end(&self, now: Timestamp) -> Timestamp {
        now.checked_add(seconds(self.settings.consent_seconds)).unwrap_or(Timestamp::MAX)
    }

    /// An access that waits for consent, and from now on does no more.
    fn answered(&mut self, id: Uuid, now: Timestamp) -> Result<&mut Access, StateError> {
        let access = self.access_mut(id, now)?;
        if !access.awaits_consent(now) {
            return Err(StateError::NotAwaitingConsent);
        }
        if let Some(link) = &mut access.link {
            link.answered = true;
        }
        Ok(access)
    }
}
