//! What comes out for an Authorization whose credential is to be kept in a Secret: one line a case.

use applink_operator::conditions::ConditionReport;
use applink_operator::crd::{AuthorizationStatus, Expect, Org, Reason};
use applink_operator::facts::{OrgAccessKind, Phase};
use applink_operator::plan::kinds::authorization::{CredentialsSecret, Snapshot, plan};
use applink_operator::plan::remote::OwnedSecret;
use applink_operator::plan::state::{CredentialsState, ReadFailure, WrittenSecret};
use applink_operator::plan::{Plan, StatusUpdate};

use crate::fixture::{ADDON, SECRET, World, at, fresh, planned, remote, settled};

pub const NOW: i64 = 3600;

/// A world, and what stands under the names of the Secrets of the credential.
#[derive(Clone)]
pub struct Keeping {
    pub world: World,
    pub wanted: Option<CredentialsSecret>,
    pub kept: Option<CredentialsSecret>,
}

pub fn there(secret: &str, there: OwnedSecret) -> Option<CredentialsSecret> {
    Some(CredentialsSecret { secret: secret.to_owned(), state: there, reserved: secret == SECRET })
}

pub fn ours() -> OwnedSecret {
    OwnedSecret::Owned { id: None }
}

/// Authorized, at rest, with the credential kept a minute ago.
pub fn kept() -> Keeping {
    let world = settled().with(|w| {
        w.state.ready = true;
        w.state.credentials = CredentialsState { written: written(id(w), 60), ..CredentialsState::default() };
    });
    Keeping { world, wanted: there("kept", ours()), kept: there("kept", ours()) }
}

pub fn id(world: &World) -> String {
    world.status.remote.id.clone().expect("it is recorded")
}

/// Nothing was written yet.
pub fn unwritten(change: impl FnOnce(&mut Keeping)) -> Keeping {
    kept().with(|k| k.world.state.credentials = CredentialsState::default()).with(change)
}

/// Written so many seconds ago.
pub fn written(id: String, ago: i64) -> Option<WrittenSecret> {
    Some(WrittenSecret { id, secret: "kept".to_owned(), at: at(NOW - ago) })
}

/// It could not be read since, for this reason.
pub fn unread(reason: Reason, since: i64, until: i64) -> Option<ReadFailure> {
    let report = ConditionReport::in_progress(reason, "why");
    Some(ReadFailure { report, since: at(since), at: at(NOW - 1), until: at(until), tries: 1 })
}

impl Keeping {
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn plan(&self) -> Plan<AuthorizationStatus> {
        let w = &self.world;
        let secret = self.kept.as_ref().map(|kept| kept.secret.clone());
        let status = AuthorizationStatus { grant: w.status.clone(), credentials_secret_name: secret };
        let access = w.snapshot(OrgAccessKind::Authorization);
        planned(
            "Authorization",
            &Snapshot { access, wanted: self.wanted.clone(), recorded: self.kept.clone(), status },
            plan,
        )
    }

    /// The plan in a line: its steps, or its reason, and the Secret that the status then names.
    fn says(&self) -> String {
        let plan = self.plan();
        if let Some(step) = plan.steps.first() {
            return step.to_string();
        }
        let kept = plan.status.credentials_secret_name.as_deref().unwrap_or("nothing");
        match plan.update {
            StatusUpdate::SetConditions(report) => format!("{}, {kept}", report.reason),
            other => format!("{other:?}"),
        }
    }
}

fn table(cases: Vec<(&str, Keeping, &str)>) {
    for (name, keeping, wanted) in cases {
        assert_eq!(keeping.says(), wanted, "{name}: {:#?}", keeping.plan());
    }
}

#[test]
fn what_is_kept_stays_and_is_read_again_in_time() {
    let read = "write credentials Secret kept";
    let age = |age: i64| kept().with(|k| k.world.state.credentials.written = written(id(&k.world), age));
    table(vec![
        ("read a minute ago", kept(), "Authorized, kept"),
        ("read just under five minutes ago", age(299), "Authorized, kept"),
        ("read five minutes ago", age(300), read),
        ("by a process that ended", kept().with(|k| k.world.state.credentials = CredentialsState::default()), read),
        ("the Secret is gone", kept().with(|k| k.wanted = there("kept", OwnedSecret::Absent)), read),
        (
            "of another authorization",
            kept().with(|k| k.world.state.credentials.written = written("old".into(), 60)),
            read,
        ),
        (
            "asked for since",
            kept().with(|k| (k.world.state.requested, k.world.state.changed_at) = (Some("now".to_owned()), at(NOW))),
            "poll",
        ),
        ("not wanted, and none there", unwritten(|k| (k.wanted, k.kept) = (None, None)), "Authorized, nothing"),
    ]);
    let again = kept().plan().requeue_after.expect("in four minutes");
    assert_eq!(again.as_secs(), 240);
}

#[test]
fn what_is_kept_goes_once_it_is_no_good() {
    let take = "delete credentials Secret kept";
    let turned = |phase| {
        kept().with(|k| {
            let id = id(&k.world);
            k.world.see(remote(&id, phase));
        })
    };
    table(vec![
        ("failed", turned(Phase::Failed), take),
        ("starts over", turned(Phase::Pending), take),
        ("on its way out", turned(Phase::Deleting), take),
        ("not wanted any more", kept().with(|k| k.wanted = None), take),
        ("wanted elsewhere", kept().with(|k| k.wanted = there("other", OwnedSecret::Absent)), take),
        ("wanted elsewhere, and gone", owner_changed(OwnedSecret::Absent), "write credentials Secret other"),
        (
            "wanted elsewhere, and somebody else's by now",
            owner_changed(OwnedSecret::Foreign),
            "write credentials Secret other",
        ),
        ("wanted elsewhere, and never recorded", owner_changed(OwnedSecret::Absent).with(|k| k.kept = None), take),
        ("deleted", kept().with(|k| k.world.state.deleting = true), take),
        ("deleted, and not recorded yet", kept().with(|k| (k.world.state.deleting, k.kept) = (true, None)), take),
        (
            "deleted, and somebody else's",
            kept().with(|k| {
                k.world.state.deleting = true;
                (k.kept, k.wanted) = (there("kept", OwnedSecret::Foreign), there("kept", OwnedSecret::Foreign));
            }),
            "delete id-1",
        ),
        (
            "for another org than expected",
            kept().with(|k| {
                k.world.status.remote.org = Some(Org { id: Some("00D000000000001".into()), ..Org::default() });
                k.world.spec.expect = Some(Expect { org_id: Some("00D000000000002".into()), username: None });
            }),
            take,
        ),
    ]);
    let suspended = |k: Keeping| k.with(|k| k.world.policies.suspend = true).says();
    assert_eq!(suspended(turned(Phase::Failed)), "Suspended, kept", "nothing is done while suspended");
    assert_eq!(suspended(kept().with(|k| k.wanted = None)), "Suspended, kept");
}

/// Wanted under another name, with this under the old one.
pub fn owner_changed(old: OwnedSecret) -> Keeping {
    kept().with(|k| (k.wanted, k.kept) = (there("other", OwnedSecret::Absent), there("kept", old)))
}

#[test]
fn what_is_not_known_to_be_bad_stays() {
    let unlisted = |gone: &[&str]| {
        let gone = gone.iter().map(ToString::to_string).collect();
        kept().with(|k| (k.world.live.observed, k.world.live.deleted_ids) = (vec![], gone))
    };
    table(vec![
        ("no list yet", unlisted(&[]).with(|k| k.world.live.complete = false), "poll"),
        ("the list has it not, which may be late", unlisted(&[]), "get id-1"),
        ("it is gone indeed", unlisted(&["id-1"]), "delete credentials Secret kept"),
    ]);
    let stale = kept().with(|k| {
        let report = ConditionReport::in_progress(Reason::RemoteUnavailable, "away");
        k.world.live = Default::default();
        k.world.addon =
            applink_operator::plan::remote::OwnerState::Unusable { id: Some(ADDON.into()), report, stale: true };
    });
    assert_eq!(stale.says(), "RemoteUnavailable, kept");
}

#[test]
fn places_that_are_not_ours_are_left_alone() {
    let place = |secret: &str, what| unwritten(|k| (k.kept, k.wanted) = (None, there(secret, what)));
    table(vec![
        ("somebody else's", place("kept", OwnedSecret::Foreign), "InvalidSpec, nothing"),
        ("an earlier resource's", place("kept", OwnedSecret::StaleOwner), "Creating, nothing"),
        ("that of the link", place(SECRET, OwnedSecret::Absent), "InvalidSpec, nothing"),
        (
            "that of the link, and a link in it",
            place(SECRET, OwnedSecret::Owned { id: Some("x".into()) }),
            "InvalidSpec, nothing",
        ),
        (
            "that of the link, when it is over",
            place(SECRET, ours()).with(|k| k.world.state.deleting = true),
            "delete id-1",
        ),
    ]);
}

#[test]
fn what_cannot_be_read_harms_nothing_and_is_told() {
    let failing = |reason, since| {
        kept().with(|k| {
            k.world.state.credentials =
                CredentialsState { failure: unread(reason, since, NOW + 60), ..CredentialsState::default() }
        })
    };
    let never = |k: Keeping| k.with(|k| k.world.state.ready = false);
    table(vec![
        ("refused", failing(Reason::RemoteRejected, NOW - 5), "Authorized, kept"),
        ("away", failing(Reason::RemoteUnavailable, NOW - 5), "Authorized, kept"),
        ("refused, and never Ready", never(failing(Reason::RemoteRejected, NOW - 5)), "RemoteRejected, kept"),
        ("away, and never Ready", never(failing(Reason::RemoteUnavailable, NOW - 5)), "RemoteUnavailable, kept"),
        (
            "time to try again",
            failing(Reason::RemoteRejected, NOW - 5).with(|k| k.world.now = at(NOW + 60)),
            "write credentials Secret kept",
        ),
    ]);
    let message = |k: Keeping| match k.plan().update {
        StatusUpdate::SetConditions(report) => report.message,
        other => panic!("{other:?}"),
    };
    let quiet = "authorization prod is authorized";
    assert_eq!(message(failing(Reason::RemoteUnavailable, NOW - 5)), quiet, "the add-on may tell");
    let told = format!("{quiet}, but Secret kept may be out of date: why");
    assert_eq!(message(failing(Reason::RemoteUnavailable, NOW - 300)), told);
    assert_eq!(message(failing(Reason::RemoteRejected, NOW - 5)), told);
    let missing = failing(Reason::RemoteRejected, NOW - 5).with(|k| k.wanted = there("kept", OwnedSecret::Absent));
    assert_eq!(message(missing), format!("{quiet}, but Secret kept is missing: why"));
    let edited = failing(Reason::RemoteUnavailable, NOW - 5).with(|k| k.world.state.generation += 1);
    assert_eq!(edited.says(), "Unchanged", "an edit that is not judged yet stays so");
    let again = failing(Reason::RemoteRejected, NOW - 5).plan().requeue_after;
    assert_eq!(again.map(|again| again.as_secs()), Some(60));
}

#[test]
fn nothing_is_read_before_it_is_authorized() {
    let new = |phase: Option<Phase>| {
        let mut world = fresh();
        world.run();
        let id = id(&world);
        world.live.observed.clear();
        phase.into_iter().for_each(|phase| world.see(remote(&id, phase)));
        Keeping { world, wanted: there("kept", OwnedSecret::Absent), kept: None }
    };
    table(vec![
        ("to be made", new(None).with(|k| k.world = fresh()), "write intent 1"),
        ("on its way", new(Some(Phase::Pending)), "await remote"),
        ("failed", new(Some(Phase::Failed)), "RemoteFailed, nothing"),
        ("there", new(Some(Phase::Ready)), "write credentials Secret kept"),
    ]);
}
