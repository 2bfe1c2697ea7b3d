//! How a person gets the link by which to consent, and what becomes of it: OAuth.
//!
//! Pure. The link lives in a Secret of ours and nowhere else; the plan sees only that there is one. The kinds' plans call
//! [`RemoteContext::await_user`].

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Decision, RemoteContext, elapsed};
use crate::conditions::ConditionReport;
use crate::crd::Reason;
use crate::facts::{Observed, RemoteOrgAccess};
use crate::plan::Step;
use crate::plan::state::CallOutcome;

/// How long a person has to consent.
const CONSENT_LIMIT: SignedDuration = SignedDuration::from_mins(15);

/// What stands under the name of the Secret by which a link is handed over.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum OwnedSecret {
    /// Nothing.
    #[default]
    Absent,
    /// A Secret of this very resource.
    Owned {
        /// The remote object that the link in it is for.
        id: Option<String>,
    },
    /// A Secret of a resource of this name that is gone; Kubernetes is about to remove it.
    StaleOwner,
    /// A Secret of somebody else.
    Foreign,
    /// One that belongs to another resource of ours, named as people name it.
    OwnedByOther(String),
    /// One that this operator wrote and that has no owner any more, as after a restore from a backup.
    NoOwner,
    /// Not known: it could not be read, and that must not hold up a deletion.
    Unreadable,
}

impl RemoteContext<'_, RemoteOrgAccess> {
    /// Why no link can be handed over in the Secret of this name, if so.
    #[must_use]
    pub fn secret_conflict(&self, secret: &str, there: &OwnedSecret) -> Option<Decision> {
        match there {
            OwnedSecret::Absent | OwnedSecret::Owned { .. } | OwnedSecret::Unreadable => None,
            OwnedSecret::NoOwner => Some(Decision::steps(vec![Step::SetSecretOwner { secret: secret.to_owned() }])),
            OwnedSecret::StaleOwner => {
                let text = format!(
                    "Secret {secret} belongs to an earlier resource of this name; waiting until Kubernetes removes it"
                );
                Some(Decision::report(ConditionReport::in_progress(Reason::Creating, text)))
            }
            OwnedSecret::OwnedByOther(owner) => {
                let text = format!(
                    "the link for {} {} belongs into Secret {secret}, but that is a Secret of {owner}: choose another name \
                     there, or create this resource under another name",
                    self.noun, self.display_name
                );
                Some(Decision::report(ConditionReport::stalled(Reason::InvalidSpec, text)))
            }
            OwnedSecret::Foreign => {
                let text = format!(
                    "the link for {} {} belongs into Secret {secret}, but a Secret of that name exists that is not this \
                     resource's: delete or rename it",
                    self.noun, self.display_name
                );
                Some(Decision::report(ConditionReport::stalled(Reason::InvalidSpec, text)))
            }
        }
    }

    /// What to do while a person's consent to an object of ours is waited for. `hash` is the digest of what is declared.
    #[must_use]
    pub fn await_consent(
        &self,
        seen: &Observed<RemoteOrgAccess>,
        secret: &str,
        there: &OwnedSecret,
        hash: &str,
    ) -> Decision {
        let id = seen.object.id.as_str();
        let left = self.consent_left();
        let expired = !left.is_positive();
        if *there == (OwnedSecret::Owned { id: Some(id.to_owned()) }) {
            let text = format!(
                "someone must open the link in Secret {secret}, key url, and consent; it is valid for {} minutes",
                CONSENT_LIMIT.as_mins()
            );
            let wait =
                Decision::await_remote(ConditionReport::in_progress(Reason::AwaitingUser, text)).requeue_after(left);
            return if expired { self.report_expired() } else { wait };
        }
        if let Some(decision) = self.secret_conflict(secret, there) {
            return decision;
        }
        if seen.object.link.is_some() {
            return Decision::steps(vec![Step::WriteOAuthSecret { id: id.to_owned() }]);
        }
        if !seen.detailed {
            return Decision::steps(vec![Step::Get { id: id.to_owned() }]);
        }
        if expired {
            return self.report_expired();
        }
        // Adopted: somebody else began it, who has the link.
        let adopted = self.state.intent.as_ref().is_some_and(|intent| intent.id.as_deref() == Some(id));
        if adopted && self.replacement_intent(id).is_none() {
            let text =
                format!("{} {} waits for the consent that somebody else asked for", self.noun, self.display_name);
            return Decision::await_remote(ConditionReport::in_progress(Reason::Connecting, text)).requeue_after(left);
        }
        if matches!(&self.state.last_outcome, Some(CallOutcome::Created { id: made, .. }) if made == id) {
            let text = format!(
                "AppLink gave no link by which to consent to {} {}; a new value of applink.dev/replace asks again",
                self.noun, self.display_name
            );
            return Decision::report(ConditionReport::stalled(Reason::RemoteFailed, text));
        }
        // The link was served once, to a process that died before it could hand it over: nobody has it.
        let text =
            format!("{} {} is asked for again: nobody has the link of the last request", self.noun, self.display_name);
        self.replace(id, hash, &ConditionReport::in_progress(Reason::Creating, text))
    }

    /// Whether the person's time is over.
    #[must_use]
    pub fn consent_expired(&self) -> bool {
        !self.consent_left().is_positive()
    }

    /// What to say once the person's time is over.
    fn report_expired(&self) -> Decision {
        self.consent_expired_because("nobody consented in time")
    }

    /// What to say once what they were to consent to is gone.
    #[must_use]
    pub fn consent_target_gone(&self) -> Decision {
        self.consent_expired_because("it is gone from AppLink, and nobody had consented")
    }

    fn consent_expired_because(&self, why: &str) -> Decision {
        let text = format!(
            "{} {} waits for no consent any more: {why}. Set a new value of applink.dev/requestedAt to get a new link",
            self.noun, self.display_name
        );
        Decision::report(ConditionReport::stalled(Reason::AuthorizationExpired, text))
    }

    fn consent_left(&self) -> SignedDuration {
        let began = self.state.intent.as_ref().map_or(self.now, |intent| intent.at);
        CONSENT_LIMIT.saturating_sub(elapsed(began, self.now))
    }
}
