//! What comes out for an AppLinkAddon: one line a case.

use applink_operator::conditions::{ConditionReport, ReadyStatus, StatusUpdate};
use applink_operator::crd::{AppLinkAddonStatus, ConditionType, ManagementPolicy, Reason, condition};
use applink_operator::facts::{AddonFacts, AddonObservation};
use applink_operator::plan::kinds::addon::{Snapshot, plan};
use applink_operator::plan::state::ReconcileState;
use jiff::Timestamp;

use crate::fixture::{at, fresh, planned};

pub struct Case {
    pub management: ManagementPolicy,
    pub desired: Result<(), ConditionReport>,
    pub live: AddonObservation,
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

pub fn found() -> Case {
    let mut state = fresh().state;
    state.finalizer = true;
    Case {
        management: ManagementPolicy::Full,
        desired: Ok(()),
        live: AddonObservation {
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
            inputs: self.desired.clone(),
            observation: self.live.clone(),
            dependents: self.dependents.clone(),
            state: self.state.clone(),
            status: self.status.clone(),
            now: self.now,
        }
    }

    pub fn plan(&self) -> applink_operator::plan::Plan<AppLinkAddonStatus> {
        planned("AppLinkAddon", &self.snapshot(), plan)
    }

    /// Steps, or Ready's status and reason, and Reachable's.
    fn says(&self) -> String {
        let plan = self.plan();
        let steps: Vec<_> = plan.steps.iter().map(ToString::to_string).collect();
        let ready = match &plan.update {
            StatusUpdate::SetConditions(v) => {
                let status = match v.ready {
                    ReadyStatus::True => "True",
                    ReadyStatus::False => "False",
                    ReadyStatus::Unknown => "Unknown",
                    ReadyStatus::Unchanged => "same",
                };
                format!("{status} {}", v.reason)
            }
            _ => String::new(),
        };
        let reachable = condition(&plan.status.conditions, ConditionType::Reachable);
        let reachable = reachable.map(|c| format!("reachable {} {}", c.status, c.reason)).unwrap_or_default();
        let parts = [steps.join(", "), ready, reachable];
        parts.into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>().join(", ")
    }
}

pub fn problem(reason: Reason) -> impl FnOnce(&mut Case) {
    move |ctx| ctx.live.problem = Some(ConditionReport::in_progress(reason, "why"))
}

fn table(cases: Vec<(&str, Case, &str)>) {
    for (name, ctx, wanted) in cases {
        assert_eq!(ctx.says(), wanted, "{name}");
    }
}

#[test]
fn an_add_on_is_found_and_watched() {
    table(vec![
        ("found", found(), "True AddonReady, reachable True Reachable"),
        ("no finalizer yet", found().with(|c| c.state.finalizer = false), "add finalizer"),
        (
            "observed",
            found().with(|c| (c.management, c.state.finalizer) = (ManagementPolicy::Observe, false)),
            "True AddonReady, reachable True Reachable",
        ),
        ("observed from now on", found().with(|c| c.management = ManagementPolicy::Observe), "remove finalizer"),
        ("not looked for yet", found().with(|c| c.live = AddonObservation::default()), "poll"),
        (
            "asked again",
            found().with(|c| (c.state.requested, c.state.changed_at) = (Some("now".to_owned()), at(2))),
            "poll",
        ),
        ("bad token", found().with(problem(Reason::CredentialInvalid)), "False CredentialInvalid"),
        (
            "outage, never Ready",
            found().with(problem(Reason::RemoteUnavailable)),
            "False RemoteUnavailable, reachable False RemoteUnavailable",
        ),
        (
            "outage, Ready",
            found().with(problem(Reason::RateLimited)).with(|c| c.state.ready = true),
            "True AddonReady, reachable False RateLimited",
        ),
        (
            "outage for too long",
            found().with(problem(Reason::RemoteUnavailable)).with(|c| c.live.stale = true),
            "Unknown RemoteUnavailable, reachable False RemoteUnavailable",
        ),
        (
            "a list does not come",
            found()
                .with(|c| c.live.list_problem = Some(ConditionReport::in_progress(Reason::RemoteUnavailable, "why"))),
            "True AddonReady, reachable False RemoteUnavailable",
        ),
        (
            "a list does not come, nor any other",
            found().with(problem(Reason::RateLimited)).with(|c| {
                (c.live.list_problem, c.state.ready) =
                    (Some(ConditionReport::in_progress(Reason::RemoteUnavailable, "why")), true);
            }),
            "True AddonReady, reachable False RateLimited",
        ),
        (
            "token missing, just applied",
            found()
                .with(|c| (c.desired, c.now) = (Err(ConditionReport::in_progress(Reason::SecretNotFound, "x")), at(1))),
            "",
        ),
        (
            "token missing",
            found().with(|c| c.desired = Err(ConditionReport::in_progress(Reason::SecretNotFound, "x"))),
            "False SecretNotFound",
        ),
    ]);
}

#[test]
fn an_add_on_is_let_go_once_nothing_needs_it() {
    let deleting = || found().with(|c| c.state.deleting = true);
    table(vec![
        ("deleted", deleting(), "remove finalizer"),
        ("deleted, needed", deleting().with(|c| c.dependents.push("Connection a".into())), "False DeletionBlocked"),
        (
            "deleted, needed, forced",
            deleting().with(|c| (c.state.force_orphan, c.dependents) = (true, vec!["Connection a".into()])),
            "remove finalizer",
        ),
        (
            "deleted, observed",
            deleting()
                .with(|c| (c.management, c.dependents) = (ManagementPolicy::Observe, vec!["Connection a".into()])),
            "remove finalizer",
        ),
    ]);
}

#[test]
fn an_add_on_short_of_calls_says_so_and_stays_ready() {
    let short = || found().with(|c| c.live.constrained = Some("why".to_owned()));
    table(vec![
        ("short of calls", short().with(|c| c.state.ready = true), "True AddonReady, reachable False QuotaConstrained"),
        (
            "short of calls, in an outage",
            short().with(problem(Reason::RateLimited)).with(|c| c.live.stale = true),
            "Unknown RateLimited, reachable False QuotaConstrained",
        ),
        ("short of calls, bad token", short().with(problem(Reason::CredentialInvalid)), "False CredentialInvalid"),
    ]);
}

#[test]
fn dependants_are_named_and_many_are_counted() {
    let ctx = found().with(|c| {
        c.state.deleting = true;
        c.dependents = (0..8).map(|n| format!("Connection c{n}")).collect();
    });
    let StatusUpdate::SetConditions(report) = ctx.plan().update else { panic!("says nothing") };
    assert!(report.message.contains("Connection c0") && report.message.ends_with("and 3 more"), "{}", report.message);
}

#[test]
fn a_uuid_once_resolved_is_kept() {
    assert_eq!(facts().identity_change(None, None), None);
    assert_eq!(facts().identity_change(Some("app-1"), Some("addon-1")), None);
    for (app, addon) in [("app-0", "addon-1"), ("app-1", "addon-0")] {
        assert!(facts().identity_change(Some(app), Some(addon)).is_some());
    }
}

#[test]
fn an_add_on_at_rest_is_written_once() {
    let mut ctx = found();
    let first = ctx.plan();
    ctx.status = first.status;
    ctx.now = at(9999);
    assert_eq!(ctx.plan().status, ctx.status);
}
