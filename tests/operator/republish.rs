//! Publications that others overwrite or delete, and services that show, date or refuse a publish call in every way:
//! the operator republishes as often as needed.

use std::time::Duration;

use applink_simulator::{Fault, Republish, What, Where};
use serde_json::json;

use crate::inspect::{answer, on_post};
use crate::publication::{API, CLIENT, publication};
use crate::world::{ADDON, HOUR, LATER, NS, World, message, progress, says};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn foreign_publish_is_overwritten_once() {
    let mut world = World::with_publication().await;
    world.touch();
    world.pass(2 * MINUTE).await;
    assert_eq!(world.publishes(), 1);
    assert_eq!(world.only_published().1.upload.client_name, CLIENT);
    assert_eq!(world.event_count(API, "DriftCorrected"), 1);
    world.restart().await;
    world.pass(HOUR).await;
    assert_eq!((world.publishes(), world.unpublishes()), (1, 0));
    assert!(says(&world.get_publication(API), "True", "Published"));
}

#[tokio::test(start_paused = true)]
async fn foreign_publish_right_after_ours_is_noticed() {
    let world = World::with_publication().await;
    world.document("1.1.0");
    world.republished(1).await;
    world.pass(Duration::from_secs(3)).await;
    world.touch();
    world.pass(2 * MINUTE).await;
    assert_eq!((world.publishes(), world.event_count(API, "DriftCorrected")), (2, 1));
    assert_eq!(world.only_published().1.upload.client_name, CLIENT);
    world.pass(HOUR).await;
    assert_eq!(world.publishes(), 2);
}

#[tokio::test(start_paused = true)]
async fn foreign_publish_while_stopped_is_noticed() {
    let mut world = World::with_publication().await;
    world.take().kill().await;
    world.pass(MINUTE).await;
    world.touch();
    world.pass(HOUR).await;
    world.start();
    world.pass(2 * MINUTE).await;
    assert_eq!((world.publishes(), world.event_count(API, "DriftCorrected")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn repeated_foreign_publishes_are_contested() {
    let world = World::with_publication().await;
    for _ in 0..8 {
        world.touch();
        world.pass(3 * MINUTE).await;
    }
    let object = world.get_publication(API);
    assert!(says(&object, "False", "Contested"), "{object:#}");
    assert_eq!(progress(&object), Some("Stalled"));
    assert!(message(&object).contains("published again 3 times"), "{}", message(&object));
    assert_eq!(world.publishes(), 3);
    world.pass(3 * HOUR).await;
    assert_eq!(world.publishes(), 3, "until somebody requests it");
    // A change of the spec is not a contest.
    world.document("1.1.0");
    world.republished(4).await;
    world.pass(MINUTE).await;
    for times in 5..8 {
        world.touch();
        world.republished(times).await;
        world.pass(MINUTE).await;
    }
    world.touch();
    world.publication_within(LATER, API, "False", "Contested").await;
    world.annotate_publication(API, "requestedAt", "1");
    world.published(API).await;
    assert_eq!(world.only_published().1.upload.client_name, CLIENT);
}

#[tokio::test(start_paused = true)]
async fn remotely_deleted_publication_is_republished() {
    let world = World::with_publication().await;
    let before = world.get_publication(API)["status"]["externalServiceID"].clone();
    world.unpublish();
    world.pass(Duration::from_secs(70)).await;
    assert_eq!(world.publishes(), 1);
    let object = world.published(API).await;
    assert_eq!(object["status"]["externalServiceID"], world.only_published().1.external_service_id);
    assert_ne!(object["status"]["externalServiceID"], before);
    assert_eq!(world.event_count(API, "Recreated"), 1);
    world.pass(HOUR).await;
    assert_eq!((world.publishes(), world.event_count(API, "DriftCorrected")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn late_or_missing_dates_cause_no_loop() {
    let mut wrong = Vec::new();
    for seconds in [0.0, 5.0, 40.0, 150.0] {
        for touches in [true, false] {
            for lag in [0.0, 20.0] {
                for poll in ["60s", "10m"] {
                    let case = format!("shown after {seconds} s, touches {touches}, lag {lag}, poll {poll}");
                    if tokio::spawn(late(seconds, touches, lag, poll)).await.is_err() {
                        wrong.push(case);
                    }
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

async fn late(seconds: f64, touches: bool, lag: f64, poll: &str) {
    let world = World::with_addon().await;
    world.api.patch("applinkaddons", NS, ADDON, json!({"spec": {"pollInterval": poll}}));
    world.sim.settings(|settings| {
        settings.list_lag_seconds = lag;
        settings.publications.publish_seconds = seconds;
        settings.publications.touch_on_republish = touches;
    });
    world.connection("production", "productionOrg");
    world.document("1.0.0");
    world.api.apply(publication(API));
    world.published(API).await;
    world.pass(HOUR).await;
    assert_eq!(world.publishes(), 1, "created");
    world.document("1.1.0");
    world.republished(2).await;
    world.pass(HOUR).await;
    assert_eq!(world.publishes(), 2, "changed");
    world.touch();
    world.pass(HOUR).await;
    assert_eq!((world.publishes(), world.event_count(API, "DriftCorrected")), (3, 1), "touched");
    world.pass(2 * HOUR).await;
    assert_eq!((world.publishes(), world.unpublishes()), (3, 0), "at rest");
    assert!(says(&world.get_publication(API), "True", "Published"));
    world.unpublish();
    world.pass(HOUR).await;
    assert_eq!(world.publishes(), 4, "deleted");
    world.delete_publication(API);
    world.publication_gone(API).await;
    assert_eq!(world.all_published().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn refused_republish_names_the_way_out() {
    for (republish, code) in [(Republish::Conflict, "409"), (Republish::Unprocessable, "422")] {
        let world = World::published_under(|switches| switches.republish = republish).await;
        world.document("1.1.0");
        let object = world.publication_until(API, "False", "RemoteRejected").await;
        let reported = message(&object);
        assert!(reported.contains(code) && reported.contains("applink.dev/replace"), "{reported}");
        assert_eq!(progress(&object), Some("Stalled"));
        world.pass(HOUR).await;
        assert!((2..=7).contains(&world.publishes()), "retried every 10 minutes: {}", world.publishes());
        assert_eq!((world.took_effect(), world.unpublishes()), (0, 0), "the existing one stays");
        world.annotate_publication(API, "replace", "1");
        let object = world.publication_until(API, "True", "Published").await;
        assert_eq!(object["status"]["lastHandledReplace"], "1");
        world.pass(HOUR).await;
        assert_eq!((world.took_effect(), world.unpublishes()), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn conflict_is_resolved_by_replacing_if_allowed() {
    let world = World::published_under(|switches| switches.republish = Republish::Conflict).await;
    world.respec(API, json!({"replacePolicy": "DeleteAndRecreate"}));
    world.document("1.1.0");
    world.republished(1).await;
    assert_eq!((world.publishes(), world.unpublishes()), (2, 1));
    world.pass(MINUTE).await;
    world.touch();
    world.republished(2).await;
    assert_eq!((world.publishes(), world.unpublishes()), (4, 2));
    world.pass(HOUR).await;
    assert_eq!((world.publishes(), world.unpublishes()), (4, 2));
}

#[tokio::test(start_paused = true)]
async fn invalid_refusal_does_not_replace() {
    let world = World::published_under(|switches| switches.republish = Republish::Unprocessable).await;
    world.respec(API, json!({"replacePolicy": "DeleteAndRecreate"}));
    world.document("1.1.0");
    world.publication_until(API, "False", "RemoteRejected").await;
    world.pass(HOUR).await;
    assert_eq!(world.unpublishes(), 0, "the next would be refused too, and nothing would be left");
}

#[tokio::test(start_paused = true)]
async fn refused_publish_retries_on_change_or_request() {
    let world = World::with_connection().await;
    world.fault(on_post(answer(Where::Before, 422, None, None)).times(2));
    world.document("1.0.0");
    world.api.apply(publication(API));
    world.publication_until(API, "False", "RemoteRejected").await;
    world.document("1.0.1");
    world.pass(Duration::from_secs(5)).await;
    assert_eq!(world.publishes(), 2);
    world.pass(MINUTE).await;
    world.annotate_publication(API, "requestedAt", "1");
    world.publication_until(API, "True", "Published").await;
    assert_eq!(world.publishes(), 3);
}

#[tokio::test(start_paused = true)]
async fn replace_annotation_works_once_under_any_policy() {
    let world = World::with_publication().await;
    world.annotate_publication(API, "replace", "now");
    world.republished(1).await;
    world.pass(HOUR).await;
    assert_eq!((world.publishes(), world.unpublishes()), (1, 1));
    assert_eq!(world.get_publication(API)["status"]["lastHandledReplace"], "now");
}

#[tokio::test(start_paused = true)]
async fn lost_publish_is_looked_up_before_retry() {
    for (place, calls) in [(Where::After, 1), (Where::Before, 2)] {
        for first in [true, false] {
            for touches in [true, false] {
                let world = if first { World::with_connection().await } else { World::with_publication().await };
                world.sim.settings(|settings| settings.publications.touch_on_republish = touches);
                world.forget_requests();
                world.fault(on_post(Fault::new(place, What::Reset)).times(1));
                if first {
                    world.document("1.0.0");
                    world.api.apply(publication(API));
                } else {
                    world.document("1.1.0");
                }
                world.pass(3 * MINUTE).await;
                let case = format!("{place:?}, first {first}, touches {touches}");
                assert!(says(&world.get_publication(API), "True", "Published"), "{case}");
                assert_eq!(world.publishes(), calls, "{case}");
                world.pass(HOUR).await;
                assert_eq!(world.publishes(), calls, "{case}");
                world.only_published();
            }
        }
    }
}
