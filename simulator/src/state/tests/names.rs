//! Names and aliases: which are valid, which are taken, and what they find.

use super::*;
use crate::settings::{NameCase, NameRule, TakenAlias, TakenName};

#[test]
fn a_taken_name_conflicts_updates_or_duplicates() {
    for (switch, count) in [
        (TakenName::Conflict, Err(StateError::NameTaken(Collection::Connections, "prod".to_owned()))),
        (TakenName::Upsert, Ok(1)),
        (TakenName::Duplicate, Ok(2)),
    ] {
        let mut world = world();
        world.settings.taken_name = switch;
        let first = world.connect(new("prod", AuthMethod::OAuth), T0).unwrap();
        let second = world.connect(new("prod", jwt(Some("d"))), at(10));
        let listed = world.org_accesses_at(Collection::Connections, Seed::ADDON_ID, at(10)).count();
        assert_eq!(second.clone().map(|_| listed), count);
        assert_eq!(second == Ok(first), switch == TakenName::Upsert);
        if switch == TakenName::Upsert {
            assert_eq!(story(&world, first, [9, 10]), ["connecting", "connected"]);
            assert_eq!(world.org_access(first).unwrap().auth_method, jwt(Some("d")));
        }
        assert!(world.connect(new("Prod", AuthMethod::OAuth), at(10)).is_ok());
    }
}

#[test]
fn a_name_is_free_after_removal() {
    for (tombstones_hold, free) in [(false, true), (true, false)] {
        let mut world = world();
        world.settings.keep_disconnected = true;
        world.settings.tombstones_hold_names = tombstones_hold;
        let id = world.connect(new("prod", jwt(Some("d"))), T0).unwrap();
        world.disconnect(id, T0).unwrap();
        assert!(world.connect(new("prod", AuthMethod::OAuth), at(999)).is_err());
        let second = world.connect(new("prod", AuthMethod::OAuth), at(1000));
        assert_eq!(second.is_ok(), free);
        // A name finds the existing object before the tombstone.
        let meant = world.find(Collection::Connections, Seed::ADDON_ID, "prod", at(1000))[0].id;
        assert_eq!(meant, second.unwrap_or(id));
    }
}

#[test]
fn names_obey_the_rule() {
    for (name, ok) in [
        ("abc", true),
        ("a_1", true),
        ("A23456789012345678901234567890", true),
        ("ab", false),
        ("A234567890123456789012345678901", false),
        ("1abc", false),
        ("_abc", false),
        ("abc_", false),
        ("a__b", false),
        ("my-org", false),
        ("größe", false),
    ] {
        let made = world().connect(new(name, AuthMethod::OAuth), T0);
        assert_eq!(made.is_ok(), ok, "{name}");
        let bad_name = StateError::InvalidName(Collection::Connections, name.to_owned());
        assert!(ok || made == Err(bad_name), "{name}");
    }
}

#[test]
fn connections_are_found_by_id_name_or_org() {
    let mut world = world();
    let id = world.connect(new("prod", jwt(Some("d"))), T0).unwrap();
    let org = Org::of("ci@example.com").id;
    let find = |addon, key: &str, ms| {
        let found = world.find(Collection::Connections, addon, key, at(ms));
        found.iter().map(|c| c.id).collect::<Vec<_>>()
    };
    for key in [id.to_string().as_str(), "prod", &org] {
        assert_eq!(find(Seed::ADDON_ID, key, 0), [id], "{key}");
        assert!(find(Seed::APP_ID, key, 0).is_empty());
        assert!(find(Seed::ADDON_ID, key, -1).is_empty());
    }
    assert!(find(Seed::ADDON_ID, "Prod", 0).is_empty());
}

#[test]
fn taken_name_may_be_unprocessable_or_existing() {
    let mut world = world();
    let first = world.connect(new("prod", AuthMethod::OAuth), T0).unwrap();
    world.settings.taken_name = TakenName::Unprocessable;
    let refused = world.connect(new("prod", jwt(Some("d"))), at(10));
    assert_eq!(refused, Err(StateError::NotUnique("connection_name")));
    world.settings.taken_name = TakenName::Existing;
    assert_eq!(world.connect(new("prod", jwt(Some("d"))), at(10)), Ok(first));
    assert_eq!(world.org_access(first).unwrap().auth_method, AuthMethod::OAuth);
    assert_eq!((story(&world, first, [10]), world.connections().count()), (["connecting".to_owned()], 1));
}

#[test]
fn name_case_may_be_insensitive() {
    let mut world = world();
    world.settings.name_case = NameCase::Insensitive;
    let id = world.connect(new("prod", jwt(Some("d"))), T0).unwrap();
    assert_eq!(
        world.connect(new("PROD", AuthMethod::OAuth), T0),
        Err(StateError::NameTaken(Collection::Connections, "PROD".to_owned()))
    );
    assert_eq!(world.find_called(Collection::Connections, Seed::ADDON_ID, "Prod", T0)[0].id, id);
}

#[test]
fn an_ignored_name_rule_allows_any_name() {
    let mut world = world();
    world.settings.name_rule = NameRule::Ignored;
    for name in ["my-org", "Original SF Org", "ab", "größe"] {
        assert!(world.connect(new(name, AuthMethod::OAuth), T0).is_ok(), "{name}");
    }
}

#[test]
fn failed_objects_keep_their_names_as_set() {
    for (hold, free) in [(true, false), (false, true)] {
        let mut world = world();
        world.settings.failed_hold_names = hold;
        world.settings.authorizations_hold_names = hold;
        world.connect(new("prod", jwt(None)), T0).unwrap();
        for (addon, name) in [(Seed::ADDON_ID, "batchUser"), (Seed::APP_ID, "elsewhere")] {
            let authorization =
                NewOrgAccess { addon, collection: Collection::Authorizations, ..new(name, AuthMethod::OAuth) };
            world.connect(authorization, T0).unwrap();
        }
        for name in ["prod", "batchUser"] {
            assert_eq!(world.connect(new(name, AuthMethod::OAuth), at(10)).is_ok(), free, "{name}");
        }
        assert!(world.connect(new("elsewhere", AuthMethod::OAuth), at(10)).is_ok());
    }
}

#[test]
fn an_alias_is_taken_until_removal() {
    for (switch, refusal) in [
        (TakenAlias::Allowed, None),
        (TakenAlias::Conflict, Some(StateError::AliasTaken)),
        (TakenAlias::Unprocessable, Some(StateError::NotUnique("alias"))),
    ] {
        let mut world = world();
        world.settings.taken_alias = switch;
        world.settings.taken_name = TakenName::Upsert;
        let first = world.connect(new("one", jwt(Some("d"))), T0).unwrap();
        assert_eq!(world.connect(new("two", jwt(Some("d"))), T0).err(), refusal);
        // Its own alias is in nobody's way.
        assert_eq!(world.connect(new("one", jwt(Some("d"))), T0), Ok(first));
        let other = NewOrgAccess { addon: Seed::APP_ID, ..new("one", jwt(Some("d"))) };
        assert!(world.connect(other, T0).is_ok());
        world.vanish(first, at(10)).unwrap();
        assert!(world.connect(new("three", jwt(Some("d"))), at(10)).is_ok());
    }
}
