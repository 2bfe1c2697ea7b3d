//! Kills the operator at every request of consents, adoptions and requested replacements.
//!
//! See `crash` for the mechanism. This file has the flows and what must hold at the end of each.

use std::time::Duration;

use applink_simulator::{Dialect, Settings, Status, TakenName};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::crash::{
    DELETE, Flow, POST, STATUS, Service, WRITE, cli, kill_at_every_request, lagging, ready, recorded, reference,
};
use crate::world::{LATER, NS, World, condition, says};

const SECRET: &str = "production-connection-oauth";
const ASK: &str = "after POST /addons/*/connections/datacloud";
const HAND_OVER: &str = "after POST /api/v1/namespaces/crm/secrets";
const HAND_OVER_ANEW: &str = "after PATCH /api/v1/namespaces/crm/secrets/production-connection-oauth";
const WITHDRAW: &str = "after DELETE /api/v1/namespaces/crm/secrets/production-connection-oauth";

fn by_oauth() -> Value {
    json!({"jwt": null, "oauth": {}, "provider": "DataCloud"})
}

/// Returns the consent link only in the response to the POST.
fn once(settings: &mut Settings) {
    settings.dialect = Dialect::Reference;
}

fn tombstones(settings: &mut Settings) {
    (settings.keep_disconnected, settings.tombstones_hold_names) = (true, true);
}

fn upserts(settings: &mut Settings) {
    tombstones(settings);
    settings.taken_name = TakenName::Upsert;
}

/// Waits for the link in the Secret, consents, and waits until it is Ready.
async fn consented(world: &World) {
    let mut current = world.api.get("connections", NS, "production");
    loop {
        let object = current.take().expect("it stays");
        if says(&object, "True", "Connected") {
            return;
        }
        let waits = condition(&object, "Ready").is_some_and(|c| c["reason"] == "AwaitingUser");
        let target = world.secret(SECRET).map(|s| s["metadata"]["annotations"]["applink.dev/link-for"].clone());
        if waits && let Some(target) = target {
            let id = target.as_str().expect("an id").parse().expect("a UUID");
            let (now, org) = (world.clock.now(), applink_simulator::Org::of("admin@example.com"));
            // The link of a replaced connection is dead.
            let _ = world.sim.world(|w| w.consent(id, org, now));
        }
        let before = object["metadata"]["resourceVersion"].clone();
        let moved = |o: Option<&Value>| o.is_some_and(|o| o["metadata"]["resourceVersion"] != before);
        current = world.api.wait_until("connections", NS, "production", moved, LATER).await;
    }
}

/// At no time did two exist, not counting tombstones.
fn one_at_a_time(world: &World) {
    let mut lives: Vec<(SignedDuration, SignedDuration)> = world.sim.world(|w| {
        let since = |t: jiff::Timestamp| t.duration_since(jiff::Timestamp::UNIX_EPOCH);
        let over = |s: &Option<Status>| matches!(s, None | Some(Status::Disconnected));
        w.connections()
            .map(|c| {
                let first = c.history().first().expect("a beginning");
                let end = c.history().iter().find(|t| over(&t.to)).map_or(SignedDuration::MAX, |t| since(t.at));
                (since(first.at), end)
            })
            .collect()
    });
    lives.sort();
    for two in lives.windows(2) {
        assert!(two[0].1 <= two[1].0, "one was created while another existed: {lives:?}");
    }
}

/// Everything is applied at once; a person consents as soon as there is a link.
struct Consent;

impl Flow for Consent {
    async fn prepare(&self, service: Service) -> World {
        let world = World::new();
        world.sim.settings(service);
        world.addon();
        world.connection_with("production", "productionOrg", by_oauth());
        world
    }

    async fn goal(&self, world: &World) {
        consented(world).await;
    }

    fn check(&self, world: &World) {
        recorded(world);
        one_at_a_time(world);
        assert_eq!(world.secret(SECRET), None);
        assert!(world.created() <= 4, "a kill costs at most one more link: {}", world.created());
    }
}

/// Nobody consents in time, and the user starts over.
struct StartOver;

impl Flow for StartOver {
    async fn prepare(&self, service: Service) -> World {
        let mut world = Consent.prepare(service).await;
        world.start();
        world.within(LATER, "production", "False", "AuthorizationExpired").await;
        world.forget_requests();
        world
    }

    fn act(&self, world: &World) {
        world.annotate("production", "requestedAt", "now");
    }

    async fn goal(&self, world: &World) {
        consented(world).await;
    }

    fn check(&self, world: &World) {
        Consent.check(world);
    }
}

/// The key is rotated, and the policy allows a replacement.
struct Rotate;

impl Flow for Rotate {
    async fn prepare(&self, service: Service) -> World {
        let world = ready(service).await;
        world.connection_with("production", "productionOrg", json!({"replacePolicy": "DeleteAndRecreate"}));
        world.pass(Duration::from_secs(70)).await;
        world.forget_requests();
        world
    }

    fn act(&self, world: &World) {
        world.key("rotated");
    }

    async fn goal(&self, world: &World) {
        let renewed =
            |object: Option<&Value>| object.is_some_and(|o| says(o, "True", "Connected")) && world.created() > 0;
        world.api.wait_until("connections", NS, "production", renewed, LATER).await;
        world.pass(Duration::from_secs(1)).await;
        world.within(LATER, "production", "True", "Connected").await;
    }

    fn check(&self, world: &World) {
        recorded(world);
        one_at_a_time(world);
        assert_eq!(world.created(), 1, "recreated once");
    }
}

/// The user requests a replacement, although nothing changed and the policy is Never.
struct Asked;

impl Flow for Asked {
    async fn prepare(&self, service: Service) -> World {
        let world = ready(service).await;
        world.forget_requests();
        world
    }

    fn act(&self, world: &World) {
        world.annotate("production", "replace", "now");
    }

    async fn goal(&self, world: &World) {
        let done = |object: Option<&Value>| {
            object.is_some_and(|o| says(o, "True", "Connected") && o["status"]["lastHandledReplace"] == "now")
        };
        world.api.wait_until("connections", NS, "production", done, LATER).await;
    }

    fn check(&self, world: &World) {
        recorded(world);
        one_at_a_time(world);
        assert_eq!(world.created(), 1, "recreated once");
    }
}

/// The connection existed before.
struct Adopt;

impl Flow for Adopt {
    async fn prepare(&self, service: Service) -> World {
        let world = World::new();
        world.sim.settings(service);
        world.plant("productionOrg", SignedDuration::from_hours(3));
        world.addon();
        world.connection("production", "productionOrg");
        world
    }

    async fn goal(&self, world: &World) {
        world.within(LATER, "production", "True", "Connected").await;
    }

    fn check(&self, world: &World) {
        recorded(world);
        assert_eq!(world.mutations(), 0);
    }
}

kill_at_every_request! {
    kill_during_consent: Consent, cli, 2, [ASK, HAND_OVER, WITHDRAW, WRITE, STATUS];
    kill_during_consent_with_link_sent_once: Consent, once, 2, [ASK, HAND_OVER, WITHDRAW, WRITE, STATUS];
    kill_during_consent_listed_late: Consent, lagging, 1, [ASK, HAND_OVER, WITHDRAW];
    kill_during_consent_with_tombstones: Consent, reference, 1, [ASK, HAND_OVER, WITHDRAW];
    kill_during_consent_restart: StartOver, cli, 1, [ASK, DELETE, HAND_OVER_ANEW, WITHDRAW];
    kill_during_consent_restart_with_link_sent_once: StartOver, once, 1, [ASK, DELETE, HAND_OVER_ANEW];
    kill_during_rotation: Rotate, cli, 2, [DELETE, WRITE, POST, STATUS];
    kill_during_rotation_with_tombstones: Rotate, reference, 1, [DELETE, WRITE, POST, STATUS];
    kill_during_rotation_with_name_holding_tombstones: Rotate, tombstones, 1, [DELETE, WRITE, POST, STATUS];
    kill_during_rotation_with_same_id: Rotate, upserts, 1, [DELETE, WRITE, POST, STATUS];
    kill_during_rotation_listed_late: Rotate, lagging, 1, [DELETE, WRITE, POST, STATUS];
    kill_during_requested_replacement: Asked, cli, 2, [DELETE, WRITE, POST, STATUS];
    kill_during_requested_replacement_listed_late: Asked, lagging, 1, [DELETE, WRITE, POST, STATUS];
    kill_during_adoption: Adopt, cli, 2, [WRITE, STATUS];
    kill_during_adoption_listed_late: Adopt, lagging, 1, [WRITE, STATUS];
}
