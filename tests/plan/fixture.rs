//! One Connection in its world, as plain values: made in a line, planned, and moved on step by step.
//!
//! Plays the service and the API server as far as one step needs them; knows nothing of how plans are made.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use applink_operator::crd::{
    Access, AdoptionPolicy, DeletionPolicy, GrantStatus, ManagementPolicy, Org, Provider, Reason, ReplacePolicy,
};
use applink_operator::plan::desired::DesiredGrant;
use applink_operator::plan::diff::grant::{Input, plan};
use applink_operator::plan::live::{GrantKind, Link, Live, Method, Phase, RemoteGrant, Sighting};
use applink_operator::plan::memory::{Answer, Intent, Memory};
use applink_operator::plan::policy::Policies;
use applink_operator::plan::remote::name::Rival;
use applink_operator::plan::remote::{Addon, HandOff};
use applink_operator::plan::verdict::{Report, Verdict};
use applink_operator::plan::{Plan, Step};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;
use serde_json::json;

use crate::keys::pem;

pub const NAME: &str = "prod";
pub const ADDON: &str = "addon-1";

/// How laws are tried: on the same cases each time, since what chance finds belongs into the case tables.
pub fn the_same_each_time() -> ProptestConfig {
    ProptestConfig { cases: 4000, failure_persistence: None, rng_seed: RngSeed::Fixed(0), ..ProptestConfig::default() }
}

/// Everything a plan is made of.
#[derive(Clone, Debug)]
pub struct World {
    pub policies: Policies,
    pub addon: Addon,
    pub spec: Access,
    pub desired: Result<DesiredGrant, Verdict>,
    pub hand_off: HandOff,
    pub live: Live<RemoteGrant>,
    pub rivals: Vec<Rival>,
    pub memory: Memory,
    pub status: GrantStatus,
    pub now: Timestamp,
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub const SECRET: &str = "prod-connection-oauth";

/// A spec by JWT; `change` has its JSON.
pub fn spec(change: impl FnOnce(&mut serde_json::Value)) -> Access {
    let mut spec = json!({
        "provider": "Salesforce",
        "jwt": {"clientID": "3MVG9", "username": "ci@example.com", "privateKeySecretRef": {"name": "k", "key": "k"}},
    });
    change(&mut spec);
    serde_json::from_value(spec).unwrap()
}

/// What is declared with the key of this name. Reading a key takes long, so it is read once.
pub fn desired(key: &str) -> DesiredGrant {
    static READ: Mutex<BTreeMap<String, DesiredGrant>> = Mutex::new(BTreeMap::new());
    let read = || {
        let spec = spec(|_| {});
        DesiredGrant::by_jwt(NAME, &spec, spec.jwt.as_ref().unwrap(), &pem(key).into()).unwrap()
    };
    READ.lock().unwrap_or_else(PoisonError::into_inner).entry(key.to_owned()).or_insert_with(read).clone()
}

pub fn remote(id: &str, phase: Phase) -> RemoteGrant {
    let status = match phase {
        Phase::Going => "connecting",
        Phase::Up => "connected",
        Phase::Failed => "failed",
        Phase::Leaving => "disconnecting",
        Phase::Gone => "disconnected",
    };
    RemoteGrant {
        id: id.into(),
        name: Some(NAME.into()),
        status: status.into(),
        phase,
        provider: Some(Provider::Salesforce),
        method: Some(Method::Jwt),
        org: Org::default(),
        link: None,
        error: None,
        created_at: None,
        created_by: None,
        created_via_app: None,
    }
}

/// One that waits for a person's consent.
pub fn pending(id: &str, link: Option<&str>) -> RemoteGrant {
    let link = link.map(|url| Link::from(url.to_owned()));
    RemoteGrant { method: Some(Method::Oauth), link, ..remote(id, Phase::Going) }
}

/// Nothing done yet, nothing there, and that is certain.
pub fn fresh() -> World {
    World {
        policies: Policies {
            management: ManagementPolicy::Full,
            adoption: AdoptionPolicy::IfMatching,
            deletion: DeletionPolicy::Delete,
            replacement: ReplacePolicy::Never,
            suspend: false,
        },
        addon: Addon::Ready { id: ADDON.into() },
        spec: spec(|_| {}),
        desired: Ok(desired("Z29vZA==")),
        hand_off: HandOff::Absent,
        live: Live { complete: true, ..Live::default() },
        rivals: vec![],
        memory: Memory {
            uid: "uid-1".into(),
            generation: 1,
            observed_generation: Some(-1),
            created: at(-10),
            deleting: false,
            finalizer: false,
            intent: None,
            requested: false,
            replace: None,
            force_orphan: false,
            ready: false,
            reason: None,
            met: at(0),
            since: at(0),
            answer: None,
            reading: Default::default(),
            refusals: vec![],
            cascade: false,
        },
        status: GrantStatus::default(),
        now: at(1),
    }
}

/// Connected long ago, and at rest.
pub fn settled() -> World {
    let mut world = fresh();
    world.run();
    assert_eq!(world.told(), "Connected");
    world.now = at(3600);
    world
}

impl World {
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn see(&mut self, remote: RemoteGrant) {
        self.live.sightings.retain(|s| s.object.id != remote.id);
        self.live.sightings.push(Sighting { object: remote, at: self.now, detailed: false });
    }

    pub fn plan(&self) -> Plan<GrantStatus> {
        plan(&Input {
            kind: GrantKind::Connection,
            name: NAME,
            addon_name: "orders",
            access: &self.spec,
            policies: self.policies,
            addon: &self.addon,
            desired: &self.desired,
            secret: SECRET,
            hand_off: &self.hand_off,
            live: &self.live,
            rivals: &self.rivals,
            memory: &self.memory,
            status: &self.status,
            now: self.now,
        })
    }

    /// The plan in a line: its steps, or the reason it gives.
    pub fn says(&self) -> String {
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

    /// Ready's reason as it is recorded.
    pub fn told(&self) -> &str {
        self.memory.reason.map_or("", |reason| reason.as_str())
    }

    /// Carries out the first step as a faithful service would.
    pub fn perform(&mut self, step: &Step) {
        self.now += SignedDuration::from_millis(10);
        match step {
            Step::Remember { intent } | Step::Adopt { intent } => {
                self.memory.finalizer = true;
                self.memory.intent = Some(intent.clone());
                self.memory.answer = None;
            }
            Step::Guard => self.memory.finalizer = true,
            Step::Create { .. } | Step::Publish { .. } => {
                let word: Intent = self.memory.intent.clone().expect("a word comes first");
                let id = format!("id-{}", word.attempt);
                let made = match &self.desired {
                    Ok(desired) if desired.method() == Method::Oauth => pending(&id, Some("https://login/?state=ey")),
                    _ => remote(&id, Phase::Up),
                };
                self.see(made);
                self.live.sightings.iter_mut().filter(|s| s.object.id == id).for_each(|s| s.detailed = true);
                self.memory.answer = Some(Answer::Created { id, word });
            }
            Step::Delete { id } | Step::Confirm { id } => {
                let gone =
                    !self.live.sightings.iter().any(|s| s.object.id == *id) || matches!(step, Step::Delete { .. });
                if gone {
                    self.live.sightings.retain(|s| s.object.id != *id);
                    self.live.gone.push(id.clone());
                }
                let now = self.now;
                let seen = self.live.sightings.iter_mut().filter(|s| s.object.id == *id);
                seen.for_each(|s| (s.at, s.detailed) = (now, true));
                if matches!(step, Step::Delete { .. }) {
                    self.live.complete = false;
                    self.memory.answer = Some(Answer::Deleting { id: id.clone(), at: self.now });
                }
            }
            Step::Look => {
                self.live.complete = true;
                let now = self.now;
                self.live.sightings.iter_mut().for_each(|s| s.at = now);
            }
            Step::HandOver { id } => self.hand_off = HandOff::Ours { id: Some(id.clone()) },
            Step::Withdraw => self.hand_off = HandOff::Absent,
            Step::Release { .. } => self.memory.finalizer = false,
            Step::TakeSecret { .. } => self.hand_off = HandOff::Ours { id: None },
            Step::AwaitRemote | Step::Survey { .. } | Step::Export { .. } | Step::Retract { .. } => {}
        }
    }

    /// Plans and performs until there is nothing left but to wait, and records what is reported. Gives the steps taken.
    pub fn run(&mut self) -> Vec<Step> {
        let mut taken = Vec::new();
        loop {
            let plan = self.plan();
            match plan.steps.first() {
                None if plan.report == Report::Note => self.record(plan),
                Some(Step::AwaitRemote) | None => {
                    self.record(plan);
                    return taken;
                }
                Some(step) => {
                    taken.push(step.clone());
                    assert!(taken.len() < 12, "goes in circles: {taken:?}");
                    self.perform(step);
                }
            }
        }
    }

    fn record(&mut self, plan: Plan<GrantStatus>) {
        if plan.report == Report::Hold {
            return;
        }
        self.status = plan.status;
        if plan.report == Report::Note {
            return;
        }
        if let Report::Say(verdict) = &plan.report {
            self.memory.ready = verdict.ready == applink_operator::plan::verdict::Readiness::True;
            self.memory.reason = Some(verdict.reason);
        }
        self.memory.observed_generation = Some(self.memory.generation);
        self.memory.requested = false;
        self.memory.replace =
            self.memory.replace.take().filter(|t| Some(t) != self.status.remote.last_handled_replace.as_ref());
    }
}

/// What each world's plan says, in a line.
pub fn table(cases: Vec<(&str, World, &str)>) {
    for (name, world, wanted) in cases {
        assert_eq!(world.says(), wanted, "{name}: {:#?}", world.plan());
    }
}

/// Waiting, for this reason.
pub fn waits(reason: Reason) -> Verdict {
    Verdict::waits(reason, "why")
}

/// The word given for this attempt at this second.
pub fn intent(attempt: i64, second: i64) -> Intent {
    Intent {
        uid: "uid-1".into(),
        addon_id: ADDON.into(),
        hash: desired("Z29vZA==").hash,
        attempt,
        at: at(second),
        recreated: vec![],
        id: None,
        replace: None,
        tombstone: None,
        parent: None,
        seen: None,
    }
}
