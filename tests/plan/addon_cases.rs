//! Plans of an AppLinkAddon. One line is one case.

use applink_operator::conditions::{ConditionReport, ReadyStatus, StatusUpdate};
use applink_operator::crd::{AppLinkAddonStatus, ConditionType, ManagementPolicy, Reason, condition};
use applink_operator::facts::{AddonFacts, AddonObservation};
use applink_operator::plan::kinds::addon::{Snapshot, plan};
use applink_operator::plan::state::ReconcileState;
use jiff::Timestamp;

use crate::fixture::{at, checked_plan, fresh};

/// Everything that the plan of an AppLinkAddon depends on.
pub struct Case {
    pub management: ManagementPolicy,
    pub inputs: Result<(), ConditionReport>,
    pub observation: AddonObservation,
    pub dependents: Vec<String>,
    pub state: ReconcileState,
    pub status: AppLinkAddonStatus,
    pub now: Timestamp,
}

pub fn facts() -> AddonFacts {
    AddonFacts {
        app_id: "app-1".into(),
        renamed_to: None,
        addon_id: "addon-1".into(),
        addon_name: "cubed".into(),
        api_url: "https://a".into(),
        app_id_set: true,
    }
}

/// The add-on is found and reachable.
pub fn found() -> Case {
    let mut state = fresh().state;
    state.finalizer = true;
    Case {
        management: ManagementPolicy::Full,
        inputs: Ok(()),
        observation: AddonObservation {
            facts: Some(facts()),
            connections: Some(2),
            at: Some(at(1)),
            ..AddonObservation::default()
        },
        dependents: vec![],
        state,
        status: AppLinkAddonStatus::default(),
        now: at(3),
    }
}

impl Case {
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            management: self.management,
            inputs: self.inputs.clone(),
            observation: self.observation.clone(),
            dependents: self.dependents.clone(),
            state: self.state.clone(),
            status: self.status.clone(),
            now: self.now,
        }
    }

    pub fn plan(&self) -> applink_operator::plan::Plan<AppLinkAddonStatus> {
        checked_plan("AppLinkAddon", &self.snapshot(), plan)
    }

    /// The plan in one line: its steps, then status and reason of Ready and of Reachable.
    fn summary(&self) -> String {
        let plan = self.plan();
        let steps: Vec<_> = plan.steps.iter().map(ToString::to_string).collect();
        let ready = match &plan.update {
            StatusUpdate::SetConditions(report) => {
                let status = match report.ready {
                    ReadyStatus::True => "True",
                    ReadyStatus::False => "False",
                    ReadyStatus::Unknown => "Unknown",
                    ReadyStatus::Unchanged => "same",
                };
                format!("{status} {}", report.reason)
            }
            _ => String::new(),
        };
        let reachable = condition(&plan.status.conditions, ConditionType::Reachable);
        let reachable = reachable.map(|c| format!("reachable {} {}", c.status, c.reason)).unwrap_or_default();
        let parts = [steps.join(", "), ready, reachable];
        parts.into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>().join(", ")
    }
}

/// The last poll failed for this reason.
pub fn with_problem(reason: Reason) -> impl FnOnce(&mut Case) {
    move |case| case.observation.problem = Some(ConditionReport::in_progress(reason, "why"))
}

fn assert_plans(cases: Vec<(&str, Case, &str)>) {
    for (name, case, expected) in cases {
        assert_eq!(case.summary(), expected, "{name}");
    }
}

#[test]
fn ready_and_reachable_follow_the_observation() {
    assert_plans(vec![
        ("found", found(), "True AddonReady, reachable True Reachable"),
        ("no finalizer yet", found().with(|c| c.state.finalizer = false), "add finalizer"),
        (
            "managementPolicy Observe",
            found().with(|c| (c.management, c.state.finalizer) = (ManagementPolicy::Observe, false)),
            "True AddonReady, reachable True Reachable",
        ),
        (
            "managementPolicy changed to Observe",
            found().with(|c| c.management = ManagementPolicy::Observe),
            "remove finalizer",
        ),
        ("not polled yet", found().with(|c| c.observation = AddonObservation::default()), "poll"),
        (
            "reconcile requested",
            found().with(|c| (c.state.requested, c.state.changed_at) = (Some("now".to_owned()), at(2))),
            "poll",
        ),
        ("bad token", found().with(with_problem(Reason::CredentialInvalid)), "False CredentialInvalid"),
        (
            "outage, never Ready",
            found().with(with_problem(Reason::RemoteUnavailable)),
            "False RemoteUnavailable, reachable False RemoteUnavailable",
        ),
        (
            "rate limited, Ready before",
            found().with(with_problem(Reason::RateLimited)).with(|c| c.state.ready = true),
            "True AddonReady, reachable False RateLimited",
        ),
        (
            "stale outage",
            found().with(with_problem(Reason::RemoteUnavailable)).with(|c| c.observation.stale = true),
            "Unknown RemoteUnavailable, reachable False RemoteUnavailable",
        ),
        (
            "a list fails",
            found().with(|c| {
                c.observation.list_problem = Some(ConditionReport::in_progress(Reason::RemoteUnavailable, "why"))
            }),
            "True AddonReady, reachable False RemoteUnavailable",
        ),
        (
            "a list fails, rate limited",
            found().with(with_problem(Reason::RateLimited)).with(|c| {
                (c.observation.list_problem, c.state.ready) =
                    (Some(ConditionReport::in_progress(Reason::RemoteUnavailable, "why")), true);
            }),
            "True AddonReady, reachable False RateLimited",
        ),
    ]);
}

#[test]
fn a_missing_token_is_reported_after_a_short_wait() {
    assert_plans(vec![
        (
            "token missing, just applied",
            found()
                .with(|c| (c.inputs, c.now) = (Err(ConditionReport::in_progress(Reason::SecretNotFound, "x")), at(1))),
            "",
        ),
        (
            "token missing",
            found().with(|c| c.inputs = Err(ConditionReport::in_progress(Reason::SecretNotFound, "x"))),
            "False SecretNotFound",
        ),
    ]);
}

#[test]
fn the_finalizer_stays_while_resources_need_the_add_on() {
    let deleting = || found().with(|c| c.state.deleting = true);
    assert_plans(vec![
        ("deleted", deleting(), "remove finalizer"),
        ("deleted, needed", deleting().with(|c| c.dependents.push("Connection a".into())), "False DeletionBlocked"),
        (
            "deleted, needed, force-orphan annotation",
            deleting().with(|c| (c.state.force_orphan, c.dependents) = (true, vec!["Connection a".into()])),
            "remove finalizer",
        ),
        (
            "deleted, needed, managementPolicy Observe",
            deleting()
                .with(|c| (c.management, c.dependents) = (ManagementPolicy::Observe, vec!["Connection a".into()])),
            "remove finalizer",
        ),
    ]);
}

#[test]
fn an_exhausted_call_budget_is_reported_and_keeps_ready() {
    let constrained = || found().with(|c| c.observation.constrained = Some("why".to_owned()));
    assert_plans(vec![
        (
            "call budget exhausted",
            constrained().with(|c| c.state.ready = true),
            "True AddonReady, reachable False QuotaConstrained",
        ),
        (
            "call budget exhausted, stale",
            constrained().with(with_problem(Reason::RateLimited)).with(|c| c.observation.stale = true),
            "Unknown RateLimited, reachable False QuotaConstrained",
        ),
        (
            "call budget exhausted, bad token",
            constrained().with(with_problem(Reason::CredentialInvalid)),
            "False CredentialInvalid",
        ),
    ]);
}

#[test]
fn the_first_five_dependents_are_named_and_others_counted() {
    let case = found().with(|c| {
        c.state.deleting = true;
        c.dependents = (0..8).map(|n| format!("Connection c{n}")).collect();
    });
    let StatusUpdate::SetConditions(report) = case.plan().update else { panic!("the plan sets no condition") };
    assert!(report.message.contains("Connection c0") && report.message.ends_with("and 3 more"), "{}", report.message);
}

#[test]
fn another_app_or_add_on_id_is_an_identity_change() {
    assert_eq!(facts().identity_change(None, None), None);
    assert_eq!(facts().identity_change(Some("app-1"), Some("addon-1")), None);
    for (app, addon) in [("app-0", "addon-1"), ("app-1", "addon-0")] {
        assert!(facts().identity_change(Some(app), Some(addon)).is_some());
    }
}

#[test]
fn an_unchanged_add_on_is_written_once() {
    let mut case = found();
    let first = case.plan();
    case.status = first.status;
    case.now = at(9999);
    assert_eq!(case.plan().status, case.status);
}
