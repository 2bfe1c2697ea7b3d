//! A Connection and everything that its plan depends on, as plain values. A test builds a `World` in one line, plans it, and
//! executes steps on it.
//!
//! It simulates AppLink and the API server as far as one step needs them. It must not know how plans are made.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{LazyLock, Mutex, PoisonError};

use applink_operator::conditions::{ConditionReport, StatusUpdate};
use applink_operator::crd::{
    AdoptionPolicy, AuthSpec, DeletionPolicy, ManagementPolicy, Org, OrgAccessStatus, Provider, Reason, ReplacePolicy,
};
use applink_operator::facts::{
    AuthMethod, ConsentLink, Lookup, Observed, OrgAccessKind, Phase, RemoteObject, RemoteOrgAccess,
};
use applink_operator::plan::inputs::OrgAccessPayload;
use applink_operator::plan::kinds::org_access::{Snapshot, plan};
use applink_operator::plan::policies::Policies;
use applink_operator::plan::remote::name_claim::NameClaim;
use applink_operator::plan::remote::{OwnedSecret, OwnerState};
use applink_operator::plan::state::{Intent, ReconcileState};
use applink_operator::plan::transition::StepOutcome;
use applink_operator::plan::{Plan, Step};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::keys::pem;
use crate::messages;

pub const NAME: &str = "prod";
pub const ADDON: &str = "addon-1";

/// Configuration of the property tests. Each run draws a new seed, and a failing test prints it. To replay a run:
///
/// ```text
/// PROPTEST_RNG_SEED=<seed> cargo test --test plan <test>
/// ```
///
/// Add a case for every failure to the case tables, because no seed is persisted.
pub fn proptest_config() -> ProptestConfig {
    static SEED: LazyLock<u64> = LazyLock::new(|| {
        let fixed = std::env::var("PROPTEST_RNG_SEED").ok();
        let parse = |seed: String| seed.parse().expect("PROPTEST_RNG_SEED is a number");
        fixed.map_or_else(|| RandomState::new().build_hasher().finish(), parse)
    });
    // The test harness shows this only if the test fails.
    println!("replay with PROPTEST_RNG_SEED={}", *SEED);
    ProptestConfig {
        cases: 4000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(*SEED),
        ..ProptestConfig::default()
    }
}

/// Everything that the plan of a Connection depends on.
#[derive(Clone, Debug)]
pub struct World {
    pub policies: Policies,
    pub addon: OwnerState,
    pub spec: AuthSpec,
    pub payload: Result<OrgAccessPayload, ConditionReport>,
    pub oauth_secret: OwnedSecret,
    pub lookup: Lookup<RemoteOrgAccess>,
    pub name_claims: Vec<NameClaim>,
    pub state: ReconcileState,
    pub status: OrgAccessStatus,
    pub now: Timestamp,
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// Plans, and checks three things: a snapshot survives a round trip through JSON, the plan of the copy has the same bytes, and
/// the reason that the plan reports has a stored message, see `messages`.
pub fn checked_plan<S, T>(kind: &str, snapshot: &S, plan: impl Fn(&S) -> Plan<T>) -> Plan<T>
where
    S: Serialize + DeserializeOwned + PartialEq + Debug,
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let first = plan(snapshot);
    let copy: S = serde_json::from_str(&serde_json::to_string(snapshot).unwrap()).unwrap();
    assert_eq!(copy, *snapshot);
    let (json, json_of_copy) = (serde_json::to_string(&first).unwrap(), serde_json::to_string(&plan(&copy)).unwrap());
    assert_eq!(json, json_of_copy);
    assert_eq!(serde_json::from_str::<Plan<T>>(&json).unwrap(), first);
    if let StatusUpdate::SetConditions(report) = &first.update {
        messages::assert_covered(kind, report.reason);
    }
    first
}

pub const SECRET: &str = "prod-connection-oauth";

/// A spec that uses JWT. `change` edits its JSON.
pub fn spec(change: impl FnOnce(&mut serde_json::Value)) -> AuthSpec {
    let mut spec = json!({
        "provider": "Salesforce",
        "jwt": {"clientID": "3MVG9", "username": "ci@example.com", "privateKeySecretRef": {"name": "k", "key": "k"}},
    });
    change(&mut spec);
    serde_json::from_value(spec).unwrap()
}

/// The payload with the key of this name. Parsing a key is slow, so each key is parsed once.
pub fn payload(key: &str) -> OrgAccessPayload {
    static PARSED: Mutex<BTreeMap<String, OrgAccessPayload>> = Mutex::new(BTreeMap::new());
    let parse = || {
        let spec = spec(|_| {});
        OrgAccessPayload::by_jwt(NAME, &spec, spec.jwt.as_ref().unwrap(), &pem(key).into()).unwrap()
    };
    PARSED.lock().unwrap_or_else(PoisonError::into_inner).entry(key.to_owned()).or_insert_with(parse).clone()
}

/// A remote connection of our name.
pub fn remote(id: &str, phase: Phase) -> RemoteOrgAccess {
    let status = match phase {
        Phase::Pending => "connecting",
        Phase::Ready => "connected",
        Phase::Failed => "failed",
        Phase::Deleting => "disconnecting",
        Phase::Deleted => "disconnected",
    };
    RemoteOrgAccess {
        id: id.into(),
        name: Some(NAME.into()),
        status: status.into(),
        phase,
        provider: Some(Provider::Salesforce),
        method: Some(AuthMethod::Jwt),
        org: Org::default(),
        link: None,
        error: None,
        created_at: None,
        created_by: None,
        created_via_app: None,
    }
}

/// A remote connection by OAuth that waits for a person's consent.
pub fn pending_consent(id: &str, link: Option<&str>) -> RemoteOrgAccess {
    let link = link.map(|url| ConsentLink::from(url.to_owned()));
    RemoteOrgAccess { method: Some(AuthMethod::OAuth), link, ..remote(id, Phase::Pending) }
}

/// A new Connection. A complete listing shows that no remote connection has its name.
pub fn fresh() -> World {
    World {
        policies: Policies {
            management: ManagementPolicy::Full,
            adoption: AdoptionPolicy::IfMatching,
            deletion: DeletionPolicy::Delete,
            replacement: ReplacePolicy::Never,
            suspend: false,
        },
        addon: OwnerState::Ready { id: ADDON.into() },
        spec: spec(|_| {}),
        payload: Ok(payload("Z29vZA==")),
        oauth_secret: OwnedSecret::Absent,
        lookup: Lookup { complete: true, ..Lookup::default() },
        name_claims: vec![],
        state: ReconcileState {
            uid: "uid-1".into(),
            generation: 1,
            observed_generation: Some(-1),
            created: at(-10),
            deleting: false,
            finalizer: false,
            intent: None,
            requested: None,
            replace: None,
            force_orphan: false,
            ready: false,
            reason: None,
            first_seen: at(0),
            changed_at: at(0),
            last_outcome: None,
            credentials: Default::default(),
            call_failures: 0,
            refusals: vec![],
            confirm_cascade: false,
        },
        status: OrgAccessStatus::default(),
        now: at(1),
    }
}

/// Connected an hour ago, with nothing left to do.
pub fn settled() -> World {
    let mut world = fresh();
    world.run_until_idle();
    assert_eq!(world.recorded_reason(), "Connected");
    world.now = at(3600);
    world
}

impl World {
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Records an observation of `remote`, and drops the earlier one of the same ID.
    pub fn observe(&mut self, remote: RemoteOrgAccess) {
        self.lookup.observed.retain(|o| o.object.id != remote.id);
        self.lookup.observed.push(Observed { object: remote, at: self.now, detailed: false });
    }

    pub fn plan(&self) -> Plan<OrgAccessStatus> {
        checked_plan("Connection", &self.snapshot(OrgAccessKind::Connection), plan)
    }

    pub fn snapshot(&self, kind: OrgAccessKind) -> Snapshot {
        let mut lookup = self.lookup.clone();
        lookup.observed.iter_mut().for_each(|observed| observed.object.redact());
        Snapshot {
            kind,
            name: NAME.into(),
            owner_name: "orders".into(),
            spec: self.spec.clone(),
            policies: self.policies,
            owner: self.addon.clone(),
            inputs: self.payload.clone().map(|payload| payload.inputs()),
            oauth_secret_name: SECRET.into(),
            oauth_secret: self.oauth_secret.clone(),
            lookup,
            name_claims: self.name_claims.clone(),
            state: self.state.clone(),
            status: self.status.clone(),
            now: self.now,
        }
    }

    pub fn summary(&self) -> String {
        summary(&self.plan())
    }

    /// The reason of the Ready condition in the status.
    pub fn recorded_reason(&self) -> &str {
        self.state.reason.map_or("", |reason| reason.as_str())
    }

    /// Executes a step: AppLink and the API server do what the operator asks.
    pub fn execute(&mut self, step: &Step) {
        self.now += SignedDuration::from_millis(10);
        let mut outcome = StepOutcome::Done;
        match step {
            Step::WriteIntent { .. } | Step::Adopt { .. } | Step::AddFinalizer | Step::RemoveFinalizer { .. } => {}
            Step::Create { .. } | Step::Publish { .. } => {
                let id = format!(
                    "id-{}",
                    self.state.intent.as_ref().expect("the intent is written before the create").attempt
                );
                let created = match &self.payload {
                    Ok(payload) if payload.auth_method() == AuthMethod::OAuth => {
                        pending_consent(&id, Some("https://login/?state=ey"))
                    }
                    _ => remote(&id, Phase::Ready),
                };
                let phase = created.phase;
                self.observe(created);
                self.lookup.observed.iter_mut().filter(|o| o.object.id == id).for_each(|o| o.detailed = true);
                outcome = StepOutcome::Made { id, phase };
            }
            Step::Delete { id } | Step::Get { id } => {
                let deleted =
                    !self.lookup.observed.iter().any(|o| o.object.id == *id) || matches!(step, Step::Delete { .. });
                if deleted {
                    self.lookup.observed.retain(|o| o.object.id != *id);
                    self.lookup.deleted_ids.push(id.clone());
                }
                let now = self.now;
                let observations = self.lookup.observed.iter_mut().filter(|o| o.object.id == *id);
                observations.for_each(|o| (o.at, o.detailed) = (now, true));
                if matches!(step, Step::Delete { .. }) {
                    self.lookup.complete = false;
                }
            }
            Step::Poll => {
                self.lookup.complete = true;
                let now = self.now;
                self.lookup.observed.iter_mut().for_each(|o| o.at = now);
            }
            Step::WriteOAuthSecret { id } => self.oauth_secret = OwnedSecret::Owned { id: Some(id.clone()) },
            Step::DeleteOAuthSecret => self.oauth_secret = OwnedSecret::Absent,
            Step::SetSecretOwner { .. } => self.oauth_secret = OwnedSecret::Owned { id: None },
            Step::AwaitRemote
            | Step::ListTargets { .. }
            | Step::Update { .. }
            | Step::WriteCredentialsSecret { .. }
            | Step::DeleteCredentialsSecret { .. } => {}
        }
        self.state = self.state.after(step, &outcome, self.now);
    }

    /// Plans and executes until only waiting is left, then records the plan's status. Returns the executed steps.
    pub fn run_until_idle(&mut self) -> Vec<Step> {
        let mut executed = Vec::new();
        loop {
            let plan = self.plan();
            match plan.steps.first() {
                None if plan.update == StatusUpdate::FactsOnly => self.record(plan),
                Some(Step::AwaitRemote) | None => {
                    self.record(plan);
                    return executed;
                }
                Some(step) => {
                    executed.push(step.clone());
                    assert!(executed.len() < 12, "the plan does not come to rest: {executed:?}");
                    self.execute(step);
                }
            }
        }
    }

    /// Writes the plan's status, as the operator does.
    fn record(&mut self, plan: Plan<OrgAccessStatus>) {
        if plan.update == StatusUpdate::Unchanged {
            return;
        }
        self.status = plan.status;
        if plan.update == StatusUpdate::FactsOnly {
            return;
        }
        if let StatusUpdate::SetConditions(report) = &plan.update {
            self.state.ready = report.ready == applink_operator::conditions::ReadyStatus::True;
            self.state.reason = Some(report.reason);
        }
        self.state.observed_generation = Some(self.state.generation);
        self.state.requested = None;
        self.state.replace =
            self.state.replace.take().filter(|t| Some(t) != self.status.remote.last_handled_replace.as_ref());
    }
}

/// A plan in one line: its steps and its reason. `keep` stands for `KeepConditions`, `note` for `FactsOnly`.
pub fn summary<T>(plan: &Plan<T>) -> String {
    let steps: Vec<_> = plan.steps.iter().map(ToString::to_string).collect();
    let report = match &plan.update {
        StatusUpdate::SetConditions(report) => report.reason.to_string(),
        StatusUpdate::KeepConditions => "keep".into(),
        StatusUpdate::FactsOnly => "note".into(),
        StatusUpdate::Unchanged => String::new(),
    };
    [steps.join(", "), report].into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>().join(": ")
}

/// Compares the summary of each world's plan with the expected one.
pub fn assert_plans(cases: Vec<(&str, World, &str)>) {
    for (name, world, expected) in cases {
        assert_eq!(world.summary(), expected, "{name}: {:#?}", world.plan());
    }
}

/// A report of this reason that says that the operator retries.
pub fn in_progress(reason: Reason) -> ConditionReport {
    ConditionReport::in_progress(reason, "why")
}

/// The intent for this attempt, written at this second.
pub fn intent(attempt: i64, second: i64) -> Intent {
    Intent {
        uid: "uid-1".into(),
        owner_id: ADDON.into(),
        hash: payload("Z29vZA==").hash,
        attempt,
        at: at(second),
        recreated: vec![],
        id: None,
        replace: None,
        tombstone: None,
        connection_id: None,
        modified_marker: None,
    }
}
