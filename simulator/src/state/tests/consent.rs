//! Consent: each answer, and none.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::settings::{Abandoned, TakenName};

/// The key and the state of the link to a connection.
fn link(world: &World, id: Uuid) -> (String, String) {
    let url = world.org_access(id).unwrap().consent_url().unwrap();
    let url = Url::parse(&url).unwrap();
    let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    (url.path().trim_start_matches("/consent/").to_owned(), state)
}

fn open_consent_request(world: &World, (key, state): &(String, String), ms: i64) -> Result<Uuid, LinkError> {
    world.open_consent_request(key, state, at(ms)).map(|access| access.id)
}

#[test]
fn oauth_waits_for_one_consent() {
    let mut world = world();
    let id = world.connect(new("prod", AuthMethod::OAuth), T0).unwrap();
    let hours = 3_600_000;
    assert_eq!(story(&world, id, [0, 9 * hours]), ["connecting"; 2]);
    assert_eq!(world.org_access(id).unwrap().org_at(at(hours)), None);
    world.consent(id, Org::of("me@x"), at(hours)).unwrap();
    assert_eq!(story(&world, id, [0, hours]), ["connecting", "connected"]);
    assert_eq!(world.org_access(id).unwrap().org_at(at(hours - 1)), None);
    let org = world.org_access(id).unwrap().org_at(at(hours)).cloned();
    assert_eq!(org, Some(Org::of("me@x")));
    let again = world.consent(id, Org::of("you@x"), at(hours));
    assert_eq!(again, Err(StateError::NotAwaitingConsent));
    let robot = world.connect(new("robot", jwt(Some("d"))), T0).unwrap();
    let refused = world.consent(robot, Org::of("me@x"), T0);
    assert_eq!(refused, Err(StateError::NotAwaitingConsent));
}

#[test]
fn denial_fails_the_connection_once() {
    let mut world = world();
    let id = world.connect(new("prod", AuthMethod::OAuth), T0).unwrap();
    world.deny(id, at(5)).unwrap();
    assert_eq!(story(&world, id, [4, 5]), ["connecting", "failed"]);
    let access = world.org_access(id).unwrap();
    assert_eq!(access.error_at(at(5)).map(|e| e.id.as_str()), Some("org_connection_failed"));
    assert_eq!(access.org_at(at(5)), None);
    assert_eq!(world.deny(id, at(6)), Err(StateError::NotAwaitingConsent));
    assert_eq!(world.consent(id, Org::of("me@x"), at(6)), Err(StateError::NotAwaitingConsent));
}

#[test]
fn abandoned_follows_the_setting_unless_answered() {
    for (abandoned, end) in [
        (Abandoned::Keep, "connecting"),
        (Abandoned::Fail, "failed"),
        (Abandoned::Vanish, "-"),
        (Abandoned::Disconnected, "disconnected"),
    ] {
        let mut world = world();
        world.settings.abandoned = abandoned;
        world.settings.consent_seconds = 60.0;
        let made = |world: &mut World, name| world.connect(new(name, AuthMethod::OAuth), T0).unwrap();
        let (ignored, allowed, denied) =
            (made(&mut world, "ignored"), made(&mut world, "allowed"), made(&mut world, "denied"));
        world.consent(allowed, Org::of("me@x"), at(59_000)).unwrap();
        world.deny(denied, at(59_000)).unwrap();
        assert_eq!(story(&world, ignored, [0, 59_999, 60_000]), ["connecting", "connecting", end]);
        assert_eq!(story(&world, allowed, [60_000]), ["connected"]);
        assert_eq!(story(&world, denied, [60_000]), ["failed"]);
        let robot = world.connect(new("robot", jwt(Some("d"))), T0).unwrap();
        assert_eq!(story(&world, robot, [60_000]), ["connected"]);
    }
}

#[test]
fn a_link_is_random_and_has_the_marks() {
    let mut world = world();
    let [one, two] = ["one", "two"].map(|name| world.connect(new(name, AuthMethod::OAuth), T0).unwrap());
    let url = |world: &World, id| world.org_access(id).unwrap().consent_url().unwrap();
    assert_ne!(link(&world, one), link(&world, two));
    assert!(url(&world, one).starts_with("http://localhost/consent/"));
    assert!(CONSENT_MARKS.iter().all(|mark| url(&world, one).contains(mark)));
    let (key, state) = link(&world, one);
    assert_eq!(STANDARD.decode(&state).unwrap(), format!(r#"{{"mark":"canary","nonce":"{key}"}}"#).as_bytes());
    world.consent(one, Org::of("me@x"), T0).unwrap();
    assert_eq!(link(&world, one), (key.clone(), state));
    assert!(!format!("{world:?}").contains(&key));
    let robot = world.connect(new("robot", jwt(Some("d"))), T0).unwrap();
    assert_eq!(world.org_access(robot).unwrap().consent_url(), None);
}

#[test]
fn a_link_works_until_answered_expired_or_withdrawn() {
    let mut world = world();
    let [used, late, removed] = ["used", "late", "removed"].map(|name| {
        let id = world.connect(new(name, AuthMethod::OAuth), T0).unwrap();
        (id, link(&world, id))
    });
    for (id, link) in [&used, &late, &removed] {
        assert_eq!(open_consent_request(&world, link, 899_999), Ok(*id));
    }
    world.consent(used.0, Org::of("me@x"), at(10)).unwrap();
    world.disconnect(removed.0, at(10)).unwrap();
    for (link, ms, dead) in [
        (&used.1, 10, LinkError::Used),
        (&used.1, 900_000, LinkError::Used),
        (&late.1, 900_000, LinkError::Expired),
        (&removed.1, 10, LinkError::Withdrawn),
        (&(used.1.0.clone(), late.1.1.clone()), 0, LinkError::Unknown),
        (&(late.1.0.clone(), String::new()), 0, LinkError::Unknown),
    ] {
        assert_eq!(open_consent_request(&world, link, ms), Err(dead), "{dead:?} at {ms}");
    }
}

#[test]
fn upsert_creates_a_new_link() {
    let mut world = world();
    world.settings.taken_name = TakenName::Upsert;
    let id = world.connect(new("prod", AuthMethod::OAuth), T0).unwrap();
    let first = link(&world, id);
    world.connect_through("http://sim.test/", new("prod", AuthMethod::OAuth), at(10)).unwrap();
    assert!(world.org_access(id).unwrap().consent_url().unwrap().starts_with("http://sim.test/consent/"));
    assert_eq!(open_consent_request(&world, &first, 10), Err(LinkError::Unknown));
    assert_eq!(open_consent_request(&world, &link(&world, id), 10), Ok(id));
}
