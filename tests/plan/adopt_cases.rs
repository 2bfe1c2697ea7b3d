//! What comes out where a connection was there first, or is to make room for another: one line a case.

use applink_operator::conditions::ConditionReport;
use applink_operator::crd::{AdoptionPolicy, Provider, ReplacePolicy};
use applink_operator::facts::{AuthMethod, Phase, RemoteOrgAccess};
use applink_operator::plan::Step;
use applink_operator::plan::state::CallOutcome;
use jiff::SignedDuration;
use serde_json::json;

use crate::fixture::{World, desired, fresh, remote, settled, spec, table, waits};

/// Somebody else's connection of our name, `change`d.
pub fn first(change: impl FnOnce(&mut RemoteOrgAccess)) -> World {
    fresh().with(|w| {
        let mut there = remote("x", Phase::Ready);
        there.org.username = Some("CI@example.com".into());
        change(&mut there);
        w.see(there);
        w.live.observed[0].detailed = true;
    })
}

#[test]
fn what_was_there_first_is_taken_over_where_it_matches() {
    let expecting = |w: &mut World| w.spec = spec(|s| s["expect"] = json!({"orgID": "00DSG000007a3BZ"}));
    let listed = |w: &mut World| w.live.observed[0].detailed = false;
    table(vec![
        ("the same", first(|_| {}), "adopt x"),
        ("still connecting", first(|r| r.phase = Phase::Pending), "adopt x"),
        ("the service tells neither method nor user", first(|r| (r.method, r.org.username) = (None, None)), "adopt x"),
        (
            "adoptionPolicy Never",
            first(|_| {}).with(|w| w.policies.adoption = AdoptionPolicy::Never),
            "AdoptionRefused",
        ),
        ("another provider", first(|r| r.provider = Some(Provider::DataCloud)), "AdoptionRefused"),
        ("a list alone is not enough", first(|_| {}).with(listed), "get x"),
        ("nothing tells the provider", first(|r| r.provider = None), "AdoptionRefused"),
        ("by a person", first(|r| r.method = Some(AuthMethod::OAuth)), "AdoptionRefused"),
        ("another user", first(|r| r.org.username = Some("else@example.com".into())), "AdoptionRefused"),
        ("failed", first(|r| r.phase = Phase::Failed), "AdoptionRefused"),
        ("on its way out", first(|r| r.phase = Phase::Deleting), "await remote: Creating"),
        ("gone but listed", first(|r| r.phase = Phase::Deleted), "write intent 1, create prod"),
        ("expected org", first(|r| r.org.id = Some("00DSG000007a3BZ2AY".into())).with(expecting), "adopt x"),
        ("another org", first(|r| r.org.id = Some("00DSG000007a3BY2AY".into())).with(expecting), "AdoptionRefused"),
        ("nothing tells the org", first(|_| {}).with(expecting), "AdoptionRefused"),
    ]);
}

#[test]
fn adoption_takes_one_word_and_no_call() {
    let mut world = first(|_| {});
    world.state.replace = Some("old".into());
    let taken: Vec<_> = world.run().iter().map(ToString::to_string).collect();
    assert_eq!((taken, world.told()), (vec!["adopt x".to_owned()], "Connected"));
    assert_eq!(world.status.remote.id.as_deref(), Some("x"));
    assert_eq!(world.status.remote.applied_hash, Some(desired("Z29vZA==").hash));
    assert_eq!(world.status.remote.last_handled_replace.as_deref(), Some("old"), "what came along asks for nothing");
    assert_eq!(world.says(), "Connected");

    let rotated = world.clone().with(|w| w.desired = Ok(desired("b3RoZXI=")));
    assert_eq!(rotated.says(), "ReplacementRequired");
    let wiped = world.clone().with(|w| (w.state.intent, w.state.finalizer) = (None, false));
    assert_eq!(wiped.says(), "write intent 1");
    let stripped = world.clone().with(|w| w.status = Default::default());
    assert_eq!(stripped.says(), "Connected", "the word stands");
    let deleted = world.clone().with(|w| w.state.deleting = true);
    assert_eq!(deleted.says(), "delete x, remove finalizer", "once taken over it goes with its resource");
    let vanished = world.with(|w| {
        w.live.observed.clear();
        w.live.deleted_ids.push("x".into());
    });
    assert_eq!(vanished.says(), "write intent 2, create prod");
}

#[test]
fn a_word_without_its_record_is_no_claim_to_what_may_not_be_taken() {
    let claimed = |change: fn(&mut World)| {
        first(|_| {}).with(|w| {
            w.perform(&w.plan().steps[0].clone());
            change(w);
        })
    };
    table(vec![
        ("nothing changed", claimed(|_| {}), "Connected"),
        ("Never now", claimed(|w| w.policies.adoption = AdoptionPolicy::Never), "AdoptionRefused"),
        ("deleted before it was recorded", claimed(|w| w.state.deleting = true), "remove finalizer"),
        (
            "the object is gone, another is there",
            claimed(|w| {
                w.live.observed.clear();
                w.see(remote("y", Phase::Ready));
            }),
            "get y",
        ),
        ("the object is gone", claimed(|w| w.live.observed.clear()), "write intent 2, create prod"),
    ]);
}

#[test]
fn a_changed_input_follows_the_policy() {
    let rotated = || settled().with(|w| w.desired = Ok(desired("b3RoZXI=")));
    let anew = || rotated().with(|w| w.policies.replacement = ReplacePolicy::DeleteAndRecreate);
    let asked = |w: &mut World| w.state.replace = Some("now".into());
    // Said before the first step: Ready is not True while there is nothing.
    let all = "write intent 2, delete id-1, write intent 3, create prod: Creating";
    table(vec![
        ("Never", rotated(), "ReplacementRequired"),
        ("Never, and asked", rotated().with(asked), all),
        ("asked without any change", settled().with(asked), all),
        ("asked, and it has failed", settled().with(asked).with(|w| w.see(remote("id-1", Phase::Failed))), all),
        ("asked, but the key is none", rotated().with(asked).with(|w| w.desired = bad_key()), "InvalidSecret"),
        ("DeleteAndRecreate", anew(), all),
        ("DeleteAndRecreate, but the key is none", anew().with(|w| w.desired = bad_key()), "InvalidSecret"),
        (
            "DeleteAndRecreate, and nothing changed",
            settled().with(|w| w.policies.replacement = ReplacePolicy::DeleteAndRecreate),
            "Connected",
        ),
        (
            "the deletion is not allowed now",
            anew().with(|w| {
                let report = waits(applink_operator::crd::Reason::RateLimited);
                let until = w.now + SignedDuration::from_secs(9);
                w.state.last_outcome = Some(CallOutcome::Deferred { report, at: w.now, until, attempt: None });
            }),
            "Connected",
        ),
    ]);
}

fn bad_key() -> Result<applink_operator::plan::inputs::OrgAccessPayload, ConditionReport> {
    Err(ConditionReport::stalled(applink_operator::crd::Reason::InvalidSecret, "no key"))
}

#[test]
fn a_replacement_is_done_once_and_is_no_contest() {
    let mut world = settled();
    for turn in 1..6 {
        world.state.replace = Some(turn.to_string());
        let taken = world.run();
        assert_eq!(taken.iter().filter(|s| matches!(s, Step::Create { .. })).count(), 1, "{turn}: {taken:?}");
        assert_eq!(world.told(), "Connected", "{turn}");
        assert_eq!(world.status.remote.last_handled_replace, Some(turn.to_string()));
        assert_eq!(world.says(), "Connected", "{turn}: and no more");
        world.now += SignedDuration::from_mins(1);
    }
}

#[test]
fn a_replacement_survives_a_death_after_each_step() {
    for deaths in 0..4 {
        let mut world = settled().with(|w| w.state.replace = Some("now".into()));
        for _ in 0..deaths {
            let plan = world.plan();
            world.perform(&plan.steps[0]);
        }
        world.now += SignedDuration::from_secs(40);
        (world.state.first_seen, world.state.changed_at) = (world.now, world.now);
        (world.state.last_outcome, world.live.complete) = (None, true);
        let made = world.run().iter().filter(|s| matches!(s, Step::Create { .. })).count();
        assert_eq!(made, usize::from(deaths < 4), "{deaths}");
        assert_eq!((world.told(), world.live.observed.len()), ("Connected", 1), "{deaths}");
        assert_eq!(world.status.remote.last_handled_replace.as_deref(), Some("now"), "{deaths}");
        assert_ne!(world.status.remote.id.as_deref(), Some("id-1"), "{deaths}");
    }
}

#[test]
fn a_change_that_is_taken_back_stops_what_has_not_begun() {
    let world = settled().with(|w| {
        w.policies.replacement = ReplacePolicy::DeleteAndRecreate;
        w.desired = Ok(desired("b3RoZXI="));
        w.perform(&w.plan().steps[0].clone());
        w.desired = Ok(desired("Z29vZA=="));
    });
    assert_eq!(world.says(), "Connected");
}

#[test]
fn a_tombstone_of_ours_that_keeps_the_name_is_asked_to_go_once() {
    let after_refusal = |w: &mut World| {
        let attempt = w.state.intent.as_ref().map(|i| i.attempt);
        let report = ConditionReport::stalled(applink_operator::crd::Reason::RemoteRejected, "taken");
        w.state.last_outcome = Some(CallOutcome::Refused { report, at: w.now, attempt, conflict: false });
    };
    let mut world = settled().with(|w| {
        w.see(remote("id-1", Phase::Deleted));
        w.perform(&w.plan().steps[0].clone());
        after_refusal(w);
    });
    assert_eq!(world.says(), "note");
    world.status = world.plan().status;
    assert_eq!(world.says(), "write intent 3, delete id-1, write intent 4, create prod");
    for _ in 0..2 {
        let plan = world.plan();
        world.perform(&plan.steps[0]);
    }
    // It is still there, and still in the way.
    world.see(remote("id-1", Phase::Deleted));
    world.live.complete = true;
    assert_eq!(world.says(), "write intent 4, create prod");
    world.perform(&world.plan().steps[0].clone());
    after_refusal(&mut world);
    world.run();
    assert_eq!((world.told(), world.says().as_str()), ("RemoteRejected", "RemoteRejected"), "and no storm");
}
