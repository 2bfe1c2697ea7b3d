//! Consent: how a person gets the consent link, and what happens to the link.
//!
//! Pure. The link is in the OAuth Secret and nowhere else; a plan only knows whether there is one.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::context::RemoteContext;
use crate::conditions::ConditionReport;
use crate::crd::Reason;
use crate::facts::{Observed, RemoteOrgAccess};
use crate::plan::decision::Decision;
use crate::plan::state::CallOutcome;
use crate::plan::step::Step;
use crate::timing::{CONSENT_LIMIT, elapsed};

/// State of a Secret that the operator writes.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum OwnedSecret {
    /// There is no Secret of this name.
    #[default]
    Absent,
    /// The resource owns the Secret.
    Owned {
        /// Remote ID of the object that its consent link belongs to, if it holds a link.
        id: Option<String>,
    },
    /// A deleted resource of the same name owns the Secret. Kubernetes is about to delete it.
    StaleOwner,
    /// The operator did not write the Secret.
    Foreign,
    /// Another resource of this operator owns the Secret, for example "Authorization batch".
    OwnedByOther(String),
    /// The operator wrote the Secret, but it has no owner any more, for example after a restore from a backup.
    NoOwner,
    /// The Secret could not be read. This must not block a deletion.
    Unreadable,
}

impl RemoteContext<'_, RemoteOrgAccess> {
    /// Stops if the operator cannot write the consent link to this Secret.
    #[must_use]
    pub fn secret_conflict(&self, secret: &str, state: &OwnedSecret) -> Option<Decision> {
        match state {
            OwnedSecret::Absent | OwnedSecret::Owned { .. } | OwnedSecret::Unreadable => None,
            OwnedSecret::NoOwner => Some(Decision::step(Step::SetSecretOwner { secret: secret.to_owned() })),
            OwnedSecret::StaleOwner => {
                let text = format!(
                    "Secret {secret} belongs to an earlier resource of this name; waiting until Kubernetes deletes it"
                );
                Some(Decision::report(ConditionReport::in_progress(Reason::Creating, text)))
            }
            OwnedSecret::OwnedByOther(owner) => {
                let text = format!(
                    "cannot write the consent link of {} {}: Secret {secret} belongs to {owner}. Choose another Secret name \
                     there, or create this resource under another name",
                    self.noun, self.display_name
                );
                Some(Decision::report(ConditionReport::stalled(Reason::InvalidSpec, text)))
            }
            OwnedSecret::Foreign => {
                let text = format!(
                    "cannot write the consent link of {} {}: Secret {secret} exists and is not owned by this resource. To \
                     continue, delete or rename it",
                    self.noun, self.display_name
                );
                Some(Decision::report(ConditionReport::stalled(Reason::InvalidSpec, text)))
            }
        }
    }

    /// Waits until a person consents to our object, and hands out the link. `hash` is the digest of the declared inputs.
    #[must_use]
    pub fn await_consent(
        &self,
        observed: &Observed<RemoteOrgAccess>,
        secret: &str,
        state: &OwnedSecret,
        hash: &str,
    ) -> Decision {
        let id = observed.object.id.as_str();
        let left = self.consent_left();
        let expired = !left.is_positive();
        if *state == (OwnedSecret::Owned { id: Some(id.to_owned()) }) {
            let text = format!(
                "waiting for consent. Open the link in key url of Secret {secret} within {} minutes, and consent",
                CONSENT_LIMIT.as_mins()
            );
            let wait =
                Decision::await_remote(ConditionReport::in_progress(Reason::AwaitingUser, text)).requeue_after(left);
            return if expired { self.report_expired() } else { wait };
        }
        if let Some(decision) = self.secret_conflict(secret, state) {
            return decision;
        }
        if observed.object.link.is_some() {
            return Decision::step(Step::WriteOAuthSecret { id: id.to_owned() });
        }
        if !observed.detailed {
            return Decision::step(Step::Get { id: id.to_owned() });
        }
        if expired {
            return self.report_expired();
        }
        // The object is adopted, so somebody else has the link.
        let adopted = self.state.intent.as_ref().is_some_and(|intent| intent.id.as_deref() == Some(id));
        if adopted && self.replacement_intent(id).is_none() {
            let text = format!(
                "{} {} waits for consent. Somebody else created it in AppLink and has the consent link",
                self.noun, self.display_name
            );
            return Decision::await_remote(ConditionReport::in_progress(Reason::Connecting, text)).requeue_after(left);
        }
        if matches!(&self.state.last_outcome, Some(CallOutcome::Created { id: made, .. }) if made == id) {
            let text = format!(
                "AppLink returned no consent link for {} {}. Set applink.dev/replace to a new value to try again",
                self.noun, self.display_name
            );
            return Decision::report(ConditionReport::stalled(Reason::RemoteFailed, text));
        }
        // AppLink returned the link only once, to a process that ended before it wrote the Secret.
        let text = format!(
            "requesting {} {} again, because the consent link of the last request is lost",
            self.noun, self.display_name
        );
        self.replace(id, hash, &ConditionReport::in_progress(Reason::Creating, text))
    }

    /// Whether the time to consent is over.
    #[must_use]
    pub fn consent_expired(&self) -> bool {
        !self.consent_left().is_positive()
    }

    /// Reports that nobody consented in time.
    fn report_expired(&self) -> Decision {
        self.consent_expired_because("nobody consented in time")
    }

    /// Reports that AppLink deleted the object before anybody consented.
    #[must_use]
    pub fn consent_target_gone(&self) -> Decision {
        self.consent_expired_because("AppLink deleted it before anybody consented")
    }

    fn consent_expired_because(&self, why: &str) -> Decision {
        let text = format!(
            "the consent link of {} {} is no longer valid: {why}. Set applink.dev/requestedAt to a new value to get a new link",
            self.noun, self.display_name
        );
        Decision::report(ConditionReport::stalled(Reason::AuthorizationExpired, text))
    }

    fn consent_left(&self) -> SignedDuration {
        let began = self.state.intent.as_ref().map_or(self.now, |intent| intent.at);
        CONSENT_LIMIT.saturating_sub(elapsed(began, self.now))
    }
}
