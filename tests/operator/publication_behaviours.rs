//! Every simulator setting that concerns publications, one at a time and the most relevant ones together: one
//! publication is created, changed, recreated, corrected, adopted and deleted, once each.

use std::time::Duration;

use applink_simulator::Seed;
use serde_json::{Value, json};

use crate::behaviours::{each, under_each};
use crate::publication::{API, CLIENT, publication_with};
use crate::world::{LATER, World, connection, says};

const POLL: Duration = Duration::from_secs(80);

fn all_switches() -> Vec<Value> {
    let mut all = vec![
        json!({"dialect": "cli"}),
        json!({"dialect": "reference"}),
        json!({"dialect": "mixed"}),
        json!({"errorShape": "html", "getUnknown": "emptyList", "getOne": "array"}),
        json!({"listLagSeconds": 20}),
        json!({"ssoWindowSeconds": 4}),
        json!({"ssoFreshness": "everyCall", "ssoWindowSeconds": 4}),
        json!({"omittedAs": "null", "publications": {"omitted": ["provenance", "connectionName", "orgId", "externalService"]}}),
        json!({"dialect": "reference", "publications": {"listUnknownApp": "notFound", "publishSeconds": 20}}),
        json!({"listLagSeconds": 10, "publications": {"disconnectUnpublishes": false, "touchOnRepublish": false}}),
        json!({"publications": {"omitted": ["lastModified"], "touchOnRepublish": false, "esrIdStable": false}}),
    ];
    all.extend(each("publications.republish", json!(["update", "conflict"])));
    all.extend(each("publications.publishSeconds", json!([3, 20, 90])));
    all.extend(each("publications.publishStatus", json!(["ok", "created", "accepted"])));
    all.extend(each("publications.publishAnswer", json!(["idObject", "array", "emptyArray", "empty"])));
    let deletions = ["accepted", "acceptedEmpty", "ok", "okEmpty", "emptyObject", "noContent"];
    all.extend(each("publications.unpublishAnswer", json!(deletions)));
    all.extend(each("publications.listUnknownApp", json!(["empty", "notFound"])));
    let omitted = json!([
        ["provenance"],
        ["lastModified"],
        ["connectionName"],
        ["orgId"],
        ["herokuAppLink"],
        ["externalService"]
    ]);
    all.extend(each("publications.omitted", omitted));
    all.extend(each("publications.touchOnRepublish", json!([false])));
    all.extend(each("publications.esrIdStable", json!([false])));
    all.extend(each("publications.disconnectUnpublishes", json!([false])));
    all
}

/// Whether the service dates what somebody else published.
fn dates(switches: &Value) -> bool {
    let omitted = switches["publications"]["omitted"].as_array().cloned().unwrap_or_default();
    !omitted.iter().any(|part| part == "provenance" || part == "lastModified")
}

/// From creation to deletion.
async fn live(switches: Value) {
    let mut world = World::under(&switches);
    let mut mutations = (1, 0);
    let replaces = switches["publications"]["republish"] == "conflict";
    let again = |mutations: &mut (usize, usize)| {
        mutations.0 += 1;
        mutations.1 += usize::from(replaces);
    };
    world.addon();
    world.api.apply(connection("production", "productionOrg"));
    world.start();
    world.document("1.0.0");
    world.api.apply(publication_with(API, json!({"replacePolicy": "DeleteAndRecreate"})));
    world.published(API).await;
    let assert_idle = async |mutations: (usize, usize), what: &str| {
        world.pass(Duration::from_secs(900)).await;
        let object = world.get_publication(API);
        assert!(says(&object, "True", "Published"), "{switches} {what}: {object:#}");
        let apps = |r: &applink_simulator::RequestRecord| r.committed && r.path.ends_with("/apps");
        assert_eq!(
            (world.request_count(|r| r.mutating && apps(r)), world.unpublishes()),
            mutations,
            "{switches} {what}"
        );
        assert_eq!(world.only_published().1.upload.client_name, CLIENT);
    };
    assert_idle(mutations, "created").await;

    world.document("1.1.0");
    again(&mut mutations);
    assert_idle(mutations, "changed").await;
    if dates(&switches) {
        world.touch();
        again(&mut mutations);
        assert_idle(mutations, "corrected").await;
    }
    world.unpublish();
    mutations.0 += 1;
    assert_idle(mutations, "recreated").await;
    world.vanish("productionOrg");
    again(&mut mutations);
    mutations.1 = if replaces { mutations.1 - 1 } else { mutations.1 };
    assert_idle(mutations, "on another connection").await;
    world.restart().await;
    world.pass(POLL).await;

    world.delete_publication(API);
    world.publication_gone(API).await;
    world.pass(Duration::from_secs(200)).await;
    assert_eq!(world.all_published().len(), 0, "{switches}");
    taken_over(&world, &switches).await;
}

/// An existing publication is overwritten, if the service allows that.
async fn taken_over(world: &World, switches: &Value) {
    if switches["publications"]["republish"] == "conflict" {
        return;
    }
    world.plant_publication("productionOrg", Seed::APP_ID);
    world.pass(POLL).await;
    world.api.apply(publication_with(API, json!({})));
    world.publication_within(LATER, API, "True", "Published").await;
    world.pass(Duration::from_secs(600)).await;
    assert_eq!(world.only_published().1.upload.client_name, CLIENT, "{switches}");
    assert_eq!(world.event_count(API, "Adopted"), 1, "{switches}");
}

#[tokio::test(start_paused = true)]
async fn publication_finishes_under_every_behaviour() {
    under_each(all_switches(), live).await;
}
