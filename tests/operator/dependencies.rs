//! A connection's add-on that is missing, late, being deleted, or replaced by another one.

use std::time::Duration;

use applink_simulator::{Addon, AddonState, Api, App, Attachment, Seed, Token};
use serde_json::{Value, json};

use crate::world::{ADDON, HOUR, NS, SOON, World, message, progress, says};

const SOONER: Duration = Duration::from_secs(2);
/// Lookups are cached for 10 minutes.
const FOUND_AGAIN: Duration = Duration::from_secs(12 * 60);

#[tokio::test(start_paused = true)]
async fn missing_addon_is_waited_for() {
    let mut world = World::new();
    world.connection("production", "productionOrg");
    world.start();
    let object = world.until("production", "False", "DependencyNotFound").await;
    assert_eq!(progress(&object), Some("Reconciling"));
    assert!(message(&object).contains(ADDON), "{}", message(&object));
    world.pass(HOUR).await;
    assert_eq!(world.writes_to("production").len(), 1);
    world.addon();
    world.within(SOONER, "production", "True", "Connected").await;
}

#[tokio::test(start_paused = true)]
async fn provisioning_addon_is_waited_for() {
    let mut world = World::new();
    let state = |world: &World, state| {
        world.sim.world(|world| world.addon_mut(Seed::ADDON_NAME).expect("it exists").state = state);
    };
    state(&world, AddonState::Provisioning);
    world.addon();
    world.connection("production", "productionOrg");
    world.start();
    let object = world.until_addon("False", "AddonNotReady").await;
    assert_eq!(progress(&object), Some("Reconciling"));
    let object = world.until("production", "False", "AddonNotReady").await;
    assert_eq!(progress(&object), Some("Reconciling"));
    state(&world, AddonState::Provisioned);
    world.within(Duration::from_secs(67), "production", "True", "Connected").await;
}

/// Another AppLink add-on of the same app.
fn another(id: u128, name: &str) -> Addon {
    Addon {
        id: uuid::Uuid::from_u128(id),
        name: name.to_owned(),
        service: "heroku-applink".to_owned(),
        state: AddonState::Provisioned,
        token: Token::new("another-0123456789abcdef"),
        token_revoked: false,
        owner: Seed::APP_ID,
        attachments: vec![Attachment {
            id: uuid::Uuid::from_u128(id + 1),
            app: Seed::APP_ID,
            name: format!("APPLINK_{id}"),
        }],
    }
}

#[tokio::test(start_paused = true)]
async fn ambiguous_addon_is_not_guessed() {
    let mut world = World::new();
    world.sim.world(|world| world.add_addon(another(7, "heroku-applink-round-7"))).expect("a new one");
    world.addon();
    world.connection("production", "productionOrg");
    world.start();
    let object = world.until_addon("False", "InvalidSpec").await;
    assert_eq!(progress(&object), Some("Stalled"));
    let text = message(&object);
    assert!(text.contains(Seed::ADDON_NAME) && text.contains("heroku-applink-round-7"), "{text}");
    assert_eq!(world.request_count(|r| r.api == Api::AppLink), 0);
    world.addon_with(json!({"addon": Seed::ADDON_NAME}));
    world.within(SOONER, "production", "True", "Connected").await;
    assert_eq!(world.only("productionOrg").addon, Seed::ADDON_ID);
}

#[tokio::test(start_paused = true)]
async fn recreated_addon_is_another_addon() {
    let mut world = World::with_connection().await;
    world.forget_requests();
    let old = world.sim.world(|world| world.addon(Seed::ADDON_NAME).expect("it exists").clone());
    let swap = |world: &World, by: Addon| {
        world.sim.world(|world| {
            world.addons.retain(|addon| addon.name != Seed::ADDON_NAME);
            world.add_addon(by).expect("a new one");
        });
    };
    swap(&world, another(7, Seed::ADDON_NAME));
    world.pass(FOUND_AGAIN).await;
    for _ in 0..2 {
        let object = world.until_addon("False", "AddonChanged").await;
        assert_eq!(progress(&object), Some("Stalled"));
        assert_eq!(object["status"]["addonID"], Seed::ADDON_ID.to_string(), "a UUID once resolved is kept");
        let object = world.within(SOON, "production", "False", "AddonChanged").await;
        assert_eq!(progress(&object), Some("Stalled"));
        world.connection("second", "secondOrg");
        world.pass(HOUR).await;
        assert_eq!(world.mutations(), 0, "nothing is touched");
        world.restart().await;
        world.pass(Duration::from_secs(60)).await;
    }
    swap(&world, old);
    world.within(FOUND_AGAIN, "production", "True", "Connected").await;
    world.within(FOUND_AGAIN, "second", "True", "Connected").await;
    assert_eq!((world.posts(), world.deletes()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn addon_resource_for_another_addon_touches_nothing() {
    let world = World::with_connection().await;
    let app = App { id: uuid::Uuid::from_u128(77), name: "orders-staging".to_owned(), config_vars: Default::default() };
    let mut theirs = another(7, "heroku-applink-round-7");
    (theirs.owner, theirs.attachments[0].app) = (app.id, app.id);
    world.sim.world(|world| {
        world.add_app(app).expect("a new one");
        world.add_addon(theirs).expect("a new one");
    });
    world.api.annotate("applinkaddons", NS, ADDON, "applink.dev/force-orphan", Some("true"));
    world.api.delete("applinkaddons", NS, ADDON);
    world.api.wait_until("applinkaddons", NS, ADDON, |object| object.is_none(), SOON).await;
    world.addon_with(json!({"app": "orders-staging"}));
    world.until_addon("True", "AddonReady").await;
    let object = world.until("production", "False", "AddonChanged").await;
    assert_eq!(progress(&object), Some("Stalled"));
    world.pass(HOUR).await;
    assert_eq!((world.posts(), world.deletes(), world.remote().len()), (1, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn addon_is_deleted_after_its_objects() {
    let world = World::with_connection().await;
    world.api.delete("applinkaddons", NS, ADDON);
    let object = world.until_addon("False", "DeletionBlocked").await;
    assert_eq!(progress(&object), Some("Reconciling"));
    assert!(message(&object).contains("production"), "{}", message(&object));
    world.pass(HOUR).await;
    world.delete("production");
    world.until_gone("production", SOON).await;
    world.api.wait_until("applinkaddons", NS, ADDON, |object| object.is_none(), SOONER).await;
    assert_eq!(world.remote().len(), 0);
    world.forget_requests();
    world.pass(HOUR).await;
    assert_eq!(world.request_count(|_| true), 0, "and it is no longer polled");
}

#[tokio::test(start_paused = true)]
async fn addon_deletion_survives_a_late_watch() {
    let world = World::with_connection().await;
    world.api.delete("applinkaddons", NS, ADDON);
    world.until_addon("False", "DeletionBlocked").await;
    world.delete("production");
    let released = |w: &crate::support::apiserver::Write| {
        w.resource == "connections" && w.body["metadata"]["finalizers"] == json!([])
    };
    let api = world.api.clone();
    world.api.on_write(move |write| {
        if released(write) {
            api.hold_watches("connections");
        }
    });
    world.until_gone("production", SOON).await;
    world.pass(SOON).await;
    assert!(world.api.get("applinkaddons", NS, ADDON).is_some(), "it is still needed as far as is known");
    world.api.release_watches();
    world.api.wait_until("applinkaddons", NS, ADDON, |object| object.is_none(), SOONER).await;
}

#[tokio::test(start_paused = true)]
async fn deleting_everything_at_once_is_clean() {
    let world = World::with_connection().await;
    world.connection("staging", "stagingOrg");
    world.until("staging", "True", "Connected").await;
    for (plural, name) in [("secrets", "heroku-api"), ("secrets", "sf-jwt"), ("applinkaddons", ADDON)] {
        world.api.delete(plural, NS, name);
    }
    world.pass(SOONER).await;
    world.delete("production");
    world.delete("staging");
    world.until_gone("production", SOON).await;
    world.until_gone("staging", SOON).await;
    world.api.wait_until("applinkaddons", NS, ADDON, |object: Option<&Value>| object.is_none(), SOON).await;
    assert_eq!(world.remote().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn blocked_deletion_names_the_way_out() {
    let mut world = World::with_connection().await;
    world.take().kill().await;
    world.api.delete("secrets", NS, "heroku-api");
    world.start();
    world.delete("production");
    world.pass(HOUR).await;
    let object = world.get("production");
    assert!(message(&object).contains("applink.dev/force-orphan"), "{object:#}");
    assert!(!says(&object, "True", "Connected"));
    world.annotate("production", "force-orphan", "true");
    world.until_gone("production", SOONER).await;
    assert_eq!((world.remote().len(), world.deletes(), world.event_count("production", "Orphaned")), (1, 0, 1));
}
