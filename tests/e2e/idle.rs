//! At rest nothing is written, however many objects there are, and a pass costs the same for 200 as for 2.

use serde_json::Value;

use crate::harness::{CONNECTION, Flags, Operator, PATIENCE, Scene, e2e, edit, text, until};

/// Number of passes to watch. Their interval is asserted on virtual time.
const PASSES: usize = 3;

/// What happened at rest.
struct Rest {
    listings: usize,
    counts: usize,
    other: Vec<String>,
    lease_writes: usize,
    other_writes: Vec<String>,
    events: usize,
}

/// Creates this many Connections, and waits for the last reports.
async fn make(scene: &Scene, many: usize) -> Operator {
    let operator = scene.operator_with(Flags { leader_elect: true, ..Flags::default() }).await;
    scene.apply_all(&scene.everything()[..3]).await;
    for nth in 0..many {
        let named = edit(scene.connection(CONNECTION, &format!("org_{nth}")), |c| {
            c["metadata"]["name"] = format!("{CONNECTION}-{nth}").into();
        });
        scene.apply(&named).await;
    }
    let all = async || {
        let reported = scene.list("Event").await;
        let connected = reported.iter().filter(|event| event["reason"] == "Connected").count();
        (connected >= many).then_some(())
    };
    let explain = async || format!("AppLink has {}", scene.simulator.connections().await.len());
    until(&format!("all {many} Connections are connected"), PATIENCE, all, explain).await;
    let counted = |addon: &Value| addon["status"]["connections"] == many;
    scene.wait("AppLinkAddon", "orders", "has counted them", counted).await;
    operator
}

async fn rest(scene: &Scene) -> Rest {
    let events = scene.list("Event").await.len();
    let writes = scene.writes().await.len();
    let last = scene.simulator.last_request().await;
    let passes = |asked: &[Value]| asked.iter().filter(|r| text(r, "/path").ends_with("/connections")).count();
    let asked = scene.simulator.until_requests(last, "some passes", |asked| passes(asked) >= PASSES).await;
    let (lease, other): (Vec<_>, Vec<_>) =
        scene.writes().await.into_iter().skip(writes).partition(|write| write.resource == "leases");
    let ending = |end: &str| asked.iter().filter(|request| text(request, "/path").ends_with(end)).count();
    // SSO parameters are renewed every two minutes.
    let known = |path: &str| ["/connections", "/authorizations", "/sso"].iter().any(|end| path.ends_with(end));
    let other_calls = asked.iter().map(|r| text(r, "/path")).filter(|path| !known(path));
    Rest {
        listings: ending("/connections"),
        counts: ending("/authorizations"),
        other: other_calls.map(str::to_owned).collect(),
        lease_writes: lease.len(),
        other_writes: other.iter().map(|write| format!("{write:?}")).collect(),
        events: scene.list("Event").await.len() - events,
    }
}

fn assert_rest(rest: &Rest, name: &str) {
    println!("{name}: {} passes, {} lease renewals", rest.listings, rest.lease_writes);
    assert_eq!(rest.other_writes, Vec::<String>::new(), "{name}");
    assert_eq!(rest.events, 0, "{name}");
    assert!(rest.lease_writes >= 1, "{name}: the lease is renewed all the time");
    assert!(rest.counts.abs_diff(rest.listings) <= 1, "{name}: a pass at the edge may be counted by half");
    assert_eq!(rest.other, Vec::<String>::new(), "{name}");
}

#[test]
fn idle_cost_does_not_grow_with_connections() {
    e2e("rest-200", async |many| {
        let few = many.beside("rest-2").await;
        let _operators = tokio::join!(make(many, 200), make(&few, 2));
        let (many, few) = tokio::join!(rest(many), rest(&few));
        assert_rest(&many, "200 connections");
        assert_rest(&few, "2 connections");
    });
}
