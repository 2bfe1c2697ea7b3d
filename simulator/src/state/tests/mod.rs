//! The state machine, as case tables.

mod authorizations;
mod consent;
mod names;
mod publications;
mod targets;

use jiff::{SignedDuration, Timestamp};
use url::Url;

use super::*;
use crate::seed::Seed;
use crate::settings::{Dialect, JwtFailure};
use uuid::Uuid;

const T0: Timestamp = Timestamp::UNIX_EPOCH;

fn at(millis: i64) -> Timestamp {
    T0 + SignedDuration::from_millis(millis)
}

fn world() -> World {
    World::new(Seed::default())
}

fn new(name: &str, auth_method: AuthMethod) -> NewOrgAccess {
    NewOrgAccess {
        collection: Collection::Connections,
        addon: Seed::ADDON_ID,
        app: Seed::APP_ID,
        name: name.to_owned(),
        provider: Provider::Salesforce,
        login_url: Url::parse("https://login.salesforce.com").unwrap(),
        auth_method,
    }
}

fn jwt(key_digest: Option<&str>) -> AuthMethod {
    AuthMethod::Jwt {
        alias: "alias".to_owned(),
        client_id: "3MVG9".to_owned(),
        username: "ci@example.com".to_owned(),
        key_digest: key_digest.map(str::to_owned),
    }
}

/// The statuses at these milliseconds, "-" where the connection does not exist.
fn story<const N: usize>(world: &World, id: Uuid, millis: [i64; N]) -> [String; N] {
    let access = world.org_access(id).unwrap();
    millis.map(|ms| match access.status_at(at(ms)) {
        Some(status) => status.word(access.collection).to_owned(),
        None => "-".to_owned(),
    })
}

#[test]
fn connect_delay_follows_dialect_and_setting() {
    for (dialect, connect_seconds, then) in [
        (Dialect::Cli, None, ["connected", "connected", "connected"]),
        (Dialect::Reference, None, ["connecting", "connecting", "connected"]),
        (Dialect::Cli, Some(1.0), ["connecting", "connecting", "connected"]),
        (Dialect::Reference, Some(0.0), ["connected", "connected", "connected"]),
        (Dialect::Mixed, None, ["connecting", "connecting", "connected"]),
    ] {
        let mut world = world();
        world.settings.dialect = dialect;
        world.settings.connect_seconds = connect_seconds;
        let id = world.connect(new("prod", jwt(Some("d"))), T0).unwrap();
        assert_eq!(story(&world, id, [0, 999, 1000]), then, "{dialect:?}");
        assert_eq!(story(&world, id, [-1]), ["-"]);
    }
}

#[test]
fn a_rejected_key_fails_as_set() {
    let wrong = ["0".repeat(64)];
    for (failure, expected) in [
        (JwtFailure::Failed, Ok(["failed", "failed"])),
        (JwtFailure::FailedLater, Ok(["connecting", "failed"])),
        (JwtFailure::Unauthorized, Err(StateError::KeyRefused)),
        (JwtFailure::Unprocessable, Err(StateError::KeyUnusable)),
    ] {
        for (digest, accepted) in [(None, &[][..]), (Some("d"), &wrong[..])] {
            let mut world = world();
            world.settings.jwt_failure = failure;
            world.settings.accepted_keys = accepted.to_vec();
            let made = world.connect(new("prod", jwt(digest)), T0);
            let count = world.connections().count();
            match &expected {
                Ok(then) => {
                    let id = made.unwrap();
                    assert_eq!(&story(&world, id, [0, 1000]), then);
                    let error = world.org_access(id).unwrap().error_at(at(1000));
                    assert_eq!(error.map(|e| e.id.as_str()), Some("authentication_failed"));
                }
                Err(error) => assert_eq!((made.as_ref(), count), (Err(error), 0)),
            }
        }
    }
}

#[test]
fn the_accepted_key_connects() {
    let mut world = world();
    let digest = "a".repeat(64);
    world.settings.accepted_keys = vec!["b".repeat(64), digest.clone()];
    let id = world.connect(new("prod", jwt(Some(&digest))), T0).unwrap();
    assert_eq!(story(&world, id, [0]), ["connected"]);
    let org = world.org_access(id).unwrap().org_at(T0).unwrap();
    assert_eq!(org, &Org::of("ci@example.com"));
}

#[test]
fn a_deleted_connection_is_removed_or_becomes_a_tombstone() {
    for (keep, end) in [(false, "-"), (true, "disconnected")] {
        let mut world = world();
        world.settings.keep_disconnected = keep;
        world.settings.disconnect_seconds = Some(2.0);
        let id = world.connect(new("prod", jwt(Some("d"))), T0).unwrap();
        world.disconnect(id, at(100)).unwrap();
        let then = story(&world, id, [99, 100, 2099, 2100]);
        assert_eq!(then, ["connected", "disconnecting", "disconnecting", end]);
        // A second DELETE on the way neither fails nor starts over.
        world.disconnect(id, at(1500)).unwrap();
        assert_eq!(story(&world, id, [2099, 2100]), ["disconnecting", end]);
        let third = world.disconnect(id, at(3000));
        assert_eq!(third.is_ok(), keep);
        assert_eq!(story(&world, id, [3000]), ["-"]);
    }
}

#[test]
fn delete_cancels_future_transitions() {
    let mut world = world();
    world.settings.connect_seconds = Some(5.0);
    let id = world.connect(new("prod", jwt(Some("d"))), T0).unwrap();
    world.disconnect(id, at(1000)).unwrap();
    assert_eq!(story(&world, id, [1999, 2000, 6000]), ["disconnecting", "-", "-"]);
}

#[test]
fn removed_objects_are_kept_for_an_hour() {
    let mut world = world();
    let id = world.connect(new("prod", jwt(Some("d"))), T0).unwrap();
    world.vanish(id, T0).unwrap();
    assert_eq!(world.vanish(id, T0), Err(StateError::NoRecord));
    world.connect(new("next", AuthMethod::OAuth), at(3_599_999)).unwrap();
    assert_eq!(world.connections().count(), 2);
    world.connect(new("last", AuthMethod::OAuth), at(3_600_000)).unwrap();
    assert!(world.connections().all(|c| c.id != id));
}

#[test]
fn the_rate_limit_refills_by_the_minute() {
    let mut world = world();
    world.settings.rate_limit = 2;
    let World { account, settings, .. } = &mut world;
    account.spend(settings, T0).unwrap();
    account.spend(settings, T0).unwrap();
    assert_eq!(account.spend(settings, T0), Err(StateError::RateLimited));
    assert_eq!(account.remaining(settings, at(800)), 1);
    account.spend(settings, at(800)).unwrap();
    assert_eq!(account.remaining(settings, at(60_000)), 2);
}

#[test]
fn each_addon_has_its_own_limit_in_applink() {
    let mut world = world();
    assert_eq!(world.spend_on_applink(Seed::ADDON_ID, T0), Ok(None));
    world.settings.applink_rate_limit = Some(2);
    world.settings.applink_rate_refill_per_minute = 60;
    for (addon, ms, left) in [
        (Seed::ADDON_ID, 0, Ok(Some(1))),
        (Seed::ADDON_ID, 0, Ok(Some(0))),
        (Seed::ADDON_ID, 250, Err(StateError::AddonRateLimited { wait: SignedDuration::from_millis(750) })),
        (Seed::APP_ID, 250, Ok(Some(1))),
        (Seed::ADDON_ID, 1000, Ok(Some(0))),
    ] {
        assert_eq!(world.spend_on_applink(addon, at(ms)), left, "{addon} at {ms}");
    }
}

#[test]
fn debug_output_has_no_token() {
    let text = format!("{:?} {:?}", world(), Seed::default());
    assert!(text.contains("Token(sha256:"));
    assert!(!text.contains(Seed::HEROKU_TOKEN));
    assert!(!text.contains(Seed::ADDON_TOKEN));
}
