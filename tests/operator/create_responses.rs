//! Responses to the request that creates a connection. Each ends in exactly one connection, or in none and a reason.

use std::time::Duration;

use applink_simulator::{Fault, JwtFailure, What, Where};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::inspect::{answer, on_post};
use crate::world::{HOUR, LATER, NS, SOON, World, condition, digest, message, pem, progress, says};

const MINUTE: Duration = Duration::from_secs(60);

/// Applies a connection whose first POST meets this fault, and waits until it is Ready. Returns how long that took.
async fn once(fault: Fault) -> (World, Duration) {
    let world = World::with_addon().await;
    world.fault(on_post(fault).times(1));
    let began = tokio::time::Instant::now();
    world.connection("production", "productionOrg");
    let object = world.within(5 * MINUTE, "production", "True", "Connected").await;
    let took = began.elapsed();
    assert_eq!(object["status"]["id"], world.only("productionOrg").id.to_string());
    world.pass(5 * MINUTE).await;
    assert_eq!((world.created(), world.deletes()), (1, 0), "made once");
    (world, took)
}

#[tokio::test(start_paused = true)]
async fn lost_response_causes_no_second_post() {
    let html = json!("<html>Application error</html>");
    let faults = [
        Fault::new(Where::After, What::Reset),
        Fault::new(Where::After, What::Truncate),
        Fault::new(Where::After, What::Delay { ms: 45_000 }),
        answer(Where::After, 500, None, None),
        answer(Where::After, 502, Some(html.clone()), None),
        answer(Where::After, 200, Some(html), None),
        answer(Where::After, 202, Some(json!({})), None),
        answer(Where::After, 307, None, None),
    ];
    for fault in faults {
        let what = format!("{fault:?}");
        let (world, took) = once(fault).await;
        assert_eq!(world.posts(), 1, "{what}");
        assert!(took < MINUTE, "{what}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn ineffective_post_is_repeated_once_proven() {
    let faults = [
        Fault::new(Where::Before, What::Reset),
        Fault::new(Where::Before, What::Delay { ms: 45_000 }),
        answer(Where::Before, 500, Some(json!("<html>Application error</html>")), None),
        answer(Where::Before, 503, None, None),
    ];
    for fault in faults {
        let what = format!("{fault:?}");
        let (world, took) = once(fault).await;
        assert_eq!(world.posts(), 2, "{what}");
        let certain = Duration::from_secs(30);
        assert!(took > certain && took < 2 * MINUTE, "{what}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rate_limited_post_is_repeated_on_time() {
    let world = World::with_addon().await;
    world.fault(on_post(answer(Where::Before, 429, None, Some(17))).times(1));
    world.connection("production", "productionOrg");
    let object = world.until("production", "False", "RateLimited").await;
    assert_eq!(progress(&object), Some("Reconciling"));
    world.until("production", "True", "Connected").await;
    let at: Vec<_> = world.sim.requests(|log| log.iter().filter(|r| r.mutating).map(|r| r.at).collect());
    let apart = at[1].duration_since(at[0]);
    assert_eq!((at.len(), apart.as_secs()), (2, 17), "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn permanent_refusal_is_reported_and_retried_rarely() {
    let failures = [(JwtFailure::Unprocessable, 422), (JwtFailure::Unauthorized, 401)];
    for (failure, code) in failures {
        let world = World::with_addon().await;
        world.sim.settings(|settings| {
            settings.accepted_keys = vec![digest(&pem("good"))];
            settings.jwt_failure = failure;
        });
        world.key("bad");
        world.connection("production", "productionOrg");
        let object = world.until("production", "False", "RemoteRejected").await;
        assert_eq!(progress(&object), Some("Stalled"));
        assert!(message(&object).contains(&code.to_string()), "{}", message(&object));
        world.pass(3 * HOUR).await;
        assert!(world.busiest_ten_minutes() <= 6, "{}", world.busiest_ten_minutes());
        assert!(world.posts() >= 10, "it is retried: {}", world.posts());
        let writes = world.writes_to("production").len();
        world.pass(HOUR).await;
        let more: Vec<_> =
            world.writes_to("production").into_iter().skip(writes).filter(|w| w.subresource == "status").collect();
        assert!(more.len() <= 7, "only answeredAttempt changes: {more:#?}");
        assert_eq!(world.event_count("production", "RemoteRejected"), 1, "reported once: {:#?}", world.events());
        world.key("good");
        world.within(Duration::from_secs(2), "production", "True", "Connected").await;
    }
}

#[tokio::test(start_paused = true)]
async fn request_ends_the_back_off_after_a_refusal() {
    let world = World::with_addon().await;
    world.fault(on_post(answer(Where::Before, 422, None, None)).times(2));
    world.connection("production", "productionOrg");
    world.until("production", "False", "RemoteRejected").await;
    world.pass(MINUTE).await;
    assert_eq!(world.posts(), 1);
    world.annotate("production", "requestedAt", "once");
    let echoed = |object: Option<&Value>| object.is_some_and(|o| o["status"]["lastHandledReconcileAt"] == "once");
    world.api.wait_until("connections", NS, "production", echoed, Duration::from_secs(2)).await;
    assert_eq!(world.posts(), 2);
    world.annotate("production", "requestedAt", "twice");
    world.within(Duration::from_secs(2), "production", "True", "Connected").await;
    assert_eq!(world.posts(), 3);
}

#[tokio::test(start_paused = true)]
async fn refused_token_is_not_taken_for_a_refused_jwt() {
    let world = World::with_addon().await;
    let body = json!({"id": "unauthorized", "message": "Invalid credentials provided."});
    let fault = world.fault(on_post(answer(Where::Before, 401, Some(body), None)));
    world.connection("production", "productionOrg");
    let object = world.until("production", "False", "CredentialInvalid").await;
    assert_eq!(progress(&object), Some("Stalled"));
    world.pass(2 * HOUR).await;
    assert!(world.busiest_ten_minutes() <= 6, "{}", world.busiest_ten_minutes());
    assert!(says(&world.get("production"), "False", "CredentialInvalid"));
    assert_eq!(world.created(), 0);
    world.sim.faults(|faults| faults.remove(&fault));
    world.within(11 * MINUTE, "production", "True", "Connected").await;
    assert_eq!(world.created(), 1);
}

/// Somebody else creates the name between our list and our POST.
fn taken_in_between(world: &World) {
    let sim = world.sim.clone();
    let clock = world.clock;
    let planted = std::sync::atomic::AtomicBool::new(false);
    world.api.on_write(move |write| {
        let first = write.resource == "connections"
            && write.subresource.is_empty()
            && !planted.swap(true, std::sync::atomic::Ordering::Relaxed);
        if first {
            crate::inspect::plant(&sim, "productionOrg", clock.now());
        }
    });
}

#[tokio::test(start_paused = true)]
async fn object_created_by_others_meanwhile_is_left_alone() {
    let mut world = World::with_addon().await;
    taken_in_between(&world);
    world.connection_with("production", "productionOrg", json!({"adoptionPolicy": "Never"}));
    let object = world.until("production", "False", "AdoptionRefused").await;
    assert_eq!(progress(&object), Some("Stalled"));
    let theirs = world.only("productionOrg");
    assert_eq!((world.posts(), world.created()), (1, 0));
    world.pass(MINUTE).await;
    world.restart().await;
    world.pass(HOUR).await;
    assert!(says(&world.get("production"), "False", "AdoptionRefused"));
    assert_eq!((world.posts(), world.deletes()), (1, 0));
    assert_eq!(world.id("production"), None);
    world.delete("production");
    world.until_gone("production", SOON).await;
    assert_eq!(world.only("productionOrg").id, theirs.id);
    assert_eq!(world.deletes(), 0);
}

#[tokio::test(start_paused = true)]
async fn freed_name_is_used_within_a_poll() {
    let world = World::with_addon().await;
    world.plant("productionOrg", SignedDuration::from_hours(3));
    world.pass(Duration::from_secs(1)).await;
    world.connection_with("production", "productionOrg", json!({"adoptionPolicy": "Never"}));
    world.until("production", "False", "AdoptionRefused").await;
    assert_eq!(world.posts(), 0, "nobody requests a name that is in use");
    world.vanish("productionOrg");
    world.within(Duration::from_secs(67), "production", "True", "Connected").await;
    assert_eq!((world.posts(), world.deletes()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn failing_creates_do_not_count_as_contest() {
    let world = World::with_connection().await;
    let fault = world.fault(on_post(answer(Where::Before, 500, None, None)));
    world.vanish("productionOrg");
    world.pass(HOUR).await;
    let object = world.get("production");
    assert!((4..=20).contains(&world.posts()), "{}", world.posts());
    let ready = condition(&object, "Ready").expect("it is reported");
    assert_ne!(ready["reason"], "Contested", "nobody deleted it again");
    assert_ne!(ready["status"], "True", "it is known to be gone: {object:#}");
    assert_eq!(progress(&object), Some("Reconciling"));
    world.sim.faults(|faults| faults.remove(&fault));
    world.within(15 * MINUTE, "production", "True", "Connected").await;
    assert_eq!(world.created(), 2);
    assert_eq!(world.event_count("production", "Recreated"), 1);
}

#[tokio::test(start_paused = true)]
async fn refused_object_does_not_block_others() {
    let world = World::with_addon().await;
    world.fault(on_post(answer(Where::Before, 422, None, None)).times(1));
    world.connection("refused", "refusedOrg");
    world.until("refused", "False", "RemoteRejected").await;
    world.connection("production", "productionOrg");
    world.within(Duration::from_secs(2), "production", "True", "Connected").await;
}

#[tokio::test(start_paused = true)]
async fn failing_deletion_names_force_orphan() {
    for code in [429, 500, 503] {
        let world = World::with_connection().await;
        world.fault(Fault::status(Where::Before, code).method("DELETE"));
        world.delete("production");
        let object = world.until("production", "False", "Deleting").await;
        let text = message(&object);
        assert!(text.contains(&code.to_string()) && text.contains("applink.dev/force-orphan"), "{text}");
        assert_eq!(progress(&object), Some("Reconciling"));
        world.pass(HOUR).await;
        world.clear_faults();
        world.until_gone("production", LATER).await;
        assert_eq!(world.remote().len(), 0);
    }
}
