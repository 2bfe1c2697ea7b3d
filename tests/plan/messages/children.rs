//! Messages of the connection children: Publications and DataActionTargets.

use applink_operator::conditions::ConditionReport;
use applink_operator::crd::{AdoptionPolicy, ManagementPolicy, Reason, ReplacePolicy};
use applink_operator::facts::{Lookup, Outage, Phase};
use applink_operator::plan::kinds::{data_action_target, publication as publications};
use applink_operator::plan::remote::name_claim::NameClaim;
use applink_operator::plan::remote::{ConnectionState, OwnerState};
use applink_operator::plan::state::CallOutcome;

use jiff::{SignedDuration, Timestamp};

use super::{Message, message, unusable, unusable_input};
use crate::fixture::at;
use crate::publication_cases::{
    CONNECTION, document_changed, fresh, publish_sent, published_by_other, refused_publish, settled,
};
use crate::target_cases::{self, Case, remote};

fn claim() -> NameClaim {
    NameClaim { object: "crm/other".into(), holds: true, created: at(-20), uid: "uid-0".into() }
}

fn refusal(attempt: Option<i64>, at: Timestamp) -> CallOutcome {
    let report = ConditionReport::stalled(Reason::RemoteRejected, "[refusal]");
    CallOutcome::Refused { report, at, attempt, conflict: false }
}

fn deferral(reason: Reason, at: Timestamp) -> CallOutcome {
    let report = ConditionReport::in_progress(reason, "[cause]");
    CallOutcome::Deferred { report, at, until: at + SignedDuration::from_secs(20), attempt: None }
}

fn list_outage(stale: bool) -> Option<Outage> {
    Some(Outage { report: ConditionReport::in_progress(Reason::RemoteUnavailable, "[cause]"), stale })
}

fn deleting_connection(id: &str) -> ConnectionState {
    ConnectionState::Ready { id: id.into(), name: "production".into(), deleting: true }
}

fn missing_connection() -> ConnectionState {
    ConnectionState::Missing { name: "production".into() }
}

type PublicationCases = Vec<(&'static str, publications::Snapshot)>;

pub fn publication() -> Vec<Message> {
    let all = [publication_dependencies(), publication_calls(), publication_states()].concat();
    all.into_iter().map(|(name, snapshot)| message("Publication", name, &publications::plan(&snapshot))).collect()
}

fn edited(
    mut snapshot: publications::Snapshot,
    change: impl FnOnce(&mut publications::Snapshot),
) -> publications::Snapshot {
    change(&mut snapshot);
    snapshot
}

fn publication_dependencies() -> PublicationCases {
    let late = || fresh().with(|w| w.now = at(3)).snapshot();
    let was_ready = || settled().with(|w| w.state.ready = true).snapshot();
    let unknown = |s: &mut publications::Snapshot| (s.owner, s.owner_name) = (OwnerState::Missing, String::new());
    vec![
        ("no Connection", edited(late(), |s| s.connection = missing_connection())),
        ("add-on unknown", edited(late(), unknown)),
        (
            "Connection of another provider",
            edited(late(), |s| s.connection = ConnectionState::Invalid("[cause]".into())),
        ),
        ("Connection not ready", edited(late(), |s| s.connection = ConnectionState::NotReady("[cause]".into()))),
        ("Connection is being deleted", edited(late(), |s| s.connection = deleting_connection(CONNECTION))),
        ("no ConfigMap", edited(late(), |s| s.inputs = Err(unusable_input(Reason::ConfigMapNotFound)))),
        ("invalid document", edited(late(), |s| s.inputs = Err(unusable_input(Reason::InvalidSpec)))),
        ("no add-on", edited(late(), |s| s.owner = OwnerState::Missing)),
        ("add-on not ready", edited(late(), |s| s.owner = unusable(Reason::CredentialInvalid, false))),
        ("another add-on", edited(was_ready(), |s| s.owner = OwnerState::Ready { id: "addon-2".into() })),
        ("stale outage", edited(was_ready(), |s| s.owner = unusable(Reason::RemoteUnavailable, true))),
        ("rate limited, never Ready", edited(late(), |s| s.owner = unusable(Reason::RateLimited, false))),
        ("list fails", edited(was_ready(), |s| s.lookup.outage = list_outage(true))),
        ("app published by another resource", edited(late(), |s| s.name_claims.push(claim()))),
    ]
}

fn publication_calls() -> PublicationCases {
    let refused = |adopted: bool| {
        let mut world = if adopted { published_by_other() } else { publish_sent() };
        if adopted {
            let step = world.plan().steps.remove(0);
            world.execute(&step);
        }
        world.state.last_outcome = world.state.intent.as_ref().map(|intent| refused_publish(false, intent));
        world.status = world.plan().status;
        world.snapshot()
    };
    let lost = |ready: bool| {
        publish_sent().with(|w| {
            let report = ConditionReport::in_progress(Reason::RemoteUnavailable, "[cause]");
            let until = w.now + SignedDuration::from_secs(30);
            w.state.last_outcome = Some(CallOutcome::Lost { report, until, attempt: 2, finished: false });
            w.state.ready = ready;
        })
    };
    let contested = settled().with(|w| {
        w.observe("x");
        w.state.reason = Some(Reason::Contested);
    });
    let replacing = document_changed().with(|w| {
        w.state.replace = Some("now".into());
        w.state.ready = true;
    });
    let invisible = || {
        settled().with(|w| {
            w.lookup.observed.clear();
            w.lookup.deleted_ids = vec!["app-1".into()];
            w.status.remote.remote_status = None;
            w.status.last_published_at = Some(at(3590));
        })
    };
    vec![
        ("refused", refused(false)),
        ("refused, adopted", refused(true)),
        ("deferred", fresh().with(|w| w.state.last_outcome = Some(deferral(Reason::RateLimited, at(1)))).snapshot()),
        (
            "deferred, Ready before",
            document_changed()
                .with(|w| w.state.last_outcome = Some(deferral(Reason::RateLimited, at(3600))))
                .snapshot(),
        ),
        ("response lost", lost(false).snapshot()),
        ("response lost, Ready before", lost(true).snapshot()),
        ("response lost by an earlier process", publish_sent().with(|w| w.state.ready = false).snapshot()),
        ("republished too often", contested.snapshot()),
        ("replaced", replacing.snapshot()),
        ("published, not visible yet", invisible().snapshot()),
        ("deletion, not visible yet", invisible().with(|w| w.state.deleting = true).snapshot()),
        ("incomplete listing", fresh().with(|w| (w.lookup.complete, w.now) = (false, at(40))).snapshot()),
    ]
}

fn publication_states() -> PublicationCases {
    let observed = |w: &mut crate::publication_cases::World| w.policies.management = ManagementPolicy::Observe;
    let deleting = || settled().with(|w| w.state.deleting = true).snapshot();
    vec![
        ("published", settled().snapshot()),
        ("observed", published_by_other().with(observed).snapshot()),
        ("observed, absent", fresh().with(observed).snapshot()),
        ("suspended", settled().with(|w| w.policies.suspend = true).snapshot()),
        ("adoptionPolicy Never", published_by_other().with(|w| w.policies.adoption = AdoptionPolicy::Never).snapshot()),
        ("deletion, outage", edited(deleting(), |s| s.owner = unusable(Reason::RemoteUnavailable, false))),
        ("deletion, refused", edited(deleting(), |s| s.state.last_outcome = Some(refusal(None, at(3600))))),
        ("replaced after a conflict", {
            let mut world = publish_sent();
            world.policies.replacement = ReplacePolicy::DeleteAndRecreate;
            world.state.last_outcome = world.state.intent.as_ref().map(|intent| refused_publish(true, intent));
            world.status = world.plan().status;
            world.snapshot()
        }),
    ]
}

pub fn target() -> Vec<Message> {
    let all = [target_dependencies(), target_states()].concat();
    all.into_iter()
        .map(|(name, snapshot)| message("DataActionTarget", name, &data_action_target::plan(&snapshot)))
        .collect()
}

type TargetCases = Vec<(&'static str, data_action_target::Snapshot)>;

fn with(case: Case, change: impl FnOnce(&mut data_action_target::Snapshot)) -> data_action_target::Snapshot {
    let mut snapshot = case.snapshot();
    change(&mut snapshot);
    snapshot
}

fn target_dependencies() -> TargetCases {
    let unknown = |s: &mut data_action_target::Snapshot| (s.owner, s.owner_name) = (OwnerState::Missing, String::new());
    vec![
        ("no Connection", with(target_cases::fresh(), |s| s.connection = missing_connection())),
        ("add-on unknown", with(target_cases::fresh(), unknown)),
        (
            "Connection of another provider",
            with(target_cases::fresh(), |s| s.connection = ConnectionState::Invalid("[cause]".into())),
        ),
        (
            "Connection not ready",
            with(target_cases::fresh(), |s| s.connection = ConnectionState::NotReady("[cause]".into())),
        ),
        (
            "Connection is being deleted",
            with(target_cases::fresh(), |s| s.connection = deleting_connection(target_cases::CONNECTION)),
        ),
        ("no add-on", with(target_cases::fresh(), |s| s.owner = OwnerState::Missing)),
        ("add-on not ready", with(target_cases::fresh(), |s| s.owner = unusable(Reason::CredentialInvalid, false))),
        (
            "another add-on",
            with(target_cases::fresh().created(), |s| s.owner = OwnerState::Ready { id: "addon-2".into() }),
        ),
        (
            "stale outage",
            with(target_cases::fresh().created(), |s| s.owner = unusable(Reason::RemoteUnavailable, true)),
        ),
        ("rate limited, never Ready", with(target_cases::fresh(), |s| s.owner = unusable(Reason::RateLimited, false))),
        ("list fails", with(target_cases::fresh().created(), |s| s.lookup.outage = list_outage(true))),
        ("name taken", with(target_cases::fresh(), |s| s.name_claims.push(claim()))),
    ]
}

fn target_states() -> TargetCases {
    let phase = |phase| target_cases::fresh().created().with(|c| c.observe(remote("id-1", phase)));
    let deleted = |s: &mut data_action_target::Snapshot| {
        (s.lookup, s.state.reason) = (Lookup { complete: true, ..Lookup::default() }, Some(Reason::Contested));
        s.lookup.deleted_ids = vec!["id-1".into()];
    };
    let refused = |s: &mut data_action_target::Snapshot| {
        s.state.last_outcome = Some(refusal(Some(1), at(99)));
        s.status.remote.answered_attempt = Some(1);
        s.state.intent.as_mut().unwrap().at = at(99);
    };
    let existing = || target_cases::fresh().with(|c| c.observe(remote("x", Phase::Ready)));
    let observe = |s: &mut data_action_target::Snapshot| s.policies.management = ManagementPolicy::Observe;
    vec![
        ("created", target_cases::fresh().created().snapshot()),
        ("created without app ID", with(target_cases::fresh().created(), |s| s.app_id_set = false)),
        ("suspended", with(target_cases::fresh().created(), |s| s.policies.suspend = true)),
        ("failed", phase(Phase::Failed).snapshot()),
        ("failed without app ID", with(phase(Phase::Failed), |s| s.app_id_set = false)),
        ("pending", phase(Phase::Pending).snapshot()),
        ("being deleted", phase(Phase::Deleting).snapshot()),
        ("recreated too often", with(target_cases::fresh().created(), deleted)),
        ("refused", with(target_cases::fresh().with_intent(target_cases::CONNECTION), refused)),
        (
            "deferred",
            with(target_cases::fresh(), |s| s.state.last_outcome = Some(deferral(Reason::RateLimited, at(99)))),
        ),
        ("incomplete listing", with(target_cases::fresh(), |s| s.lookup.complete = false)),
        ("adoptionPolicy Never", with(existing(), |s| s.policies.adoption = AdoptionPolicy::Never)),
        ("adoption, another label", with(existing(), |s| s.lookup.observed[0].object.label = Some("other".into()))),
        ("observed, absent", with(target_cases::fresh(), observe)),
        ("deletion, not released", target_cases::fresh().created().deleting().snapshot()),
        (
            "deletion, response lost",
            with(target_cases::fresh().with_intent(target_cases::CONNECTION).deleting(), |s| {
                s.state.intent.as_mut().unwrap().at = at(90);
                s.state.first_seen = at(95);
            }),
        ),
        ("deletion, suspended", with(target_cases::fresh().created().deleting(), |s| s.policies.suspend = true)),
    ]
}
