//! What comes out for a Connection that is to be: one line a case.

use applink_operator::crd::Reason;
use applink_operator::plan::live::{Method, Phase};
use applink_operator::plan::memory::Answer;
use applink_operator::plan::verdict::Verdict;
use jiff::SignedDuration;

use crate::fixture::{at, desired, fresh, intent, remote, settled, table, waits};

#[test]
fn creation() {
    let given = |second| fresh().with(|w| (w.memory.finalizer, w.memory.intent) = (true, Some(intent(1, second))));
    table(vec![
        ("nothing there", fresh(), "remember attempt 1, create prod"),
        ("not known whether", fresh().with(|w| w.live.complete = false), "look"),
        ("the word is given", given(1), "create prod"),
        ("by a process that died: its call may still land", given(-5), "await remote: Creating"),
        (
            "by a process that died, and another call was answered since",
            given(-5).with(|w| w.memory.answer = Some(Answer::Deleting { id: "x".into(), at: at(0) })),
            "await remote: Creating",
        ),
        (
            "by a process that died, and other inputs now",
            given(-5).with(|w| w.desired = Ok(desired("b3RoZXI="))),
            "await remote: Creating",
        ),
        ("by one that died long ago", given(-60), "remember attempt 2, create prod"),
        ("the answer never came, the fruit is there", given(-5).with(|w| w.see(remote("x", Phase::Up))), "Connected"),
        ("there first, and just like it", fresh().with(|w| w.see(remote("x", Phase::Up))), "confirm x"),
        (
            "there first, and disconnected",
            fresh().with(|w| w.see(remote("x", Phase::Gone))),
            "remember attempt 1, create prod",
        ),
        (
            "there before our word",
            given(-5).with(|w| {
                let mut old = remote("x", Phase::Up);
                old.created_at = Some(at(-3600).to_string());
                w.see(old);
            }),
            "confirm x",
        ),
        (
            "a person made it",
            given(-5).with(|w| {
                let mut other = remote("x", Phase::Up);
                other.method = Some(Method::Oauth);
                w.see(other);
            }),
            "AdoptionRefused",
        ),
        (
            "another user's",
            given(-5).with(|w| {
                let mut other = remote("x", Phase::Up);
                other.org.username = Some("else@example.com".into());
                w.see(other);
            }),
            "AdoptionRefused",
        ),
    ]);
}

#[test]
fn refusals() {
    let verdict = Verdict::needs_user(Reason::RemoteRejected, "no");
    let refused = |second: i64| {
        let verdict = verdict.clone();
        fresh().with(move |w| {
            (w.memory.finalizer, w.memory.intent) = (true, Some(intent(1, 1)));
            w.status.remote.answered_attempt = Some(1);
            w.memory.answer = Some(Answer::Refused { verdict, at: at(1), attempt: Some(1), conflict: false });
            w.now = at(second);
        })
    };
    table(vec![
        ("refused", refused(2), "RemoteRejected"),
        (
            "refused, not looked since",
            refused(2).with(|w| (w.live.complete, w.status.remote.answered_attempt) = (false, None)),
            "look: note",
        ),
        ("refused since another has it", refused(2).with(|w| w.see(remote("x", Phase::Up))), "confirm x"),
        ("refused ten minutes ago", refused(602), "remember attempt 2, create prod"),
        (
            "refused, other input now",
            refused(2).with(|w| w.desired = Ok(desired("b3RoZXI="))),
            "remember attempt 2, create prod",
        ),
        (
            "refused and not put down yet, other input now",
            refused(2).with(|w| (w.status.remote.answered_attempt, w.desired) = (None, Ok(desired("b3RoZXI=")))),
            "note",
        ),
        (
            "refused, asked again",
            refused(20).with(|w| (w.memory.requested, w.memory.since) = (true, at(19))),
            "remember attempt 2, create prod",
        ),
        (
            "refused before a restart",
            refused(20).with(|w| {
                (w.memory.answer, w.status.remote.answered_attempt, w.memory.since) = (None, Some(1), at(10));
            }),
            "keep",
        ),
        (
            "refused before a restart, another's now",
            refused(20).with(|w| {
                (w.memory.answer, w.status.remote.answered_attempt, w.memory.since) = (None, Some(1), at(10));
                w.see(remote("x", Phase::Up));
            }),
            "confirm x",
        ),
    ]);
}

#[test]
fn calls_that_came_to_nothing() {
    let lost = |second: i64| {
        fresh().with(move |w| {
            (w.memory.finalizer, w.memory.intent) = (true, Some(intent(1, 1)));
            let verdict = waits(Reason::RemoteUnavailable);
            w.memory.answer = Some(Answer::Lost { verdict, until: at(35), attempt: 1, over: false });
            w.now = at(second);
        })
    };
    let later = fresh().with(|w| {
        (w.memory.finalizer, w.memory.intent) = (true, Some(intent(1, 1)));
        w.memory.answer =
            Some(Answer::Later { verdict: waits(Reason::RateLimited), at: at(0), until: at(17), attempt: Some(1) });
    });
    table(vec![
        ("lost", lost(2), "await remote: RemoteUnavailable"),
        ("lost, and bore no fruit", lost(40), "remember attempt 2, create prod"),
        ("lost, and bore fruit", lost(2).with(|w| w.see(remote("x", Phase::Going))), "await remote: Connecting"),
        ("not now", later.clone(), "RateLimited"),
        ("not now is over", later.with(|w| w.now = at(17)), "remember attempt 2, create prod"),
    ]);
}

#[test]
fn keeping() {
    let gone = || settled().with(|w| w.live.sightings.clear());
    let turned = |phase| settled().with(move |w| w.see(remote("id-1", phase)));
    table(vec![
        ("at rest", settled(), "Connected"),
        ("failed", turned(Phase::Failed), "RemoteFailed"),
        ("connecting again", turned(Phase::Going), "await remote: Connecting"),
        ("being disconnected", turned(Phase::Leaving), "await remote: Creating"),
        ("disconnected", turned(Phase::Gone), "remember attempt 2, create prod"),
        ("gone by a list that may be stale", gone().with(|w| w.live.complete = false), "look"),
        ("gone by the list", gone(), "confirm id-1"),
        ("gone for certain", gone().with(|w| w.live.gone.push("id-1".into())), "remember attempt 2, create prod"),
        ("gone, and another took the name", gone().with(|w| w.see(remote("x", Phase::Up))), "confirm id-1"),
        (
            "gone for certain, and another took the name",
            gone().with(|w| {
                w.live.gone.push("id-1".into());
                w.see(remote("x", Phase::Up));
            }),
            "confirm x",
        ),
        (
            "edited",
            settled().with(|w| (w.memory.generation, w.memory.since) = (2, w.now + SignedDuration::from_secs(1))),
            "look",
        ),
        (
            "intent and finalizer wiped",
            settled().with(|w| (w.memory.intent, w.memory.finalizer) = (None, false)),
            "remember attempt 1",
        ),
        ("finalizer wiped", settled().with(|w| w.memory.finalizer = false), "remember attempt 1"),
        (
            "restored under another uid, status stripped",
            settled().with(|w| {
                (w.memory.intent, w.memory.finalizer, w.status) = (None, false, Default::default());
                w.memory.answer = None;
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
    let verdict = || waits(Reason::RemoteUnavailable);
    let healing = |answer: Answer| {
        settled().with(|w| {
            w.live.sightings.clear();
            w.live.gone.push("id-1".into());
            w.memory.intent = Some(intent(2, 3600));
            w.memory.answer = Some(answer);
            w.now = at(3601);
        })
    };
    let refused = || Answer::Refused { verdict: verdict(), at: at(3600), attempt: Some(2), conflict: false };
    let lost = Answer::Lost { verdict: verdict(), until: at(3635), attempt: 2, over: false };
    let later = || Answer::Later { verdict: verdict(), at: at(3600), until: at(3610), attempt: Some(2) };
    table(vec![
        ("refused: no longer Ready, and no storm", healing(refused()), "RemoteUnavailable"),
        ("lost: no longer Ready", healing(lost), "await remote: RemoteUnavailable"),
        ("not now: no longer Ready", healing(later()), "RemoteUnavailable"),
        ("not now, not proved gone", healing(later()).with(|w| w.live.gone.clear()), "Connected"),
        ("edited since", healing(later()).with(|w| w.memory.since = at(3601)), "remember attempt 3, create prod"),
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
        (world.memory.finalizer, world.memory.intent) = (true, Some(intent(1, 1)));
        world.run();
        assert_eq!(world.told(), "RemoteFailed");
        world
    };
    table(vec![
        ("same key", failed(), "RemoteFailed"),
        (
            "other key",
            failed().with(|w| w.desired = Ok(desired("b3RoZXI="))),
            "remember attempt 2, delete id-1, remember attempt 3, create prod",
        ),
        (
            "other key that is none",
            failed().with(|w| w.desired = Err(Verdict::needs_user(Reason::InvalidSecret, "x"))),
            "InvalidSecret",
        ),
        (
            "other key, the old one is going",
            failed().with(|w| {
                w.desired = Ok(desired("b3RoZXI="));
                w.see(remote("id-1", Phase::Leaving));
            }),
            "await remote: Creating",
        ),
        (
            "still connecting after 15 minutes",
            failed().with(|w| {
                w.see(remote("id-1", Phase::Going));
                w.now = at(902);
            }),
            "RemoteFailed",
        ),
    ]);
}

#[test]
fn contest() {
    let contested = || {
        let mut world = settled();
        for _ in 0..3 {
            world.live.sightings.clear();
            world.run();
            assert_eq!(world.told(), "Connected");
            world.now += SignedDuration::from_mins(10);
        }
        world.live.sightings.clear();
        world.live.gone.extend((1..9).map(|n| format!("id-{n}")));
        world
    };
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
                w.live.sightings.clear();
                w.live.gone.push("id-1".into());
                for _ in 0..4 {
                    let plan = w.plan();
                    w.perform(&plan.steps[0]);
                    // Its process dies before the call.
                    w.now += SignedDuration::from_mins(1);
                    (w.memory.met, w.memory.since) = (w.now, w.now);
                }
            }),
            "remember attempt 6, create prod",
        ),
        (
            "asked to resume",
            contested().with(|w| {
                w.run();
                (w.memory.requested, w.memory.since) = (true, w.now);
            }),
            "remember attempt 5, create prod",
        ),
        (
            "a fourth time, hours later",
            contested().with(|w| w.now += SignedDuration::from_hours(2)),
            "remember attempt 5, create prod",
        ),
    ]);
}
