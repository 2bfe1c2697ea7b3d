//! Plans of a Connection that adopts or replaces a remote connection. One line is one case.

use applink_operator::conditions::ConditionReport;
use applink_operator::crd::{AdoptionPolicy, Provider, ReplacePolicy};
use applink_operator::facts::{AuthMethod, Phase, RemoteOrgAccess};
use applink_operator::plan::Step;
use applink_operator::plan::state::CallOutcome;
use jiff::SignedDuration;
use serde_json::json;

use crate::fixture::{World, assert_plans, fresh, in_progress, payload, remote, settled, spec};

/// A remote connection of our name exists that this Connection did not create. `change` edits it.
pub fn existing(change: impl FnOnce(&mut RemoteOrgAccess)) -> World {
    fresh().with(|w| {
        let mut object = remote("x", Phase::Ready);
        object.org.username = Some("CI@example.com".into());
        change(&mut object);
        w.observe(object);
        w.lookup.observed[0].detailed = true;
    })
}

#[test]
fn an_existing_object_is_adopted_if_it_matches() {
    let expecting = |w: &mut World| w.spec = spec(|s| s["expect"] = json!({"orgID": "00DSG000007a3BZ"}));
    let listed = |w: &mut World| w.lookup.observed[0].detailed = false;
    assert_plans(vec![
        ("matches", existing(|_| {}), "adopt x"),
        ("pending", existing(|r| r.phase = Phase::Pending), "adopt x"),
        ("auth method and user unknown", existing(|r| (r.method, r.org.username) = (None, None)), "adopt x"),
        (
            "adoptionPolicy Never",
            existing(|_| {}).with(|w| w.policies.adoption = AdoptionPolicy::Never),
            "AdoptionRefused",
        ),
        ("another provider", existing(|r| r.provider = Some(Provider::DataCloud)), "AdoptionRefused"),
        ("observed by a list only", existing(|_| {}).with(listed), "get x"),
        ("provider unknown", existing(|r| r.provider = None), "AdoptionRefused"),
        ("another auth method", existing(|r| r.method = Some(AuthMethod::OAuth)), "AdoptionRefused"),
        ("another user", existing(|r| r.org.username = Some("else@example.com".into())), "AdoptionRefused"),
        ("failed", existing(|r| r.phase = Phase::Failed), "AdoptionRefused"),
        ("being deleted", existing(|r| r.phase = Phase::Deleting), "await remote: Creating"),
        ("tombstone", existing(|r| r.phase = Phase::Deleted), "write intent 1, create prod"),
        ("expected org", existing(|r| r.org.id = Some("00DSG000007a3BZ2AY".into())).with(expecting), "adopt x"),
        ("another org", existing(|r| r.org.id = Some("00DSG000007a3BY2AY".into())).with(expecting), "AdoptionRefused"),
        ("org unknown", existing(|_| {}).with(expecting), "AdoptionRefused"),
    ]);
}

#[test]
fn adoption_writes_one_intent_and_makes_no_call() {
    let mut world = existing(|_| {});
    world.state.replace = Some("old".into());
    let executed: Vec<_> = world.run_until_idle().iter().map(ToString::to_string).collect();
    assert_eq!((executed, world.recorded_reason()), (vec!["adopt x".to_owned()], "Connected"));
    assert_eq!(world.status.remote.id.as_deref(), Some("x"));
    assert_eq!(world.status.remote.applied_hash, Some(payload("Z29vZA==").hash));
    assert_eq!(
        world.status.remote.last_handled_replace.as_deref(),
        Some("old"),
        "adoption handles an earlier replace request"
    );
    assert_eq!(world.summary(), "Connected");

    let rotated = world.clone().with(|w| w.payload = Ok(payload("b3RoZXI=")));
    assert_eq!(rotated.summary(), "ReplacementRequired");
    let wiped = world.clone().with(|w| (w.state.intent, w.state.finalizer) = (None, false));
    assert_eq!(wiped.summary(), "write intent 1");
    let stripped = world.clone().with(|w| w.status = Default::default());
    assert_eq!(stripped.summary(), "Connected", "the intent proves the adoption");
    let deleted = world.clone().with(|w| w.state.deleting = true);
    assert_eq!(deleted.summary(), "delete x, remove finalizer", "an adopted object is deleted with its resource");
    let missing = world.with(|w| {
        w.lookup.observed.clear();
        w.lookup.deleted_ids.push("x".into());
    });
    assert_eq!(missing.summary(), "write intent 2, create prod");
}

#[test]
fn an_adoption_not_yet_in_the_status_is_checked_again() {
    let adopted = |change: fn(&mut World)| {
        existing(|_| {}).with(|w| {
            w.execute(&w.plan().steps[0].clone());
            change(w);
        })
    };
    assert_plans(vec![
        ("nothing changed", adopted(|_| {}), "Connected"),
        (
            "adoptionPolicy changed to Never",
            adopted(|w| w.policies.adoption = AdoptionPolicy::Never),
            "AdoptionRefused",
        ),
        ("resource deleted", adopted(|w| w.state.deleting = true), "remove finalizer"),
        (
            "object missing, another has the name",
            adopted(|w| {
                w.lookup.observed.clear();
                w.observe(remote("y", Phase::Ready));
            }),
            "get y",
        ),
        ("object missing", adopted(|w| w.lookup.observed.clear()), "write intent 2, create prod"),
    ]);
}

#[test]
fn replace_policy_and_annotation_decide_on_changed_inputs() {
    let rotated = || settled().with(|w| w.payload = Ok(payload("b3RoZXI=")));
    let replacing = || rotated().with(|w| w.policies.replacement = ReplacePolicy::DeleteAndRecreate);
    let replace_requested = |w: &mut World| w.state.replace = Some("now".into());
    // The reason comes with the first step, so Ready is False before the old object is deleted.
    let replacement = "write intent 2, delete id-1, write intent 3, create prod: Creating";
    assert_plans(vec![
        ("replacePolicy Never", rotated(), "ReplacementRequired"),
        ("replacePolicy Never, replace requested", rotated().with(replace_requested), replacement),
        ("replace requested, inputs unchanged", settled().with(replace_requested), replacement),
        (
            "replace requested, failed",
            settled().with(replace_requested).with(|w| w.observe(remote("id-1", Phase::Failed))),
            replacement,
        ),
        (
            "replace requested, new key is invalid",
            rotated().with(replace_requested).with(|w| w.payload = invalid_key()),
            "InvalidSecret",
        ),
        ("replacePolicy DeleteAndRecreate", replacing(), replacement),
        (
            "replacePolicy DeleteAndRecreate, new key is invalid",
            replacing().with(|w| w.payload = invalid_key()),
            "InvalidSecret",
        ),
        (
            "replacePolicy DeleteAndRecreate, inputs unchanged",
            settled().with(|w| w.policies.replacement = ReplacePolicy::DeleteAndRecreate),
            "Connected",
        ),
        (
            "replacePolicy DeleteAndRecreate, delete deferred",
            replacing().with(|w| {
                let report = in_progress(applink_operator::crd::Reason::RateLimited);
                let until = w.now + SignedDuration::from_secs(9);
                w.state.last_outcome = Some(CallOutcome::Deferred { report, at: w.now, until, attempt: None });
            }),
            "Connected",
        ),
    ]);
}

fn invalid_key() -> Result<applink_operator::plan::inputs::OrgAccessPayload, ConditionReport> {
    Err(ConditionReport::stalled(applink_operator::crd::Reason::InvalidSecret, "no key"))
}

#[test]
fn each_replace_request_replaces_once_and_never_contests() {
    let mut world = settled();
    for round in 1..6 {
        world.state.replace = Some(round.to_string());
        let executed = world.run_until_idle();
        assert_eq!(executed.iter().filter(|s| matches!(s, Step::Create { .. })).count(), 1, "{round}: {executed:?}");
        assert_eq!(world.recorded_reason(), "Connected", "{round}");
        assert_eq!(world.status.remote.last_handled_replace, Some(round.to_string()));
        assert_eq!(world.summary(), "Connected", "{round}: the request is handled");
        world.now += SignedDuration::from_mins(1);
    }
}

#[test]
fn a_replacement_continues_after_a_crash_at_each_step() {
    for crash_after in 0..4 {
        let mut world = settled().with(|w| w.state.replace = Some("now".into()));
        for _ in 0..crash_after {
            let plan = world.plan();
            world.execute(&plan.steps[0]);
        }
        world.now += SignedDuration::from_secs(40);
        (world.state.first_seen, world.state.changed_at) = (world.now, world.now);
        (world.state.last_outcome, world.lookup.complete) = (None, true);
        let created = world.run_until_idle().iter().filter(|s| matches!(s, Step::Create { .. })).count();
        assert_eq!(created, usize::from(crash_after < 4), "{crash_after}");
        assert_eq!((world.recorded_reason(), world.lookup.observed.len()), ("Connected", 1), "{crash_after}");
        assert_eq!(world.status.remote.last_handled_replace.as_deref(), Some("now"), "{crash_after}");
        assert_ne!(world.status.remote.id.as_deref(), Some("id-1"), "{crash_after}");
    }
}

#[test]
fn a_reverted_change_stops_a_replacement_that_has_not_begun() {
    let world = settled().with(|w| {
        w.policies.replacement = ReplacePolicy::DeleteAndRecreate;
        w.payload = Ok(payload("b3RoZXI="));
        w.execute(&w.plan().steps[0].clone());
        w.payload = Ok(payload("Z29vZA=="));
    });
    assert_eq!(world.summary(), "Connected");
}

#[test]
fn a_tombstone_that_blocks_our_create_is_deleted_once() {
    let after_refusal = |w: &mut World| {
        let attempt = w.state.intent.as_ref().map(|i| i.attempt);
        let report = ConditionReport::stalled(applink_operator::crd::Reason::RemoteRejected, "name is in use");
        w.state.last_outcome = Some(CallOutcome::Refused { report, at: w.now, attempt, conflict: false });
    };
    let mut world = settled().with(|w| {
        w.observe(remote("id-1", Phase::Deleted));
        w.execute(&w.plan().steps[0].clone());
        after_refusal(w);
    });
    assert_eq!(world.summary(), "note");
    world.status = world.plan().status;
    assert_eq!(world.summary(), "write intent 3, delete id-1, write intent 4, create prod");
    for _ in 0..2 {
        let plan = world.plan();
        world.execute(&plan.steps[0]);
    }
    // The tombstone is still listed, and AppLink refuses the create again.
    world.observe(remote("id-1", Phase::Deleted));
    world.lookup.complete = true;
    assert_eq!(world.summary(), "write intent 4, create prod");
    world.execute(&world.plan().steps[0].clone());
    after_refusal(&mut world);
    world.run_until_idle();
    assert_eq!(
        (world.recorded_reason(), world.summary().as_str()),
        ("RemoteRejected", "RemoteRejected"),
        "the create is not repeated"
    );
}
