//! What comes out for a Connection by OAuth: one line a case.

use applink_operator::crd::Reason;
use applink_operator::facts::{Phase, RemoteOrgAccess};
use applink_operator::plan::Step;
use applink_operator::plan::inputs::OrgAccessPayload;
use applink_operator::plan::remote::OwnedSecret;
use applink_operator::plan::state::CallOutcome;
use jiff::SignedDuration;
use serde_json::json;

use crate::fixture::{NAME, SECRET, World, at, fresh, intent, pending, remote, spec, table};

const LINK: Option<&str> = Some("https://login/?state=ey");

/// Nothing done yet, and it is to be by OAuth.
pub fn declared() -> World {
    fresh().with(|w| {
        w.spec = spec(|s| (s["jwt"], s["oauth"]) = (json!(null), json!({})));
        w.desired = OrgAccessPayload::by_oauth(NAME, &w.spec, SECRET);
    })
}

pub fn ours(id: &str) -> OwnedSecret {
    OwnedSecret::Owned { id: Some(id.into()) }
}

/// The link is handed over, and nobody has opened it yet.
pub fn awaiting() -> World {
    let mut world = declared();
    world.run();
    assert_eq!(world.told(), "AwaitingUser");
    world
}

pub fn by_oauth(phase: Phase) -> RemoteOrgAccess {
    RemoteOrgAccess { phase, link: None, ..pending("id-1", None) }
}

#[test]
fn what_a_list_tells_beside_is_written_with_the_next_word() {
    let tells = |phase| RemoteOrgAccess { created_at: Some("2026-01-01T00:00:00Z".into()), ..by_oauth(phase) };
    let waits = awaiting().with(|w| w.see(tells(Phase::Pending)));
    assert_eq!((waits.told(), &waits.plan().status), ("AwaitingUser", &waits.status));
    let mut done = waits;
    done.see(tells(Phase::Ready));
    done.run();
    assert_eq!((done.told(), done.status.remote.created_at.is_some()), ("Connected", true));
}

#[test]
fn a_link_is_asked_for_and_handed_over() {
    let given = |link: Option<&'static str>| {
        declared().with(move |w| {
            let mut intent = intent(1, -5);
            intent.hash.clone_from(&w.desired.as_ref().unwrap().hash);
            (w.state.finalizer, w.state.intent) = (true, Some(intent));
            w.see(pending("x", link));
        })
    };
    let known = |link| given(link).with(|w| w.live.observed[0].detailed = true);
    table(vec![
        ("nothing there", declared(), "write intent 1, create prod"),
        ("its Secret is another's", declared().with(|w| w.oauth_secret_state = OwnedSecret::Foreign), "InvalidSpec"),
        (
            "its Secret is an earlier one's",
            declared().with(|w| w.oauth_secret_state = OwnedSecret::StaleOwner),
            "Creating",
        ),
        ("its process died, and lists tell the link", given(LINK), "write OAuth Secret for x"),
        ("its process died, and lists do not", given(None), "get x"),
        (
            "its process died, the Secret is written",
            given(None).with(|w| w.oauth_secret_state = ours("x")),
            "await remote: AwaitingUser",
        ),
        ("its process died, and the link was told once", known(None), "note"),
        ("that it is ours is put down", recorded(known(None)), "write intent 2, delete x, write intent 3, create prod"),
        (
            "the service told none",
            recorded(known(None))
                .with(|w| w.state.last_outcome = Some(CallOutcome::Created { id: "x".into(), intent: intent(1, -5) })),
            "RemoteFailed",
        ),
    ]);
}

/// The same, once what it notes is written down.
pub fn recorded(world: World) -> World {
    world.with(|w| w.status = w.plan().status)
}

#[test]
fn consent_is_waited_for() {
    let expired = || awaiting().with(|w| w.now += SignedDuration::from_mins(15));
    let asked = |w: &mut World| (w.state.requested, w.state.changed_at) = (Some("now".to_owned()), w.now);
    table(vec![
        ("nobody yet", awaiting(), "await remote: AwaitingUser"),
        ("asked meanwhile", awaiting().with(asked), "poll"),
        (
            "asked meanwhile, and looked",
            awaiting().with(asked).with(|w| w.perform(&Step::Poll)),
            "await remote: AwaitingUser",
        ),
        (
            "somebody removed the Secret",
            awaiting().with(|w| w.oauth_secret_state = OwnedSecret::Absent),
            "write OAuth Secret for id-1",
        ),
        ("somebody put another there", awaiting().with(|w| w.oauth_secret_state = OwnedSecret::Foreign), "InvalidSpec"),
        ("given", awaiting().with(|w| w.see(by_oauth(Phase::Ready))), "delete OAuth Secret"),
        ("refused", awaiting().with(|w| w.see(by_oauth(Phase::Failed))), "delete OAuth Secret"),
        ("not in time", expired(), "AuthorizationExpired"),
        ("not in time, and asked to start over", expired().with(asked), "get id-1"),
        (
            "not in time, asked to start over, and nobody has just consented",
            expired().with(|w| {
                asked(w);
                w.perform(&w.plan().steps[0].clone());
            }),
            "write intent 2, delete id-1, write intent 3, create prod",
        ),
        ("too late, but given", expired().with(|w| w.see(by_oauth(Phase::Ready))), "delete OAuth Secret"),
        ("the service dropped it", gone(awaiting()), "delete OAuth Secret"),
        (
            "the service dropped it, and asked to start over",
            gone(awaiting()).with(asked),
            "write intent 2, create prod",
        ),
        (
            "other login URL",
            awaiting().with(|w| {
                w.spec.login_url = "https://test.salesforce.com".into();
                w.desired = OrgAccessPayload::by_oauth(NAME, &w.spec, SECRET);
            }),
            "write intent 2, delete id-1, write intent 3, create prod",
        ),
        (
            "by a key now",
            awaiting().with(|w| (w.spec, w.desired) = (fresh().spec, fresh().desired)),
            "delete OAuth Secret",
        ),
    ]);
}

pub fn gone(world: World) -> World {
    world.with(|w| {
        w.live.observed.clear();
        w.live.deleted_ids.push("id-1".into());
    })
}

#[test]
fn each_way_has_its_end() {
    let mut world = awaiting();
    assert_eq!(world.status.oauth_secret_name.as_deref(), Some(SECRET));
    world.see(by_oauth(Phase::Ready));
    let taken: Vec<_> = world.run().iter().map(ToString::to_string).collect();
    assert_eq!((taken, world.told()), (vec!["delete OAuth Secret".to_owned()], "Connected"));
    assert_eq!((world.status.oauth_secret_name.as_deref(), &world.oauth_secret_state), (None, &OwnedSecret::Absent));

    let mut world = gone(awaiting());
    world.run();
    assert_eq!((world.told(), world.status.oauth_secret_name.as_deref()), ("AuthorizationExpired", None));
    (world.state.requested, world.state.changed_at) = (Some("now".to_owned()), world.now);
    world.run();
    assert_eq!((world.told(), world.status.remote.id.as_deref()), ("AwaitingUser", Some("id-2")));

    let mut world = awaiting().with(|w| w.now += SignedDuration::from_mins(15));
    world.run();
    assert_eq!((world.told(), world.status.oauth_secret_name.as_deref()), ("AuthorizationExpired", Some(SECRET)));
    (world.state.requested, world.state.changed_at) = (Some("now".to_owned()), world.now);
    world.run();
    assert_eq!((world.told(), &world.oauth_secret_state), ("AwaitingUser", &ours("id-3")));
}

#[test]
fn a_death_in_the_midst_of_a_new_start_is_made_good() {
    let mut world = awaiting().with(|w| w.now += SignedDuration::from_mins(15));
    world.run();
    (world.state.requested, world.state.changed_at) = (Some("now".to_owned()), world.now);
    // Looked, and gave the word; then it dies.
    for _ in 0..2 {
        let plan = world.plan();
        world.perform(&plan.steps[0]);
    }
    world.now += SignedDuration::from_secs(1);
    (world.state.first_seen, world.state.changed_at, world.state.last_outcome) = (world.now, world.now, None);
    assert_eq!(world.says(), "delete id-1, write intent 3, create prod");
    // It deletes, and dies again.
    world.perform(&world.plan().steps[0].clone());
    (world.state.first_seen, world.state.changed_at) = (world.now, world.now);
    (world.state.last_outcome, world.live.complete) = (None, true);
    assert_eq!(world.says(), "write intent 3, create prod", "nothing was posted under that word: no need to wait");
}

#[test]
fn somebody_elses_consent_is_waited_for_and_not_taken_away() {
    let adopted = declared().with(|w| {
        w.see(pending("x", None));
        w.run();
    });
    assert_eq!((adopted.told(), adopted.status.remote.id.as_deref()), ("Connecting", Some("x")));
    let late = adopted.clone().with(|w| w.now += SignedDuration::from_mins(15));
    assert_eq!(late.says(), "AuthorizationExpired");
    let connected = adopted.with(|w| w.see(RemoteOrgAccess { id: "x".into(), ..by_oauth(Phase::Ready) }));
    assert_eq!(connected.says(), "Connected");
}

#[test]
fn who_connected_is_compared_to_who_should_have() {
    let expecting = |org: &str, user: &str| {
        let (org, user) = (org.to_owned(), user.to_owned());
        awaiting().with(move |w| {
            w.spec = spec(|s| {
                (s["jwt"], s["oauth"]) = (json!(null), json!({}));
                s["expect"] = json!({"orgID": "00DSG000007a3BZ", "username": "admin@example.com"});
            });
            let mut there = by_oauth(Phase::Ready);
            (there.org.id, there.org.username) = (Some(org).filter(|o| !o.is_empty()), Some(user));
            w.see(there);
            w.oauth_secret_state = OwnedSecret::Absent;
        })
    };
    let right = || expecting("00DSG000007a3BZ2AY", "Admin@example.com");
    table(vec![
        ("the right one", right(), "Connected"),
        ("another org", expecting("00DSG000007a3BY2AY", "admin@example.com"), "OrgMismatch"),
        ("another user", expecting("00DSG000007a3BZ2AY", "else@example.com"), "OrgMismatch"),
        ("the list does not tell", expecting("", "admin@example.com"), "get id-1"),
        (
            "nothing tells",
            expecting("", "admin@example.com").with(|w| w.live.observed[0].detailed = true),
            "await remote: Connecting",
        ),
        (
            "another org, and asked to replace it",
            expecting("00DSG000007a3BY2AY", "admin@example.com").with(|w| w.state.replace = Some("1".into())),
            "write intent 2, delete id-1, write intent 3, create prod",
        ),
    ]);
    let failed = declared().with(|w| {
        w.see(remote("id-1", Phase::Failed));
        (w.state.finalizer, w.state.intent, w.now) = (true, Some(intent(1, 1)), at(2));
    });
    assert_ne!(failed.says(), Reason::Connected.as_str());
}
