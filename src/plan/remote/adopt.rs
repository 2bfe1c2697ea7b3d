//! What to do with a remote object that was there first: claim it where policy and attributes allow, or leave it alone.
//!
//! Pure. Nothing is called for it but a GET; what is refused is not touched. The kinds' plans call [`Case::claim`].

use super::{Case, Course};
use crate::crd::{AdoptionPolicy, Reason};
use crate::plan::Step;
use crate::plan::desired::{Expected, Likeness, compare};
use crate::plan::live::{Method, Phase, RemoteGrant, RemoteObject, Sighting};
use crate::plan::memory::Intent;
use crate::plan::verdict::Verdict;

impl<R: RemoteObject> Case<'_, R> {
    /// How to claim an object that was there first; `None` once it is claimed. `hash` is the digest of what is declared;
    /// `bar` tells why it cannot be claimed, as far as is known.
    pub fn claim(
        &self,
        seen: &Sighting<R>,
        hash: &str,
        bar: impl FnOnce(&Sighting<R>) -> Option<String>,
    ) -> Option<Course> {
        let id = seen.object.id();
        if seen.object.phase() == Phase::Leaving {
            let text =
                format!("{} {} of somebody else is being disconnected; waiting for its name", self.noun, self.title);
            return Some(Course::attend(Verdict::waits(Reason::Creating, text)));
        }
        if self.outdated(seen) {
            return Some(Course::act(vec![Step::Look]));
        }
        // What is recorded may be there still, although the name is another's.
        if let Some(recorded) = self.unconfirmed() {
            return Some(Course::act(vec![Step::Confirm { id: recorded.to_owned() }]));
        }
        let why = match self.closed(seen).or_else(|| bar(seen)) {
            Some(why) => why,
            // A list may tell less.
            None if !seen.detailed => return Some(Course::act(vec![Step::Confirm { id: id.to_owned() }])),
            None if self.claimed(id).is_some() && self.memory.finalizer => return None,
            None => {
                let intent = Intent { id: Some(id.to_owned()), ..self.next_intent(hash, Vec::new()) };
                return Some(Course::act(vec![Step::Adopt { intent }]));
            }
        };
        let remedy = if R::DELETABLE { "Delete it in AppLink, choose" } else { "Choose" };
        let text = format!(
            "{} {} (id {id}) was there first and is not taken over: {why}. {remedy} another name, or set \
             managementPolicy: Observe to watch it",
            self.noun, self.title
        );
        Some(Course::say(Verdict::needs_user(Reason::AdoptionRefused, text)))
    }

    /// Why it cannot be claimed whatever it is like.
    fn closed(&self, seen: &Sighting<R>) -> Option<String> {
        if self.policies.adoption == AdoptionPolicy::Never {
            return Some("adoptionPolicy is Never".to_owned());
        }
        (seen.object.phase() == Phase::Failed).then(|| "it has failed".to_owned())
    }
}

impl Case<'_, RemoteGrant> {
    /// Why granted access cannot be claimed, as far as is known.
    #[must_use]
    pub fn bar(&self, seen: &Sighting<RemoteGrant>, like: &Likeness<'_>) -> Option<String> {
        let remote = &seen.object;
        let untold = |what: &str| seen.detailed.then(|| format!("AppLink does not tell {what}"));
        match remote.provider {
            None => return untold("whether it leads to Salesforce or Data Cloud"),
            Some(provider) if provider != like.provider => {
                return Some(format!("its provider is {provider:?}, not {:?}", like.provider));
            }
            Some(_) => {}
        }
        if let Some(method) = remote.method.filter(|method| *method != like.method) {
            let name = |m| if m == Method::Jwt { "jwt" } else { "oauth" };
            return Some(format!("it was made by {}, not {}", name(method), name(like.method)));
        }
        let user = remote.org.username.as_deref();
        if let (Some(told), Some(wanted)) = (user, like.username)
            && !told.eq_ignore_ascii_case(wanted)
        {
            return Some(format!("its user is {told}, not {wanted}"));
        }
        match compare(&remote.org, like.expect) {
            Expected::Missed(what) => Some(format!("it leads to {what}")),
            // Before it is connected nobody knows; it is judged again then.
            Expected::Untold if remote.phase == Phase::Up => untold("its org and user"),
            Expected::Untold | Expected::Met => None,
        }
    }
}
