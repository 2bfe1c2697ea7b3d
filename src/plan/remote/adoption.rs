//! What to do with a remote object that was there first: claim it where policy and attributes allow, or leave it alone.
//!
//! Pure. Nothing is called for it but a GET; what is refused is not touched. The kinds' plans call [`RemoteContext::claim`].

use super::{Decision, RemoteContext};
use crate::conditions::ConditionReport;
use crate::crd::{AdoptionPolicy, Reason};
use crate::facts::{AuthMethod, Observed, Phase, RemoteObject, RemoteOrgAccess};
use crate::plan::Step;
use crate::plan::inputs::{Match, MatchCriteria, compare};
use crate::plan::state::Intent;

impl<R: RemoteObject> RemoteContext<'_, R> {
    /// How to claim an object that was there first; `None` once it is claimed. `hash` is the digest of what is declared;
    /// `bar` tells why it cannot be claimed, as far as is known.
    pub fn adopt(
        &self,
        seen: &Observed<R>,
        hash: &str,
        bar: impl FnOnce(&Observed<R>) -> Option<String>,
    ) -> Option<Decision> {
        let id = seen.object.id();
        if seen.object.phase() == Phase::Deleting {
            let text = format!(
                "{} {} of somebody else is being disconnected; waiting for its name",
                self.noun, self.display_name
            );
            return Some(Decision::await_remote(ConditionReport::in_progress(Reason::Creating, text)));
        }
        if self.outdated(seen) {
            return Some(Decision::steps(vec![Step::Poll]));
        }
        // What is recorded may be there still, although the name is another's.
        if let Some(recorded) = self.unconfirmed() {
            return Some(Decision::steps(vec![Step::Get { id: recorded.to_owned() }]));
        }
        let why = match self.adoption_denied(seen).or_else(|| bar(seen)) {
            Some(why) => why,
            // A list may tell less.
            None if !seen.detailed => return Some(Decision::steps(vec![Step::Get { id: id.to_owned() }])),
            None if self.intent_for(id).is_some() && self.state.finalizer => return None,
            None => {
                let intent = Intent { id: Some(id.to_owned()), ..self.next_intent(hash, Vec::new()) };
                return Some(Decision::steps(vec![Step::Adopt { intent }]));
            }
        };
        let remedy = if R::DELETABLE { "Delete it in AppLink, choose" } else { "Choose" };
        let text = format!(
            "{} {} (id {id}) was there first and is not taken over: {why}. {remedy} another name, or set \
             managementPolicy: Observe to watch it",
            self.noun, self.display_name
        );
        Some(Decision::report(ConditionReport::stalled(Reason::AdoptionRefused, text)))
    }

    /// Why it cannot be claimed whatever it is like.
    fn adoption_denied(&self, seen: &Observed<R>) -> Option<String> {
        if self.policies.adoption == AdoptionPolicy::Never {
            return Some("adoptionPolicy is Never".to_owned());
        }
        (seen.object.phase() == Phase::Failed).then(|| "it has failed".to_owned())
    }
}

impl RemoteContext<'_, RemoteOrgAccess> {
    /// Why granted access cannot be claimed, as far as is known.
    #[must_use]
    pub fn adoption_mismatch(&self, seen: &Observed<RemoteOrgAccess>, like: &MatchCriteria<'_>) -> Option<String> {
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
            let name = |m| if m == AuthMethod::Jwt { "jwt" } else { "oauth" };
            return Some(format!("it was made by {}, not {}", name(method), name(like.method)));
        }
        let user = remote.org.username.as_deref();
        if let (Some(told), Some(wanted)) = (user, like.username)
            && !told.eq_ignore_ascii_case(wanted)
        {
            return Some(format!("its user is {told}, not {wanted}"));
        }
        match compare(&remote.org, like.expect) {
            Match::Differs(what) => Some(format!("it leads to {what}")),
            // Before it is connected nobody knows; it is judged again then.
            Match::Unknown if remote.phase == Phase::Ready => untold("its org and user"),
            Match::Unknown | Match::Matches => None,
        }
    }
}
