//! One list fails while others work. It affects only the objects in that list, as an outage would, and no children of
//! others. The add-on reports it at once.

use std::time::Duration;

use applink_simulator::{Fault, Where};
use serde_json::{Value, json};

use crate::authorization::{NAME as USER, authorization};
use crate::connection_children::{API, SALES, SALES_REMOTE, publication};
use crate::target::UPDATES;
use crate::world::{ADDON, HOUR, LATER, NS, SOON, World, condition, message, progress, says};

const SILENCE: Duration = Duration::from_secs(300);
/// A poll interval and its jitter.
const POLL: Duration = Duration::from_secs(75);

/// Plural, name, part of the list's path, and Ready reason.
const LISTED: [(&str, &str, &str, &str); 3] = [
    ("authorizations", USER, "/authorizations", "Authorized"),
    ("publications", API, "/connections/salesforce/", "Published"),
    ("dataactiontargets", UPDATES, "/data_action_targets", "Created"),
];

fn apply(world: &World, plural: &str) {
    match plural {
        "authorizations" => drop(world.api.apply(authorization(&json!({})))),
        "publications" => drop(world.api.apply(publication(API, SALES))),
        _ => drop(world.updates()),
    }
}

fn unlist(world: &World, path: &str, code: u16) {
    world.fault(Fault::status(Where::Before, code).method("GET").path_contains(path));
}

/// Both connections are Ready.
async fn connected() -> World {
    let world = World::with_cloud().await;
    world.connection(SALES, SALES_REMOTE);
    world.until(SALES, "True", "Connected").await;
    world
}

#[tokio::test(start_paused = true)]
async fn failing_list_turns_its_objects_unknown_later() {
    let world = connected().await;
    for (plural, name, _, ready) in LISTED {
        apply(&world, plural);
        world.until_of(plural, name, SOON, ("True", ready)).await;
    }
    world.pass(2 * POLL).await;
    let calls = world.mutations();
    for (plural, name, path, ready) in LISTED {
        world.api.clear_writes();
        unlist(&world, path, 500);
        world.pass(SILENCE - POLL).await;
        let writes = world.api.writes();
        let mut written: Vec<_> = writes.iter().map(|write| write.resource).collect();
        written.sort_unstable();
        assert_eq!(written, ["applinkaddons", "events"], "only the add-on reports it: {writes:#?}");
        let addon = world.api.get("applinkaddons", NS, ADDON).expect("it exists");
        let reachable = condition(&addon, "Reachable").expect("it is reported");
        assert_eq!((&reachable["status"], &reachable["reason"]), (&json!("False"), &json!("RemoteUnavailable")));
        world.api.clear_writes();
        let object = world.until_of(plural, name, 2 * POLL + POLL, ("Unknown", "RemoteUnavailable")).await;
        assert!(message(&object).contains("500") && progress(&object).is_none(), "{object:#}");
        world.pass(HOUR).await;
        let writes = world.api.writes();
        let reported: Vec<_> = writes.iter().filter(|write| write.resource != "events").collect();
        assert!(reported.len() == 1 && reported[0].resource == plural, "{reported:#?}");
        assert!(says(&world.api.get("applinkaddons", NS, ADDON).expect("it exists"), "True", "AddonReady"));
        world.clear_faults();
        world.until_of(plural, name, POLL, ("True", ready)).await;
        world.pass(POLL).await;
        let addon = world.api.get("applinkaddons", NS, ADDON).expect("it exists");
        assert_eq!(condition(&addon, "Reachable").expect("it is reported")["status"], "True");
    }
    assert_eq!(world.mutations(), calls, "nothing is created or deleted for want of a list");
}

#[tokio::test(start_paused = true)]
async fn never_ready_names_the_failing_list() {
    for code in [500, 403, 429] {
        let world = connected().await;
        world.pass(POLL).await;
        let calls = world.mutations();
        for (plural, name, path, ready) in LISTED {
            unlist(&world, path, code);
            apply(&world, plural);
            let reason = match code {
                429 => "RateLimited",
                403 => "CredentialInvalid",
                _ => "RemoteUnavailable",
            };
            let object = world.until_of(plural, name, POLL, ("False", reason)).await;
            assert!(message(&object).contains(&code.to_string()) && progress(&object).is_some(), "{object:#}");
            world.pass(2 * SILENCE).await;
            world.clear_faults();
            world.until_of(plural, name, LATER, ("True", ready)).await;
        }
        assert_eq!(world.mutations(), calls + LISTED.len(), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn deletion_reports_the_failing_list() {
    let mut world = connected().await;
    apply(&world, "publications");
    world.until_of("publications", API, SOON, ("True", "Published")).await;
    world.pass(2 * POLL).await;
    unlist(&world, LISTED[1].2, 500);
    world.restart().await;
    world.api.delete("publications", NS, API);
    let waits = |object: Option<&Value>| object.is_some_and(|o| says(o, "False", "Deleting"));
    let object = world.api.wait_until("publications", NS, API, waits, POLL).await.expect("it exists");
    assert!(message(&object).contains("force-orphan") && progress(&object) == Some("Reconciling"), "{object:#}");
    world.clear_faults();
    world.api.wait_until("publications", NS, API, |object| object.is_none(), LATER).await;
    assert_eq!(world.deletes(), 1);
}

#[tokio::test(start_paused = true)]
async fn unsubscribed_list_is_not_an_outage() {
    let world = connected().await;
    apply(&world, "publications");
    world.until_of("publications", API, SOON, ("True", "Published")).await;
    unlist(&world, LISTED[1].2, 500);
    world.until_of("publications", API, 2 * SILENCE, ("Unknown", "RemoteUnavailable")).await;
    world.api.annotate("publications", NS, API, "applink.dev/force-orphan", Some("true"));
    world.api.delete("publications", NS, API);
    world.until_as("publications", API, SOON, |object| object.is_none()).await;
    world.clear_faults();
    world.pass(HOUR).await;
    world.api.clear_writes();
    apply(&world, "publications");
    world.until_of("publications", API, SOON, ("True", "Published")).await;
    let reported = format!("{:?}", world.api.writes());
    assert!(!reported.contains("Unknown") && !reported.contains("RemoteUnavailable"), "{reported}");
}
