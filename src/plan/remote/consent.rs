//! How a person gets the link by which to consent, and what becomes of it: OAuth.
//!
//! Pure. The link lives in a Secret of ours and nowhere else; the plan sees only that there is one. The kinds' plans call
//! [`Case::await_user`].

use jiff::SignedDuration;

use super::{Case, Course, elapsed};
use crate::crd::Reason;
use crate::plan::Step;
use crate::plan::live::{RemoteGrant, Sighting};
use crate::plan::memory::Answer;
use crate::plan::verdict::Verdict;

/// How long a person has to consent.
const CONSENT_LIMIT: SignedDuration = SignedDuration::from_mins(15);

/// What stands under the name of the Secret by which a link is handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HandOff {
    /// Nothing.
    #[default]
    Absent,
    /// A Secret of this very resource.
    Ours {
        /// The remote object that the link in it is for.
        id: Option<String>,
    },
    /// A Secret of a resource of this name that is gone; Kubernetes is about to remove it.
    Stale,
    /// A Secret of somebody else.
    Foreign,
    /// One that belongs to another resource of ours, named as people name it.
    OfAnother(String),
    /// One that this operator wrote and that has no owner any more, as after a restore from a backup.
    Ownerless,
    /// Not known: it could not be read, and that must not hold up a deletion.
    Unreadable,
}

impl Case<'_, RemoteGrant> {
    /// Why no link can be handed over in the Secret of this name, if so.
    #[must_use]
    pub fn no_hand_off(&self, secret: &str, there: &HandOff) -> Option<Course> {
        match there {
            HandOff::Absent | HandOff::Ours { .. } | HandOff::Unreadable => None,
            HandOff::Ownerless => Some(Course::act(vec![Step::TakeSecret { secret: secret.to_owned() }])),
            HandOff::Stale => {
                let text = format!(
                    "Secret {secret} belongs to an earlier resource of this name; waiting until Kubernetes removes it"
                );
                Some(Course::say(Verdict::waits(Reason::Creating, text)))
            }
            HandOff::OfAnother(owner) => {
                let text = format!(
                    "the link for {} {} belongs into Secret {secret}, but that is a Secret of {owner}: choose another name \
                     there, or create this resource under another name",
                    self.noun, self.title
                );
                Some(Course::say(Verdict::needs_user(Reason::InvalidSpec, text)))
            }
            HandOff::Foreign => {
                let text = format!(
                    "the link for {} {} belongs into Secret {secret}, but a Secret of that name exists that is not this \
                     resource's: delete or rename it",
                    self.noun, self.title
                );
                Some(Course::say(Verdict::needs_user(Reason::InvalidSpec, text)))
            }
        }
    }

    /// What to do while a person's consent to an object of ours is waited for. `hash` is the digest of what is declared.
    #[must_use]
    pub fn await_user(&self, seen: &Sighting<RemoteGrant>, secret: &str, there: &HandOff, hash: &str) -> Course {
        let id = seen.object.id.as_str();
        let left = self.consent_left();
        let expired = !left.is_positive();
        if *there == (HandOff::Ours { id: Some(id.to_owned()) }) {
            let text = format!(
                "someone must open the link in Secret {secret}, key url, and consent; it is valid for {} minutes",
                CONSENT_LIMIT.as_mins()
            );
            let wait = Course::attend(Verdict::waits(Reason::AwaitingUser, text)).again(left);
            return if expired { self.expired() } else { wait };
        }
        if let Some(course) = self.no_hand_off(secret, there) {
            return course;
        }
        if seen.object.link.is_some() {
            return Course::act(vec![Step::HandOver { id: id.to_owned() }]);
        }
        if !seen.detailed {
            return Course::act(vec![Step::Confirm { id: id.to_owned() }]);
        }
        if expired {
            return self.expired();
        }
        // Adopted: somebody else began it, who has the link.
        let adopted = self.memory.intent.as_ref().is_some_and(|intent| intent.id.as_deref() == Some(id));
        if adopted && self.making_room(id).is_none() {
            let text = format!("{} {} waits for the consent that somebody else asked for", self.noun, self.title);
            return Course::attend(Verdict::waits(Reason::Connecting, text)).again(left);
        }
        if matches!(&self.memory.answer, Some(Answer::Created { id: made, .. }) if made == id) {
            let text = format!(
                "AppLink gave no link by which to consent to {} {}; a new value of applink.dev/replace asks again",
                self.noun, self.title
            );
            return Course::say(Verdict::needs_user(Reason::RemoteFailed, text));
        }
        // The link was served once, to a process that died before it could hand it over: nobody has it.
        let text = format!("{} {} is asked for again: nobody has the link of the last request", self.noun, self.title);
        self.replace(id, hash, &Verdict::waits(Reason::Creating, text))
    }

    /// Whether the person's time is over.
    #[must_use]
    pub fn consent_expired(&self) -> bool {
        !self.consent_left().is_positive()
    }

    /// What to say once the person's time is over.
    fn expired(&self) -> Course {
        self.begin_anew("nobody consented in time")
    }

    /// What to say once what they were to consent to is gone.
    #[must_use]
    pub fn lapsed(&self) -> Course {
        self.begin_anew("it is gone from AppLink, and nobody had consented")
    }

    fn begin_anew(&self, why: &str) -> Course {
        let text = format!(
            "{} {} waits for no consent any more: {why}. Set a new value of applink.dev/requestedAt to get a new link",
            self.noun, self.title
        );
        Course::say(Verdict::needs_user(Reason::AuthorizationExpired, text))
    }

    fn consent_left(&self) -> SignedDuration {
        let began = self.memory.intent.as_ref().map_or(self.now, |intent| intent.at);
        CONSENT_LIMIT - elapsed(began, self.now)
    }
}
