//! Data action targets over time.

use super::*;
use crate::settings::TargetFailure;

fn connected(world: &mut World) -> Uuid {
    let mut new = new("data", AuthMethod::OAuth);
    new.provider = Provider::DataCloud;
    let planted = Planted { new, status: Status::Connected, error: None, org: None, created_by: None };
    world.plant(planted, T0)
}

fn webhook(connection: Uuid, api_name: &str) -> NewTarget {
    NewTarget {
        connection,
        app: Seed::APP_ID,
        label: "Customers".to_owned(),
        api_name: api_name.to_owned(),
        endpoint: "/customers".to_owned(),
        kind: TargetKind::Webhook,
    }
}

/// The statuses at these milliseconds, "-" where the target does not exist.
fn story<const N: usize>(world: &World, id: Uuid, millis: [i64; N]) -> [String; N] {
    millis.map(|ms| match world.target(id, at(ms)).ok().and_then(|t| t.status_at(at(ms))) {
        Some(status) => status.to_string(),
        None => "-".to_owned(),
    })
}

#[test]
fn a_target_goes_through_its_statuses() {
    let mut world = world();
    world.settings.data_action_targets.seconds = 3.0;
    let connection = connected(&mut world);
    let made = world.create_target(webhook(connection, "customers"), T0).unwrap();
    let then = story(&world, made, [-1, 0, 999, 1000, 2000, 2999, 3000]);
    assert_eq!(
        then,
        ["-", "pending", "pending", "creating", "generating_signing_key", "generating_signing_key", "created"]
    );
    let failure = TargetFailure { id: "creation_failed".to_owned(), message: "No.".to_owned() };
    world.settings.data_action_targets.failure = Some(failure);
    let failed = world.create_target(webhook(connection, "others"), T0).unwrap();
    assert_eq!(story(&world, failed, [0, 1000, 2000, 3000]), ["pending", "creating", "creating", "creation_failed"]);
    let error = world.target(failed, at(3000)).unwrap().error_at(at(3000));
    assert_eq!(error, Some(&RemoteError::new("creation_failed", "No.")));
}

#[test]
fn setting_a_status_cancels_future_transitions() {
    let mut world = world();
    world.settings.data_action_targets.seconds = 3.0;
    let connection = connected(&mut world);
    let id = world.create_target(webhook(connection, "customers"), T0).unwrap();
    world.set_target_status(id, TargetStatus::from("odd"), None, at(500)).unwrap();
    world.remove_target(id, at(5000)).unwrap();
    assert_eq!(story(&world, id, [499, 500, 4999, 5000]), ["pending", "odd", "odd", "-"]);
    assert_eq!(world.remove_target(id, at(5000)), Err(StateError::NoRecord));
}

#[test]
fn targets_end_when_their_connection_ends() {
    for keep in [false, true] {
        let mut world = world();
        world.settings.keep_disconnected = keep;
        let connection = connected(&mut world);
        let id = world.create_target(webhook(connection, "customers"), T0).unwrap();
        world.set_status(connection, Status::Failed, None, at(100)).unwrap();
        world.disconnect(connection, at(1000)).unwrap();
        assert_eq!(story(&world, id, [100, 1000, 1999, 2000]), ["created", "created", "created", "-"]);
        let again = world.create_target(webhook(connection, "customers"), at(2000));
        assert!(again.is_err(), "{keep}");
    }
}

#[test]
fn targets_are_dropped_with_their_connection() {
    let mut world = world();
    let first = connected(&mut world);
    world.create_target(webhook(first, "customers"), T0).unwrap();
    world.vanish(first, T0).unwrap();
    let second = connected(&mut world);
    world.create_target(webhook(second, "customers"), T0).unwrap();
    assert_eq!(world.targets.len(), 2);
    world.connect(new("last", AuthMethod::OAuth), at(3_600_000)).unwrap();
    let third = world.create_target(webhook(second, "others"), at(3_600_000)).unwrap();
    assert_eq!(world.targets.len(), 2);
    world.remove_addon(Seed::ADDON_NAME).unwrap();
    assert_eq!(story(&world, third, [3_600_000]), ["-"]);
    assert!(world.targets.is_empty());
}
