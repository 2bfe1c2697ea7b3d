//! AppLink refuses changes to an existing object: the refusal is reported and retried on request, but not without
//! limit.

use std::time::Duration;

use applink_simulator::Fault;
use serde_json::{Value, json};

use crate::inspect::{on_applink, on_post, refusal};
use crate::publication::API;
use crate::world::{HOUR, NS, World, condition, message, progress, says};

const MINUTE: Duration = Duration::from_secs(60);
const AT_ONCE: Duration = Duration::from_secs(2);

fn on_delete(fault: Fault) -> Fault {
    on_applink(fault).method("DELETE")
}

#[tokio::test(start_paused = true)]
async fn refused_deletion_retries_on_request() {
    for code in [409, 422] {
        let ways: [fn(&World); 2] = [
            |world| world.annotate("production", "requestedAt", "1"),
            |world| {
                drop(world.api.patch("connections", NS, "production", json!({"spec": {"adoptionPolicy": "Never"}})))
            },
        ];
        for ask in ways {
            let world = World::with_connection().await;
            world.fault(on_delete(refusal(code)).times(1));
            world.delete("production");
            let object = world.until("production", "False", "RemoteRejected").await;
            assert_eq!(progress(&object), Some("Stalled"));
            world.pass(MINUTE).await;
            assert_eq!(world.deletes(), 1);
            ask(&world);
            world.until_gone("production", AT_ONCE).await;
            assert_eq!((world.deletes(), world.remote().len()), (2, 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn refused_replacement_retries_on_request() {
    for annotation in ["requestedAt", "replace"] {
        let world = World::with_connection().await;
        world.fault(on_delete(refusal(422)).times(1));
        world.annotate("production", "replace", "1");
        world.until("production", "False", "RemoteRejected").await;
        world.pass(MINUTE).await;
        world.annotate("production", annotation, "2");
        let object = world.within(Duration::from_secs(10), "production", "True", "Connected").await;
        let wanted = if annotation == "replace" { "2" } else { "1" };
        assert_eq!(object["status"]["lastHandledReplace"], wanted);
        assert_eq!((world.deletes(), world.created()), (2, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn repeated_requests_do_not_drain_the_budget() {
    for code in [422, 401] {
        let world = World::with_addon().await;
        let fault = world.fault(on_post(refusal(code)));
        world.connection("production", "productionOrg");
        for asked in 0..20 {
            world.pass(Duration::from_secs(5)).await;
            world.annotate("production", "requestedAt", &asked.to_string());
            world.key(&format!("key {asked}"));
        }
        assert!((4..=6).contains(&world.busiest_ten_minutes()), "{code}: {}", world.busiest_ten_minutes());
        world.sim.faults(|faults| faults.remove(&fault));
        world.within(11 * MINUTE, "production", "True", "Connected").await;
        assert_eq!(world.created(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn refused_token_during_deletion_is_reported() {
    let world = World::with_connection().await;
    let fault = world.fault(on_delete(refusal(401)));
    world.delete("production");
    let object = world.until("production", "False", "CredentialInvalid").await;
    assert_eq!(progress(&object), Some("Stalled"));
    assert!(message(&object).contains("force-orphan"), "{}", message(&object));
    world.pass(HOUR).await;
    assert!(world.busiest_ten_minutes() <= 6, "{}", world.busiest_ten_minutes());
    world.sim.faults(|faults| faults.remove(&fault));
    world.until_gone("production", 11 * MINUTE).await;
}

#[tokio::test(start_paused = true)]
async fn unpublishable_edit_is_reported_while_old_stays() {
    for code in [500, 503, 429] {
        let world = World::with_publication().await;
        let fault = world.fault(on_post(refusal(code)));
        world.document("1.1.0");
        let waits = |object: Option<&Value>| object.is_some_and(|object| message(object).contains("is waiting"));
        world.api.wait_until("publications", NS, API, waits, AT_ONCE).await;
        let object = world.get_publication(API);
        assert!(says(&object, "True", "Published"), "it stays published: {object:#}");
        assert!(message(&object).contains(&code.to_string()), "{}", message(&object));
        world.pass(HOUR).await;
        let reason = if code == 429 { "RateLimited" } else { "RemoteUnavailable" };
        assert_eq!(world.event_count(API, reason), 1, "once: {:#?}", world.events_of(API));
        assert!(condition(&world.get_publication(API), "Stalled").is_none());
        world.sim.faults(|faults| faults.remove(&fault));
        let done = |object: Option<&Value>| object.is_some_and(|object| !message(object).contains("is waiting"));
        world.api.wait_until("publications", NS, API, done, 21 * MINUTE).await;
        assert_eq!(world.took_effect(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn refused_token_during_edit_is_reported() {
    let world = World::with_publication().await;
    let fault = world.fault(on_post(refusal(403)));
    world.document("1.1.0");
    let object = world.publication_within(AT_ONCE, API, "False", "CredentialInvalid").await;
    assert_eq!(progress(&object), Some("Stalled"));
    world.pass(HOUR).await;
    assert!(world.busiest_ten_minutes() <= 6, "{}", world.busiest_ten_minutes());
    world.sim.faults(|faults| faults.remove(&fault));
    world.publication_within(11 * MINUTE, API, "True", "Published").await;
    assert_eq!(world.took_effect(), 1);
}
