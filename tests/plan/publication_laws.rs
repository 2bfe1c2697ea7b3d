//! What holds of the plan of a Publication, whatever goes in.

use applink_operator::conditions::{ConditionReport, StatusUpdate};
use applink_operator::crd::{AdoptionPolicy, DeletionPolicy, ManagementPolicy, Reason, ReplacePolicy};
use applink_operator::plan::Step;
use applink_operator::plan::remote::ConnectionState;
use applink_operator::plan::state::CallOutcome;
use jiff::SignedDuration;
use proptest::prelude::*;

use crate::fixture::{at, proptest_config};
use crate::publication_cases::{APP, CONNECTION, World, after_refusal, connected, desired, fresh, settled};

prop_compose! {
    fn world()(
        (published, changed, drifted, dates, complete) in any::<(bool, bool, bool, bool, bool)>(),
        (deleting, orphan, observe, suspend, never) in any::<(bool, bool, bool, bool, bool)>(),
        (anew, given, requested, replace, unusable) in any::<(bool, bool, bool, bool, bool)>(),
        answer in 0..5, there in 0..3, parent in 0..5, connection_gone in any::<bool>(), late in 0i64..600,
    ) -> World {
        let mut world = if published { settled() } else { fresh() };
        world.dates = dates;
        world.now += SignedDuration::from_secs(late);
        if changed { world.desired = Ok(desired("2")); }
        if unusable { world.desired = Err(ConditionReport::in_progress(Reason::ConfigMapNotFound, "x")); }
        if given && let Some(step @ Step::WriteIntent { .. }) = world.plan().steps.first() { world.perform(&step.clone()); }
        match there {
            0 => world.live.observed.clear(),
            1 if drifted => world.see("x"),
            _ => {}
        }
        world.live.complete = complete;
        world.policies.deletion = if orphan { DeletionPolicy::Orphan } else { DeletionPolicy::Delete };
        world.policies.management = if observe { ManagementPolicy::Observe } else { ManagementPolicy::Full };
        world.policies.adoption = if never { AdoptionPolicy::Never } else { AdoptionPolicy::IfMatching };
        world.policies.replacement = if anew { ReplacePolicy::DeleteAndRecreate } else { ReplacePolicy::Never };
        world.policies.suspend = suspend;
        (world.state.deleting, world.connection_gone) = (deleting, connection_gone);
        world.state.requested = requested.then(|| "now".to_owned());
        world.state.replace = replace.then(|| "token".to_owned());
        world.parent = match parent {
            0 => ConnectionState::Missing { name: "p".into() },
            1 => ConnectionState::NotReady("x".into()),
            2 => connected("c-2"),
            _ => connected(CONNECTION),
        };
        let intent = world.state.intent.clone();
        let report = || ConditionReport::in_progress(Reason::RemoteUnavailable, "why");
        if let Some(intent) = intent {
            let (attempt, now) = (intent.attempt, world.now);
            world.state.last_outcome = match answer {
                0 => Some(after_refusal(true, &intent)),
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
    fn a_faithful_service_ends_it_and_then_nothing_moves(world in world()) {
        let mut world = world;
        let taken = world.run();
        let published = taken.iter().filter(|s| matches!(s, Step::Create { .. } | Step::Publish { .. })).count();
        // Whoever asks for it while it is being published has it published once more.
        let asked = taken.iter().any(|s| matches!(s, Step::Delete { .. })) && world.state.replace.is_some();
        prop_assert!(published <= 1 + usize::from(asked), "{taken:?}");
        let plan = world.plan();
        let still: Vec<_> = plan.steps.iter().filter(|s| !s.waits()).collect();
        prop_assert!(still.is_empty(), "{taken:?} and then {still:?}");
        prop_assert!(plan.requeue_after.is_none_or(|again| !again.is_zero()));
        if !matches!(plan.update, StatusUpdate::Unchanged) {
            prop_assert_eq!(&plan.status, &world.status, "the status is written again at rest");
        }
    }

    #[test]
    fn nothing_is_changed_where_nothing_may_be(world in world()) {
        let calls = |s: &Step| matches!(s, Step::Create { .. } | Step::Publish { .. } | Step::Delete { .. });
        let calls = world.plan().steps.iter().any(calls);
        let free = world.policies.management == ManagementPolicy::Full && !world.policies.suspend;
        prop_assert!(!calls || free);
        prop_assert!(!calls || world.state.deleting || world.parent.id().is_some(), "there is no connection to call");
        prop_assert!(!calls || world.state.deleting || world.desired.is_ok());
    }

    #[test]
    fn only_what_is_ours_is_deleted(world in world()) {
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
