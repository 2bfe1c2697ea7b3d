//! Plans of an Authorization that writes its credential to a Secret. One line is one case.

use applink_operator::conditions::ConditionReport;
use applink_operator::crd::{AuthorizationStatus, Expect, Org, Reason};
use applink_operator::facts::{OrgAccessKind, Phase};
use applink_operator::plan::kinds::authorization::{CredentialsSecret, Snapshot, plan};
use applink_operator::plan::remote::OwnedSecret;
use applink_operator::plan::state::{CredentialsState, ReadFailure, WrittenSecret};
use applink_operator::plan::{Plan, StatusUpdate};

use crate::fixture::{ADDON, SECRET, World, at, checked_plan, fresh, remote, settled};

pub const NOW: i64 = 3600;

/// A world, the credentials Secret that the spec names, and the one that the status names.
#[derive(Clone)]
pub struct Case {
    pub world: World,
    pub wanted: Option<CredentialsSecret>,
    pub recorded: Option<CredentialsSecret>,
}

/// The credentials Secret of this name, in this state.
pub fn secret(name: &str, state: OwnedSecret) -> Option<CredentialsSecret> {
    Some(CredentialsSecret { secret: name.to_owned(), state, reserved: name == SECRET })
}

pub fn owned() -> OwnedSecret {
    OwnedSecret::Owned { id: None }
}

/// Authorized, with nothing left to do. The Secret was written a minute ago.
pub fn authorized() -> Case {
    let world = settled().with(|w| {
        w.state.ready = true;
        w.state.credentials = CredentialsState { written: written(recorded_id(w), 60), ..CredentialsState::default() };
    });
    Case { world, wanted: secret("kept", owned()), recorded: secret("kept", owned()) }
}

pub fn recorded_id(world: &World) -> String {
    world.status.remote.id.clone().expect("the status has the ID")
}

/// Authorized, and no Secret was written by this process.
pub fn never_written(change: impl FnOnce(&mut Case)) -> Case {
    authorized().with(|case| case.world.state.credentials = CredentialsState::default()).with(change)
}

/// The Secret was written this many seconds ago.
pub fn written(id: String, ago: i64) -> Option<WrittenSecret> {
    Some(WrittenSecret { id, secret: "kept".to_owned(), at: at(NOW - ago) })
}

/// Reading the credential has failed for this reason since this second.
pub fn read_failure(reason: Reason, since: i64, until: i64) -> Option<ReadFailure> {
    let report = ConditionReport::in_progress(reason, "why");
    Some(ReadFailure { report, since: at(since), at: at(NOW - 1), until: at(until), tries: 1 })
}

impl Case {
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn plan(&self) -> Plan<AuthorizationStatus> {
        let w = &self.world;
        let secret = self.recorded.as_ref().map(|recorded| recorded.secret.clone());
        let status = AuthorizationStatus { grant: w.status.clone(), credentials_secret_name: secret };
        let access = w.snapshot(OrgAccessKind::Authorization);
        checked_plan(
            "Authorization",
            &Snapshot { access, wanted: self.wanted.clone(), recorded: self.recorded.clone(), status },
            plan,
        )
    }

    /// The plan in one line: its first step, or else its reason and the Secret that the status names.
    fn summary(&self) -> String {
        let plan = self.plan();
        if let Some(step) = plan.steps.first() {
            return step.to_string();
        }
        let secret = plan.status.credentials_secret_name.as_deref().unwrap_or("nothing");
        match plan.update {
            StatusUpdate::SetConditions(report) => format!("{}, {secret}", report.reason),
            other => format!("{other:?}"),
        }
    }
}

fn assert_plans(cases: Vec<(&str, Case, &str)>) {
    for (name, case, expected) in cases {
        assert_eq!(case.summary(), expected, "{name}: {:#?}", case.plan());
    }
}

#[test]
fn the_credential_is_read_again_every_five_minutes() {
    let write = "write credentials Secret kept";
    let age = |age: i64| {
        authorized().with(|case| case.world.state.credentials.written = written(recorded_id(&case.world), age))
    };
    assert_plans(vec![
        ("read a minute ago", authorized(), "Authorized, kept"),
        ("read just under five minutes ago", age(299), "Authorized, kept"),
        ("read five minutes ago", age(300), write),
        (
            "written by an earlier process",
            authorized().with(|case| case.world.state.credentials = CredentialsState::default()),
            write,
        ),
        ("Secret missing", authorized().with(|case| case.wanted = secret("kept", OwnedSecret::Absent)), write),
        (
            "Secret has the credential of another authorization",
            authorized().with(|case| case.world.state.credentials.written = written("old".into(), 60)),
            write,
        ),
        (
            "reconcile requested since",
            authorized().with(|case| {
                (case.world.state.requested, case.world.state.changed_at) = (Some("now".to_owned()), at(NOW))
            }),
            "poll",
        ),
        (
            "spec names no Secret, none was written",
            never_written(|case| (case.wanted, case.recorded) = (None, None)),
            "Authorized, nothing",
        ),
    ]);
    let requeue_after = authorized().plan().requeue_after.expect("the next read is due in four minutes");
    assert_eq!(requeue_after.as_secs(), 240);
}

#[test]
fn the_secret_is_deleted_once_it_is_invalid_or_unwanted() {
    let delete = "delete credentials Secret kept";
    let in_phase = |phase| {
        authorized().with(|case| {
            let id = recorded_id(&case.world);
            case.world.observe(remote(&id, phase));
        })
    };
    assert_plans(vec![
        ("failed", in_phase(Phase::Failed), delete),
        ("pending again", in_phase(Phase::Pending), delete),
        ("being deleted remotely", in_phase(Phase::Deleting), delete),
        ("spec names no Secret any more", authorized().with(|case| case.wanted = None), delete),
        (
            "spec names another Secret",
            authorized().with(|case| case.wanted = secret("other", OwnedSecret::Absent)),
            delete,
        ),
        (
            "spec names another Secret, the old one is missing",
            secret_renamed(OwnedSecret::Absent),
            "write credentials Secret other",
        ),
        (
            "spec names another Secret, the old one is foreign",
            secret_renamed(OwnedSecret::Foreign),
            "write credentials Secret other",
        ),
        (
            "spec names another Secret, the old one is not in the status",
            secret_renamed(OwnedSecret::Absent).with(|case| case.recorded = None),
            delete,
        ),
        ("resource deleted", authorized().with(|case| case.world.state.deleting = true), delete),
        (
            "resource deleted, Secret not in the status yet",
            authorized().with(|case| (case.world.state.deleting, case.recorded) = (true, None)),
            delete,
        ),
        (
            "resource deleted, Secret is foreign",
            authorized().with(|case| {
                case.world.state.deleting = true;
                (case.recorded, case.wanted) =
                    (secret("kept", OwnedSecret::Foreign), secret("kept", OwnedSecret::Foreign));
            }),
            "delete id-1",
        ),
        (
            "connected to another org than expected",
            authorized().with(|case| {
                case.world.status.remote.org = Some(Org { id: Some("00D000000000001".into()), ..Org::default() });
                case.world.spec.expect = Some(Expect { org_id: Some("00D000000000002".into()), username: None });
            }),
            delete,
        ),
    ]);
    let suspended = |case: Case| case.with(|case| case.world.policies.suspend = true).summary();
    assert_eq!(suspended(in_phase(Phase::Failed)), "Suspended, kept", "a suspended resource keeps its Secret");
    assert_eq!(suspended(authorized().with(|case| case.wanted = None)), "Suspended, kept");
}

/// The spec names another Secret. The old one is in this state.
pub fn secret_renamed(old: OwnedSecret) -> Case {
    authorized().with(|case| (case.wanted, case.recorded) = (secret("other", OwnedSecret::Absent), secret("kept", old)))
}

#[test]
fn the_secret_stays_until_a_get_confirms_the_deletion() {
    let unlisted = |deleted_ids: &[&str]| {
        let deleted_ids = deleted_ids.iter().map(ToString::to_string).collect();
        authorized().with(|case| (case.world.lookup.observed, case.world.lookup.deleted_ids) = (vec![], deleted_ids))
    };
    assert_plans(vec![
        ("incomplete listing", unlisted(&[]).with(|case| case.world.lookup.complete = false), "poll"),
        ("missing from a complete listing", unlisted(&[]), "get id-1"),
        ("deletion confirmed by a get", unlisted(&["id-1"]), "delete credentials Secret kept"),
    ]);
    let stale = authorized().with(|case| {
        let report = ConditionReport::in_progress(Reason::RemoteUnavailable, "no answer");
        case.world.lookup = Default::default();
        case.world.addon =
            applink_operator::plan::remote::OwnerState::Unusable { id: Some(ADDON.into()), report, stale: true };
    });
    assert_eq!(stale.summary(), "RemoteUnavailable, kept");
}

#[test]
fn a_secret_that_is_not_owned_is_never_written_or_deleted() {
    let first_write =
        |name: &str, state| never_written(|case| (case.recorded, case.wanted) = (None, secret(name, state)));
    assert_plans(vec![
        ("foreign Secret", first_write("kept", OwnedSecret::Foreign), "InvalidSpec, nothing"),
        (
            "Secret of an earlier resource of this name",
            first_write("kept", OwnedSecret::StaleOwner),
            "Creating, nothing",
        ),
        ("name of the OAuth Secret", first_write(SECRET, OwnedSecret::Absent), "InvalidSpec, nothing"),
        (
            "name of the OAuth Secret, which has a consent link",
            first_write(SECRET, OwnedSecret::Owned { id: Some("x".into()) }),
            "InvalidSpec, nothing",
        ),
        (
            "name of the OAuth Secret, resource deleted",
            first_write(SECRET, owned()).with(|case| case.world.state.deleting = true),
            "delete id-1",
        ),
    ]);
}

#[test]
fn a_failed_read_keeps_the_secret_and_is_reported() {
    let failing = |reason, since| {
        authorized().with(|case| {
            case.world.state.credentials =
                CredentialsState { failure: read_failure(reason, since, NOW + 60), ..CredentialsState::default() }
        })
    };
    let never_ready = |case: Case| case.with(|case| case.world.state.ready = false);
    assert_plans(vec![
        ("read refused", failing(Reason::RemoteRejected, NOW - 5), "Authorized, kept"),
        ("outage", failing(Reason::RemoteUnavailable, NOW - 5), "Authorized, kept"),
        ("read refused, never Ready", never_ready(failing(Reason::RemoteRejected, NOW - 5)), "RemoteRejected, kept"),
        ("outage, never Ready", never_ready(failing(Reason::RemoteUnavailable, NOW - 5)), "RemoteUnavailable, kept"),
        (
            "retry is due",
            failing(Reason::RemoteRejected, NOW - 5).with(|case| case.world.now = at(NOW + 60)),
            "write credentials Secret kept",
        ),
    ]);
    let message = |case: Case| match case.plan().update {
        StatusUpdate::SetConditions(report) => report.message,
        other => panic!("{other:?}"),
    };
    let ready = "authorization prod is authorized";
    assert_eq!(message(failing(Reason::RemoteUnavailable, NOW - 5)), ready, "the add-on reports the outage first");
    let out_of_date = format!("{ready}, but Secret kept may be out of date: why");
    assert_eq!(message(failing(Reason::RemoteUnavailable, NOW - 300)), out_of_date);
    assert_eq!(message(failing(Reason::RemoteRejected, NOW - 5)), out_of_date);
    let missing =
        failing(Reason::RemoteRejected, NOW - 5).with(|case| case.wanted = secret("kept", OwnedSecret::Absent));
    assert_eq!(message(missing), format!("{ready}, but Secret kept is missing: why"));
    let edited = failing(Reason::RemoteUnavailable, NOW - 5).with(|case| case.world.state.generation += 1);
    assert_eq!(edited.summary(), "Unchanged", "an outage does not make an edited spec observed");
    let requeue_after = failing(Reason::RemoteRejected, NOW - 5).plan().requeue_after;
    assert_eq!(requeue_after.map(|after| after.as_secs()), Some(60));
}

#[test]
fn the_credential_is_read_once_the_authorization_is_ready() {
    let in_phase = |phase: Option<Phase>| {
        let mut world = fresh();
        world.run_until_idle();
        let id = recorded_id(&world);
        world.lookup.observed.clear();
        phase.into_iter().for_each(|phase| world.observe(remote(&id, phase)));
        Case { world, wanted: secret("kept", OwnedSecret::Absent), recorded: None }
    };
    assert_plans(vec![
        ("not created yet", in_phase(None).with(|case| case.world = fresh()), "write intent 1"),
        ("pending", in_phase(Some(Phase::Pending)), "await remote"),
        ("failed", in_phase(Some(Phase::Failed)), "RemoteFailed, nothing"),
        ("Ready", in_phase(Some(Phase::Ready)), "write credentials Secret kept"),
    ]);
}
