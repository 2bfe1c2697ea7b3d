//! Existing publications, those of other apps, two resources for one publication, and Observe.

use std::time::Duration;

use applink_simulator::Republish;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::publication::{API, CLIENT, publication, publication_with};
use crate::world::{HOUR, LATER, NS, SOON, World, addon, connection, message, progress, says};

const ANOTHER_APP: Uuid = Uuid::from_u128(42);
const OWN_APP: Uuid = applink_simulator::Seed::APP_ID;

/// Somebody else published before.
async fn occupied() -> World {
    let world = World::with_connection().await;
    world.document("1.0.0");
    world.plant_publication("productionOrg", OWN_APP);
    world.pass(2 * HOUR).await;
    world.forget_requests();
    world
}

#[tokio::test(start_paused = true)]
async fn existing_publication_is_overwritten_once() {
    let mut world = occupied().await;
    world.api.apply(publication(API));
    world.published(API).await;
    assert_eq!((world.publishes(), world.event_count(API, "Adopted"), world.event_count(API, "Created")), (1, 1, 0));
    assert_eq!(world.only_published().1.upload.client_name, CLIENT);
    world.restart().await;
    world.pass(HOUR).await;
    assert_eq!((world.publishes(), world.unpublishes()), (1, 0));
    world.delete_publication(API);
    world.publication_gone(API).await;
    assert_eq!(world.all_published().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn existing_publication_is_left_alone_by_policy() {
    let world = occupied().await;
    world.api.apply(publication_with(API, json!({"adoptionPolicy": "Never"})));
    let object = world.publication_until(API, "False", "AdoptionRefused").await;
    assert_eq!(progress(&object), Some("Stalled"));
    assert!(message(&object).contains("delete that publication in AppLink"), "{}", message(&object));
    world.pass(HOUR).await;
    assert_eq!(world.mutations(), 0);
    // The way out that the message names.
    world.unpublish();
    world.published(API).await;
    assert_eq!((world.publishes(), world.event_count(API, "Created")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn refused_publication_is_removed_without_a_call() {
    let world = occupied().await;
    world.api.apply(publication_with(API, json!({"adoptionPolicy": "Never"})));
    world.publication_until(API, "False", "AdoptionRefused").await;
    world.delete_publication(API);
    world.publication_gone(API).await;
    assert_eq!(world.mutations(), 0);
    world.only_published();
}

#[tokio::test(start_paused = true)]
async fn existing_publication_is_not_deleted_on_conflict() {
    let world = occupied().await;
    world.sim.settings(|settings| settings.publications.republish = Republish::Conflict);
    world.api.apply(publication_with(API, json!({"replacePolicy": "DeleteAndRecreate"})));
    let object = world.publication_until(API, "False", "RemoteRejected").await;
    assert!(message(&object).contains("delete that publication in AppLink"), "{}", message(&object));
    world.pass(HOUR).await;
    assert_eq!((world.took_effect(), world.unpublishes()), (0, 0));
    world.delete_publication(API);
    world.publication_gone(API).await;
    assert_eq!(world.unpublishes(), 0, "it was never ours");
    world.only_published();
}

#[tokio::test(start_paused = true)]
async fn publication_of_another_app_is_untouched() {
    let world = World::with_connection().await;
    world.plant_publication("productionOrg", ANOTHER_APP);
    world.document("1.0.0");
    world.api.apply(publication(API));
    world.published(API).await;
    assert_eq!(world.all_published().len(), 2);
    world.delete_publication(API);
    world.publication_gone(API).await;
    let left: Vec<_> = world.all_published().into_iter().map(|(publication, _)| publication.app).collect();
    assert_eq!(left, [ANOTHER_APP]);
}

#[tokio::test(start_paused = true)]
async fn observed_publication_is_untouched() {
    let mut world = World::with_connection().await;
    world.api.apply(publication_with(API, json!({"managementPolicy": "Observe"})));
    world.publication_until(API, "False", "RemoteMissing").await;
    world.plant_publication("productionOrg", OWN_APP);
    let object = world.published(API).await;
    assert_eq!(object["status"]["externalServiceName"], "Theirs");
    assert_eq!(object["metadata"]["finalizers"], Value::Null);
    world.touch();
    world.restart().await;
    world.pass(HOUR).await;
    world.unpublish();
    world.publication_within(LATER, API, "False", "RemoteMissing").await;
    world.delete_publication(API);
    world.publication_gone(API).await;
    assert_eq!((world.publishes(), world.unpublishes()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn observe_releases_and_full_overwrites() {
    let world = World::with_publication().await;
    world.respec(API, json!({"managementPolicy": "Observe"}));
    world.pass(HOUR).await;
    let object = world.published(API).await;
    assert!(object["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty), "{object:#}");
    world.touch();
    world.pass(HOUR).await;
    assert_eq!(world.publishes(), 0);
    world.respec(API, json!({"managementPolicy": "Full"}));
    world.republished(1).await;
    let object = world.get_publication(API);
    assert_eq!(object["metadata"]["finalizers"], json!(["applink.dev/finalizer"]));
    assert_eq!(world.only_published().1.upload.client_name, CLIENT);
}

/// A second Publication of the same app on the same connection.
struct Second {
    namespace: &'static str,
    manifests: Vec<Value>,
}

fn seconds() -> Vec<Second> {
    let same = vec![publication("second")];
    let mut looking = connection("looking", "productionOrg");
    looking["spec"]["managementPolicy"] = json!("Observe");
    let over = publication_with("second", json!({"connectionRef": {"name": "looking"}}));
    let beside = vec![looking.clone(), over.clone()];
    let document = |namespace: &str| {
        let text = crate::publication::openapi("2.0.0");
        let mut map =
            crate::publication::config_map(crate::publication::DOCUMENT, json!({crate::publication::KEY: text}));
        map["metadata"]["namespace"] = json!(namespace);
        map
    };
    let mut elsewhere = vec![addon("orders"), looking, over, document("other")];
    elsewhere.iter_mut().for_each(|manifest| manifest["metadata"]["namespace"] = json!("other"));
    vec![
        Second { namespace: NS, manifests: same },
        Second { namespace: NS, manifests: beside },
        Second { namespace: "other", manifests: elsewhere },
    ]
}

#[tokio::test(start_paused = true)]
async fn second_publication_waits_until_the_first_is_gone() {
    for second in seconds() {
        for orphan in [false, true] {
            let world = World::with_publication().await;
            if second.namespace == "other" {
                world.api.set_secret("other", "heroku-api", &[("token", applink_simulator::Seed::HEROKU_TOKEN)]);
            }
            second.manifests.iter().for_each(|manifest| drop(world.api.apply(manifest.clone())));
            let until = async |status: &str, reason: &str, at_most: Duration| {
                let said = |object: Option<&Value>| object.is_some_and(|o| says(o, status, reason));
                world.api.wait_until("publications", second.namespace, "second", said, at_most).await.expect("there")
            };
            let object = until("False", "NameConflict", SOON).await;
            assert!(message(&object).contains("crm/orders-api"), "{}", message(&object));
            assert_eq!(progress(&object), Some("Stalled"));
            world.pass(HOUR).await;
            assert_eq!(world.mutations(), 0);
            if orphan {
                world.respec(API, json!({"deletionPolicy": "Orphan"}));
            }
            world.delete_publication(API);
            world.publication_gone(API).await;
            until("True", "Published", SOON).await;
            world.pass(HOUR).await;
            let deleted = usize::from(!orphan);
            assert_eq!((world.publishes(), world.unpublishes()), (1, deleted), "{}, {orphan}", second.namespace);
            world.only_published();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn second_takes_over_when_the_first_observes() {
    let world = World::with_publication().await;
    world.api.apply(publication("second"));
    world.publication_until("second", "False", "NameConflict").await;
    world.respec(API, json!({"managementPolicy": "Observe"}));
    world.publication_until("second", "True", "Published").await;
    assert_eq!((world.publishes(), world.event_count("second", "Adopted")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn older_of_two_publications_wins() {
    let world = World::with_connection().await;
    world.document("1.0.0");
    world.api.apply(publication(API));
    world.pass(Duration::from_millis(1)).await;
    world.api.apply(publication("second"));
    world.published(API).await;
    world.publication_until("second", "False", "NameConflict").await;
    world.pass(HOUR).await;
    assert_eq!(world.publishes(), 1);
}
