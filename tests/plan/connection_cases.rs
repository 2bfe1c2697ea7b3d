//! Plans of a Connection that uses JWT: creation, call outcomes, drift and recreation. One line is one case.

use applink_operator::conditions::ConditionReport;
use applink_operator::crd::Reason;
use applink_operator::facts::{AuthMethod, Phase};
use applink_operator::plan::state::CallOutcome;
use jiff::SignedDuration;

use crate::fixture::{World, assert_plans, at, fresh, in_progress, intent, payload, remote, settled};

/// The process has observed this Connection for 50 seconds: a call of an earlier process can no longer arrive.
fn first_seen_long_ago(world: &mut World) {
    world.state.first_seen = at(-50);
}

/// The intent to create was written at this second. The process began to observe at second 0.
fn with_intent(second: i64) -> World {
    fresh().with(|w| (w.state.finalizer, w.state.intent) = (true, Some(intent(1, second))))
}

#[test]
fn a_connection_is_created_once_if_its_name_is_free() {
    assert_plans(vec![
        ("no remote object", fresh(), "write intent 1, create prod"),
        ("incomplete listing", fresh().with(|w| w.lookup.complete = false), "poll"),
        ("the intent is written", with_intent(1), "create prod"),
        ("intent of an earlier process: its call may still arrive", with_intent(-5), "await remote: Creating"),
        (
            "intent of an earlier process, another call ended since",
            with_intent(-5).with(|w| w.state.last_outcome = Some(CallOutcome::Deleting { id: "x".into(), at: at(0) })),
            "await remote: Creating",
        ),
        (
            "intent of an earlier process, inputs changed since",
            with_intent(-5).with(|w| w.payload = Ok(payload("b3RoZXI="))),
            "await remote: Creating",
        ),
        ("intent of an earlier process whose clock was a minute slow", with_intent(-60), "await remote: Creating"),
        (
            "intent of an earlier process, its call can no longer arrive",
            with_intent(-60).with(first_seen_long_ago),
            "write intent 2, create prod",
        ),
        (
            "response lost, the created object exists",
            with_intent(-5).with(|w| w.observe(remote("x", Phase::Ready))),
            "Connected",
        ),
        ("existing object of this name", fresh().with(|w| w.observe(remote("x", Phase::Ready))), "get x"),
        (
            "tombstone of this name",
            fresh().with(|w| w.observe(remote("x", Phase::Deleted))),
            "write intent 1, create prod",
        ),
    ]);
}

#[test]
fn an_object_that_does_not_match_the_intent_is_not_ours() {
    assert_plans(vec![
        (
            "existing object is older than the intent",
            with_intent(-5).with(|w| {
                let mut older = remote("x", Phase::Ready);
                older.created_at = Some(at(-3600).to_string());
                w.observe(older);
            }),
            "get x",
        ),
        (
            "existing object uses another auth method",
            with_intent(-5).with(|w| {
                let mut other = remote("x", Phase::Ready);
                other.method = Some(AuthMethod::OAuth);
                w.observe(other);
            }),
            "AdoptionRefused",
        ),
        (
            "existing object has another user",
            with_intent(-5).with(|w| {
                let mut other = remote("x", Phase::Ready);
                other.org.username = Some("else@example.com".into());
                w.observe(other);
            }),
            "AdoptionRefused",
        ),
    ]);
}

#[test]
fn a_refused_create_is_repeated_after_a_change_or_ten_minutes() {
    let report = ConditionReport::stalled(Reason::RemoteRejected, "no");
    let refused = |second: i64| {
        let report = report.clone();
        fresh().with(move |w| {
            (w.state.finalizer, w.state.intent) = (true, Some(intent(1, 1)));
            w.status.remote.answered_attempt = Some(1);
            w.state.last_outcome = Some(CallOutcome::Refused { report, at: at(1), attempt: Some(1), conflict: false });
            w.now = at(second);
        })
    };
    assert_plans(vec![
        ("refused", refused(2), "RemoteRejected"),
        (
            "refused, no complete listing since",
            refused(2).with(|w| (w.lookup.complete, w.status.remote.answered_attempt) = (false, None)),
            "poll: note",
        ),
        ("refused, another object has the name", refused(2).with(|w| w.observe(remote("x", Phase::Ready))), "get x"),
        ("refused ten minutes ago", refused(602), "write intent 2, create prod"),
        (
            "refused, inputs changed since",
            refused(2).with(|w| w.payload = Ok(payload("b3RoZXI="))),
            "write intent 2, create prod",
        ),
        (
            "refusal not in the status yet, inputs changed since",
            refused(2).with(|w| (w.status.remote.answered_attempt, w.payload) = (None, Ok(payload("b3RoZXI=")))),
            "note",
        ),
        (
            "refused, reconcile requested since",
            refused(20).with(|w| (w.state.requested, w.state.changed_at) = (Some("now".to_owned()), at(19))),
            "write intent 2, create prod",
        ),
        (
            "refused before a restart",
            refused(20).with(|w| {
                (w.state.last_outcome, w.status.remote.answered_attempt, w.state.changed_at) = (None, Some(1), at(10));
            }),
            "keep",
        ),
        (
            "refused before a restart, another object has the name",
            refused(20).with(|w| {
                (w.state.last_outcome, w.status.remote.answered_attempt, w.state.changed_at) = (None, Some(1), at(10));
                w.observe(remote("x", Phase::Ready));
            }),
            "get x",
        ),
    ]);
}

#[test]
fn a_lost_or_deferred_create_is_repeated_after_its_deadline() {
    let lost = |second: i64| {
        fresh().with(move |w| {
            (w.state.finalizer, w.state.intent) = (true, Some(intent(1, 1)));
            let report = in_progress(Reason::RemoteUnavailable);
            w.state.last_outcome = Some(CallOutcome::Lost { report, until: at(35), attempt: 1, finished: false });
            w.now = at(second);
        })
    };
    let deferred = fresh().with(|w| {
        (w.state.finalizer, w.state.intent) = (true, Some(intent(1, 1)));
        w.state.last_outcome = Some(CallOutcome::Deferred {
            report: in_progress(Reason::RateLimited),
            at: at(0),
            until: at(17),
            attempt: Some(1),
        });
    });
    assert_plans(vec![
        ("response lost", lost(2), "await remote: RemoteUnavailable"),
        ("response lost, nothing was created by the deadline", lost(40), "write intent 2, create prod"),
        (
            "response lost, the created object exists",
            lost(2).with(|w| w.observe(remote("x", Phase::Pending))),
            "await remote: Connecting",
        ),
        ("deferred", deferred.clone(), "RateLimited"),
        ("deferred, the time is over", deferred.with(|w| w.now = at(17)), "write intent 2, create prod"),
    ]);
}

#[test]
fn drift_is_confirmed_and_then_corrected() {
    let unlisted = || settled().with(|w| w.lookup.observed.clear());
    let in_phase = |phase| settled().with(move |w| w.observe(remote("id-1", phase)));
    assert_plans(vec![
        ("no drift", settled(), "Connected"),
        ("failed", in_phase(Phase::Failed), "RemoteFailed"),
        ("pending again", in_phase(Phase::Pending), "await remote: Connecting"),
        ("being disconnected by another client", in_phase(Phase::Deleting), "await remote: Creating"),
        ("tombstone", in_phase(Phase::Deleted), "write intent 2, create prod"),
        ("missing from an incomplete listing", unlisted().with(|w| w.lookup.complete = false), "poll"),
        ("missing from a complete listing", unlisted(), "get id-1"),
        (
            "deletion confirmed by a get",
            unlisted().with(|w| w.lookup.deleted_ids.push("id-1".into())),
            "write intent 2, create prod",
        ),
        ("missing, another object has the name", unlisted().with(|w| w.observe(remote("x", Phase::Ready))), "get id-1"),
        (
            "deletion confirmed, another object has the name",
            unlisted().with(|w| {
                w.lookup.deleted_ids.push("id-1".into());
                w.observe(remote("x", Phase::Ready));
            }),
            "get x",
        ),
        (
            "spec edited after the last poll",
            settled().with(|w| (w.state.generation, w.state.changed_at) = (2, w.now + SignedDuration::from_secs(1))),
            "poll",
        ),
        (
            "intent and finalizer removed",
            settled().with(|w| (w.state.intent, w.state.finalizer) = (None, false)),
            "write intent 1",
        ),
        ("finalizer removed", settled().with(|w| w.state.finalizer = false), "write intent 1"),
        (
            "restored from a backup: no intent, finalizer or status",
            settled().with(|w| {
                (w.state.intent, w.state.finalizer, w.status) = (None, false, Default::default());
                w.state.last_outcome = None;
            }),
            "adopt id-1",
        ),
        ("status removed", settled().with(|w| w.status = Default::default()), "Connected"),
        ("key changed", settled().with(|w| w.payload = Ok(payload("b3RoZXI="))), "ReplacementRequired"),
        (
            "digest of an unknown version",
            settled().with(|w| w.status.remote.applied_hash = Some("v0:x".into())),
            "Connected",
        ),
    ]);
}

#[test]
fn ready_is_false_while_recreation_fails() {
    let report = || in_progress(Reason::RemoteUnavailable);
    let recreating = |outcome: CallOutcome| {
        settled().with(|w| {
            w.lookup.observed.clear();
            w.lookup.deleted_ids.push("id-1".into());
            w.state.intent = Some(intent(2, 3600));
            w.state.last_outcome = Some(outcome);
            w.now = at(3601);
        })
    };
    let refused = || CallOutcome::Refused { report: report(), at: at(3600), attempt: Some(2), conflict: false };
    let lost = CallOutcome::Lost { report: report(), until: at(3635), attempt: 2, finished: false };
    let deferred = || CallOutcome::Deferred { report: report(), at: at(3600), until: at(3610), attempt: Some(2) };
    assert_plans(vec![
        ("refused, not repeated", recreating(refused()), "RemoteUnavailable"),
        ("response lost", recreating(lost), "await remote: RemoteUnavailable"),
        ("deferred", recreating(deferred()), "RemoteUnavailable"),
        (
            "deferred, deletion not confirmed",
            recreating(deferred()).with(|w| w.lookup.deleted_ids.clear()),
            "Connected",
        ),
        (
            "deferred, spec edited since",
            recreating(deferred()).with(|w| w.state.changed_at = at(3601)),
            "write intent 3, create prod",
        ),
    ]);
    let refused = recreating(refused()).plan().status;
    assert_eq!(
        (refused.remote.id, refused.remote.answered_attempt),
        (None, Some(2)),
        "the status drops the ID of the deleted object"
    );
}

#[test]
fn a_connection_that_never_worked_is_replaced_on_new_input() {
    let failed = || {
        let mut world = fresh();
        world.observe(remote("id-1", Phase::Failed));
        (world.state.finalizer, world.state.intent) = (true, Some(intent(1, 1)));
        world.run_until_idle();
        assert_eq!(world.recorded_reason(), "RemoteFailed");
        world
    };
    assert_plans(vec![
        ("failed, same key", failed(), "RemoteFailed"),
        (
            "failed, key changed",
            failed().with(|w| w.payload = Ok(payload("b3RoZXI="))),
            "write intent 2, delete id-1, write intent 3, create prod",
        ),
        (
            "failed, new key is invalid",
            failed().with(|w| w.payload = Err(ConditionReport::stalled(Reason::InvalidSecret, "x"))),
            "InvalidSecret",
        ),
        (
            "key changed, the failed one is being deleted",
            failed().with(|w| {
                w.payload = Ok(payload("b3RoZXI="));
                w.observe(remote("id-1", Phase::Deleting));
            }),
            "await remote: Creating",
        ),
        (
            "pending for 15 minutes",
            failed().with(|w| {
                w.observe(remote("id-1", Phase::Pending));
                w.now = at(902);
            }),
            "RemoteFailed",
        ),
    ]);
}

/// Another client deleted it for the fourth time within an hour.
pub fn contested() -> World {
    let mut world = settled();
    for _ in 0..3 {
        world.lookup.observed.clear();
        world.run_until_idle();
        assert_eq!(world.recorded_reason(), "Connected");
        world.now += SignedDuration::from_mins(10);
    }
    world.lookup.observed.clear();
    world.lookup.deleted_ids.extend((1..9).map(|n| format!("id-{n}")));
    world
}

#[test]
fn recreation_stops_at_the_fourth_deletion_within_an_hour() {
    assert_plans(vec![
        ("fourth deletion within an hour", contested(), "Contested"),
        (
            "contested, no reconcile requested for two hours",
            contested().with(|w| {
                w.run_until_idle();
                w.now += SignedDuration::from_hours(2);
            }),
            "Contested",
        ),
        (
            "four attempts at one recreation count once",
            settled().with(|w| {
                w.lookup.observed.clear();
                w.lookup.deleted_ids.push("id-1".into());
                for _ in 0..4 {
                    let plan = w.plan();
                    w.execute(&plan.steps[0]);
                    // The process dies before the call. The next one waits until the call can no longer arrive.
                    (w.state.first_seen, w.state.changed_at) = (w.now, w.now);
                    w.now += SignedDuration::from_mins(1);
                }
            }),
            "write intent 6, create prod",
        ),
        (
            "contested, reconcile requested",
            contested().with(|w| {
                w.run_until_idle();
                (w.state.requested, w.state.changed_at) = (Some("now".to_owned()), w.now);
            }),
            "write intent 5, create prod",
        ),
        (
            "fourth deletion, two hours after the third",
            contested().with(|w| w.now += SignedDuration::from_hours(2)),
            "write intent 5, create prod",
        ),
    ]);
}
