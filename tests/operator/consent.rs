//! OAuth: the consent link, its Secret, the consent, and what happens without one.

use std::time::Duration;

use applink_simulator::{Org, PendingOrg, RemoteError, Status};
use serde_json::{Value, json};

use crate::world::{HOUR, NS, SOON, World, message, progress, says};

const SECRET: &str = "production-connection-oauth";
/// While a link is new, consent is seen within this time.
const FRESH: Duration = Duration::from_secs(6);
const QUARTER: Duration = Duration::from_secs(15 * 60);

fn oauth() -> Value {
    json!({"jwt": null, "oauth": {}})
}

async fn awaiting() -> World {
    let world = World::with_addon().await;
    world.connection_with("production", "productionOrg", oauth());
    world.until("production", "False", "AwaitingUser").await;
    world
}

/// The link in the Secret.
fn link(world: &World) -> Option<String> {
    Some(world.secret(SECRET)?["data"]["url"].as_str().expect("a link").to_owned())
}

#[tokio::test(start_paused = true)]
async fn oauth_secret_is_written_and_deleted_after_consent() {
    for provider in ["Salesforce", "DataCloud"] {
        let world = World::with_addon().await;
        world.connection_with("production", "productionOrg", json!({"jwt": null, "oauth": {}, "provider": provider}));
        let object = world.until("production", "False", "AwaitingUser").await;
        assert_eq!(progress(&object), Some("Reconciling"));
        assert!(message(&object).contains(SECRET), "{}", message(&object));
        assert_eq!(object["status"]["oauthSecretName"], SECRET);
        assert_eq!(object["status"]["id"], world.only("productionOrg").id.to_string());
        assert_eq!(world.writes_to("production").len(), 2);

        let secret = world.secret(SECRET).expect("it exists");
        assert_eq!(secret["type"], "Opaque");
        let owner = &secret["metadata"]["ownerReferences"][0];
        assert_eq!((&owner["kind"], &owner["uid"]), (&json!("Connection"), &object["metadata"]["uid"]));
        assert!(!world.get("production").to_string().contains("http"), "the link is in the Secret alone");

        world.consent("productionOrg", "admin@example.com");
        let object = world.within(FRESH, "production", "True", "Connected").await;
        assert_eq!(object["status"]["oauthSecretName"], Value::Null);
        assert_eq!(object["status"]["org"]["username"], "admin@example.com");
        assert_eq!(world.secret(SECRET), None);
        assert_eq!(world.writes_to("production").len(), 3);
        world.pass(HOUR).await;
        assert_eq!((world.mutations(), world.writes_to("production").len()), (1, 3), "{provider}");
        for reason in ["AwaitingUser", "Connected", "Created"] {
            assert_eq!(world.event_count("production", reason), 1, "{reason}");
        }
        world.delete("production");
        world.until_gone("production", SOON).await;
        assert_eq!(world.remote().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn consent_is_seen_at_once_then_within_a_poll() {
    let world = awaiting().await;
    world.pass(Duration::from_secs(4 * 60)).await;
    world.consent("productionOrg", "admin@example.com");
    world.within(FRESH, "production", "True", "Connected").await;

    let world = awaiting().await;
    world.pass(Duration::from_secs(14 * 60)).await;
    world.consent("productionOrg", "admin@example.com");
    world.within(Duration::from_secs(67), "production", "True", "Connected").await;
    assert_eq!(world.mutations(), 1);
}

#[tokio::test(start_paused = true)]
async fn expired_consent_restarts_on_request() {
    let mut world = awaiting().await;
    let first = link(&world);
    world.pass(QUARTER - Duration::from_secs(60)).await;
    assert!(says(&world.get("production"), "False", "AwaitingUser"));
    let object = world.within(Duration::from_secs(120), "production", "False", "AuthorizationExpired").await;
    assert_eq!(progress(&object), Some("Stalled"));
    assert!(message(&object).contains("requestedAt"), "{}", message(&object));
    world.pass(HOUR).await;
    world.restart().await;
    world.pass(HOUR).await;
    assert!(says(&world.get("production"), "False", "AuthorizationExpired"));
    assert_eq!(world.mutations(), 1, "a link is asked for once");

    world.annotate("production", "requestedAt", "1");
    let object = world.until("production", "False", "AwaitingUser").await;
    assert_eq!(object["status"]["lastHandledReconcileAt"], "1");
    assert_eq!((world.posts(), world.deletes()), (2, 1));
    assert_ne!(link(&world), first);
    world.consent("productionOrg", "admin@example.com");
    world.within(FRESH, "production", "True", "Connected").await;
    assert_eq!(world.secret(SECRET), None);
}

#[tokio::test(start_paused = true)]
async fn late_consent_survives_a_restart_request() {
    let world = awaiting().await;
    world.within(QUARTER + HOUR, "production", "False", "AuthorizationExpired").await;
    world.consent("productionOrg", "admin@example.com");
    world.annotate("production", "requestedAt", "1");
    world.until("production", "True", "Connected").await;
    assert_eq!(world.mutations(), 1);
}

#[tokio::test(start_paused = true)]
async fn request_with_a_fresh_link_creates_no_other() {
    let mut world = awaiting().await;
    let first = link(&world);
    for request in ["1", "2"] {
        world.annotate("production", "requestedAt", request);
        world.pass(SOON).await;
        world.restart().await;
        world.pass(SOON).await;
    }
    assert_eq!(world.get("production")["status"]["lastHandledReconcileAt"], "2");
    assert!(says(&world.get("production"), "False", "AwaitingUser"));
    assert_eq!((world.mutations(), link(&world)), (1, first));
}

#[tokio::test(start_paused = true)]
async fn foreign_oauth_secret_is_never_touched() {
    let world = World::with_addon().await;
    world.api.set_secret(NS, SECRET, &[("url", "mine")]);
    let theirs = world.secret(SECRET);
    world.connection_with("production", "productionOrg", oauth());
    let object = world.until("production", "False", "InvalidSpec").await;
    assert_eq!(progress(&object), Some("Stalled"));
    assert!(message(&object).contains(SECRET), "{}", message(&object));
    world.pass(HOUR).await;
    assert_eq!((world.mutations(), world.secret(SECRET)), (0, theirs), "nobody could be given the link");
    world.api.delete("secrets", NS, SECRET);
    world.until("production", "False", "AwaitingUser").await;

    // A foreign Secret that later takes its name is left alone, too.
    world.api.delete("secrets", NS, SECRET);
    world.api.set_secret(NS, SECRET, &[("url", "mine")]);
    let theirs = world.secret(SECRET);
    world.until("production", "False", "InvalidSpec").await;
    world.consent("productionOrg", "admin@example.com");
    world.within(Duration::from_secs(67), "production", "True", "Connected").await;
    assert_eq!((world.mutations(), world.secret(SECRET)), (1, theirs));
}

#[tokio::test(start_paused = true)]
async fn deleted_oauth_secret_is_restored() {
    let world = awaiting().await;
    let first = link(&world);
    world.pass(Duration::from_secs(60)).await;
    world.api.delete("secrets", NS, SECRET);
    let back = |secret: Option<&Value>| secret.is_some();
    world.api.wait_until("secrets", NS, SECRET, back, FRESH).await;
    assert_eq!((world.mutations(), link(&world)), (1, first));
}

#[tokio::test(start_paused = true)]
async fn nameless_pending_connection_is_known_by_id() {
    let mut world = World::with_addon().await;
    world.sim.settings(|settings| settings.pending_org = PendingOrg::Null);
    world.connection_with("production", "productionOrg", oauth());
    world.until("production", "False", "AwaitingUser").await;
    world.connection("robot", "robotOrg");
    world.until("robot", "True", "Connected").await;
    world.restart().await;
    world.connection("another", "anotherOrg");
    world.until("another", "True", "Connected").await;
    world.consent("productionOrg", "admin@example.com");
    world.within(FRESH, "production", "True", "Connected").await;
    assert_eq!(world.mutations(), 3);
}

#[tokio::test(start_paused = true)]
async fn denied_consent_is_reported_and_restarts_on_request() {
    let world = awaiting().await;
    let (id, now) = (world.only("productionOrg").id, world.clock.now());
    let denied = RemoteError::new("access_denied", "end-user denied authorization");
    world.sim.world(|w| w.set_status(id, Status::Failed, Some(denied), now)).expect("it exists");
    let object = world.within(FRESH, "production", "False", "RemoteFailed").await;
    assert!(message(&object).contains("access_denied") && message(&object).contains("applink.dev/replace"));
    assert_eq!(world.secret(SECRET), None, "its link is dead");
    world.pass(HOUR).await;
    assert_eq!(world.mutations(), 1);
    world.annotate("production", "replace", "1");
    let object = world.until("production", "False", "AwaitingUser").await;
    assert_eq!(object["status"]["lastHandledReplace"], "1");
    assert_eq!((world.posts(), world.deletes()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn org_mismatch_deletes_nothing() {
    let world = World::with_addon().await;
    let right = Org::of("admin@example.com");
    let expect = json!({"orgID": right.id[..15], "username": "Admin@Example.com"});
    world.connection_with("production", "productionOrg", json!({"jwt": null, "oauth": {}, "expect": expect}));
    world.until("production", "False", "AwaitingUser").await;
    world.consent("productionOrg", "else@example.com");
    let object = world.within(FRESH, "production", "False", "OrgMismatch").await;
    assert_eq!(progress(&object), Some("Stalled"));
    assert!(message(&object).contains(&right.id[..15]), "{}", message(&object));
    world.pass(HOUR).await;
    assert_eq!(world.mutations(), 1);
    world.annotate("production", "replace", "1");
    world.until("production", "False", "AwaitingUser").await;
    world.consent("productionOrg", "admin@example.com");
    world.within(FRESH, "production", "True", "Connected").await;
    assert_eq!((world.posts(), world.deletes()), (2, 1));
    // Pinned to another org later.
    let expect = json!({"orgID": Org::of("else@example.com").id});
    world.connection_with("production", "productionOrg", json!({"jwt": null, "oauth": {}, "expect": expect}));
    world.until("production", "False", "OrgMismatch").await;
    assert_eq!(world.deletes(), 1);
}

#[tokio::test(start_paused = true)]
async fn dropped_pending_connection_restarts_on_request_only() {
    let world = awaiting().await;
    world.pass(Duration::from_secs(60)).await;
    world.vanish("productionOrg");
    let object = world.within(Duration::from_secs(67), "production", "False", "AuthorizationExpired").await;
    assert_eq!(object["status"]["oauthSecretName"], Value::Null);
    assert_eq!(world.secret(SECRET), None);
    world.pass(HOUR).await;
    assert_eq!(world.mutations(), 1);
    world.annotate("production", "requestedAt", "1");
    world.until("production", "False", "AwaitingUser").await;
    assert_eq!((world.posts(), world.deletes()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn deletion_removes_link_and_pending_connection() {
    let world = awaiting().await;
    world.delete("production");
    world.until_gone("production", SOON).await;
    assert_eq!((world.remote().len(), world.secret(SECRET)), (0, None));
}

#[tokio::test(start_paused = true)]
async fn switching_between_oauth_and_jwt_replaces() {
    let world = awaiting().await;
    world.connection("production", "productionOrg");
    world.connection_with("production", "productionOrg", json!({"oauth": null}));
    world.until("production", "True", "Connected").await;
    assert_eq!((world.posts(), world.deletes(), world.secret(SECRET)), (2, 1, None));
    // A connection that worked is not deleted.
    world.connection_with("production", "productionOrg", oauth());
    world.until("production", "False", "ReplacementRequired").await;
    world.connection_with(
        "production",
        "productionOrg",
        json!({"jwt": null, "oauth": {}, "replacePolicy": "DeleteAndRecreate"}),
    );
    world.until("production", "False", "AwaitingUser").await;
    world.consent("productionOrg", "ci@example.com");
    world.within(FRESH, "production", "True", "Connected").await;
    assert_eq!((world.posts(), world.deletes()), (3, 2));
    world.only("productionOrg");
}
