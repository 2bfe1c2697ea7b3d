//! `cargo bench -p applink-bench`: what a poll's diff, a lookup, a plan and a call token cost among 100, 1,000 and 10,000
//! objects. A lookup and a plan should cost the same, a diff in proportion.
//!
//! Calls the pure parts of the operator's library. Compares nothing by itself: criterion keeps the last run.

use std::hint::black_box;
use std::time::Duration;

use applink_operator::budget::{Budgets, Purpose};
use applink_operator::crd::{
    AdoptionPolicy, AuthSpec, DeletionPolicy, ManagementPolicy, Org, OrgAccessStatus, Provider, ReplacePolicy,
};
use applink_operator::facts::collection::{Collection, Listing, Observation};
use applink_operator::facts::{AuthMethod, OrgAccessKind, Phase, RemoteOrgAccess};
use applink_operator::plan::inputs::OrgAccessInputs;
use applink_operator::plan::kinds::org_access::{Snapshot, plan};
use applink_operator::plan::policies::Policies;
use applink_operator::plan::remote::{OwnedSecret, OwnerState};
use applink_operator::plan::state::ReconcileState;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use serde_json::json;

const SIZES: [usize; 3] = [100, 1_000, 10_000];

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time")
}

fn remote(n: usize, status: &str) -> RemoteOrgAccess {
    RemoteOrgAccess {
        id: format!("{n:08}-8e6b-4f39-b0d5-7a94e1c3f628"),
        name: Some(format!("org{n:05}")),
        status: status.to_owned(),
        phase: Phase::Ready,
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

fn listing(count: usize) -> Listing<RemoteOrgAccess> {
    Listing { items: (0..count).map(|n| remote(n, "connected")).collect(), whole: true }
}

/// So many objects, a tenth of which were written and deleted since the listing.
fn collection(count: usize) -> Collection<RemoteOrgAccess> {
    let mut all = Collection::default();
    all.apply_listing(at(0), listing(count));
    for n in 0..count / 10 {
        all.observe(at(1), Observation::Written(format!("org{n:05}")));
        all.observe(at(2), Observation::Deleted(format!("{n:08}-8e6b-4f39-b0d5-7a94e1c3f628")));
    }
    all
}

/// One JWT connection that is declared and not there yet.
fn snapshot(all: &Collection<RemoteOrgAccess>) -> Snapshot {
    let spec: AuthSpec = serde_json::from_value(json!({
        "provider": "Salesforce",
        "jwt": {"clientID": "3MVG9", "username": "ci@example.com", "privateKeySecretRef": {"name": "k", "key": "k"}},
    }))
    .expect("a spec");
    let hash = "v1:3d46e2047d50571b50c04e72029bfb27bf42bdc1a5ec607c54b97afec1664af9".to_owned();
    Snapshot {
        kind: OrgAccessKind::Connection,
        name: "new".to_owned(),
        owner_name: "orders".to_owned(),
        spec,
        policies: Policies {
            management: ManagementPolicy::Full,
            adoption: AdoptionPolicy::IfMatching,
            deletion: DeletionPolicy::Delete,
            replacement: ReplacePolicy::Never,
            suspend: false,
        },
        owner: OwnerState::Ready { id: "addon-1".to_owned() },
        inputs: Ok(OrgAccessInputs { auth_method: AuthMethod::Jwt, former_hash: hash.clone(), hash }),
        oauth_secret_name: "new-connection-oauth".to_owned(),
        oauth_secret: OwnedSecret::Absent,
        lookup: all.lookup(None, "new", at(0)),
        name_claims: Vec::new(),
        state: ReconcileState {
            uid: "uid-1".to_owned(),
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
            refusals: Vec::new(),
            confirm_cascade: false,
        },
        status: OrgAccessStatus::default(),
        now: at(3),
    }
}

fn collections(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a poll's diff, one object changed");
    for size in SIZES {
        group.throughput(Throughput::Elements(size as u64));
        let (all, mut changed) = (collection(size), listing(size));
        changed.items[size / 2] = remote(size / 2, "failed");
        group.bench_with_input(BenchmarkId::from_parameter(size), &size, |bencher, _| {
            let fresh = || (all.clone(), changed.clone());
            bencher.iter_batched(fresh, |(mut all, new)| all.apply_listing(at(9), new), BatchSize::LargeInput);
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("a lookup");
    for size in SIZES {
        let all = collection(size);
        group.bench_with_input(BenchmarkId::from_parameter(size), &size, |bencher, size| {
            let name = format!("org{:05}", size / 2);
            bencher.iter(|| all.lookup(None, black_box(&name), at(0)));
        });
    }
    group.finish();
}

fn plans(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("snapshot and plan");
    for size in SIZES {
        let all = collection(size);
        group.bench_with_input(BenchmarkId::from_parameter(size), &size, |bencher, _| {
            bencher.iter(|| plan(black_box(&snapshot(&all))));
        });
    }
    group.finish();
}

fn budgets(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a call token after so many calls");
    for size in [100, 1_000, 4_000] {
        let budget = Budgets::default().addon("a");
        let _ = budget.affords_pass(2, Duration::from_secs(60), Purpose::Poll);
        (0..size).for_each(|_| drop(budget.try_acquire(Purpose::Edit)));
        group.bench_with_input(BenchmarkId::from_parameter(size), &size, |bencher, _| {
            bencher.iter(|| budget.affords_pass(1, Duration::from_secs(60), Purpose::UrgentPoll));
        });
    }
    group.finish();
}

criterion_group!(micro, collections, plans, budgets);
criterion_main!(micro);
