//! Adoption: whether to take over a remote object that existed before the resource.
//!
//! Pure. The operator only reads such an object. If it does not adopt the object, it changes nothing.

use super::context::RemoteContext;
use crate::conditions::ConditionReport;
use crate::crd::{AdoptionPolicy, Reason};
use crate::facts::{AuthMethod, Observed, Phase, RemoteObject, RemoteOrgAccess};
use crate::plan::decision::Decision;
use crate::plan::inputs::{Match, MatchCriteria, compare};
use crate::plan::state::Intent;
use crate::plan::step::Step;

impl<R: RemoteObject> RemoteContext<'_, R> {
    /// Adopts an existing object, or reports why not; `None` once it is adopted. `hash` is the digest of the declared
    /// inputs; `mismatch` says why the attributes forbid the adoption.
    pub fn adopt(
        &self,
        observed: &Observed<R>,
        hash: &str,
        mismatch: impl FnOnce(&Observed<R>) -> Option<String>,
    ) -> Option<Decision> {
        let id = observed.object.id();
        if observed.object.phase() == Phase::Deleting {
            let text = format!(
                "another {} named {} is being disconnected; waiting until its name is free",
                self.noun, self.display_name
            );
            return Some(Decision::await_remote(ConditionReport::in_progress(Reason::Creating, text)));
        }
        if self.outdated(observed) {
            return Some(Decision::step(Step::Poll));
        }
        // The recorded object may still exist, even though another one has its name.
        if let Some(recorded) = self.unconfirmed() {
            return Some(Decision::step(Step::Get { id: recorded.to_owned() }));
        }
        let why = match self.adoption_denied(observed).or_else(|| mismatch(observed)) {
            Some(why) => why,
            // A listing may lack fields that a GET returns.
            None if !observed.detailed => return Some(Decision::step(Step::Get { id: id.to_owned() })),
            None if self.intent_for(id).is_some() && self.state.finalizer => return None,
            None => {
                let intent = Intent { id: Some(id.to_owned()), ..self.next_intent(hash, Vec::new()) };
                return Some(Decision::step(Step::Adopt { intent }));
            }
        };
        let remedy = if R::DELETABLE { "Delete it in AppLink, choose" } else { "Choose" };
        let text = format!(
            "{} {} (ID {id}) existed before this resource, and the operator does not adopt it: {why}. {remedy} another name, \
             or set managementPolicy: Observe to watch it",
            self.noun, self.display_name
        );
        Some(Decision::report(ConditionReport::stalled(Reason::AdoptionRefused, text)))
    }

    /// Why the object cannot be adopted, whatever its attributes are.
    fn adoption_denied(&self, observed: &Observed<R>) -> Option<String> {
        if self.policies.adoption == AdoptionPolicy::Never {
            return Some("adoptionPolicy is Never".to_owned());
        }
        (observed.object.phase() == Phase::Failed).then(|| "it has failed".to_owned())
    }
}

impl RemoteContext<'_, RemoteOrgAccess> {
    /// Why the attributes of a connection or an authorization forbid its adoption.
    #[must_use]
    pub fn adoption_mismatch(
        &self,
        observed: &Observed<RemoteOrgAccess>,
        criteria: &MatchCriteria<'_>,
    ) -> Option<String> {
        let remote = &observed.object;
        let unknown = |what: &str| observed.detailed.then(|| format!("AppLink does not report {what}"));
        match remote.provider {
            None => return unknown("whether its org is Salesforce or Data Cloud"),
            Some(provider) if provider != criteria.provider => {
                return Some(format!("its provider is {provider:?}, not {:?}", criteria.provider));
            }
            Some(_) => {}
        }
        if let Some(method) = remote.method.filter(|method| *method != criteria.method) {
            let name = |method| if method == AuthMethod::Jwt { "jwt" } else { "oauth" };
            return Some(format!("its method is {}, not {}", name(method), name(criteria.method)));
        }
        let user = remote.org.username.as_deref();
        if let (Some(actual), Some(expected)) = (user, criteria.username)
            && !actual.eq_ignore_ascii_case(expected)
        {
            return Some(format!("its user is {actual}, not {expected}"));
        }
        match compare(&remote.org, criteria.expect) {
            Match::Differs(what) => Some(format!("it is connected to {what}")),
            // AppLink does not know the org of a pending object. The operator compares it later.
            Match::Unknown if remote.phase == Phase::Ready => unknown("its org and user"),
            Match::Unknown | Match::Matches => None,
        }
    }
}
