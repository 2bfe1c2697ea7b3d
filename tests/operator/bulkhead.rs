//! A dead add-on must not affect its neighbour, however it fails.

use std::time::Duration;

use applink_simulator::{Fault, Seed, What, Where};
use serde_json::json;
use tokio::time::Instant;

use crate::inspect::answer;
use crate::world::{ADDON, HOUR, LATER, OTHER, World, says};

const MINUTE: Duration = Duration::from_secs(60);
/// A poll interval, its jitter, and the effects of the pass.
const POLL: Duration = Duration::from_secs(67);

/// Limits the fault to the AppLink API of the first add-on.
fn on_first(mut fault: Fault) -> Fault {
    fault.path_prefix = Some(format!("/addons/{}", Seed::ADDON_ID));
    fault
}

fn deaths() -> Vec<Fault> {
    let hang = What::Delay { ms: 86_400_000 };
    let first_app = |fault: Fault| fault.path_contains(Seed::APP_NAME);
    vec![
        on_first(Fault::new(Where::Before, hang.clone())),
        on_first(Fault::new(Where::After, hang.clone())),
        on_first(Fault::status(Where::Before, 500)),
        on_first(answer(Where::Before, 429, None, Some(3600))),
        on_first(answer(Where::Before, 429, None, Some(1))),
        on_first(Fault::status(Where::Before, 401)),
        on_first(Fault::new(Where::Before, What::Reset)),
        // The Platform API hangs for it.
        first_app(Fault::new(Where::Before, hang)),
        first_app(Fault::status(Where::Before, 500)),
    ]
}

/// Two add-ons with a few Ready connections each; the second one's token is in this Secret.
async fn both(secret: &str) -> World {
    let world = World::with_addon().await;
    world.second_addon(secret).await;
    for n in 0..5 {
        world.connection(&format!("a{n}"), &format!("aorg{n}"));
        on_second(&world, &format!("b{n}"));
    }
    for n in 0..5 {
        world.within(LATER, &format!("a{n}"), "True", "Connected").await;
        world.within(LATER, &format!("b{n}"), "True", "Connected").await;
    }
    world
}

fn on_second(world: &World, name: &str) {
    world.connection_with(name, &format!("{name}Org"), json!({"addonRef": {"name": OTHER}}));
}

/// How long the second add-on takes to create a connection and to recreate a vanished one.
async fn pace(world: &World, name: &str) -> (Duration, Duration) {
    let began = Instant::now();
    on_second(world, name);
    world.within(LATER, name, "True", "Connected").await;
    let created = began.elapsed();
    let remote = format!("{name}Org");
    let id = world.only(&remote).id;
    world.vanish(&remote);
    let began = Instant::now();
    while !world.remote().iter().any(|c| c.name == remote && c.id != id) {
        assert!(began.elapsed() < LATER, "{name} is not recreated");
        world.pass(Duration::from_millis(100)).await;
    }
    (created, began.elapsed())
}

/// Queues every kind of work on the first add-on.
fn work_on_first(world: &World) {
    for n in 0..20 {
        world.connection(&format!("stuck{n}"), &format!("stuck{n:02}"));
    }
    world.delete("a0");
    world.vanish("aorg1");
    world.annotate("a2", "requestedAt", "now");
}

#[tokio::test(start_paused = true)]
async fn dead_addon_does_not_slow_others() {
    for secret in ["heroku-api", "heroku-other"] {
        for death in deaths() {
            let what = format!("{death:?}");
            let world = both(secret).await;
            let (usual, _) = pace(&world, "before").await;
            world.fault(death);
            work_on_first(&world);
            // After ten minutes its credentials expire. Then all calls on the way to it hang, too.
            for wait in [Duration::ZERO, 2 * MINUTE, 15 * MINUTE] {
                world.pass(wait).await;
                let name = format!("after{}", wait.as_secs());
                let (created, recreated) = pace(&world, &name).await;
                assert!(created <= usual + Duration::from_secs(1), "created in {created:?}, {usual:?} before; {what}");
                assert!(recreated <= POLL, "recreated in {recreated:?}; {what}");
                world.delete(&name);
                world.until_gone(&name, Duration::from_secs(10)).await;
            }
            assert!(!says(&world.get("stuck0"), "True", "Connected"), "it is dead: {what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn hanging_addon_recovers_within_a_poll() {
    let world = both("heroku-api").await;
    world.fault(on_first(Fault::new(Where::Before, What::Delay { ms: 86_400_000 })));
    work_on_first(&world);
    world.pass(HOUR).await;
    world.clear_faults();
    for n in 0..20 {
        world.within(2 * POLL + MINUTE, &format!("stuck{n}"), "True", "Connected").await;
    }
    world.until_gone("a0", MINUTE).await;
    assert!(says(&world.get_addon(), "True", "AddonReady"));
    assert_eq!(world.event_count(ADDON, "RemoteUnavailable"), 2, "one for Reachable, one for Ready");
}
