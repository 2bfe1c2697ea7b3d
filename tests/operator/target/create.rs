//! A target is created once; an existing one is adopted, refused, or left to its owner.

use std::time::Duration;

use applink_simulator::{
    Fault, NewTarget, Seed, TakenByAnotherApp, TargetFailure, TargetKind, TargetWords, What, Where,
};
use serde_json::json;

use super::{CLOUD, CLOUD_REMOTE, OTHER_APP, UPDATES, UPDATES_REMOTE, cloud, target};
use crate::inspect::on_post;
use crate::world::{HOUR, LATER, NS, SOON, World, message, progress, says};

/// How an existing target differs, and what the message must say.
type Difference = (fn(&mut NewTarget), &'static str);

#[tokio::test(start_paused = true)]
async fn target_costs_two_writes_and_one_event() {
    let world = World::with_cloud().await;
    world.sim.settings(|settings| settings.data_action_targets.seconds = 30.0);
    world.updates();
    let object = world.until_target("False", "Creating").await;
    assert_eq!(progress(&object), Some("Reconciling"));
    let object = world.target_within(2 * SOON, "True", "Created").await;
    let remote = world.only_target(UPDATES_REMOTE);
    assert_eq!(object["status"]["id"], remote.id.to_string());
    assert_eq!(object["status"]["addonID"], Seed::ADDON_ID.to_string());
    assert_eq!(object["status"]["connectionID"], remote.connection().to_string());
    assert_eq!(object["status"]["remoteStatus"], "created");
    assert!(object["status"]["appliedHash"].as_str().expect("a digest").starts_with("v1:"));
    assert_eq!(object["metadata"]["finalizers"], json!(["applink.dev/finalizer"]));
    assert_eq!((remote.label.as_str(), remote.kind), ("Customer Updates", TargetKind::Webhook));
    for reason in ["Created", "Creating"] {
        assert!((1..=2).contains(&world.event_count(UPDATES, reason)), "{reason}");
    }
    world.pass(HOUR).await;
    assert_eq!(world.target_posts(), 1);
}

#[tokio::test(start_paused = true)]
async fn target_name_defaults_to_its_label() {
    let world = World::with_cloud().await;
    let mut manifest = target(UPDATES, "");
    manifest["spec"].as_object_mut().expect("a spec").remove("apiName");
    world.api.apply(manifest);
    world.until_target("True", "Created").await;
    world.only_target("Customer_Updates");
}

#[tokio::test(start_paused = true)]
async fn failed_target_says_what_to_do() {
    for words in [TargetWords::Lower, TargetWords::Title] {
        let failure = TargetFailure { id: "x".into(), message: "no key by token HRKU-canary".into() };
        let world = World::with_cloud_of(|settings| {
            settings.data_action_targets.failure = Some(failure);
            settings.data_action_targets.status_words = Some(words);
        });
        let world = world.await;
        world.updates();
        let object = world.until_target("False", "RemoteFailed").await;
        assert_eq!(progress(&object), Some("Stalled"));
        for way in ["HEROKU_APP_ID", "another apiName", "connection"] {
            assert!(message(&object).contains(way), "{}", message(&object));
        }
        world.pass(HOUR).await;
        assert_eq!(world.target_posts(), 1);
        assert!(!world.get_target().to_string().contains("canary"));
        assert!(!format!("{:?}", world.events()).contains("canary"));
        // A failed target can be deleted: the operator releases it.
        world.delete_target();
        world.until_target_gone(SOON).await;
    }
}

#[tokio::test(start_paused = true)]
async fn lagging_list_after_create_is_waited_for() {
    let before = [None, Some(Fault::new(Where::Before, What::Reset)), Some(Fault::status(Where::Before, 500))];
    for fault in before {
        let (world, case, posts) = (World::with_cloud().await, format!("{fault:?}"), 1 + usize::from(fault.is_some()));
        world.sim.settings(|settings| {
            settings.data_action_targets.seconds = 2.0;
            settings.list_lag_seconds = 4.0;
        });
        fault.into_iter().for_each(|fault| drop(world.fault(on_post(fault).times(1))));
        let unseen = Fault::status(Where::Before, 404).method("GET").path_contains("/data_action_targets/");
        let unseen = world.fault(unseen);
        world.updates();
        while world.remote_targets().is_empty() {
            world.pass(Duration::from_millis(100)).await;
        }
        world.pass(Duration::from_secs(4)).await;
        world.sim.faults(|faults| faults.remove(&unseen));
        world.target_within(SOON, "True", "Created").await;
        world.pass(HOUR).await;
        assert_eq!((world.target_posts(), world.remote_targets().len()), (posts, 1), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn never_ending_creation_is_reported_and_may_recover() {
    let world = World::with_cloud().await;
    world.sim.settings(|settings| settings.data_action_targets.seconds = 1800.0);
    world.updates();
    world.until_target("False", "Creating").await;
    let object = world.target_within(Duration::from_secs(17 * 60), "False", "RemoteFailed").await;
    assert!(message(&object).contains("generating_signing_key") || message(&object).contains("creating"));
    world.target_within(LATER, "True", "Created").await;
    assert_eq!(world.target_posts(), 1);
}

#[tokio::test(start_paused = true)]
async fn matching_target_is_adopted() {
    let world = World::with_cloud().await;
    let theirs = world.plant_target(|_| {});
    world.pass(HOUR).await;
    world.updates();
    let object = world.until_target("True", "Created").await;
    assert_eq!(object["status"]["id"], theirs);
    assert_eq!((world.target_posts(), world.event_count(UPDATES, "Adopted")), (0, 1));
    world.pass(HOUR).await;
    assert_eq!((world.target_posts(), world.event_count(UPDATES, "Adopted")), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn differing_target_is_refused() {
    let cases: [Difference; 3] = [
        (|new| new.label = "Another".to_owned(), "label"),
        (|new| new.endpoint = "/elsewhere".to_owned(), "endpoint"),
        (|new| new.kind = TargetKind::Event, "type"),
    ];
    for (change, hint) in cases {
        let world = World::with_cloud().await;
        world.plant_target(change);
        world.updates();
        let object = world.until_target("False", "AdoptionRefused").await;
        assert_eq!(progress(&object), Some("Stalled"));
        assert!(message(&object).contains(hint), "{}", message(&object));
        world.pass(HOUR).await;
        assert_eq!(world.target_posts(), 0);
        world.delete_target();
        world.until_target_gone(SOON).await;
        assert_eq!((world.event_count(UPDATES, "Orphaned"), world.remote_targets().len()), (0, 1), "it was never ours");
    }
}

#[tokio::test(start_paused = true)]
async fn never_does_not_adopt_and_observe_watches() {
    let world = World::with_cloud().await;
    let theirs = world.plant_target(|_| {});
    let mut manifest = target(UPDATES, UPDATES_REMOTE);
    manifest["spec"]["adoptionPolicy"] = json!("Never");
    world.api.apply(manifest);
    world.until_target("False", "AdoptionRefused").await;
    let spec = json!({"adoptionPolicy": "IfMatching", "managementPolicy": "Observe"});
    world.api.patch("dataactiontargets", NS, UPDATES, json!({"spec": spec}));
    let object = world.until_target("True", "Created").await;
    assert_eq!((&object["status"]["id"], object["metadata"]["finalizers"].as_array()), (&json!(theirs), None));
    world.vanish_target(UPDATES_REMOTE);
    let object = world.target_within(LATER, "False", "RemoteMissing").await;
    assert_eq!((progress(&object), &object["status"]["id"]), (Some("Stalled"), &json!(null)));
    assert_eq!(world.target_posts(), 0);
    world.delete_target();
    world.until_target_gone(SOON).await;
}

#[tokio::test(start_paused = true)]
async fn older_target_gets_the_name_in_any_case() {
    for second in [UPDATES_REMOTE, "Customer_Updates"] {
        let world = World::with_target().await;
        world.api.apply(target("rival", second));
        let plural = "dataactiontargets";
        let object = world.until_of(plural, "rival", SOON, ("False", "NameConflict")).await;
        assert_eq!(progress(&object), Some("Stalled"));
        assert!(message(&object).contains(UPDATES), "{}", message(&object));
        world.pass(HOUR).await;
        assert_eq!(world.target_posts(), 1);
        assert!(says(&world.get_target(), "True", "Created"));
        // When the name is free, the other resource adopts the target or creates its own.
        world.delete_target();
        world.until_target_gone(SOON).await;
        world.until_of(plural, "rival", SOON, ("True", "Created")).await;
        assert_eq!(world.target_posts(), if second == UPDATES_REMOTE { 1 } else { 2 });
    }
}

#[tokio::test(start_paused = true)]
async fn target_of_another_app_is_foreign() {
    let world = World::with_cloud().await;
    world.other_app();
    world.sim.settings(|settings| settings.data_action_targets.taken_by_another_app = TakenByAnotherApp::Allowed);
    let theirs = world.plant_target(|new| (new.app, new.endpoint) = (OTHER_APP, "/theirs".to_owned()));
    world.updates();
    let object = world.until_target("True", "Created").await;
    let ours = world.only_target(UPDATES_REMOTE);
    assert_eq!(object["status"]["id"], ours.id.to_string());
    assert_ne!(object["status"]["id"], theirs);
    world.pass(HOUR).await;
    assert_eq!((world.target_posts(), world.remote_targets().len()), (1, 2));
    world.vanish_target(UPDATES_REMOTE);
    world.pass(Duration::from_secs(90)).await;
    assert_ne!(world.only_target(UPDATES_REMOTE).id, ours.id, "recreated");
}

#[tokio::test(start_paused = true)]
async fn name_held_by_another_app_is_reported_then_used() {
    let world = World::with_cloud().await;
    world.other_app();
    let theirs = world.plant_target(|new| new.app = OTHER_APP);
    world.updates();
    let object = world.until_target("False", "RemoteRejected").await;
    assert!(message(&object).contains("Data action target already exists"), "{}", message(&object));
    world.pass(HOUR).await;
    assert!((2..=8).contains(&world.target_posts()), "{}", world.target_posts());
    let (id, now) = (theirs.parse().expect("an id"), world.clock.now());
    assert_eq!(world.remote_targets().len(), 1);
    world.sim.world(|state| state.remove_target(id, now)).expect("it exists");
    world.target_within(LATER, "True", "Created").await;
    assert_eq!(world.only_target(UPDATES_REMOTE).app, Seed::APP_ID);
}

#[tokio::test(start_paused = true)]
async fn lost_target_post_is_not_repeated() {
    for fault in [Fault::new(Where::After, What::Reset), Fault::status(Where::After, 502)] {
        let world = World::with_cloud().await;
        world.fault(on_post(fault).times(1));
        world.updates();
        world.target_within(LATER, "True", "Created").await;
        world.pass(HOUR).await;
        assert_eq!((world.target_posts(), world.remote_targets().len()), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn suspended_target_is_untouched() {
    let world = World::with_target().await;
    world.api.patch("dataactiontargets", NS, UPDATES, json!({"spec": {"suspend": true}}));
    world.until_target("True", "Suspended").await;
    world.vanish_target(UPDATES_REMOTE);
    world.pass(HOUR).await;
    assert_eq!(world.target_posts(), 1);
    world.delete_target();
    world.until_target("True", "Suspended").await;
    assert!(says(&world.get(CLOUD), "True", "Connected"));
    world.pass(HOUR).await;
    world.api.patch("dataactiontargets", NS, UPDATES, json!({"spec": {"suspend": false}}));
    world.until_target_gone(SOON).await;
}

#[tokio::test(start_paused = true)]
async fn missing_heroku_app_id_is_reported() {
    let mut world = World::new();
    let vary = |world: &World, set: bool| {
        world.sim.world(|state| {
            let app = state.app_mut(Seed::APP_NAME).expect("it exists");
            app.config_vars.remove("HEROKU_APP_ID");
            if set {
                app.config_vars.insert("HEROKU_APP_ID".to_owned(), Seed::APP_ID.to_string());
            }
        });
    };
    vary(&world, false);
    world.addon();
    world.start();
    world.api.apply(cloud(CLOUD, CLOUD_REMOTE));
    world.consented(CLOUD, CLOUD_REMOTE).await;
    world.updates();
    let object = world.until_target("True", "Created").await;
    assert!(message(&object).contains("heroku config:set HEROKU_APP_ID"), "{}", message(&object));
    let case = world.events().len();
    vary(&world, true);
    world.pass(Duration::from_secs(15 * 60)).await;
    assert!(!message(&world.get_target()).contains("HEROKU_APP_ID"), "{}", message(&world.get_target()));
    assert_eq!((world.target_posts(), world.events().len()), (1, case));
}
