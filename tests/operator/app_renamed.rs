//! A renamed Heroku app stays the same app, because its UUID identifies it.

use std::time::Duration;

use applink_simulator::{App, Seed};
use serde_json::json;

use crate::publication::API;
use crate::world::{ADDON, HOUR, NS, SOON, World, message, says};

/// Lookups are cached for 10 minutes.
const FOUND_AGAIN: Duration = Duration::from_secs(12 * 60);

fn rename(world: &World, to: &str) {
    world.sim.world(|world| {
        world.apps.iter_mut().find(|app| app.id == Seed::APP_ID).expect("it exists").name = to.to_owned()
    });
}

#[tokio::test(start_paused = true)]
async fn renamed_app_keeps_working() {
    let mut world = World::with_publication().await;
    rename(&world, "storefront");
    world.pass(FOUND_AGAIN).await;
    for _ in 0..2 {
        let object = world.until_addon("True", "AddonReady").await;
        assert!(message(&object).contains("storefront"), "{}", message(&object));
        assert!(says(&world.get("production"), "True", "Connected"));
        world.restart().await;
        world.pass(SOON).await;
    }
    world.document("2.0.0");
    world.republished(1).await;
    world.vanish("productionOrg");
    world.pass(HOUR / 20).await;
    world.until("production", "True", "Connected").await;
    world.published(API).await;
    world.api.annotate("applinkaddons", NS, ADDON, "applink.dev/requestedAt", Some("1"));
    world.pass(SOON).await;
    rename(&world, Seed::APP_NAME);
    world.pass(FOUND_AGAIN).await;
    let object = world.until_addon("True", "AddonReady").await;
    assert!(!message(&object).contains("storefront"), "{}", message(&object));
    world.delete_publication(API);
    world.publication_gone(API).await;
    world.delete("production");
    world.until_gone("production", SOON).await;
    assert_eq!(world.remote().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn name_taken_by_another_app_is_no_rename() {
    let world = World::with_connection().await;
    rename(&world, "storefront");
    let other = App { id: uuid::Uuid::from_u128(99), name: Seed::APP_NAME.to_owned(), config_vars: Default::default() };
    world.sim.world(|world| world.add_app(other)).expect("a new one");
    world.forget_requests();
    world.pass(FOUND_AGAIN).await;
    assert!(!says(&world.get_addon(), "True", "AddonReady"), "{:#}", world.get_addon());
    world.connection("second", "secondOrg");
    world.pass(HOUR).await;
    assert_eq!(world.mutations(), 0, "nothing is touched");
}

#[tokio::test(start_paused = true)]
async fn deleted_app_is_no_rename() {
    let world = World::with_connection().await;
    world.sim.world(|world| world.remove_app(Seed::APP_NAME)).expect("it exists");
    world.pass(FOUND_AGAIN).await;
    let object = world.until_addon("False", "InvalidSpec").await;
    assert!(message(&object).contains("does not exist"), "{}", message(&object));
    let never = crate::world::with_spec(crate::world::addon("typo"), &json!({"app": "no-such-app"}));
    world.api.apply(never);
    world.until_of("applinkaddons", "typo", SOON, ("False", "InvalidSpec")).await;
}
