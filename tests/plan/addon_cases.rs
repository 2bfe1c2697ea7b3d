//! What comes out for an AppLinkAddon: one line a case.

use applink_operator::crd::{AppLinkAddonStatus, ConditionType, ManagementPolicy, Reason, condition};
use applink_operator::plan::diff::addon::{Input, identify, plan};
use applink_operator::plan::live::{AddonFacts, AddonLive};
use applink_operator::plan::memory::Memory;
use applink_operator::plan::verdict::{Readiness, Report, Verdict};
use jiff::Timestamp;

use crate::fixture::{at, fresh};

struct Case {
    management: ManagementPolicy,
    desired: Result<(), Verdict>,
    live: AddonLive,
    dependants: Vec<String>,
    memory: Memory,
    status: AppLinkAddonStatus,
    now: Timestamp,
}

fn facts() -> AddonFacts {
    AddonFacts {
        app_id: "app-1".into(),
        renamed_to: None,
        addon_id: "addon-1".into(),
        addon_name: "cubed".into(),
        api_url: "https://a".into(),
        app_id_set: true,
    }
}

fn found() -> Case {
    let mut memory = fresh().memory;
    memory.finalizer = true;
    Case {
        management: ManagementPolicy::Full,
        desired: Ok(()),
        live: AddonLive { facts: Some(facts()), connections: Some(2), at: Some(at(1)), ..AddonLive::default() },
        dependants: vec![],
        memory,
        status: AppLinkAddonStatus::default(),
        now: at(3),
    }
}

impl Case {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn plan(&self) -> applink_operator::plan::Plan<AppLinkAddonStatus> {
        plan(&Input {
            management: self.management,
            desired: self.desired.clone(),
            live: &self.live,
            dependants: &self.dependants,
            memory: &self.memory,
            status: &self.status,
            now: self.now,
        })
    }

    /// Steps, or Ready's status and reason, and Reachable's.
    fn says(&self) -> String {
        let plan = self.plan();
        let steps: Vec<_> = plan.steps.iter().map(ToString::to_string).collect();
        let ready = match &plan.report {
            Report::Say(v) => {
                let status = match v.ready {
                    Readiness::True => "True",
                    Readiness::False => "False",
                    Readiness::Unknown => "Unknown",
                    Readiness::Same => "same",
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

fn trouble(reason: Reason) -> impl FnOnce(&mut Case) {
    move |case| case.live.trouble = Some(Verdict::waits(reason, "why"))
}

fn table(cases: Vec<(&str, Case, &str)>) {
    for (name, case, wanted) in cases {
        assert_eq!(case.says(), wanted, "{name}");
    }
}

#[test]
fn an_add_on_is_found_and_watched() {
    table(vec![
        ("found", found(), "True AddonReady, reachable True Reachable"),
        ("no finalizer yet", found().with(|c| c.memory.finalizer = false), "guard"),
        (
            "observed",
            found().with(|c| (c.management, c.memory.finalizer) = (ManagementPolicy::Observe, false)),
            "True AddonReady, reachable True Reachable",
        ),
        ("observed from now on", found().with(|c| c.management = ManagementPolicy::Observe), "release"),
        ("not looked for yet", found().with(|c| c.live = AddonLive::default()), "look"),
        ("asked again", found().with(|c| (c.memory.requested, c.memory.since) = (true, at(2))), "look"),
        ("bad token", found().with(trouble(Reason::CredentialInvalid)), "False CredentialInvalid"),
        (
            "outage, never Ready",
            found().with(trouble(Reason::RemoteUnavailable)),
            "False RemoteUnavailable, reachable False RemoteUnavailable",
        ),
        (
            "outage, Ready",
            found().with(trouble(Reason::RateLimited)).with(|c| c.memory.ready = true),
            "True AddonReady, reachable False RateLimited",
        ),
        (
            "outage for too long",
            found().with(trouble(Reason::RemoteUnavailable)).with(|c| c.live.silent = true),
            "Unknown RemoteUnavailable, reachable False RemoteUnavailable",
        ),
        (
            "a list does not come",
            found().with(|c| c.live.partly = Some(Verdict::waits(Reason::RemoteUnavailable, "why"))),
            "True AddonReady, reachable False RemoteUnavailable",
        ),
        (
            "a list does not come, nor any other",
            found().with(trouble(Reason::RateLimited)).with(|c| {
                (c.live.partly, c.memory.ready) = (Some(Verdict::waits(Reason::RemoteUnavailable, "why")), true);
            }),
            "True AddonReady, reachable False RateLimited",
        ),
        (
            "token missing, just applied",
            found().with(|c| (c.desired, c.now) = (Err(Verdict::waits(Reason::SecretNotFound, "x")), at(1))),
            "",
        ),
        (
            "token missing",
            found().with(|c| c.desired = Err(Verdict::waits(Reason::SecretNotFound, "x"))),
            "False SecretNotFound",
        ),
    ]);
}

#[test]
fn an_add_on_is_let_go_once_nothing_needs_it() {
    let deleting = || found().with(|c| c.memory.deleting = true);
    table(vec![
        ("deleted", deleting(), "release"),
        ("deleted, needed", deleting().with(|c| c.dependants.push("Connection a".into())), "False DeletionBlocked"),
        (
            "deleted, needed, forced",
            deleting().with(|c| (c.memory.force_orphan, c.dependants) = (true, vec!["Connection a".into()])),
            "release",
        ),
        (
            "deleted, observed",
            deleting()
                .with(|c| (c.management, c.dependants) = (ManagementPolicy::Observe, vec!["Connection a".into()])),
            "release",
        ),
    ]);
}

#[test]
fn an_add_on_short_of_calls_says_so_and_stays_ready() {
    let short = || found().with(|c| c.live.constrained = Some("why".to_owned()));
    table(vec![
        (
            "short of calls",
            short().with(|c| c.memory.ready = true),
            "True AddonReady, reachable False QuotaConstrained",
        ),
        (
            "short of calls, in an outage",
            short().with(trouble(Reason::RateLimited)).with(|c| c.live.silent = true),
            "Unknown RateLimited, reachable False QuotaConstrained",
        ),
        ("short of calls, bad token", short().with(trouble(Reason::CredentialInvalid)), "False CredentialInvalid"),
    ]);
}

#[test]
fn dependants_are_named_and_many_are_counted() {
    let case = found().with(|c| {
        c.memory.deleting = true;
        c.dependants = (0..8).map(|n| format!("Connection c{n}")).collect();
    });
    let Report::Say(verdict) = case.plan().report else { panic!("says nothing") };
    assert!(
        verdict.message.contains("Connection c0") && verdict.message.ends_with("and 3 more"),
        "{}",
        verdict.message
    );
}

#[test]
fn a_uuid_once_resolved_is_kept() {
    let status = |app: &str, addon: &str| AppLinkAddonStatus {
        app_id: Some(app.into()),
        addon_id: Some(addon.into()),
        ..AppLinkAddonStatus::default()
    };
    assert!(identify(&facts(), &AppLinkAddonStatus::default()).is_ok());
    assert!(identify(&facts(), &status("app-1", "addon-1")).is_ok());
    for (app, addon) in [("app-0", "addon-1"), ("app-1", "addon-0")] {
        assert_eq!(identify(&facts(), &status(app, addon)).unwrap_err().reason, Reason::AddonChanged);
    }
}

#[test]
fn an_add_on_at_rest_is_written_once() {
    let mut case = found();
    let first = case.plan();
    case.status = first.status;
    case.now = at(9999);
    assert_eq!(case.plan().status, case.status);
}
