//! Kills the operator at every request of the ways that go over a person's consent, an adoption, or a replacement that
//! was asked for.
//!
//! How that goes is told in `crash`; here are the flows, and what must come of each.

use std::time::Duration;

use applink_simulator::{Dialect, Settings, Status, TakenName};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::crash::{DELETE, Flow, POST, STATUS, Service, WRITE, cli, lagging, ready, recorded, reference, survived};
use crate::world::{LATER, NS, World, condition, says};

const SECRET: &str = "production-connection-oauth";
const ASK: &str = "after POST /addons/*/connections/datacloud";
const HAND_OVER: &str = "after POST /api/v1/namespaces/crm/secrets";
const HAND_OVER_ANEW: &str = "after PATCH /api/v1/namespaces/crm/secrets/production-connection-oauth";
const WITHDRAW: &str = "after DELETE /api/v1/namespaces/crm/secrets/production-connection-oauth";

fn by_oauth() -> Value {
    json!({"jwt": null, "oauth": {}, "provider": "DataCloud"})
}

/// The link is told once, by the answer to the POST.
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

/// Waits for the link in the Secret, and consents by it; done once Ready.
async fn consented(world: &World) {
    let mut told = world.api.get("connections", NS, "production");
    loop {
        let object = told.take().expect("it stays");
        if says(&object, "True", "Connected") {
            return;
        }
        let waits = condition(&object, "Ready").is_some_and(|c| c["reason"] == "AwaitingUser");
        let target = world.secret(SECRET).map(|s| s["metadata"]["annotations"]["applink.dev/link-for"].clone());
        if waits && let Some(target) = target {
            let id = target.as_str().expect("an id").parse().expect("a UUID");
            let (now, org) = (world.clock.now(), applink_simulator::Org::of("admin@example.com"));
            // A link that was replaced leads nowhere.
            let _ = world.sim.world(|w| w.consent(id, org, now));
        }
        let before = object["metadata"]["resourceVersion"].clone();
        let moved = |o: Option<&Value>| o.is_some_and(|o| o["metadata"]["resourceVersion"] != before);
        told = world.api.wait_until("connections", NS, "production", moved, LATER).await;
    }
}

/// Never were there two at the same time, tombstones aside.
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
        assert!(two[0].1 <= two[1].0, "one was asked for while another was there: {lives:?}");
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
        assert!(world.created() <= 4, "a death costs one more link at the most: {}", world.created());
    }
}

/// Nobody consented in time, and the user starts over.
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

/// The key is rotated, and the policy says to follow.
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
        assert_eq!(world.created(), 1, "made anew once");
    }
}

/// The user asks for it, although nothing changed and the policy is Never.
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
        assert_eq!(world.created(), 1, "made anew once");
    }
}

/// It was there first.
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

survived! {
    a_consent_survives_death_at_every_request: Consent, cli, 2, [ASK, HAND_OVER, WITHDRAW, WRITE, STATUS];
    a_consent_by_a_link_told_once_survives_death_at_every_request: Consent, once, 2, [ASK, HAND_OVER, WITHDRAW, WRITE, STATUS];
    a_consent_that_lists_show_late_survives_death_at_every_request: Consent, lagging, 1, [ASK, HAND_OVER, WITHDRAW];
    a_consent_among_tombstones_survives_death_at_every_request: Consent, reference, 1, [ASK, HAND_OVER, WITHDRAW];
    a_new_start_survives_death_at_every_request: StartOver, cli, 1, [ASK, DELETE, HAND_OVER_ANEW, WITHDRAW];
    a_new_start_by_a_link_told_once_survives_death_at_every_request: StartOver, once, 1, [ASK, DELETE, HAND_OVER_ANEW];
    a_rotation_survives_death_at_every_request: Rotate, cli, 2, [DELETE, WRITE, POST, STATUS];
    a_rotation_among_tombstones_survives_death_at_every_request: Rotate, reference, 1, [DELETE, WRITE, POST, STATUS];
    a_rotation_among_tombstones_that_hold_names_survives_death: Rotate, tombstones, 1, [DELETE, WRITE, POST, STATUS];
    a_rotation_that_keeps_its_id_survives_death: Rotate, upserts, 1, [DELETE, WRITE, POST, STATUS];
    a_rotation_that_lists_show_late_survives_death: Rotate, lagging, 1, [DELETE, WRITE, POST, STATUS];
    a_replacement_on_request_survives_death_at_every_request: Asked, cli, 2, [DELETE, WRITE, POST, STATUS];
    a_replacement_on_request_that_lists_show_late_survives_death: Asked, lagging, 1, [DELETE, WRITE, POST, STATUS];
    an_adoption_survives_death_at_every_request: Adopt, cli, 2, [WRITE, STATUS];
    an_adoption_that_lists_show_late_survives_death_at_every_request: Adopt, lagging, 1, [WRITE, STATUS];
}
