//! Plans of a Connection by management policy, dependencies and name claims. One line is one case.

use applink_operator::conditions::ConditionReport;
use applink_operator::crd::{ManagementPolicy, Reason};
use applink_operator::facts::Phase;
use applink_operator::plan::remote::OwnerState;
use applink_operator::plan::remote::name_claim::NameClaim;

use crate::fixture::{ADDON, assert_plans, at, fresh, in_progress, remote, settled};

#[test]
fn an_observed_or_suspended_connection_is_not_changed() {
    let observed = || fresh().with(|w| w.policies.management = ManagementPolicy::Observe);
    assert_plans(vec![
        ("observed, Ready", observed().with(|w| w.observe(remote("x", Phase::Ready))), "Connected"),
        ("observed, failed", observed().with(|w| w.observe(remote("x", Phase::Failed))), "RemoteFailed"),
        ("observed, absent", observed(), "RemoteMissing"),
        ("observed, incomplete listing", observed().with(|w| w.lookup.complete = false), "poll"),
        (
            "observed, input missing",
            observed().with(|w| {
                w.payload = Err(in_progress(Reason::SecretNotFound));
                w.observe(remote("x", Phase::Ready));
            }),
            "Connected",
        ),
        (
            "managementPolicy changed to Observe",
            settled().with(|w| w.policies.management = ManagementPolicy::Observe),
            "remove finalizer",
        ),
        (
            "managementPolicy changed to Full",
            observed().with(|w| {
                w.observe(remote("x", Phase::Ready));
                w.run_until_idle();
                w.policies.management = ManagementPolicy::Full;
            }),
            "get x",
        ),
        (
            "suspended, missing from the listing",
            settled().with(|w| (w.policies.suspend = true, w.lookup.observed.clear()).1),
            "Suspended",
        ),
    ]);
}

#[test]
fn an_unusable_dependency_is_reported_as_the_reason() {
    let unusable = |reason, stale| OwnerState::Unusable { id: Some(ADDON.into()), report: in_progress(reason), stale };
    let late = || fresh().with(|w| w.now = at(3));
    assert_plans(vec![
        ("no add-on, just applied", fresh().with(|w| w.addon = OwnerState::Missing), ""),
        ("no add-on", late().with(|w| w.addon = OwnerState::Missing), "DependencyNotFound"),
        ("add-on not polled yet", late().with(|w| w.addon = OwnerState::Unobserved), "AddonNotReady"),
        ("add-on not polled yet, Ready before", settled().with(|w| w.addon = OwnerState::Unobserved), ""),
        ("bad token", late().with(|w| w.addon = unusable(Reason::CredentialInvalid, false)), "AddonNotReady"),
        (
            "outage, never Ready",
            late().with(|w| w.addon = unusable(Reason::RemoteUnavailable, false)),
            "RemoteUnavailable",
        ),
        ("rate limited, never Ready", late().with(|w| w.addon = unusable(Reason::RateLimited, false)), "RateLimited"),
        ("outage, Ready before", settled().with(|w| w.addon = unusable(Reason::RemoteUnavailable, false)), ""),
        (
            "stale outage, Ready before",
            settled().with(|w| w.addon = unusable(Reason::RemoteUnavailable, true)),
            "RemoteUnavailable",
        ),
        ("another add-on", settled().with(|w| w.addon = OwnerState::Ready { id: "addon-2".into() }), "AddonChanged"),
        ("key missing, just applied", fresh().with(|w| w.payload = Err(in_progress(Reason::SecretNotFound))), ""),
        ("key missing", late().with(|w| w.payload = Err(in_progress(Reason::SecretNotFound))), "SecretNotFound"),
        (
            "key invalid",
            fresh().with(|w| w.payload = Err(ConditionReport::stalled(Reason::InvalidSecret, "x"))),
            "InvalidSecret",
        ),
    ]);
}

#[test]
fn of_two_resources_with_one_name_the_older_has_it() {
    let claim = |holds, created, uid: &str| NameClaim {
        object: "ns/other".into(),
        holds,
        created: at(created),
        uid: uid.into(),
    };
    let against = |claim: NameClaim| fresh().with(|w| w.name_claims.push(claim));
    assert_plans(vec![
        ("other resource is older", against(claim(false, -20, "uid-9")), "NameConflict"),
        ("other resource is younger", against(claim(false, 5, "uid-0")), "write intent 1, create prod"),
        ("same age, other UID is smaller", against(claim(false, -10, "uid-0")), "NameConflict"),
        ("same age, other UID is larger", against(claim(false, -10, "uid-2")), "write intent 1, create prod"),
        ("other resource is younger but already has the object", against(claim(true, 5, "uid-9")), "NameConflict"),
        (
            "other resource is older but the object is ours",
            settled().with(|w| w.name_claims.push(claim(false, -20, "uid-0"))),
            "Connected",
        ),
    ]);
}
