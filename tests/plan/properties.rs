//! Properties of every plan of a Connection. It must not assert single cases: these are in the case tables.

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

use crate::fixture::{ADDON, NAME, SECRET, World, at, fresh, intent, payload, proptest_config, remote, spec};

fn phase() -> impl Strategy<Value = Phase> {
    prop::sample::select(vec![Phase::Pending, Phase::Ready, Phase::Failed, Phase::Deleting, Phase::Deleted])
}

fn outcome() -> impl Strategy<Value = Option<CallOutcome>> {
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
    let unusable = |stale| OwnerState::Unusable {
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
        unusable(false),
        unusable(true),
    ])
}

/// Observations of our own object, of another object of our name, of both or of neither.
fn observations() -> impl Strategy<Value = Vec<(&'static str, Phase)>> {
    (prop::option::of(phase()), prop::option::of(phase()))
        .prop_map(|(ours, other)| ours.map(|p| ("id-1", p)).into_iter().chain(other.map(|p| ("x", p))).collect())
}

/// What a case varies beyond the base world: auth methods, the OAuth Secret, policies, and what the intent has.
#[derive(Clone, Debug)]
struct Variation {
    oauth: bool,
    was_oauth: bool,
    link: bool,
    detailed: bool,
    oauth_secret: OwnedSecret,
    never: bool,
    recreate: bool,
    replace: bool,
    intent_has_replace: bool,
    intent_id: Option<&'static str>,
    intent_has_tombstone: bool,
}

prop_compose! {
    fn variation()(
        (oauth, was_oauth, link, detailed) in any::<(bool, bool, bool, bool)>(),
        (never, recreate, replace, intent_has_replace, intent_has_tombstone) in any::<(bool, bool, bool, bool, bool)>(),
        intent_id in prop::sample::select(vec![None, None, Some("id-1"), Some("x")]),
        oauth_secret in prop::sample::select(vec![
            OwnedSecret::Absent, OwnedSecret::Absent, OwnedSecret::Foreign, OwnedSecret::StaleOwner, OwnedSecret::Owned { id: Some("id-1".into()) },
            OwnedSecret::Owned { id: Some("x".into()) }, OwnedSecret::Owned { id: None },
        ]),
    ) -> Variation {
        Variation {
            oauth, was_oauth, link, detailed, oauth_secret, never, recreate, replace, intent_has_replace, intent_id, intent_has_tombstone,
        }
    }
}

impl Variation {
    fn apply(self, world: &mut World) {
        if self.oauth {
            world.spec = spec(|s| (s["jwt"], s["oauth"]) = (json!(null), json!({})));
            world.payload = OrgAccessPayload::by_oauth(NAME, &world.spec, SECRET);
        }
        for observed in &mut world.lookup.observed {
            let link = (self.link && observed.object.phase == Phase::Pending)
                .then(|| ConsentLink::from("https://link".to_owned()));
            (observed.object.link, observed.detailed) = (link, self.detailed);
            observed.object.method = Some(if self.was_oauth { AuthMethod::OAuth } else { AuthMethod::Jwt });
        }
        if self.was_oauth && self.oauth && world.status.remote.applied_hash.is_some() {
            world.status.remote.applied_hash = world.payload.as_ref().ok().map(|d| d.hash.clone());
        }
        world.oauth_secret = self.oauth_secret;
        if self.never {
            world.policies.adoption = AdoptionPolicy::Never;
        }
        if self.recreate {
            world.policies.replacement = ReplacePolicy::DeleteAndRecreate;
        }
        world.state.replace = self.replace.then(|| "token".to_owned());
        if let Some(intent) = &mut world.state.intent {
            intent.id = self.intent_id.map(str::to_owned);
            intent.replace = self.intent_has_replace.then(|| "token".to_owned());
            intent.tombstone = self.intent_has_tombstone.then(|| "id-1".to_owned());
        }
    }
}

prop_compose! {
    fn world()(variation in variation(), mut world in base_world()) -> World {
        variation.apply(&mut world);
        world
    }
}

prop_compose! {
    fn base_world()(
        addon in addon(), outcome in outcome(), observations in observations(),
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
        observations.into_iter().for_each(|(id, phase)| world.observe(remote(id, phase)));
        world.lookup.complete = complete;
        let hash = payload("Z29vZA==").hash;
        if other_key { world.payload = Ok(payload("b3RoZXI=")); }
        if no_key { world.payload = Err(ConditionReport::in_progress(Reason::SecretNotFound, "x")); }
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
        world.state.last_outcome = outcome;
        if recorded {
            world.status.remote.id = Some("id-1".into());
            world.status.remote.addon_id = Some(ADDON.into());
            world.status.remote.applied_hash = Some(hash);
            world.status.remote.established_at = connected.then(|| at(1));
        }
        world.status.remote.answered_attempt = (answered > 0).then_some(answered.min(attempt)).filter(|a| *a > 0);
        if matches!(world.state.last_outcome, Some(CallOutcome::Refused { .. })) {
            // A create is sent only after the deletion of the recorded object is confirmed.
            world.lookup.observed.retain(|s| s.object.id != "id-1");
            world.lookup.deleted_ids.push("id-1".into());
        }
        world
    }
}

/// Whether the plan may change anything in AppLink.
fn may_change(world: &World) -> bool {
    let known = world.status.remote.addon_id.as_ref().or(world.state.intent.as_ref().map(|i| &i.owner_id));
    matches!(&world.addon, OwnerState::Ready { id } if known.is_none_or(|known| known == id))
        && world.policies.management == ManagementPolicy::Full
        && !world.policies.suspend
}

proptest! {
    #![proptest_config(proptest_config())]

    #[test]
    fn nothing_changes_while_policy_or_add_on_forbids_it(world in world()) {
        let plan = world.plan();
        let incomplete = !world.state.finalizer || world.state.intent.is_none();
        let ours = world.status.remote.applied_hash.is_some() || matches!(world.state.last_outcome, Some(CallOutcome::Created { .. }));
        let repairs = incomplete && ours && matches!(plan.steps.as_slice(), [Step::WriteIntent { .. }]);
        let mutates = plan.steps.iter().any(Step::mutates) && !repairs;
        prop_assert!(!mutates || may_change(&world), "{:?}", plan.steps);
    }

    #[test]
    fn a_create_needs_an_intent_and_a_free_name(world in world()) {
        let plan = world.plan();
        let creates = plan.steps.iter().position(|s| matches!(s, Step::Create { .. }));
        if let Some(at) = creates {
            let has_intent = matches!(plan.steps.get(at.wrapping_sub(1)), Some(Step::WriteIntent { .. })) || world.state.intent.is_some();
            prop_assert!(has_intent);
            let deletes_first = plan.steps.iter().any(|s| matches!(s, Step::Delete { .. }));
            let taken = world.lookup.observed.iter().any(|s| s.object.phase != Phase::Deleted && s.object.id == "x");
            prop_assert!(deletes_first || (world.lookup.complete && !taken), "{:?}", plan.steps);
        }
    }

    #[test]
    fn only_our_own_object_is_deleted(world in world()) {
        for step in world.plan().steps {
            if let Step::Delete { id } = step {
                let recorded = world.status.remote.id.as_deref() == Some(&id);
                let unresolved = |i: &Intent| i.id.is_none() && i.attempt > world.status.remote.answered_attempt.unwrap_or(0);
                let open = world.state.intent.as_ref().is_some_and(unresolved);
                let attempt_of_intent = world.state.intent.as_ref().map(|i| i.attempt);
                let refused = matches!(world.state.last_outcome, Some(CallOutcome::Refused { attempt, .. }) if attempt == attempt_of_intent);
                prop_assert!(recorded || (open && !refused), "{id}");
            }
        }
    }

    #[test]
    fn a_connected_object_is_deleted_only_on_request_or_by_policy(world in world()) {
        let plan = world.plan();
        let deletes = plan.steps.iter().any(|s| matches!(s, Step::Delete { .. }));
        if deletes && !world.state.deleting && world.status.remote.established_at.is_some() && world.status.remote.id.is_some() {
            let is_tombstone = |o: &Observed<RemoteOrgAccess>| o.object.id == "id-1" && o.object.phase == Phase::Deleted;
            let tombstone = world.lookup.observed.iter().any(is_tombstone);
            let changed = world.payload.as_ref().is_ok_and(|d| world.status.remote.applied_hash.as_ref() != Some(&d.hash));
            let by_policy = world.policies.replacement == ReplacePolicy::DeleteAndRecreate && changed;
            prop_assert!(by_policy || world.state.replace.is_some() || tombstone, "{:?}", plan.steps);
        }
        prop_assert!(!deletes || world.payload.is_ok() || world.state.deleting, "an unusable input must delete nothing");
    }

    #[test]
    fn a_foreign_oauth_secret_is_not_touched_and_blocks_creation(world in world()) {
        let plan = world.plan();
        let writable = matches!(world.oauth_secret, OwnedSecret::Absent | OwnedSecret::Owned { .. });
        let touches = |s: &Step| matches!(s, Step::WriteOAuthSecret { .. } | Step::DeleteOAuthSecret);
        prop_assert!(writable || !plan.steps.iter().any(touches));
        let oauth = world.payload.as_ref().is_ok_and(|d| d.auth_method() == AuthMethod::OAuth);
        let creates = plan.steps.iter().any(|s| matches!(s, Step::Create { .. }));
        prop_assert!(writable || !oauth || !creates);
    }

    #[test]
    fn the_plan_comes_to_rest_after_at_most_one_create(world in world()) {
        let mut world = world;
        let executed = world.run_until_idle();
        let creations = executed.iter().filter(|s| matches!(s, Step::Create { .. })).count();
        prop_assert!(creations <= 1, "{executed:?}");
        let plan = world.plan();
        let left: Vec<_> = plan.steps.iter().filter(|s| !s.waits()).collect();
        prop_assert!(left.is_empty(), "{executed:?} and then {left:?}");
        if !matches!(plan.update, StatusUpdate::Unchanged) {
            prop_assert_eq!(&plan.status, &world.status, "the plan writes the same status again");
        }
    }

    #[test]
    fn after_the_intent_the_next_plan_is_the_remaining_steps(world in world()) {
        let plan = world.plan();
        if let [Step::WriteIntent { .. }, rest @ ..] = plan.steps.as_slice()
            && !rest.is_empty()
        {
            let mut next = world.clone();
            next.execute(&plan.steps[0]);
            // Compares summaries: an intent that is written later has another time.
            let summaries = |steps: &[Step]| steps.iter().map(ToString::to_string).collect::<Vec<_>>();
            prop_assert_eq!(summaries(&next.plan().steps), summaries(rest));
        }
    }

    #[test]
    fn conditions_follow_the_rules_of_kstatus(world in world()) {
        let plan = world.plan();
        let before = conditions(&[], &ConditionReport::in_progress(Reason::Pending, "x").into(), 1, at(0));
        let after = conditions(&before, &plan.update, 1, world.now);
        prop_assert!(condition(&after, ConditionType::Ready).is_some());
        let both = condition(&after, ConditionType::Reconciling).is_some() && condition(&after, ConditionType::Stalled).is_some();
        prop_assert!(!both);
        prop_assert_eq!(conditions(&after, &plan.update, 1, world.now + SignedDuration::from_hours(1)), after, "a repeated report must not change a transition time");
    }
}
