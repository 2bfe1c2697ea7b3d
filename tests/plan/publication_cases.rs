//! What comes out for a Publication: one line a case. `publication_laws` uses the same world.

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

use crate::fixture::{self, ADDON, at, planned};

pub const APP: &str = "app-1";
pub const CONNECTION: &str = "c-1";

/// Everything a plan is made of.
#[derive(Clone, Debug)]
pub struct World {
    pub spec: PublicationSpec,
    pub policies: Policies,
    pub parent: ConnectionState,
    pub connection_gone: bool,
    pub desired: Result<PublicationPayload, ConditionReport>,
    pub live: Lookup<RemotePublication>,
    pub name_claims: Vec<NameClaim>,
    pub state: ReconcileState,
    pub status: PublicationStatus,
    pub now: Timestamp,
    /// Whether a publish call moves when something was modified, and what that says next.
    pub dates: bool,
}

pub fn desired(version: &str) -> PublicationPayload {
    let text = format!("openapi: 3.0.3\ninfo: {{title: Orders, version: '{version}'}}\npaths: {{}}\n");
    PublicationPayload::new(&spec(), &Texts { document: text.into_bytes(), ..Texts::default() }).unwrap()
}

fn spec() -> PublicationSpec {
    let spec = json!({"connectionRef": {"name": "production"}, "clientName": "OrdersAPI", "apiSpec": {"inline": "x"}});
    serde_json::from_value(spec).unwrap()
}

pub fn connected(id: &str) -> ConnectionState {
    ConnectionState::Ready { id: id.into(), name: "production".into(), deleting: false }
}

/// Nothing done yet, nothing there, and that is certain.
pub fn fresh() -> World {
    let like = fixture::fresh();
    World {
        spec: spec(),
        policies: like.policies,
        parent: connected(CONNECTION),
        connection_gone: false,
        desired: Ok(desired("1")),
        live: Lookup { complete: true, ..Lookup::default() },
        name_claims: vec![],
        state: like.state,
        status: PublicationStatus::default(),
        now: like.now,
        dates: true,
    }
}

/// Published long ago, and at rest.
pub fn settled() -> World {
    let mut world = fresh();
    world.run();
    assert_eq!(world.state.reason, Some(Reason::Published));
    world.now = at(3600);
    world
}

pub fn theirs() -> World {
    let mut world = fresh();
    world.see("theirs");
    world
}

impl World {
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn see(&mut self, modified_at: &str) {
        let object = RemotePublication {
            id: APP.into(),
            external_service_id: None,
            external_service_name: None,
            org_id: None,
            created_at: None,
            created_by: None,
            modified_at: Some(modified_at.to_owned()),
        };
        self.live.observed = vec![Observed { object, at: self.now, detailed: false }];
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            client_name: self.spec.client_name.clone(),
            policies: self.policies,
            owner_name: "orders".into(),
            owner: OwnerState::Ready { id: ADDON.into() },
            app: APP.into(),
            connection: self.parent.clone(),
            connection_gone: self.connection_gone,
            inputs: self.desired.clone().map(|payload| payload.inputs()),
            lookup: self.live.clone(),
            name_claims: self.name_claims.clone(),
            state: self.state.clone(),
            status: self.status.clone(),
            now: self.now,
        }
    }

    pub fn plan(&self) -> Plan<PublicationStatus> {
        planned("Publication", &self.snapshot(), plan)
    }

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

    /// Carries out a step as a faithful service would.
    pub fn perform(&mut self, step: &Step) {
        self.now += SignedDuration::from_millis(10);
        match step {
            Step::WriteIntent { intent } | Step::Adopt { intent } => {
                (self.state.finalizer, self.state.intent, self.state.last_outcome) = (true, Some(intent.clone()), None);
            }
            Step::Create { .. } | Step::Publish { .. } => {
                let intent = self.state.intent.clone().expect("a word comes first");
                let told = match self.live.observed.first().and_then(|seen| seen.object.modified_at.clone()) {
                    Some(before) if !self.dates => before,
                    _ => self.now.to_string(),
                };
                self.see(&told);
                self.live.deleted_ids.clear();
                self.state.last_outcome = Some(CallOutcome::Created { id: APP.into(), intent });
            }
            Step::Delete { id } => {
                (self.live.observed, self.live.deleted_ids) = (vec![], vec![id.clone()]);
                self.state.last_outcome = Some(CallOutcome::Deleting { id: id.clone(), at: self.now });
            }
            Step::Get { id } => {
                let there = !self.live.observed.is_empty();
                self.live.observed.iter_mut().for_each(|seen| seen.at = self.now);
                self.live.deleted_ids = if there { vec![] } else { vec![id.clone()] };
                self.live.complete = true;
            }
            Step::Poll => {
                self.live.complete = true;
                self.live.observed.iter_mut().for_each(|seen| seen.at = self.now);
            }
            Step::RemoveFinalizer { .. } => self.state.finalizer = false,
            _ => {}
        }
    }

    /// Plans and performs until there is nothing left but to wait, and records what is reported. Gives the steps taken.
    pub fn run(&mut self) -> Vec<Step> {
        let mut taken = Vec::new();
        for _ in 0..20 {
            let plan = self.plan();
            match plan.steps.first() {
                None if plan.update == StatusUpdate::FactsOnly => self.record(plan),
                Some(Step::AwaitRemote) | None => {
                    self.record(plan);
                    return taken;
                }
                Some(step) => {
                    taken.push(step.clone());
                    self.perform(step);
                }
            }
        }
        panic!("goes in circles: {taken:?}")
    }

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

pub fn after_refusal(conflict: bool, intent: &Intent) -> CallOutcome {
    let report = ConditionReport::stalled(Reason::RemoteRejected, "no");
    CallOutcome::Refused { report, at: intent.at, attempt: Some(intent.attempt), conflict }
}

/// A change whose call was sent, a moment ago, by a process that died.
pub fn sent() -> World {
    let mut world = settled().with(|w| w.desired = Ok(desired("2")));
    world.perform(&Step::Get { id: APP.into() });
    let intent = world.plan().steps.remove(0);
    world.perform(&intent);
    world.state.first_seen = world.now + SignedDuration::from_secs(1);
    world.now += SignedDuration::from_secs(2);
    world
}

fn table(cases: Vec<(&str, World, &str)>) {
    for (name, world, wanted) in cases {
        assert_eq!(world.says(), wanted, "{name}: {:#?}", world.plan());
    }
}

pub fn changed() -> World {
    settled().with(|w| w.desired = Ok(desired("2")))
}

#[test]
fn what_is_declared_is_published_once() {
    table(vec![
        ("nothing there", fresh(), "write intent 1, create OrdersAPI"),
        ("not known whether", fresh().with(|w| w.live.complete = false), "poll"),
        ("at rest", settled(), "Published"),
        ("changed: how it is now is looked at first", changed(), "get app-1"),
        (
            "changed, and looked at",
            changed().with(|w| w.perform(&Step::Poll)),
            "write intent 2, publish OrdersAPI again",
        ),
        (
            "dated otherwise, but the same",
            settled().with(|w| {
                (w.status.modified_at = Some("2026-01-01T00:00:00Z".into()), w.see("2026-01-01T00:00:00.000+00:00")).1
            }),
            "Published",
        ),
        (
            "the digest cannot be read",
            settled()
                .with(|w| (w.status.remote.applied_hash, w.now) = (Some("v0:abc".into()), at(60)))
                .with(|w| w.perform(&Step::Poll)),
            "write intent 2, publish OrdersAPI again",
        ),
        ("somebody else published", settled().with(|w| w.see("x")), "write intent 2, publish OrdersAPI again"),
        ("gone, as a list says", settled().with(|w| w.live.observed.clear()), "get app-1"),
        ("there first", theirs(), "write intent 1, publish OrdersAPI again"),
        (
            "there first, and not to be touched",
            theirs().with(|w| w.policies.adoption = AdoptionPolicy::Never),
            "AdoptionRefused",
        ),
        ("sent, and nothing shows yet", sent(), "await remote"),
        ("sent, and it shows", sent().with(|w| w.see("y")), "Published"),
        ("sent, and nothing ever showed", sent().with(|w| w.now += SignedDuration::from_secs(60)), "get app-1"),
        ("only looked at", theirs().with(|w| w.policies.management = ManagementPolicy::Observe), "Published"),
    ]);
}

#[test]
fn where_it_is_published_and_how_it_ends() {
    table(vec![
        ("on the way out", settled().with(|w| w.state.deleting = true), "delete app-1, remove finalizer"),
        (
            "on the way out, and the connection is gone",
            settled().with(|w| (w.state.deleting, w.connection_gone) = (true, true)),
            "remove finalizer",
        ),
        (
            "on the way out, sent, and it shows",
            sent().with(|w| w.see("y")).with(|w| w.state.deleting = true),
            "delete app-1, remove finalizer",
        ),
        (
            "the connection is another one",
            settled().with(|w| (w.parent, w.live.observed) = (connected("c-2"), vec![])),
            "write intent 2, create OrdersAPI",
        ),
        (
            "the connection is another one, and it outlived the first",
            settled().with(|w| w.parent = connected("c-2")).with(|w| w.perform(&Step::Poll)),
            "write intent 2, publish OrdersAPI again",
        ),
        (
            "on a connection that goes",
            changed().with(|w| {
                w.parent = ConnectionState::Ready { id: CONNECTION.into(), name: "p".into(), deleting: true }
            }),
            "get app-1",
        ),
    ]);
}

#[test]
fn a_conflict_makes_room_only_where_that_is_allowed() {
    for (policy, conflict, wanted) in [
        (ReplacePolicy::Never, true, "RemoteRejected"),
        (ReplacePolicy::DeleteAndRecreate, false, "RemoteRejected"),
        (
            ReplacePolicy::DeleteAndRecreate,
            true,
            "write intent 3, delete app-1, write intent 4, create OrdersAPI: Publishing",
        ),
    ] {
        let mut world = sent();
        world.policies.replacement = policy;
        world.state.last_outcome = world.state.intent.as_ref().map(|intent| after_refusal(conflict, intent));
        world.status = world.plan().status;
        assert_eq!(world.says(), wanted);
    }
}
