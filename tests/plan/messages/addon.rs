//! Messages of an AppLinkAddon: those of Ready, and those of Reachable.

use applink_operator::conditions::ConditionReport;
use applink_operator::crd::{ConditionType, ManagementPolicy, Reason, condition};
use serde_json::json;

use super::{Message, message, unusable_input, with_reason};
use crate::addon_cases::{Case, found, with_problem};

const KIND: &str = "AppLinkAddon";

pub fn messages() -> Vec<Message> {
    let input = |reason| found().with(|c| c.inputs = Err(unusable_input(reason)));
    let deleting = || {
        found().with(|c| {
            c.state.deleting = true;
            c.dependents = (0..8).map(|n| format!("Connection c{n}")).collect();
        })
    };
    let ready = |reason| found().with(with_problem(reason)).with(|c| c.state.ready = true);
    let cases = vec![
        ("found", found()),
        ("observed", found().with(|c| (c.management, c.state.finalizer) = (ManagementPolicy::Observe, false))),
        ("app renamed", found().with(|c| c.observation.facts.as_mut().unwrap().renamed_to = Some("new-name".into()))),
        ("outage, Ready before", ready(Reason::RemoteUnavailable)),
        ("outage, never Ready", found().with(with_problem(Reason::RemoteUnavailable))),
        ("stale outage", found().with(with_problem(Reason::RemoteUnavailable)).with(|c| c.observation.stale = true)),
        ("rate limited", found().with(with_problem(Reason::RateLimited))),
        ("token refused", found().with(with_problem(Reason::CredentialInvalid))),
        ("being provisioned", found().with(with_problem(Reason::AddonNotReady))),
        ("app does not exist", found().with(with_problem(Reason::InvalidSpec))),
        ("another add-on", found().with(with_problem(Reason::AddonChanged))),
        ("no Secret", input(Reason::SecretNotFound)),
        ("unusable token", input(Reason::InvalidSecret)),
        ("deleted while it is needed", deleting()),
        (
            "deleted while it is needed and has no Secret",
            deleting().with(|c| (c.inputs, c.observation.facts) = (Err(unusable_input(Reason::SecretNotFound)), None)),
        ),
    ];
    let reachable = vec![
        ("reachable", found()),
        ("reachable, call budget", found().with(|c| c.observation.constrained = Some("[call budget]".to_owned()))),
        (
            "reachable, a list fails",
            found().with(|c| {
                c.observation.list_problem = Some(ConditionReport::in_progress(Reason::RemoteUnavailable, "[cause]"));
            }),
        ),
    ];
    let ready = cases.into_iter().map(|(name, case)| message(KIND, name, &case.plan()));
    ready.chain(reachable.into_iter().map(|(name, case)| reachable_message(name, &case))).collect()
}

fn reachable_message(name: &str, case: &Case) -> Message {
    let plan = case.plan();
    let reachable = condition(&plan.status.conditions, ConditionType::Reachable).unwrap().clone();
    let reason = Reason::parse(&reachable.reason).unwrap();
    let shown = json!({"type": "Reachable", "status": reachable.status, "message": reachable.message});
    with_reason(KIND, name, reason, &plan, shown)
}
