//! OAuth: the consent link in its Secret, the page behind it, and the effects of each decision.

use std::time::Duration;

use applink_simulator::CONSENT_MARKS;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::canary::written;
use crate::harness::{
    Flags, Operator, PATIENCE, Proxy, Scene, condition_of, e2e, edit, has_reason, person, secret, text, until,
};

const SALES: &str = "sales";
const SECRET: &str = "sales-connection-oauth";
const POST: &str = "POST connections/salesforce";

fn message(object: &Value) -> &str {
    text(condition_of(object, "Ready"), "/message")
}

/// Token, add-on, and an OAuth Connection for each provider: its name, and the call that creates it.
async fn both(scene: &Scene) -> [(&'static str, &'static str); 2] {
    let labelled = |manifest| {
        edit(manifest, |c| {
            c["metadata"]["labels"] = json!({"team": "orders"});
            c["metadata"]["annotations"] = json!({"example.com/note": "a note"});
        })
    };
    let data = edit(scene.by_consent("data", "dataOrg"), |c| c["spec"]["provider"] = json!("DataCloud"));
    scene.apply_all(&[scene.token(), scene.addon_polled_hourly()]).await;
    scene.apply_all(&[labelled(scene.by_consent(SALES, "salesOrg")), labelled(data)]).await;
    [(SALES, POST), ("data", "POST connections/datacloud")]
}

/// An add-on, and a Connection that waits for consent. Returns the link.
async fn awaiting(scene: &Scene) -> String {
    scene.apply_all(&[scene.token(), scene.addon_polled_hourly(), scene.by_consent(SALES, "salesOrg")]).await;
    scene.link(SALES).await
}

/// Consents, and waits until the Connection is Ready. This must not need a poll: the add-on is polled hourly.
async fn connected(scene: &Scene, name: &str, link: &str) -> Value {
    person::answer(link, "allow", &[]).await;
    scene.ready("Connection", name).await
}

#[test]
fn link_is_in_a_secret_owned_by_the_connection() {
    e2e("await-user", async |scene| {
        let _operator = scene.operator().await;
        for (name, _) in both(scene).await {
            let link = scene.link(name).await;
            assert!(link.starts_with(&scene.simulator.url), "{link}");
            let seen = scene.get("Connection", name).await.expect("it exists");
            let secret_name = format!("{name}-connection-oauth");
            assert_eq!(seen["status"]["oauthSecretName"], json!(secret_name));
            assert!(message(&seen).contains(&secret_name), "{}", message(&seen));
            let secret = scene.get("Secret", &secret_name).await.expect("it exists");
            assert_eq!(secret["type"], "Opaque");
            assert_eq!(secret["data"].as_object().expect("data").keys().collect::<Vec<_>>(), ["url"]);
            let owners = secret["metadata"]["ownerReferences"].as_array().expect("owners");
            assert_eq!(owners.len(), 1);
            assert_eq!((&owners[0]["kind"], &owners[0]["name"]), (&json!("Connection"), &json!(name)));
            assert_eq!(owners[0]["uid"], seen["metadata"]["uid"]);
            let copied = ["/metadata/labels/team", "/metadata/annotations/example.com~1note"];
            assert!(copied.iter().all(|at| secret.pointer(at).is_none()), "it is the object's: {secret:#}");
        }
    });
}

#[test]
fn consent_connects_with_three_writes_and_one_call() {
    e2e("consent", async |scene| {
        let _operator = scene.operator().await;
        for (name, post) in both(scene).await {
            let seen = connected(scene, name, &scene.link(name).await).await;
            assert_eq!(seen["status"]["oauthSecretName"], Value::Null);
            assert_eq!(seen["status"]["org"]["username"], "admin@example.com");
            assert_eq!(scene.get("Secret", &format!("{name}-connection-oauth")).await, None);

            scene.wait_event(name, "Connected").await;
            assert_eq!(scene.events(name).await, ["AwaitingUser", "Connected", "Created"]);
            let writes = scene.writes().await;
            let to = |kind: &str| -> Vec<_> {
                let of_kind = writes.iter().filter(|w| w.resource.starts_with(kind) && w.name == name);
                of_kind.map(|w| (w.verb.as_str(), w.resource.as_str(), w.code)).collect()
            };
            let reported = ("patch", "connections/status", 200);
            assert_eq!(to("connections"), [("patch", "connections", 200), reported, reported]);
            let posts = scene.simulator.mutating().await;
            assert_eq!(posts.iter().filter(|call| *call == post).count(), 1, "{posts:?}");
        }
        assert_eq!(scene.simulator.mutating().await.len(), 2);
    });
}

#[test]
fn denied_consent_names_the_way_to_a_new_link() {
    e2e("deny", async |scene| {
        let _operator = scene.operator().await;
        let link = awaiting(scene).await;
        person::answer(&link, "deny", &[]).await;
        let refused = scene.unready("Connection", SALES, "RemoteFailed", "Stalled").await;
        assert!(message(&refused).contains("access_denied"), "{}", message(&refused));
        assert!(message(&refused).contains("applink.dev/replace"), "{}", message(&refused));
        assert!(!message(&refused).contains("private key"), "there is none: {}", message(&refused));
        assert_eq!(scene.get("Secret", SECRET).await, None, "its link is dead");
        assert_eq!(scene.simulator.mutating().await, [POST]);

        let again = json!({"metadata": {"annotations": {"applink.dev/replace": "again"}}});
        scene.change("Connection", SALES, again).await;
        let second = scene.link(SALES).await;
        assert_ne!(second, link);
        let seen = connected(scene, SALES, &second).await;
        assert_eq!(seen["status"]["lastHandledReplace"], "again");
        assert_eq!(scene.simulator.only_connection().await["id"], seen["status"]["id"]);
    });
}

#[test]
fn consent_link_is_only_in_its_secret() {
    e2e("link-canary", async |scene| {
        let operator = scene.operator_with(Flags { log: Some("trace"), ..Flags::default() }).await;
        let first = awaiting(scene).await;
        assert!(CONSENT_MARKS.iter().all(|mark| first.contains(mark)), "otherwise the test proves nothing: {first}");
        // A service that repeats everything it knows.
        struck_once(scene, echo(&first)).await;
        let failed = json!({"status": "failed", "error": {"id": "gone", "message": format!("open {first} again")}});
        scene.simulator.control("PATCH", "/connections/salesOrg", failed).await;
        scene.unready("Connection", SALES, "RemoteFailed", "Stalled").await;
        let again = json!({"metadata": {"annotations": {"applink.dev/replace": "again"}}});
        scene.change("Connection", SALES, again).await;
        let second = scene.link(SALES).await;
        assert_silent(scene, &operator, &[&first, &second]).await;
        connected(scene, SALES, &second).await;
        assert_silent(scene, &operator, &[&first, &second]).await;
    });
}

/// An error that repeats the link.
fn echo(link: &str) -> Value {
    let body = json!({"id": "echo", "message": format!("GET {link}"), "redirect_uri": link});
    json!({"pathContains": "/connections", "what": {"status": {"code": 500, "body": body}}, "times": 1})
}

/// Makes one list of connections fail.
async fn struck_once(scene: &Scene, fault: Value) {
    scene.simulator.fault(fault).await;
    let asked = json!({"metadata": {"annotations": {"applink.dev/requestedAt": "now"}}});
    scene.change("AppLinkAddon", "orders", asked).await;
    let struck = async || {
        let faults = scene.simulator.control("GET", "/faults", Value::Null).await;
        faults[0]["hits"].as_u64().filter(|hits| *hits > 0)
    };
    until("a list fails", PATIENCE, struck, async || String::new()).await;
}

async fn assert_silent(scene: &Scene, operator: &Operator, links: &[&String]) {
    let whole = links.iter().flat_map(|link| [link.to_string(), STANDARD.encode(link)]);
    let needles: Vec<_> = whole.chain(CONSENT_MARKS.map(str::to_owned)).collect();
    for (place, written) in written(scene, operator).await {
        for needle in &needles {
            assert!(!written.contains(needle), "{needle} is in the {place}");
        }
    }
    assert!(operator.said().contains("AwaitingUser"), "an empty log would contain no link, either");
}

#[test]
fn foreign_oauth_secret_blocks_until_removed() {
    e2e("foreign-secret", async |scene| {
        let _operator = scene.operator().await;
        let theirs = scene.apply(&secret(SECRET, "url", "https://example.com/theirs")).await;
        scene.apply_all(&[scene.token(), scene.addon_polled_hourly(), scene.by_consent(SALES, "salesOrg")]).await;
        let seen = scene.unready("Connection", SALES, "InvalidSpec", "Stalled").await;
        assert!(message(&seen).contains(SECRET), "{}", message(&seen));
        assert_eq!(scene.simulator.mutating().await, Vec::<String>::new(), "nobody could be given the link");
        let there = scene.get("Secret", SECRET).await.expect("it exists");
        assert_eq!(there["metadata"]["resourceVersion"], theirs["metadata"]["resourceVersion"]);

        scene.delete("Secret", SECRET).await;
        connected(scene, SALES, &scene.link(SALES).await).await;
    });
}

/// After the restart there is one link, and it works.
async fn assert_one_link_that_works(scene: &Scene) {
    let link = scene.link(SALES).await;
    let pending = scene.simulator.only_connection().await;
    let seen = connected(scene, SALES, &link).await;
    assert_eq!(seen["status"]["id"], pending["id"]);
    assert_eq!(scene.simulator.only_connection().await["id"], pending["id"]);
    assert_eq!(scene.get("Secret", SECRET).await, None);
    let mutating = scene.simulator.mutating().await;
    assert_eq!(mutating.iter().filter(|call| *call == POST).count(), 2, "{mutating:?}");
}

/// Applies a Connection whose link is returned only once, and waits until it is created but the response is still held
/// back.
async fn link_on_its_way(scene: &Scene, held_back: Duration) {
    scene.simulator.settings(json!({"linkServed": "once"})).await;
    let held_back = u64::try_from(held_back.as_millis()).expect("not that long");
    let hold = json!({"method": "POST", "where": "after", "what": {"delay": {"ms": held_back}}, "times": 1});
    scene.simulator.fault(hold).await;
    scene.apply_all(&[scene.token(), scene.addon_polled_hourly(), scene.by_consent(SALES, "salesOrg")]).await;
    let made = |request: &Value| request["method"] == "POST" && request["committed"] == true;
    scene.simulator.wait_request("the link is made", made).await;
}

#[test]
fn kill_before_the_link_arrives_leaves_one_link() {
    e2e("link-untold", async |scene| {
        let operator = scene.operator().await;
        link_on_its_way(scene, Duration::from_secs(600)).await;
        operator.kill();
        assert_eq!(scene.get("Secret", SECRET).await, None);
        let _operator = scene.operator().await;
        assert_one_link_that_works(scene).await;
    });
}

#[test]
fn kill_before_the_link_is_stored_leaves_one_link() {
    e2e("link-kept", async |scene| {
        let proxy = Proxy::start(scene.server());
        let server = Some(format!("https://{}", proxy.address));
        let operator = scene.operator_with(Flags { server, ..Flags::default() }).await;
        // Long enough for the next steps on any machine, and shorter than the call's deadline.
        link_on_its_way(scene, Duration::from_secs(20)).await;
        proxy.cut();
        let reported = |request: &Value| request["method"] == "POST" && request["status"].is_number();
        scene.simulator.wait_request("the link is returned", reported).await;
        operator.kill();
        assert_eq!(scene.get("Secret", SECRET).await, None);
        let _operator = scene.operator().await;
        assert_one_link_that_works(scene).await;
    });
}

#[test]
fn consent_to_another_org_is_reported_without_deletion() {
    e2e("expect", async |scene| {
        let _operator = scene.operator().await;
        let (ours, other) = ("00DSG000007a3BZ2AY", "00DSG00000DGEIr2AP");
        let pinned = edit(scene.by_consent(SALES, "salesOrg"), |c| c["spec"]["expect"] = json!({"orgID": ours}));
        scene.apply_all(&[scene.token(), scene.addon(), pinned]).await;
        person::answer(&scene.link(SALES).await, "allow", &[("org_id", other)]).await;
        let seen = scene.unready("Connection", SALES, "OrgMismatch", "Stalled").await;
        assert!(message(&seen).contains(ours) && message(&seen).contains(other), "{}", message(&seen));
        assert_eq!(seen["status"]["org"]["id"], other);
        // The next pass finds no change.
        let last = scene.simulator.last_request().await;
        let listed = |r: &Value| r["seq"].as_u64() > Some(last) && text(r, "/path").ends_with("/authorizations");
        scene.simulator.wait_request("a pass", listed).await;
        assert_eq!(scene.simulator.mutating().await, [POST]);
        assert!(has_reason(&scene.get("Connection", SALES).await.expect("there"), "False", "OrgMismatch"));

        // A 15-character ID is the same org.
        scene.change("Connection", SALES, json!({"spec": {"expect": {"orgID": &other[..15]}}})).await;
        scene.ready("Connection", SALES).await;
        assert_eq!(scene.simulator.mutating().await, [POST]);
    });
}

#[test]
fn deletion_removes_pending_connection_and_secret() {
    e2e("unasked", async |scene| {
        let _operator = scene.operator().await;
        awaiting(scene).await;
        let pending = scene.simulator.only_connection().await;
        scene.delete("Connection", SALES).await;
        scene.wait_gone("Connection", SALES).await;
        assert_eq!(scene.simulator.connections().await, Vec::<Value>::new());
        let delete = format!("DELETE connections/{}", text(&pending, "/id"));
        assert_eq!(scene.simulator.mutating().await, [POST, &delete]);
        // The garbage collector discovers our kinds up to 30 s after the API server.
        scene.wait_gone("Secret", SECRET).await;
    });
}
