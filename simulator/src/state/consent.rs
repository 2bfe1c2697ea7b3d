//! Consent in a browser: what happens when somebody gives it, denies it, or never answers.
//!
//! Must not use HTTP or HTML. Called by `org_accesses`, `http::consent`, the control API and the tests.

use jiff::Timestamp;
use uuid::Uuid;

use super::consent_link::{ConsentLink, LinkError};
use super::{AuthMethod, Org, OrgAccess, RemoteError, StateError, Status, Transition, World};
use crate::settings::{Abandoned, seconds};
use crate::token::Token;

impl OrgAccess {
    /// The consent link, whether or not it still works.
    pub fn consent_url(&self) -> Option<String> {
        self.link.as_ref().map(ConsentLink::url)
    }

    fn awaits_consent(&self, now: Timestamp) -> bool {
        self.auth_method == AuthMethod::OAuth && self.status_at(now) == Some(&Status::Connecting)
    }
}

impl World {
    /// The user consents, even after the link expired.
    pub fn consent(&mut self, id: Uuid, org: Org, now: Timestamp) -> Result<(), StateError> {
        let access = self.take_consent_request(id, now)?;
        access.org = Some(org);
        access.replace_future(now, [Transition::to(now, Status::Connected)]);
        Ok(())
    }

    /// The user denies, even after the link expired.
    pub fn deny(&mut self, id: Uuid, now: Timestamp) -> Result<(), StateError> {
        let error = RemoteError::new("org_connection_failed", "access_denied: end-user denied authorization");
        let failed = Transition::to(now, Status::Failed).with_error(error);
        self.take_consent_request(id, now)?.replace_future(now, [failed]);
        Ok(())
    }

    /// The connection or authorization that a link asks consent for.
    pub(crate) fn open_consent_request(&self, key: &str, state: &str, now: Timestamp) -> Result<&OrgAccess, LinkError> {
        let is_of = |a: &OrgAccess| a.link.as_ref().is_some_and(|l| l.key.expose() == key && l.state() == state);
        let access = self.org_accesses.iter().find(|a| is_of(a)).ok_or(LinkError::Unknown)?;
        let link = access.link.as_ref().ok_or(LinkError::Unknown)?;
        if link.answered {
            Err(LinkError::Used)
        } else if link.expires <= now {
            Err(LinkError::Expired)
        } else if !access.awaits_consent(now) {
            Err(LinkError::Withdrawn)
        } else {
            Ok(access)
        }
    }

    /// A new consent link with this origin. None for a JWT.
    pub(super) fn link(&self, auth_method: &AuthMethod, origin: &str, now: Timestamp) -> Option<ConsentLink> {
        (*auth_method == AuthMethod::OAuth).then(|| ConsentLink {
            origin: self.settings.origin_or(origin).to_owned(),
            key: Token::new(format!("canary-{}", Uuid::new_v4())),
            expires: self.consent_end(now),
            answered: false,
        })
    }

    /// The transition that happens if nobody consents in time.
    pub(super) fn consent_timeout(&self, now: Timestamp) -> Option<Transition> {
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

    /// An object that waits for consent. Marks its link as used.
    fn take_consent_request(&mut self, id: Uuid, now: Timestamp) -> Result<&mut OrgAccess, StateError> {
        let access = self.org_access_mut(id, now)?;
        if !access.awaits_consent(now) {
            return Err(StateError::NotAwaitingConsent);
        }
        if let Some(link) = &mut access.link {
            link.answered = true;
        }
        Ok(access)
    }
}
