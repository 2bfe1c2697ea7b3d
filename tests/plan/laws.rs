//! What holds for whatever goes in.

use applink_operator::conditions::{ConditionReport, StatusUpdate, conditions};
use applink_operator::crd::{
    AdoptionPolicy, ConditionType, DeletionPolicy, ManagementPolicy, Reason, ReplacePolicy, condition,
};
use applink_operator::facts::{AuthMethod, ConsentLink, Observed, Phase, RemoteOrgAccess};
use applink_operator::plan::Step;
use applink_operator::plan::inputs::OrgAccessPayload;
use applink_operator::plan::remote::{OwnedSecret, OwnerState};
use applink_operator::plan::state::{CallOutcome, Intent};
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;

use crate::fixture::{ADDON, NAME, SECRET, World, at, desired, fresh, intent, proptest_config, remote, spec};

fn phase() -> impl Strategy<Value = Phase> {
    prop::sample::select(vec![Phase::Pending, Phase::Ready, Phase::Failed, Phase::Deleting, Phase::Deleted])
}

fn answer() -> impl Strategy<Value = Option<CallOutcome>> {
    let report = || ConditionReport::in_progress(Reason::RemoteUnavailable, "why");
    prop::sample::select(vec![
        None,
        Some(CallOutcome::Deleting { id: "id-1".into(), at: at(0) }),
        Some(CallOutcome::Created { id: "x".into(), intent: intent(1, 0) }),
        Some(CallOutcome::Refused { report: report(), at: at(0), attempt: Some(1), conflict: false }),
        Some(CallOutcome::Deferred { report: report(), at: at(0), until: at(5), attempt: Some(1) }),
        Some(CallOutcome::Lost { report: report(), until: at(35), attempt: 1, finished: false }),
    ])
}

fn addon() -> impl Strategy<Value = OwnerState> {
    let troubled = |stale| OwnerState::Unusable {
        id: Some(ADDON.into()),
        report: ConditionReport::in_progress(Reason::RateLimited, "x"),
        stale,
    };
    prop::sample::select(vec![
        OwnerState::Ready { id: ADDON.into() },
        OwnerState::Ready { id: ADDON.into() },
        OwnerState::Ready { id: ADDON.into() },
        OwnerState::Ready { id: "addon-2".into() },
        OwnerState::Missing,
        OwnerState::Unobserved,
        troubled(false),
        troubled(true),
    ])
}

/// A sighting of our own id, of another id under our name, both or neither.
fn sightings() -> impl Strategy<Value = Vec<(&'static str, Phase)>> {
    (prop::option::of(phase()), prop::option::of(phase()))
        .prop_map(|(ours, theirs)| ours.map(|p| ("id-1", p)).into_iter().chain(theirs.map(|p| ("x", p))).collect())
}

/// What a person's consent adds to a world, and what the user wants of what was there first or has changed.
#[derive(Clone, Debug)]
struct More {
    oauth: bool,
    was_oauth: bool,
    link: bool,
    detailed: bool,
    oauth_secret_state: OwnedSecret,
    never: bool,
    anew: bool,
    replace: bool,
    given: bool,
    claim: Option<&'static str>,
    tombstone: bool,
}

prop_compose! {
    fn more()(
        (oauth, was_oauth, link, detailed) in any::<(bool, bool, bool, bool)>(),
        (never, anew, replace, given, tombstone) in any::<(bool, bool, bool, bool, bool)>(),
        claim in prop::sample::select(vec![None, None, Some("id-1"), Some("x")]),
        oauth_secret_state in prop::sample::select(vec![
            OwnedSecret::Absent, OwnedSecret::Absent, OwnedSecret::Foreign, OwnedSecret::StaleOwner, OwnedSecret::Owned { id: Some("id-1".into()) },
            OwnedSecret::Owned { id: Some("x".into()) }, OwnedSecret::Owned { id: None },
        ]),
    ) -> More {
        More { oauth, was_oauth, link, detailed, oauth_secret_state, never, anew, replace, given, claim, tombstone }
    }
}

impl More {
    fn add(self, world: &mut World) {
        if self.oauth {
            world.spec = spec(|s| (s["jwt"], s["oauth"]) = (json!(null), json!({})));
            world.desired = OrgAccessPayload::by_oauth(NAME, &world.spec, SECRET);
        }
        for seen in &mut world.live.observed {
            let link = (self.link && seen.object.phase == Phase::Pending)
                .then(|| ConsentLink::from("https://link".to_owned()));
            (seen.object.link, seen.detailed) = (link, self.detailed);
            seen.object.method = Some(if self.was_oauth { AuthMethod::OAuth } else { AuthMethod::Jwt });
        }
        if self.was_oauth && self.oauth && world.status.remote.applied_hash.is_some() {
            world.status.remote.applied_hash = world.desired.as_ref().ok().map(|d| d.hash.clone());
        }
        world.oauth_secret_state = self.oauth_secret_state;
        if self.never {
            world.policies.adoption = AdoptionPolicy::Never;
        }
        if self.anew {
            world.policies.replacement = ReplacePolicy::DeleteAndRecreate;
        }
        world.state.replace = self.replace.then(|| "token".to_owned());
        if let Some(intent) = &mut world.state.intent {
            intent.id = self.claim.map(str::to_owned);
            intent.replace = self.given.then(|| "token".to_owned());
            intent.tombstone = self.tombstone.then(|| "id-1".to_owned());
        }
    }
}

prop_compose! {
    fn world()(more in more(), mut world in plain()) -> World {
        more.add(&mut world);
        world
    }
}

prop_compose! {
    fn plain()(
        addon in addon(), answer in answer(), seen in sightings(),
        (observe, orphan, suspend) in any::<(bool, bool, bool)>(),
        (deleting, finalizer, requested, ready, complete) in any::<(bool, bool, bool, bool, bool)>(),
        (recorded, connected, other_key, no_key) in any::<(bool, bool, bool, bool)>(),
        attempt in 0i64..3, answered in 0i64..3, now in 0i64..4000, since in 0i64..60,
    ) -> World {
        let mut world = fresh();
        world.now = at(now);
        world.addon = addon;
        if observe { world.policies.management = ManagementPolicy::Observe; }
        if orphan { world.policies.deletion = DeletionPolicy::Orphan; }
        world.policies.suspend = suspend;
        seen.into_iter().for_each(|(id, phase)| world.see(remote(id, phase)));
        world.live.complete = complete;
        let hash = desired("Z29vZA==").hash;
        if other_key { world.desired = Ok(desired("b3RoZXI=")); }
        if no_key { world.desired = Err(ConditionReport::in_progress(Reason::SecretNotFound, "x")); }
        if attempt > 0 {
            world.state.intent = Some(Intent {
                uid: "uid-1".into(), owner_id: ADDON.into(), hash: hash.clone(), attempt, at: at(1), recreated: vec![], id: None, replace: None, tombstone: None, connection_id: None, modified_marker: None,
            });
        }
        world.state.deleting = deleting;
        world.state.finalizer = finalizer || attempt > 0;
        world.state.requested = requested.then(|| "now".to_owned());
        world.state.ready = ready;
        (world.state.first_seen, world.state.changed_at) = (at(since.min(now)), at(since.min(now)));
        world.state.last_outcome = answer;
        if recorded {
            world.status.remote.id = Some("id-1".into());
            world.status.remote.addon_id = Some(ADDON.into());
            world.status.remote.applied_hash = Some(hash);
            world.status.remote.established_at = connected.then(|| at(1));
        }
        world.status.remote.answered_attempt = (answered > 0).then_some(answered.min(attempt)).filter(|a| *a > 0);
        if matches!(world.state.last_outcome, Some(CallOutcome::Refused { .. })) {
            // Nothing is created before what is recorded was proved gone.
            world.live.observed.retain(|s| s.object.id != "id-1");
            world.live.deleted_ids.push("id-1".into());
        }
        world
    }
}

/// Whether the plan may do anything to AppLink at all.
fn free(world: &World) -> bool {
    let known = world.status.remote.addon_id.as_ref().or(world.state.intent.as_ref().map(|i| &i.owner_id));
    matches!(&world.addon, OwnerState::Ready { id } if known.is_none_or(|known| known == id))
        && world.policies.management == ManagementPolicy::Full
        && !world.policies.suspend
}

proptest! {
    #![proptest_config(proptest_config())]

    #[test]
    fn nothing_is_changed_where_nothing_may_be(world in world()) {
        let plan = world.plan();
        let half = !world.state.finalizer || world.state.intent.is_none();
        let ours = world.status.remote.applied_hash.is_some() || matches!(world.state.last_outcome, Some(CallOutcome::Created { .. }));
        let mends = half && ours && matches!(plan.steps.as_slice(), [Step::WriteIntent { .. }]);
        let mutates = plan.steps.iter().any(Step::mutates) && !mends;
        prop_assert!(!mutates || free(&world), "{:?}", plan.steps);
    }

    #[test]
    fn a_creation_is_announced_and_only_where_the_name_is_proved_free(world in world()) {
        let plan = world.plan();
        let creates = plan.steps.iter().position(|s| matches!(s, Step::Create { .. }));
        if let Some(at) = creates {
            let announced = matches!(plan.steps.get(at.wrapping_sub(1)), Some(Step::WriteIntent { .. })) || world.state.intent.is_some();
            prop_assert!(announced);
            let frees = plan.steps.iter().any(|s| matches!(s, Step::Delete { .. }));
            let held = world.live.observed.iter().any(|s| s.object.phase != Phase::Deleted && s.object.id == "x");
            prop_assert!(frees || (world.live.complete && !held), "{:?}", plan.steps);
        }
    }

    #[test]
    fn only_what_is_ours_is_deleted(world in world()) {
        for step in world.plan().steps {
            if let Step::Delete { id } = step {
                let recorded = world.status.remote.id.as_deref() == Some(&id);
                let posted = |i: &Intent| i.id.is_none() && i.attempt > world.status.remote.answered_attempt.unwrap_or(0);
                let open = world.state.intent.as_ref().is_some_and(posted);
                let given = world.state.intent.as_ref().map(|i| i.attempt);
                let refused = matches!(world.state.last_outcome, Some(CallOutcome::Refused { attempt, .. }) if attempt == given);
                prop_assert!(recorded || (open && !refused), "{id}");
            }
        }
    }

    #[test]
    fn what_once_connected_goes_only_where_the_user_says_so(world in world()) {
        let plan = world.plan();
        let deletes = plan.steps.iter().any(|s| matches!(s, Step::Delete { .. }));
        if deletes && !world.state.deleting && world.status.remote.established_at.is_some() && world.status.remote.id.is_some() {
            let gone = |s: &Observed<RemoteOrgAccess>| s.object.id == "id-1" && s.object.phase == Phase::Deleted;
            let tombstone = world.live.observed.iter().any(gone);
            let changed = world.desired.as_ref().is_ok_and(|d| world.status.remote.applied_hash.as_ref() != Some(&d.hash));
            let by_policy = world.policies.replacement == ReplacePolicy::DeleteAndRecreate && changed;
            prop_assert!(by_policy || world.state.replace.is_some() || tombstone, "{:?}", plan.steps);
        }
        prop_assert!(!deletes || world.desired.is_ok() || world.state.deleting, "an input that cannot be used deletes nothing");
    }

    #[test]
    fn a_secret_of_somebody_else_is_not_touched_and_nothing_is_asked_for_that_it_would_be_needed_for(world in world()) {
        let plan = world.plan();
        let free = matches!(world.oauth_secret_state, OwnedSecret::Absent | OwnedSecret::Owned { .. });
        let touches = |s: &Step| matches!(s, Step::WriteOAuthSecret { .. } | Step::DeleteOAuthSecret);
        prop_assert!(free || !plan.steps.iter().any(touches));
        let oauth = world.desired.as_ref().is_ok_and(|d| d.auth_method() == AuthMethod::OAuth);
        let creates = plan.steps.iter().any(|s| matches!(s, Step::Create { .. }));
        prop_assert!(free || !oauth || !creates);
    }

    #[test]
    fn a_faithful_service_ends_it_and_then_nothing_moves(world in world()) {
        let mut world = world;
        let taken = world.run();
        let creations = taken.iter().filter(|s| matches!(s, Step::Create { .. })).count();
        prop_assert!(creations <= 1, "{taken:?}");
        let plan = world.plan();
        let still: Vec<_> = plan.steps.iter().filter(|s| !s.waits()).collect();
        prop_assert!(still.is_empty(), "{taken:?} and then {still:?}");
        if !matches!(plan.update, StatusUpdate::Unchanged) {
            prop_assert_eq!(&plan.status, &world.status, "the status is written again at rest");
        }
    }

    #[test]
    fn what_follows_the_first_step_is_the_rest_of_the_plan(world in world()) {
        let plan = world.plan();
        if let [Step::WriteIntent { .. }, rest @ ..] = plan.steps.as_slice()
            && !rest.is_empty()
        {
            let mut next = world.clone();
            next.perform(&plan.steps[0]);
            // By their names: a word given later is given at another time.
            let named = |steps: &[Step]| steps.iter().map(ToString::to_string).collect::<Vec<_>>();
            prop_assert_eq!(named(&next.plan().steps), named(rest));
        }
    }

    #[test]
    fn conditions_are_those_that_kstatus_reads(world in world()) {
        let plan = world.plan();
        let before = conditions(&[], &ConditionReport::in_progress(Reason::Pending, "x").into(), 1, at(0));
        let after = conditions(&before, &plan.update, 1, world.now);
        prop_assert!(condition(&after, ConditionType::Ready).is_some());
        let both = condition(&after, ConditionType::Reconciling).is_some() && condition(&after, ConditionType::Stalled).is_some();
        prop_assert!(!both);
        prop_assert_eq!(conditions(&after, &plan.update, 1, world.now + SignedDuration::from_hours(1)), after, "a transition time moved");
    }
}
