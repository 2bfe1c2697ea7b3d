//! What comes out for a Publication: one line a case. `publication_laws` uses the same world.

use applink_operator::crd::{
    AdoptionPolicy, ManagementPolicy, PublicationSpec, PublicationStatus, Reason, ReplacePolicy,
};
use applink_operator::plan::desired::publication::{DesiredPublication, Texts};
use applink_operator::plan::diff::publication::{Input, plan};
use applink_operator::plan::live::{Live, RemotePublication, Sighting};
use applink_operator::plan::memory::{Answer, Intent, Memory};
use applink_operator::plan::policy::Policies;
use applink_operator::plan::remote::name::Rival;
use applink_operator::plan::remote::{Addon, Parent};
use applink_operator::plan::verdict::{Readiness, Report, Verdict};
use applink_operator::plan::{Plan, Step};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::fixture::{self, ADDON, at};

pub const APP: &str = "app-1";
pub const CONNECTION: &str = "c-1";

/// Everything a plan is made of.
#[derive(Clone, Debug)]
pub struct World {
    pub spec: PublicationSpec,
    pub policies: Policies,
    pub parent: Parent,
    pub severed: bool,
    pub desired: Result<DesiredPublication, Verdict>,
    pub live: Live<RemotePublication>,
    pub rivals: Vec<Rival>,
    pub memory: Memory,
    pub status: PublicationStatus,
    pub now: Timestamp,
    /// Whether a publish call moves when something was modified, and what that says next.
    pub dates: bool,
}

pub fn desired(version: &str) -> DesiredPublication {
    let text = format!("openapi: 3.0.3\ninfo: {{title: Orders, version: '{version}'}}\npaths: {{}}\n");
    DesiredPublication::new(&spec(), &Texts { document: text.into_bytes(), ..Texts::default() }, None).unwrap()
}

fn spec() -> PublicationSpec {
    let spec = json!({"connectionRef": {"name": "production"}, "clientName": "OrdersAPI", "apiSpec": {"inline": "x"}});
    serde_json::from_value(spec).unwrap()
}

pub fn connected(id: &str) -> Parent {
    Parent::Ready { id: id.into(), name: "production".into(), leaving: false }
}

/// Nothing done yet, nothing there, and that is certain.
pub fn fresh() -> World {
    let like = fixture::fresh();
    World {
        spec: spec(),
        policies: like.policies,
        parent: connected(CONNECTION),
        severed: false,
        desired: Ok(desired("1")),
        live: Live { complete: true, ..Live::default() },
        rivals: vec![],
        memory: like.memory,
        status: PublicationStatus::default(),
        now: like.now,
        dates: true,
    }
}

/// Published long ago, and at rest.
pub fn settled() -> World {
    let mut world = fresh();
    world.run();
    assert_eq!(world.memory.reason, Some(Reason::Published));
    world.now = at(3600);
    world
}

fn theirs() -> World {
    let mut world = fresh();
    world.see("theirs");
    world
}

impl World {
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
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
        self.live.sightings = vec![Sighting { object, at: self.now, detailed: false }];
    }

    pub fn plan(&self) -> Plan<PublicationStatus> {
        plan(&Input {
            spec: &self.spec,
            policies: self.policies,
            addon_name: "orders",
            addon: &Addon::Ready { id: ADDON.into() },
            app: APP,
            parent: &self.parent,
            severed: self.severed,
            desired: &self.desired,
            live: &self.live,
            rivals: &self.rivals,
            memory: &self.memory,
            status: &self.status,
            now: self.now,
        })
    }

    fn says(&self) -> String {
        let plan = self.plan();
        let steps: Vec<_> = plan.steps.iter().map(ToString::to_string).collect();
        let report = match plan.report {
            Report::Say(verdict) => verdict.reason.to_string(),
            Report::Keep => "keep".into(),
            Report::Note => "note".into(),
            Report::Hold => String::new(),
        };
        [steps.join(", "), report].into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>().join(": ")
    }

    /// Carries out a step as a faithful service would.
    pub fn perform(&mut self, step: &Step) {
        self.now += SignedDuration::from_millis(10);
        match step {
            Step::Remember { intent } | Step::Adopt { intent } => {
                (self.memory.finalizer, self.memory.intent, self.memory.answer) = (true, Some(intent.clone()), None);
            }
            Step::Create { .. } | Step::Publish { .. } => {
                let word = self.memory.intent.clone().expect("a word comes first");
                let told = match self.live.sightings.first().and_then(|seen| seen.object.modified_at.clone()) {
                    Some(before) if !self.dates => before,
                    _ => self.now.to_string(),
                };
                self.see(&told);
                self.live.gone.clear();
                self.memory.answer = Some(Answer::Created { id: APP.into(), word });
            }
            Step::Delete { id } => {
                (self.live.sightings, self.live.gone) = (vec![], vec![id.clone()]);
                self.memory.answer = Some(Answer::Deleting { id: id.clone(), at: self.now });
            }
            Step::Confirm { id } => {
                let there = !self.live.sightings.is_empty();
                self.live.sightings.iter_mut().for_each(|seen| seen.at = self.now);
                self.live.gone = if there { vec![] } else { vec![id.clone()] };
                self.live.complete = true;
            }
            Step::Look => {
                self.live.complete = true;
                self.live.sightings.iter_mut().for_each(|seen| seen.at = self.now);
            }
            Step::Release { .. } => self.memory.finalizer = false,
            _ => {}
        }
    }

    /// Plans and performs until there is nothing left but to wait, and records what is reported. Gives the steps taken.
    pub fn run(&mut self) -> Vec<Step> {
        let mut taken = Vec::new();
        for _ in 0..20 {
            let plan = self.plan();
            match plan.steps.first() {
                None if plan.report == Report::Note => self.record(plan),
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
        if plan.report == Report::Hold {
            return;
        }
        self.status = plan.status;
        if let Report::Say(verdict) = &plan.report {
            self.memory.ready = verdict.ready == Readiness::True;
            self.memory.reason = Some(verdict.reason);
        }
        if plan.report != Report::Note {
            self.memory.observed_generation = Some(self.memory.generation);
            self.memory.requested = false;
        }
    }
}

pub fn refused(conflict: bool, word: &Intent) -> Answer {
    let verdict = Verdict::needs_user(Reason::RemoteRejected, "no");
    Answer::Refused { verdict, at: word.at, attempt: Some(word.attempt), conflict }
}

/// A change whose call was sent, a moment ago, by a process that died.
fn sent() -> World {
    let mut world = settled().with(|w| w.desired = Ok(desired("2")));
    world.perform(&Step::Confirm { id: APP.into() });
    let word = world.plan().steps.remove(0);
    world.perform(&word);
    world.memory.met = world.now + SignedDuration::from_secs(1);
    world.now += SignedDuration::from_secs(2);
    world
}

fn table(cases: Vec<(&str, World, &str)>) {
    for (name, world, wanted) in cases {
        assert_eq!(world.says(), wanted, "{name}: {:#?}", world.plan());
    }
}

fn changed() -> World {
    settled().with(|w| w.desired = Ok(desired("2")))
}

#[test]
fn what_is_declared_is_published_once() {
    table(vec![
        ("nothing there", fresh(), "remember attempt 1, create OrdersAPI"),
        ("not known whether", fresh().with(|w| w.live.complete = false), "look"),
        ("at rest", settled(), "Published"),
        ("changed: how it is now is looked at first", changed(), "confirm app-1"),
        (
            "changed, and looked at",
            changed().with(|w| w.perform(&Step::Look)),
            "remember attempt 2, publish OrdersAPI again",
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
                .with(|w| w.perform(&Step::Look)),
            "remember attempt 2, publish OrdersAPI again",
        ),
        ("somebody else published", settled().with(|w| w.see("x")), "remember attempt 2, publish OrdersAPI again"),
        ("gone, as a list says", settled().with(|w| w.live.sightings.clear()), "confirm app-1"),
        ("there first", theirs(), "remember attempt 1, publish OrdersAPI again"),
        (
            "there first, and not to be touched",
            theirs().with(|w| w.policies.adoption = AdoptionPolicy::Never),
            "AdoptionRefused",
        ),
        ("sent, and nothing shows yet", sent(), "await remote"),
        ("sent, and it shows", sent().with(|w| w.see("y")), "Published"),
        ("sent, and nothing ever showed", sent().with(|w| w.now += SignedDuration::from_secs(60)), "confirm app-1"),
        ("only looked at", theirs().with(|w| w.policies.management = ManagementPolicy::Observe), "Published"),
    ]);
}

#[test]
fn where_it_is_published_and_how_it_ends() {
    table(vec![
        ("on the way out", settled().with(|w| w.memory.deleting = true), "delete app-1, release"),
        (
            "on the way out, and the connection is gone",
            settled().with(|w| (w.memory.deleting, w.severed) = (true, true)),
            "release",
        ),
        (
            "on the way out, sent, and it shows",
            sent().with(|w| w.see("y")).with(|w| w.memory.deleting = true),
            "delete app-1, release",
        ),
        (
            "the connection is another one",
            settled().with(|w| (w.parent, w.live.sightings) = (connected("c-2"), vec![])),
            "remember attempt 2, create OrdersAPI",
        ),
        (
            "the connection is another one, and it outlived the first",
            settled().with(|w| w.parent = connected("c-2")).with(|w| w.perform(&Step::Look)),
            "remember attempt 2, publish OrdersAPI again",
        ),
        (
            "on a connection that goes",
            changed().with(|w| w.parent = Parent::Ready { id: CONNECTION.into(), name: "p".into(), leaving: true }),
            "confirm app-1",
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
            "remember attempt 3, delete app-1, remember attempt 4, create OrdersAPI: Publishing",
        ),
    ] {
        let mut world = sent();
        world.policies.replacement = policy;
        world.memory.answer = world.memory.intent.as_ref().map(|word| refused(conflict, word));
        world.status = world.plan().status;
        assert_eq!(world.says(), wanted);
    }
}
