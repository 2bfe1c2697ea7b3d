//! What comes out for a Connection that is to go, that may not be touched, or that is not alone: one line a case.

use applink_operator::conditions::ConditionReport;
use applink_operator::crd::{DeletionPolicy, ManagementPolicy, Reason};
use applink_operator::facts::Phase;
use applink_operator::plan::remote::OwnerState;
use applink_operator::plan::remote::name_claim::NameClaim;
use applink_operator::plan::state::CallOutcome;

use crate::fixture::{ADDON, at, fresh, intent, remote, settled, table, waits};

#[test]
fn deletion_of_what_is_ours() {
    let deleting = || settled().with(|w| w.state.deleting = true);
    table(vec![
        ("there", deleting(), "delete id-1, remove finalizer"),
        ("gone by the list", deleting().with(|w| w.live.observed.clear()), "get id-1"),
        (
            "gone for certain",
            deleting().with(|w| (w.live.observed.clear(), w.live.deleted_ids.push("id-1".into())).1),
            "remove finalizer",
        ),
        ("not seen of late", deleting().with(|w| (w.live.observed.clear(), w.live.complete = false).1), "get id-1"),
        ("going", deleting().with(|w| w.see(remote("id-1", Phase::Deleting))), "await remote: Deleting"),
        ("disconnected", deleting().with(|w| w.see(remote("id-1", Phase::Deleted))), "remove finalizer"),
        (
            "taken, but still shown",
            deleting().with(|w| {
                w.state.last_outcome = Some(CallOutcome::Deleting { id: "id-1".into(), at: w.now });
            }),
            "get id-1",
        ),
        (
            "taken, and still there a moment ago",
            deleting().with(|w| {
                w.state.last_outcome = Some(CallOutcome::Deleting { id: "id-1".into(), at: w.now });
                w.see(remote("id-1", Phase::Deleting));
            }),
            "await remote: Deleting",
        ),
        (
            "another has the name",
            deleting().with(|w| {
                w.live.observed.clear();
                w.live.deleted_ids.push("id-1".into());
                w.see(remote("x", Phase::Ready));
            }),
            "remove finalizer",
        ),
    ]);
}

#[test]
fn deletion_that_needs_no_call_or_cannot_make_one() {
    let deleting = || settled().with(|w| w.state.deleting = true);
    let trouble =
        || OwnerState::Unusable { id: Some(ADDON.into()), report: waits(Reason::RemoteUnavailable), stale: false };
    table(vec![
        (
            "orphaned",
            deleting().with(|w| w.policies.deletion = DeletionPolicy::Orphan),
            "remove finalizer, orphan id-1",
        ),
        (
            "forced",
            deleting().with(|w| (w.state.force_orphan, w.addon) = (true, trouble())),
            "remove finalizer, orphan id-1",
        ),
        ("observed", deleting().with(|w| w.policies.management = ManagementPolicy::Observe), "remove finalizer"),
        ("suspended", deleting().with(|w| w.policies.suspend = true), "Suspended"),
        ("unreachable", deleting().with(|w| w.addon = trouble()), "Deleting"),
        ("no add-on", deleting().with(|w| w.addon = OwnerState::Missing), "DependencyNotFound"),
        ("another add-on", deleting().with(|w| w.addon = OwnerState::Ready { id: "addon-2".into() }), "AddonChanged"),
        (
            "the key is gone",
            deleting().with(|w| w.desired = Err(waits(Reason::SecretNotFound))),
            "delete id-1, remove finalizer",
        ),
    ]);
}

#[test]
fn deletion_of_what_may_not_exist() {
    let deleting = || settled().with(|w| w.state.deleting = true);
    table(vec![
        (
            "never created",
            fresh().with(|w| (w.state.deleting, w.state.finalizer, w.addon) = (true, true, OwnerState::Missing)),
            "remove finalizer",
        ),
        (
            "never ours",
            fresh().with(|w| {
                (w.state.deleting, w.state.finalizer) = (true, true);
                w.see(remote("x", Phase::Ready));
            }),
            "remove finalizer",
        ),
        (
            "created, the answer was lost",
            fresh().with(|w| {
                (w.state.deleting, w.state.finalizer, w.state.intent) = (true, true, Some(intent(1, -5)));
                w.see(remote("x", Phase::Ready));
            }),
            "delete x, remove finalizer",
        ),
        (
            "perhaps created",
            fresh().with(|w| {
                (w.state.deleting, w.state.finalizer, w.state.intent) = (true, true, Some(intent(1, -5)));
            }),
            "await remote: Deleting",
        ),
        (
            "perhaps created anew long ago, not looked since",
            deleting().with(|w| {
                w.live.observed.clear();
                w.live.deleted_ids.push("id-1".into());
                (w.live.complete, w.state.changed_at) = (false, at(3590));
                w.state.intent = Some(intent(2, 3000));
            }),
            "poll",
        ),
        (
            "not created after all",
            fresh().with(|w| {
                (w.state.deleting, w.state.finalizer, w.state.intent) = (true, true, Some(intent(1, -60)));
                w.state.first_seen = at(-50);
            }),
            "remove finalizer",
        ),
    ]);
}

#[test]
fn policies() {
    let observed = || fresh().with(|w| w.policies.management = ManagementPolicy::Observe);
    table(vec![
        ("observed, there", observed().with(|w| w.see(remote("x", Phase::Ready))), "Connected"),
        ("observed, failed", observed().with(|w| w.see(remote("x", Phase::Failed))), "RemoteFailed"),
        ("observed, not there", observed(), "RemoteMissing"),
        ("observed, not known", observed().with(|w| w.live.complete = false), "poll"),
        (
            "observed, input missing",
            observed().with(|w| {
                w.desired = Err(waits(Reason::SecretNotFound));
                w.see(remote("x", Phase::Ready));
            }),
            "Connected",
        ),
        (
            "observed from now on",
            settled().with(|w| w.policies.management = ManagementPolicy::Observe),
            "remove finalizer",
        ),
        (
            "managed from now on",
            observed().with(|w| {
                w.see(remote("x", Phase::Ready));
                w.run();
                w.policies.management = ManagementPolicy::Full;
            }),
            "get x",
        ),
        ("suspended", settled().with(|w| (w.policies.suspend = true, w.live.observed.clear()).1), "Suspended"),
    ]);
}

#[test]
fn obstacles() {
    let trouble = |reason, stale| OwnerState::Unusable { id: Some(ADDON.into()), report: waits(reason), stale };
    let late = || fresh().with(|w| w.now = at(3));
    table(vec![
        ("no add-on, just applied", fresh().with(|w| w.addon = OwnerState::Missing), ""),
        ("no add-on", late().with(|w| w.addon = OwnerState::Missing), "DependencyNotFound"),
        ("add-on not read yet", late().with(|w| w.addon = OwnerState::Unobserved), "AddonNotReady"),
        ("add-on not read yet, was Ready", settled().with(|w| w.addon = OwnerState::Unobserved), ""),
        ("bad token", late().with(|w| w.addon = trouble(Reason::CredentialInvalid, false)), "AddonNotReady"),
        (
            "outage, never Ready",
            late().with(|w| w.addon = trouble(Reason::RemoteUnavailable, false)),
            "RemoteUnavailable",
        ),
        ("limited, never Ready", late().with(|w| w.addon = trouble(Reason::RateLimited, false)), "RateLimited"),
        ("outage, Ready", settled().with(|w| w.addon = trouble(Reason::RemoteUnavailable, false)), ""),
        (
            "outage, Ready, for too long",
            settled().with(|w| w.addon = trouble(Reason::RemoteUnavailable, true)),
            "RemoteUnavailable",
        ),
        ("another add-on", settled().with(|w| w.addon = OwnerState::Ready { id: "addon-2".into() }), "AddonChanged"),
        ("key missing, just applied", fresh().with(|w| w.desired = Err(waits(Reason::SecretNotFound))), ""),
        ("key missing", late().with(|w| w.desired = Err(waits(Reason::SecretNotFound))), "SecretNotFound"),
        (
            "key of no use",
            fresh().with(|w| w.desired = Err(ConditionReport::stalled(Reason::InvalidSecret, "x"))),
            "InvalidSecret",
        ),
    ]);
}

#[test]
fn names() {
    let claim = |holds, created, uid: &str| NameClaim {
        object: "ns/other".into(),
        holds,
        created: at(created),
        uid: uid.into(),
    };
    let against = |claim: NameClaim| fresh().with(|w| w.name_claims.push(claim));
    table(vec![
        ("an older one", against(claim(false, -20, "uid-9")), "NameConflict"),
        ("a younger one", against(claim(false, 5, "uid-0")), "write intent 1, create prod"),
        ("as old, smaller uid", against(claim(false, -10, "uid-0")), "NameConflict"),
        ("as old, larger uid", against(claim(false, -10, "uid-2")), "write intent 1, create prod"),
        ("a younger one that holds it", against(claim(true, 5, "uid-9")), "NameConflict"),
        (
            "an older one, but it is ours",
            settled().with(|w| w.name_claims.push(claim(false, -20, "uid-0"))),
            "Connected",
        ),
    ]);
}
