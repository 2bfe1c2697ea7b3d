//! Plans of a Connection that uses OAuth. One line is one case.

use applink_operator::crd::Reason;
use applink_operator::facts::{Phase, RemoteOrgAccess};
use applink_operator::plan::Step;
use applink_operator::plan::inputs::OrgAccessPayload;
use applink_operator::plan::remote::OwnedSecret;
use applink_operator::plan::state::CallOutcome;
use jiff::SignedDuration;
use serde_json::json;

use crate::fixture::{NAME, SECRET, World, assert_plans, at, fresh, intent, pending_consent, remote, spec};

const LINK: Option<&str> = Some("https://login/?state=ey");

/// A new Connection that uses OAuth.
pub fn fresh_oauth() -> World {
    fresh().with(|w| {
        w.spec = spec(|s| (s["jwt"], s["oauth"]) = (json!(null), json!({})));
        w.payload = OrgAccessPayload::by_oauth(NAME, &w.spec, SECRET);
    })
}

/// The OAuth Secret of this remote object.
pub fn owned_for(id: &str) -> OwnedSecret {
    OwnedSecret::Owned { id: Some(id.into()) }
}

/// The consent link is in the OAuth Secret, and nobody has opened it yet.
pub fn awaiting_consent() -> World {
    let mut world = fresh_oauth();
    world.run_until_idle();
    assert_eq!(world.recorded_reason(), "AwaitingUser");
    world
}

/// The remote connection after its consent link ended.
pub fn by_oauth(phase: Phase) -> RemoteOrgAccess {
    RemoteOrgAccess { phase, link: None, ..pending_consent("id-1", None) }
}

#[test]
fn new_facts_wait_for_the_next_status_write() {
    let dated = |phase| RemoteOrgAccess { created_at: Some("2026-01-01T00:00:00Z".into()), ..by_oauth(phase) };
    let waiting = awaiting_consent().with(|w| w.observe(dated(Phase::Pending)));
    assert_eq!((waiting.recorded_reason(), &waiting.plan().status), ("AwaitingUser", &waiting.status));
    let mut connected = waiting;
    connected.observe(dated(Phase::Ready));
    connected.run_until_idle();
    assert_eq!((connected.recorded_reason(), connected.status.remote.created_at.is_some()), ("Connected", true));
}

#[test]
fn the_consent_link_of_a_created_object_goes_to_the_secret() {
    let with_intent = |link: Option<&'static str>| {
        fresh_oauth().with(move |w| {
            let mut intent = intent(1, -5);
            intent.hash.clone_from(&w.payload.as_ref().unwrap().hash);
            (w.state.finalizer, w.state.intent) = (true, Some(intent));
            w.observe(pending_consent("x", link));
        })
    };
    let known_by_get = |link| with_intent(link).with(|w| w.lookup.observed[0].detailed = true);
    assert_plans(vec![
        ("no remote object", fresh_oauth(), "write intent 1, create prod"),
        ("OAuth Secret is foreign", fresh_oauth().with(|w| w.oauth_secret = OwnedSecret::Foreign), "InvalidSpec"),
        (
            "OAuth Secret of an earlier resource",
            fresh_oauth().with(|w| w.oauth_secret = OwnedSecret::StaleOwner),
            "Creating",
        ),
        ("earlier process created it, the list has the link", with_intent(LINK), "write OAuth Secret for x"),
        ("earlier process created it, the list has no link", with_intent(None), "get x"),
        (
            "earlier process created it and wrote the Secret",
            with_intent(None).with(|w| w.oauth_secret = owned_for("x")),
            "await remote: AwaitingUser",
        ),
        ("earlier process created it, a get has no link", known_by_get(None), "note"),
        (
            "earlier process created it, a get has no link, ID recorded",
            with_status_written(known_by_get(None)),
            "write intent 2, delete x, write intent 3, create prod",
        ),
        (
            "this process created it, the response had no link",
            with_status_written(known_by_get(None))
                .with(|w| w.state.last_outcome = Some(CallOutcome::Created { id: "x".into(), intent: intent(1, -5) })),
            "RemoteFailed",
        ),
    ]);
}

/// The same world after the plan's status is written.
pub fn with_status_written(world: World) -> World {
    world.with(|w| w.status = w.plan().status)
}

#[test]
fn consent_has_15_minutes_and_a_request_starts_over() {
    let expired = || awaiting_consent().with(|w| w.now += SignedDuration::from_mins(15));
    let reconcile_requested = |w: &mut World| (w.state.requested, w.state.changed_at) = (Some("now".to_owned()), w.now);
    assert_plans(vec![
        ("no consent yet", awaiting_consent(), "await remote: AwaitingUser"),
        ("reconcile requested", awaiting_consent().with(reconcile_requested), "poll"),
        (
            "reconcile requested, polled since",
            awaiting_consent().with(reconcile_requested).with(|w| w.execute(&Step::Poll)),
            "await remote: AwaitingUser",
        ),
        (
            "OAuth Secret missing",
            awaiting_consent().with(|w| w.oauth_secret = OwnedSecret::Absent),
            "write OAuth Secret for id-1",
        ),
        ("OAuth Secret is foreign", awaiting_consent().with(|w| w.oauth_secret = OwnedSecret::Foreign), "InvalidSpec"),
        ("consent given", awaiting_consent().with(|w| w.observe(by_oauth(Phase::Ready))), "delete OAuth Secret"),
        ("consent refused", awaiting_consent().with(|w| w.observe(by_oauth(Phase::Failed))), "delete OAuth Secret"),
        ("expired", expired(), "AuthorizationExpired"),
        ("expired, reconcile requested", expired().with(reconcile_requested), "get id-1"),
        (
            "expired, reconcile requested, a get shows no consent",
            expired().with(|w| {
                reconcile_requested(w);
                w.execute(&w.plan().steps[0].clone());
            }),
            "write intent 2, delete id-1, write intent 3, create prod",
        ),
        (
            "expired, consent given after all",
            expired().with(|w| w.observe(by_oauth(Phase::Ready))),
            "delete OAuth Secret",
        ),
        ("AppLink deleted it", deleted_remotely(awaiting_consent()), "delete OAuth Secret"),
        (
            "AppLink deleted it, reconcile requested",
            deleted_remotely(awaiting_consent()).with(reconcile_requested),
            "write intent 2, create prod",
        ),
        (
            "login URL changed",
            awaiting_consent().with(|w| {
                w.spec.login_url = "https://test.salesforce.com".into();
                w.payload = OrgAccessPayload::by_oauth(NAME, &w.spec, SECRET);
            }),
            "write intent 2, delete id-1, write intent 3, create prod",
        ),
        (
            "auth method changed to JWT",
            awaiting_consent().with(|w| (w.spec, w.payload) = (fresh().spec, fresh().payload)),
            "delete OAuth Secret",
        ),
    ]);
}

/// A get confirmed that AppLink deleted the object.
pub fn deleted_remotely(world: World) -> World {
    world.with(|w| {
        w.lookup.observed.clear();
        w.lookup.deleted_ids.push("id-1".into());
    })
}

#[test]
fn the_status_names_the_oauth_secret_while_it_exists() {
    let mut world = awaiting_consent();
    assert_eq!(world.status.oauth_secret_name.as_deref(), Some(SECRET));
    world.observe(by_oauth(Phase::Ready));
    let executed: Vec<_> = world.run_until_idle().iter().map(ToString::to_string).collect();
    assert_eq!((executed, world.recorded_reason()), (vec!["delete OAuth Secret".to_owned()], "Connected"));
    assert_eq!((world.status.oauth_secret_name.as_deref(), &world.oauth_secret), (None, &OwnedSecret::Absent));

    let mut world = deleted_remotely(awaiting_consent());
    world.run_until_idle();
    assert_eq!((world.recorded_reason(), world.status.oauth_secret_name.as_deref()), ("AuthorizationExpired", None));
    (world.state.requested, world.state.changed_at) = (Some("now".to_owned()), world.now);
    world.run_until_idle();
    assert_eq!((world.recorded_reason(), world.status.remote.id.as_deref()), ("AwaitingUser", Some("id-2")));

    let mut world = awaiting_consent().with(|w| w.now += SignedDuration::from_mins(15));
    world.run_until_idle();
    assert_eq!(
        (world.recorded_reason(), world.status.oauth_secret_name.as_deref()),
        ("AuthorizationExpired", Some(SECRET))
    );
    (world.state.requested, world.state.changed_at) = (Some("now".to_owned()), world.now);
    world.run_until_idle();
    assert_eq!((world.recorded_reason(), &world.oauth_secret), ("AwaitingUser", &owned_for("id-3")));
}

#[test]
fn a_restarted_consent_continues_after_a_crash() {
    let mut world = awaiting_consent().with(|w| w.now += SignedDuration::from_mins(15));
    world.run_until_idle();
    (world.state.requested, world.state.changed_at) = (Some("now".to_owned()), world.now);
    // The process gets the object, writes the intent, and crashes.
    for _ in 0..2 {
        let plan = world.plan();
        world.execute(&plan.steps[0]);
    }
    world.now += SignedDuration::from_secs(1);
    (world.state.first_seen, world.state.changed_at, world.state.last_outcome) = (world.now, world.now, None);
    assert_eq!(world.summary(), "delete id-1, write intent 3, create prod");
    // The next process deletes the object, and crashes too.
    world.execute(&world.plan().steps[0].clone());
    (world.state.first_seen, world.state.changed_at) = (world.now, world.now);
    (world.state.last_outcome, world.lookup.complete) = (None, true);
    assert_eq!(
        world.summary(),
        "write intent 3, create prod",
        "no create was sent for that intent, so none can still arrive"
    );
}

#[test]
fn a_consent_that_another_client_started_is_not_deleted() {
    let adopted = fresh_oauth().with(|w| {
        w.observe(pending_consent("x", None));
        w.run_until_idle();
    });
    assert_eq!((adopted.recorded_reason(), adopted.status.remote.id.as_deref()), ("Connecting", Some("x")));
    let late = adopted.clone().with(|w| w.now += SignedDuration::from_mins(15));
    assert_eq!(late.summary(), "AuthorizationExpired");
    let connected = adopted.with(|w| w.observe(RemoteOrgAccess { id: "x".into(), ..by_oauth(Phase::Ready) }));
    assert_eq!(connected.summary(), "Connected");
}

#[test]
fn the_org_and_user_that_consented_must_be_the_expected_ones() {
    let expecting = |org: &str, user: &str| {
        let (org, user) = (org.to_owned(), user.to_owned());
        awaiting_consent().with(move |w| {
            w.spec = spec(|s| {
                (s["jwt"], s["oauth"]) = (json!(null), json!({}));
                s["expect"] = json!({"orgID": "00DSG000007a3BZ", "username": "admin@example.com"});
            });
            let mut object = by_oauth(Phase::Ready);
            (object.org.id, object.org.username) = (Some(org).filter(|o| !o.is_empty()), Some(user));
            w.observe(object);
            w.oauth_secret = OwnedSecret::Absent;
        })
    };
    let expected = || expecting("00DSG000007a3BZ2AY", "Admin@example.com");
    assert_plans(vec![
        ("expected org and user", expected(), "Connected"),
        ("another org", expecting("00DSG000007a3BY2AY", "admin@example.com"), "OrgMismatch"),
        ("another user", expecting("00DSG000007a3BZ2AY", "else@example.com"), "OrgMismatch"),
        ("the list has no org", expecting("", "admin@example.com"), "get id-1"),
        (
            "a get has no org",
            expecting("", "admin@example.com").with(|w| w.lookup.observed[0].detailed = true),
            "await remote: Connecting",
        ),
        (
            "another org, replace requested",
            expecting("00DSG000007a3BY2AY", "admin@example.com").with(|w| w.state.replace = Some("1".into())),
            "write intent 2, delete id-1, write intent 3, create prod",
        ),
    ]);
    let failed = fresh_oauth().with(|w| {
        w.observe(remote("id-1", Phase::Failed));
        (w.state.finalizer, w.state.intent, w.now) = (true, Some(intent(1, 1)), at(2));
    });
    assert_ne!(failed.summary(), Reason::Connected.as_str());
}
