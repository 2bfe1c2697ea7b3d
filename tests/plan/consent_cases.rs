//! What comes out for a Connection by OAuth: one line a case.

use applink_operator::crd::Reason;
use applink_operator::plan::Step;
use applink_operator::plan::desired::DesiredGrant;
use applink_operator::plan::live::{Phase, RemoteGrant};
use applink_operator::plan::memory::Answer;
use applink_operator::plan::remote::HandOff;
use jiff::SignedDuration;
use serde_json::json;

use crate::fixture::{NAME, SECRET, World, at, fresh, intent, pending, remote, spec, table};

const LINK: Option<&str> = Some("https://login/?state=ey");

/// Nothing done yet, and it is to be by OAuth.
fn declared() -> World {
    fresh().with(|w| {
        w.spec = spec(|s| (s["jwt"], s["oauth"]) = (json!(null), json!({})));
        w.desired = DesiredGrant::by_oauth(NAME, &w.spec, SECRET);
    })
}

fn ours(id: &str) -> HandOff {
    HandOff::Ours { id: Some(id.into()) }
}

/// The link is handed over, and nobody has opened it yet.
fn awaiting() -> World {
    let mut world = declared();
    world.run();
    assert_eq!(world.told(), "AwaitingUser");
    world
}

fn by_oauth(phase: Phase) -> RemoteGrant {
    RemoteGrant { phase, link: None, ..pending("id-1", None) }
}

#[test]
fn what_a_list_tells_beside_is_written_with_the_next_word() {
    let tells = |phase| RemoteGrant { created_at: Some("2026-01-01T00:00:00Z".into()), ..by_oauth(phase) };
    let waits = awaiting().with(|w| w.see(tells(Phase::Going)));
    assert_eq!((waits.told(), &waits.plan().status), ("AwaitingUser", &waits.status));
    let mut done = waits;
    done.see(tells(Phase::Up));
    done.run();
    assert_eq!((done.told(), done.status.remote.created_at.is_some()), ("Connected", true));
}

#[test]
fn a_link_is_asked_for_and_handed_over() {
    let given = |link: Option<&'static str>| {
        declared().with(move |w| {
            let mut word = intent(1, -5);
            word.hash.clone_from(&w.desired.as_ref().unwrap().hash);
            (w.memory.finalizer, w.memory.intent) = (true, Some(word));
            w.see(pending("x", link));
        })
    };
    let known = |link| given(link).with(|w| w.live.sightings[0].detailed = true);
    table(vec![
        ("nothing there", declared(), "remember attempt 1, create prod"),
        ("its Secret is another's", declared().with(|w| w.hand_off = HandOff::Foreign), "InvalidSpec"),
        ("its Secret is an earlier one's", declared().with(|w| w.hand_off = HandOff::Stale), "Creating"),
        ("its process died, and lists tell the link", given(LINK), "hand over the link of x"),
        ("its process died, and lists do not", given(None), "confirm x"),
        (
            "its process died, the Secret is written",
            given(None).with(|w| w.hand_off = ours("x")),
            "await remote: AwaitingUser",
        ),
        ("its process died, and the link was told once", known(None), "note"),
        (
            "that it is ours is put down",
            recorded(known(None)),
            "remember attempt 2, delete x, remember attempt 3, create prod",
        ),
        (
            "the service told none",
            recorded(known(None))
                .with(|w| w.memory.answer = Some(Answer::Created { id: "x".into(), word: intent(1, -5) })),
            "RemoteFailed",
        ),
    ]);
}

/// The same, once what it notes is written down.
fn recorded(world: World) -> World {
    world.with(|w| w.status = w.plan().status)
}

#[test]
fn consent_is_waited_for() {
    let expired = || awaiting().with(|w| w.now += SignedDuration::from_mins(15));
    let asked = |w: &mut World| (w.memory.requested, w.memory.since) = (true, w.now);
    table(vec![
        ("nobody yet", awaiting(), "await remote: AwaitingUser"),
        ("asked meanwhile", awaiting().with(asked), "look"),
        (
            "asked meanwhile, and looked",
            awaiting().with(asked).with(|w| w.perform(&Step::Look)),
            "await remote: AwaitingUser",
        ),
        (
            "somebody removed the Secret",
            awaiting().with(|w| w.hand_off = HandOff::Absent),
            "hand over the link of id-1",
        ),
        ("somebody put another there", awaiting().with(|w| w.hand_off = HandOff::Foreign), "InvalidSpec"),
        ("given", awaiting().with(|w| w.see(by_oauth(Phase::Up))), "withdraw the link"),
        ("refused", awaiting().with(|w| w.see(by_oauth(Phase::Failed))), "withdraw the link"),
        ("not in time", expired(), "AuthorizationExpired"),
        ("not in time, and asked to start over", expired().with(asked), "confirm id-1"),
        (
            "not in time, asked to start over, and nobody has just consented",
            expired().with(|w| {
                asked(w);
                w.perform(&w.plan().steps[0].clone());
            }),
            "remember attempt 2, delete id-1, remember attempt 3, create prod",
        ),
        ("too late, but given", expired().with(|w| w.see(by_oauth(Phase::Up))), "withdraw the link"),
        ("the service dropped it", gone(awaiting()), "withdraw the link"),
        (
            "the service dropped it, and asked to start over",
            gone(awaiting()).with(asked),
            "remember attempt 2, create prod",
        ),
        (
            "other login URL",
            awaiting().with(|w| {
                w.spec.login_url = "https://test.salesforce.com".into();
                w.desired = DesiredGrant::by_oauth(NAME, &w.spec, SECRET);
            }),
            "remember attempt 2, delete id-1, remember attempt 3, create prod",
        ),
        (
            "by a key now",
            awaiting().with(|w| (w.spec, w.desired) = (fresh().spec, fresh().desired)),
            "withdraw the link",
        ),
    ]);
}

fn gone(world: World) -> World {
    world.with(|w| {
        w.live.sightings.clear();
        w.live.gone.push("id-1".into());
    })
}

#[test]
fn each_way_has_its_end() {
    let mut world = awaiting();
    assert_eq!(world.status.oauth_secret_name.as_deref(), Some(SECRET));
    world.see(by_oauth(Phase::Up));
    let taken: Vec<_> = world.run().iter().map(ToString::to_string).collect();
    assert_eq!((taken, world.told()), (vec!["withdraw the link".to_owned()], "Connected"));
    assert_eq!((world.status.oauth_secret_name.as_deref(), &world.hand_off), (None, &HandOff::Absent));

    let mut world = gone(awaiting());
    world.run();
    assert_eq!((world.told(), world.status.oauth_secret_name.as_deref()), ("AuthorizationExpired", None));
    (world.memory.requested, world.memory.since) = (true, world.now);
    world.run();
    assert_eq!((world.told(), world.status.remote.id.as_deref()), ("AwaitingUser", Some("id-2")));

    let mut world = awaiting().with(|w| w.now += SignedDuration::from_mins(15));
    world.run();
    assert_eq!((world.told(), world.status.oauth_secret_name.as_deref()), ("AuthorizationExpired", Some(SECRET)));
    (world.memory.requested, world.memory.since) = (true, world.now);
    world.run();
    assert_eq!((world.told(), &world.hand_off), ("AwaitingUser", &ours("id-3")));
}

#[test]
fn a_death_in_the_midst_of_a_new_start_is_made_good() {
    let mut world = awaiting().with(|w| w.now += SignedDuration::from_mins(15));
    world.run();
    (world.memory.requested, world.memory.since) = (true, world.now);
    // Looked, and gave the word; then it dies.
    for _ in 0..2 {
        let plan = world.plan();
        world.perform(&plan.steps[0]);
    }
    world.now += SignedDuration::from_secs(1);
    (world.memory.met, world.memory.since, world.memory.answer) = (world.now, world.now, None);
    assert_eq!(world.says(), "delete id-1, remember attempt 3, create prod");
    // It deletes, and dies again.
    world.perform(&world.plan().steps[0].clone());
    (world.memory.met, world.memory.since) = (world.now, world.now);
    (world.memory.answer, world.live.complete) = (None, true);
    assert_eq!(world.says(), "remember attempt 3, create prod", "nothing was posted under that word: no need to wait");
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
    let connected = adopted.with(|w| w.see(RemoteGrant { id: "x".into(), ..by_oauth(Phase::Up) }));
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
            let mut there = by_oauth(Phase::Up);
            (there.org.id, there.org.username) = (Some(org).filter(|o| !o.is_empty()), Some(user));
            w.see(there);
            w.hand_off = HandOff::Absent;
        })
    };
    let right = || expecting("00DSG000007a3BZ2AY", "Admin@example.com");
    table(vec![
        ("the right one", right(), "Connected"),
        ("another org", expecting("00DSG000007a3BY2AY", "admin@example.com"), "OrgMismatch"),
        ("another user", expecting("00DSG000007a3BZ2AY", "else@example.com"), "OrgMismatch"),
        ("the list does not tell", expecting("", "admin@example.com"), "confirm id-1"),
        (
            "nothing tells",
            expecting("", "admin@example.com").with(|w| w.live.sightings[0].detailed = true),
            "await remote: Connecting",
        ),
        (
            "another org, and asked to replace it",
            expecting("00DSG000007a3BY2AY", "admin@example.com").with(|w| w.memory.replace = Some("1".into())),
            "remember attempt 2, delete id-1, remember attempt 3, create prod",
        ),
    ]);
    let failed = declared().with(|w| {
        w.see(remote("id-1", Phase::Failed));
        (w.memory.finalizer, w.memory.intent, w.now) = (true, Some(intent(1, 1)), at(2));
    });
    assert_ne!(failed.says(), Reason::Connected.as_str());
}
