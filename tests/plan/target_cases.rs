//! Plans of a DataActionTarget, for cases that are hard to cause in a whole operator. One line is one case.

use applink_operator::conditions::ConditionReport;
use applink_operator::crd::{DataActionTargetSpec, DataActionTargetStatus, DeletionPolicies, Reason};
use applink_operator::facts::{Lookup, Observed, Org, Phase, RemoteDataActionTarget};
use applink_operator::plan::Step;
use applink_operator::plan::kinds::data_action_target::{Snapshot, plan};
use applink_operator::plan::policies::Policies;
use applink_operator::plan::remote::{ConnectionState, OwnerState};
use applink_operator::plan::state::{CallOutcome, Intent, ReconcileState};
use serde_json::json;

use crate::fixture::{self, ADDON, at, checked_plan, summary};

pub const NAME: &str = "updates";
pub const CONNECTION: &str = "connection-1";

/// Everything that the plan of a DataActionTarget depends on.
pub struct Case {
    pub spec: DataActionTargetSpec,
    pub addon: OwnerState,
    pub connection: ConnectionState,
    pub released: bool,
    pub connection_gone: bool,
    pub lookup: Lookup<RemoteDataActionTarget>,
    pub state: ReconcileState,
    pub status: DataActionTargetStatus,
}

pub fn ready_connection(id: &str) -> ConnectionState {
    ConnectionState::Ready { id: id.into(), name: "customer-data".into(), deleting: false }
}

/// A new DataActionTarget. A complete listing shows that no data action target has its name.
pub fn fresh() -> Case {
    let spec = json!({"connectionRef": {"name": "customer-data"}, "label": "updates", "targetEndpoint": "/updates"});
    Case {
        spec: serde_json::from_value(spec).unwrap(),
        addon: OwnerState::Ready { id: ADDON.into() },
        connection: ready_connection(CONNECTION),
        released: false,
        connection_gone: false,
        lookup: Lookup { complete: true, ..Lookup::default() },
        state: fixture::fresh().state,
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

/// The intent for the first create on this connection.
pub fn intent(connection: &str) -> Intent {
    let steps = fresh().plan().steps;
    let Some(Step::WriteIntent { intent }) = steps.first() else { panic!("{steps:?}") };
    Intent { connection_id: Some(connection.into()), at: at(0), ..intent.clone() }
}

impl Case {
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// An earlier process wrote the intent for this connection.
    pub fn with_intent(self, connection: &str) -> Self {
        let intent = intent(connection);
        self.with(|case| {
            case.state.finalizer = true;
            case.state.intent = Some(intent);
            case.state.first_seen = at(1);
        })
    }

    /// Created, recorded in the status, and Ready.
    pub fn created(self) -> Self {
        let hash = intent(CONNECTION).hash;
        self.with_intent(CONNECTION).with(|case| {
            case.observe(remote("id-1", Phase::Ready));
            let remote = &mut case.status.remote;
            remote.id = Some("id-1".into());
            remote.addon_id = Some(ADDON.into());
            remote.applied_hash = Some(hash);
            remote.answered_attempt = Some(1);
            remote.established_at = Some(at(0));
            case.status.connection_id = Some(CONNECTION.into());
            case.state.observed_generation = Some(1);
            (case.state.ready, case.state.reason) = (true, Some(Reason::Created));
        })
    }

    pub fn deleting(self) -> Self {
        self.with(|case| (case.state.deleting, case.state.generation) = (true, 2))
    }

    pub fn observe(&mut self, object: RemoteDataActionTarget) {
        self.lookup.observed = vec![Observed { object, at: at(1), detailed: true }];
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            name: NAME.into(),
            label: self.spec.label.clone(),
            endpoint: self.spec.target_endpoint.clone(),
            policies: Policies::of(self.spec.handling, DeletionPolicies::default()),
            owner_name: "orders".into(),
            owner: self.addon.clone(),
            connection: self.connection.clone(),
            app_id_set: true,
            released: self.released,
            connection_gone: self.connection_gone,
            lookup: self.lookup.clone(),
            name_claims: vec![],
            state: self.state.clone(),
            status: self.status.clone(),
            now: at(100),
        }
    }

    pub fn plan(&self) -> applink_operator::plan::Plan<DataActionTargetStatus> {
        checked_plan("DataActionTarget", &self.snapshot(), plan)
    }

    fn summary(&self) -> String {
        summary(&self.plan())
    }
}

fn assert_plans(cases: Vec<(&str, Case, &str)>) {
    for (name, case, expected) in cases {
        assert_eq!(case.summary(), expected, "{name}: {:#?}", case.plan());
    }
}

#[test]
fn the_state_of_the_connection_decides_what_is_planned() {
    let deleting = ConnectionState::Ready { id: CONNECTION.into(), name: "customer-data".into(), deleting: true };
    let missing = ConnectionState::Missing { name: "customer-data".into() };
    let applied_earlier = |case: Case| case.with(|case| case.state.changed_at = at(0));
    let outage = ConditionReport::in_progress(Reason::RemoteUnavailable, "no answer");
    assert_plans(vec![
        ("Connection ready", fresh(), "write intent 1, create updates"),
        ("incomplete listing", fresh().with(|c| c.lookup.complete = false), "poll: Creating"),
        ("no Connection", applied_earlier(fresh().with(|c| c.connection = missing.clone())), "DependencyNotFound"),
        (
            "Connection not ready",
            fresh().with(|c| c.connection = ConnectionState::NotReady("why".into())),
            "ConnectionNotReady",
        ),
        (
            "Connection not ready any more",
            fresh().created().with(|c| c.connection = ConnectionState::NotReady("why".into())),
            "ConnectionNotReady",
        ),
        (
            "remote connection perhaps deleted",
            fresh().created().with(|c| c.connection = ConnectionState::Unconfirmed),
            "",
        ),
        (
            "Connection cannot have DataActionTargets",
            fresh().with(|c| c.connection = ConnectionState::Invalid("why".into())),
            "InvalidSpec",
        ),
        ("Connection is being deleted", fresh().with(|c| c.connection = deleting.clone()), "ConnectionNotReady"),
        (
            "Connection is being deleted, target created",
            fresh().created().with(|c| c.connection = deleting.clone()),
            "Created",
        ),
        ("outage", fresh().created().with(|c| c.addon = unusable_addon(&outage, false)), ""),
        ("stale outage", fresh().created().with(|c| c.addon = unusable_addon(&outage, true)), "RemoteUnavailable"),
        (
            "Connection has another remote connection",
            fresh().created().with(|c| (c.connection, c.lookup.observed) = (ready_connection("2"), vec![])),
            "write intent 2, create updates",
        ),
    ]);
}

/// An add-on that is unusable for this reason.
pub fn unusable_addon(report: &ConditionReport, stale: bool) -> OwnerState {
    OwnerState::Unusable { id: Some(ADDON.into()), report: report.clone(), stale }
}

#[test]
fn a_refusal_counts_only_on_the_connection_that_gave_it() {
    let refused_before_restart = |connection: &str| {
        fresh().with_intent(CONNECTION).with(|case| {
            case.status.remote.answered_attempt = Some(1);
            case.state.observed_generation = Some(1);
            case.connection = ready_connection(connection);
        })
    };
    assert_plans(vec![
        ("same connection", refused_before_restart(CONNECTION), "keep"),
        ("another connection", refused_before_restart("connection-2"), "write intent 2, create updates"),
    ]);
}

#[test]
fn the_finalizer_stays_until_the_remote_state_is_known() {
    let unobserved = |case: Case| {
        case.with(|c| (c.addon, c.connection) = (OwnerState::Unobserved, ConnectionState::NotReady("why".into())))
    };
    let open_intent = || fresh().with_intent(CONNECTION).deleting();
    let missing = ConnectionState::Missing { name: "customer-data".into() };
    assert_plans(vec![
        ("no intent", fresh().deleting().with(|c| c.state.finalizer = true), "remove finalizer"),
        ("created", fresh().created().deleting(), "Deleting"),
        (
            "created, released",
            fresh().created().deleting().with(|c| c.released = true),
            "remove finalizer, orphan id-1",
        ),
        (
            "created, its connection is deleted",
            fresh().created().deleting().with(|c| c.connection_gone = true),
            "remove finalizer",
        ),
        (
            "force-orphan annotation",
            fresh().created().deleting().with(|c| c.state.force_orphan = true),
            "remove finalizer, orphan id-1",
        ),
        ("suspended", fresh().created().deleting().with(|c| c.spec.handling.suspend = true), "Suspended"),
        ("open intent, nothing observed since the restart", unobserved(open_intent()), ""),
        (
            "open intent, no Connection",
            open_intent().with(|c| c.connection = missing),
            "remove finalizer, orphan updates",
        ),
        (
            "open intent, remote connection perhaps deleted",
            open_intent().with(|c| c.connection = ConnectionState::Unconfirmed),
            "",
        ),
        ("open intent, incomplete listing", open_intent().with(|c| c.lookup.complete = false), "poll"),
        ("open intent, not created", open_intent(), "remove finalizer"),
        ("open intent, created", open_intent().with(|c| c.observe(remote("id-1", Phase::Ready))), "Deleting"),
        (
            "open intent on another connection",
            open_intent().with(|c| c.connection = ready_connection("2")),
            "remove finalizer",
        ),
    ]);
    // The plan of its Connection reads the ID from this status.
    let found = open_intent().with(|c| c.observe(remote("id-1", Phase::Ready))).plan();
    assert_eq!(found.status.remote.id.as_deref(), Some("id-1"));
    assert_eq!(found.status.connection_id.as_deref(), Some(CONNECTION));
}

#[test]
fn a_created_id_is_recorded_before_the_finalizer_is_removed() {
    let intent = intent(CONNECTION);
    let created = fresh().with_intent(CONNECTION).deleting().with(|case| {
        case.state.last_outcome = Some(CallOutcome::Created { id: "id-9".into(), intent });
    });
    assert_eq!(created.summary(), "Deleting");
    assert_eq!(created.plan().status.remote.id.as_deref(), Some("id-9"));
}
