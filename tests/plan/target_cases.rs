//! What comes out for one DataActionTarget: tables of cases that are hard to bring about in a whole operator.

use applink_operator::conditions::{ConditionReport, StatusUpdate};
use applink_operator::crd::{DataActionTargetSpec, DataActionTargetStatus, DeletionPolicies, Reason};
use applink_operator::facts::{Lookup, Observed, Org, Phase, RemoteDataActionTarget};
use applink_operator::plan::Step;
use applink_operator::plan::kinds::data_action_target::{Snapshot, plan};
use applink_operator::plan::policies::Policies;
use applink_operator::plan::remote::{ConnectionState, OwnerState};
use applink_operator::plan::state::{CallOutcome, Intent, ReconcileState};
use serde_json::json;

use crate::fixture::{ADDON, at, fresh, planned};

pub const NAME: &str = "updates";
pub const CLOUD: &str = "connection-1";

pub struct Case {
    pub spec: DataActionTargetSpec,
    pub addon: OwnerState,
    pub parent: ConnectionState,
    pub released: bool,
    pub connection_gone: bool,
    pub live: Lookup<RemoteDataActionTarget>,
    pub state: ReconcileState,
    pub status: DataActionTargetStatus,
}

pub fn on(connection: &str) -> ConnectionState {
    ConnectionState::Ready { id: connection.into(), name: "customer-data".into(), deleting: false }
}

pub fn new() -> Case {
    let spec = json!({"connectionRef": {"name": "customer-data"}, "label": "updates", "targetEndpoint": "/updates"});
    Case {
        spec: serde_json::from_value(spec).unwrap(),
        addon: OwnerState::Ready { id: ADDON.into() },
        parent: on(CLOUD),
        released: false,
        connection_gone: false,
        live: Lookup { complete: true, ..Lookup::default() },
        state: fresh().state,
        status: DataActionTargetStatus::default(),
    }
}

pub fn remote(id: &str, phase: Phase) -> RemoteDataActionTarget {
    RemoteDataActionTarget {
        id: id.into(),
        key: Some(NAME.into()),
        api_name: Some(NAME.into()),
        label: None,
        endpoint: None,
        kind: None,
        app_id: None,
        status: "created".into(),
        phase,
        org: Org::default(),
        error: None,
        created_at: None,
        created_by: None,
    }
}

/// The word that was given for the first creation on this connection.
pub fn intent(connection: &str) -> Intent {
    let created = new().plan().steps;
    let Some(Step::WriteIntent { intent }) = created.first() else { panic!("{created:?}") };
    Intent { connection_id: Some(connection.into()), at: at(0), ..intent.clone() }
}

impl Case {
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The word was given on this connection, by a process that is gone.
    pub fn promised(self, connection: &str) -> Self {
        let intent = intent(connection);
        self.with(|ctx| {
            ctx.state.finalizer = true;
            ctx.state.intent = Some(intent);
            ctx.state.first_seen = at(1);
        })
    }

    /// Made, recorded and Ready.
    pub fn made(self) -> Self {
        let hash = intent(CLOUD).hash;
        self.promised(CLOUD).with(|ctx| {
            ctx.see(remote("id-1", Phase::Ready));
            let remote = &mut ctx.status.remote;
            remote.id = Some("id-1".into());
            remote.addon_id = Some(ADDON.into());
            remote.applied_hash = Some(hash);
            remote.answered_attempt = Some(1);
            remote.established_at = Some(at(0));
            ctx.status.connection_id = Some(CLOUD.into());
            ctx.state.observed_generation = Some(1);
            (ctx.state.ready, ctx.state.reason) = (true, Some(Reason::Created));
        })
    }

    pub fn deleted(self) -> Self {
        self.with(|ctx| (ctx.state.deleting, ctx.state.generation) = (true, 2))
    }

    pub fn see(&mut self, object: RemoteDataActionTarget) {
        self.live.observed = vec![Observed { object, at: at(1), detailed: true }];
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            name: NAME.into(),
            label: self.spec.label.clone(),
            endpoint: self.spec.target_endpoint.clone(),
            policies: Policies::of(self.spec.handling, DeletionPolicies::default()),
            owner_name: "orders".into(),
            owner: self.addon.clone(),
            connection: self.parent.clone(),
            app_id_set: true,
            released: self.released,
            connection_gone: self.connection_gone,
            lookup: self.live.clone(),
            name_claims: vec![],
            state: self.state.clone(),
            status: self.status.clone(),
            now: at(100),
        }
    }

    pub fn plan(&self) -> applink_operator::plan::Plan<DataActionTargetStatus> {
        planned("DataActionTarget", &self.snapshot(), plan)
    }

    /// The plan in a line: its steps, or the reason it gives.
    fn says(&self) -> String {
        let plan = self.plan();
        let steps: Vec<_> = plan.steps.iter().map(ToString::to_string).collect();
        let report = match plan.update {
            StatusUpdate::SetConditions(report) => report.reason.to_string(),
            StatusUpdate::KeepConditions => "keep".into(),
            StatusUpdate::FactsOnly => "note".into(),
            StatusUpdate::Unchanged => String::new(),
        };
        [steps.join(", "), report].into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>().join(": ")
    }
}

fn table(cases: Vec<(&str, Case, &str)>) {
    for (name, ctx, wanted) in cases {
        assert_eq!(ctx.says(), wanted, "{name}: {:#?}", ctx.plan());
    }
}

#[test]
fn what_a_connection_is_decides_what_is_done_on_it() {
    let leaving = ConnectionState::Ready { id: CLOUD.into(), name: "customer-data".into(), deleting: true };
    let missing = ConnectionState::Missing { name: "customer-data".into() };
    let old = |ctx: Case| ctx.with(|ctx| ctx.state.changed_at = at(0));
    let outage = ConditionReport::in_progress(Reason::RemoteUnavailable, "no answer");
    table(vec![
        ("new", new(), "write intent 1, create updates"),
        ("its list says nothing yet", new().with(|c| c.live.complete = false), "poll: Creating"),
        ("missing", old(new().with(|c| c.parent = missing.clone())), "DependencyNotFound"),
        ("not ready", new().with(|c| c.parent = ConnectionState::NotReady("why".into())), "ConnectionNotReady"),
        (
            "not ready any more",
            new().made().with(|c| c.parent = ConnectionState::NotReady("why".into())),
            "ConnectionNotReady",
        ),
        ("perhaps gone", new().made().with(|c| c.parent = ConnectionState::Unconfirmed), ""),
        ("unfit", new().with(|c| c.parent = ConnectionState::Invalid("why".into())), "InvalidSpec"),
        ("about to go", new().with(|c| c.parent = leaving.clone()), "ConnectionNotReady"),
        ("about to go with ours on it", new().made().with(|c| c.parent = leaving.clone()), "Created"),
        ("an add-on that is away", new().made().with(|c| c.addon = troubled(&outage, false)), ""),
        (
            "an add-on that is away for long",
            new().made().with(|c| c.addon = troubled(&outage, true)),
            "RemoteUnavailable",
        ),
        (
            "another connection",
            new().made().with(|c| (c.parent, c.live.observed) = (on("2"), vec![])),
            "write intent 2, create updates",
        ),
    ]);
}

pub fn troubled(report: &ConditionReport, stale: bool) -> OwnerState {
    OwnerState::Unusable { id: Some(ADDON.into()), report: report.clone(), stale }
}

#[test]
fn a_refusal_counts_on_the_connection_that_it_came_from() {
    let after_refusal = |parent: &str| {
        new().promised(CLOUD).with(|ctx| {
            ctx.status.remote.answered_attempt = Some(1);
            ctx.state.observed_generation = Some(1);
            ctx.parent = on(parent);
        })
    };
    table(vec![
        ("here", after_refusal(CLOUD), "keep"),
        ("on the next", after_refusal("connection-2"), "write intent 2, create updates"),
    ]);
}

#[test]
fn who_is_deleted_goes_once_nothing_can_be_left_unknown() {
    let unseen = |ctx: Case| {
        ctx.with(|c| (c.addon, c.parent) = (OwnerState::Unobserved, ConnectionState::NotReady("why".into())))
    };
    let lost = || new().promised(CLOUD).deleted();
    let missing = ConnectionState::Missing { name: "customer-data".into() };
    table(vec![
        ("never begun", new().deleted().with(|c| c.state.finalizer = true), "remove finalizer"),
        ("made", new().made().deleted(), "Deleting"),
        ("made, and put down", new().made().deleted().with(|c| c.released = true), "remove finalizer, orphan id-1"),
        (
            "made, and gone with its connection",
            new().made().deleted().with(|c| c.connection_gone = true),
            "remove finalizer",
        ),
        ("forced", new().made().deleted().with(|c| c.state.force_orphan = true), "remove finalizer, orphan id-1"),
        ("suspended", new().made().deleted().with(|c| c.spec.handling.suspend = true), "Suspended"),
        ("perhaps made, after a restart", unseen(lost()), ""),
        ("perhaps made, out of sight", lost().with(|c| c.parent = missing), "remove finalizer, orphan updates"),
        ("perhaps made, perhaps gone", lost().with(|c| c.parent = ConnectionState::Unconfirmed), ""),
        ("perhaps made, not listed yet", lost().with(|c| c.live.complete = false), "poll"),
        ("not made", lost(), "remove finalizer"),
        ("made after all", lost().with(|c| c.see(remote("id-1", Phase::Ready))), "Deleting"),
        ("on another connection", lost().with(|c| c.parent = on("2")), "remove finalizer"),
    ]);
    // Its connection learns of it by its status.
    let found = lost().with(|c| c.see(remote("id-1", Phase::Ready))).plan();
    assert_eq!(found.status.remote.id.as_deref(), Some("id-1"));
    assert_eq!(found.status.connection_id.as_deref(), Some(CLOUD));
}

#[test]
fn an_answer_that_names_it_is_put_down_before_it_is_let_go_of() {
    let intent = intent(CLOUD);
    let answered = new().promised(CLOUD).deleted().with(|ctx| {
        ctx.state.last_outcome = Some(CallOutcome::Created { id: "id-9".into(), intent });
    });
    assert_eq!(answered.says(), "Deleting");
    assert_eq!(answered.plan().status.remote.id.as_deref(), Some("id-9"));
}
