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
use crate::adopt_cases::first;
use crate::cases::contested;
use crate::consent_cases::{awaiting, by_oauth, declared};
use crate::fixture::{ADDON, SECRET, World, at, desired, fresh, intent, pending, planned, remote, settled};
use crate::keep_cases::{kept, there, unread, unwritten};

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
    planned("Connection", &snapshot, connection::plan)
}

type Cases = Vec<(&'static str, World)>;

fn late() -> World {
    fresh().with(|w| w.now = at(3))
}

fn dependencies() -> Cases {
    let list_outage = |stale| {
        let report = ConditionReport::in_progress(Reason::RemoteUnavailable, "[cause]");
        settled().with(|w| w.live.outage = Some(Outage { report, stale }))
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
    let input = |reason| late().with(|w| w.desired = Err(unusable_input(reason)));
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
                w.desired = Err(unusable_input(Reason::InvalidSecret));
                w.see(remote("id-1", Phase::Failed));
            }),
        ),
        ("name taken", fresh().with(|w| w.name_claims.push(claim))),
        ("adoptionPolicy Never", first(|_| {}).with(|w| w.policies.adoption = AdoptionPolicy::Never)),
        ("adoption, it has failed", first(|r| r.phase = Phase::Failed)),
        ("adoption, another provider", first(|r| r.provider = Some(Provider::DataCloud))),
        ("adoption, provider unknown", first(|r| r.provider = None)),
        ("adoption, another method", first(|r| r.method = Some(AuthMethod::OAuth))),
        ("adoption, another user", first(|r| r.org.username = Some("else@example.com".into()))),
        ("adoption, not the expected user", first(|_| {}).with(expecting)),
        ("adoption, org unknown", first(|r| r.org.username = None).with(expecting)),
        ("adoption, being disconnected", first(|r| r.phase = Phase::Deleting)),
        ("incomplete listing", fresh().with(|w| (w.live.complete, w.now) = (false, at(40)))),
    ]
}

fn phases() -> Cases {
    let turned = |phase| settled().with(move |w| w.see(remote("id-1", phase)));
    let begun = |phase| {
        fresh().with(move |w| {
            (w.state.finalizer, w.state.intent) = (true, Some(intent(1, 1)));
            w.see(remote("id-1", phase));
        })
    };
    let rotated = || settled().with(|w| w.desired = Ok(desired("b3RoZXI=")));
    let org = |id: Option<&str>| Org { id: id.map(str::to_owned), ..Org::default() };
    let expecting = |actual: Option<&str>| {
        settled().with(|w| {
            w.spec.expect = Some(Expect { org_id: Some("00D000000000002".into()), username: None });
            w.live.observed[0].object.org = org(actual);
            w.live.observed[0].detailed = true;
        })
    };
    vec![
        ("works", settled()),
        ("suspended", settled().with(|w| w.policies.suspend = true)),
        ("pending", begun(Phase::Pending)),
        ("pending for too long", begun(Phase::Pending).with(|w| w.now = at(902))),
        ("failed", turned(Phase::Failed)),
        (
            "failed with a cause",
            turned(Phase::Failed).with(|w| w.live.observed[0].object.error = Some("[error].".into())),
        ),
        ("somebody else disconnects it", turned(Phase::Deleting)),
        ("another org", expecting(Some("00D000000000001"))),
        ("org unknown", expecting(None)),
        ("changed inputs", rotated()),
        ("changed inputs, and it has failed", rotated().with(|w| w.see(remote("id-1", Phase::Failed)))),
        ("replaced", rotated().with(|w| w.policies.replacement = ReplacePolicy::DeleteAndRecreate)),
        ("observed, absent", fresh().with(|w| w.policies.management = ManagementPolicy::Observe)),
        (
            "observed, being deleted",
            fresh().with(|w| {
                w.policies.management = ManagementPolicy::Observe;
                w.see(remote("x", Phase::Deleting));
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
        ("answer lost", after(lost)),
        (
            "answer lost by an earlier process",
            fresh().with(|w| (w.state.finalizer, w.state.intent) = (true, Some(intent(1, -5)))),
        ),
        (
            "created, not visible yet",
            after(created).with(|w| {
                w.status.remote.id = Some("id-1".into());
                w.status.remote.applied_hash = Some(intent(1, 1).hash);
                w.status.remote.answered_attempt = Some(1);
                w.live.deleted_ids.push("id-1".into());
            }),
        ),
    ]
}

fn consent() -> Cases {
    let secret = |state| declared().with(|w| w.oauth_secret_state = state);
    let expired = || awaiting().with(|w| w.now += SignedDuration::from_mins(15));
    let dropped = awaiting().with(|w| {
        w.live.observed.clear();
        w.live.deleted_ids.push("id-1".into());
        w.oauth_secret_state = OwnedSecret::Absent;
    });
    let adopted = declared().with(|w| {
        w.see(pending("x", None));
        w.run();
    });
    let without_link = |outcome: bool| {
        declared().with(|w| {
            let intent = applink_operator::plan::state::Intent {
                hash: w.desired.as_ref().unwrap().hash.clone(),
                ..intent(1, -5)
            };
            w.see(pending("x", None));
            w.live.observed[0].detailed = true;
            (w.status.remote.id, w.status.remote.addon_id) = (Some("x".into()), Some(ADDON.into()));
            w.status.remote.applied_hash = Some(intent.hash.clone());
            w.status.remote.answered_attempt = Some(1);
            let created = CallOutcome::Created { id: "x".into(), intent: intent.clone() };
            w.state.last_outcome = outcome.then_some(created);
            (w.state.finalizer, w.state.intent, w.state.ready) = (true, Some(intent), !outcome);
        })
    };
    vec![
        ("consent awaited", awaiting().with(|w| w.see(pending("id-1", Some(LINK))))),
        ("nobody consented", expired()),
        ("consent link dropped", dropped),
        ("somebody else's consent awaited", adopted),
        ("no consent link", without_link(true)),
        ("consent link lost", without_link(false)),
        ("OAuth Secret is foreign", secret(OwnedSecret::Foreign)),
        ("OAuth Secret of another resource", secret(OwnedSecret::OwnedByOther("Authorization batch".into()))),
        ("OAuth Secret of an earlier resource", secret(OwnedSecret::StaleOwner)),
        (
            "works after consent",
            awaiting().with(|w| {
                w.see(by_oauth(Phase::Ready));
                w.oauth_secret_state = OwnedSecret::Absent;
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
        ("deletion, AppLink is at work", deleting().with(|w| w.see(remote("id-1", Phase::Deleting)))),
        ("deletion, suspended", deleting().with(|w| w.policies.suspend = true)),
        ("deletion, outage", deleting().with(|w| w.addon = unusable(Reason::RemoteUnavailable, false))),
        ("deletion, no add-on", deleting().with(|w| w.addon = OwnerState::Missing)),
        ("deletion, refused", deleting().with(|w| w.state.last_outcome = Some(refused))),
        (
            "deletion, list fails",
            deleting().with(|w| {
                (w.live.observed, w.live.complete) = (vec![], false);
                (w.state.intent, w.live.deleted_ids) = (Some(intent(2, 3000)), vec!["id-1".into()]);
                w.live.outage = Some(Outage { report: report(), stale: false });
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
        message("Connection", "would delete targets", &unreleased),
    ]
}

fn authorizations() -> Vec<Message> {
    let place = |secret: &str, state| unwritten(|k| (k.kept, k.wanted) = (None, there(secret, state)));
    let failing = |reason, since| {
        kept().with(|k| {
            k.world.state.credentials =
                CredentialsState { failure: unread(reason, since, 3660), ..CredentialsState::default() };
        })
    };
    let missing = failing(Reason::RemoteRejected, 3595).with(|k| k.wanted = there("kept", OwnedSecret::Absent));
    let cases = vec![
        ("credentials Secret is foreign", place("kept", OwnedSecret::Foreign)),
        ("credentials Secret of another resource", place("kept", OwnedSecret::OwnedByOther("Connection prod".into()))),
        ("credentials Secret of an earlier resource", place("kept", OwnedSecret::StaleOwner)),
        ("credentials Secret is reserved", place(SECRET, OwnedSecret::Absent)),
        ("credential kept", kept()),
        ("credential out of date", failing(Reason::RemoteRejected, 3595)),
        ("credential missing", missing),
        (
            "credential unreadable, never Ready",
            failing(Reason::RemoteUnavailable, 3595).with(|k| k.world.state.ready = false),
        ),
    ];
    cases.into_iter().map(|(name, keeping)| message("Authorization", name, &keeping.plan())).collect()
}
