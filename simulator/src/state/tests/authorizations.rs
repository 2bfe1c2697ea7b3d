//! Authorizations: what they have in common with connections, and how they differ.

use super::*;
use crate::settings::{Abandoned, TakenAlias, TakenName};

fn authorization(name: &str, auth_method: AuthMethod) -> NewOrgAccess {
    NewOrgAccess { collection: Collection::Authorizations, ..new(name, auth_method) }
}

#[test]
fn every_status_has_a_word_in_each_collection() {
    for (collection, words) in [
        (Collection::Connections, ["connecting", "connected", "disconnecting", "disconnected", "failed", "new"]),
        (Collection::Authorizations, ["authorizing", "authorized", "disconnecting", "disconnected", "failed", "new"]),
    ] {
        for word in words {
            assert_eq!(Status::of_word(collection, word).word(collection), word);
        }
    }
    let foreign = Status::of_word(Collection::Authorizations, "connected");
    assert_eq!(foreign, Status::Other("connected".to_owned()));
}

#[test]
fn an_authorization_has_the_transitions_of_a_connection() {
    let mut world = world();
    world.settings.connect_seconds = Some(1.0);
    world.settings.consent_seconds = 60.0;
    world.settings.abandoned = Abandoned::Fail;
    let made = |world: &mut World, name, auth_method| world.connect(authorization(name, auth_method), T0).unwrap();
    let robot = made(&mut world, "robot", jwt(Some("d")));
    let broken = made(&mut world, "broken", jwt(None));
    let [allowed, denied, ignored] =
        ["allowed", "denied", "ignored"].map(|name| made(&mut world, name, AuthMethod::OAuth));
    world.consent(allowed, Org::of("me@x"), at(10)).unwrap();
    world.deny(denied, at(10)).unwrap();
    for (id, then) in [
        (robot, ["authorizing", "authorizing", "authorized", "authorized"]),
        (broken, ["failed"; 4]),
        (allowed, ["authorizing", "authorized", "authorized", "authorized"]),
        (denied, ["authorizing", "failed", "failed", "failed"]),
        (ignored, ["authorizing", "authorizing", "authorizing", "failed"]),
    ] {
        assert_eq!(story(&world, id, [0, 10, 1_000, 60_000]), then);
    }
    assert_eq!(world.org_access(allowed).unwrap().org_at(at(10)), Some(&Org::of("me@x")));
    assert_eq!((world.connections().count(), world.org_accesses(Collection::Authorizations).count()), (0, 5));
}

#[test]
fn a_deleted_authorization_is_removed_at_once_by_default() {
    for (takes, keep, then) in [
        (None, false, ["-", "-"]),
        (None, true, ["disconnected", "disconnected"]),
        (Some(2.0), false, ["disconnecting", "-"]),
        (Some(2.0), true, ["disconnecting", "disconnected"]),
    ] {
        let mut world = world();
        (world.settings.disconnect_seconds, world.settings.keep_disconnected) = (takes, keep);
        let id = world.connect(authorization("batchUser", jwt(Some("d"))), T0).unwrap();
        world.disconnect(id, at(10)).unwrap();
        assert_eq!(story(&world, id, [9]), ["authorized"]);
        assert_eq!(story(&world, id, [10, 2_010]), then, "{takes:?} {keep}");
    }
}

#[test]
fn each_collection_has_its_own_names_by_default() {
    for joined in [false, true] {
        let mut world = world();
        world.settings.authorizations_hold_names = joined;
        world.connect(new("first", AuthMethod::OAuth), T0).unwrap();
        world.connect(authorization("second", AuthMethod::OAuth), T0).unwrap();
        let refused = |collection, name: &str| joined.then(|| StateError::NameTaken(collection, name.to_owned()));
        let crossing = world.connect(authorization("first", AuthMethod::OAuth), T0);
        assert_eq!(crossing.err(), refused(Collection::Authorizations, "first"));
        let crossing = world.connect(new("second", AuthMethod::OAuth), T0);
        assert_eq!(crossing.err(), refused(Collection::Connections, "second"));
        let again = world.connect(authorization("second", AuthMethod::OAuth), T0);
        let taken = again.unwrap_err();
        assert_eq!(taken.to_string(), "Authorization already exists: second");
    }
}

#[test]
fn an_alias_is_taken_in_both_collections() {
    let mut world = world();
    world.settings.taken_alias = TakenAlias::Conflict;
    world.connect(new("prod", jwt(Some("d"))), T0).unwrap();
    let refused = world.connect(authorization("batchUser", jwt(Some("d"))), T0);
    assert_eq!(refused, Err(StateError::AliasTaken));
}

#[test]
fn aliases_find_authorizations_and_orgs_find_connections() {
    let mut world = world();
    let connection = world.connect(new("prod", jwt(Some("d"))), T0).unwrap();
    let authorization = world.connect(authorization("prod", jwt(Some("d"))), T0).unwrap();
    let org = Org::of("ci@example.com").id;
    let find = |collection, key: &str| {
        let found = world.find(collection, Seed::ADDON_ID, key, T0);
        found.iter().map(|a| a.id).collect::<Vec<_>>()
    };
    for (key, connections, authorizations) in [
        ("prod", vec![connection], vec![authorization]),
        ("alias", vec![], vec![authorization]),
        (&*org, vec![connection], vec![]),
        (&*connection.to_string(), vec![connection], vec![]),
    ] {
        assert_eq!(find(Collection::Connections, key), connections, "{key}");
        assert_eq!(find(Collection::Authorizations, key), authorizations, "{key}");
    }
    assert!(world.find_called(Collection::Authorizations, Seed::ADDON_ID, "alias", T0).is_empty());
}

#[test]
fn each_collection_alternates_between_the_dialects() {
    let mut world = world();
    let made = [
        new("one", AuthMethod::OAuth),
        authorization("one", AuthMethod::OAuth),
        new("two", AuthMethod::OAuth),
        authorization("two", AuthMethod::OAuth),
    ];
    let serials = made.map(|new| {
        let id = world.connect(new, T0).unwrap();
        world.org_access(id).unwrap().serial
    });
    assert_eq!(serials, [0, 0, 1, 1]);
}

#[test]
fn an_access_token_changes_on_expiry_and_upsert() {
    let mut world = world();
    world.settings.taken_name = TakenName::Upsert;
    let id = world.connect(authorization("batchUser", jwt(Some("d"))), T0).unwrap();
    let token = |world: &World| {
        let access = world.org_access(id).unwrap();
        access.token_for(access.org_at(at(10)).unwrap())
    };
    let first = token(&world);
    assert!(first.starts_with("00D") && first.contains(ACCESS_TOKEN_MARK), "{first}");
    assert_eq!(token(&world), first);
    world.expire_token(id, T0).unwrap();
    let second = token(&world);
    assert_ne!(second, first);
    world.connect(authorization("batchUser", jwt(Some("d"))), at(10)).unwrap();
    assert!(![first, second].contains(&token(&world)));
    world.vanish(id, at(10)).unwrap();
    assert_eq!(world.expire_token(id, at(10)), Err(StateError::NoRecord));
}
