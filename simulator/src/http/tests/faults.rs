//! Faults, and the request log.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;
use crate::{Fault, RequestRecord, What, Where};

fn strike(bench: &Bench, fault: Fault) {
    let fault = fault.method("POST").times(1);
    bench.simulator.faults(|f| f.add(fault)).expect("a good fault");
}

fn last(bench: &Bench) -> RequestRecord {
    let last = bench.simulator.requests(|log| log.iter().next_back().cloned());
    last.expect("a request")
}

async fn try_post(bench: &Bench) -> Result<Reply, axum::Error> {
    let path = format!("/addons/{}/connections/salesforce/jwt", Seed::ADDON_ID);
    let body = Some(jwt("prod"));
    bench.try_send("POST", &path, &bench.headers, body).await
}

#[tokio::test]
async fn only_faults_after_the_request_commit() {
    let answers = [What::Reset, What::Truncate];
    for what in answers.into_iter().chain([Fault::status(Where::Before, 503).what]) {
        for place in [Where::Before, Where::After] {
            let bench = Bench::new().await;
            strike(&bench, Fault::new(place, what.clone()));
            let reply = try_post(&bench).await;
            let record = last(&bench);
            let status = record.status.map(|status| status.as_u16());
            match (&what, reply) {
                (What::Status { .. }, Ok(reply)) => {
                    assert_eq!(reply.refusal(), (503, "simulated_fault"));
                    assert_eq!(status, Some(503));
                }
                (What::Reset, Err(_)) => assert_eq!(status, None),
                (What::Truncate, Err(_)) => {
                    let cut = if place == Where::After { 202 } else { 200 };
                    assert_eq!(status, Some(cut));
                }
                (what, _) => panic!("{what:?} {place:?} was answered otherwise"),
            }
            let committed = place == Where::After;
            assert_eq!(bench.list().await.len(), usize::from(committed), "{what:?}");
            assert!(record.mutating);
            assert_eq!(record.committed, committed);
            // Its one time is over.
            let again = try_post(&bench).await.expect("an answer").status.as_u16();
            assert_eq!(again, if committed { 409 } else { 202 });
            assert!(!committed || !last(&bench).committed);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_delay_waits_on_tokios_clock() {
    let bench = Bench::new().await;
    for place in [Where::Before, Where::After] {
        strike(&bench, Fault::new(place, What::Delay { ms: 3_600_000 }));
    }
    strike(&bench, Fault::status(Where::After, 500));
    let start = Instant::now();
    let pending = tokio::time::timeout(Duration::from_secs(4_000), try_post(&bench)).await;
    assert!(pending.is_err());
    let record = last(&bench);
    assert_eq!((record.committed, record.status), (true, None));
    assert_eq!(start.elapsed(), Duration::from_secs(4_000));
}

#[tokio::test]
async fn a_status_fault_has_its_headers_and_body() {
    let bench = Bench::new().await;
    let status = |headers, body| {
        let what = json!({"status": {"code": 429, "headers": headers, "body": body}});
        json!({"what": what, "times": 1, "pathPrefix": "/addons/"})
    };
    let added = status(json!({"Retry-After": "7"}), json!({"id": "rate_limit"}));
    bench.control("POST", "/faults", Some(added)).await;
    let reply = bench.applink("GET", "/connections", None).await;
    assert_eq!(reply.refusal(), (429, "rate_limit"));
    assert_eq!(reply.headers["retry-after"], "7");
    let added = status(json!({}), json!("<html>"));
    bench.control("POST", "/faults", Some(added)).await;
    let reply = bench.applink("GET", "/connections", None).await;
    assert_eq!(reply.headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(reply.body, "<html>");
}

#[tokio::test]
async fn faults_apply_to_every_route_of_connection_children() {
    let bench = Bench::new().await;
    let (apps, targets) = ("/connections/salesforce/prod/apps", "/connections/datacloud/data/data_action_targets");
    // With what each answers where there is no such connection.
    for (method, path, own) in [
        ("POST", apps.to_owned(), 404),
        ("GET", apps.to_owned(), 404),
        ("GET", format!("{apps}/{}", Seed::APP_ID), 404),
        ("DELETE", format!("{apps}/{}", Seed::APP_ID), 404),
        ("POST", targets.to_owned(), 404),
        ("GET", targets.to_owned(), 404),
        ("GET", format!("{targets}/customers"), 404),
        ("DELETE", format!("{targets}/customers"), 405),
    ] {
        let fault = Fault::status(Where::Before, 503).method(method).path_contains(&path).times(1);
        bench.simulator.faults(|faults| faults.add(fault)).expect("a good fault");
        for status in [503, own] {
            let reply = bench.applink(method, &path, Some(json!({}))).await;
            assert_eq!(reply.status.as_u16(), status, "{method} {path}");
            let record = last(&bench);
            assert_eq!(record.status.map(|status| status.as_u16()), Some(status));
            assert_eq!((record.method.as_str(), record.committed), (method, false));
            assert_eq!((record.path.ends_with(&path), record.mutating), (true, method != "GET"));
        }
    }
}

#[tokio::test]
async fn the_log_holds_token_digests_only() {
    let bench = Bench::new().await;
    bench.post_jwt("prod").await;
    let records: Vec<_> = bench.simulator.requests(|log| log.iter().cloned().collect());
    assert_eq!(records.len(), 2);
    assert_ne!(records[0].token_digest, records[1].token_digest);
    let shown = bench.control("GET", "/requests?since=1", None).await.body;
    assert_eq!(shown[0]["api"], "applink");
    assert_eq!(shown[0]["status"], 202);
    assert_eq!(shown[0]["committed"], true);
    assert_eq!(shown.as_array().map(Vec::len), Some(1));
    let text = format!("{shown} {records:?}");
    assert!(!text.contains(Seed::ADDON_TOKEN) && !text.contains(Seed::HEROKU_TOKEN));
}

/// What a socket gives until it ends.
async fn over_socket(simulator: Simulator) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move { simulator.serve(listener).await });
    let received = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).expect("a connection");
        let request = b"GET /apps/orders-prod HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).expect("a request sent");
        let mut received = Vec::new();
        // A reset is an end too.
        let _ = stream.read_to_end(&mut received);
        received
    });
    let received = received.await.expect("what was received");
    server.abort();
    String::from_utf8_lossy(&received).into_owned()
}

#[tokio::test]
async fn reset_and_truncation_on_a_socket() {
    let bench = Bench::new().await;
    assert!(over_socket(bench.simulator.clone()).await.starts_with("HTTP/1.1 401"));
    let add = |what| bench.simulator.faults(|f| f.add(Fault::new(Where::After, what)));
    let id = add(What::Reset).expect("a good fault");
    assert_eq!(over_socket(bench.simulator.clone()).await, "");
    bench.simulator.faults(|faults| faults.remove(&id));
    add(What::Truncate).expect("a good fault");
    let received = over_socket(bench.simulator.clone()).await;
    let (head, body) = received.split_once("\r\n\r\n").expect("a head");
    let announced = head.lines().find_map(|l| l.strip_prefix("content-length: "));
    let announced: usize = announced.and_then(|n| n.parse().ok()).expect("a length");
    assert!(!body.is_empty() && body.len() < announced, "{received}");
}
