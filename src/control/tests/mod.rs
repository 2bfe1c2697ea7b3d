//! A made-up second backend: a notebook, whose notes are observed by key, updated in place, and declared by a kind in an
//! API group of its own. It shows that nothing between the watch and the call knows AppLink alone.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

mod note;
mod notebook;
#[path = "../../../tests/support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use kube::CustomResourceExt;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use self::note::Note;
use self::notebook::{Notebook, Service, register};
use self::support::apiserver::ApiServer;
use super::context::Stores;
use super::fence::WriteFence;
use super::health::Health;
use super::index::Index;
use super::queues::{queues, start};
use super::run::{Dependencies, Options, context};
use crate::budget::Limits;
use crate::clock::Clock;
use crate::crd::is_own_group;
use crate::liveness::Liveness;
use crate::metrics::Metrics;
use crate::observe::{Key, Poller};
use crate::readiness::Readiness;
use crate::transport::{AllowedHosts, in_process};

const NS: &str = "crm";
const SOON: Duration = Duration::from_secs(30);
/// As in `Notebook::poll`.
const POLL: Duration = Duration::from_secs(60);

fn operator(server: &ApiServer, clock: Clock) -> Dependencies {
    Dependencies {
        client: server.client(),
        // No call goes to AppLink.
        transport: in_process(axum::Router::new()),
        clock,
        metrics: Metrics::default(),
        ready: watch::Sender::new(Readiness::default()),
        liveness: Liveness::default(),
    }
}

/// Reconciles notes only.
fn run(server: &ApiServer, clock: Clock, service: &Service) {
    let dependencies = operator(server, clock);
    let options = Options {
        namespaces: Vec::new(),
        hosts: AllowedHosts::new(&[]).expect("no pattern"),
        write_concurrency: 1,
        reconcile_concurrency: 4,
        lease_namespace: None,
        limits: Limits::default(),
    };
    let (observed, _) = mpsc::unbounded_channel();
    let (index, mut stores) = (Arc::<Index>::default(), Stores::default());
    let health = Health::new(dependencies.ready.clone(), dependencies.metrics.clone());
    let (store, queues) = queues::<Note>(&dependencies, &options, &health, &observed, &index);
    stores.add(store);
    let ctx = context(&dependencies, &options, &WriteFence::new(clock), (stores, index));
    let owner = Key { kind: "Notebook", namespace: NS.to_owned(), name: "shared".to_owned() };
    let wake = Arc::downgrade(&ctx);
    let source = Notebook::new(service.clone(), clock);
    let poller = Arc::new(Poller::new(
        owner,
        source,
        clock,
        Arc::new(move |trigger| wake.upgrade().iter().for_each(|ctx| ctx.trigger(&trigger))),
    ));
    register(&poller);
    let pulse = dependencies.liveness.pulse("poller of notes", Duration::from_secs(60));
    tokio::spawn(poller.run(dependencies.metrics.clone(), pulse));
    tokio::spawn(join_all(start(&ctx, queues)));
}

fn note(text: &str) -> Value {
    json!({
        "apiVersion": "notes.applink.dev/v1", "kind": "Note", "metadata": { "name": "a", "namespace": NS },
        "spec": { "title": "hello", "text": text },
    })
}

/// Waits until the note is Ready with this text in the service.
async fn ready(server: &ApiServer, service: &Service, text: &str) -> Value {
    let is_ready = |object: Option<&Value>| {
        object.is_some_and(|note| {
            note["status"]["conditions"][0]["status"] == "True"
                && note["status"]["observedGeneration"] == note["metadata"]["generation"]
        }) && service.text("hello").as_deref() == Some(text)
    };
    server.wait_until("notes", NS, "a", is_ready, SOON).await;
    server.get("notes", NS, "a").expect("it is there")
}

#[tokio::test(start_paused = true)]
async fn a_kind_of_another_backend_is_created_corrected_updated_and_deleted() {
    let start: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a date");
    let (clock, service) = (Clock::starting_at(start), Service::default());
    let server = ApiServer::with_clock(Arc::new(move || clock.now()));
    server.apply(note("one"));
    run(&server, clock, &service);

    let made = ready(&server, &service, "one").await;
    let intent: Value = serde_json::from_str(made["metadata"]["annotations"]["applink.dev/intent"].as_str().unwrap())
        .expect("an intent");
    assert_eq!((&intent["ownerID"], &made["status"]["id"]), (&json!("notebook-1"), &json!("note-1")));
    assert_eq!(service.writes(), ["create hello"]);

    server.apply(note("two"));
    ready(&server, &service, "two").await;
    assert_eq!(service.writes(), ["create hello", "update text of note-1"]);

    service.edit("hello", "somebody else's");
    tokio::time::timeout(2 * POLL, service.until("hello", "two")).await.expect("the next poll finds the drift");
    assert_eq!(service.writes().len(), 3, "drift is corrected by one update");

    let reads = service.reads();
    server.clear_writes();
    tokio::time::sleep(10 * POLL).await;
    assert_eq!(server.writes(), [], "nothing is written at rest");
    assert!(service.reads() - reads <= 12, "one read for each poll");

    server.delete("notes", NS, "a");
    server.wait_until("notes", NS, "a", |note| note.is_none(), SOON).await;
    assert_eq!((service.text("hello"), service.writes().last().map(String::as_str)), (None, Some("delete note-1")));
}

#[test]
fn the_group_is_one_of_ours() {
    assert!(is_own_group(Note::crd().spec.group.as_str()) && is_own_group("applink.dev"));
    assert!(!is_own_group("notapplink.dev") && !is_own_group("dev"));
}
