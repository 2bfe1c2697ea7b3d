//! Plans of a Publication. One line is one case. `publication_properties` uses the same `World`.

use applink_operator::conditions::{ConditionReport, ReadyStatus, StatusUpdate};
use applink_operator::crd::{
    AdoptionPolicy, ManagementPolicy, PublicationSpec, PublicationStatus, Reason, ReplacePolicy,
};
use applink_operator::facts::{Lookup, Observed, RemotePublication};
use applink_operator::plan::inputs::publication::{PublicationPayload, Texts};
use applink_operator::plan::kinds::publication::{Snapshot, plan};
use applink_operator::plan::policies::Policies;
use applink_operator::plan::remote::name_claim::NameClaim;
use applink_operator::plan::remote::{ConnectionState, OwnerState};
use applink_operator::plan::state::{CallOutcome, Intent, ReconcileState};
use applink_operator::plan::{Plan, Step};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::fixture::{self, ADDON, at, checked_plan, summary};

pub const APP: &str = "app-1";
pub const CONNECTION: &str = "c-1";

/// Everything that the plan of a Publication depends on.
#[derive(Clone, Debug)]
pub struct World {
    pub spec: PublicationSpec,
    pub policies: Policies,
    pub connection: ConnectionState,
    pub connection_gone: bool,
    pub payload: Result<PublicationPayload, ConditionReport>,
    pub lookup: Lookup<RemotePublication>,
    pub name_claims: Vec<NameClaim>,
    pub state: ReconcileState,
    pub status: PublicationStatus,
    pub now: Timestamp,
    /// Whether a publish call changes the modification time.
    pub updates_modified_at: bool,
}

/// The payload with this version of the document.
pub fn payload(version: &str) -> PublicationPayload {
    let text = format!("openapi: 3.0.3\ninfo: {{title: Orders, version: '{version}'}}\npaths: {{}}\n");
    PublicationPayload::new(&spec(), &Texts { document: text.into_bytes(), ..Texts::default() }).unwrap()
}

fn spec() -> PublicationSpec {
    let spec = json!({"connectionRef": {"name": "production"}, "clientName": "OrdersAPI", "apiSpec": {"inline": "x"}});
    serde_json::from_value(spec).unwrap()
}

pub fn ready_connection(id: &str) -> ConnectionState {
    ConnectionState::Ready { id: id.into(), name: "production".into(), deleting: false }
}

/// A new Publication. A complete listing shows that the app is not published.
pub fn fresh() -> World {
    let base = fixture::fresh();
    World {
        spec: spec(),
        policies: base.policies,
        connection: ready_connection(CONNECTION),
        connection_gone: false,
        payload: Ok(payload("1")),
        lookup: Lookup { complete: true, ..Lookup::default() },
        name_claims: vec![],
        state: base.state,
        status: PublicationStatus::default(),
        now: base.now,
        updates_modified_at: true,
    }
}

/// Published an hour ago, with nothing left to do.
pub fn settled() -> World {
    let mut world = fresh();
    world.run_until_idle();
    assert_eq!(world.state.reason, Some(Reason::Published));
    world.now = at(3600);
    world
}

/// Another client has published the app.
pub fn published_by_other() -> World {
    let mut world = fresh();
    world.observe("published by another client");
    world
}

impl World {
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Records an observation with this modification time.
    pub fn observe(&mut self, modified_at: &str) {
        let object = RemotePublication {
            id: APP.into(),
            external_service_id: None,
            external_service_name: None,
            org_id: None,
            created_at: None,
            created_by: None,
            modified_at: Some(modified_at.to_owned()),
        };
        self.lookup.observed = vec![Observed { object, at: self.now, detailed: false }];
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            client_name: self.spec.client_name.clone(),
            policies: self.policies,
            owner_name: "orders".into(),
            owner: OwnerState::Ready { id: ADDON.into() },
            app: APP.into(),
            connection: self.connection.clone(),
            connection_gone: self.connection_gone,
            inputs: self.payload.clone().map(|payload| payload.inputs()),
            lookup: self.lookup.clone(),
            name_claims: self.name_claims.clone(),
            state: self.state.clone(),
            status: self.status.clone(),
            now: self.now,
        }
    }

    pub fn plan(&self) -> Plan<PublicationStatus> {
        checked_plan("Publication", &self.snapshot(), plan)
    }

    fn summary(&self) -> String {
        summary(&self.plan())
    }

    /// Executes a step: AppLink and the API server do what the operator asks.
    pub fn execute(&mut self, step: &Step) {
        self.now += SignedDuration::from_millis(10);
        match step {
            Step::WriteIntent { intent } | Step::Adopt { intent } => {
                (self.state.finalizer, self.state.intent, self.state.last_outcome) = (true, Some(intent.clone()), None);
            }
            Step::Create { .. } | Step::Publish { .. } => {
                let intent = self.state.intent.clone().expect("the intent is written before the call");
                let modified_at = match self.lookup.observed.first().and_then(|o| o.object.modified_at.clone()) {
                    Some(before) if !self.updates_modified_at => before,
                    _ => self.now.to_string(),
                };
                self.observe(&modified_at);
                self.lookup.deleted_ids.clear();
                self.state.last_outcome = Some(CallOutcome::Created { id: APP.into(), intent });
            }
            Step::Delete { id } => {
                (self.lookup.observed, self.lookup.deleted_ids) = (vec![], vec![id.clone()]);
                self.state.last_outcome = Some(CallOutcome::Deleting { id: id.clone(), at: self.now });
            }
            Step::Get { id } => {
                let exists = !self.lookup.observed.is_empty();
                self.lookup.observed.iter_mut().for_each(|o| o.at = self.now);
                self.lookup.deleted_ids = if exists { vec![] } else { vec![id.clone()] };
                self.lookup.complete = true;
            }
            Step::Poll => {
                self.lookup.complete = true;
                self.lookup.observed.iter_mut().for_each(|o| o.at = self.now);
            }
            Step::RemoveFinalizer { .. } => self.state.finalizer = false,
            _ => {}
        }
    }

    /// Plans and executes until only waiting is left, then records the plan's status. Returns the executed steps.
    pub fn run_until_idle(&mut self) -> Vec<Step> {
        let mut executed = Vec::new();
        for _ in 0..20 {
            let plan = self.plan();
            match plan.steps.first() {
                None if plan.update == StatusUpdate::FactsOnly => self.record(plan),
                Some(Step::AwaitRemote) | None => {
                    self.record(plan);
                    return executed;
                }
                Some(step) => {
                    executed.push(step.clone());
                    self.execute(step);
                }
            }
        }
        panic!("the plan does not come to rest: {executed:?}")
    }

    /// Writes the plan's status, as the operator does.
    fn record(&mut self, plan: Plan<PublicationStatus>) {
        if plan.update == StatusUpdate::Unchanged {
            return;
        }
        self.status = plan.status;
        if let StatusUpdate::SetConditions(report) = &plan.update {
            self.state.ready = report.ready == ReadyStatus::True;
            self.state.reason = Some(report.reason);
        }
        if plan.update != StatusUpdate::FactsOnly {
            self.state.observed_generation = Some(self.state.generation);
            self.state.requested = None;
        }
    }
}

/// AppLink refused the publish call of this intent.
pub fn refused_publish(conflict: bool, intent: &Intent) -> CallOutcome {
    let report = ConditionReport::stalled(Reason::RemoteRejected, "no");
    CallOutcome::Refused { report, at: intent.at, attempt: Some(intent.attempt), conflict }
}

/// The document changed. An earlier process sent the publish call a moment ago, and crashed.
pub fn publish_sent() -> World {
    let mut world = settled().with(|w| w.payload = Ok(payload("2")));
    world.execute(&Step::Get { id: APP.into() });
    let intent = world.plan().steps.remove(0);
    world.execute(&intent);
    world.state.first_seen = world.now + SignedDuration::from_secs(1);
    world.now += SignedDuration::from_secs(2);
    world
}

fn assert_plans(cases: Vec<(&str, World, &str)>) {
    for (name, world, expected) in cases {
        assert_eq!(world.summary(), expected, "{name}: {:#?}", world.plan());
    }
}

/// The document changed after it was published.
pub fn document_changed() -> World {
    settled().with(|w| w.payload = Ok(payload("2")))
}

#[test]
fn a_document_is_published_once_per_change_or_drift() {
    assert_plans(vec![
        ("app not published", fresh(), "write intent 1, create OrdersAPI"),
        ("incomplete listing", fresh().with(|w| w.lookup.complete = false), "poll"),
        ("no drift", settled(), "Published"),
        ("document changed, no get since", document_changed(), "get app-1"),
        (
            "document changed, observed since",
            document_changed().with(|w| w.execute(&Step::Poll)),
            "write intent 2, publish OrdersAPI again",
        ),
        (
            "modification time in another format",
            settled().with(|w| {
                (w.status.modified_at = Some("2026-01-01T00:00:00Z".into()), w.observe("2026-01-01T00:00:00.000+00:00"))
                    .1
            }),
            "Published",
        ),
        (
            "digest of an unknown version",
            settled()
                .with(|w| (w.status.remote.applied_hash, w.now) = (Some("v0:abc".into()), at(60)))
                .with(|w| w.execute(&Step::Poll)),
            "write intent 2, publish OrdersAPI again",
        ),
        (
            "another client published since",
            settled().with(|w| w.observe("x")),
            "write intent 2, publish OrdersAPI again",
        ),
        ("missing from a complete listing", settled().with(|w| w.lookup.observed.clear()), "get app-1"),
        ("published by another client before", published_by_other(), "write intent 1, publish OrdersAPI again"),
        (
            "published by another client before, adoptionPolicy Never",
            published_by_other().with(|w| w.policies.adoption = AdoptionPolicy::Never),
            "AdoptionRefused",
        ),
        ("publish sent, no change observed yet", publish_sent(), "await remote"),
        ("publish sent, change observed", publish_sent().with(|w| w.observe("y")), "Published"),
        (
            "publish sent a minute ago, no change observed",
            publish_sent().with(|w| w.now += SignedDuration::from_secs(60)),
            "get app-1",
        ),
        (
            "managementPolicy Observe",
            published_by_other().with(|w| w.policies.management = ManagementPolicy::Observe),
            "Published",
        ),
    ]);
}

#[test]
fn a_publication_follows_its_connection_and_its_deletion() {
    assert_plans(vec![
        ("resource deleted", settled().with(|w| w.state.deleting = true), "delete app-1, remove finalizer"),
        (
            "resource deleted, its connection is deleted",
            settled().with(|w| (w.state.deleting, w.connection_gone) = (true, true)),
            "remove finalizer",
        ),
        (
            "resource deleted, publish sent, change observed",
            publish_sent().with(|w| w.observe("y")).with(|w| w.state.deleting = true),
            "delete app-1, remove finalizer",
        ),
        (
            "another connection, app not published there",
            settled().with(|w| (w.connection, w.lookup.observed) = (ready_connection("c-2"), vec![])),
            "write intent 2, create OrdersAPI",
        ),
        (
            "another connection, app published there",
            settled().with(|w| w.connection = ready_connection("c-2")).with(|w| w.execute(&Step::Poll)),
            "write intent 2, publish OrdersAPI again",
        ),
        (
            "document changed, connection is being deleted",
            document_changed().with(|w| {
                w.connection = ConnectionState::Ready { id: CONNECTION.into(), name: "p".into(), deleting: true }
            }),
            "get app-1",
        ),
    ]);
}

#[test]
fn a_conflict_replaces_only_if_the_policy_allows_it() {
    for (policy, conflict, expected) in [
        (ReplacePolicy::Never, true, "RemoteRejected"),
        (ReplacePolicy::DeleteAndRecreate, false, "RemoteRejected"),
        (
            ReplacePolicy::DeleteAndRecreate,
            true,
            "write intent 3, delete app-1, write intent 4, create OrdersAPI: Publishing",
        ),
    ] {
        let mut world = publish_sent();
        world.policies.replacement = policy;
        world.state.last_outcome = world.state.intent.as_ref().map(|intent| refused_publish(conflict, intent));
        world.status = world.plan().status;
        assert_eq!(world.summary(), expected);
    }
}
