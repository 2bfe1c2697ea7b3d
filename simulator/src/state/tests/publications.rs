//! Publications, and how they depend on their connection.

use super::*;
use crate::settings::{NameRule, Republish};

fn upload(client_name: &str) -> Upload {
    Upload { client_name: client_name.to_owned(), ..Upload::default() }
}

fn publish(world: &mut World, connection: Uuid, client_name: &str, millis: i64) -> Result<Uuid, StateError> {
    let new = NewPublication { connection, app: Seed::APP_ID, upload: upload(client_name) };
    world.publish(new, at(millis))
}

fn connected(world: &mut World) -> Uuid {
    world.connect(new("prod", jwt(Some("d"))), T0).unwrap()
}

/// The client names that are published at these milliseconds.
fn story<const N: usize>(world: &World, millis: [i64; N]) -> [String; N] {
    millis.map(|ms| {
        let names = world.publications(at(ms)).map(|(_, edition)| edition.upload.client_name.as_str());
        names.collect::<Vec<_>>().join(" ")
    })
}

#[test]
fn each_post_is_visible_from_its_time_on() {
    let mut world = world();
    let connection = connected(&mut world);
    let id = publish(&mut world, connection, "One", 100).unwrap();
    assert_eq!(publish(&mut world, connection, "Two", 200), Ok(id));
    world.touch_publication(id, Some("Three".to_owned()), "she@example.com", at(300)).unwrap();
    world.unpublish(connection, Seed::APP_ID, at(400)).unwrap();
    assert_eq!(world.unpublish(connection, Seed::APP_ID, at(500)), Err(StateError::NoRecord));
    assert_eq!(story(&world, [99, 100, 200, 300, 399, 400]), ["", "One", "Two", "Three", "Three", ""]);
    assert_ne!(publish(&mut world, connection, "Four", 500), Ok(id));
}

#[test]
fn a_post_sees_a_publication_that_is_not_visible_yet() {
    let mut world = world();
    world.settings.publications.publish_seconds = 1.0;
    let connection = connected(&mut world);
    let id = publish(&mut world, connection, "One", 0).unwrap();
    assert_eq!(world.unpublish(connection, Seed::APP_ID, at(1)), Err(StateError::NoRecord));
    assert_eq!(publish(&mut world, connection, "Two", 500), Ok(id));
    assert_eq!(story(&world, [999, 1000, 1499, 1500]), ["", "One", "One", "Two"]);
    world.settings.publications.republish = Republish::Conflict;
    assert_eq!(publish(&mut world, connection, "Three", 600), Err(StateError::AlreadyPublished));
}

#[test]
fn only_a_connected_connection_publishes() {
    for status in ["connecting", "disconnecting", "disconnected", "failed", "strange"] {
        let mut world = world();
        let connection = connected(&mut world);
        let status = Status::of_word(Collection::Connections, status);
        world.set_status(connection, status.clone(), None, T0).unwrap();
        assert_eq!(publish(&mut world, connection, "One", 0), Err(StateError::NotConnected(status)));
        world.vanish(connection, T0).unwrap();
        assert!(publish(&mut world, connection, "One", 0).is_err());
        assert_eq!(story(&world, [0]), [""]);
    }
}

#[test]
fn client_names_obey_the_rule_if_enforced() {
    for (name, good) in [
        ("O", true),
        ("Orders_API_2", true),
        ("Orders__API", false),
        ("Orders_", false),
        ("2Orders", false),
        ("Orders API", false),
        ("", false),
    ] {
        let mut world = world();
        let connection = connected(&mut world);
        let refused = Err(StateError::InvalidClientName(name.to_owned()));
        assert_eq!(publish(&mut world, connection, name, 0) != refused, good, "{name}");
        world.settings.name_rule = NameRule::Ignored;
        assert!(publish(&mut world, connection, name, 0).is_ok(), "{name}");
    }
}

#[test]
fn a_broken_connection_ref_stays_broken() {
    for (goes, then) in [(true, ["One", "", ""]), (false, ["One", "One", "One"])] {
        let mut world = world();
        world.settings.publications.disconnect_unpublishes = goes;
        let connection = connected(&mut world);
        publish(&mut world, connection, "One", 0).unwrap();
        world.set_status(connection, Status::Failed, None, at(100)).unwrap();
        world.set_status(connection, Status::Disconnected, None, at(200)).unwrap();
        world.set_status(connection, Status::Connected, None, at(200)).unwrap();
        assert_eq!(story(&world, [199, 200, 300]), then, "{goes}");
        // At the very moment of the break, but after it.
        publish(&mut world, connection, "Two", 200).unwrap();
        assert_eq!(story(&world, [300]), ["Two"]);
    }
}

#[test]
fn removed_objects_are_kept_for_an_hour() {
    let mut world = world();
    let connection = connected(&mut world);
    let id = publish(&mut world, connection, "One", 0).unwrap();
    world.remove_publication(id, at(100)).unwrap();
    publish(&mut world, connection, "Two", 3_600_099).unwrap();
    assert_eq!((world.publications.len(), story(&world, [99])), (2, ["One".to_owned()]));
    world.unpublish(connection, Seed::APP_ID, at(3_600_100)).unwrap();
    publish(&mut world, connection, "Three", 3_600_100).unwrap();
    assert_eq!(world.publications.len(), 2);
}

#[test]
fn publications_are_removed_with_their_addon() {
    for goes in [true, false] {
        let mut world = world();
        world.settings.publications.disconnect_unpublishes = goes;
        let connection = connected(&mut world);
        publish(&mut world, connection, "One", 0).unwrap();
        world.remove_addon(Seed::ADDON_NAME).unwrap();
        assert_eq!(story(&world, [0]), [""]);
    }
}
