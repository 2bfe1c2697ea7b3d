//! What comes out for a Connection that is to be: one line a case.

use applink_operator::conditions::ConditionReport;
use applink_operator::crd::Reason;
use applink_operator::facts::{AuthMethod, Phase};
use applink_operator::plan::state::CallOutcome;
use jiff::SignedDuration;

use crate::fixture::{World, at, desired, fresh, intent, remote, settled, table, waits};

fn seen_long_ago(world: &mut World) {
    world.state.first_seen = at(-50);
}

#[test]
fn creation() {
    let given = |second| fresh().with(|w| (w.state.finalizer, w.state.intent) = (true, Some(intent(1, second))));
    table(vec![
        ("nothing there", fresh(), "write intent 1, create prod"),
        ("not known whether", fresh().with(|w| w.live.complete = false), "poll"),
        ("the word is given", given(1), "create prod"),
        ("by a process that died: its call may still land", given(-5), "await remote: Creating"),
        (
            "by a process that died, and another call was answered since",
            given(-5).with(|w| w.state.last_outcome = Some(CallOutcome::Deleting { id: "x".into(), at: at(0) })),
            "await remote: Creating",
        ),
        (
            "by a process that died, and other inputs now",
            given(-5).with(|w| w.desired = Ok(desired("b3RoZXI="))),
            "await remote: Creating",
        ),
        ("by one that died just now, and whose clock was a minute behind", given(-60), "await remote: Creating"),
        ("by one that died long ago", given(-60).with(seen_long_ago), "write intent 2, create prod"),
        (
            "the answer never came, the fruit is there",
            given(-5).with(|w| w.see(remote("x", Phase::Ready))),
            "Connected",
        ),
        ("there first, and just like it", fresh().with(|w| w.see(remote("x", Phase::Ready))), "get x"),
        (
            "there first, and disconnected",
            fresh().with(|w| w.see(remote("x", Phase::Deleted))),
            "write intent 1, create prod",
        ),
        (
            "there before our word",
            given(-5).with(|w| {
                let mut old = remote("x", Phase::Ready);
                old.created_at = Some(at(-3600).to_string());
                w.see(old);
            }),
            "get x",
        ),
        (
            "a person made it",
            given(-5).with(|w| {
                let mut other = remote("x", Phase::Ready);
                other.method = Some(AuthMethod::OAuth);
                w.see(other);
            }),
            "AdoptionRefused",
        ),
        (
            "another user's",
            given(-5).with(|w| {
                let mut other = remote("x", Phase::Ready);
                other.org.username = Some("else@example.com".into());
                w.see(other);
            }),
            "AdoptionRefused",
        ),
    ]);
}

#[test]
fn refusals() {
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
    table(vec![
        ("refused", refused(2), "RemoteRejected"),
        (
            "refused, not looked since",
            refused(2).with(|w| (w.live.complete, w.status.remote.answered_attempt) = (false, None)),
            "poll: note",
        ),
        ("refused since another has it", refused(2).with(|w| w.see(remote("x", Phase::Ready))), "get x"),
        ("refused ten minutes ago", refused(602), "write intent 2, create prod"),
        (
            "refused, other input now",
            refused(2).with(|w| w.desired = Ok(desired("b3RoZXI="))),
            "write intent 2, create prod",
        ),
        (
            "refused and not put down yet, other input now",
            refused(2).with(|w| (w.status.remote.answered_attempt, w.desired) = (None, Ok(desired("b3RoZXI=")))),
            "note",
        ),
        (
            "refused, asked again",
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
            "refused before a restart, another's now",
            refused(20).with(|w| {
                (w.state.last_outcome, w.status.remote.answered_attempt, w.state.changed_at) = (None, Some(1), at(10));
                w.see(remote("x", Phase::Ready));
            }),
            "get x",
        ),
    ]);
}

#[test]
fn calls_that_came_to_nothing() {
    let lost = |second: i64| {
        fresh().with(move |w| {
            (w.state.finalizer, w.state.intent) = (true, Some(intent(1, 1)));
            let report = waits(Reason::RemoteUnavailable);
            w.state.last_outcome = Some(CallOutcome::Lost { report, until: at(35), attempt: 1, finished: false });
            w.now = at(second);
        })
    };
    let later = fresh().with(|w| {
        (w.state.finalizer, w.state.intent) = (true, Some(intent(1, 1)));
        w.state.last_outcome = Some(CallOutcome::Deferred {
            report: waits(Reason::RateLimited),
            at: at(0),
            until: at(17),
            attempt: Some(1),
        });
    });
    table(vec![
        ("lost", lost(2), "await remote: RemoteUnavailable"),
        ("lost, and bore no fruit", lost(40), "write intent 2, create prod"),
        ("lost, and bore fruit", lost(2).with(|w| w.see(remote("x", Phase::Pending))), "await remote: Connecting"),
        ("not now", later.clone(), "RateLimited"),
        ("not now is over", later.with(|w| w.now = at(17)), "write intent 2, create prod"),
    ]);
}

#[test]
fn keeping() {
    let gone = || settled().with(|w| w.live.observed.clear());
    let turned = |phase| settled().with(move |w| w.see(remote("id-1", phase)));
    table(vec![
        ("at rest", settled(), "Connected"),
        ("failed", turned(Phase::Failed), "RemoteFailed"),
        ("connecting again", turned(Phase::Pending), "await remote: Connecting"),
        ("being disconnected", turned(Phase::Deleting), "await remote: Creating"),
        ("disconnected", turned(Phase::Deleted), "write intent 2, create prod"),
        ("gone by a list that may be stale", gone().with(|w| w.live.complete = false), "poll"),
        ("gone by the list", gone(), "get id-1"),
        ("gone for certain", gone().with(|w| w.live.deleted_ids.push("id-1".into())), "write intent 2, create prod"),
        ("gone, and another took the name", gone().with(|w| w.see(remote("x", Phase::Ready))), "get id-1"),
        (
            "gone for certain, and another took the name",
            gone().with(|w| {
                w.live.deleted_ids.push("id-1".into());
                w.see(remote("x", Phase::Ready));
            }),
            "get x",
        ),
        (
            "edited",
            settled().with(|w| (w.state.generation, w.state.changed_at) = (2, w.now + SignedDuration::from_secs(1))),
            "poll",
        ),
        (
            "intent and finalizer wiped",
            settled().with(|w| (w.state.intent, w.state.finalizer) = (None, false)),
            "write intent 1",
        ),
        ("finalizer wiped", settled().with(|w| w.state.finalizer = false), "write intent 1"),
        (
            "restored under another uid, status stripped",
            settled().with(|w| {
                (w.state.intent, w.state.finalizer, w.status) = (None, false, Default::default());
                w.state.last_outcome = None;
            }),
            "adopt id-1",
        ),
        ("status stripped", settled().with(|w| w.status = Default::default()), "Connected"),
        ("key changed", settled().with(|w| w.desired = Ok(desired("b3RoZXI="))), "ReplacementRequired"),
        (
            "recorded by another version",
            settled().with(|w| w.status.remote.applied_hash = Some("v0:x".into())),
            "Connected",
        ),
    ]);
}

#[test]
fn healing_that_does_not_work() {
    let report = || waits(Reason::RemoteUnavailable);
    let healing = |answer: CallOutcome| {
        settled().with(|w| {
            w.live.observed.clear();
            w.live.deleted_ids.push("id-1".into());
            w.state.intent = Some(intent(2, 3600));
            w.state.last_outcome = Some(answer);
            w.now = at(3601);
        })
    };
    let refused = || CallOutcome::Refused { report: report(), at: at(3600), attempt: Some(2), conflict: false };
    let lost = CallOutcome::Lost { report: report(), until: at(3635), attempt: 2, finished: false };
    let later = || CallOutcome::Deferred { report: report(), at: at(3600), until: at(3610), attempt: Some(2) };
    table(vec![
        ("refused: no longer Ready, and no storm", healing(refused()), "RemoteUnavailable"),
        ("lost: no longer Ready", healing(lost), "await remote: RemoteUnavailable"),
        ("not now: no longer Ready", healing(later()), "RemoteUnavailable"),
        ("not now, not proved gone", healing(later()).with(|w| w.live.deleted_ids.clear()), "Connected"),
        ("edited since", healing(later()).with(|w| w.state.changed_at = at(3601)), "write intent 3, create prod"),
    ]);
    let refused = healing(refused()).plan().status;
    assert_eq!(
        (refused.remote.id, refused.remote.answered_attempt),
        (None, Some(2)),
        "what was proved gone is not kept"
    );
}

#[test]
fn never_connected() {
    let failed = || {
        let mut world = fresh();
        world.see(remote("id-1", Phase::Failed));
        (world.state.finalizer, world.state.intent) = (true, Some(intent(1, 1)));
        world.run();
        assert_eq!(world.told(), "RemoteFailed");
        world
    };
    table(vec![
        ("same key", failed(), "RemoteFailed"),
        (
            "other key",
            failed().with(|w| w.desired = Ok(desired("b3RoZXI="))),
            "write intent 2, delete id-1, write intent 3, create prod",
        ),
        (
            "other key that is none",
            failed().with(|w| w.desired = Err(ConditionReport::stalled(Reason::InvalidSecret, "x"))),
            "InvalidSecret",
        ),
        (
            "other key, the old one is going",
            failed().with(|w| {
                w.desired = Ok(desired("b3RoZXI="));
                w.see(remote("id-1", Phase::Deleting));
            }),
            "await remote: Creating",
        ),
        (
            "still connecting after 15 minutes",
            failed().with(|w| {
                w.see(remote("id-1", Phase::Pending));
                w.now = at(902);
            }),
            "RemoteFailed",
        ),
    ]);
}

/// Deleted by somebody else for the fourth time within an hour.
pub fn contested() -> World {
    let mut world = settled();
    for _ in 0..3 {
        world.live.observed.clear();
        world.run();
        assert_eq!(world.told(), "Connected");
        world.now += SignedDuration::from_mins(10);
    }
    world.live.observed.clear();
    world.live.deleted_ids.extend((1..9).map(|n| format!("id-{n}")));
    world
}

#[test]
fn contest_report() {
    table(vec![
        ("a fourth time within the hour", contested(), "Contested"),
        (
            "an hour later, nobody asked",
            contested().with(|w| {
                w.run();
                w.now += SignedDuration::from_hours(2);
            }),
            "Contested",
        ),
        (
            "one that was tried four times counts once",
            settled().with(|w| {
                w.live.observed.clear();
                w.live.deleted_ids.push("id-1".into());
                for _ in 0..4 {
                    let plan = w.plan();
                    w.perform(&plan.steps[0]);
                    // Its process dies before the call, and the next waits that out.
                    (w.state.first_seen, w.state.changed_at) = (w.now, w.now);
                    w.now += SignedDuration::from_mins(1);
                }
            }),
            "write intent 6, create prod",
        ),
        (
            "asked to resume",
            contested().with(|w| {
                w.run();
                (w.state.requested, w.state.changed_at) = (Some("now".to_owned()), w.now);
            }),
            "write intent 5, create prod",
        ),
        (
            "a fourth time, hours later",
            contested().with(|w| w.now += SignedDuration::from_hours(2)),
            "write intent 5, create prod",
        ),
    ]);
}
