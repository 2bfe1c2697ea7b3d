//! Kills the operator at every request of an authorization that exports its credentials.
//!
//! See `crash` for the mechanism. This file has the flows and what must hold at the end of each.

use std::time::Duration;

use applink_simulator::{Dialect, Settings, Status};
use serde_json::{Value, json};

use super::{CREDENTIALS_SECRET, LINK, NAME, World, by_oauth, exporting};
use crate::crash::{Flow, Service, cli, kill_at_every_request, lagging, reference};
use crate::world::{LATER, NS, condition, says};

const POST: &str = "after POST /addons/*/authorizations/salesforce/jwt";
const ASK: &str = "after POST /addons/*/authorizations/salesforce";
const DELETE: &str = "after DELETE /addons/*/authorizations/*";
const READ: &str = "before GET /addons/*/authorizations/batchUser";
const WRITE: &str = "after PATCH /apis/applink.dev/v1alpha1/namespaces/crm/authorizations/batch-user";
const STATUS: &str = "after PATCH /apis/applink.dev/v1alpha1/namespaces/crm/authorizations/batch-user/status";
const EXPORT: &str = "after POST /api/v1/namespaces/crm/secrets";
const RETRACT: &str = "after DELETE /api/v1/namespaces/crm/secrets/batch-credentials";
const RENEW: &str = "after PATCH /api/v1/namespaces/crm/secrets/batch-credentials";

/// Returns the consent link only in the response to the POST.
fn once(settings: &mut Settings) {
    settings.dialect = Dialect::Reference;
}

async fn begun(service: Service, spec: &Value) -> World {
    let world = World::new();
    world.sim.settings(service);
    world.addon();
    world.authorize(spec);
    world
}

async fn ready(service: Service) -> World {
    let mut world = begun(service, &exporting()).await;
    world.start();
    world.authorized_within(LATER, "True", "Authorized").await;
    world.pass(Duration::from_secs(70)).await;
    world.forget_requests();
    world
}

/// Ready, recorded in status and intent, exists once, and its credentials are exported.
fn recorded(world: &World) {
    let object = world.authorization();
    assert!(says(&object, "True", "Authorized"), "{object:#}");
    let remote = world.only_stored();
    assert_eq!(object["status"]["id"], remote.id.to_string());
    assert_eq!(object["status"]["credentialsSecretName"], CREDENTIALS_SECRET);
    assert_eq!(object["metadata"]["finalizers"], json!(["applink.dev/finalizer"]));
    let now = world.clock.now();
    assert_eq!(world.token(), Some(remote.token_for(remote.org_at(now).expect("an org"))));
    assert_eq!(world.secret(LINK), None);
}

/// The user applies everything at once, with JWT.
struct Create;

impl Flow for Create {
    async fn prepare(&self, service: Service) -> World {
        begun(service, &exporting()).await
    }

    async fn goal(&self, world: &World) {
        world.authorized_within(LATER, "True", "Authorized").await;
    }

    fn check(&self, world: &World) {
        recorded(world);
        assert_eq!((world.created(), world.deletes()), (1, 0), "one creation, and never a deletion");
    }
}

/// The user applies everything at once, with OAuth.
struct Consent;

impl Flow for Consent {
    async fn prepare(&self, service: Service) -> World {
        let mut spec = by_oauth();
        spec["credentialsSecretName"] = json!(CREDENTIALS_SECRET);
        begun(service, &spec).await
    }

    async fn goal(&self, world: &World) {
        let mut current = world.api.get("authorizations", NS, NAME);
        loop {
            let object = current.take().expect("it stays");
            if says(&object, "True", "Authorized") {
                return;
            }
            let waits = condition(&object, "Ready").is_some_and(|c| c["reason"] == "AwaitingUser");
            if waits && world.secret(LINK).is_some_and(|s| !s["data"]["url"].is_null()) {
                for one in world.stored() {
                    let (now, org) = (world.clock.now(), applink_simulator::Org::of("admin@example.com"));
                    // The link of a replaced authorization is dead.
                    let _ = world.sim.world(|w| w.consent(one.id, org, now));
                }
            }
            let before = object["metadata"]["resourceVersion"].clone();
            let moved = |o: Option<&Value>| o.is_some_and(|o| o["metadata"]["resourceVersion"] != before);
            current = world.api.wait_until("authorizations", NS, NAME, moved, LATER).await;
        }
    }

    fn check(&self, world: &World) {
        recorded(world);
        assert!(world.created() <= 4, "a kill costs at most one more link: {}", world.created());
    }
}

/// Deleted at rest.
struct Delete;

impl Flow for Delete {
    async fn prepare(&self, service: Service) -> World {
        ready(service).await
    }

    fn act(&self, world: &World) {
        world.api.delete("authorizations", NS, NAME);
    }

    async fn goal(&self, world: &World) {
        world.api.wait_until("authorizations", NS, NAME, |object| object.is_none(), LATER).await;
    }

    fn check(&self, world: &World) {
        assert_eq!((world.stored().len(), world.secret(CREDENTIALS_SECRET)), (0, None), "nothing is left");
        assert_eq!(world.posts(), 0);
    }
}

/// Deleted as soon as the credentials are exported, perhaps before the status says so.
struct DeleteOnceKept;

impl Flow for DeleteOnceKept {
    async fn prepare(&self, service: Service) -> World {
        Create.prepare(service).await
    }

    fn act(&self, world: &World) {
        let (api, user) = (world.api.clone(), world.api.clone());
        api.on_write(move |write| {
            if write.resource == "secrets" && write.verb == "create" {
                let there = user.get("authorizations", NS, NAME);
                if there.is_some_and(|o| o["metadata"]["deletionTimestamp"].is_null()) {
                    user.delete("authorizations", NS, NAME);
                }
            }
        });
    }

    async fn goal(&self, world: &World) {
        world.api.wait_until("authorizations", NS, NAME, |object| object.is_none(), LATER).await;
    }

    fn check(&self, world: &World) {
        Delete.check_left(world);
        assert!(world.created() <= 1);
    }
}

impl Delete {
    fn check_left(&self, world: &World) {
        assert_eq!((world.stored().len(), world.secret(CREDENTIALS_SECRET)), (0, None), "nothing is left");
    }
}

/// The token expires, and the user requests another.
struct Renew;

impl Flow for Renew {
    async fn prepare(&self, service: Service) -> World {
        ready(service).await
    }

    fn act(&self, world: &World) {
        world.expire_token();
        world.ask("requestedAt", "now");
    }

    async fn goal(&self, world: &World) {
        world.seen(LATER, |o| o["status"]["lastHandledReconcileAt"] == "now" && says(o, "True", "Authorized")).await;
    }

    fn check(&self, world: &World) {
        recorded(world);
        assert_eq!(world.mutations(), 0);
    }
}

/// Fails and recovers.
struct FailAndRecover;

impl Flow for FailAndRecover {
    async fn prepare(&self, service: Service) -> World {
        let world = ready(service).await;
        world.turn(Status::Failed);
        world
    }

    async fn goal(&self, world: &World) {
        let failed = world.only_stored().status_at(world.clock.now()) == Some(&Status::Failed);
        if failed {
            world.authorized_within(LATER, "False", "RemoteFailed").await;
            world.until_exported(false, LATER).await;
            world.turn(Status::Connected);
        }
        world.authorized_within(LATER, "True", "Authorized").await;
    }

    fn check(&self, world: &World) {
        recorded(world);
        assert_eq!(world.mutations(), 0);
    }
}

kill_at_every_request! {
    kill_during_creation: Create, cli, 3, [POST, WRITE, READ, EXPORT, STATUS];
    kill_during_slow_creation: Create, reference, 1, [POST, WRITE, READ, EXPORT, STATUS];
    kill_during_creation_listed_late: Create, lagging, 1, [POST, WRITE, READ, EXPORT, STATUS];
    kill_during_consent: Consent, cli, 1, [ASK, WRITE, READ, EXPORT, STATUS];
    kill_during_consent_with_link_sent_once: Consent, once, 1, [ASK, WRITE, READ, EXPORT, STATUS];
    kill_during_deletion: Delete, cli, 3, [RETRACT, DELETE, WRITE];
    kill_during_deletion_with_tombstone: Delete, reference, 1, [RETRACT, DELETE, WRITE];
    kill_while_deleting_after_export: DeleteOnceKept, cli, 1, [RETRACT, DELETE, WRITE];
    kill_during_credentials_refresh: Renew, cli, 3, [READ, RENEW, STATUS];
    kill_during_failure_and_recovery: FailAndRecover, cli, 1, [RETRACT, EXPORT, STATUS];
}
