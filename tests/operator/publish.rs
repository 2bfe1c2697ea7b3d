//! The lifecycle of a Publication: what it waits for, what it costs, and what makes it publish again.

use std::time::Duration;

use applink_simulator::Seed;
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use crate::publication::{API, CLIENT, DOCUMENT, KEY, config_map, openapi, publication, publication_with};
use crate::world::{HOUR, LATER, NS, SOON, World, connection, message, progress};

#[tokio::test(start_paused = true)]
async fn publishing_costs_two_writes_and_one_call() {
    let world = World::with_connection().await;
    world.document("1.0.0");
    world.pass(Duration::from_secs(5)).await;
    world.forget_requests();
    world.api.apply(publication(API));
    let object = world.published(API).await;
    assert_eq!((world.writes_to_publication(API).len(), world.mutations()), (2, 1), "{:#?}", world.api.writes());
    assert_eq!(world.event_count(API, "Created"), 1);
    assert_eq!(progress(&object), None);
    let (remote, edition) = world.only_published();
    assert_eq!(edition.upload.client_name, CLIENT);
    let status = &object["status"];
    assert_eq!(status["id"], Seed::APP_ID.to_string());
    assert_eq!(status["addonID"], Seed::ADDON_ID.to_string());
    assert_eq!(status["connectionID"], world.only("productionOrg").id.to_string());
    assert_eq!(status["externalServiceID"], edition.external_service_id);
    assert_eq!(status["externalServiceName"], CLIENT);
    assert_eq!(status["org"]["id"], remote.org_id);
    assert!(status["lastPublishedAt"].is_string() && status["createdAt"].is_string(), "{status:#}");
}

#[tokio::test(start_paused = true)]
async fn idle_publication_costs_one_list_and_no_write() {
    let mut world = World::with_publication().await;
    for _ in 0..2 {
        world.pass(2 * HOUR).await;
        assert_eq!((world.api.writes().len(), world.mutations()), (0, 0), "{:#?}", world.api.writes());
        assert_eq!(world.publication_lists(), world.passes());
        assert!(world.passes() > 100, "{}", world.passes());
        world.restart().await;
        world.pass(Duration::from_secs(60)).await;
        world.forget_requests();
    }
}

#[tokio::test(start_paused = true)]
async fn missing_dependencies_are_named_in_any_order() {
    let world = World::with_addon().await;
    let spec = json!({
        "permissionSet": {"metadataConfigMapKeyRef": {"name": "set", "key": "set.xml"}},
        "connectedApp": {"metadataConfigMapKeyRef": {"name": "app", "key": "app.xml"}},
    });
    world.api.apply(publication_with(API, spec));
    let waits = async |reason: &str, named: &str| {
        let said = |object: Option<&Value>| object.is_some_and(|o| message(o).contains(named));
        let object = world.api.wait_until("publications", NS, API, said, SOON).await.expect("it exists");
        assert!(crate::world::says(&object, "False", reason), "{object:#}");
        assert_eq!(progress(&object), Some("Reconciling"));
    };
    waits("DependencyNotFound", "Connection production").await;
    world.connection("production", "productionOrg");
    waits("ConfigMapNotFound", "ConfigMap orders-openapi does not exist").await;
    world.api.apply(config_map(DOCUMENT, json!({"other.yaml": "x"})));
    waits("ConfigMapNotFound", "no key openapi.yaml").await;
    world.document("1.0.0");
    waits("ConfigMapNotFound", "ConfigMap set does not exist").await;
    world.api.apply(config_map("set", json!({"set.xml": "<PermissionSet/>"})));
    waits("ConfigMapNotFound", "ConfigMap app does not exist").await;
    assert_eq!(world.publishes(), 0);
    world.api.apply(config_map("app", json!({"app.xml": "<ConnectedApp/>"})));
    world.published(API).await;
    let names: Vec<_> = world.only_published().1.upload.archive.entries.into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["api-spec.yaml", "connectedapp-meta.xml", "permissionset-meta.xml"]);
    assert_eq!((world.publishes(), world.event_count(API, "Deprecated")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn publication_starts_when_its_connection_is_ready() {
    let world = World::with_addon().await;
    world.sim.settings(|settings| settings.connect_seconds = Some(20.0));
    world.document("1.0.0");
    world.api.apply(publication(API));
    world.connection("production", "productionOrg");
    let object = world.publication_until(API, "False", "ConnectionNotReady").await;
    assert!(message(&object).contains("Connection production"), "{}", message(&object));
    world.within(LATER, "production", "True", "Connected").await;
    let connected = world.clock.now();
    world.published(API).await;
    let took = world.clock.now().duration_since(connected);
    assert!(took.as_millis() <= 1000, "{took:?}");
    assert_eq!(world.publishes(), 1);
}

#[tokio::test(start_paused = true)]
async fn wrong_provider_needs_the_user() {
    let world = World::with_addon().await;
    world.document("1.0.0");
    let mut other = connection("production", "productionOrg");
    let spec = other["spec"].as_object_mut().expect("a spec");
    spec.remove("jwt");
    spec.extend([("oauth".to_owned(), json!({})), ("provider".to_owned(), json!("DataCloud"))]);
    world.api.apply(other);
    world.api.apply(publication(API));
    let object = world.publication_until(API, "False", "InvalidSpec").await;
    assert!(message(&object).contains("connects to DataCloud"), "{}", message(&object));
    assert_eq!(progress(&object), Some("Stalled"));
    world.delete_publication(API);
    world.publication_gone(API).await;
}

#[tokio::test(start_paused = true)]
async fn invalid_document_is_located_and_published_when_fixed() {
    let world = World::with_connection().await;
    let broken = openapi("1.0.0").replace("  /orders:", "  orders:");
    world.api.apply(config_map(DOCUMENT, json!({KEY: broken})));
    world.api.apply(publication(API));
    let object = world.publication_until(API, "False", "InvalidSpec").await;
    let reported = message(&object);
    assert!(reported.contains("ConfigMap orders-openapi, key openapi.yaml: line 6"), "{reported}");
    assert_eq!(progress(&object), Some("Stalled"));
    assert_eq!(world.publishes(), 0);
    world.document("1.0.0");
    world.publication_until(API, "True", "Published").await;
    // The published document stays while the next one is invalid.
    world.api.apply(config_map(DOCUMENT, json!({KEY: broken})));
    world.publication_until(API, "False", "InvalidSpec").await;
    world.pass(HOUR).await;
    assert_eq!((world.publishes(), world.unpublishes()), (1, 0));
    world.document("1.0.0");
    world.publication_until(API, "True", "Published").await;
    assert_eq!(world.publishes(), 1, "the published one");
}

#[tokio::test(start_paused = true)]
async fn invalid_metadata_is_located() {
    let world = World::with_connection().await;
    world.document("1.0.0");
    world.api.apply(config_map("set", json!({"set.xml": "<ConnectedApp/>"})));
    let set = json!({"permissionSet": {"metadataConfigMapKeyRef": {"name": "set", "key": "set.xml"}}});
    world.api.apply(publication_with(API, set));
    let object = world.publication_until(API, "False", "InvalidSpec").await;
    assert!(message(&object).contains("ConfigMap set, key set.xml: "), "{}", message(&object));
}

#[tokio::test(start_paused = true)]
async fn documents_are_read_from_every_source_and_format() {
    let world = World::with_connection().await;
    let json = json!({
        "openapi": "3.0.3", "info": {"title": "Orders", "version": "1"},
        "paths": {"/orders": {"get": {"responses": {"200": {"description": "orders"}}}}},
    });
    let bytes = BASE64_STANDARD.encode(openapi("1.0.0"));
    let mut binary = config_map("binary", json!({}));
    binary["binaryData"] = json!({"spec.yml": bytes});
    world.api.apply(binary);
    world.api.apply(config_map("json", json!({"spec.json": json.to_string()})));
    let places = [
        (json!({"inline": openapi("1.0.0")}), "api-spec.yaml"),
        (json!({"inline": json.to_string()}), "api-spec.json"),
        (json!({"configMapKeyRef": {"name": "binary", "key": "spec.yml"}}), "api-spec.yaml"),
        (json!({"configMapKeyRef": {"name": "json", "key": "spec.json"}}), "api-spec.json"),
    ];
    for (place, file) in places {
        world.forget_requests();
        world.api.apply(publication_with(API, json!({"apiSpec": place})));
        world.published(API).await;
        assert_eq!(world.only_published().1.upload.archive.entries[0].name, file, "{place}");
        assert_eq!(world.publishes(), 1, "{place}");
        world.delete_publication(API);
        world.publication_gone(API).await;
        assert_eq!(world.all_published().len(), 0);
    }
}

/// A change and its name.
type Change = (&'static str, fn(&World));

#[tokio::test(start_paused = true)]
async fn every_input_change_is_published_once() {
    let world = World::with_publication().await;
    let changes: [Change; 6] = [
        ("the document", |w| w.document("1.1.0")),
        ("a permission set", |w| w.respec(API, json!({"permissionSet": {"name": "OrdersAccess"}}))),
        ("an external client app", |w| w.respec(API, json!({"externalClientApp": {"name": "OrdersECA"}}))),
        ("a connected app", |w| w.respec(API, json!({"connectedApp": {"name": "OrdersApp"}}))),
        ("metadata in place of a name", |w| {
            w.api.apply(config_map("set", json!({"set.xml": "<PermissionSet/>"})));
            let at = json!({"name": null, "metadataConfigMapKeyRef": {"name": "set", "key": "set.xml"}});
            w.respec(API, json!({"permissionSet": at}));
        }),
        ("the metadata", |w| {
            w.api.apply(config_map("set", json!({"set.xml": "<PermissionSet><label/></PermissionSet>"})));
        }),
    ];
    for (nth, (what, change)) in changes.into_iter().enumerate() {
        change(&world);
        let changed = world.clock.now();
        world.republished(nth + 1).await;
        let took = world.clock.now().duration_since(changed);
        assert!(took.as_millis() <= 2000, "{what}: {took:?}");
        world.pass(HOUR / 4).await;
        assert_eq!(world.publishes(), nth + 1, "{what}");
        assert_eq!(
            world.writes_to_publication(API).iter().filter(|w| w.subresource.is_empty()).count(),
            nth + 1,
            "{what}"
        );
    }
    assert_eq!((world.event_count(API, "Republished"), world.event_count(API, "DriftCorrected")), (6, 0));
    assert_eq!(world.unpublishes(), 0);
}

#[tokio::test(start_paused = true)]
async fn other_changes_are_not_published() {
    let mut world = World::with_publication().await;
    world.api.patch("publications", NS, API, json!({"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}}));
    world.api.apply(config_map(DOCUMENT, json!({KEY: openapi("1.0.0"), "other": "x"})));
    world.api.patch("configmaps", NS, DOCUMENT, json!({"metadata": {"labels": {"a": "b"}}}));
    world.respec(API, json!({"deletionPolicy": "Orphan", "replacePolicy": "DeleteAndRecreate"}));
    world.annotate_publication(API, "requestedAt", "1");
    world.publication_until(API, "True", "Published").await;
    for _ in 0..3 {
        world.restart().await;
        world.pass(HOUR / 2).await;
    }
    assert_eq!(world.mutations(), 0);
    assert_eq!(world.get_publication(API)["status"]["lastHandledReconcileAt"], "1");
}
