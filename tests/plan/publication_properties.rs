//! Properties of every plan of a Publication. It must not assert single cases: these are in `publication_cases`.

use applink_operator::conditions::{ConditionReport, StatusUpdate};
use applink_operator::crd::{AdoptionPolicy, DeletionPolicy, ManagementPolicy, Reason, ReplacePolicy};
use applink_operator::plan::Step;
use applink_operator::plan::remote::ConnectionState;
use applink_operator::plan::state::CallOutcome;
use jiff::SignedDuration;
use proptest::prelude::*;

use crate::fixture::{at, proptest_config};
use crate::publication_cases::{APP, CONNECTION, World, fresh, payload, ready_connection, refused_publish, settled};

prop_compose! {
    fn world()(
        (published, changed, drifted, updates_modified_at, complete) in any::<(bool, bool, bool, bool, bool)>(),
        (deleting, orphan, observe, suspend, never) in any::<(bool, bool, bool, bool, bool)>(),
        (recreate, intent_written, requested, replace, unusable) in any::<(bool, bool, bool, bool, bool)>(),
        outcome in 0..5, observation in 0..3, connection in 0..5, connection_gone in any::<bool>(), late in 0i64..600,
    ) -> World {
        let mut world = if published { settled() } else { fresh() };
        world.updates_modified_at = updates_modified_at;
        world.now += SignedDuration::from_secs(late);
        if changed { world.payload = Ok(payload("2")); }
        if unusable { world.payload = Err(ConditionReport::in_progress(Reason::ConfigMapNotFound, "x")); }
        if intent_written && let Some(step @ Step::WriteIntent { .. }) = world.plan().steps.first() { world.execute(&step.clone()); }
        match observation {
            0 => world.lookup.observed.clear(),
            1 if drifted => world.observe("x"),
            _ => {}
        }
        world.lookup.complete = complete;
        world.policies.deletion = if orphan { DeletionPolicy::Orphan } else { DeletionPolicy::Delete };
        world.policies.management = if observe { ManagementPolicy::Observe } else { ManagementPolicy::Full };
        world.policies.adoption = if never { AdoptionPolicy::Never } else { AdoptionPolicy::IfMatching };
        world.policies.replacement = if recreate { ReplacePolicy::DeleteAndRecreate } else { ReplacePolicy::Never };
        world.policies.suspend = suspend;
        (world.state.deleting, world.connection_gone) = (deleting, connection_gone);
        world.state.requested = requested.then(|| "now".to_owned());
        world.state.replace = replace.then(|| "token".to_owned());
        world.connection = match connection {
            0 => ConnectionState::Missing { name: "p".into() },
            1 => ConnectionState::NotReady("x".into()),
            2 => ready_connection("c-2"),
            _ => ready_connection(CONNECTION),
        };
        let intent = world.state.intent.clone();
        let report = || ConditionReport::in_progress(Reason::RemoteUnavailable, "why");
        if let Some(intent) = intent {
            let (attempt, now) = (intent.attempt, world.now);
            world.state.last_outcome = match outcome {
                0 => Some(refused_publish(true, &intent)),
                1 => Some(CallOutcome::Lost { report: report(), until: now + SignedDuration::from_secs(35), attempt, finished: false }),
                2 => Some(CallOutcome::Deferred { report: report(), at: now, until: now + SignedDuration::from_secs(9), attempt: Some(attempt) }),
                3 => Some(CallOutcome::Created { id: APP.into(), intent }),
                _ => None,
            };
        }
        world.status.last_published_at = world.status.last_published_at.take().filter(|_| published).or(published.then(|| at(1)));
        world
    }
}

proptest! {
    #![proptest_config(proptest_config())]

    #[test]
    fn the_plan_comes_to_rest_after_at_most_one_publish(world in world()) {
        let mut world = world;
        let executed = world.run_until_idle();
        let published = executed.iter().filter(|s| matches!(s, Step::Create { .. } | Step::Publish { .. })).count();
        // A replace request during a publish call causes a second one.
        let replaced = executed.iter().any(|s| matches!(s, Step::Delete { .. })) && world.state.replace.is_some();
        prop_assert!(published <= 1 + usize::from(replaced), "{executed:?}");
        let plan = world.plan();
        let left: Vec<_> = plan.steps.iter().filter(|s| !s.waits()).collect();
        prop_assert!(left.is_empty(), "{executed:?} and then {left:?}");
        prop_assert!(plan.requeue_after.is_none_or(|after| !after.is_zero()));
        if !matches!(plan.update, StatusUpdate::Unchanged) {
            prop_assert_eq!(&plan.status, &world.status, "the plan writes the same status again");
        }
    }

    #[test]
    fn no_call_is_made_without_permission_or_connection(world in world()) {
        let calls = |s: &Step| matches!(s, Step::Create { .. } | Step::Publish { .. } | Step::Delete { .. });
        let calls = world.plan().steps.iter().any(calls);
        let may_change = world.policies.management == ManagementPolicy::Full && !world.policies.suspend;
        prop_assert!(!calls || may_change);
        prop_assert!(!calls || world.state.deleting || world.connection.id().is_some(), "no connection to call");
        prop_assert!(!calls || world.state.deleting || world.payload.is_ok());
    }

    #[test]
    fn only_a_publication_of_ours_is_deleted(world in world()) {
        for step in world.plan().steps {
            if let Step::Delete { id } = step {
                prop_assert_eq!(&id, APP);
                let open = world.state.intent.as_ref().is_some_and(|i| i.attempt > world.status.remote.answered_attempt.unwrap_or(0));
                prop_assert!(world.status.remote.applied_hash.is_some() || open);
                prop_assert!(world.state.deleting || world.state.replace.is_some() || world.policies.replacement == ReplacePolicy::DeleteAndRecreate);
            }
        }
    }
}
