//! One Connection in its world, as plain values: made in a line, planned, and moved on step by step.
//!
//! Plays the service and the API server as far as one step needs them; knows nothing of how plans are made.

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

/// Everything a plan is made of.
#[derive(Clone, Debug)]
pub struct World {
    pub policies: Policies,
    pub addon: OwnerState,
    pub spec: AuthSpec,
    pub desired: Result<OrgAccessPayload, ConditionReport>,
    pub oauth_secret_state: OwnedSecret,
    pub live: Lookup<RemoteOrgAccess>,
    pub name_claims: Vec<NameClaim>,
    pub state: ReconcileState,
    pub status: OrgAccessStatus,
    pub now: Timestamp,
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// Plans, and checks three things on the way: the snapshot survives JSON, the plan of the copy has the same bytes, and there
/// is a snapshot of the message that the plan reports, see `messages`.
pub fn planned<S, T>(kind: &str, snapshot: &S, plan: impl Fn(&S) -> Plan<T>) -> Plan<T>
where
    S: Serialize + DeserializeOwned + PartialEq + Debug,
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let first = plan(snapshot);
    let read: S = serde_json::from_str(&serde_json::to_string(snapshot).unwrap()).unwrap();
    assert_eq!(read, *snapshot);
    let (json, again) = (serde_json::to_string(&first).unwrap(), serde_json::to_string(&plan(&read)).unwrap());
    assert_eq!(json, again);
    assert_eq!(serde_json::from_str::<Plan<T>>(&json).unwrap(), first);
    if let StatusUpdate::SetConditions(report) = &first.update {
        messages::assert_covered(kind, report.reason);
    }
    first
}

pub const SECRET: &str = "prod-connection-oauth";

/// A spec by JWT; `change` has its JSON.
pub fn spec(change: impl FnOnce(&mut serde_json::Value)) -> AuthSpec {
    let mut spec = json!({
        "provider": "Salesforce",
        "jwt": {"clientID": "3MVG9", "username": "ci@example.com", "privateKeySecretRef": {"name": "k", "key": "k"}},
    });
    change(&mut spec);
    serde_json::from_value(spec).unwrap()
}

/// What is declared with the key of this name. Reading a key takes long, so it is read once.
pub fn desired(key: &str) -> OrgAccessPayload {
    static READ: Mutex<BTreeMap<String, OrgAccessPayload>> = Mutex::new(BTreeMap::new());
    let read = || {
        let spec = spec(|_| {});
        OrgAccessPayload::by_jwt(NAME, &spec, spec.jwt.as_ref().unwrap(), &pem(key).into()).unwrap()
    };
    READ.lock().unwrap_or_else(PoisonError::into_inner).entry(key.to_owned()).or_insert_with(read).clone()
}

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

/// One that waits for a person's consent.
pub fn pending(id: &str, link: Option<&str>) -> RemoteOrgAccess {
    let link = link.map(|url| ConsentLink::from(url.to_owned()));
    RemoteOrgAccess { method: Some(AuthMethod::OAuth), link, ..remote(id, Phase::Pending) }
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
        addon: OwnerState::Ready { id: ADDON.into() },
        spec: spec(|_| {}),
        desired: Ok(desired("Z29vZA==")),
        oauth_secret_state: OwnedSecret::Absent,
        live: Lookup { complete: true, ..Lookup::default() },
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

    pub fn see(&mut self, remote: RemoteOrgAccess) {
        self.live.observed.retain(|s| s.object.id != remote.id);
        self.live.observed.push(Observed { object: remote, at: self.now, detailed: false });
    }

    pub fn plan(&self) -> Plan<OrgAccessStatus> {
        planned("Connection", &self.snapshot(OrgAccessKind::Connection), plan)
    }

    pub fn snapshot(&self, kind: OrgAccessKind) -> Snapshot {
        let mut lookup = self.live.clone();
        lookup.observed.iter_mut().for_each(|observed| observed.object.redact());
        Snapshot {
            kind,
            name: NAME.into(),
            owner_name: "orders".into(),
            spec: self.spec.clone(),
            policies: self.policies,
            owner: self.addon.clone(),
            inputs: self.desired.clone().map(|payload| payload.inputs()),
            oauth_secret_name: SECRET.into(),
            oauth_secret: self.oauth_secret_state.clone(),
            lookup,
            name_claims: self.name_claims.clone(),
            state: self.state.clone(),
            status: self.status.clone(),
            now: self.now,
        }
    }

    /// The plan in a line: its steps, or the reason it gives.
    pub fn says(&self) -> String {
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

    /// Ready's reason as it is recorded.
    pub fn told(&self) -> &str {
        self.state.reason.map_or("", |reason| reason.as_str())
    }

    /// Carries out the first step as a faithful service would.
    pub fn perform(&mut self, step: &Step) {
        self.now += SignedDuration::from_millis(10);
        let mut outcome = StepOutcome::Done;
        match step {
            Step::WriteIntent { .. } | Step::Adopt { .. } | Step::AddFinalizer | Step::RemoveFinalizer { .. } => {}
            Step::Create { .. } | Step::Publish { .. } => {
                let id = format!("id-{}", self.state.intent.as_ref().expect("an intent comes first").attempt);
                let made = match &self.desired {
                    Ok(desired) if desired.auth_method() == AuthMethod::OAuth => {
                        pending(&id, Some("https://login/?state=ey"))
                    }
                    _ => remote(&id, Phase::Ready),
                };
                let phase = made.phase;
                self.see(made);
                self.live.observed.iter_mut().filter(|s| s.object.id == id).for_each(|s| s.detailed = true);
                outcome = StepOutcome::Made { id, phase };
            }
            Step::Delete { id } | Step::Get { id } => {
                let gone =
                    !self.live.observed.iter().any(|s| s.object.id == *id) || matches!(step, Step::Delete { .. });
                if gone {
                    self.live.observed.retain(|s| s.object.id != *id);
                    self.live.deleted_ids.push(id.clone());
                }
                let now = self.now;
                let seen = self.live.observed.iter_mut().filter(|s| s.object.id == *id);
                seen.for_each(|s| (s.at, s.detailed) = (now, true));
                if matches!(step, Step::Delete { .. }) {
                    self.live.complete = false;
                }
            }
            Step::Poll => {
                self.live.complete = true;
                let now = self.now;
                self.live.observed.iter_mut().for_each(|s| s.at = now);
            }
            Step::WriteOAuthSecret { id } => self.oauth_secret_state = OwnedSecret::Owned { id: Some(id.clone()) },
            Step::DeleteOAuthSecret => self.oauth_secret_state = OwnedSecret::Absent,
            Step::SetSecretOwner { .. } => self.oauth_secret_state = OwnedSecret::Owned { id: None },
            Step::AwaitRemote
            | Step::ListTargets { .. }
            | Step::Update { .. }
            | Step::WriteCredentialsSecret { .. }
            | Step::DeleteCredentialsSecret { .. } => {}
        }
        self.state = self.state.after(step, &outcome, self.now);
    }

    /// Plans and performs until there is nothing left but to wait, and records what is reported. Gives the steps taken.
    pub fn run(&mut self) -> Vec<Step> {
        let mut taken = Vec::new();
        loop {
            let plan = self.plan();
            match plan.steps.first() {
                None if plan.update == StatusUpdate::FactsOnly => self.record(plan),
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

/// What each world's plan says, in a line.
pub fn table(cases: Vec<(&str, World, &str)>) {
    for (name, world, wanted) in cases {
        assert_eq!(world.says(), wanted, "{name}: {:#?}", world.plan());
    }
}

/// Waiting, for this reason.
pub fn waits(reason: Reason) -> ConditionReport {
    ConditionReport::in_progress(reason, "why")
}

/// The word given for this attempt at this second.
pub fn intent(attempt: i64, second: i64) -> Intent {
    Intent {
        uid: "uid-1".into(),
        owner_id: ADDON.into(),
        hash: desired("Z29vZA==").hash,
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
