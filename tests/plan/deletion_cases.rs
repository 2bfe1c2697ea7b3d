//! Plans of a Connection that is being deleted. One line is one case.

use applink_operator::crd::{DeletionPolicy, ManagementPolicy, Reason};
use applink_operator::facts::Phase;
use applink_operator::plan::remote::OwnerState;
use applink_operator::plan::state::CallOutcome;

use crate::fixture::{ADDON, assert_plans, at, fresh, in_progress, intent, remote, settled};

#[test]
fn deletion_waits_until_the_remote_object_is_deleted() {
    let deleting = || settled().with(|w| w.state.deleting = true);
    assert_plans(vec![
        ("remote object exists", deleting(), "delete id-1, remove finalizer"),
        ("missing from a complete listing", deleting().with(|w| w.lookup.observed.clear()), "get id-1"),
        (
            "deletion confirmed by a get",
            deleting().with(|w| (w.lookup.observed.clear(), w.lookup.deleted_ids.push("id-1".into())).1),
            "remove finalizer",
        ),
        (
            "missing from an incomplete listing",
            deleting().with(|w| (w.lookup.observed.clear(), w.lookup.complete = false).1),
            "get id-1",
        ),
        ("being deleted", deleting().with(|w| w.observe(remote("id-1", Phase::Deleting))), "await remote: Deleting"),
        ("tombstone", deleting().with(|w| w.observe(remote("id-1", Phase::Deleted))), "remove finalizer"),
        (
            "delete accepted, observed before the call",
            deleting().with(|w| {
                w.state.last_outcome = Some(CallOutcome::Deleting { id: "id-1".into(), at: w.now });
            }),
            "get id-1",
        ),
        (
            "delete accepted, being deleted",
            deleting().with(|w| {
                w.state.last_outcome = Some(CallOutcome::Deleting { id: "id-1".into(), at: w.now });
                w.observe(remote("id-1", Phase::Deleting));
            }),
            "await remote: Deleting",
        ),
        (
            "deletion confirmed, another object has the name",
            deleting().with(|w| {
                w.lookup.observed.clear();
                w.lookup.deleted_ids.push("id-1".into());
                w.observe(remote("x", Phase::Ready));
            }),
            "remove finalizer",
        ),
    ]);
}

#[test]
fn policies_and_obstacles_decide_whether_deletion_makes_a_call() {
    let deleting = || settled().with(|w| w.state.deleting = true);
    let unusable = || OwnerState::Unusable {
        id: Some(ADDON.into()),
        report: in_progress(Reason::RemoteUnavailable),
        stale: false,
    };
    assert_plans(vec![
        (
            "deletionPolicy Orphan",
            deleting().with(|w| w.policies.deletion = DeletionPolicy::Orphan),
            "remove finalizer, orphan id-1",
        ),
        (
            "force-orphan annotation",
            deleting().with(|w| (w.state.force_orphan, w.addon) = (true, unusable())),
            "remove finalizer, orphan id-1",
        ),
        (
            "managementPolicy Observe",
            deleting().with(|w| w.policies.management = ManagementPolicy::Observe),
            "remove finalizer",
        ),
        ("suspended", deleting().with(|w| w.policies.suspend = true), "Suspended"),
        ("outage", deleting().with(|w| w.addon = unusable()), "Deleting"),
        ("no add-on", deleting().with(|w| w.addon = OwnerState::Missing), "DependencyNotFound"),
        ("another add-on", deleting().with(|w| w.addon = OwnerState::Ready { id: "addon-2".into() }), "AddonChanged"),
        (
            "key missing",
            deleting().with(|w| w.payload = Err(in_progress(Reason::SecretNotFound))),
            "delete id-1, remove finalizer",
        ),
    ]);
}

#[test]
fn deletion_resolves_an_open_intent_first() {
    let deleting = || settled().with(|w| w.state.deleting = true);
    assert_plans(vec![
        (
            "never created",
            fresh().with(|w| (w.state.deleting, w.state.finalizer, w.addon) = (true, true, OwnerState::Missing)),
            "remove finalizer",
        ),
        (
            "no intent, another object has the name",
            fresh().with(|w| {
                (w.state.deleting, w.state.finalizer) = (true, true);
                w.observe(remote("x", Phase::Ready));
            }),
            "remove finalizer",
        ),
        (
            "response lost, the created object exists",
            fresh().with(|w| {
                (w.state.deleting, w.state.finalizer, w.state.intent) = (true, true, Some(intent(1, -5)));
                w.observe(remote("x", Phase::Ready));
            }),
            "delete x, remove finalizer",
        ),
        (
            "open intent of an earlier process",
            fresh().with(|w| {
                (w.state.deleting, w.state.finalizer, w.state.intent) = (true, true, Some(intent(1, -5)));
            }),
            "await remote: Deleting",
        ),
        (
            "open intent to recreate, no complete listing since",
            deleting().with(|w| {
                w.lookup.observed.clear();
                w.lookup.deleted_ids.push("id-1".into());
                (w.lookup.complete, w.state.changed_at) = (false, at(3590));
                w.state.intent = Some(intent(2, 3000));
            }),
            "poll",
        ),
        (
            "open intent, its call can no longer arrive",
            fresh().with(|w| {
                (w.state.deleting, w.state.finalizer, w.state.intent) = (true, true, Some(intent(1, -60)));
                w.state.first_seen = at(-50);
            }),
            "remove finalizer",
        ),
    ]);
}
