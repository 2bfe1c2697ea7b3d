//! Messages of a Connection and of an Authorization: those that they share, and those that only one of them has.

use applink_operator::conditions::ConditionReport;
use applink_operator::crd::{AdoptionPolicy, Expect, ManagementPolicy, Org, Provider, Reason, ReplacePolicy};
use applink_operator::facts::{AuthMethod, OrgAccessKind, Outage, Phase, TargetListing};
use applink_operator::plan::kinds::{authorization, connection};
use applink_operator::plan::remote::name_claim::NameClaim;
use applink_operator::plan::remote::{OwnedSecret, OwnerState};
use applink_operator::plan::state::{CallOutcome, CredentialsState};
use jiff::SignedDuration;

use super::{LINK, Message, message, unusable, unusable_input};
use crate::adoption_cases::existing;
use crate::connection_cases::contested;
use crate::consent_cases::{awaiting_consent, by_oauth, fresh_oauth};
use crate::credentials_cases::{authorized, never_written, read_failure, secret};
use crate::fixture::{
    ADDON, SECRET, World, at, checked_plan, fresh, intent, payload, pending_consent, remote, settled,
};

pub fn messages() -> Vec<Message> {
    let shared = [dependencies(), inputs_and_names(), phases(), outcomes(), consent(), deletions()].concat();
    let mut all = Vec::new();
    for (name, world) in shared {
        all.push(message("Connection", name, &connection_plan(&world, |_| {})));
        let access = world.snapshot(OrgAccessKind::Authorization);
        let status = applink_operator::crd::AuthorizationStatus { grant: world.status, ..Default::default() };
        let snapshot = authorization::Snapshot { access, wanted: None, recorded: None, status };
        all.push(message("Authorization", name, &authorization::plan(&snapshot)));
    }
    [all, connections(), authorizations()].concat()
}

fn connection_plan(
    world: &World,
    change: impl FnOnce(&mut connection::Snapshot),
) -> applink_operator::plan::Plan<applink_operator::crd::ConnectionStatus> {
    let access = world.snapshot(OrgAccessKind::Connection);
    let status = applink_operator::crd::ConnectionStatus { grant: world.status.clone(), ..Default::default() };
    let (dependents, targets) = (vec![], TargetListing::default());
    let mut snapshot = connection::Snapshot { access, dependents, targets, namespace_ends: false, status };
    change(&mut snapshot);
    checked_plan("Connection", &snapshot, connection::plan)
}

type Cases = Vec<(&'static str, World)>;

fn late() -> World {
    fresh().with(|w| w.now = at(3))
}

fn dependencies() -> Cases {
    let list_outage = |stale| {
        let report = ConditionReport::in_progress(Reason::RemoteUnavailable, "[cause]");
        settled().with(|w| w.lookup.outage = Some(Outage { report, stale }))
    };
    vec![
        ("no add-on", late().with(|w| w.addon = OwnerState::Missing)),
        ("add-on not polled", late().with(|w| w.addon = OwnerState::Unobserved)),
        ("add-on not ready", late().with(|w| w.addon = unusable(Reason::CredentialInvalid, false))),
        ("another add-on", settled().with(|w| w.addon = OwnerState::Ready { id: "addon-2".into() })),
        ("add-on changed", settled().with(|w| w.addon = unusable(Reason::AddonChanged, false))),
        ("outage, never Ready", late().with(|w| w.addon = unusable(Reason::RemoteUnavailable, false))),
        ("stale outage", settled().with(|w| w.addon = unusable(Reason::RemoteUnavailable, true))),
        ("rate limited, never Ready", late().with(|w| w.addon = unusable(Reason::RateLimited, false))),
        ("list fails", list_outage(true)),
    ]
}

fn inputs_and_names() -> Cases {
    let input = |reason| late().with(|w| w.payload = Err(unusable_input(reason)));
    let claim = NameClaim { object: "crm/other".into(), holds: true, created: at(-20), uid: "uid-0".into() };
    let expecting =
        |w: &mut World| w.spec.expect = Some(Expect { org_id: None, username: Some("a@example.com".into()) });
    vec![
        ("no Secret", input(Reason::SecretNotFound)),
        ("unusable key", input(Reason::InvalidSecret)),
        ("unusable name", input(Reason::InvalidSpec)),
        (
            "unusable key, and it has failed",
            settled().with(|w| {
                w.payload = Err(unusable_input(Reason::InvalidSecret));
                w.observe(remote("id-1", Phase::Failed));
            }),
        ),
        ("name taken", fresh().with(|w| w.name_claims.push(claim))),
        ("adoptionPolicy Never", existing(|_| {}).with(|w| w.policies.adoption = AdoptionPolicy::Never)),
        ("adoption, it has failed", existing(|r| r.phase = Phase::Failed)),
        ("adoption, another provider", existing(|r| r.provider = Some(Provider::DataCloud))),
        ("adoption, provider unknown", existing(|r| r.provider = None)),
        ("adoption, another method", existing(|r| r.method = Some(AuthMethod::OAuth))),
        ("adoption, another user", existing(|r| r.org.username = Some("else@example.com".into()))),
        ("adoption, not the expected user", existing(|_| {}).with(expecting)),
        ("adoption, org unknown", existing(|r| r.org.username = None).with(expecting)),
        ("adoption, being disconnected", existing(|r| r.phase = Phase::Deleting)),
        ("incomplete listing", fresh().with(|w| (w.lookup.complete, w.now) = (false, at(40)))),
    ]
}

fn phases() -> Cases {
    let in_phase = |phase| settled().with(move |w| w.observe(remote("id-1", phase)));
    let with_intent = |phase| {
        fresh().with(move |w| {
            (w.state.finalizer, w.state.intent) = (true, Some(intent(1, 1)));
            w.observe(remote("id-1", phase));
        })
    };
    let rotated = || settled().with(|w| w.payload = Ok(payload("b3RoZXI=")));
    let org = |id: Option<&str>| Org { id: id.map(str::to_owned), ..Org::default() };
    let expecting = |actual: Option<&str>| {
        settled().with(|w| {
            w.spec.expect = Some(Expect { org_id: Some("00D000000000002".into()), username: None });
            w.lookup.observed[0].object.org = org(actual);
            w.lookup.observed[0].detailed = true;
        })
    };
    vec![
        ("works", settled()),
        ("suspended", settled().with(|w| w.policies.suspend = true)),
        ("pending", with_intent(Phase::Pending)),
        ("pending for too long", with_intent(Phase::Pending).with(|w| w.now = at(902))),
        ("failed", in_phase(Phase::Failed)),
        (
            "failed with a cause",
            in_phase(Phase::Failed).with(|w| w.lookup.observed[0].object.error = Some("[error].".into())),
        ),
        ("disconnected by another client", in_phase(Phase::Deleting)),
        ("another org", expecting(Some("00D000000000001"))),
        ("org unknown", expecting(None)),
        ("changed inputs", rotated()),
        ("changed inputs, and it has failed", rotated().with(|w| w.observe(remote("id-1", Phase::Failed)))),
        ("replaced", rotated().with(|w| w.policies.replacement = ReplacePolicy::DeleteAndRecreate)),
        ("observed, absent", fresh().with(|w| w.policies.management = ManagementPolicy::Observe)),
        (
            "observed, being deleted",
            fresh().with(|w| {
                w.policies.management = ManagementPolicy::Observe;
                w.observe(remote("x", Phase::Deleting));
            }),
        ),
        ("recreated too often", contested()),
    ]
}

fn outcomes() -> Cases {
    let after = |outcome: CallOutcome| {
        fresh().with(|w| {
            (w.state.finalizer, w.state.intent, w.state.last_outcome) = (true, Some(intent(1, 1)), Some(outcome));
            w.now = at(2);
        })
    };
    let report = |reason| ConditionReport::in_progress(reason, "[cause]");
    let refused = ConditionReport::stalled(Reason::RemoteRejected, "[refusal]");
    let refused = CallOutcome::Refused { report: refused, at: at(1), attempt: Some(1), conflict: false };
    let deferred = |reason, second: i64| CallOutcome::Deferred {
        report: report(reason),
        at: at(second),
        until: at(second + 20),
        attempt: None,
    };
    let lost =
        CallOutcome::Lost { report: report(Reason::RemoteUnavailable), until: at(35), attempt: 1, finished: false };
    let created = CallOutcome::Created { id: "id-1".into(), intent: intent(1, 1) };
    vec![
        ("refused", after(refused).with(|w| w.status.remote.answered_attempt = Some(1))),
        ("deferred", after(deferred(Reason::RateLimited, 1))),
        (
            "deferred, Ready before",
            settled().with(|w| w.state.last_outcome = Some(deferred(Reason::RateLimited, 3600))),
        ),
        ("response lost", after(lost)),
        (
            "response lost by an earlier process",
            fresh().with(|w| (w.state.finalizer, w.state.intent) = (true, Some(intent(1, -5)))),
        ),
        (
            "created, not visible yet",
            after(created).with(|w| {
                w.status.remote.id = Some("id-1".into());
                w.status.remote.applied_hash = Some(intent(1, 1).hash);
                w.status.remote.answered_attempt = Some(1);
                w.lookup.deleted_ids.push("id-1".into());
            }),
        ),
    ]
}

fn consent() -> Cases {
    let with_secret = |state| fresh_oauth().with(|w| w.oauth_secret = state);
    let expired = || awaiting_consent().with(|w| w.now += SignedDuration::from_mins(15));
    let dropped = awaiting_consent().with(|w| {
        w.lookup.observed.clear();
        w.lookup.deleted_ids.push("id-1".into());
        w.oauth_secret = OwnedSecret::Absent;
    });
    let adopted = fresh_oauth().with(|w| {
        w.observe(pending_consent("x", None));
        w.run_until_idle();
    });
    let without_link = |outcome: bool| {
        fresh_oauth().with(|w| {
            let intent = applink_operator::plan::state::Intent {
                hash: w.payload.as_ref().unwrap().hash.clone(),
                ..intent(1, -5)
            };
            w.observe(pending_consent("x", None));
            w.lookup.observed[0].detailed = true;
            (w.status.remote.id, w.status.remote.addon_id) = (Some("x".into()), Some(ADDON.into()));
            w.status.remote.applied_hash = Some(intent.hash.clone());
            w.status.remote.answered_attempt = Some(1);
            let created = CallOutcome::Created { id: "x".into(), intent: intent.clone() };
            w.state.last_outcome = outcome.then_some(created);
            (w.state.finalizer, w.state.intent, w.state.ready) = (true, Some(intent), !outcome);
        })
    };
    vec![
        ("consent awaited", awaiting_consent().with(|w| w.observe(pending_consent("id-1", Some(LINK))))),
        ("nobody consented", expired()),
        ("consent link dropped", dropped),
        ("consent of another client awaited", adopted),
        ("no consent link", without_link(true)),
        ("consent link lost", without_link(false)),
        ("OAuth Secret is foreign", with_secret(OwnedSecret::Foreign)),
        ("OAuth Secret of another resource", with_secret(OwnedSecret::OwnedByOther("Authorization batch".into()))),
        ("OAuth Secret of an earlier resource", with_secret(OwnedSecret::StaleOwner)),
        (
            "works after consent",
            awaiting_consent().with(|w| {
                w.observe(by_oauth(Phase::Ready));
                w.oauth_secret = OwnedSecret::Absent;
            }),
        ),
    ]
}

fn deletions() -> Cases {
    let deleting = || settled().with(|w| w.state.deleting = true);
    let refused = ConditionReport::stalled(Reason::RemoteRejected, "[refusal]");
    let refused = CallOutcome::Refused { report: refused, at: at(3600), attempt: None, conflict: false };
    let report = || ConditionReport::in_progress(Reason::RemoteUnavailable, "[cause]");
    vec![
        ("deletion, being disconnected", deleting().with(|w| w.observe(remote("id-1", Phase::Deleting)))),
        ("deletion, suspended", deleting().with(|w| w.policies.suspend = true)),
        ("deletion, outage", deleting().with(|w| w.addon = unusable(Reason::RemoteUnavailable, false))),
        ("deletion, no add-on", deleting().with(|w| w.addon = OwnerState::Missing)),
        ("deletion, refused", deleting().with(|w| w.state.last_outcome = Some(refused))),
        (
            "deletion, list fails",
            deleting().with(|w| {
                (w.lookup.observed, w.lookup.complete) = (vec![], false);
                (w.state.intent, w.lookup.deleted_ids) = (Some(intent(2, 3000)), vec!["id-1".into()]);
                w.lookup.outage = Some(Outage { report: report(), stale: false });
            }),
        ),
    ]
}

fn connections() -> Vec<Message> {
    let deleting = || settled().with(|w| w.state.deleting = true);
    let dependent = |object: &str, target: Option<&str>| connection::Dependent {
        object: object.into(),
        target: target.map(|id| Some(id.to_owned())),
        has_finalizer: true,
        deleting: false,
    };
    let data_cloud = || {
        deleting().with(|w| {
            w.spec.provider = Provider::DataCloud;
            w.status.remote.established_at = Some(at(0));
        })
    };
    let used = connection_plan(&deleting(), |s| s.dependents = vec![dependent("Publication orders-api", None)]);
    let targets = connection_plan(&data_cloud(), |s| {
        s.dependents = vec![dependent("DataActionTarget updates", Some("t-1"))];
    });
    let unreleased = connection_plan(&data_cloud(), |s| {
        s.targets = TargetListing { at: Some(at(3600)), seen: vec![("t-1".into(), "updates".into())] };
    });
    vec![
        message("Connection", "used by a Publication", &used),
        message("Connection", "used by a DataActionTarget", &targets),
        message("Connection", "would delete DataActionTargets", &unreleased),
    ]
}

fn authorizations() -> Vec<Message> {
    let first_write =
        |name: &str, state| never_written(|case| (case.recorded, case.wanted) = (None, secret(name, state)));
    let failing = |reason, since| {
        authorized().with(|case| {
            case.world.state.credentials =
                CredentialsState { failure: read_failure(reason, since, 3660), ..CredentialsState::default() };
        })
    };
    let missing = failing(Reason::RemoteRejected, 3595).with(|case| case.wanted = secret("kept", OwnedSecret::Absent));
    let cases = vec![
        ("credentials Secret is foreign", first_write("kept", OwnedSecret::Foreign)),
        (
            "credentials Secret of another resource",
            first_write("kept", OwnedSecret::OwnedByOther("Connection prod".into())),
        ),
        ("credentials Secret of an earlier resource", first_write("kept", OwnedSecret::StaleOwner)),
        ("credentials Secret is reserved", first_write(SECRET, OwnedSecret::Absent)),
        ("credential written", authorized()),
        ("credential out of date", failing(Reason::RemoteRejected, 3595)),
        ("credential missing", missing),
        (
            "credential unreadable, never Ready",
            failing(Reason::RemoteUnavailable, 3595).with(|case| case.world.state.ready = false),
        ),
    ];
    cases.into_iter().map(|(name, case)| message("Authorization", name, &case.plan())).collect()
}
